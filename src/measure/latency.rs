//! Latencies: exact moments per client, and a histogram per thread for percentiles.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};

const LOWEST_NS: u64 = 1;
const HIGHEST_NS: u64 = 60_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

/// Exact sums of latencies in ns, from which mean and variance follow. They are small enough to be
/// kept for each of ten thousand clients. A latency outside the histogram's range is counted in
/// `out_of_range` only.
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

/// A distribution of latencies for percentiles: an HdrHistogram from 1 ns to 60 s with three
/// significant digits (<https://hdrhistogram.org>). There is one per thread.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyHistogram(Histogram<u64>);

impl Default for LatencyHistogram {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS);
        LatencyHistogram(histogram.expect("the bounds are valid constants"))
    }
}

impl LatencyHistogram {
    /// Records a latency in ns that [`Moments::record`] found to be in range.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        // `Moments::record` has checked the bounds.
        let _ = self.0.record(ns);
    }

    /// Whether a latency in ns is within the range of all histograms.
    pub fn covers(ns: u64) -> bool {
        (LOWEST_NS..=HIGHEST_NS).contains(&ns)
    }

    /// Records a delay. One above the histogram's bounds counts as the upper bound, and zero as the
    /// lower bound: the share of longer delays stays correct.
    #[inline]
    pub fn record_saturating(&mut self, delay: Duration) {
        let ns = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        let _ = self.0.record(ns.clamp(LOWEST_NS, HIGHEST_NS));
    }

    /// Adds the latencies of another thread.
    ///
    /// # Panics
    ///
    /// Never, because all histograms have the same bounds.
    pub fn merge(&mut self, other: &LatencyHistogram) {
        self.0.add(&other.0).expect("all histograms have the same bounds");
    }

    /// Returns latencies in ns in ascending order, each with the share and the number of samples
    /// that do not exceed it. There are five steps for each halving of the distance to the
    /// share 1.
    pub fn steps(&self) -> Vec<(u64, f64, u64)> {
        let mut count = 0;
        let steps = self.0.iter_quantiles(5).map(|step| {
            count += step.count_since_last_iteration();
            (step.value_iterated_to(), step.quantile_iterated_to(), count)
        });
        steps.collect()
    }

    /// Returns the latency in ns that the share `quantile` (0 to 1) of the samples does not exceed,
    /// to three significant digits; `None` without samples. The result is the upper end of a
    /// bucket, which may exceed the exact maximum, see [`Moments::quantile_ns`].
    pub fn quantile_ns(&self, quantile: f64) -> Option<u64> {
        (!self.0.is_empty()).then(|| self.0.value_at_quantile(quantile))
    }

    /// Returns the number of latencies.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Returns the histogram as text: HdrHistogram's compressed V2 encoding in base64, which other
    /// HdrHistogram tools read. It begins with `HISTFAAA`.
    ///
    /// # Errors
    ///
    /// If a counter is too large for the encoding.
    pub fn to_text(&self) -> Result<String> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&self.0, &mut bytes)
            .map_err(|error| anyhow!("cannot encode a histogram: {error}"))?;
        Ok(BASE64_STANDARD.encode(bytes))
    }

    /// Reads a histogram from the text of [`LatencyHistogram::to_text`].
    ///
    /// # Errors
    ///
    /// If the text is not such a histogram, or has values outside of the bounds.
    pub fn from_text(text: &str) -> Result<Self> {
        let bytes = BASE64_STANDARD.decode(text).context("cannot decode base64")?;
        let other: Histogram<u64> = Deserializer::new()
            .deserialize(&mut &bytes[..])
            .map_err(|error| anyhow!("not a histogram: {error}"))?;
        let mut histogram = LatencyHistogram::default();
        histogram.0.add(&other).map_err(|error| anyhow!("its values are too large: {error}"))?;
        Ok(histogram)
    }
}

