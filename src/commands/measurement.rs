//! Reads the results of a measurement from a directory.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::print_status;
use crate::analysis::{self, Axis, Curve, PacedLoad, RoundsByRow, rounds_by_row};
use crate::results::{
    self, ALL_DISTURBED, HistogramRow, Provenance, Row, RunFile, SliceRow, ThreadRow,
};
use crate::systems::SYSTEMS;

/// The contents of a results directory.
pub struct Measurement {
    /// All rows.
    pub rows: Vec<Row>,
    /// The quantity that varies in the valid rows.
    pub axis: Axis,
    /// The curves of the valid rows over this axis; empty if all rows have an offered load.
    pub curves: Vec<Curve>,
    /// The paced loads of the valid rows.
    pub paced: Vec<PacedLoad>,
    /// Resource usage of the servers' threads, if threads.csv exists.
    pub threads: Vec<ThreadRow>,
    /// Program, machine and options, if run.json exists.
    pub provenance: Option<Provenance>,
}

impl Measurement {
    /// Reads a results directory.
    ///
    /// # Errors
    ///
    /// If there is no valid row, or if a file is damaged.
    pub fn read(directory: &Path) -> Result<Self> {
        let source = directory.join("results.csv");
        let rows = results::read_rows(&source)?;
        let axis = Axis::of(&rows);
        let slices = results::read_slices(&directory.join(SliceRow::FILE_NAME))?;
        let rounds = rounds_by_row(&rows, &slices);
        let curves = curves(&rows, &rounds, axis);
        if !rows.iter().any(|row| row.valid) {
            bail!("{}", no_valid_rows(&source, &rows));
        }
        let histograms = results::read_histograms(&directory.join(HistogramRow::FILE_NAME))?;
        let histograms = analysis::histograms_by_row(&histograms).with_context(|| {
            format!("cannot use {}", directory.join(HistogramRow::FILE_NAME).display())
        })?;
        let paced = analysis::merged_loads(&rows, &histograms, &curves);
        let threads = results::read_threads(&directory.join("threads.csv"))?;
        // The rows are useful without run.json, so an unreadable one is only a warning.
        let provenance = RunFile::in_directory(directory).read().unwrap_or_else(|error| {
            print_status(format_args!("echometer: warning: {error:#}"));
            None
        });
        Ok(Measurement { rows, axis, curves, paced, threads, provenance })
    }
}

fn no_valid_rows(source: &Path, rows: &[Row]) -> String {
    let disturbed = |row: &Row| {
        row.invalid_reason.as_ref().is_some_and(|reason| reason.starts_with(ALL_DISTURBED))
    };
    let error = format!("cannot use {}: no valid rows (0 of {})", source.display(), rows.len());
    if !rows.is_empty() && rows.iter().all(disturbed) {
        return format!(
            "{error}: {ALL_DISTURBED}; no claim is possible on this machine now, so stop other \
             processes, measure again later, or use a machine whose CPUs are not shared"
        );
    }
    format!("{error}; measure again with 'echometer bench --csv {}'", source.display())
}

/// Returns the curves, sorted by the order of their systems in the registry, then by label.
pub fn curves(rows: &[Row], rounds: &RoundsByRow, axis: Axis) -> Vec<Curve> {
    let mut curves = analysis::sliced_curves(rows, rounds, axis);
    let position = |curve: &Curve| {
        SYSTEMS.iter().position(|system| system.name() == curve.system).unwrap_or(SYSTEMS.len())
    };
    curves.sort_by(|a, b| {
        let by_label = || natural_sort_key(&a.label).cmp(&natural_sort_key(&b.label));
        position(a).cmp(&position(b)).then_with(by_label)
    });
    curves
}

/// Splits a label into texts, each with the number after it, so that 8 sorts before 16.
fn natural_sort_key(label: &str) -> Vec<(&str, u64)> {
    let mut parts = Vec::new();
    let mut rest = label;
    while !rest.is_empty() {
        let is_digit = |c: char| c.is_ascii_digit();
        let (text, tail) = rest.split_at(rest.find(is_digit).unwrap_or(rest.len()));
        let end = tail.find(|c| !is_digit(c)).unwrap_or(tail.len());
        let number = tail[..end].parse().unwrap_or(if end == 0 { 0 } else { u64::MAX });
        parts.push((text, number));
        rest = &tail[end..];
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_labels_sort_numerically() {
        let mut labels = ["a, think 1000 us", "a, think 300 us", "a, tuned", "a", "a, 9 queues é"];
        labels.sort_by(|a, b| natural_sort_key(a).cmp(&natural_sort_key(b)));
        let sorted = ["a", "a, 9 queues é", "a, think 300 us", "a, think 1000 us", "a, tuned"];
        assert_eq!(labels, sorted);
    }
}
