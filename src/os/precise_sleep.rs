//! Pauses that are as long as they were meant to be, on average.

use std::thread;
use std::time::{Duration, Instant};

/// How much of what was learned last is kept.
const MEMORY: u32 = 8;

/// Learns by how much its machine wakes a thread too late, and asks to be woken earlier.
///
/// A virtual machine may take 300 us to do so, whatever the timer's slack: a pause of 10 ms
/// would be 3 % longer, and so would every number that is made of it.
#[derive(Debug, Default)]
pub struct Sleeper {
    early: Duration,
}

impl Sleeper {
    /// A sleeper of this thread, whose pauses then end when they are over, and not up to 50 us
    /// later. Where the kernel refuses, pauses are longer, and rows say what was measured.
    pub fn on_this_thread() -> Self {
        let _ = nix::sys::prctl::set_timerslack(1);
        Sleeper::default()
    }

    /// When to ask to be woken, for a pause that is to end at `until`.
    pub fn aim(&self, until: Instant, now: Instant) -> Instant {
        let left = until.saturating_duration_since(now);
        until.checked_sub(self.early.min(left / 2)).unwrap_or(until)
    }

    /// Who had asked for `aim` woke at `now`.
    pub fn woke(&mut self, aim: Instant, now: Instant) {
        let late = now.saturating_duration_since(aim);
        self.early = (self.early * (MEMORY - 1) + late) / MEMORY;
    }

    /// Sleeps until about `until`.
    pub fn sleep_until(&mut self, until: Instant) {
        let now = Instant::now();
        if until > now {
            let aim = self.aim(until, now);
            thread::sleep(aim.saturating_duration_since(now));
            self.woke(aim, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_is_always_as_late_is_asked_as_much_earlier() {
        let (start, late) = (Instant::now(), Duration::from_micros(300));
        let mut sleeper = Sleeper::default();
        for pause in 1..=100 {
            let until = start + Duration::from_millis(10 * pause);
            let begun = start + Duration::from_millis(10 * pause - 10);
            let aim = sleeper.aim(until, begun);
            sleeper.woke(aim, aim + late);
        }
        let (until, now) = (start + Duration::from_secs(2), start + Duration::from_millis(1990));
        let woken = sleeper.aim(until, now) + late;
        assert!(woken.max(until) - woken.min(until) < Duration::from_micros(1), "{sleeper:?}");
    }

    #[test]
    fn no_pause_is_cut_by_more_than_half() {
        let start = Instant::now();
        let sleeper = Sleeper { early: Duration::from_secs(9) };
        let until = start + Duration::from_millis(10);
        assert_eq!(sleeper.aim(until, start), start + Duration::from_millis(5));
    }
}
