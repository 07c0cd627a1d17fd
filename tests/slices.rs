//! Slices on a busy machine, and contenders that fail or are interrupted.

mod common;

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::bench::{connections_to, rows};
use common::scripted::machine_lock;
use common::{Guard, ServerProcess, echometer, eventually, file_in_new_directory, run};
use echometer::os::cpus::Cpus;
use echometer::results::{Row, read_slices};
use echometer::systems::SYSTEMS;
use nix::sys::signal::Signal;

/// A noisy neighbor that uses the first CPU for 50 ms of every 150 ms. It stops on drop.
struct Neighbor {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Neighbor {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let all = Cpus::of(0).unwrap();
            let first: Cpus = all.numbers()[0].to_string().parse().unwrap();
            first.bind_this_thread().unwrap();
            while !stopped.load(Ordering::Relaxed) {
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(50) {}
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Neighbor { stop, thread: Some(thread) }
    }
}

impl Drop for Neighbor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

#[test]
fn slices_disturbed_by_a_noisy_neighbor_are_excluded_and_repeated() {
    let _lock = machine_lock();
    let (directory, csv) = file_in_new_directory("results.csv");
    let neighbor = Neighbor::start();
    let flags = ["--spawn", "--clients", "8", "--driver", "lean", "--duration", "600ms"];
    let rest = ["--slice", "20ms", "--warmup", "50ms", "--csv", csv.to_str().unwrap()];
    let output = run(["bench", "rep", "router"].iter().chain(&flags).chain(&rest));
    drop(neighbor);
    let slices = read_slices(&directory.path().join("slices.csv")).unwrap();
    let left_out: Vec<_> = slices.iter().filter(|slice| !slice.kept).collect();
    assert!(left_out.iter().any(|slice| slice.others >= 0.1), "{output:?}");
    for slice in &slices {
        let is_disturbed = slice.stolen >= 0.02 || slice.others >= 0.02;
        assert_eq!(
            slice.kept, !is_disturbed,
            "kept does not match steal and other processes: {slice:?}"
        );
    }
    let repeated = left_out.iter().any(|slice| {
        let same = slices
            .iter()
            .filter(|other| (other.round, &other.label) == (slice.round, &slice.label));
        same.count() > 1
    });
    assert!(repeated, "no disturbed slice was measured again in its round");
    for row in rows(&csv) {
        let own = left_out.iter().filter(|slice| slice.label == row.label).count();
        assert_eq!(row.slices_left_out, Some(own as u64));
    }
}

/// The contender with the label `doomed` is killed during the trial.
#[test]
fn a_killed_server_invalidates_only_its_own_row() {
    let _lock = machine_lock();
    let system = SYSTEMS.last().unwrap();
    let doomed = ServerProcess::start(*system, &[]);
    let port = doomed.address.rsplit_once(':').unwrap().1.parse().unwrap();
    let (name, pid) = (system.name(), doomed.process.pid());
    let contender = format!("{name},label=doomed,addr={},pid={pid}", doomed.address);
    let (_directory, csv) = file_in_new_directory("results.csv");
    let mut command = echometer();
    command.args(["bench", name, &contender, "--spawn", "--clients", "3", "--driver", "lean"]);
    command.args(["--duration", "1s", "--warmup", "50ms", "--timeout", "500ms", "--retries", "0"]);
    command.arg("--csv").arg(&csv).stdout(Stdio::null()).stderr(Stdio::null());
    let mut bench = Guard(command.spawn().unwrap());
    eventually("its clients are connected", || (connections_to(port) == 3).then_some(()));
    doomed.process.signal(Signal::SIGKILL);
    assert_eq!(bench.wait().code(), Some(1));
    let rows = rows(&csv);
    let of = |label: &str| rows.iter().find(|row| row.label == label).unwrap();
    assert!(!of("doomed").valid, "{:?}", of("doomed"));
    let reason = of("doomed").invalid_reason.as_deref().unwrap();
    assert!(reason.contains("server"), "{reason}");
    assert!(of(name).slices > Some(0) || !of(name).valid, "{:?}", of(name));
    assert!(of(name).messages > 0 || is_disturbed(of(name)), "{:?}", of(name));
}

fn is_disturbed(row: &Row) -> bool {
    row.invalid_reason.as_deref().is_some_and(|reason| reason.contains("disturbed"))
}

#[test]
fn an_interrupted_bench_writes_the_rows_of_all_contenders() {
    let _lock = machine_lock();
    let (_directory, csv) = file_in_new_directory("results.csv");
    let mut command = echometer();
    command.args(["bench", "rep", "tcp", "--spawn", "--clients", "2", "--driver", "lean"]);
    command.args(["--duration", "10m", "--warmup", "20ms", "--csv"]).arg(&csv);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut bench = Guard(command.spawn().unwrap());
    // After 20 ticks of CPU time, the clients are measuring slices.
    eventually("slices are measured", || {
        let process = procfs::process::Process::new(bench.pid()).ok()?;
        let ticks = process.stat().ok()?.utime + process.stat().ok()?.stime;
        (ticks >= 20).then_some(())
    });
    bench.signal(Signal::SIGINT);
    assert_eq!(bench.wait().code(), Some(130));
    let rows = rows(&csv);
    let labels: Vec<_> = rows.iter().map(|row| row.label.as_str()).collect();
    assert_eq!(labels, ["rep", "tcp"]);
    for row in &rows {
        assert_eq!(row.invalid_reason.as_deref(), Some("interrupted"), "{row:?}");
        assert!(row.messages > 0 || row.slices_left_out > Some(0), "{row:?}");
    }
}
