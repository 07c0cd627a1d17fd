//! Files of rows, as they are read: what is damaged is named, and never misread.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use csv::StringRecord;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Row, SliceRow, ThreadRow};

/// Columns that hold words. All others hold numbers, of which none is negative.
const WORDS: [&str; 22] = [
    "run_id",
    "valid",
    "kept",
    "system",
    "label",
    "driver",
    "backend",
    "tuning",
    "work",
    "channels",
    "arrivals",
    "bound",
    "verified",
    "started_at",
    "host",
    "server_cpus_asked",
    "client_cpus_asked",
    "server_cpus",
    "client_cpus",
    "invalid_reason",
    "notes",
    "role",
];

/// Columns whose text may come from elsewhere, and then have several lines.
const FREE: [&str; 2] = ["run_id", "invalid_reason"];

/// Nothing that is counted or timed comes near to this.
const MOST: f64 = 1e18;

/// What is wrong with the field of a column, if something is.
type Check = fn(name: &str, field: &str) -> Option<String>;

/// Reads all rows of a file. Columns that an older version did not write are empty.
///
/// # Errors
///
/// Where it is not readable, or is not made of rows: line and column are named.
pub fn read_rows(path: &Path) -> Result<Vec<Row>> {
    read(path, check_field)
}

/// Reads the rows of threads in a file; none where there is no such file.
///
/// # Errors
///
/// As [`read_rows`].
pub fn read_threads(path: &Path) -> Result<Vec<ThreadRow>> {
    read_if_present(path)
}

/// Reads the slices in a file; none where there is no such file.
///
/// # Errors
///
/// As [`read_rows`].
pub fn read_slices(path: &Path) -> Result<Vec<SliceRow>> {
    read_if_present(path)
}

fn read_if_present<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    // A link to nowhere is not a missing file, and is reported as one that cannot be read.
    if path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(Vec::new());
    }
    read(path, check_field)
}

/// Of another measurement, what can be compared with.
#[derive(Deserialize)]
struct ReferencePoint {
    system: String,
    clients: usize,
    throughput_per_s: f64,
}

/// Reads the points of another program's measurement, of whose columns only `system`,
/// `clients` and `throughput_per_s` are looked at: rows that tell nothing else.
///
/// # Errors
///
/// As [`read_rows`].
pub fn read_reference(path: &Path) -> Result<Vec<Row>> {
    let points = read::<ReferencePoint>(path, check_reference)?;
    let row = |ReferencePoint { system, clients, throughput_per_s }| Row {
        system,
        clients,
        throughput_per_s,
        valid: true,
        ..Row::default()
    };
    Ok(points.into_iter().map(row).collect())
}

fn read<T: DeserializeOwned>(path: &Path, check: Check) -> Result<Vec<T>> {
    let cannot = || format!("cannot read rows from {}", path.display());
    let mut reader = csv::Reader::from_path(path)
        .map_err(explain_file)
        .with_context(|| format!("{}; is it a file of 'bench --csv'?", cannot()))?;
    let headers = reader.headers().map_err(explain_file).with_context(cannot)?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| explain(&e, &headers)).with_context(cannot)?;
        check_fields(&record, &headers, check).with_context(cannot)?;
        let row = record.deserialize(Some(&headers));
        rows.push(row.map_err(|e| explain(&e, &headers)).with_context(cannot)?);
    }
    Ok(rows)
}

/// Says of the first field that is damaged where it is.
fn check_fields(record: &StringRecord, headers: &StringRecord, check: Check) -> Result<()> {
    let line = record.position().map_or(0, csv::Position::line);
    for (name, field) in headers.iter().zip(record) {
        if let Some(wrong) = check(name, field) {
            bail!("line {line}, column {name}: {wrong}");
        }
    }
    Ok(())
}

/// The check of our own columns.
fn check_field(name: &str, field: &str) -> Option<String> {
    // A quote that is not closed makes all lines behind it a part of one field.
    if field.contains(['\n', '\r']) && !FREE.contains(&name) {
        return Some("it goes on in the next line; is a quote not closed?".to_owned());
    }
    if WORDS.contains(&name) { None } else { check_number(field) }
}

/// The check of another program's.
fn check_reference(name: &str, field: &str) -> Option<String> {
    if name == "throughput_per_s" { check_number(field) } else { None }
}

/// What reads as a number but cannot have been measured is damage.
fn check_number(field: &str) -> Option<String> {
    let cannot_be = |value: f64| !(0.0..=MOST).contains(&value);
    let damaged = field.parse().is_ok_and(cannot_be);
    damaged.then(|| format!("'{field}' cannot have been measured"))
}

/// How serde begins to say that there is no column for a field.
const MISSING: &str = "missing field ";

/// Without csv's words around those of the operating system.
fn explain_file(error: csv::Error) -> anyhow::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        csv::ErrorKind::Utf8 { .. } => anyhow!("its header is not text"),
        other => anyhow!("{other:?}"),
    }
}

/// Says of an error in which line and which column it is.
fn explain(error: &csv::Error, headers: &StringRecord) -> anyhow::Error {
    let place = |pos: &Option<csv::Position>, field: Option<usize>| {
        let line = pos.as_ref().map_or_else(String::new, |pos| format!("line {}, ", pos.line()));
        let name = field.and_then(|field| headers.get(field));
        line + &name.map_or_else(String::new, |name| format!("column {name}: "))
    };
    match error.kind() {
        csv::ErrorKind::Deserialize { pos, err } => {
            let field = err.field().and_then(|field| usize::try_from(field).ok());
            let advice = match err.kind() {
                // It is not in this line that something is wrong.
                csv::DeserializeErrorKind::Message(text) if text.starts_with(MISSING) => {
                    let column = &text[MISSING.len()..];
                    return anyhow!(
                        "there is no column {column}; were these rows written by another program or version?"
                    );
                }
                kind => kind.to_string(),
            };
            anyhow!("{}{advice}", place(pos, field))
        }
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let at = usize::try_from((*len).min(expected_len - 1)).ok();
            anyhow!("{}the line has {len} columns, not {expected_len}", place(pos, at))
        }
        csv::ErrorKind::Utf8 { pos, err } => {
            anyhow!("{}what stands there is not text", place(pos, Some(err.field())))
        }
        _ => anyhow!("{error}"),
    }
}
