//! A directory of rows, read.

use std::path::Path;

use anyhow::{Result, bail};

use super::tell;
use crate::analysis::{self, Axis, Curve, RoundsByRow, rounds_by_row};
use crate::results::{self, ALL_DISTURBED, Provenance, Row, RunFile, SliceRow, ThreadRow};
use crate::systems::SYSTEMS;

/// What a directory holds.
pub struct Measured {
    /// The rows.
    pub rows: Vec<Row>,
    /// What varies in those that are valid.
    pub axis: Axis,
    /// The curves of these, over it; none, where all rows are of a given rate.
    pub curves: Vec<Curve>,
    /// What the servers' threads used, where that is known.
    pub threads: Vec<ThreadRow>,
    /// What is known of how they were measured.
    pub provenance: Option<Provenance>,
}

impl Measured {
    /// Reads a directory.
    ///
    /// # Errors
    ///
    /// Where it has no rows, none that are valid, or some that are damaged.
    pub fn read(directory: &Path) -> Result<Self> {
        let source = directory.join("results.csv");
        let rows = results::read_rows(&source)?;
        let axis = Axis::of(&rows);
        let slices = results::read_slices(&directory.join(SliceRow::FILE))?;
        let rounds = rounds_by_row(&rows, &slices);
        let curves = curves(&rows, &rounds, axis);
        if !rows.iter().any(|row| row.valid) {
            bail!("{}", no_valid_rows(&source, &rows));
        }
        let threads = results::read_threads(&directory.join("threads.csv"))?;
        // What it tells is worth less than the rows.
        let provenance = RunFile::of(directory).read().unwrap_or_else(|error| {
            tell(format_args!("echometer: warning: {error:#}"));
            None
        });
        Ok(Measured { rows, axis, curves, threads, provenance })
    }
}

fn no_valid_rows(source: &Path, rows: &[Row]) -> String {
    let disturbed = |row: &Row| {
        row.invalid_reason.as_ref().is_some_and(|reason| reason.starts_with(ALL_DISTURBED))
    };
    let none = format!("{} has no valid rows to report, of {}", source.display(), rows.len());
    if !rows.is_empty() && rows.iter().all(disturbed) {
        return format!(
            "{none}: {ALL_DISTURBED}; no claim is possible on this machine now, so stop other \
             processes, measure again later, or use a machine whose CPUs are not shared"
        );
    }
    none
}

/// The curves, in the order of the registry, and those of a system by their labels.
pub fn curves(rows: &[Row], rounds: &RoundsByRow, axis: Axis) -> Vec<Curve> {
    let mut curves = analysis::sliced_curves(rows, rounds, axis);
    let place = |curve: &Curve| {
        SYSTEMS.iter().position(|system| system.name() == curve.system).unwrap_or(SYSTEMS.len())
    };
    curves.sort_by(|a, b| {
        place(a).cmp(&place(b)).then_with(|| natural(&a.label).cmp(&natural(&b.label)))
    });
    curves
}

/// Texts and the numbers behind them, so that 8 comes before 16.
fn natural(label: &str) -> Vec<(&str, u64)> {
    let mut parts = Vec::new();
    let mut rest = label;
    while !rest.is_empty() {
        let is_digit = |c: char| c.is_ascii_digit();
        let (text, behind) = rest.split_at(rest.find(is_digit).unwrap_or(rest.len()));
        let end = behind.find(|c| !is_digit(c)).unwrap_or(behind.len());
        let number = behind[..end].parse().unwrap_or(if end == 0 { 0 } else { u64::MAX });
        parts.push((text, number));
        rest = &behind[end..];
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_labels_sort_as_numbers() {
        let mut labels = ["a, think 1000 us", "a, think 300 us", "a, tuned", "a", "a, 9 queues é"];
        labels.sort_by(|a, b| natural(a).cmp(&natural(b)));
        let sorted = ["a", "a, 9 queues é", "a, think 300 us", "a, think 1000 us", "a, tuned"];
        assert_eq!(labels, sorted);
    }
}
