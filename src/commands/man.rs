//! `man`: writes the man pages.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{Ending, tell};

/// What to write, and where.
pub struct Man {
    /// The directory, which is made if it is not there.
    pub directory: PathBuf,
    /// The pages, each with the name of its file.
    pub pages: Vec<(String, Vec<u8>)>,
}

impl Man {
    pub(super) fn run(self) -> Result<Ending> {
        let directory = &self.directory;
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot make the directory {}", directory.display()))?;
        for (name, text) in &self.pages {
            let path = directory.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        tell(format_args!("{} man pages in {}", self.pages.len(), directory.display()));
        Ok(Ending::Done)
    }
}
