//! Percentile files (`.hgrm`) in the format that HdrHistogram's tools write and plot.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use super::csv_file::CHECK_PATH;
use crate::measure::{LatencyHistogram, Moments};

/// A percentile file. It is rewritten for each trial that is added.
#[derive(Debug)]
pub struct HgrmFile {
    path: PathBuf,
    file: File,
    moments: Moments,
    histogram: LatencyHistogram,
}

impl HgrmFile {
    /// Opens the file and truncates it.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|error| {
            let path = path.display();
            anyhow!("cannot write {path}: {error}; {CHECK_PATH}")
        })?;
        let (moments, histogram) = (Moments::default(), LatencyHistogram::default());
        Ok(HgrmFile { path: path.to_owned(), file, moments, histogram })
    }

    /// Adds the latencies of a trial.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written, for example because the disk is full.
    pub fn add(&mut self, moments: &Moments, histogram: &LatencyHistogram) -> Result<()> {
        self.moments.merge(moments);
        self.histogram.merge(histogram);
        let text = format_percentiles(&self.moments, &self.histogram);
        let mut write = || {
            self.file.rewind()?;
            self.file.write_all(text.as_bytes())?;
            self.file.set_len(text.len() as u64)
        };
        write().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Returns the content of the file; latencies are in us.
fn format_percentiles(moments: &Moments, histogram: &LatencyHistogram) -> String {
    let us = |ns: f64| ns / 1e3;
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    // Writing to a String cannot fail.
    for (ns, quantile, count) in histogram.steps() {
        let _ = write!(text, "{:>12.3} {quantile:>2.12} {count:>10}", us(ns as f64));
        let _ = match quantile {
            q if q < 1.0 => writeln!(text, " {:>14.2}", 1.0 / (1.0 - q)),
            _ => writeln!(text),
        };
    }
    let deviation = moments.variance_ns2().unwrap_or(0.0).sqrt();
    let _ = writeln!(
        text,
        "#[Mean    = {:>12.3}, StdDeviation   = {:>12.3}]\n\
         #[Max     = {:>12.3}, Total count    = {:>12}]",
        us(moments.mean_ns().unwrap_or(0.0)),
        us(deviation),
        us(moments.maximum_ns().unwrap_or(0) as f64),
        moments.samples()
    );
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn file_contains_percentiles_and_moments_of_all_trials() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.hgrm");
        let mut file = HgrmFile::open(&path).unwrap();
        for us in [1..=500, 501..=1000] {
            let (mut moments, mut histogram) = (Moments::default(), LatencyHistogram::default());
            for ns in us.filter_map(|us| moments.record(Duration::from_micros(us))) {
                histogram.record(ns);
            }
            file.add(&moments, &histogram).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let rows: Vec<Vec<f64>> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .skip(2)
            .map(|line| line.split_whitespace().map(|word| word.parse().unwrap()).collect())
            .collect();
        let median = rows.iter().find(|row| row[1] >= 0.5).unwrap();
        assert!((median[0] / 500.0 - 1.0).abs() < 0.001 && median[2] >= 500.0, "{median:?}");
        assert!(rows.is_sorted_by(|a, b| a[0] <= b[0] && a[2] <= b[2]), "{text}");
        let last = rows.last().unwrap();
        assert_eq!((last[1], last[2], last.len()), (1.0, 1000.0, 3));
        assert!(
            text.contains("#[Mean    =      500.500, StdDeviation   =      288.819]"),
            "{text}"
        );
        assert!(text.contains("Total count    =         1000]"), "{text}");
    }
}
