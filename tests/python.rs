//! Interoperability with Python clients and servers of other libraries.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use common::bench::{bench, rows};
use common::{Guard, ServerProcess, file_in_new_directory, run, run_command};
use echometer::results::Row;
use echometer::systems::SYSTEMS;

const PROTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proto/message.proto");

/// Python with the packages of `tests/python/requirements.txt`.
fn python() -> Command {
    let path = std::env::var_os("ECHOMETER_PYTHON");
    Command::new(path.expect("scripts/test.sh sets ECHOMETER_PYTHON to a Python with the packages"))
}

#[test]
#[ignore = "needs packages from PyPI; scripts/test.sh installs them, and runs this too"]
fn every_server_answers_a_python_client() {
    for system in SYSTEMS {
        let server = ServerProcess::start(*system, &[]);
        let client = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/echo.py");
        let output =
            run_command(python().args([client, PROTO, system.name(), &server.address, "50"]));
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{}", system.name());
        let metrics = server.stop().metrics;
        assert_eq!((&metrics["accesses"], &metrics["clients"]), (&51.into(), &2.into()));
    }
}

/// Starts a Python server and returns its address.
fn serve(system: &str) -> (Guard, String) {
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/serve.py");
    let mut command = python();
    let mut child = command.args([server, PROTO, system]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("listening ").expect("a line 'listening ADDR'");
    (Guard(child), address.to_owned())
}

#[test]
#[ignore = "needs packages from PyPI; scripts/test.sh installs them, and runs this too"]
fn both_drivers_measure_python_servers() {
    for system in SYSTEMS {
        let (_server, address) = serve(system.name());
        for driver in ["native", "lean"] {
            let point = ["--addr", &address, "--driver", driver, "--clients", "4"];
            let rest = ["--duration", "300ms", "--warmup", "50ms", "--reply-payload", "1000"];
            let measured = bench(system.name(), &[&point[..], &rest].concat());
            assert_eq!(measured.output.status, 0, "{driver}: {measured:?}");
            let row = measured.row();
            assert!(row.valid && row.verified && row.messages > 0, "{driver}: {row:?}");
        }
    }
}

#[test]
#[ignore = "needs packages from PyPI; scripts/test.sh installs them, and runs this too"]
fn a_python_server_is_a_contender_with_its_cpu_time() {
    let python = std::env::var("ECHOMETER_PYTHON").unwrap();
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/serve.py");
    for system in ["grpc", "rep"] {
        let contender =
            format!("{system},label=python,exec={python} {server} {PROTO} {system} {{port}}");
        let (directory, csv) = file_in_new_directory("results.csv");
        let flags = ["--spawn", "--clients", "4", "--driver", "lean", "--duration", "500ms"];
        let csv = ["--csv", csv.to_str().unwrap()];
        let output = run(["bench", system, &contender].iter().chain(&flags).chain(&csv));
        let rows = rows(&directory.path().join("results.csv"));
        let row =
            rows.iter().find(|row| row.label == "python").unwrap_or_else(|| panic!("{output:?}"));
        let disturbed =
            |row: &Row| row.invalid_reason.as_deref().unwrap_or("").contains("disturbed");
        assert!(row.valid || disturbed(row), "{row:?}");
        assert!(row.server_cpu_us_per_msg > Some(1.0) || !row.valid, "{row:?}");
        assert!(row.server_threads > Some(1) && row.server_rss_mib > Some(5.0), "{row:?}");
        if rows.iter().all(|row| row.valid) {
            assert_conforms_to_schema(directory.path());
        }
    }
}

/// Asserts that the JSON report conforms to `docs/report.schema.json`.
fn assert_conforms_to_schema(results: &Path) {
    let report = run(["report", results.to_str().unwrap(), "--format", "json"]);
    assert_eq!(report.status, 0, "{report:?}");
    let file = results.join("report.json");
    fs::write(&file, report.stdout).unwrap();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/report.schema.json");
    let check = "import json, jsonschema, sys; \
                 jsonschema.validate(*(json.load(open(path)) for path in sys.argv[1:]))";
    let output = run_command(python().args(["-c", check, file.to_str().unwrap(), schema]));
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
}
