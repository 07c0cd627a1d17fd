//! The command: reads the command line, does what it says, and ends with the right status.

use std::process::ExitCode;

use echometer::cli::{self, Parsed};
use echometer::commands::{Ending, tell};
use echometer::spec::Invalid;

const FAILED: u8 = 1;
const WRONG_COMMAND_LINE: u8 = 2;
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn"))
        .format_timestamp(None)
        .format_target(false)
        .init();
    match run() {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Failed) => FAILED.into(),
        Ok(Ending::Interrupted) => INTERRUPTED.into(),
        Err(error) => {
            tell(format_args!("echometer: {error:#}"));
            if error.is::<Invalid>() { WRONG_COMMAND_LINE.into() } else { FAILED.into() }
        }
    }
}

fn run() -> anyhow::Result<Ending> {
    match cli::parse(std::env::args_os())? {
        Parsed::Do(command) => command.run(),
        Parsed::Told => Ok(Ending::Done),
    }
}
