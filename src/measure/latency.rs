//! Round-trip times: exact sums for each client, a histogram for the percentiles of many.

use std::time::Duration;

use hdrhistogram::Histogram;

const LOWEST_NS: u64 = 1;
const HIGHEST_NS: u64 = 60_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

/// Latencies in ns, as far as whole sums tell of them: exact, and small enough to be kept for
/// each of ten thousand clients. One out of the histogram's range is counted as such and
/// enters nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Moments {
    samples: u64,
    total_ns: u128,
    squares_ns2: u128,
    minimum_ns: u64,
    maximum_ns: u64,
    out_of_range: u64,
}

impl Default for Moments {
    fn default() -> Self {
        Moments {
            samples: 0,
            total_ns: 0,
            squares_ns2: 0,
            minimum_ns: u64::MAX,
            maximum_ns: 0,
            out_of_range: 0,
        }
    }
}

/// The distribution of latencies, for percentiles: an HdrHistogram of 1 ns to 60 s with three
/// significant digits (<https://hdrhistogram.org>), one per thread.
#[derive(Debug, Clone, PartialEq)]
pub struct Percentiles(Histogram<u64>);

impl Default for Percentiles {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS);
        Percentiles(histogram.expect("the bounds are constants that fit"))
    }
}

impl Percentiles {
    /// Counts a latency in ns that [`Moments::record`] found to be in range.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        // `Moments::record` has checked the bounds.
        let _ = self.0.record(ns);
    }

    /// Takes in what another thread counted.
    ///
    /// # Panics
    ///
    /// Never: all histograms have the same bounds.
    pub fn merge(&mut self, other: &Percentiles) {
        self.0.add(&other.0).expect("all histograms have the same bounds");
    }

    /// Latencies in ns, ascending, each with the share of the samples that do not exceed it,
    /// and their number: in steps that halve their distance to 1 five by five.
    pub fn steps(&self) -> Vec<(u64, f64, u64)> {
        let mut count = 0;
        let steps = self.0.iter_quantiles(5).map(|step| {
            count += step.count_since_last_iteration();
            (step.value_iterated_to(), step.quantile_iterated_to(), count)
        });
        steps.collect()
    }

    /// The latency that the share `quantile` (0 to 1) of the samples does not exceed, in
    /// ns, to three digits; `None` without samples.
    pub fn quantile_ns(&self, quantile: f64) -> Option<u64> {
        (!self.0.is_empty()).then(|| self.0.value_at_quantile(quantile))
    }
}

impl Moments {
    /// Counts one latency, and returns it in ns for the histogram; `None` if it is out of range.
    #[inline]
    #[must_use]
    pub fn record(&mut self, latency: Duration) -> Option<u64> {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        // The histogram's last bucket reaches beyond the bound that it was given.
        if !(LOWEST_NS..=HIGHEST_NS).contains(&ns) {
            self.out_of_range += 1;
            return None;
        }
        self.samples += 1;
        self.total_ns += u128::from(ns);
        self.squares_ns2 += u128::from(ns) * u128::from(ns);
        self.minimum_ns = self.minimum_ns.min(ns);
        self.maximum_ns = self.maximum_ns.max(ns);
        Some(ns)
    }

    /// Takes in what another client counted.
    pub fn merge(&mut self, other: &Moments) {
        self.samples += other.samples;
        self.total_ns += other.total_ns;
        self.squares_ns2 += other.squares_ns2;
        self.minimum_ns = self.minimum_ns.min(other.minimum_ns);
        self.maximum_ns = self.maximum_ns.max(other.maximum_ns);
        self.out_of_range += other.out_of_range;
    }

    /// The number of latencies in range.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The number of latencies under 1 ns or over 60 s.
    pub fn out_of_range(&self) -> u64 {
        self.out_of_range
    }

    /// The sum, in ns.
    pub fn total_ns(&self) -> u128 {
        self.total_ns
    }

    /// The shortest, in ns; `None` without samples.
    pub fn minimum_ns(&self) -> Option<u64> {
        (self.samples > 0).then_some(self.minimum_ns)
    }

    /// The longest, in ns; `None` without samples.
    pub fn maximum_ns(&self) -> Option<u64> {
        (self.samples > 0).then_some(self.maximum_ns)
    }

