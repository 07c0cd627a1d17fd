//! `report`: turns the rows of a directory into a table and a figure.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{Ending, print};
use crate::analysis::{self, Curve};
use crate::report;
use crate::results::{self, Row};
use crate::systems::SYSTEMS;

/// What to report of.
pub struct Report {
    /// Where results.csv is.
    pub directory: PathBuf,
    /// Another measurement, to be drawn dashed.
    pub reference: Option<PathBuf>,
}

impl Report {
    pub(super) fn run(self) -> Result<Ending> {
        let source = self.directory.join("results.csv");
        let rows = results::read_rows(&source)?;
        let curves = curves(&rows);
        if curves.is_empty() {
            bail!("{} has no valid rows to report, of {}", source.display(), rows.len());
        }
        let reference = self.reference.as_deref().map(reference).transpose()?.unwrap_or_default();
        let figure = self.directory.join("throughput.svg");
        fs::write(&figure, report::figure(&curves, &reference)?)
            .with_context(|| format!("cannot write {}", figure.display()))?;
        print(&report::table(&curves))?;
        tell_left_out(&rows);
        eprintln!("figure: {}", figure.display());
        Ok(Ending::Done)
    }
}

fn reference(path: &Path) -> Result<Vec<Curve>> {
    Ok(curves(&results::read_reference(path)?))
}

/// The curves, in the order of the registry.
fn curves(rows: &[Row]) -> Vec<Curve> {
    let mut curves = analysis::curves(rows);
    let place = |curve: &Curve| SYSTEMS.iter().position(|system| system.name() == curve.system);
    curves.sort_by_key(|curve| place(curve).unwrap_or(SYSTEMS.len()));
    curves
}

/// Says which rows are in no mean, and why.
fn tell_left_out(rows: &[Row]) {
    for row in rows.iter().filter(|row| !row.valid) {
        let reason = row.invalid_reason.as_deref().unwrap_or("no reason is given");
        eprintln!(
            "left out: {}, {} clients, trial {}: {reason}",
            row.system, row.clients, row.trial
        );
    }
}
