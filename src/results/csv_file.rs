//! Files of rows, as they are written.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::Serialize;

/// Where rows of one kind are appended: a file, or stdout.
#[derive(Debug)]
pub struct CsvSink<T> {
    name: PathBuf,
    out: Out,
    kind: PhantomData<T>,
}

#[derive(Debug)]
enum Out {
    File(File),
    /// Whether the header has been written.
    Stdout(bool),
}

/// The file `name` in the directory of the rows in `csv`; `None` for those that are in none:
/// stdout, pipes and devices.
pub fn beside(csv: &Path, name: &str) -> Option<PathBuf> {
    let elsewhere = csv == Path::new("-") || csv.metadata().is_ok_and(|file| !file.is_file());
    (!elsewhere).then(|| csv.with_file_name(name))
}

impl<T: Serialize + Default> CsvSink<T> {
    /// Opens the file, or stdout for `-`. A file that is missing or empty gets its header.
    ///
    /// # Errors
    ///
    /// Where it cannot be written, has another header, or ends in the middle of a line.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.to_owned();
        if path == Path::new("-") {
            let out = Out::Stdout(false);
            return Ok(CsvSink { name: "stdout".into(), out, kind: PhantomData });
        }
        let cannot = || format!("cannot append rows to {}", path.display());
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|e| anyhow!("{}: {e}; is there such a directory, and yours?", cannot()))?;
        if file.metadata()?.len() == 0 {
            file.write_all(&header::<T>()?).with_context(cannot)?;
        } else {
            check_header(&mut file, &header::<T>()?).with_context(cannot)?;
            check_last_byte(&mut file).with_context(cannot)?;
        }
        Ok(CsvSink { name, out: Out::File(file), kind: PhantomData })
    }

    /// Appends rows, in one write.
    ///
    /// # Errors
    ///
    /// Where they cannot be written, as on a full disk.
    pub fn append(&mut self, rows: &[T]) -> Result<()> {
        let lines = lines(rows, false)?;
        let written = match &mut self.out {
            Out::File(file) => file.write_all(&lines).and_then(|()| to_disk(file)),
            Out::Stdout(begun) => {
                let mut bytes = if *begun { Vec::new() } else { header::<T>()? };
                *begun = true;
                bytes.extend(lines);
                let mut stdout = io::stdout().lock();
                stdout.write_all(&bytes).and_then(|()| stdout.flush())
            }
        };
        written.with_context(|| format!("cannot append a row to {}", self.name.display()))
    }
}

/// Waits until it is on disk. Pipes and devices have none, and say that this is no thing to ask.
fn to_disk(file: &File) -> io::Result<()> {
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
