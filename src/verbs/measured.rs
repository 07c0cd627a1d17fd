//! A directory of rows, read.

use std::path::Path;

use anyhow::{Result, bail};

use crate::analysis::{self, Axis, Curve};
use crate::results::{self, Provenance, Row, RunFile, ThreadRow};
use crate::systems::SYSTEMS;

/// What a directory holds.
pub struct Measured {
    /// The rows.
    pub rows: Vec<Row>,
    /// What varies in those that are valid.
    pub axis: Axis,
    /// The curves of these, over it; at least one.
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
        let curves = curves(&rows, axis);
        if curves.is_empty() {
            let advice = if rows.iter().any(|row| row.valid) {
                "; those that there are have a --rate: measure without it, too"
            } else {
                ""
            };
            bail!("{} has no valid rows to report, of {}{advice}", source.display(), rows.len());
        }
        let threads = results::read_threads(&directory.join("threads.csv"))?;
        // What it tells is worth less than the rows.
        let provenance = RunFile::of(directory).read().unwrap_or_else(|error| {
            eprintln!("echometer: warning: {error:#}");
            None
        });
        Ok(Measured { rows, axis, curves, threads, provenance })
    }
}

/// The curves, in the order of the registry.
pub fn curves(rows: &[Row], axis: Axis) -> Vec<Curve> {
    let mut curves = analysis::curves(rows, axis);
    let place = |curve: &Curve| SYSTEMS.iter().position(|system| system.name() == curve.system);
    curves.sort_by_key(|curve| place(curve).unwrap_or(SYSTEMS.len()));
    curves
}
