//! The commands of the program.

mod bench;
mod compare;
mod interleave;
mod measurement;
mod provenance;
mod regression_gate;
mod repeat;
mod report;
mod send;
mod serve;
mod shell;
mod signals;

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};

pub use bench::Bench;
pub use compare::Compare;
pub use interleave::Interleave;
pub use repeat::Repeat;
pub use report::{Format, Report};
pub use send::Send;
pub use serve::Serve;
pub use shell::{Completions, Man};

/// A command with its options.
pub enum Command {
    /// Runs a server.
    Serve(Serve),
    /// Sends messages.
    Send(Send),
    /// Measures contenders.
    Bench(Box<Bench>),
    /// Creates a report.
    Report(Report),
    /// Compares two measurements.
    Compare(Compare),
    /// Measures two builds against each other.
    Interleave(Box<Interleave>),
    /// Prints a completion script for a shell.
    Completions(Completions),
    /// Writes man pages.
    Man(Man),
}

/// How a command ended, if it did not return an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Success; exit status 0.
    Done,
    /// A failure that has been printed already; exit status 1.
    Failed,
    /// The measurements cannot decide; exit status 3.
    Inconclusive,
    /// Interrupted by SIGINT or SIGTERM; exit status 130.
    Interrupted,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If the command fails. `main` prints the error in one line.
    pub fn run(self) -> Result<Outcome> {
        match self {
            Command::Serve(serve) => serve.run(),
            Command::Send(send) => send.run(),
            Command::Bench(bench) => bench.run(),
            Command::Report(report) => report.run(),
            Command::Compare(compare) => compare.run(),
            Command::Interleave(interleave) => interleave.run(),
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(),
        }
    }
}

/// Prints a message on stderr. A closed stderr is ignored, so that rows are still written.
pub fn print_status(message: impl Display) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// Prints data on stdout and flushes it. A closed pipe is not an error, as in
/// `echometer serve ... | head -1`.
fn print(data: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(data.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot print on stdout")
        }
        _ => Ok(()),
    }
}
