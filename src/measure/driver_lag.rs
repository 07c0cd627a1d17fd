//! The lag of the lean driver: how long replies that epoll has reported wait for the driver.

use std::time::Duration;

use super::LatencyHistogram;

/// The distribution of the lags of one thread, slice by slice if the load has slices.
#[derive(Debug, Default, Clone)]
pub struct DriverLag {
    histogram: LatencyHistogram,
    /// Lags of the current slice in ns, held until the slice is kept or left out; `None` for a
    /// load without slices.
    slice: Option<Vec<u64>>,
}

impl DriverLag {
    /// Records lags slice by slice; a slice may hold `capacity` lags without allocating.
    pub fn use_slices(&mut self, capacity: usize) {
        self.slice = Some(Vec::with_capacity(capacity));
    }

    /// Records the time from the return of epoll to a handled reply.
    #[inline]
    pub fn record(&mut self, lag: Duration) {
        let ns = u64::try_from(lag.as_nanos()).unwrap_or(u64::MAX).max(1);
        match &mut self.slice {
            Some(slice) => slice.push(ns),
            None => self.histogram.record(ns),
        }
    }

    /// Ends a slice: records its lags if the slice is kept, and drops them otherwise.
    pub fn end_slice(&mut self, keep: bool) {
        let Some(slice) = &mut self.slice else { return };
        let histogram = &mut self.histogram;
        slice.drain(..).filter(|_| keep).for_each(|ns| histogram.record(ns));
    }

    /// Adds the lags of another thread.
    pub fn merge(&mut self, other: &DriverLag) {
        self.histogram.merge(&other.histogram);
    }

    /// The 99th percentile; `None` without samples.
    pub fn p99(&self) -> Option<Duration> {
        self.histogram.quantile_ns(0.99).map(Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lags_of_kept_slices_and_of_all_threads_count() {
        let of_lags = |lags_us: &[(u64, bool)]| {
            let mut lag = DriverLag::default();
            lag.use_slices(2);
            for (us, keep) in lags_us {
                (0..100).for_each(|_| lag.record(Duration::from_micros(*us)));
                lag.end_slice(*keep);
            }
            lag
        };
        let mut all = of_lags(&[(1, true), (500, false), (2, true)]);
        assert_eq!(all.p99().map(|lag| lag.as_micros()), Some(2));
        // 4 of 204 lags are longer.
        let mut other = DriverLag::default();
        (0..4).for_each(|_| other.record(Duration::from_micros(9)));
        all.merge(&other);
        assert_eq!(all.p99().map(|lag| lag.as_micros()), Some(9));
        assert_eq!(DriverLag::default().p99(), None);
    }

    #[test]
    fn a_lag_below_the_clocks_resolution_counts_as_one_ns() {
        let mut lag = DriverLag::default();
        lag.record(Duration::ZERO);
        assert_eq!(lag.p99(), Some(Duration::from_nanos(1)));
    }
}
