//! Tuned servers: what is set, that nothing else changes, and that the rows say so.

mod common;

use std::ffi::OsStr;
use std::thread;

use common::bench::bench;
use common::{ANY_PORT, Served, Wire, echometer, known, run};
use echometer::systems::{SYSTEMS, System};
use procfs::process::Process;

/// `SCHED_BATCH`, see `sched(7)`.
const BATCH: u32 = 3;

const TUNED: [&str; 2] = ["--tuning", "throughput"];

#[test]
fn tuned_servers_are_measured_and_the_row_says_so() {
    for system in SYSTEMS {
        for driver in ["native", "lean"] {
            let point = ["--spawn", "--clients", "4", "--driver", driver, "--duration", "200ms"];
            let measured = bench(system.name(), &[&point[..], &TUNED].concat());
            assert_eq!(measured.ran.status, 0, "{measured:?}");
            let row = measured.row();
            assert!(row.valid && row.verified, "{row:?}");
            assert_eq!(row.tuning.as_deref(), Some("throughput"));
        }
    }
}

#[test]
fn all_threads_of_a_tuned_server_wake_without_haste_and_others_do_not() {
    for system in SYSTEMS {
        for (flags, expected) in [(&TUNED[..], true), (&[][..], false)] {
            let server = Served::start(*system, flags);
            let tasks = Process::new(server.process.pid()).unwrap().tasks().unwrap();
            let policies: Vec<_> =
                tasks.map(|task| task.unwrap().stat().unwrap().policy.unwrap()).collect();
            assert!(policies.iter().all(|policy| (*policy == BATCH) == expected), "{policies:?}");
            server.stop();
        }
    }
}

#[test]
fn the_heap_of_a_tuned_server_lies_in_huge_pages_unless_the_environment_says_how() {
    const TUNABLES: &str = "GLIBC_TUNABLES";
    let heap = |server: Served| {
        let environment = Process::new(server.process.pid()).unwrap().environ().unwrap();
        server.stop();
        environment.get(OsStr::new(TUNABLES)).cloned()
    };
    // The first of two settings: as it reads them, glibc ends each by a NUL in this very place.
    let huge = "glibc.malloc.hugetlb=1";
    let own = "glibc.malloc.arena_max=2";
    for system in SYSTEMS {
        assert_eq!(heap(Served::start(*system, &TUNED)), Some(huge.into()));
        assert_eq!(heap(Served::start(*system, &[])), None);
        let mut command = echometer();
        let server = Served::start_by(command.env(TUNABLES, own), *system, ANY_PORT, &TUNED);
        assert_eq!(heap(server), Some(own.into()));
    }
}

/// How the threads that share a tuned server's connections are called, where there are such, and how
/// many there are of them when two completion queues are asked for.
fn sharing(system: &dyn System) -> Option<(&'static str, usize)> {
    match known(system).1 {
        Wire::Grpc => Some(("grpc-cq", 2)),
        Wire::Framed => Some(("event-loop", thread::available_parallelism().unwrap().get())),
        Wire::ZeroMq | Wire::GrpcStream => None,
    }
}

#[test]
fn the_threads_of_a_tuned_server_share_its_connections() {
    for system in SYSTEMS {
        let Some((name, count)) = sharing(*system) else { continue };
        let two = ["--completion-queues", "2"];
        let server = Served::start(*system, &[&TUNED[..], &two].concat());
        let clients = (2 * count).to_string();
        let load = ["--addr", &server.address, "--clients", &clients, "--duration", "300ms"];
        let measured = bench(system.name(), &load);
        assert_eq!(measured.ran.status, 0, "{measured:?}");
        let tasks = Process::new(server.process.pid()).unwrap().tasks().unwrap();
        let tasks = tasks.map(Result::unwrap);
        let threads = tasks.filter(|task| task.stat().unwrap().comm.starts_with(name));
        let busy: Vec<_> = threads.map(|task| task.schedstat().unwrap().sum_exec_runtime).collect();
        // Two connections each, which ask as often as they can.
        let (least, most) = (busy.iter().min().unwrap(), busy.iter().max().unwrap());
        assert!(busy.len() == count && least * 4 > *most, "{busy:?}");
        server.stop();
    }
}

#[test]
fn what_is_over_the_limit_is_refused_whatever_the_tuning() {
    let message = "x".repeat(3000);
    for system in SYSTEMS {
        for flags in [&TUNED[..], &[]] {
            let server = Served::start(*system, &[&["--max-message", "2KiB"], flags].concat());
            let to = ["send", system.name(), "--addr", &server.address, "--retries", "0"];
            let ran = run(to.iter().chain(&["--timeout", "2s", &message]));
            assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{ran:?}");
            assert_eq!(server.stop().metrics["accesses"], 0);
        }
    }
}

#[test]
fn what_is_no_tuning_is_refused_with_what_would_be_one() {
    let ran = run(["serve", SYSTEMS[0].name(), "--tuning", "fast"]);
    ran.assert_fails(2, &["'fast' is no tuning", "default or throughput"]);
}
