//! Files of rows.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Row;

/// Where rows are appended: a file, or stdout.
#[derive(Debug)]
pub struct CsvSink {
    name: PathBuf,
    out: Out,
}

#[derive(Debug)]
enum Out {
    File(File),
    /// Whether the header has been written.
    Stdout(bool),
}

impl CsvSink {
    /// Opens the file, or stdout for `-`. A file that is missing or empty gets its header.
    ///
    /// # Errors
    ///
    /// Where it cannot be written, has another header, or ends in the middle of a line.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.to_owned();
        if path == Path::new("-") {
            return Ok(CsvSink { name: "stdout".into(), out: Out::Stdout(false) });
        }
        let cannot = || format!("cannot append rows to {}", path.display());
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|e| anyhow!("{}: {e}; is there such a directory, and yours?", cannot()))?;
        if file.metadata()?.len() == 0 {
            file.write_all(&header()?).with_context(cannot)?;
        } else {
            check_header(&mut file).with_context(cannot)?;
            check_last_byte(&mut file).with_context(cannot)?;
        }
        Ok(CsvSink { name, out: Out::File(file) })
    }

    /// Appends a row, in one write.
    ///
    /// # Errors
    ///
    /// Where it cannot be written, as on a full disk.
    pub fn append(&mut self, row: &Row) -> Result<()> {
        let line = lines(row, false)?;
        let written = match &mut self.out {
            Out::File(file) => file.write_all(&line).and_then(|()| file.sync_data()),
            Out::Stdout(begun) => {
                let mut bytes = if *begun { Vec::new() } else { header()? };
                *begun = true;
                bytes.extend(line);
                let mut stdout = io::stdout().lock();
                stdout.write_all(&bytes).and_then(|()| stdout.flush())
            }
        };
        written.with_context(|| format!("cannot append a row to {}", self.name.display()))
    }
}

fn header() -> Result<Vec<u8>> {
    let with_row = lines(&Row::default(), true)?;
    let end = with_row.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    Ok(with_row[..end].to_vec())
}

fn lines(row: &Row, with_header: bool) -> Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().has_headers(with_header).from_writer(Vec::new());
    writer.serialize(row)?;
    Ok(writer.into_inner().map_err(csv::IntoInnerError::into_error)?)
}

fn check_header(file: &mut File) -> Result<()> {
    let expected = header()?;
    let mut found = Vec::new();
    Read::by_ref(file).take(expected.len() as u64).read_to_end(&mut found)?;
    if found != expected {
        bail!("its header is another one, of another program or version; choose another file");
    }
    Ok(())
}

fn check_last_byte(file: &mut File) -> Result<()> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last != [b'\n'] {
        bail!("its last line is cut off; complete or delete that line, or choose another file");
    }
    Ok(())
}

/// Reads all rows of a file.
///
/// # Errors
///
/// Where it is not readable, or is not made of rows: line and column are named.
pub fn read_rows(path: &Path) -> Result<Vec<Row>> {
    read(path)
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
    let points = read::<ReferencePoint>(path)?;
    let row = |ReferencePoint { system, clients, throughput_per_s }| Row {
        system,
        clients,
        throughput_per_s,
        valid: true,
        ..Row::default()
    };
    Ok(points.into_iter().map(row).collect())
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let cannot = || format!("cannot read rows from {}", path.display());
    let mut reader = csv::Reader::from_path(path)
        .map_err(explain_file)
        .with_context(|| format!("{}; is it a file of 'bench --csv'?", cannot()))?;
    let headers = reader.headers().with_context(cannot)?.clone();
    reader
        .deserialize()
        .map(|row| row.map_err(|e| explain(e, &headers)).with_context(cannot))
        .collect()
}

/// Without csv's words around those of the operating system.
fn explain_file(error: csv::Error) -> anyhow::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => anyhow!("{other:?}"),
    }
}

/// Says of an error in which line and which column it is.
fn explain(error: csv::Error, headers: &csv::StringRecord) -> anyhow::Error {
    let csv::ErrorKind::Deserialize { pos, err } = error.kind() else { return error.into() };
    let line = pos.as_ref().map_or_else(String::new, |pos| format!("line {}, ", pos.line()));
    let field = err.field().and_then(|field| headers.get(usize::try_from(field).ok()?));
    let column = field.map_or_else(String::new, |name| format!("column {name}: "));
    anyhow!("{line}{column}{}", err.kind())
}
