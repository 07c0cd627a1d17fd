//! When a client sends its next request: the one thing in which loads differ.

use std::time::{Duration, Instant};

use crate::measure::Window;
use crate::spec::{Arrivals, LoadSpec};

/// The requests of one client, in time.
#[derive(Debug)]
pub struct Schedule(Kind);

#[derive(Debug)]
enum Kind {
    /// A closed loop: after the reply to the last, and a pause.
    Closed { think: Duration },
    /// An open loop, or as near to it as one request at a time allows: when they are due.
    Paced { next: Instant, gap: Duration, arrivals: Arrivals, random: fastrand::Rng },
}

impl Schedule {
    /// That of the client `index` of this load: of all of its clients from the same instant on,
    /// whenever their threads begin.
    ///
    /// Paced clients share the rate: constant arrivals are dealt out to them in turn, and the
    /// arrivals of independent Poisson processes make a Poisson process together.
    pub fn new(spec: &LoadSpec, index: usize, window: &Window) -> Self {
        let Some(pace) = spec.pace else { return Schedule(Kind::Closed { think: spec.think }) };
        let clients = spec.clients.get() as f64;
        let gap = Duration::from_secs_f64(clients / pace.per_s);
        let start = window.open.checked_sub(spec.warmup).unwrap_or(window.open);
        let next = match pace.arrivals {
            Arrivals::Constant => start + gap.mul_f64(index as f64 / clients),
            Arrivals::Poisson => start,
        };
        // The same arrivals each time, and others for each client.
        let random = fastrand::Rng::with_seed(index as u64);
        Schedule(Kind::Paced { next, gap, arrivals: pace.arrivals, random })
    }

    /// When the next request is due, after a reply that came at `received`; `None`: at once.
    #[inline]
    pub fn next_due(&mut self, received: Instant) -> Option<Instant> {
        match &mut self.0 {
            Kind::Closed { think } if think.is_zero() => None,
            Kind::Closed { think } => Some(received + *think),
            Kind::Paced { next, gap, arrivals, random } => {
                let due = match arrivals {
                    Arrivals::Constant => *next,
                    // The gaps of a Poisson process are exponential: -ln(1 - u) of their mean.
                    Arrivals::Poisson => *next + gap.mul_f64(-(1.0_f64 - random.f64()).ln()),
                };
                *next = if *arrivals == Arrivals::Constant { due + *gap } else { due };
                Some(due)
            }
        }
    }

    /// Whether requests are due at times of their own, from which latency is measured: a
    /// client that is late makes nobody wait less.
    #[inline]
    pub fn is_paced(&self) -> bool {
        matches!(self.0, Kind::Paced { .. })
    }

    /// Whether clients may have to wait before they send.
    pub fn has_pauses(&self) -> bool {
        !matches!(self.0, Kind::Closed { think: Duration::ZERO })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::spec::Pace;

    pub fn spec(clients: usize, pace: Option<Pace>) -> LoadSpec {
        LoadSpec {
            driver: crate::spec::Driver::Native,
            channels: crate::spec::Channels::default(),
            clients: clients.try_into().unwrap(),
            window: Duration::from_secs(1),
            warmup: Duration::ZERO,
            think: Duration::from_millis(7),
            pace,
            payload: 0,
            reply_payload: 0,
            timeout: Duration::from_secs(1),
            retries: 0,
        }
    }

    /// A window of a load without warm-up.
    fn from(start: Instant) -> Window {
        Window::after(start, Duration::ZERO, Duration::from_secs(1))
    }

    #[test]
    fn a_closed_loop_goes_on_after_its_pause() {
        let now = Instant::now();
        let mut schedule = Schedule::new(&spec(1, None), 0, &from(now));
        assert!(!schedule.is_paced() && schedule.has_pauses());
        assert_eq!(schedule.next_due(now), Some(now + Duration::from_millis(7)));
        let at_once = LoadSpec { think: Duration::ZERO, ..spec(1, None) };
        assert_eq!(Schedule::new(&at_once, 0, &from(now)).next_due(now), None);
    }

    #[test]
    fn constant_arrivals_are_dealt_out_in_turn_whatever_the_replies_do() {
        let start = Instant::now();
        let pace = Some(Pace { per_s: 1000.0, arrivals: Arrivals::Constant });
        let mut due: Vec<_> = (0..4)
            .flat_map(|client| {
                let mut schedule = Schedule::new(&spec(4, pace), client, &from(start));
                let late = start + Duration::from_secs(9);
                [schedule.next_due(start), schedule.next_due(late)]
            })
            .map(|due| (due.unwrap() - start).as_millis())
            .collect();
        due.sort_unstable();
        assert_eq!(due, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_spread_of_exponential_ones() {
        let start = Instant::now();
        let pace = Some(Pace { per_s: 1000.0, arrivals: Arrivals::Poisson });
        let mut schedule = Schedule::new(&spec(1, pace), 0, &from(start));
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
}
