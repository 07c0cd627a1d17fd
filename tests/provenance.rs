//! `run.json` next to the rows: program, machine, options and commands, so that a run can be
//! reproduced.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::bench::rows;
use common::rows::report;
use common::{CommandOutput, ServerProcess, Wire, echometer, run, run_command, wire_of};
use echometer::os::cpus::Cpus;
use echometer::systems::{SYSTEMS, System};
use serde_json::Value;

const SHORT: [&str; 4] = ["--duration", "100ms", "--warmup", "20ms"];

/// Flags of `bench` that are not recorded as options of a trial.
const NOT_TRIAL_OPTIONS: [&str; 13] = [
    "seed",
    "ready-timeout",
    "spawn",
    "trials",
    "until",
    "csv",
    "results",
    "hgrm",
    "run-id",
    "run-command",
    "trial",
    "quiet",
    "help",
];

/// Options of the server, which are unknown for an external server.
const SERVER_OPTIONS: [&str; 9] = [
    "network",
    "server-cpus",
    "name",
    "workers",
    "tuning",
    "work",
    "backend",
    "completion-queues",
    "max-message",
];

/// The command line of a short bench that writes its rows to the directory.
fn command_line(system: &dyn System, directory: &Path, extra: &[&str]) -> Vec<String> {
    let csv = directory.join("results.csv");
    let arguments = ["bench", system.name()].into_iter().chain(SHORT).chain(extra.iter().copied());
    arguments.chain(["--csv", csv.to_str().unwrap()]).map(str::to_owned).collect()
}

/// Runs a short bench with a spawned server.
fn bench_into(directory: &Path, system: &dyn System, extra: &[&str]) {
    let output = run(command_line(system, directory, &[&["--spawn"], extra].concat()));
    assert_eq!(output.status, 0, "{output:?}");
}

/// The content of run.json.
fn run_json(directory: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(directory.join("run.json")).unwrap()).unwrap()
}

/// The options of the first entry in `trials` of the first run.
fn options(directory: &Path) -> BTreeMap<String, String> {
    serde_json::from_value(run_json(directory)["runs"][0]["trials"][0]["options"].clone()).unwrap()
}

fn name_set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// All flags of `bench` in its help.
fn flags() -> BTreeSet<String> {
    let help = run(["bench", "--help"]).stdout;
    let lines = help.lines().map(str::trim).filter(|line| line.starts_with('-'));
    let flag = |line: &str| line.split_once("--")?.1.split_whitespace().next().map(str::to_owned);
    lines.filter_map(flag).collect()
}

#[test]
fn every_trial_option_is_recorded_with_its_effective_value() {
    let directory = tempfile::tempdir().unwrap();
    bench_into(directory.path(), SYSTEMS[0], &[]);
    let options = options(directory.path());
    let expected = &flags() - &name_set(&NOT_TRIAL_OPTIONS);
    let names: BTreeSet<_> = options.keys().cloned().collect();
    assert_eq!(names, &expected - &name_set(&["addr"]));
    for (name, value) in [
        ("clients", "1"),
        ("channels", "per-client"),
        ("duration", "100ms"),
        ("warmup", "20ms"),
        ("think", "0s"),
        ("payload", "64"),
        ("reply-payload", "0"),
        ("timeout", "5s"),
        ("retries", "3"),
        ("server-cpus", "auto"),
        ("client-cpus", "auto"),
        ("network", "loopback"),
        ("workers", "16"),
        ("backend", "inproc"),
        ("completion-queues", "auto"),
        ("max-message", "1048576"),
        ("work", "none"),
        ("name", &rows(&directory.path().join("results.csv"))[0].host),
    ] {
        assert_eq!(options[name], value, "{name}");
    }
}

#[test]
fn given_options_replace_the_defaults() {
    let given = [
        ("clients", "2"),
        ("channels", "shared"),
        ("think", "1ms"),
        ("payload", "100"),
        ("reply-payload", "200"),
        ("timeout", "7s"),
        ("retries", "1"),
        ("server-cpus", "all"),
        ("client-cpus", "all"),
        ("workers", "3"),
        ("backend", "ipc"),
        ("completion-queues", "2"),
        ("max-message", "2048"),
        ("work", "spin:10us"),
        ("name", "me"),
    ];
    let flags: Vec<_> = given.iter().map(|(name, value)| format!("--{name}={value}")).collect();
    let directory = tempfile::tempdir().unwrap();
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    bench_into(directory.path(), SYSTEMS[0], &flags);
    let options = options(directory.path());
    for (name, value) in given {
        assert_eq!(options[name], value, "{name}");
    }
}

