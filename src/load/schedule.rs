//! When a client sends its next request. This is the only difference between kinds of load.

use std::time::{Duration, Instant};

use crate::measure::{ClientTally, Distributions, DueTimes, Window};
use crate::spec::{Arrivals, LoadSpec};

/// The send times of one client.
#[derive(Debug)]
pub struct Schedule(Kind);

#[derive(Debug)]
enum Kind {
    /// Closed loop: after the previous reply and the think time.
    Closed { think: Duration },
    /// Open loop, as far as one outstanding request per client allows: at the due times.
    Open { next: Instant, gap: Duration, arrivals: Arrivals, rng: fastrand::Rng },
}

impl Schedule {
    /// Creates the schedule of the client `index` of this load. The schedules of all clients begin
    /// at the same instant, even if their threads start later.
    ///
    /// Open-loop clients share the rate. Constant arrivals are distributed round-robin. Poisson
    /// arrivals are one independent process per client, and their sum is a Poisson process again.
    pub fn new(spec: &LoadSpec, index: usize, window: &Window) -> Self {
        let Some(open_loop) = spec.open_loop else {
            return Schedule(Kind::Closed { think: spec.think });
        };
        let clients = spec.clients.get() as f64;
        let gap = Duration::from_secs_f64(clients / open_loop.rate_per_s);
        let start = window.open.checked_sub(spec.warmup).unwrap_or(window.open);
        let next = match open_loop.arrivals {
            Arrivals::Constant => start + gap.mul_f64(index as f64 / clients),
            Arrivals::Poisson => start,
        };
        // Arrivals are reproducible, and differ between clients and between trials. The base keeps
        // the clients of one seed apart from those of the next.
        let base = fastrand::Rng::with_seed(open_loop.seed).u64(..);
        let rng = fastrand::Rng::with_seed(base.wrapping_add(index as u64));
        Schedule(Kind::Open { next, gap, arrivals: open_loop.arrivals, rng })
    }

    /// Returns when the next request is due, after a reply at `received`; `None`: immediately.
    #[inline]
    pub fn next_due(&mut self, received: Instant) -> Option<Instant> {
        match &mut self.0 {
            Kind::Closed { think } if think.is_zero() => None,
            Kind::Closed { think } => Some(received + *think),
            Kind::Open { next, gap, arrivals, rng } => {
                let due = match arrivals {
                    Arrivals::Constant => *next,
                    // The gaps of a Poisson process are exponential: -ln(1 - u) times their mean.
                    Arrivals::Poisson => *next + gap.mul_f64(-(1.0_f64 - rng.f64()).ln()),
                };
                *next = if *arrivals == Arrivals::Constant { due + *gap } else { due };
                Some(due)
            }
        }
    }

    /// Whether requests have due times that do not depend on replies. Latency is then measured from
    /// the due time, so that a request that is sent late has a longer latency.
    #[inline]
    pub fn is_open_loop(&self) -> bool {
        matches!(self.0, Kind::Open { .. })
    }

    /// Returns from when on no request is sent. An open-loop client still sends the requests that
    /// were due in the window, for at most one timeout after its close.
    pub fn send_until(&self, spec: &LoadSpec, window: &Window) -> Instant {
        if self.is_open_loop() { window.close + spec.timeout } else { window.close }
    }

    /// Counts the requests of the window that the client did not send: the one due at `due`, if any,
    /// and those after it. If the load was `stopped`, the window ended now.
    pub fn end(
        &mut self,
        mut due: Option<Instant>,
        stopped: bool,
        window: &Window,
        tally: &mut ClientTally,
        distributions: &mut Distributions,
    ) {
        if !self.is_open_loop() {
            return;
        }
        let now = Instant::now();
        let close = if stopped { window.close.min(now) } else { window.close };
        let window = Window { close, ..*window };
        loop {
            let Some(next) = due.take().or_else(|| self.next_due(now)) else { return };
            if next >= close {
                return;
            }
            let times = DueTimes { due: next, was_waiting: true };
            tally.record_unanswered(times, None, now, &window, distributions);
        }
    }

