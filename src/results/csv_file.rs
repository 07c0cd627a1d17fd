//! Writing of CSV files.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::Serialize;

/// Advice for a file that cannot be opened for writing.
pub(super) const CHECK_PATH: &str = "check the path and its permissions";

/// The destination of rows of one type: a file or stdout.
#[derive(Debug)]
pub struct CsvSink<T> {
    name: PathBuf,
    output: Output,
    row_type: PhantomData<T>,
}

#[derive(Debug)]
enum Output {
    File(File),
    Stdout { header_written: bool },
}

/// Returns the path of the file `name` in the directory of `csv`; `None` if `csv` is stdout, a pipe
/// or a device.
pub fn sibling_file(csv: &Path, name: &str) -> Option<PathBuf> {
    let is_stream = csv == Path::new("-") || csv.metadata().is_ok_and(|file| !file.is_file());
    (!is_stream).then(|| csv.with_file_name(name))
}

impl<T: Serialize + Default> CsvSink<T> {
    /// Opens the file at `path`, or stdout for `-`. Writes the header if the file is missing or
    /// empty.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written, has a different header, or does not end in a
    /// newline.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.to_owned();
        if path == Path::new("-") {
            let output = Output::Stdout { header_written: false };
            return Ok(CsvSink { name: "stdout".into(), output, row_type: PhantomData });
        }
        let context = || format!("cannot append rows to {}", path.display());
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|e| anyhow!("{}: {e}; {CHECK_PATH}", context()))?;
        if file.metadata()?.len() == 0 {
            file.write_all(&header::<T>()?).with_context(context)?;
        } else {
            check_header(&mut file, &header::<T>()?).with_context(context)?;
            check_last_byte(&mut file).with_context(context)?;
        }
        Ok(CsvSink { name, output: Output::File(file), row_type: PhantomData })
    }

    /// Appends rows in one write.
    ///
    /// # Errors
    ///
    /// Returns an error if the rows cannot be written, for example because the disk is full.
    pub fn append(&mut self, rows: &[T]) -> Result<()> {
        let lines = lines(rows, false)?;
        let written = match &mut self.output {
            Output::File(file) => file.write_all(&lines).and_then(|()| sync(file)),
            Output::Stdout { header_written } => {
                let mut bytes = if *header_written { Vec::new() } else { header::<T>()? };
                *header_written = true;
                bytes.extend(lines);
                let mut stdout = io::stdout().lock();
                stdout.write_all(&bytes).and_then(|()| stdout.flush())
            }
        };
        written.with_context(|| format!("cannot append rows to {}", self.name.display()))
    }
}

/// Waits until the data is on disk. Pipes and devices do not support this and return EINVAL.
fn sync(file: &File) -> io::Result<()> {
    file.sync_data().or_else(|error| match error.kind() {
        io::ErrorKind::InvalidInput => Ok(()),
        _ => Err(error),
    })
}

fn header<T: Serialize + Default>() -> Result<Vec<u8>> {
    let with_row = lines(&[T::default()], true)?;
    let end = with_row.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    Ok(with_row[..end].to_vec())
}

fn lines<T: Serialize>(rows: &[T], with_header: bool) -> Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().has_headers(with_header).from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    Ok(writer.into_inner().map_err(csv::IntoInnerError::into_error)?)
}

fn check_header(file: &mut File, expected: &[u8]) -> Result<()> {
    let mut found = Vec::new();
    Read::by_ref(file).take(expected.len() as u64).read_to_end(&mut found)?;
    if found != expected {
        bail!("its header differs from that of this version; choose another file");
    }
    Ok(())
}

fn check_last_byte(file: &mut File) -> Result<()> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last != [b'\n'] {
        bail!("its last line is cut off; complete or delete this line, or choose another file");
    }
    Ok(())
}
