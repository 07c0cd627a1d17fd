//! Several contenders in one `bench`: they take turns in slices, and each writes one row.

mod common;

use std::collections::BTreeMap;

use common::bench::rows;
use common::rows::report;
use common::scripted::machine_lock;
use common::{CommandOutput, ServerProcess, file_in_new_directory, run};
use echometer::results::{Row, SliceRow, read_slices, read_threads};
use echometer::systems::SYSTEMS;
use serde_json::Value;
use tempfile::TempDir;

/// Output and files of a bench with several contenders.
struct Finished {
    output: CommandOutput,
    directory: TempDir,
}

impl Finished {
    fn rows(&self) -> Vec<Row> {
        rows(&self.directory.path().join("results.csv"))
    }

    fn row(&self, label: &str) -> Row {
        let rows = self.rows();
        let row = rows.iter().find(|row| row.label == label);
        row.unwrap_or_else(|| panic!("no row of '{label}': {:?}", self.output)).clone()
    }

    fn slices(&self) -> Vec<SliceRow> {
        read_slices(&self.directory.path().join("slices.csv")).unwrap()
    }
}

/// Runs `bench CONTENDER... FLAG...` with four lean clients and short slices.
fn bench(contenders: &[&str], flags: &[&str]) -> Finished {
    // Tests that run in parallel are other processes and would disturb slices.
    let _lock = machine_lock();
    let (directory, csv) = file_in_new_directory("results.csv");
    let short = ["--clients", "4", "--driver", "lean", "--duration", "200ms", "--warmup", "20ms"];
    let csv = ["--csv", csv.to_str().unwrap()];
    let flags = flags.iter().chain(short.iter().filter(|_| !flags.contains(&"--clients")));
    let output = run(["bench"].iter().chain(contenders).chain(flags).chain(&csv));
    Finished { output, directory }
}

/// A contender with an `exec` command, here another `echometer serve`.
fn exec(system: &str, label: &str) -> String {
    let program = env!("CARGO_BIN_EXE_echometer");
    format!("{system},label={label},exec={program} serve {system} --addr {{addr}}")
}

fn is_measured(row: &Row) -> bool {
    // On a busy machine every slice may be disturbed, which is then the reason.
    row.valid || row.invalid_reason.as_deref().is_some_and(|why| why.contains("disturbed"))
}

#[test]
fn the_kept_slices_of_each_contender_add_up_to_its_row() {
    let systems: Vec<_> = SYSTEMS.iter().map(|system| system.name()).collect();
    for driver in ["lean", "native"] {
        let flags = ["--spawn", "--seed", "7", "--clients", "4", "--driver", driver];
        let time = ["--duration", "200ms", "--warmup", "20ms", "--slice", "20ms"];
        let finished = bench(&systems, &[&flags[..], &time].concat());
        let rows = finished.rows();
        let labels: Vec<_> = rows.iter().map(|row| row.label.as_str()).collect();
        assert_eq!(labels, systems, "{:?}", finished.output);
        let slices = finished.slices();
        for row in &rows {
            assert!(is_measured(row), "{row:?}");
            let own = slices.iter().filter(|slice| slice.label == row.label);
            let (kept, left_out): (Vec<_>, Vec<_>) = own.partition(|slice| slice.kept);
            assert_eq!(row.slices, Some(kept.len() as u64));
            assert_eq!(row.slices_left_out, Some(left_out.len() as u64));
            assert_eq!(row.messages, kept.iter().map(|slice| slice.messages).sum::<u64>());
            let window_s = kept.iter().map(|slice| slice.window_us).sum::<f64>() / 1e6;
            assert!((row.window_s - window_s).abs() < 1e-5, "{row:?}");
            assert_eq!((row.slice_ms, row.seed), (Some(20.0), Some(7)));
            assert!(kept.len() <= 10 && left_out.len() <= 20, "{row:?}");
            assert!(slices.iter().all(|slice| slice.clients == 4 && slice.trial == row.trial));
            if row.valid {
                assert!(row.server_accesses > Some(row.messages), "lead-ins are not counted");
                assert!(row.server_cpu_us_per_msg > Some(0.0), "{row:?}");
            }
        }
    }
}

