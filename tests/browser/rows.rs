//! Synthetic rows of an experiment: every system with both tunings, and some problematic rows.

use std::collections::BTreeMap;
use std::path::Path;

use echometer::results::{CsvSink, Machine, Program, Row, Run, RunFile, ThreadRow, Trials};
use echometer::systems::SYSTEMS;

const COUNTS: [usize; 7] = [1, 2, 4, 8, 12, 16, 24];
const TUNINGS: [&str; 2] = ["default", "throughput"];

/// A host name with markup, which must be shown as text.
pub const HOST: &str = "<script>document.title='owned'</script>&\"'";

/// Peak throughput of a system in messages per second.
fn peak(system: usize, tuned: bool) -> f64 {
    let untuned = 120_000.0 - 22_000.0 * system as f64;
    if tuned { untuned * 1.3 } else { untuned }
}

/// The integer part of a number that fits into u64.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "synthetic values are small and positive"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

/// A row with a value in every column that the report uses.
fn row(system: usize, tuned: bool, clients: usize, trial: u32) -> Row {
    let (n, peak_per_s) = (clients as f64, peak(system, tuned));
    let spread = 1.0 + 0.01 * (f64::from(trial) - 2.0);
    let throughput = peak_per_s * spread * n / (n + 3.0 + 0.01 * n * n);
    let rtt = 1e6 * n / throughput;
    Row {
        run_id: "run".to_owned(),
        trial,
        valid: true,
        system: SYSTEMS[system].name().to_owned(),
        driver: "lean".to_owned(),
        clients,
        tuning: Some(TUNINGS[usize::from(tuned)].to_owned()),
        payload_bytes: 64,
        window_s: 2.0,
        messages: whole(throughput * 2.0),
        gaps: Some(0),
        throughput_per_s: throughput,
        littles_law: Some(1.0),
        client_fairness: Some(0.999),
        rtt_mean_us: Some(rtt),
        rtt_min_us: Some(rtt * 0.5),
        rtt_p50_us: Some(rtt * 0.95),
        rtt_p90_us: Some(rtt * 1.3),
        rtt_p99_us: Some(rtt * 1.9),
        rtt_p999_us: Some(rtt * 4.0),
        rtt_max_us: Some(rtt * 9.0),
        server_accesses: Some(whole(throughput * 2.4)),
        server_cpu_us_per_msg: Some(1e6 / peak_per_s),
        server_user_us_per_msg: Some(0.3e6 / peak_per_s),
        server_system_us_per_msg: Some(0.7e6 / peak_per_s),
        client_cpu_us_per_msg: Some(6.0),
        server_switches_per_msg: Some(0.4),
        client_switches_per_msg: Some(0.1),
        server_busy: Some((n / 8.0).min(0.99)),
        client_busy: Some(0.5),
        bound: Some(if clients < 8 { "latency" } else { "server" }.to_owned()),
        server_threads: Some(5),
        server_rss_mib: Some(9.5),
        verified: true,
        started_at: format!("2026-01-01T00:{trial:02}:{clients:02}.{system}0{}Z", u8::from(tuned)),
        host: HOST.to_owned(),
        server_cpus: Some("0".to_owned()),
        client_cpus: "1".to_owned(),
        ..Row::default()
    }
}

/// An open-loop row at a share of the throughput of 24 clients.
fn paced(system: usize, share: f64, trial: u32) -> Row {
    let closed = row(system, false, 24, trial);
    let rate = (closed.throughput_per_s * share).round();
    let us = 100.0 / (1.0 - share);
    Row {
        rate_per_s: Some(rate),
        arrivals: Some("poisson".to_owned()),
        throughput_per_s: rate,
        due_mean_us: Some(us * 1.1),
        due_p50_us: Some(us),
        due_p90_us: Some(us * 2.0),
        due_p99_us: Some(us * 4.0),
        due_p999_us: Some(us * 9.0),
        due_max_us: Some(us * 20.0),
        started_at: format!("2026-01-01T01:{trial:02}:{:02}.{system}00Z", whole(share * 50.0)),
        ..closed
    }
}

/// The rows of a whole experiment.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for trial in 1..=3 {
        for clients in COUNTS {
            for system in 0..SYSTEMS.len() {
                rows.extend([false, true].map(|tuned| row(system, tuned, clients, trial)));
            }
        }
    }
    for trial in 1..=3 {
        for share in [0.5, 0.7, 0.9] {
            rows.extend((0..SYSTEMS.len()).map(|system| paced(system, share, trial)));
        }
    }
    // Problematic rows: one invalid, one client-bound, one disturbed.
    rows[3].valid = false;
    rows[3].invalid_reason = Some(format!("clients lost the connection to the server: {HOST}"));
    rows[8].bound = Some("client".to_owned());
    rows[9].notes = Some("other processes used the server CPUs".to_owned());
    rows
}

