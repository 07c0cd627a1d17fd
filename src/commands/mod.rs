//! What the program does when it is told to: one verb a file.

mod bench;
mod compare;
mod completions;
mod man;
mod measured;
mod progress;
mod provenance;
mod repeat;
mod report;
mod send;
mod serve;
mod signals;

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};

pub use bench::Bench;
pub use compare::Compare;
pub use completions::Completions;
pub use man::Man;
pub use repeat::Repeat;
pub use report::{Format, Report};
pub use send::Send;
pub use serve::Serve;

/// A verb and what it is asked to do.
pub enum Command {
    /// Runs a server.
    Serve(Serve),
    /// Sends messages.
    Send(Send),
    /// Measures one point.
    Bench(Box<Bench>),
    /// Shows rows.
    Report(Report),
    /// Compares the rows of two runs.
    Compare(Compare),
    /// Prints a script for a shell.
    Completions(Completions),
    /// Writes man pages.
    Man(Man),
}

/// How a verb ended that did not fail to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Done,
    /// It has said what failed; exit status 1.
    Failed,
    /// By SIGINT or SIGTERM, before its time; exit status 130.
    Interrupted,
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    ///
    /// What failed, for a person to read.
    pub fn run(self) -> Result<Ending> {
        match self {
            Command::Serve(serve) => serve.run(),
            Command::Send(send) => send.run(),
            Command::Bench(bench) => bench.run(),
            Command::Report(report) => report.run(),
            Command::Compare(compare) => compare.run(),
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(),
        }
    }
}

/// Says something to people, on stderr. That nobody listens is no failure: what was measured is
/// written all the same.
pub fn tell(words: impl Display) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

/// Prints data on stdout, at once. A reader who has gone is no failure: who pipes a server's
/// output into `head -1` has what was asked for.
fn print(data: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(data.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot print on stdout")
        }
        _ => Ok(()),
    }
}