#[test]
fn threads_that_end_with_their_connections_are_measured() {
    let finished = bench(&["tcp,label=a", "tcp,label=b"], &["--spawn"]);
    let threads = read_threads(&finished.directory.path().join("threads.csv")).unwrap();
    for label in ["a", "b"] {
        let of_label = threads.iter().filter(|row| row.label == label);
        let connections: Vec<_> = of_label.filter(|row| row.role == "connection").collect();
        assert_eq!(connections.len(), 1, "{threads:?}");
        assert_eq!(connections[0].threads, 4, "{threads:?}");
        assert!(finished.row(label).server_threads >= Some(5), "{:?}", finished.row(label));
    }
}

#[test]
fn one_running_server_can_be_two_contenders() {
    let server = ServerProcess::start(SYSTEMS[0], &[]);
    let (name, pid) = (SYSTEMS[0].name(), server.process.pid());
    let [a, b] =
        ["a", "b"].map(|label| format!("{name},label={label},addr={},pid={pid}", server.address));
    let finished = bench(&[&a, &b], &[]);
    for label in ["a", "b"] {
        let row = finished.row(label);
        assert!(is_measured(&row), "{row:?}");
        assert!(!row.valid || row.server_cpu_us_per_msg > Some(0.0), "{row:?}");
        assert!(!row.notes.as_deref().unwrap_or_default().contains("not loaded"), "{row:?}");
    }
}

#[test]
fn a_command_is_not_started_if_its_address_is_in_use() {
    let server = ServerProcess::start(SYSTEMS[0], &[]);
    let name = SYSTEMS[0].name();
    let contender = format!("{name},label=mine,addr={},exec=sleep 60", server.address);
    let failed = run(["bench", &contender, "--duration", "200ms"]);
    failed.assert_fails(1, &["already listens on", &server.address]);
}

#[test]
fn the_output_of_a_command_that_exits_during_the_trial_is_in_its_row() {
    let serve =
        format!("{} serve tcp --addr {{addr}} --uptime 1s", env!("CARGO_BIN_EXE_echometer"));
    let mine = format!("tcp,label=mine,exec=sh -c '{serve}; echo out of memory >&2; exit 3'");
    let long = ["--spawn", "--clients", "4", "--duration", "2s", "--driver", "lean"];
    let finished = bench(&["tcp", &mine], &[&long[..], &["--retries", "0"]].concat());
    let reason = finished.row("mine").invalid_reason.unwrap_or_default();
    assert!(reason.contains("server") || reason.contains("disturbed"), "{reason}");
    if reason.contains("exited during") {
        assert!(reason.contains("out of memory"), "{reason}");
    }
    assert!(is_measured(&finished.row("tcp")), "{:?}", finished.row("tcp"));
}

#[test]
fn a_round_has_one_slice_per_contender_in_an_order_set_by_the_seed() {
    let order = |seed: &str| {
        let finished =
            bench(&["tcp,label=a", "tcp,label=b", "tcp,label=c"], &["--spawn", "--seed", seed]);
        let mut rounds: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for slice in finished.slices() {
            rounds.entry(slice.round).or_default().push(slice.label);
        }
        let first = |labels: Vec<String>| -> Vec<String> {
            // Disturbed slices are measured again after the first three.
            labels.into_iter().take(3).collect()
        };
        rounds.into_values().map(first).collect::<Vec<_>>()
    };
    let rounds = order("3");
    for round in &rounds {
        let mut labels = round.clone();
        labels.sort();
        assert_eq!(labels, ["a", "b", "c"]);
    }
    assert!(rounds.windows(2).any(|pair| pair[0] != pair[1]), "{rounds:?}");
    // Repeated slices use the same random numbers, so only the first round is deterministic.
    assert_eq!(rounds[0], order("3")[0]);
}

#[test]
fn contender_keys_override_flags_and_labels_default_to_the_argument() {
    let contenders = ["router", "router,workers=3,label=three", "router,tuning=throughput"];
    let finished = bench(&contenders, &["--spawn", "--workers", "5"]);
    let workers = |label| finished.row(label).workers;
    assert_eq!((workers("router"), workers("three")), (Some(5), Some(3)));
    let tuned = finished.row("router,tuning=throughput");
    assert_eq!((tuned.workers, tuned.tuning.as_deref()), (Some(5), Some("throughput")));
    assert_eq!(finished.row("three").tuning.as_deref(), Some("default"));
}

