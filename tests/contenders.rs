//! Several contenders in one `bench`: they take turns in slices, and each gets one row.

mod common;

use std::collections::BTreeMap;

use common::bench::rows;
use common::rows::report;
use common::scripted::alone;
use common::{Ran, Served, file_in_new_directory, run};
use echometer::results::{Row, SliceRow, read_slices, read_threads};
use echometer::systems::SYSTEMS;
use serde_json::Value;
use tempfile::TempDir;

/// What a bench of several contenders left.
struct Left {
    ran: Ran,
    directory: TempDir,
}

impl Left {
    fn rows(&self) -> Vec<Row> {
        rows(&self.directory.path().join("results.csv"))
    }

    fn row(&self, label: &str) -> Row {
        let rows = self.rows();
        let row = rows.iter().find(|row| row.label == label);
        row.unwrap_or_else(|| panic!("no row of '{label}': {:?}", self.ran)).clone()
    }

    fn slices(&self) -> Vec<SliceRow> {
        read_slices(&self.directory.path().join("slices.csv")).unwrap()
    }
}

/// Runs `bench CONTENDER... FLAG...` with four lean clients and short slices.
fn bench(contenders: &[&str], flags: &[&str]) -> Left {
    // Tests beside it would be other processes, and disturb its slices.
    let _alone = alone();
    let (directory, csv) = file_in_new_directory("results.csv");
    let short = ["--clients", "4", "--driver", "lean", "--duration", "200ms", "--warmup", "20ms"];
    let csv = ["--csv", csv.to_str().unwrap()];
    let flags = flags.iter().chain(short.iter().filter(|_| !flags.contains(&"--clients")));
    let ran = run(["bench"].iter().chain(contenders).chain(flags).chain(&csv));
    Left { ran, directory }
}

/// Another `echometer serve`, as a command that could be in any language.
fn exec(system: &str, label: &str) -> String {
    let program = env!("CARGO_BIN_EXE_echometer");
    format!("{system},label={label},exec={program} serve {system} --addr {{addr}}")
}

fn is_measured(row: &Row) -> bool {
    // A busy machine may disturb every slice; then the row says so.
    row.valid || row.invalid_reason.as_deref().is_some_and(|why| why.contains("disturbed"))
}

#[test]
fn every_contender_gets_one_row_that_its_kept_slices_add_up_to() {
    let systems: Vec<_> = SYSTEMS.iter().map(|system| system.name()).collect();
    for driver in ["lean", "native"] {
        let flags = ["--spawn", "--seed", "7", "--clients", "4", "--driver", driver];
        let time = ["--duration", "200ms", "--warmup", "20ms", "--slice", "20ms"];
        let left = bench(&systems, &[&flags[..], &time].concat());
        let rows = left.rows();
        let labels: Vec<_> = rows.iter().map(|row| row.label.as_str()).collect();
        assert_eq!(labels, systems, "{:?}", left.ran);
        let slices = left.slices();
        for row in &rows {
            assert!(is_measured(row), "{row:?}");
            let own = slices.iter().filter(|slice| slice.label == row.label);
            let (kept, out): (Vec<_>, Vec<_>) = own.partition(|slice| slice.kept);
            assert_eq!(row.slices, Some(kept.len() as u64));
            assert_eq!(row.slices_left_out, Some(out.len() as u64));
            assert_eq!(row.messages, kept.iter().map(|slice| slice.messages).sum::<u64>());
            let window_s = kept.iter().map(|slice| slice.window_us).sum::<f64>() / 1e6;
            assert!((row.window_s - window_s).abs() < 1e-5, "{row:?}");
            assert_eq!((row.slice_ms, row.seed), (Some(20.0), Some(7)));
            assert!(kept.len() <= 10 && out.len() <= 20, "{row:?}");
            assert!(slices.iter().all(|slice| slice.clients == 4 && slice.trial == row.trial));
            if row.valid {
                assert!(row.server_accesses > Some(row.messages), "lead-ins are not counted");
                assert!(row.server_cpu_us_per_msg > Some(0.0), "{row:?}");
            }
        }
    }
}

