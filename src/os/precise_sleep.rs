//! Pauses whose average length equals the requested length.

use std::thread;
use std::time::{Duration, Instant};

/// Divisor of the moving average: each new delay has a weight of 1 / 8.
const SMOOTHING: u32 = 8;

/// Estimates how late the machine wakes a thread, and sets its timers earlier by this delay.
///
/// A virtual machine may wake a thread 300 us late, regardless of the timer slack. A pause of
/// 10 ms would then be 3 % too long, and so would every number derived from it.
#[derive(Debug, Default)]
pub struct Sleeper {
    /// Moving average of the wakeup delay.
    delay: Duration,
}

impl Sleeper {
    /// Returns a sleeper for the calling thread, and sets the thread's timer slack to 1 ns instead
    /// of 50 us. If the kernel refuses, pauses are longer; rows contain the measured pauses.
    pub fn on_this_thread() -> Self {
        let _ = nix::sys::prctl::set_timerslack(1);
        Sleeper::default()
    }

    /// Returns the time for which to set the timer of a pause that ends at `until`.
    pub fn timer_for(&self, until: Instant, now: Instant) -> Instant {
        let left = until.saturating_duration_since(now);
        until.checked_sub(self.delay.min(left / 2)).unwrap_or(until)
    }

    /// Updates the delay after a timer set for `timer` woke the thread at `now`.
    pub fn record_wakeup(&mut self, timer: Instant, now: Instant) {
        let late = now.saturating_duration_since(timer);
        self.delay = (self.delay * (SMOOTHING - 1) + late) / SMOOTHING;
    }

    /// Sleeps until about `until`.
    pub fn sleep_until(&mut self, until: Instant) {
        let now = Instant::now();
        if until > now {
            let timer = self.timer_for(until, now);
            thread::sleep(timer.saturating_duration_since(now));
            self.record_wakeup(timer, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_delay_is_compensated() {
        let (start, late) = (Instant::now(), Duration::from_micros(300));
        let mut sleeper = Sleeper::default();
        for pause in 1..=100 {
            let until = start + Duration::from_millis(10 * pause);
            let now = start + Duration::from_millis(10 * pause - 10);
            let timer = sleeper.timer_for(until, now);
            sleeper.record_wakeup(timer, timer + late);
        }
        let (until, now) = (start + Duration::from_secs(2), start + Duration::from_millis(1990));
        let woken = sleeper.timer_for(until, now) + late;
        assert!(woken.max(until) - woken.min(until) < Duration::from_micros(1), "{sleeper:?}");
    }

    #[test]
    fn pause_is_shortened_by_at_most_half() {
        let start = Instant::now();
        let sleeper = Sleeper { delay: Duration::from_secs(9) };
        let until = start + Duration::from_millis(10);
        assert_eq!(sleeper.timer_for(until, start), start + Duration::from_millis(5));
    }
}