    /// Whether a client may have to wait before it sends.
    pub fn has_pauses(&self) -> bool {
        !matches!(self.0, Kind::Closed { think: Duration::ZERO })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::spec::OpenLoop;

    pub fn spec(clients: usize, open_loop: Option<OpenLoop>) -> LoadSpec {
        LoadSpec {
            driver: crate::spec::Driver::Native,
            channels: crate::spec::Channels::default(),
            clients: clients.try_into().unwrap(),
            window: Duration::from_secs(1),
            warmup: Duration::ZERO,
            think: Duration::from_millis(7),
            open_loop,
            payload: 0,
            reply_payload: 0,
            timeout: Duration::from_secs(1),
            retries: 0,
        }
    }

    /// A window without a warm-up.
    fn window(start: Instant) -> Window {
        Window::after(start, Duration::ZERO, Duration::from_secs(1))
    }

    #[test]
    fn a_closed_loop_request_is_due_after_the_think_time() {
        let now = Instant::now();
        let mut schedule = Schedule::new(&spec(1, None), 0, &window(now));
        assert!(!schedule.is_open_loop() && schedule.has_pauses());
        assert_eq!(schedule.next_due(now), Some(now + Duration::from_millis(7)));
        let no_think = LoadSpec { think: Duration::ZERO, ..spec(1, None) };
        assert_eq!(Schedule::new(&no_think, 0, &window(now)).next_due(now), None);
    }

    #[test]
    fn constant_arrivals_are_distributed_round_robin_independent_of_replies() {
        let start = Instant::now();
        let open_loop =
            Some(OpenLoop { rate_per_s: 1000.0, arrivals: Arrivals::Constant, seed: 0 });
        let mut due: Vec<_> = (0..4)
            .flat_map(|client| {
                let mut schedule = Schedule::new(&spec(4, open_loop), client, &window(start));
                let late = start + Duration::from_secs(9);
                [schedule.next_due(start), schedule.next_due(late)]
            })
            .map(|due| (due.unwrap() - start).as_millis())
            .collect();
        due.sort_unstable();
        assert_eq!(due, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_standard_deviation_of_an_exponential_distribution() {
        let start = Instant::now();
        let open_loop = Some(OpenLoop { rate_per_s: 1000.0, arrivals: Arrivals::Poisson, seed: 0 });
        let mut schedule = Schedule::new(&spec(1, open_loop), 0, &window(start));
        let mut last = start;
        let gaps: Vec<f64> = (0..20_000)
            .map(|_| {
                let due = schedule.next_due(start).unwrap();
                let gap = (due - last).as_secs_f64();
                last = due;
                gap
            })
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean / 0.001 - 1.0).abs() < 0.03, "{mean}");
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.05, "{variance}");
    }

    #[test]
    fn arrivals_repeat_with_the_seed_and_differ_between_seeds_and_clients() {
        let start = Instant::now();
        let first = |seed, client| {
            let arrivals = Arrivals::Poisson;
            let open_loop = Some(OpenLoop { rate_per_s: 1000.0, arrivals, seed });
            let mut schedule = Schedule::new(&spec(4, open_loop), client, &window(start));
            schedule.next_due(start).unwrap() - start
        };
        assert_eq!(first(7, 0), first(7, 0));
        let all = [first(7, 0), first(7, 1), first(8, 0), first(8, 1)];
        let distinct: std::collections::BTreeSet<_> = all.into_iter().collect();
        assert_eq!(distinct.len(), 4, "{all:?}");
    }

    #[test]
    fn only_an_open_loop_sends_after_the_close_and_for_at_most_the_timeout() {
        let start = Instant::now();
        let window = window(start);
        let open_loop = Some(OpenLoop { rate_per_s: 1.0, arrivals: Arrivals::Constant, seed: 0 });
        for (open_loop, seconds) in [(None, 1), (open_loop, 2)] {
            let spec = spec(1, open_loop);
            let until = Schedule::new(&spec, 0, &window).send_until(&spec, &window);
            assert_eq!(until, start + Duration::from_secs(seconds));
        }
    }
}
