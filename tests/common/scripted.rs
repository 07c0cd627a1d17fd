//! Whole trials against the server of tests/programs/scripted.rs, by the public API, and what
//! tests need that measure time.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use echometer::load::CancelToken;
use echometer::os::cpus::CpuChoice;
use echometer::results::Row;
use echometer::spec::{LoadSpec, ServerSpec, Target, TrialSpec};
use echometer::systems::{SYSTEMS, System};
use echometer::trial::{self, Contender};
use procfs::{CurrentSI, KernelStats};

use super::{DEADLINE, Wire, known, server_spec};

/// How often a test may measure that others on this machine can disturb.
pub const ATTEMPTS: usize = 3;

/// The program.
pub fn program() -> PathBuf {
    let directory = Path::new(env!("CARGO_BIN_EXE_echometer")).parent().unwrap();
    let program = directory.join("examples/scripted");
    assert!(program.exists(), "cargo test builds it; with --test, cargo build --examples does");
    program
}

/// Its wire.
pub fn system() -> &'static dyn System {
    *SYSTEMS.iter().find(|system| known(**system).1 == Wire::Framed).unwrap()
}

/// One trial against a server of this manner, on a CPU of its own where there are two.
pub fn trial_of(manner: &str, load: &LoadSpec) -> Row {
    let server =
        ServerSpec { name: manner.to_owned(), workers: 16.try_into().unwrap(), ..server_spec() };
    let target = Target::Spawn { program: program(), server, cpus: CpuChoice::Auto };
    let contender = Contender { label: manner.to_owned(), system: system(), target };
    let spec = TrialSpec {
        load: load.clone(),
        slice: None,
        seed: 1,
        client_cpus: CpuChoice::Auto,
        run_id: manner.to_owned(),
        trial: 1,
    };
    trial::run(&contender, &spec, &CancelToken::default(), None).unwrap().row
}

/// Of the tests of one file, one at a time: for those that want the machine for themselves.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a moment in which this machine has little else to do; where none comes, whoever
/// asked measures all the same. It does not ask the code that is tested.
pub fn until_quiet() {
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        let (idle, all) = idle_ticks();
        // Not for something to happen: this is the time over which is looked.
        std::thread::sleep(Duration::from_millis(300));
        let (idle_then, all_then) = idle_ticks();
        if (idle_then - idle) * 10 >= (all_then - all) * 9 {
            return;
        }
    }
}

/// Of all CPUs, the time in which they did nothing, and all time.
fn idle_ticks() -> (u64, u64) {
    let cpu = KernelStats::current().unwrap().total;
    let idle = cpu.idle + cpu.iowait.unwrap_or(0);
    let more = [cpu.irq, cpu.softirq, cpu.steal].into_iter().flatten().sum::<u64>();
    (idle, idle + cpu.user + cpu.nice + cpu.system + more)
}

/// What an attempt measured, and what it should have measured.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    pub measured: f64,
    pub due: f64,
}

/// Asserts that one of a few whole attempts is as near as `share` to what is due. What
/// others do on this machine disturbs one of them; wrong arithmetic disturbs all.
pub fn assert_within(share: f64, what: &str, attempt: impl Fn() -> Attempt) {
    let mut all = Vec::new();
    for _ in 0..ATTEMPTS {
        until_quiet();
        let attempt = attempt();
        let off = attempt.measured / attempt.due - 1.0;
        println!("{what}: {:.2}, due {:.2}, {:+.2} %", attempt.measured, attempt.due, off * 100.0);
        if off.abs() <= share {
            return;
        }
        all.push(attempt);
    }
    panic!("{what}: none is within {share}: {all:?}");
}
