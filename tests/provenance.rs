//! `run.json` beside the rows: with what, where and how they were measured, so that somebody
//! can do it again.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::bench::rows;
use common::rows::report;
use common::{Ran, Served, Wire, echometer, finish, known, run};
use echometer::os::cpus::Cpus;
use echometer::systems::{SYSTEMS, System};
use serde_json::Value;

const SHORT: [&str; 4] = ["--duration", "100ms", "--warmup", "20ms"];

/// Flags of `bench` that do not shape a trial: how many there are, and what becomes of them.
const SHAPELESS: [&str; 13] = [
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

/// The options of a server, of which nothing is known where it runs already.
const OF_THE_SERVER: [&str; 8] = [
    "server-cpus",
    "name",
    "workers",
    "tuning",
    "work",
    "backend",
    "completion-queues",
    "max-message",
];

/// The command line of a short bench whose rows go to the directory.
fn command_line(system: &dyn System, directory: &Path, extra: &[&str]) -> Vec<String> {
    let csv = directory.join("results.csv");
    let words = ["bench", system.name()].into_iter().chain(SHORT).chain(extra.iter().copied());
    words.chain(["--csv", csv.to_str().unwrap()]).map(str::to_owned).collect()
}

/// Runs it, with a server of its own.
fn bench_into(directory: &Path, system: &dyn System, extra: &[&str]) {
    let ran = run(command_line(system, directory, &[&["--spawn"], extra].concat()));
    assert_eq!(ran.status, 0, "{ran:?}");
}

/// What run.json says.
fn told(directory: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(directory.join("run.json")).unwrap()).unwrap()
}

/// The options of the first trials of the first run.
fn options(directory: &Path) -> BTreeMap<String, String> {
    serde_json::from_value(told(directory)["runs"][0]["trials"][0]["options"].clone()).unwrap()
}

