//! The program `echometer`; see [`echometer::cli::main`].

use std::process::ExitCode;

fn main() -> ExitCode {
    echometer::cli::main()
}
