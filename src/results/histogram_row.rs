//! Latency histograms of trials: the rows of `histograms.csv`.

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};

use super::Row;
use crate::measure::{Distributions, LatencyHistogram};

/// The histograms of one trial. `run_id`, `started_at` and `label` identify the trial's row.
///
/// Each histogram is text: HdrHistogram's compressed V2 encoding in base64, in ns. Percentiles of
/// several trials come from their sum, because means of percentiles have no meaning.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HistogramRow {
    /// Identifier of the run.
    pub run_id: String,
    /// When the trial started.
    pub started_at: String,
    /// Label of the contender.
    pub label: String,
    /// Round-trip times.
    pub rtt: String,
    /// Latencies from the scheduled send time; empty for a closed loop, like `send_lag`.
    pub due: Option<String>,
    /// Delays from the scheduled send time to the actual one.
    pub send_lag: Option<String>,
}

impl HistogramRow {
    /// Name of the file, in the directory of `results.csv`.
    pub const FILE_NAME: &'static str = "histograms.csv";

    /// Creates the record of the trial of `row`.
    pub fn new(row: &Row, distributions: &Distributions) -> Self {
        // The encoding fails only for counts above 2^63. A missing histogram loses no row.
        let text = |histogram: &LatencyHistogram| histogram.to_text().unwrap_or_default();
        let optional = |histogram: &Option<Box<LatencyHistogram>>| histogram.as_deref().map(text);
        HistogramRow {
            run_id: row.run_id.clone(),
            started_at: row.started_at.clone(),
            label: row.label.clone(),
            rtt: text(&distributions.rtt),
            due: optional(&distributions.from_due),
            send_lag: optional(&distributions.send_lag),
        }
    }

    /// Decodes the latencies from the scheduled send time; `None` for a closed loop.
    ///
    /// # Errors
    ///
    /// If the text is damaged.
    pub fn due(&self) -> Result<Option<LatencyHistogram>> {
        self.due.as_ref().map(|text| self.decode("due", text)).transpose()
    }

    /// Decodes the delays until requests were sent; `None` for a closed loop.
    ///
    /// # Errors
    ///
    /// As [`HistogramRow::due`].
    pub fn send_lag(&self) -> Result<Option<LatencyHistogram>> {
        self.send_lag.as_ref().map(|text| self.decode("send_lag", text)).transpose()
    }

    /// Decodes the round-trip times.
    ///
    /// # Errors
    ///
    /// As [`HistogramRow::due`].
    pub fn rtt(&self) -> Result<LatencyHistogram> {
        self.decode("rtt", &self.rtt)
    }

    fn decode(&self, column: &str, text: &str) -> Result<LatencyHistogram> {
        LatencyHistogram::from_text(text).map_err(|error| {
            anyhow!(
                "cannot read the histogram '{column}' of the trial that started at {}: {error:#}; \
                 delete this line to report without it",
                self.started_at
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_histogram_is_an_error_that_names_its_trial() {
        let row = HistogramRow {
            started_at: "2026-01-01T00:00:00.000Z".to_owned(),
            due: Some("damaged".to_owned()),
            ..HistogramRow::default()
        };
        let error = row.due().unwrap_err().to_string();
        assert!(error.contains("started at 2026-01-01T00:00:00.000Z"), "{error}");
        assert_eq!(HistogramRow::default().due().unwrap(), None);
    }
}
