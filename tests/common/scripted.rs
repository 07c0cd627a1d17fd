//! Trials against the server in tests/programs/scripted.rs through the public API, and helpers
//! for tests that measure time.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use echometer::load::CancelToken;
use echometer::os::cpus::CpuChoice;
use echometer::os::network::Network;
use echometer::results::Row;
use echometer::spec::{LoadSpec, ServerSpec, Target, TrialSpec};
use echometer::systems::{SYSTEMS, System};
use echometer::trial::{self, Contender};
use procfs::{CurrentSI, KernelStats};

use super::{DEADLINE, Wire, server_spec, wire_of};

/// Attempts of a measurement that other processes on this machine can disturb.
pub const ATTEMPTS: usize = 10;

/// Path of the scripted server.
pub fn server_program() -> PathBuf {
    let directory = Path::new(env!("CARGO_BIN_EXE_echometer")).parent().unwrap();
    let program = directory.join("examples/scripted");
    assert!(
        program.exists(),
        "{} is missing: run 'cargo build --examples' before 'cargo test --test NAME'",
        program.display()
    );
    program
}

/// The system whose wire protocol the scripted server speaks.
pub fn framed_system() -> &'static dyn System {
    *SYSTEMS.iter().find(|system| wire_of(**system) == Wire::Framed).unwrap()
}

/// One trial against a server with this behavior, on its own CPU if there are two.
pub fn run_trial(behavior: &str, load: &LoadSpec) -> Row {
    let server =
        ServerSpec { name: behavior.to_owned(), workers: 16.try_into().unwrap(), ..server_spec() };
    let target = Target::Spawn { program: server_program(), server, cpus: CpuChoice::Auto };
    let contender = Contender { label: behavior.to_owned(), system: framed_system(), target };
    let spec = TrialSpec {
        load: load.clone(),
        slice: None,
        seed: 1,
        client_cpus: CpuChoice::Auto,
        network: Network::default(),
        run_id: behavior.to_owned(),
        trial: 1,
    };
    trial::run(&contender, &spec, &CancelToken::default(), None).unwrap().row
}

/// Serializes the tests of one file that need the whole machine.
pub fn machine_lock() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until all CPUs together are at least 90 % idle, at most [`DEADLINE`]. It does not use
/// the code under test.
pub fn wait_until_idle() {
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        let (idle, all) = idle_ticks();
        // The period over which idle time is measured, not a wait for an event.
        std::thread::sleep(Duration::from_millis(300));
        let (idle_then, all_then) = idle_ticks();
        if (idle_then - idle) * 10 >= (all_then - all) * 9 {
            return;
        }
    }
}

/// Idle and total ticks, summed over all CPUs.
fn idle_ticks() -> (u64, u64) {
    let cpu = KernelStats::current().unwrap().total;
    let idle = cpu.idle + cpu.iowait.unwrap_or(0);
    let more = [cpu.irq, cpu.softirq, cpu.steal].into_iter().flatten().sum::<u64>();
    (idle, idle + cpu.user + cpu.nice + cpu.system + more)
}

/// Measured and expected value of one attempt.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    pub measured: f64,
    pub expected: f64,
}

/// Asserts that one of [`ATTEMPTS`] attempts is within `share` of the expected value. Other
/// processes on this machine disturb single attempts; wrong arithmetic affects all of them.
pub fn assert_within(share: f64, what: &str, attempt: impl Fn() -> Attempt) {
    let mut all = Vec::new();
    for _ in 0..ATTEMPTS {
        wait_until_idle();
        let attempt = attempt();
        let off = attempt.measured / attempt.expected - 1.0;
        println!(
            "{what}: {:.2}, expected {:.2}, {:+.2} %",
            attempt.measured,
            attempt.expected,
            off * 100.0
        );
        if off.abs() <= share {
            return;
        }
        all.push(attempt);
    }
    panic!("{what}: no attempt is within {share}: {all:?}");
}
