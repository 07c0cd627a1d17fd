//! Requests in flight at the close of a window, and their place in the percentiles.

use std::time::{Duration, Instant};

use super::{LatencyHistogram, Window};

/// Share of the counted round trips that a request in flight must have outlasted to be included.
const INCLUDED_FROM: f64 = 0.99;

/// The ages of the requests that were in flight at the close of a window: at most one per client
/// and window.
///
/// The round trip of such a request is only known to exceed its age: it is censored. An echo is
/// counted by the time of its reply, so the round trips of a steady load need no correction: an
/// echo that begins before the window and ends in it counts in full, and on average balances one
/// that begins in the window and ends after it (Campbell's formula). At a given instant, an age is
/// distributed with the density P(R > a) / E(R), so that it is mostly shorter than a round trip R:
/// all ages together would lower every percentile (D. R. Cox, "Renewal Theory", Methuen, 1962,
/// section 5.1). But a server that stalls until the close appears in no counted round trip at all.
///
/// Therefore only requests older than the 99th percentile are included, at their age. Each of them
/// has a round trip above that percentile, whatever its length, so they never lower one. In a
/// steady load they add the share ∫ P(R > a) da / T to the messages of a window T, integrated
/// from the 99th percentile on: at most 1 % x (mean excess over that percentile) / T.
#[derive(Debug, Default, Clone)]
pub struct InFlight {
    ages_ns: Vec<u64>,
    /// Number of ages that belong to kept slices.
    kept: usize,
}

