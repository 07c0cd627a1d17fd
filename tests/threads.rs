//! `threads.csv` beside the rows: what the server's threads used, role by role.

mod common;

use std::path::Path;

use common::bench::rows;
use common::{Wire, file_in_new_directory, known, run, server_spec};
use echometer::results::{Row, ThreadRow};
use echometer::systems::{SYSTEMS, System};

const CLIENTS: u64 = 8;
const WORKERS: u64 = 3;
const QUEUES: u64 = 2;

/// A window of a second: where CPUs are scarce, who looks may be kept waiting in the middle.
fn measure(system: &dyn System) -> (Row, Vec<ThreadRow>) {
    let (directory, csv) = file_in_new_directory("results.csv");
    let load = ["--spawn", "--duration", "1s", "--warmup", "50ms", "--clients", "8"];
    let server = ["--workers", "3", "--completion-queues", "2"];
    let to = ["--quiet", "--csv", csv.to_str().unwrap()];
    let bench = ["bench", system.name()].into_iter().chain(load).chain(server).chain(to);
    let ran = run(bench);
    assert_eq!(ran.status, 0, "{ran:?}");
    (rows(&csv).remove(0), thread_rows(directory.path()))
}

fn thread_rows(directory: &Path) -> Vec<ThreadRow> {
    let mut reader = csv::Reader::from_path(directory.join("threads.csv")).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

/// The threads that a system is known to have, and how many of each role.
fn expected(system: &dyn System) -> Vec<(&'static str, u64)> {
    let main = ("main", 1);
    match known(system).1 {
        Wire::ZeroMq if system.server_options(&server_spec()).workers.is_some() => {
            vec![main, ("io", 1), ("proxy", 1), ("worker", WORKERS)]
        }
        Wire::ZeroMq => vec![main, ("io", 1), ("handler", 1)],
        Wire::Grpc | Wire::GrpcStream => vec![main, ("completion-queue", QUEUES)],
        Wire::Framed => vec![main, ("acceptor", 1), ("connection", CLIENTS)],
    }
}

#[test]
fn every_role_that_a_server_is_known_to_have_is_there_and_names_its_trial() {
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
            let named =
                (thread.run_id.clone(), thread.started_at.clone(), thread.trial, thread.clients);
            assert_eq!(named, of(&row));
            assert_eq!((thread.valid, &thread.system), (row.valid, &row.system));
            assert!(thread.messages > 0.0 && thread.messages <= row.messages as f64, "{threads:?}");
        }
    }
}

/// Whether the roles' CPU time adds up to that of the row, within 10 %.
fn adds_up(row: &Row, threads: &[ThreadRow]) -> bool {
    let sum: f64 = threads.iter().filter_map(|thread| thread.cpu_us_per_msg).sum();
    let whole = row.server_cpu_us_per_msg.unwrap();
    assert!(whole > 0.0 && sum > 0.0, "{row:?}, {threads:?}");
    (sum / whole - 1.0).abs() <= 0.1
}

#[test]
fn what_the_roles_used_adds_up_to_what_the_server_used() {
    for system in SYSTEMS {
        // The whole is read before its parts: where CPUs are scarce, some time before.
        let mut tries = std::iter::repeat_with(|| measure(*system)).take(3);
        assert!(tries.any(|(row, threads)| adds_up(&row, &threads)), "{}", system.name());
    }
}

#[test]
fn each_trial_has_its_threads() {
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
