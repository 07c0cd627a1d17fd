//! Tuned servers: the settings of their processes, unchanged behavior otherwise, and the rows.

mod common;

use std::ffi::OsStr;
use std::thread;

use common::bench::bench;
use common::{ANY_PORT, ServerProcess, Wire, echometer, run, wire_of};
use echometer::systems::{SYSTEMS, System};
use procfs::process::Process;

/// `SCHED_BATCH`, see `sched(7)`.
const BATCH: u32 = 3;

const TUNED: [&str; 2] = ["--tuning", "throughput"];

#[test]
fn tuned_servers_are_measured_and_the_row_records_the_tuning() {
    for system in SYSTEMS {
        for driver in ["native", "lean"] {
            let point = ["--spawn", "--clients", "4", "--driver", driver, "--duration", "200ms"];
            let measured = bench(system.name(), &[&point[..], &TUNED].concat());
            assert_eq!(measured.output.status, 0, "{measured:?}");
            let row = measured.row();
            assert!(row.valid && row.verified, "{row:?}");
            assert_eq!(row.tuning.as_deref(), Some("throughput"));
        }
    }
}

#[test]
fn only_tuned_servers_run_all_threads_with_sched_batch() {
    for system in SYSTEMS {
        for (flags, expected) in [(&TUNED[..], true), (&[][..], false)] {
            let server = ServerProcess::start(*system, flags);
            let tasks = Process::new(server.process.pid()).unwrap().tasks().unwrap();
            let policies: Vec<_> =
                tasks.map(|task| task.unwrap().stat().unwrap().policy.unwrap()).collect();
            assert!(policies.iter().all(|policy| (*policy == BATCH) == expected), "{policies:?}");
            server.stop();
        }
    }
}

#[test]
fn tuned_servers_use_huge_pages_unless_the_environment_sets_tunables() {
    const TUNABLES: &str = "GLIBC_TUNABLES";
    let tunables_of = |server: ServerProcess| {
        let environment = Process::new(server.process.pid()).unwrap().environ().unwrap();
        server.stop();
        environment.get(OsStr::new(TUNABLES)).cloned()
    };
    // Only the first of two settings is visible here, because glibc replaces the separator with NUL
    // in place while parsing.
    let huge = "glibc.malloc.hugetlb=1";
    let own = "glibc.malloc.arena_max=2";
    for system in SYSTEMS {
        assert_eq!(tunables_of(ServerProcess::start(*system, &TUNED)), Some(huge.into()));
        assert_eq!(tunables_of(ServerProcess::start(*system, &[])), None);
        let mut command = echometer();
        let server = ServerProcess::start_by(command.env(TUNABLES, own), *system, ANY_PORT, &TUNED);
        assert_eq!(tunables_of(server), Some(own.into()));
    }
}

/// Name and number of the threads that share the connections of a tuned server with two completion
/// queues, if the system has such threads.
fn shared_threads(system: &dyn System) -> Option<(&'static str, usize)> {
    match wire_of(system) {
        Wire::Grpc => Some(("grpc-cq", 2)),
        Wire::Framed => Some(("event-loop", thread::available_parallelism().unwrap().get())),
        Wire::ZeroMq | Wire::GrpcStream => None,
    }
}

#[test]
fn the_threads_of_a_tuned_server_share_its_connections() {
    for system in SYSTEMS {
        let Some((name, count)) = shared_threads(*system) else { continue };
        let two = ["--completion-queues", "2"];
        let server = ServerProcess::start(*system, &[&TUNED[..], &two].concat());
        let clients = (2 * count).to_string();
        let load = ["--addr", &server.address, "--clients", &clients, "--duration", "300ms"];
        let measured = bench(system.name(), &load);
        assert_eq!(measured.output.status, 0, "{measured:?}");
        let tasks = Process::new(server.process.pid()).unwrap().tasks().unwrap();
        let tasks = tasks.map(Result::unwrap);
        let threads = tasks.filter(|task| task.stat().unwrap().comm.starts_with(name));
        let busy: Vec<_> = threads.map(|task| task.schedstat().unwrap().sum_exec_runtime).collect();
        // Each thread has two connections of closed-loop clients.
        let (min, max) = (busy.iter().min().unwrap(), busy.iter().max().unwrap());
        assert!(busy.len() == count && min * 4 > *max, "{busy:?}");
        server.stop();
    }
}

#[test]
fn an_oversized_message_is_rejected_with_any_tuning() {
    let message = "x".repeat(3000);
    for system in SYSTEMS {
        for flags in [&TUNED[..], &[]] {
            let server =
                ServerProcess::start(*system, &[&["--max-message", "2KiB"], flags].concat());
            let to = ["send", system.name(), "--addr", &server.address, "--retries", "0"];
            let output = run(to.iter().chain(&["--timeout", "2s", &message]));
            assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{output:?}");
            assert_eq!(server.stop().metrics["accesses"], 0);
        }
    }
}

#[test]
fn an_invalid_tuning_is_rejected_with_the_valid_ones() {
    let output = run(["serve", SYSTEMS[0].name(), "--tuning", "fast"]);
    output.assert_fails(2, &["unknown tuning 'fast'", "default or throughput"]);
}