#[test]
fn threads_that_end_with_their_connections_are_measured_before() {
    let left = bench(&["tcp,label=a", "tcp,label=b"], &["--spawn"]);
    let threads = read_threads(&left.directory.path().join("threads.csv")).unwrap();
    for label in ["a", "b"] {
        let of_label = threads.iter().filter(|row| row.label == label);
        let connections: Vec<_> = of_label.filter(|row| row.role == "connection").collect();
        assert_eq!(connections.len(), 1, "{threads:?}");
        assert_eq!(connections[0].threads, 4, "{threads:?}");
        assert!(left.row(label).server_threads >= Some(5), "{:?}", left.row(label));
    }
}

#[test]
fn one_running_server_may_be_two_contenders() {
    let server = Served::start(SYSTEMS[0], &[]);
    let (name, pid) = (SYSTEMS[0].name(), server.process.pid());
    let [a, b] =
        ["a", "b"].map(|label| format!("{name},label={label},addr={},pid={pid}", server.address));
    let left = bench(&[&a, &b], &[]);
    for label in ["a", "b"] {
        let row = left.row(label);
        assert!(is_measured(&row), "{row:?}");
        assert!(!row.valid || row.server_cpu_us_per_msg > Some(0.0), "{row:?}");
        assert!(!row.notes.as_deref().unwrap_or_default().contains("not loaded"), "{row:?}");
    }
}

#[test]
fn a_command_is_not_started_where_something_listens_already() {
    let server = Served::start(SYSTEMS[0], &[]);
    let name = SYSTEMS[0].name();
    let contender = format!("{name},label=mine,addr={},exec=sleep 60", server.address);
    let failed = run(["bench", &contender, "--duration", "200ms"]);
    failed.assert_fails(1, &["something listens on", &server.address]);
}

#[test]
fn a_command_that_ends_while_it_is_measured_leaves_what_it_printed_in_its_row() {
    let serve =
        format!("{} serve tcp --addr {{addr}} --uptime 1s", env!("CARGO_BIN_EXE_echometer"));
    let mine = format!("tcp,label=mine,exec=sh -c '{serve}; echo out of memory >&2; exit 3'");
    let long = ["--spawn", "--clients", "4", "--duration", "2s", "--driver", "lean"];
    let left = bench(&["tcp", &mine], &[&long[..], &["--retries", "0"]].concat());
    let reason = left.row("mine").invalid_reason.unwrap_or_default();
    assert!(reason.contains("server") || reason.contains("disturbed"), "{reason}");
    if reason.contains("ended during") {
        assert!(reason.contains("out of memory"), "{reason}");
    }
    assert!(is_measured(&left.row("tcp")), "{:?}", left.row("tcp"));
}

