//! Simulated service time of a handler.

use std::hint::spin_loop;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use crate::os::precise_sleep::Sleeper;
use crate::spec::Work;

/// The service time of one server thread, as configured by [`Work`].
#[derive(Debug)]
pub enum ServiceTime {
    /// Uses this much CPU time of the thread.
    Spin(Duration),
    /// Sleeps.
    Sleep {
        /// Mean duration.
        time: Duration,
        /// Corrects for late wake-ups of this machine; `None` before the first sleep.
        sleeper: Option<Sleeper>,
    },
}

impl ServiceTime {
    /// Creates the service time of `work`; `None` for [`Work::None`].
    pub fn of(work: Work) -> Option<Self> {
        match work {
            Work::None => None,
            Work::Spin(time) => Some(ServiceTime::Spin(time)),
            Work::Sleep(time) => Some(ServiceTime::Sleep { time, sleeper: None }),
        }
    }

    /// Spins or sleeps once, on this thread. Returns the time that it took: CPU time of a spin,
    /// wall time of a sleep.
    #[cold]
    pub fn spend(&mut self) -> Duration {
        match self {
            ServiceTime::Spin(time) => spin(*time),
            ServiceTime::Sleep { time, sleeper } => {
                let start = Instant::now();
                sleeper.get_or_insert_with(Sleeper::on_this_thread).sleep_until(start + *time);
                start.elapsed()
            }
        }
    }
}

/// Uses this much CPU time, and returns the time used. Time in which the thread was preempted does
/// not count.
///
/// Reading the thread's CPU clock is a system call and may take a tenth of a short spin. The CPU
/// clock is therefore read only before and after the spin, and the cost of reading it is part of
/// the time. In between, the spin reads the wall clock. If the thread was preempted meanwhile, it
/// spins again for the missing time.
fn spin(time: Duration) -> Duration {
    let read = clock_read_cost();
    let start = cpu_time();
    // Half of the first reading and half of the last are outside the measured interval.
    let due = time.saturating_sub(read);
    let mut left = due.saturating_sub(read);
    loop {
        let until = Instant::now() + left;
        while Instant::now() < until {
            spin_loop();
        }
        let spent = cpu_time().saturating_sub(start);
        if spent >= due.saturating_sub(read / 4) {
            return spent + read;
        }
        left = due.saturating_sub(spent).saturating_sub(read);
    }
}

/// Returns the CPU time that this thread has used.
fn cpu_time() -> Duration {
    // Fails only if the kernel does not support this clock. A spin then ends by the wall clock.
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::MAX, Into::into)
}

/// Returns the time that one reading of the thread's CPU clock takes: the minimum over several
/// batches, measured once per process.
fn clock_read_cost() -> Duration {
    const BATCHES: usize = 16;
    const READS: u32 = 16;
    static COST: OnceLock<Duration> = OnceLock::new();
    *COST.get_or_init(|| {
        let batch = || {
            let start = Instant::now();
            for _ in 0..READS {
                std::hint::black_box(cpu_time());
            }
            start.elapsed() / READS
        };
        (0..BATCHES).map(|_| batch()).min().unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the minimum of several means. Other processes can only lengthen a mean.
    fn mean(measured: impl Fn() -> Duration, mut work: impl FnMut()) -> Duration {
        const REPETITIONS: u32 = 200;
        work();
        let attempt = |work: &mut dyn FnMut()| {
            let start = measured();
            (0..REPETITIONS).for_each(|_| work());
            measured().saturating_sub(start) / REPETITIONS
        };
        (0..5).map(|_| attempt(&mut work)).min().unwrap()
    }

    #[test]
    fn a_spin_uses_the_configured_cpu_time() {
        for us in [10, 100] {
            let time = Duration::from_micros(us);
            let mut spin = ServiceTime::of(Work::Spin(time)).unwrap();
            let used = mean(cpu_time, || _ = spin.spend());
            println!("spin of {time:?}: {used:?}, clock read cost: {:?}", clock_read_cost());
            assert!(used > time.mul_f64(0.9) && used < time.mul_f64(1.1), "{time:?}: {used:?}");
        }
    }

    #[test]
    fn a_sleep_takes_the_configured_time_and_little_cpu_time() {
        let time = Duration::from_millis(1);
        let mut sleep = ServiceTime::of(Work::Sleep(time)).unwrap();
        let used = mean(cpu_time, || _ = sleep.spend());
        assert!(used < time / 5, "{used:?}");
        let start = Instant::now();
        let took = mean(|| start.elapsed(), || _ = sleep.spend());
        assert!(took > time.mul_f64(0.95) && took < time.mul_f64(1.1), "{took:?}");
    }

    #[test]
    fn the_returned_time_is_the_time_that_was_used() {
        let time = Duration::from_micros(200);
        for (work, clock) in [
            (Work::Spin(time), &cpu_time as &dyn Fn() -> Duration),
            (Work::Sleep(time), &|| START.get_or_init(Instant::now).elapsed()),
        ] {
            let mut service_time = ServiceTime::of(work).unwrap();
            service_time.spend();
            let before = clock();
            let returned: Duration = (0..100).map(|_| service_time.spend()).sum();
            // The sleeper's own work and two readings of the clock are not part of the time.
            let used = clock().saturating_sub(before);
            assert!(returned <= used + time && returned > used / 2, "{returned:?} of {used:?}");
            assert!(returned >= time * 90, "{returned:?}");
        }
    }

    static START: OnceLock<Instant> = OnceLock::new();
}