#[test]
fn an_external_server_is_recorded_with_its_address_and_no_server_options() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(SYSTEMS[0], &[]);
    let output = run(command_line(SYSTEMS[0], directory.path(), &["--addr", &server.address]));
    assert_eq!(output.status, 0, "{output:?}");
    let options = options(directory.path());
    assert_eq!(options["addr"], server.address);
    let names: BTreeSet<_> = options.keys().cloned().collect();
    assert_eq!(names, &(&flags() - &name_set(&NOT_TRIAL_OPTIONS)) - &name_set(&SERVER_OPTIONS));
}

#[test]
fn program_machine_and_command_are_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let arguments =
        command_line(SYSTEMS[0], directory.path(), &["--spawn", "--name", "it's a name"]);
    assert_eq!(run(&arguments).status, 0);
    let recorded = &run_json(directory.path())["runs"][0];
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{recorded}")).to_owned();

    let command = shlex::split(&text(&recorded["trials"][0]["command"])).unwrap();
    assert_eq!(
        (command[0].as_str(), &command[1..]),
        (env!("CARGO_BIN_EXE_echometer"), &arguments[..])
    );
    assert_eq!(recorded["command"], recorded["trials"][0]["command"]);

    let program = &recorded["program"];
    assert_eq!(program["version"], env!("CARGO_PKG_VERSION"));
    let commit = text(&program["commit"]);
    let hash = commit.trim_end_matches("-modified");
    let is_hash = hash.len() >= 12 && hash.chars().all(|c| c.is_ascii_hexdigit());
    assert!(is_hash || commit == "unknown", "{commit}");
    assert!(text(&program["compilers"][0]).starts_with("rustc 1."), "{program}");
    assert!(text(&program["compilers"][1]).contains('.'), "{program}");
    for system in SYSTEMS {
        let library = &program["libraries"][system.name()];
        match wire_of(*system) {
            Wire::ZeroMq => assert!(text(library).starts_with("libzmq 4."), "{program}"),
            Wire::Grpc | Wire::GrpcStream => {
                assert!(text(library).contains("C-core "), "{program}");
            }
            Wire::Framed => assert!(library.is_null(), "{program}"),
        }
    }

    let machine = &recorded["machine"];
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert!(text(&machine["kernel"]).contains(release.trim()), "{machine}");
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap();
    assert!(cpu.contains(&text(&machine["cpu_model"])) || machine["cpu_model"] == "unknown");
    assert_eq!(text(&machine["cpus"]), Cpus::of(0).unwrap().to_string());
    assert!(machine["memory_mib"].as_u64() > Some(0), "{machine}");
    let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let source = fs::read_to_string(source).ok().map(|text| text.trim().to_owned());
    assert_eq!(machine["clock_source"].as_str(), source.as_deref(), "{machine}");
    let topology = Path::new("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list").exists();
    assert_eq!(machine["smt_siblings"].is_array(), topology, "{machine}");
    for property in ["irq_time_accounting", "frequency_governor", "hypervisor"] {
        assert!(machine.get(property).is_some(), "null if unknown, {property}: {machine}");
    }
}

#[test]
fn benches_with_one_run_id_form_one_run_with_distinct_option_sets() {
    let directory = tempfile::tempdir().unwrap();
    for (system, run_id, clients, trials) in [
        (0, "a", "1", "1"),
        (0, "a", "2", "2"),
        (0, "a", "1", "1"),
        (1, "a", "1", "1"),
        (0, "b", "1", "1"),
    ] {
        let flags = ["--run-id", run_id, "--clients", clients, "--trials", trials];
        bench_into(directory.path(), SYSTEMS[system], &flags);
    }
    let runs = run_json(directory.path());
    let sets = |run: &Value| -> Vec<(String, String)> {
        let of = |trials: &Value| {
            [&trials["system"], &trials["options"]["clients"]]
                .map(|v| v.as_str().unwrap().to_owned())
        };
        run["trials"].as_array().unwrap().iter().map(|trials| of(trials).into()).collect()
    };
    let pair =
        |system: usize, clients: &str| (SYSTEMS[system].name().to_owned(), clients.to_owned());
    let found: Vec<_> =
        runs["runs"].as_array().unwrap().iter().map(|r| (&r["run_id"], sets(r))).collect();
    assert_eq!(
        found,
        [
            (&Value::from("a"), vec![pair(0, "1"), pair(0, "2"), pair(1, "1")]),
            (&Value::from("b"), vec![pair(0, "1")]),
        ]
    );
    assert_eq!(rows(&directory.path().join("results.csv")).len(), 6);
}