impl Moments {
    /// Records one latency and returns it in ns for the histogram; `None` if it is out of range.
    #[inline]
    #[must_use]
    pub fn record(&mut self, latency: Duration) -> Option<u64> {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        // The histogram's last bucket extends beyond its upper bound.
        if !LatencyHistogram::covers(ns) {
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

    /// Raises the longest latency to at least `latency`, which is no sample.
    pub fn raise_maximum(&mut self, latency: Duration) {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.maximum_ns = self.maximum_ns.max(ns);
    }

    /// Adds the latencies of another client.
    pub fn merge(&mut self, other: &Moments) {
        self.samples += other.samples;
        self.total_ns += other.total_ns;
        self.squares_ns2 += other.squares_ns2;
        self.minimum_ns = self.minimum_ns.min(other.minimum_ns);
        self.maximum_ns = self.maximum_ns.max(other.maximum_ns);
        self.out_of_range += other.out_of_range;
    }

    /// Returns a quantile of the histogram of the same latencies. It never exceeds their exact
    /// maximum.
    pub fn quantile_ns(&self, histogram: &LatencyHistogram, quantile: f64) -> Option<u64> {
        histogram.quantile_ns(quantile).map(|ns| ns.min(self.maximum_ns))
    }

    /// Number of latencies in range.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Number of latencies below 1 ns or above 60 s.
    pub fn out_of_range(&self) -> u64 {
        self.out_of_range
    }

    /// Sum of the latencies in ns.
    pub fn total_ns(&self) -> u128 {
        self.total_ns
    }

    /// Shortest latency in ns; `None` without samples.
    pub fn minimum_ns(&self) -> Option<u64> {
        (self.samples > 0).then_some(self.minimum_ns)
    }

    /// Longest latency in ns; `None` without samples.
    pub fn maximum_ns(&self) -> Option<u64> {
        (self.samples > 0).then_some(self.maximum_ns)
    }

    /// Arithmetic mean in ns; `None` without samples.
    pub fn mean_ns(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.total_ns as f64 / self.samples as f64)
    }

    /// Unbiased sample variance (divided by n - 1) in ns²; `None` for fewer than two samples.
    ///
    /// The sums are integers, so n·Σx² - (Σx)² is exact and no cancellation occurs. The product
    /// overflows 128 bits after about 10⁸ latencies of one minute; the result is then `None`, too.
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

    fn record_all(values: &[u64]) -> (Moments, LatencyHistogram) {
        let (mut moments, mut histogram) = (Moments::default(), LatencyHistogram::default());
        for &ns in values {
            if let Some(ns) = moments.record(Duration::from_nanos(ns)) {
                histogram.record(ns);
            }
        }
        (moments, histogram)
    }

    #[test]
    fn moments_match_values_computed_by_hand() {
        // Sum 40, mean 5, sum of squared deviations 32, variance 32 / 7.
        let (moments, _) = record_all(&[2, 4, 4, 4, 5, 5, 7, 9]);
        assert_eq!(moments.samples(), 8);
        assert_eq!(moments.total_ns(), 40);
        assert_eq!(moments.mean_ns(), Some(5.0));
        assert!((moments.variance_ns2().unwrap() - 32.0 / 7.0).abs() < 1e-12);
        assert_eq!((moments.minimum_ns(), moments.maximum_ns()), (Some(2), Some(9)));
    }

    #[test]
    fn percentiles_are_accurate_to_three_digits() {
        let (_, histogram) = record_all(&(1..=1000).map(|us| us * 1000).collect::<Vec<_>>());
        for (quantile, us) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0), (0.999, 999.0)] {
            let found = histogram.quantile_ns(quantile).unwrap() as f64 / 1000.0;
            assert!((found / us - 1.0).abs() < 0.001, "p{quantile}: {found} us, not {us}");
        }
    }

    #[test]
    fn no_percentile_exceeds_the_exact_maximum() {
        // 1,000,001 ns lies in a bucket that ends at 1,000,447 ns.
        let (moments, histogram) = record_all(&[1_000, 1_000_001]);
        assert!(histogram.quantile_ns(0.999) > moments.maximum_ns());
        assert_eq!(moments.quantile_ns(&histogram, 0.999), Some(1_000_001));
        assert_eq!(moments.quantile_ns(&histogram, 0.5), Some(1_000));
        assert_eq!(Moments::default().quantile_ns(&LatencyHistogram::default(), 0.5), None);
    }

    #[test]
    fn a_histogram_survives_its_text_form() {
        let (_, histogram) = record_all(&[1, 5, 5, 1_000_001, HIGHEST_NS]);
        let text = histogram.to_text().unwrap();
        assert!(text.starts_with("HISTFAAA"), "{text}");
        assert_eq!(LatencyHistogram::from_text(&text).unwrap(), histogram);
        let empty = LatencyHistogram::default();
        assert_eq!(LatencyHistogram::from_text(&empty.to_text().unwrap()).unwrap(), empty);
        for damaged in ["?", "", "aGVsbG8=", &text[..20]] {
            assert!(LatencyHistogram::from_text(damaged).is_err(), "{damaged}");
        }
    }

    #[test]
    fn a_delay_out_of_range_counts_at_the_nearest_bound() {
        let mut histogram = LatencyHistogram::default();
        for seconds in [0, 1, 100] {
            histogram.record_saturating(Duration::from_secs(seconds));
        }
        assert_eq!((histogram.count(), histogram.quantile_ns(0.3)), (3, Some(1)));
        assert!(histogram.quantile_ns(1.0) >= Some(HIGHEST_NS));
    }

    #[test]
    fn statistics_are_none_without_samples() {
        let (moments, histogram) = record_all(&[]);
        assert_eq!((moments.mean_ns(), moments.minimum_ns()), (None, None));
        assert_eq!(histogram.quantile_ns(0.5), None);
        assert_eq!(record_all(&[7]).0.variance_ns2(), None);
    }

    #[test]
    fn out_of_range_latencies_are_counted_and_not_clamped() {
        let (moments, histogram) = record_all(&[0, 5, 61_000_000_000]);
        assert_eq!((moments.samples(), moments.out_of_range()), (1, 2));
        assert_eq!(moments.maximum_ns(), Some(5));
        assert_eq!(histogram.quantile_ns(1.0), Some(5));
    }

    #[test]
    fn merged_statistics_equal_those_recorded_together() {
        let (mut moments, mut histogram) = record_all(&[100, 200]);
        let (other_moments, other_histogram) = record_all(&[50, 70_000_000_000]);
        moments.merge(&other_moments);
        histogram.merge(&other_histogram);
        let (all_moments, all_histogram) = record_all(&[100, 200, 50, 70_000_000_000]);
        assert_eq!(histogram, all_histogram);
        assert_eq!(moments.variance_ns2(), all_moments.variance_ns2());
        assert_eq!((moments.minimum_ns(), moments.out_of_range()), (Some(50), 1));
    }

    #[test]
    fn variance_is_none_after_overflow_and_never_panics() {
        let (mut moments, _) = record_all(&[HIGHEST_NS; 2]);
        let double = |moments: &mut Moments, times| {
            for _ in 0..times {
                let copy = *moments;
                moments.merge(&copy);
            }
        };
        double(&mut moments, 15);
        assert_eq!((moments.samples(), moments.variance_ns2()), (1 << 16, Some(0.0)));
        double(&mut moments, 15);
        assert_eq!(moments.variance_ns2(), None);
    }
}
