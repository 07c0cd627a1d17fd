//! The program: parses the command line, runs the command, and sets the exit status.

use std::process::ExitCode;

use super::{Parsed, parse};
use crate::commands::{Outcome, print_status};
use crate::spec::UsageError;

const EXIT_FAILURE: u8 = 1;
const EXIT_USAGE_ERROR: u8 = 2;
const EXIT_INCONCLUSIVE: u8 = 3;
const EXIT_INTERRUPTED: u8 = 130;

/// Runs the command that the arguments of this process name. Errors are printed in one line.
///
/// A program that adds systems with [`crate::systems::Registry::register`] calls this afterwards.
pub fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn"))
        .format_timestamp(None)
        .format_target(false)
        .init();
    match run() {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => EXIT_FAILURE.into(),
        Ok(Outcome::Inconclusive) => EXIT_INCONCLUSIVE.into(),
        Ok(Outcome::Interrupted) => EXIT_INTERRUPTED.into(),
        Err(error) => {
            print_status(format_args!("echometer: {error:#}"));
            if error.is::<UsageError>() { EXIT_USAGE_ERROR.into() } else { EXIT_FAILURE.into() }
        }
    }
}

fn run() -> anyhow::Result<Outcome> {
    match parse(std::env::args_os())? {
        Parsed::Run(command) => command.run(),
        Parsed::Printed => Ok(Outcome::Done),
    }
}