/// The commands that `report` prints to repeat the measurement.
fn repeat_commands(directory: &Path) -> Vec<String> {
    let output = report(directory, &[]);
    assert_eq!(output.status, 0, "{output:?}");
    let lines = output.stderr.lines().filter_map(|l| l.strip_prefix("to repeat the run: "));
    lines.map(str::to_owned).collect()
}

#[test]
fn report_prints_the_command_of_the_whole_run() {
    let directory = tempfile::tempdir().unwrap();
    let script = "COUNTS=\"1 2\" TRIALS=3 ./a\\ script.sh | cat";
    bench_into(directory.path(), SYSTEMS[0], &["--run-command", script]);
    assert_eq!(repeat_commands(directory.path()), [script]);
    assert_eq!(run_json(directory.path())["runs"][0]["command"], script);
}

#[test]
fn the_command_that_report_prints_repeats_the_measurement() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("it's here, $HOME");
    fs::create_dir(&directory).unwrap();
    bench_into(&directory, SYSTEMS[0], &["--name", "a \"server\"", "--clients", "3"]);
    let commands = repeat_commands(&directory);
    assert_eq!(commands.len(), 1);
    let output = run_command(Command::new("sh").args(["-c", &commands[0]]).stdin(Stdio::null()));
    assert_eq!(output.status, 0, "{output:?}");
    let rows = rows(&directory.join("results.csv"));
    let points: Vec<_> = rows.iter().map(|row| (&*row.system, row.clients)).collect();
    assert_eq!(points, [(SYSTEMS[0].name(), 3); 2]);
    assert_ne!(rows[0].run_id, rows[1].run_id);
    let runs = run_json(&directory);
    assert_eq!(runs["runs"][0]["trials"][0]["options"], runs["runs"][1]["trials"][0]["options"]);
    // Printed once although two runs have it.
    assert_eq!(repeat_commands(&directory), commands);
}

#[test]
fn an_invalid_run_json_is_rejected_before_the_measurement() {
    for text in ["", "{}", "[]", "null", r#"{"runs": [{}]}"#, r#"{"runs": ["#, "no JSON"] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("run.json");
        fs::write(&file, text).unwrap();
        let long = ["--spawn", "--quiet", "--trials", "9999"];
        let rejected = run(command_line(SYSTEMS[0], directory.path(), &long));
        rejected.assert_fails(1, &[file.to_str().unwrap(), "another directory"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
        assert_eq!(rows(&directory.path().join("results.csv")), []);
    }
}

/// Runs a short bench in a directory with this value of `--csv`.
fn bench_in(directory: &Path, csv: &str) -> CommandOutput {
    let bench = ["bench", SYSTEMS[0].name(), "--spawn", "--quiet", "--csv", csv];
    let output = run_command(echometer().current_dir(directory).args(bench).args(SHORT));
    assert_eq!(output.status, 0, "{output:?}");
    output
}

fn files(directory: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn rows_on_stdout_or_a_device_have_no_files_next_to_them() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(bench_in(directory.path(), "-").stdout.lines().count(), 2);
    bench_in(directory.path(), "/dev/null");
    assert!(files(directory.path()).is_empty());
    for name in ["threads.csv", "histograms.csv", "run.json"] {
        assert!(!Path::new("/dev").join(name).exists());
    }
    // A bare file name means the working directory.
    bench_in(directory.path(), "rows.csv");
    let written = ["rows.csv", "threads.csv", "histograms.csv", "run.json"];
    assert_eq!(files(directory.path()), name_set(&written));
}