/// Thread rows with two roles for each row.
fn threads(row: &Row) -> [ThreadRow; 2] {
    let thread_row = |role: &str, share: f64, threads| ThreadRow {
        run_id: row.run_id.clone(),
        started_at: row.started_at.clone(),
        trial: row.trial,
        valid: row.valid,
        system: row.system.clone(),
        clients: row.clients,
        messages: row.messages as f64,
        role: role.to_owned(),
        threads,
        cpu_us_per_msg: row.server_cpu_us_per_msg.map(|cpu| cpu * share),
        user_us_per_msg: row.server_user_us_per_msg.map(|cpu| cpu * share),
        system_us_per_msg: row.server_system_us_per_msg.map(|cpu| cpu * share),
        voluntary_switches_per_msg: Some(0.3 * share),
        involuntary_switches_per_msg: Some(0.1 * share),
        label: row.label.clone(),
    };
    [thread_row("io", 0.6, 1), thread_row("handler", 0.4, 4)]
}

fn run() -> Run {
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let trials = |system: &str| Trials {
        system: system.to_owned(),
        label: system.to_owned(),
        command: format!("echometer bench {system} --spawn --clients 24 --driver lean --csv rows"),
        options: map(&[("clients", "24"), ("driver", "lean"), ("name", HOST)]),
    };
    Run {
        run_id: "run".to_owned(),
        started_at: "2026-01-01T00:00:00Z".to_owned(),
        command: "DRIVER=lean TUNING='default throughput' TRIALS=3 ./scripts/throughput.sh"
            .to_owned(),
        program: Program {
            version: "0.1.0".to_owned(),
            commit: "0123456789abcdef0123456789abcdef01234567-modified".to_owned(),
            compilers: vec!["a compiler 1.2.3 (of a day)".to_owned()],
            libraries: map(&[("a library", "4.3.4"), ("another", "1.62.0")]),
        },
        machine: Machine {
            host: HOST.to_owned(),
            kernel: "Linux 6.1.0 #1 SMP PREEMPT_DYNAMIC 2026-01-01".to_owned(),
            cpu_model: "A CPU (R) with a long name @ 2.60GHz".to_owned(),
            cpus: "0-1".to_owned(),
            cpu_quota: Some(2.0),
            memory_mib: Some(8192),
            smt_siblings: Some(vec!["0-1".to_owned()]),
            ..Machine::default()
        },
        trials: SYSTEMS.iter().map(|system| trials(system.name())).collect(),
    }
}

fn write(directory: &Path, rows: &[Row]) {
    CsvSink::open(&directory.join("results.csv")).unwrap().append(rows).unwrap();
    RunFile::in_directory(directory).add(run()).unwrap();
}

/// An experiment with rows of every kind and thread rows.
pub fn full_experiment(directory: &Path) {
    let rows = rows();
    write(directory, &rows);
    let threads: Vec<_> = rows.iter().flat_map(threads).collect();
    CsvSink::open(&directory.join("threads.csv")).unwrap().append(&threads).unwrap();
}

/// The smallest set of rows that can be reported.
pub fn one_row(directory: &Path) {
    write(directory, &[row(0, false, 1, 1)]);
}

/// Service times from none to 1 ms, spinning or sleeping. With sleeping handlers, systems with
/// more workers overtake the others.
pub fn service_times(directory: &Path) {
    let mut all = Vec::new();
    for (kind, us) in
        [("none", 0.0), ("spin", 1.0), ("spin", 1000.0), ("sleep", 1.0), ("sleep", 1000.0)]
    {
        for (system, trial) in (0..SYSTEMS.len()).flat_map(|s| [1, 2, 3].map(|trial| (s, trial))) {
            let closed = row(system, false, 24, trial);
            let concurrency = if kind == "sleep" { 1.0 + 4.0 * system as f64 } else { 1.0 };
            let throughput = 1e6 / (1e6 / closed.throughput_per_s + us / concurrency);
            let work = if kind == "none" { kind.to_owned() } else { format!("{kind}:{us}us") };
            let started_at = format!("2026-01-01T02:{trial:02}:{:02}.{system}Z", all.len() % 60);
            let work = Some(work);
            all.push(Row { throughput_per_s: throughput, work, started_at, ..closed });
        }
    }
    write(directory, &all);
}

/// Only open-loop rows.
pub fn open_loop_only(directory: &Path) {
    let all = rows().into_iter().filter(|row| row.rate_per_s.is_some());
    write(directory, &all.collect::<Vec<_>>());
}

/// More systems than colors, up to 10,000 clients, with two trials each.
pub fn many_curves(directory: &Path) {
    let mut all = Vec::new();
    for number in 0..12 {
        for clients in [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000] {
            for trial in 1..=2 {
                let each =
                    [false, true].map(|tuned| row(number % SYSTEMS.len(), tuned, clients, trial));
                all.extend(each.map(|row| Row { system: format!("a-system-{number}"), ..row }));
            }
        }
    }
    write(directory, &all);
}
