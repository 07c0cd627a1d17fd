//! `completions` and `man`: completion scripts and man pages. Both are generated from the
//! definition of the command line.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{Outcome, print, print_status};

/// Options of `completions`.
pub struct Completions {
    /// The completion script.
    pub script: String,
}

/// Options of `man`.
pub struct Man {
    /// The output directory, which is created if it does not exist.
    pub directory: PathBuf,
    /// The man pages, with their file names.
    pub pages: Vec<(String, Vec<u8>)>,
}

impl Completions {
    pub(super) fn run(self) -> Result<Outcome> {
        print(&self.script)?;
        Ok(Outcome::Done)
    }
}

impl Man {
    pub(super) fn run(self) -> Result<Outcome> {
        let directory = &self.directory;
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create directory {}", directory.display()))?;
        for (name, text) in &self.pages {
            let path = directory.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        print_status(format_args!(
            "wrote {} man pages to {}",
            self.pages.len(),
            directory.display()
        ));
        Ok(Outcome::Done)
    }
}