#[test]
fn a_single_contender_is_sliced_only_with_the_slice_flag() {
    let plain = bench(&["tcp"], &["--spawn"]);
    let row = plain.row("tcp");
    assert_eq!((row.slices, row.slice_ms, plain.slices().len()), (None, None, 0));
    assert!(row.server_cpus_stolen.is_some() && row.client_cpus_stolen.is_some(), "{row:?}");
    let sliced = bench(&["tcp"], &["--spawn", "--slice", "20ms"]);
    assert!(sliced.row("tcp").slices.is_some());
    assert!(!sliced.slices().is_empty());
}

#[test]
fn the_cpu_time_of_a_command_is_measured() {
    for system in SYSTEMS {
        let command = exec(system.name(), "foreign");
        let finished = bench(&[system.name(), &command], &["--spawn"]);
        let row = finished.row("foreign");
        assert!(is_measured(&row), "{}: {:?}", system.name(), finished.output);
        if !row.valid {
            continue;
        }
        assert!(row.messages > 0 && row.verified, "{row:?}");
        assert!(row.server_cpu_us_per_msg > Some(0.0) && row.server_threads > Some(1), "{row:?}");
        assert_eq!(row.server_cpus, finished.row(system.name()).server_cpus);
        assert_eq!(row.server_accesses, None, "the counters of a command are not read");
    }
}

#[test]
fn child_processes_of_a_command_are_measured_and_ended_with_it() {
    let serve = format!("{} serve tcp --addr {{addr}}", env!("CARGO_BIN_EXE_echometer"));
    // The shell waits for the server, which is its child.
    let shell = format!("tcp,label=shell,exec=sh -c '{serve} & wait'");
    let finished = bench(&["tcp", &shell], &["--spawn"]);
    let row = finished.row("shell");
    assert!(is_measured(&row), "{row:?}");
    assert!(!row.valid || row.server_cpu_us_per_msg > Some(0.5), "{row:?}");
    assert!(row.server_rss_mib > Some(2.0), "only the shell was measured: {row:?}");
    let remaining = procfs::process::all_processes().unwrap().flatten().filter(|process| {
        let arguments = process.cmdline().unwrap_or_default();
        arguments.iter().any(|argument| argument == "serve")
            && arguments.iter().any(|argument| argument == "tcp")
            && process.stat().is_ok_and(|stat| stat.ppid == 1)
    });
    assert_eq!(remaining.count(), 0);
}

#[test]
fn a_running_server_is_measured_if_its_process_id_is_given() {
    for system in SYSTEMS {
        let server = ServerProcess::start(*system, &[]);
        let (name, pid) = (system.name(), server.process.pid());
        let with_pid = format!("{name},label=known,addr={},pid={pid}", server.address);
        let without_pid = format!("{name},label=unknown,addr={}", server.address);
        let finished = bench(&[&with_pid, &without_pid], &[]);
        let row = finished.row("known");
        assert!(is_measured(&row), "{name}: {:?}", finished.output);
        assert!(row.server_rss_mib > Some(0.0), "{row:?}");
        assert!(!row.valid || row.server_cpu_us_per_msg > Some(0.0), "{row:?}");
        let row = finished.row("unknown");
        assert_eq!((row.server_cpu_us_per_msg, row.server_rss_mib), (None, None));
        assert!(is_measured(&row), "{row:?}");
    }
}