    /// The arithmetic mean, in ns; `None` without samples.
    pub fn mean_ns(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.total_ns as f64 / self.samples as f64)
    }

    /// The unbiased sample variance (divided by n - 1), in ns²; `None` under two samples.
    ///
    /// The sums are whole numbers, so that nothing cancels: n·Σx² - (Σx)² is exact. It
    /// leaves 128 bits after some 10⁸ latencies of a minute each, and then is `None` too.
    pub fn variance_ns2(&self) -> Option<f64> {
        let n = u128::from(self.samples);
        if n < 2 {
            return None;
        }
        let spread = n.checked_mul(self.squares_ns2)? - self.total_ns * self.total_ns;
        Some(spread as f64 / n as f64 / (n - 1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[u64]) -> (Moments, Percentiles) {
        let (mut moments, mut percentiles) = (Moments::default(), Percentiles::default());
        for &ns in values {
            moments
                .record(Duration::from_nanos(ns))
                .into_iter()
                .for_each(|ns| percentiles.record(ns));
        }
        (moments, percentiles)
    }

    #[test]
    fn moments_are_those_worked_out_by_hand() {
        // 2, 4, 4, 4, 5, 5, 7, 9: sum 40, mean 5, squared deviations 32, 32 / 7.
        let (moments, _) = of(&[2, 4, 4, 4, 5, 5, 7, 9]);
        assert_eq!(moments.samples(), 8);
        assert_eq!(moments.total_ns(), 40);
        assert_eq!(moments.mean_ns(), Some(5.0));
        assert!((moments.variance_ns2().unwrap() - 32.0 / 7.0).abs() < 1e-12);
        assert_eq!((moments.minimum_ns(), moments.maximum_ns()), (Some(2), Some(9)));
    }

    #[test]
    fn percentiles_of_one_to_a_thousand_microseconds() {
        let (_, percentiles) = of(&(1..=1000).map(|us| us * 1000).collect::<Vec<_>>());
        for (quantile, us) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0), (0.999, 999.0)] {
            let found = percentiles.quantile_ns(quantile).unwrap() as f64 / 1000.0;
            assert!((found / us - 1.0).abs() < 0.001, "p{quantile}: {found} us, not {us}");
        }
    }

    #[test]
    fn nothing_recorded_has_no_statistics() {
        let (moments, percentiles) = of(&[]);
        assert_eq!((moments.mean_ns(), moments.minimum_ns()), (None, None));
        assert_eq!(percentiles.quantile_ns(0.5), None);
        assert_eq!(of(&[7]).0.variance_ns2(), None);
    }

    #[test]
    fn out_of_range_is_counted_and_not_clamped() {
        let (moments, percentiles) = of(&[0, 5, 61_000_000_000]);
        assert_eq!((moments.samples(), moments.out_of_range()), (1, 2));
        assert_eq!(moments.maximum_ns(), Some(5));
        assert_eq!(percentiles.quantile_ns(1.0), Some(5));
    }

    #[test]
    fn merged_is_the_same_as_recorded_in_one() {
        let (mut moments, mut percentiles) = of(&[100, 200]);
        let (other, others) = of(&[50, 70_000_000_000]);
        moments.merge(&other);
        percentiles.merge(&others);
        let (one, all) = of(&[100, 200, 50, 70_000_000_000]);
        assert_eq!(percentiles, all);
        assert_eq!(moments.variance_ns2(), one.variance_ns2());
        assert_eq!((moments.minimum_ns(), moments.out_of_range()), (Some(50), 1));
    }

    #[test]
    fn a_month_of_minutes_does_not_overflow_and_ages_of_them_do_not_panic() {
        let (mut moments, _) = of(&[HIGHEST_NS; 2]);
        let double = |moments: &mut Moments, times| {
            for _ in 0..times {
                let same = *moments;
                moments.merge(&same);
            }
        };
        double(&mut moments, 15);
        assert_eq!((moments.samples(), moments.variance_ns2()), (1 << 16, Some(0.0)));
        double(&mut moments, 15);
        assert_eq!(moments.variance_ns2(), None);
    }
}