#[test]
fn a_round_has_one_slice_of_each_contender_in_an_order_that_the_seed_determines() {
    let order = |seed: &str| {
        let left =
            bench(&["tcp,label=a", "tcp,label=b", "tcp,label=c"], &["--spawn", "--seed", seed]);
        let mut rounds: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for slice in left.slices() {
            rounds.entry(slice.round).or_default().push(slice.label);
        }
        let first = |labels: Vec<String>| -> Vec<String> {
            // Disturbed slices are measured again behind the first three.
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
    // Repeated slices draw from the same random numbers, so only the first round is sure.
    assert_eq!(rounds[0], order("3")[0]);
}

#[test]
fn keys_override_the_flags_of_all_and_labels_are_as_typed() {
    let contenders = ["router", "router,workers=3,label=three", "router,tuning=throughput"];
    let left = bench(&contenders, &["--spawn", "--workers", "5"]);
    let workers = |label| left.row(label).workers;
    assert_eq!((workers("router"), workers("three")), (Some(5), Some(3)));
    let tuned = left.row("router,tuning=throughput");
    assert_eq!((tuned.workers, tuned.tuning.as_deref()), (Some(5), Some("throughput")));
    assert_eq!(left.row("three").tuning.as_deref(), Some("default"));
}

#[test]
fn a_single_contender_is_sliced_only_when_asked_to() {
    let plain = bench(&["tcp"], &["--spawn"]);
    let row = plain.row("tcp");
    assert_eq!((row.slices, row.slice_ms, plain.slices().len()), (None, None, 0));
    assert!(row.server_cpus_stolen.is_some() && row.client_cpus_stolen.is_some(), "{row:?}");
    let sliced = bench(&["tcp"], &["--spawn", "--slice", "20ms"]);
    assert!(sliced.row("tcp").slices.is_some());
    assert!(!sliced.slices().is_empty());
}

#[test]
fn a_command_in_any_language_is_a_contender_with_its_cpu_time() {
    for system in SYSTEMS {
        let command = exec(system.name(), "foreign");
        let left = bench(&[system.name(), &command], &["--spawn"]);
        let row = left.row("foreign");
        assert!(is_measured(&row), "{}: {:?}", system.name(), left.ran);
        if !row.valid {
            continue;
        }
        assert!(row.messages > 0 && row.verified, "{row:?}");
        assert!(row.server_cpu_us_per_msg > Some(0.0) && row.server_threads > Some(1), "{row:?}");
        assert_eq!(row.server_cpus, left.row(system.name()).server_cpus);
        assert_eq!(row.server_accesses, None, "it is not asked what it counted");
    }
}

#[test]
fn children_of_a_command_are_measured_and_ended_with_it() {
    let serve = format!("{} serve tcp --addr {{addr}}", env!("CARGO_BIN_EXE_echometer"));
    // The shell waits for the server, which is its child.
    let shell = format!("tcp,label=shell,exec=sh -c '{serve} & wait'");
    let left = bench(&["tcp", &shell], &["--spawn"]);
    let row = left.row("shell");
    assert!(is_measured(&row), "{row:?}");
    assert!(!row.valid || row.server_cpu_us_per_msg > Some(0.5), "{row:?}");
    assert!(row.server_rss_mib > Some(2.0), "a shell alone is smaller: {row:?}");
    let remaining = procfs::process::all_processes().unwrap().flatten().filter(|process| {
        let words = process.cmdline().unwrap_or_default();
        words.iter().any(|word| word == "serve")
            && words.iter().any(|word| word == "tcp")
            && process.stat().is_ok_and(|stat| stat.ppid == 1)
    });
    assert_eq!(remaining.count(), 0);
}

#[test]
fn a_running_server_is_measured_by_its_process_id() {
    for system in SYSTEMS {
        let server = Served::start(*system, &[]);
        let (name, pid) = (system.name(), server.process.pid());
        let known = format!("{name},label=known,addr={},pid={pid}", server.address);
        let unknown = format!("{name},label=unknown,addr={}", server.address);
        let left = bench(&[&known, &unknown], &[]);
        let row = left.row("known");
        assert!(is_measured(&row), "{name}: {:?}", left.ran);
        assert!(row.server_rss_mib > Some(0.0), "{row:?}");
        assert!(!row.valid || row.server_cpu_us_per_msg > Some(0.0), "{row:?}");
        let row = left.row("unknown");
        assert_eq!((row.server_cpu_us_per_msg, row.server_rss_mib), (None, None));
        assert!(is_measured(&row), "{row:?}");
    }
}

#[test]
fn contenders_that_are_wrong_are_rejected_with_what_would_be_right() {
    for (contenders, flags, told) in [
        (&["rep,worker=4"][..], &["--spawn"][..], "did you mean 'workers'?"),
        (&["rep,workers=0"], &["--spawn"], "at least 1"),
        (&["rep,workers"], &["--spawn"], "KEY=VALUE"),
        (&["rep,workers=1,workers=2"], &["--spawn"], "given twice"),
        (&["rap"], &["--spawn"], "did you mean 'rep'?"),
        (&["rep", "rep"], &["--spawn"], "two contenders are called 'rep'"),
        (&["rep,label=a", "tcp,label=a"], &["--spawn"], "two contenders are called 'a'"),
        (&["rep,label="], &["--spawn"], "at least one character"),
        (&["rep"], &[], "--spawn"),
        (&["rep,pid=1"], &["--spawn"], "add addr=HOST:PORT"),
        (&["rep,addr=127.0.0.1:1,pid=x"], &[], "not a process id"),
        (&["rep,addr=127.0.0.1:1,workers=2"], &[], "only for servers that echometer itself starts"),
        (&["rep,addr=here"], &[], "HOST:PORT"),
        (&["rep,exec=./server"], &[], "{addr}"),
        (&["rep,exec=./server '{addr}"], &[], "quote"),
        (&["rep", "tcp"], &["--spawn", "--slice", "1m"], "longer than the duration"),
        (&["rep", "tcp"], &["--spawn", "--slice", "50ms"], "fewer than 5 slices"),
        (&["rep", "tcp"], &["--spawn", "--slice", "0"], "write auto"),
        (&["rep", "tcp"], &["--spawn", "--slice", "20ms", "--rate", "100"], "cannot be used with"),
        (&["rep", "tcp"], &["--spawn", "--hgrm", "latency.hgrm"], "single contender"),
    ] {
        let time = ["--duration", "200ms"];
        let refused = run(["bench"].iter().chain(contenders).chain(flags).chain(&time));
        refused.assert_fails(2, &[told]);
    }
}

#[test]
fn commands_that_do_not_serve_fail_with_what_they_printed() {
    let garbage = "sh -c 'echo cannot find my settings >&2; exit 3' {addr}";
    let silent = "sleep 60 {port}";
    let other = format!("{} serve tcp --addr {{addr}}", env!("CARGO_BIN_EXE_echometer"));
    for (command, told) in [
        (garbage, &["exit status 3", "it printed: cannot find my settings"][..]),
        ("./no/such/program {addr}", &["cannot start the command", "No such file"]),
        (silent, &["did not answer as rep", "within 300ms (--ready-timeout)"]),
        (&other, &["did not answer as rep", "--ready-timeout"]),
    ] {
        let contender = format!("rep,label=mine,exec={command}");
        let flags = ["tcp", "--spawn", "--ready-timeout", "300ms", "--duration", "200ms"];
        let failed = run(["bench", &contender].iter().chain(&flags));
        failed.assert_fails(1, &[&["contender 'mine'"][..], told].concat());
    }
}

#[test]
fn a_process_that_does_not_exist_is_named() {
    let server = Served::start(SYSTEMS[0], &[]);
    let contender = format!("{},addr={},pid=4194303", SYSTEMS[0].name(), server.address);
    let failed = run(["bench", &contender, "--duration", "200ms"]);
    failed.assert_fails(1, &["cannot measure the process 4194303", "does not exist"]);
}

#[test]
fn the_report_of_slices_claims_a_ratio_with_its_interval() {
    let program = env!("CARGO_BIN_EXE_echometer");
    let slow =
        format!("tcp,label=with-work,exec={program} serve tcp --work spin:300us --addr {{addr}}");
    let left = bench(&["tcp", &slow], &["--spawn"]);
    if left.rows().iter().any(|row| !row.valid || row.slices < Some(5)) {
        // The machine is too busy now; what is then said is tested elsewhere.
        return;
    }
    let text = report(left.directory.path(), &[]);
    assert_eq!(text.status, 0, "{text:?}");
    assert!(text.stdout.starts_with("tcp delivers "), "{text:?}");
    assert!(text.stdout.contains("times the throughput of with-work"), "{text:?}");
    assert!(text.stdout.contains("| row / column |"), "{text:?}");
    let json = report(left.directory.path(), &["--format", "json"]);
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    let ratio = &report["ratios"][0];
    let of = |name: &str| ratio[name].as_f64().unwrap();
    assert!(of("low") < of("ratio") && of("ratio") < of("high") && of("low") > 2.0, "{ratio}");
    assert_eq!((&ratio["verdict"], &ratio["clients"]), (&"higher".into(), &4.into()));
}
