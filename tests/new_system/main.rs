//! A new system is one file (`delimited.rs`) and one line (the registration in `main`): it passes
//! the common suite, and all commands work with it.
//!
//! This test has its own `main`, because the program that `bench --spawn` starts as a server must
//! know the system, too: the test starts itself as `echometer`.

#[path = "../common/mod.rs"]
mod common;
mod delimited;

use std::process::{Command, ExitCode, Stdio};

use common::suite;
use common::{ANY_PORT, SequenceScope, ServerProcess, file_in_new_directory, run_command};
use echometer::results::read_rows;
use echometer::systems::SYSTEMS;

/// If this variable is set, this program is `echometer`.
const COMMAND_LINE: &str = "ECHOMETER_TEST_COMMAND_LINE";

fn main() -> ExitCode {
    SYSTEMS.register(&delimited::Delimited);
    if std::env::var_os(COMMAND_LINE).is_some() {
        return echometer::cli::main();
    }
    let checks = [
        ("echoes", suite::echoes_every_sequence_exactly_once as fn(_, _)),
        ("numbers", suite::replies_contain_their_number),
        ("backend", suite::echoes_with_the_ipc_backend),
        ("padding", suite::pads_replies_to_the_requested_size),
        ("stop", suite::stops_within_a_second_with_clients_connected),
        ("port", suite::frees_its_port_when_stopped_or_dropped),
        ("port in use", suite::rejects_a_port_in_use),
    ];
    for (name, check) in checks {
        check(&delimited::Delimited, SequenceScope::Connection);
        println!("new system: {name} ... ok");
    }
    help_lists_it();
    bench_measures_it_next_to_another_system();
    serve_and_send_work_with_it();
    println!("new system: commands ... ok");
    ExitCode::SUCCESS
}

/// The program with the new system.
fn echometer() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(COMMAND_LINE, "1").env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

fn help_lists_it() {
    let help = run_command(echometer().args(["serve", "--help"]));
    assert_eq!(help.status, 0, "{help:?}");
    assert!(help.stdout.contains("delimited"), "{help:?}");
}

fn bench_measures_it_next_to_another_system() {
    let (_directory, csv) = file_in_new_directory("results.csv");
    let flags = ["--spawn", "--clients", "4", "--duration", "200ms", "--warmup", "50ms", "--csv"];
    let bench = run_command(echometer().args(["bench", "delimited", "tcp"]).args(flags).arg(&csv));
    assert_eq!(bench.status, 0, "{bench:?}");
    let rows = read_rows(&csv).unwrap();
    let row = rows.iter().find(|row| row.system == "delimited").unwrap();
    // Both sides counted the same, whether or not the slices were disturbed.
    assert_eq!(row.errors, 0, "{row:?}");
    assert!(row.server_accesses.is_some_and(|accesses| accesses > 0), "{row:?}");
}

fn serve_and_send_work_with_it() {
    let server = ServerProcess::start_by(&mut echometer(), &delimited::Delimited, ANY_PORT, &[]);
    let send = ["send", "delimited", "--addr", &server.address, "hello"];
    let send = run_command(echometer().args(send));
    assert_eq!((send.status, send.stdout.trim()), (0, "reply msg #1"), "{send:?}");
    assert_eq!(server.stop().metrics["accesses"], 1);
}