impl InFlight {
    /// Records a request that was sent before the close of the window and `ended` after it. It
    /// allocates after the close only.
    #[cold]
    pub fn record(&mut self, sent: Instant, ended: Instant, window: &Window) {
        if sent < window.close && window.close <= ended {
            let age = window.close - sent;
            self.ages_ns.push(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// Ends a slice, and drops its ages unless the slice is kept.
    pub fn end_slice(&mut self, keep: bool) {
        if keep {
            self.kept = self.ages_ns.len();
        } else {
            self.ages_ns.truncate(self.kept);
        }
    }

    /// Adds the ages of another thread.
    pub fn merge(&mut self, other: &InFlight) {
        self.ages_ns.extend(&other.ages_ns);
        self.kept = self.ages_ns.len();
    }

    /// Age of the oldest request; `None` if none was in flight.
    pub fn oldest(&self) -> Option<Duration> {
        self.ages_ns.iter().max().map(|ns| Duration::from_nanos(*ns))
    }

    /// Adds the requests older than the 99th percentile of `round_trips` to it, at their age.
    /// Returns the age of the oldest request added; `None` if there is none.
    ///
    /// Ages beyond the range of the histogram are not added.
    pub fn add_to(&self, round_trips: &mut LatencyHistogram) -> Option<Duration> {
        let limit = round_trips.quantile_ns(INCLUDED_FROM)?;
        let older = self.ages_ns.iter().filter(|ns| **ns > limit && LatencyHistogram::covers(**ns));
        for ns in older.clone() {
            round_trips.record(*ns);
        }
        older.max().map(|ns| Duration::from_nanos(*ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn of_ages(ages_ns: Vec<u64>) -> InFlight {
        InFlight { kept: ages_ns.len(), ages_ns }
    }

    #[test]
    fn only_a_request_that_spans_the_close_is_in_flight() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let window = Window::after(start, Duration::from_millis(10), Duration::from_millis(10));
        let ages_ms = |sent, ended| {
            let mut in_flight = InFlight::default();
            in_flight.record(at(sent), at(ended), &window);
            in_flight.oldest().map(|age| age.as_millis())
        };
        // The window closes after 20 ms.
        assert_eq!((ages_ms(13, 19), ages_ms(20, 25), ages_ms(2, 8)), (None, None, None));
        assert_eq!(
            (ages_ms(13, 20), ages_ms(19, 99), ages_ms(2, 30)),
            (Some(7), Some(1), Some(18))
        );
    }

    #[test]
    fn ages_of_a_slice_that_is_left_out_are_dropped() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let window = Window::after(start, Duration::ZERO, Duration::from_millis(100));
        let mut all = InFlight::default();
        for (sent, keep) in [(90, false), (80, true), (10, false), (95, true)] {
            all.record(at(sent), at(200), &window);
            all.end_slice(keep);
        }
        assert_eq!(all.ages_ns, [20 * MS, 5 * MS]);
        let mut merged = of_ages(vec![7 * MS]);
        merged.merge(&all);
        assert_eq!((merged.ages_ns.len(), merged.oldest()), (3, Some(Duration::from_millis(20))));
    }

    #[test]
    fn requests_older_than_the_99th_percentile_are_added_at_their_age() {
        let mut round_trips = LatencyHistogram::default();
        (1..=1000).for_each(|ms| round_trips.record(ms * MS));
        let before = round_trips.clone();
        // The 99th percentile is 990 ms, to three significant digits.
        assert_eq!(of_ages(vec![5 * MS, 980 * MS]).add_to(&mut round_trips), None);
        assert_eq!(round_trips, before);
        let beyond_range = Duration::from_secs(61).as_nanos().try_into().unwrap();
        let ages = of_ages(vec![5 * MS, 3000 * MS, 2000 * MS, beyond_range]);
        assert_eq!(ages.oldest(), Some(Duration::from_secs(61)));
        assert_eq!(ages.add_to(&mut round_trips), Some(Duration::from_secs(3)));
        let longest = round_trips.quantile_ns(1.0).unwrap();
        assert!((3000 * MS..3010 * MS).contains(&longest), "{longest}");
        assert_eq!(of_ages(vec![MS]).add_to(&mut LatencyHistogram::default()), None);
    }

    /// Closed loops of 16 clients with independent round trips, in windows of `length_us` that open
    /// after a lead-in of the same length.
    struct Simulation {
        round_trips: LatencyHistogram,
        ages: InFlight,
    }

    impl Simulation {
        fn run(round_trip_us: &mut dyn FnMut() -> f64, length_us: f64, windows: usize) -> Self {
            let mut all =
                Simulation { round_trips: LatencyHistogram::default(), ages: InFlight::default() };
            for _ in 0..16 * windows {
                let mut now = 0.0;
                while now < 2.0 * length_us {
                    let round_trip = round_trip_us();
                    let received = now + round_trip;
                    if received >= 2.0 * length_us {
                        all.ages.ages_ns.push(whole_ns(2.0 * length_us - now));
                    } else if received >= length_us {
                        all.round_trips.record(whole_ns(round_trip));
                    }
                    now = received;
                }
            }
            all
        }

        /// The ratio of each percentile to that of `truth`.
        fn ratios(round_trips: &LatencyHistogram, truth: &[u64]) -> [f64; 3] {
            [0.5, 0.9, 0.99].map(|share| {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let at = (truth.len() as f64 * share) as usize;
                round_trips.quantile_ns(share).unwrap() as f64 / truth[at] as f64
            })
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn whole_ns(us: f64) -> u64 {
        ((us * 1e3) as u64).max(1)
    }

    /// Windows of 25 round trips, the shortest of an automatic slice.
    #[test]
    fn a_steady_load_keeps_its_percentiles_and_all_ages_would_lower_them() {
        let mut random = fastrand::Rng::with_seed(17);
        let mut uniform = || random.f64() * 200.0;
        let mut truth: Vec<_> = (0..400_000).map(|_| whole_ns(uniform())).collect();
        truth.sort_unstable();
        let of_uniform = Simulation::run(&mut uniform, 2500.0, 200);
        let mut random = fastrand::Rng::with_seed(18);
        let mut exponential = || -100.0 * (1.0 - random.f64()).ln();
        let mut truth_exponential: Vec<_> = (0..400_000).map(|_| whole_ns(exponential())).collect();
        truth_exponential.sort_unstable();
        let of_exponential = Simulation::run(&mut exponential, 2500.0, 200);
        for (simulation, truth) in [(&of_uniform, &truth), (&of_exponential, &truth_exponential)] {
            let mut included = simulation.round_trips.clone();
            simulation.ages.add_to(&mut included);
            let counted = Simulation::ratios(&simulation.round_trips, truth);
            let ratios = Simulation::ratios(&included, truth);
            println!("counted {counted:?}, with older requests {ratios:?}");
            assert!(ratios.iter().all(|ratio| (ratio - 1.0).abs() < 0.02), "{ratios:?}");
            assert!(counted.iter().zip(ratios).all(|(before, after)| *before <= after));
        }
        // All ages together lower the median of the uniform round trips: 1 of 26 samples is an age,
        // whose median is 0.29 of the longest round trip instead of 0.5.
        let mut with_all = of_uniform.round_trips.clone();
        for ns in &of_uniform.ages.ages_ns {
            with_all.record(*ns);
        }
        let [median, ..] = Simulation::ratios(&with_all, &truth);
        assert!((0.97..0.995).contains(&median), "{median}");
    }

    /// All clients wait for a server that stalls for the second half of the window.
    #[test]
    fn a_stall_at_the_close_is_in_the_percentiles() {
        let mut round_trips = LatencyHistogram::default();
        // 16 clients, 50 round trips of 100 us each, and then a stall of 5 ms.
        (0..800).for_each(|_| round_trips.record(MS / 10));
        assert!(round_trips.quantile_ns(0.999).unwrap() < MS / 5);
        let oldest = of_ages(vec![5 * MS; 16]).add_to(&mut round_trips);
        assert_eq!(oldest, Some(Duration::from_millis(5)));
        // 16 of 816 are 2 %.
        assert!(round_trips.quantile_ns(0.98).unwrap() < MS / 5);
        assert!(round_trips.quantile_ns(0.99).unwrap() >= 5 * MS);
    }
}
