//! The histograms of paced trials, and percentiles of several trials.

use std::collections::BTreeMap;

use anyhow::Result;

use super::rounds::{RowKey, key};
use crate::measure::LatencyHistogram;
use crate::results::{HistogramRow, Row};

/// The histograms of one paced trial, or of several together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrialHistograms {
    /// Round-trip times.
    pub rtt: LatencyHistogram,
    /// Latencies from the scheduled send time.
    pub due: LatencyHistogram,
    /// Delays from the scheduled send time to the actual one.
    pub send_lag: LatencyHistogram,
}

/// The histograms of each paced row that has them.
pub type HistogramsByRow = BTreeMap<RowKey, TrialHistograms>;

/// Decodes the histograms of the paced trials.
///
/// # Errors
///
/// If a histogram is damaged. The error names the trial.
pub fn histograms_by_row(records: &[HistogramRow]) -> Result<HistogramsByRow> {
    let mut all = HistogramsByRow::new();
    for record in records {
        let Some(due) = record.due()? else { continue };
        let key = (record.run_id.clone(), record.started_at.clone(), record.label.clone());
        let (rtt, send_lag) = (record.rtt()?, record.send_lag()?.unwrap_or_default());
        all.insert(key, TrialHistograms { rtt, due, send_lag });
    }
    Ok(all)
}

impl TrialHistograms {
    /// Returns the sum of the histograms of these rows; `None` if a row has none.
    pub(super) fn merged(rows: &[&Row], all: &HistogramsByRow) -> Option<Self> {
        let mut merged = TrialHistograms::default();
        for row in rows {
            let TrialHistograms { rtt, due, send_lag } = all.get(&key(row))?;
            merged.rtt.merge(rtt);
            merged.due.merge(due);
            merged.send_lag.merge(send_lag);
        }
        Some(merged)
    }
}

/// A percentile of all trials together, and its range over the trials, in us.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Percentile {
    /// The percentile of all latencies of all trials. Without histograms, it is the largest
    /// percentile of a trial, which is an upper bound.
    pub us: f64,
    /// The smallest percentile of a trial.
    pub low: f64,
    /// The largest percentile of a trial.
    pub high: f64,
}

impl Percentile {
    /// Returns the percentile of the merged histogram. `of_trials` are the percentiles of the
    /// trials, in us; `None` if there is none.
    ///
    /// The percentile of the sum lies between the smallest and the largest one of the trials: at or
    /// below the latter, every trial has its share of latencies.
    pub fn of(
        quantile: f64,
        merged: Option<&LatencyHistogram>,
        of_trials: &[f64],
    ) -> Option<Percentile> {
        let low = of_trials.iter().copied().min_by(f64::total_cmp)?;
        let high = of_trials.iter().copied().max_by(f64::total_cmp)?;
        let merged = merged.and_then(|merged| merged.quantile_ns(quantile));
        let us = merged.map_or(high, |ns| (ns as f64 / 1e3).clamp(low, high));
        Some(Percentile { us, low, high })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn histogram(us: impl IntoIterator<Item = u64>) -> LatencyHistogram {
        let mut histogram = LatencyHistogram::default();
        us.into_iter().for_each(|us| histogram.record_saturating(Duration::from_micros(us)));
        histogram
    }

    fn row(started_at: &str) -> Row {
        Row { started_at: started_at.to_owned(), ..Row::default() }
    }

    fn record(started_at: &str, due: &LatencyHistogram) -> HistogramRow {
        let text = due.to_text().unwrap();
        HistogramRow {
            started_at: started_at.to_owned(),
            rtt: text.clone(),
            due: Some(text),
            ..HistogramRow::default()
        }
    }

    #[test]
    fn a_percentile_of_trials_is_that_of_their_sum_and_not_the_mean() {
        // 99 of 100 requests within 100 us; and 1 to 100 ms, of which 99 are within 99 ms.
        let (fast, slow) =
            (histogram((1..=100).map(|_| 100)), histogram((1..=100).map(|ms| ms * 1000)));
        let records = [record("1", &fast), record("2", &slow)];
        let all = histograms_by_row(&records).unwrap();
        let (first, second) = (row("1"), row("2"));
        let merged = TrialHistograms::merged(&[&first, &second], &all).unwrap();
        // Of 200 requests, 198 are within 98 ms: 100 of the first trial, 98 of the second.
        let p99 = Percentile::of(0.99, Some(&merged.due), &[100.0, 99_000.0]).unwrap();
        assert!((p99.us / 98_000.0 - 1.0).abs() < 0.001, "{p99:?}");
        assert_eq!((p99.low, p99.high), (100.0, 99_000.0));
        assert_eq!(TrialHistograms::merged(&[&first, &row("3")], &all), None);
    }

    #[test]
    fn without_histograms_a_percentile_is_the_largest_of_the_trials() {
        let p99 = Percentile::of(0.99, None, &[2_996.0, 2_589.0, 63_996.0]);
        assert_eq!(p99, Some(Percentile { us: 63_996.0, low: 2_589.0, high: 63_996.0 }));
        assert_eq!(Percentile::of(0.99, None, &[]), None);
    }

    #[test]
    fn the_percentile_of_one_trial_is_its_own() {
        // The histogram's bucket ends above the exact maximum, which is the percentile of the row.
        let one = histogram([1_000_001]);
        let p99 = Percentile::of(0.99, Some(&one), &[1_000_001.0]).unwrap();
        assert_eq!((p99.us, p99.low, p99.high), (1_000_001.0, 1_000_001.0, 1_000_001.0));
    }
}