#[test]
fn invalid_contenders_are_rejected_with_a_hint() {
    for (contenders, flags, fragment) in [
        (&["rep,worker=4"][..], &["--spawn"][..], "did you mean 'workers'?"),
        (&["rep,workers=0"], &["--spawn"], "at least 1"),
        (&["rep,workers"], &["--spawn"], "KEY=VALUE"),
        (&["rep,workers=1,workers=2"], &["--spawn"], "given twice"),
        (&["rap"], &["--spawn"], "did you mean 'rep'?"),
        (&["rep", "rep"], &["--spawn"], "two contenders have the label 'rep'"),
        (&["rep,label=a", "tcp,label=a"], &["--spawn"], "two contenders have the label 'a'"),
        (&["rep,label="], &["--spawn"], "at least one character"),
        (&["rep"], &[], "--spawn"),
        (&["rep,pid=1"], &["--spawn"], "add addr=HOST:PORT"),
        (&["rep,addr=127.0.0.1:1,pid=x"], &[], "not a process ID"),
        (&["rep,addr=127.0.0.1:1,workers=2"], &[], "only for servers that echometer itself starts"),
        (&["rep,addr=here"], &[], "HOST:PORT"),
        (&["rep,exec=./server"], &[], "{addr}"),
        (&["rep,exec=./server '{addr}"], &[], "quote"),
        (&["rep", "tcp"], &["--spawn", "--slice", "1m"], "longer than the duration"),
        (&["rep", "tcp"], &["--spawn", "--slice", "50ms"], "fewer than 5 slices"),
        (&["rep", "tcp"], &["--spawn", "--slice", "0"], "use auto"),
        (&["rep", "tcp"], &["--spawn", "--slice", "20ms", "--rate", "100"], "cannot be used with"),
        (&["rep", "tcp"], &["--spawn", "--hgrm", "latency.hgrm"], "single contender"),
    ] {
        let time = ["--duration", "200ms"];
        let rejected = run(["bench"].iter().chain(contenders).chain(flags).chain(&time));
        rejected.assert_fails(2, &[fragment]);
    }
}

#[test]
fn commands_that_do_not_serve_fail_with_their_output() {
    let garbage = "sh -c 'echo cannot find my settings >&2; exit 3' {addr}";
    let silent = "sleep 60 {port}";
    let other = format!("{} serve tcp --addr {{addr}}", env!("CARGO_BIN_EXE_echometer"));
    for (command, fragments) in [
        (garbage, &["exit status 3", "it printed: cannot find my settings"][..]),
        ("./no/such/program {addr}", &["cannot start the command", "No such file"]),
        (silent, &["did not answer as rep", "within 300ms (--ready-timeout)"]),
        (&other, &["did not answer as rep", "--ready-timeout"]),
    ] {
        let contender = format!("rep,label=mine,exec={command}");
        let flags = ["tcp", "--spawn", "--ready-timeout", "300ms", "--duration", "200ms"];
        let failed = run(["bench", &contender].iter().chain(&flags));
        failed.assert_fails(1, &[&["contender 'mine'"][..], fragments].concat());
    }
}

#[test]
fn a_missing_process_is_in_the_error() {
    let server = ServerProcess::start(SYSTEMS[0], &[]);
    let contender = format!("{},addr={},pid=4194303", SYSTEMS[0].name(), server.address);
    let failed = run(["bench", &contender, "--duration", "200ms"]);
    failed.assert_fails(1, &["cannot measure the process 4194303", "does not exist"]);
}

#[test]
fn the_report_of_slices_contains_a_ratio_with_its_interval() {
    let program = env!("CARGO_BIN_EXE_echometer");
    // Both work, so that the servers are the bound and not the clients. The work of a command is
    // not known, so they are compared.
    let working = |label: &str, work: &str| {
        format!("tcp,label={label},exec={program} serve tcp --work {work} --addr {{addr}}")
    };
    let (fast, slow) = (working("fast", "spin:100us"), working("slow", "spin:600us"));
    let finished = bench(&[&fast, &slow], &["--spawn"]);
    if finished.rows().iter().any(|row| !row.valid || row.slices < Some(5)) {
        // The machine is too busy now; the report of disturbed rows has its own test.
        return;
    }
    let text = report(finished.directory.path(), &[]);
    assert_eq!(text.status, 0, "{text:?}");
    assert!(text.stdout.starts_with("fast delivers "), "{text:?}");
    assert!(text.stdout.contains("times the throughput of slow"), "{text:?}");
    assert!(text.stdout.contains("| row / column |"), "{text:?}");
    let json = report(finished.directory.path(), &["--format", "json"]);
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    let ratio = &report["ratios"][0];
    let of = |name: &str| ratio[name].as_f64().unwrap();
    assert!(of("low") < of("ratio") && of("ratio") < of("high") && of("low") > 2.0, "{ratio}");
    assert_eq!((&ratio["verdict"], &ratio["clients"]), (&"higher".into(), &4.into()));
}