fn named(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// All flags of `bench`, as its help lists them.
fn flags() -> BTreeSet<String> {
    let help = run(["bench", "--help"]).stdout;
    let lines = help.lines().map(str::trim).filter(|line| line.starts_with('-'));
    let flag = |line: &str| line.split_once("--")?.1.split_whitespace().next().map(str::to_owned);
    lines.filter_map(flag).collect()
}

#[test]
fn every_option_that_shapes_a_trial_is_there_with_its_value_in_force() {
    let directory = tempfile::tempdir().unwrap();
    bench_into(directory.path(), SYSTEMS[0], &[]);
    let options = options(directory.path());
    let expected = &flags() - &named(&SHAPELESS);
    let names: BTreeSet<_> = options.keys().cloned().collect();
    assert_eq!(names, &expected - &named(&["addr"]));
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
fn options_that_are_asked_for_take_the_place_of_the_defaults() {
    let asked = [
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
    let flags: Vec<_> = asked.iter().map(|(name, value)| format!("--{name}={value}")).collect();
    let directory = tempfile::tempdir().unwrap();
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    bench_into(directory.path(), SYSTEMS[0], &flags);
    let options = options(directory.path());
    for (name, value) in asked {
        assert_eq!(options[name], value, "{name}");
    }
}

#[test]
fn of_a_server_elsewhere_its_address_is_told_and_no_option() {
    let directory = tempfile::tempdir().unwrap();
    let server = Served::start(SYSTEMS[0], &[]);
    let ran = run(command_line(SYSTEMS[0], directory.path(), &["--addr", &server.address]));
    assert_eq!(ran.status, 0, "{ran:?}");
    let options = options(directory.path());
    assert_eq!(options["addr"], server.address);
    let names: BTreeSet<_> = options.keys().cloned().collect();
    assert_eq!(names, &(&flags() - &named(&SHAPELESS)) - &named(&OF_THE_SERVER));
}

#[test]
fn program_machine_and_command_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let words = command_line(SYSTEMS[0], directory.path(), &["--spawn", "--name", "it's a name"]);
    assert_eq!(run(&words).status, 0);
    let told = &told(directory.path())["runs"][0];
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{told}")).to_owned();

    let command = shlex::split(&text(&told["trials"][0]["command"])).unwrap();
    assert_eq!((command[0].as_str(), &command[1..]), (env!("CARGO_BIN_EXE_echometer"), &words[..]));
    assert_eq!(told["command"], told["trials"][0]["command"]);

    let program = &told["program"];
    assert_eq!(program["version"], env!("CARGO_PKG_VERSION"));
    let commit = text(&program["commit"]);
    let hash = commit.trim_end_matches("-modified");
    let is_hash = hash.len() >= 12 && hash.chars().all(|c| c.is_ascii_hexdigit());
    assert!(is_hash || commit == "unknown", "{commit}");
    assert!(text(&program["compilers"][0]).starts_with("rustc 1."), "{program}");
    assert!(text(&program["compilers"][1]).contains('.'), "{program}");
    for system in SYSTEMS {
        let library = &program["libraries"][system.name()];
        match known(*system).1 {
            Wire::ZeroMq => assert!(text(library).starts_with("libzmq 4."), "{program}"),
            Wire::Grpc | Wire::GrpcStream => {
                assert!(text(library).contains("C-core "), "{program}");
            }
            Wire::Framed => assert!(library.is_null(), "{program}"),
        }
    }

    let machine = &told["machine"];
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert!(text(&machine["kernel"]).contains(release.trim()), "{machine}");
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap();
    assert!(cpu.contains(&text(&machine["cpu_model"])) || machine["cpu_model"] == "unknown");
    assert_eq!(text(&machine["cpus"]), Cpus::of(0).unwrap().to_string());
    assert!(machine["memory_mib"].as_u64() > Some(0), "{machine}");
}

#[test]
fn benches_with_one_run_id_are_one_run_with_each_set_of_options_once() {
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
    let runs = told(directory.path());
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

/// The commands by which `report` would measure again.
fn again(directory: &Path) -> Vec<String> {
    let ran = report(directory, &[]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let lines = ran.stderr.lines().filter_map(|l| l.strip_prefix("to measure it again: "));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_command_of_the_whole_run_is_what_report_prints() {
    let directory = tempfile::tempdir().unwrap();
    let script = "COUNTS=\"1 2\" TRIALS=3 ./a\\ script.sh | cat";
    bench_into(directory.path(), SYSTEMS[0], &["--run-command", script]);
    assert_eq!(again(directory.path()), [script]);
    assert_eq!(told(directory.path())["runs"][0]["command"], script);
}

#[test]
fn the_command_that_report_prints_measures_it_again() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("it's here, $HOME");
    fs::create_dir(&directory).unwrap();
    bench_into(&directory, SYSTEMS[0], &["--name", "a \"server\"", "--clients", "3"]);
    let commands = again(&directory);
    assert_eq!(commands.len(), 1);
    let ran = finish(Command::new("sh").args(["-c", &commands[0]]).stdin(Stdio::null()));
    assert_eq!(ran.status, 0, "{ran:?}");
    let rows = rows(&directory.join("results.csv"));
    let points: Vec<_> = rows.iter().map(|row| (&*row.system, row.clients)).collect();
    assert_eq!(points, [(SYSTEMS[0].name(), 3); 2]);
    assert_ne!(rows[0].run_id, rows[1].run_id);
    let runs = told(&directory);
    assert_eq!(runs["runs"][0]["trials"][0]["options"], runs["runs"][1]["trials"][0]["options"]);
    // Once, though there are two runs of it.
    assert_eq!(again(&directory), commands);
}

#[test]
fn a_run_json_that_is_none_is_refused_before_anything_is_measured() {
    for text in ["", "{}", "[]", "null", r#"{"runs": [{}]}"#, r#"{"runs": ["#, "no JSON"] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("run.json");
        fs::write(&file, text).unwrap();
        let long = ["--spawn", "--quiet", "--trials", "9999"];
        let refused = run(command_line(SYSTEMS[0], directory.path(), &long));
        refused.assert_fails(1, &[file.to_str().unwrap(), "another directory"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
        assert_eq!(rows(&directory.path().join("results.csv")), []);
    }
}

/// Runs a short bench in a directory, with this in place of its file of rows.
fn bench_in(directory: &Path, csv: &str) -> Ran {
    let bench = ["bench", SYSTEMS[0].name(), "--spawn", "--quiet", "--csv", csv];
    let ran = finish(echometer().current_dir(directory).args(bench).args(SHORT));
    assert_eq!(ran.status, 0, "{ran:?}");
    ran
}

fn files(directory: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn rows_that_are_in_no_directory_have_nothing_beside_them() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(bench_in(directory.path(), "-").stdout.lines().count(), 2);
    bench_in(directory.path(), "/dev/null");
    assert!(files(directory.path()).is_empty());
    for name in ["threads.csv", "run.json"] {
        assert!(!Path::new("/dev").join(name).exists());
    }
    // And with a name alone it is the one where one is.
    bench_in(directory.path(), "rows.csv");
    assert_eq!(files(directory.path()), named(&["rows.csv", "threads.csv", "run.json"]));
}
