//! Reading of CSV files. A damaged file is rejected with the line and column of the damage.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use csv::StringRecord;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{HistogramRow, Row, SliceRow, ThreadRow};

/// Columns that contain text or booleans. All other columns contain numbers; none is negative.
const TEXT_COLUMNS: [&str; 26] = [
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
    "network",
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
    "rtt",
    "due",
    "send_lag",
];

/// Columns whose text may come from other programs and may span several lines.
const MULTILINE_COLUMNS: [&str; 2] = ["run_id", "invalid_reason"];

/// Upper limit of all numbers. No count or time comes near it.
const MAX_NUMBER: f64 = 1e18;

/// Describes the damage in a field of the column `name`; returns `None` if the field is valid.
type FieldCheck = fn(name: &str, field: &str) -> Option<String>;

/// Reads all rows of a file. Columns that an older version did not write are left empty.
///
/// # Errors
///
/// Returns an error if the file is not readable or contains damaged rows. The error names the line
/// and the column.
pub fn read_rows(path: &Path) -> Result<Vec<Row>> {
    read(path, check_own_field)
}

/// Reads the thread rows of a file; returns no rows if the file does not exist.
///
/// # Errors
///
/// As [`read_rows`].
pub fn read_threads(path: &Path) -> Result<Vec<ThreadRow>> {
    read_if_present(path)
}

/// Reads the slice rows of a file; returns no rows if the file does not exist.
///
/// # Errors
///
/// As [`read_rows`].
pub fn read_slices(path: &Path) -> Result<Vec<SliceRow>> {
    read_if_present(path)
}

/// Reads the histograms of a file; returns none if the file does not exist.
///
/// # Errors
///
/// As [`read_rows`].
pub fn read_histograms(path: &Path) -> Result<Vec<HistogramRow>> {
    read_if_present(path)
}

fn read_if_present<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    // A dangling symbolic link is not a missing file: it is reported as not readable.
    if path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(Vec::new());
    }
    read(path, check_own_field)
}

/// A point of another program's measurement.
#[derive(Deserialize)]
struct ReferencePoint {
    system: String,
    clients: usize,
    throughput_per_s: f64,
}

/// Reads the points of another program's measurement. Only the columns `system`, `clients` and
/// `throughput_per_s` are used; all other fields of the returned rows have their defaults, except
/// `valid`, which is true.
///
/// # Errors
///
/// As [`read_rows`].
pub fn read_reference(path: &Path) -> Result<Vec<Row>> {
    let points = read::<ReferencePoint>(path, check_reference_field)?;
    let to_row = |ReferencePoint { system, clients, throughput_per_s }| Row {
        system,
        clients,
        throughput_per_s,
        valid: true,
        ..Row::default()
    };
    Ok(points.into_iter().map(to_row).collect())
}

fn read<T: DeserializeOwned>(path: &Path, check: FieldCheck) -> Result<Vec<T>> {
    let context = || format!("cannot read rows from {}", path.display());
    let mut reader = csv::Reader::from_path(path).map_err(|e| {
        anyhow!("{}: {}; check the path; 'bench --csv' writes such files", context(), file_error(e))
    })?;
    let headers = reader.headers().map_err(file_error).with_context(context)?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| record_error(&e, &headers)).with_context(context)?;
        check_fields(&record, &headers, check).with_context(context)?;
        let row = record.deserialize(Some(&headers));
        rows.push(row.map_err(|e| record_error(&e, &headers)).with_context(context)?);
    }
    Ok(rows)
}

/// Returns an error with the place of the first damaged field, if there is one.
fn check_fields(record: &StringRecord, headers: &StringRecord, check: FieldCheck) -> Result<()> {
    let line = record.position().map_or(0, csv::Position::line);
    for (name, field) in headers.iter().zip(record) {
        if let Some(damage) = check(name, field) {
            bail!("line {line}, column {name}: {damage}");
        }
    }
    Ok(())
}

/// Checks a field of a file that echometer wrote.
fn check_own_field(name: &str, field: &str) -> Option<String> {
    // An unclosed quote makes all following lines part of one field.
    if field.contains(['\n', '\r']) && !MULTILINE_COLUMNS.contains(&name) {
        return Some("the field spans several lines; check for an unclosed quote".to_owned());
    }
    if TEXT_COLUMNS.contains(&name) { None } else { check_number(field) }
}

/// Checks a field of another program's file.
fn check_reference_field(name: &str, field: &str) -> Option<String> {
    if name == "throughput_per_s" { check_number(field) } else { None }
}

/// Checks the range of a number. Fields that are not numbers fail later, in deserialization.
fn check_number(field: &str) -> Option<String> {
    let is_out_of_range = |value: f64| !(0.0..=MAX_NUMBER).contains(&value);
    let damaged = field.parse().is_ok_and(is_out_of_range);
    damaged.then(|| format!("'{field}' is not a number from 0 to {MAX_NUMBER:e}"))
}

/// Beginning of serde's error message for a missing column.
const MISSING: &str = "missing field ";

/// Converts an error without csv's text around the operating system's message.
fn file_error(error: csv::Error) -> anyhow::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        csv::ErrorKind::Utf8 { .. } => anyhow!("the header is not valid UTF-8"),
        other => anyhow!("{other:?}"),
    }
}

/// Converts an error of a record to one that names the line and the column.
fn record_error(error: &csv::Error, headers: &StringRecord) -> anyhow::Error {
    let place = |pos: &Option<csv::Position>, field: Option<usize>| {
        let line = pos.as_ref().map_or_else(String::new, |pos| format!("line {}, ", pos.line()));
        let name = field.and_then(|field| headers.get(field));
        line + &name.map_or_else(String::new, |name| format!("column {name}: "))
    };
    match error.kind() {
        csv::ErrorKind::Deserialize { pos, err } => {
            let field = err.field().and_then(|field| usize::try_from(field).ok());
            let damage = match err.kind() {
                // The header is wrong, not this line.
                csv::DeserializeErrorKind::Message(text) if text.starts_with(MISSING) => {
                    let column = &text[MISSING.len()..];
                    return anyhow!(
                        "column {column} is missing; another program or version may have written \
                         this file; choose another file"
                    );
                }
                kind => kind.to_string(),
            };
            anyhow!("{}{damage}", place(pos, field))
        }
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let at = usize::try_from((*len).min(expected_len - 1)).ok();
            anyhow!("{}the line has {len} columns, not {expected_len}", place(pos, at))
        }
        csv::ErrorKind::Utf8 { pos, err } => {
            anyhow!("{}the field is not valid UTF-8", place(pos, Some(err.field())))
        }
        _ => anyhow!("{error}"),
    }
}
