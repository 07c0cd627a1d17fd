//! `completions`: prints the script by which a shell completes the command.

use anyhow::Result;

use super::{Ending, print};

/// What to print.
pub struct Completions {
    /// The script, which is made from the definition of the command line.
    pub script: String,
}

impl Completions {
    pub(super) fn run(self) -> Result<Ending> {
        print(&self.script)?;
        Ok(Ending::Done)
    }
}
