//! `threads.csv` next to the rows: CPU time and switches of the server's threads by role.

mod common;

use std::path::Path;

use common::bench::rows;
use common::{Wire, file_in_new_directory, run, server_spec, wire_of};
use echometer::results::{Row, ThreadRow};
use echometer::systems::{SYSTEMS, System};

const CLIENTS: u64 = 8;
const WORKERS: u64 = 3;
const QUEUES: u64 = 2;

/// A window of one second, because on a busy machine the sampling thread may be delayed.
fn measure(system: &dyn System) -> (Row, Vec<ThreadRow>) {
    let (directory, csv) = file_in_new_directory("results.csv");
    let load = ["--spawn", "--duration", "1s", "--warmup", "50ms", "--clients", "8"];
    let server = ["--workers", "3", "--completion-queues", "2"];
    let to = ["--quiet", "--csv", csv.to_str().unwrap()];
    let bench = ["bench", system.name()].into_iter().chain(load).chain(server).chain(to);
    let output = run(bench);
    assert_eq!(output.status, 0, "{output:?}");
    (rows(&csv).remove(0), thread_rows(directory.path()))
}

fn thread_rows(directory: &Path) -> Vec<ThreadRow> {
    let mut reader = csv::Reader::from_path(directory.join("threads.csv")).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

/// The roles of a system's threads, and the number of threads per role.
fn expected(system: &dyn System) -> Vec<(&'static str, u64)> {
    let main = ("main", 1);
    match wire_of(system) {
        Wire::ZeroMq if system.server_options(&server_spec()).workers.is_some() => {
            vec![main, ("io", 1), ("proxy", 1), ("worker", WORKERS)]
        }
        Wire::ZeroMq => vec![main, ("io", 1), ("handler", 1)],
        Wire::Grpc | Wire::GrpcStream => vec![main, ("completion-queue", QUEUES)],
        Wire::Framed => vec![main, ("acceptor", 1), ("connection", CLIENTS)],
    }
}

#[test]
fn every_expected_role_has_a_row_that_identifies_its_trial() {
    for system in SYSTEMS {
        let (row, threads) = measure(*system);
        for (role, count) in expected(*system) {
            let of_role: Vec<_> = threads.iter().filter(|thread| thread.role == role).collect();
            assert_eq!(of_role.len(), 1, "{role}: {threads:?}");
            assert_eq!(of_role[0].threads, count, "{role}: {threads:?}");
        }
        let all: u64 = threads.iter().map(|thread| thread.threads).sum();
        assert_eq!(Some(all), row.server_threads, "{threads:?}");
        for thread in &threads {
            let of =
                |row: &Row| (row.run_id.clone(), row.started_at.clone(), row.trial, row.clients);
            let identity =
                (thread.run_id.clone(), thread.started_at.clone(), thread.trial, thread.clients);
            assert_eq!(identity, of(&row));
            assert_eq!((thread.valid, &thread.system), (row.valid, &row.system));
            assert!(thread.messages > 0.0 && thread.messages <= row.messages as f64, "{threads:?}");
        }
    }
}

/// Whether the CPU time of the roles adds up to that of the row within 10 %.
fn adds_up(row: &Row, threads: &[ThreadRow]) -> bool {
    let sum: f64 = threads.iter().filter_map(|thread| thread.cpu_us_per_msg).sum();
    let total = row.server_cpu_us_per_msg.unwrap();
    assert!(total > 0.0 && sum > 0.0, "{row:?}, {threads:?}");
    (sum / total - 1.0).abs() <= 0.1
}

#[test]
fn the_cpu_time_of_the_roles_adds_up_to_that_of_the_server() {
    for system in SYSTEMS {
        // The total is read before its parts, on a busy machine with some delay in between.
        let mut tries = std::iter::repeat_with(|| measure(*system)).take(3);
        assert!(tries.any(|(row, threads)| adds_up(&row, &threads)), "{}", system.name());
    }
}

#[test]
fn each_trial_has_its_own_thread_rows() {
    let (directory, csv) = file_in_new_directory("results.csv");
    let load = ["--spawn", "--duration", "100ms", "--warmup", "0", "--trials", "3", "--quiet"];
    let bench = ["bench", SYSTEMS[0].name(), "--csv", csv.to_str().unwrap()];
    assert_eq!(run(bench.iter().chain(&load)).status, 0);
    let (rows, threads) = (rows(&csv), thread_rows(directory.path()));
    for row in &rows {
        let of_trial: Vec<_> = threads.iter().filter(|t| t.started_at == row.started_at).collect();
        assert!(of_trial.len() >= expected(SYSTEMS[0]).len(), "{threads:?}");
        assert!(of_trial.iter().all(|thread| thread.trial == row.trial), "{threads:?}");
    }
}
