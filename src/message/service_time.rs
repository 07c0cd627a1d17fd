//! A handler that takes its time.

use std::hint::spin_loop;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use crate::os::precise_sleep::Sleeper;
use crate::spec::Work;

/// One handler's way to do its [`Work`].
#[derive(Debug)]
pub enum ServiceTime {
    /// Uses this much CPU time of the thread.
    Spin(Duration),
    /// Waits for so long.
    Sleep {
        /// On average.
        time: Duration,
        /// Learns how late this machine wakes a thread; `None` before the first time.
        sleeper: Option<Sleeper>,
    },
}

impl ServiceTime {
    /// What does `work`; `None` where there is none to do.
    pub fn of(work: Work) -> Option<Self> {
        match work {
            Work::None => None,
            Work::Spin(time) => Some(ServiceTime::Spin(time)),
            Work::Sleep(time) => Some(ServiceTime::Sleep { time, sleeper: None }),
        }
    }

    /// Does it once, on this thread.
    #[cold]
    pub fn work(&mut self) {
        match self {
            ServiceTime::Spin(time) => spin(*time),
            ServiceTime::Sleep { time, sleeper } => {
                let until = Instant::now() + *time;
                sleeper.get_or_insert_with(Sleeper::on_this_thread).sleep_until(until);
            }
        }
    }
}

/// Uses so much CPU time: time in which the thread was kept from its CPU does not count.
///
/// The thread's clock costs a system call, which may be a tenth of a short spin. So it is read
/// before and after, what that costs is part of the time, and in between the clock on the wall
/// is looked at; whoever was interrupted meanwhile spins for what is missing.
fn spin(time: Duration) {
    let read = cost_of_a_read();
    let begun = cpu_time();
    // The second half of the first reading, and the first half of the last.
    let due = time.saturating_sub(read);
    let mut left = due.saturating_sub(read);
    loop {
        let until = Instant::now() + left;
        while Instant::now() < until {
            spin_loop();
        }
        let spent = cpu_time().saturating_sub(begun);
        if spent >= due.saturating_sub(read / 4) {
            return;
        }
        left = due.saturating_sub(spent).saturating_sub(read);
    }
}

/// The CPU time that this thread has used.
fn cpu_time() -> Duration {
    // It fails for clocks that the kernel does not have, and this one it has: without it, a
    // spin ends by the clock on the wall.
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::MAX, Into::into)
}

/// What one reading of the thread's clock takes: the least of some, taken once.
fn cost_of_a_read() -> Duration {
    const BATCHES: usize = 16;
    const READS: u32 = 16;
    static COST: OnceLock<Duration> = OnceLock::new();
    *COST.get_or_init(|| {
        let batch = || {
            let begun = Instant::now();
            for _ in 0..READS {
                std::hint::black_box(cpu_time());
            }
            begun.elapsed() / READS
        };
        (0..BATCHES).map(|_| batch()).min().unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least of some means: others may disturb one of them, and never make it too short.
    fn mean(measured: impl Fn() -> Duration, mut work: impl FnMut()) -> Duration {
        const TIMES: u32 = 200;
        work();
        let attempt = |work: &mut dyn FnMut()| {
            let begun = measured();
            (0..TIMES).for_each(|_| work());
            measured().saturating_sub(begun) / TIMES
        };
        (0..5).map(|_| attempt(&mut work)).min().unwrap()
    }

    #[test]
    fn a_spin_uses_as_much_cpu_time_as_was_asked_for() {
        for us in [10, 100] {
            let time = Duration::from_micros(us);
            let mut working = ServiceTime::of(Work::Spin(time)).unwrap();
            let used = mean(cpu_time, || working.work());
            println!("spin of {time:?}: {used:?}, a reading {:?}", cost_of_a_read());
            assert!(used > time.mul_f64(0.9) && used < time.mul_f64(1.1), "{time:?}: {used:?}");
        }
    }

    #[test]
    fn a_sleep_uses_no_cpu_time_and_is_as_long_as_was_asked_for() {
        let time = Duration::from_millis(1);
        let mut working = ServiceTime::of(Work::Sleep(time)).unwrap();
        let used = mean(cpu_time, || working.work());
        assert!(used < time / 5, "{used:?}");
        let begun = Instant::now();
        let took = mean(|| begun.elapsed(), || working.work());
        assert!(took > time.mul_f64(0.95) && took < time.mul_f64(1.1), "{took:?}");
    }
}
