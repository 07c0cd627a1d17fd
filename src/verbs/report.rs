//! `report`: turns the rows of a directory into tables and a figure.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::measured::{Measured, curves};
use super::{Ending, print};
use crate::analysis::{Curve, FEWEST_TRIALS};
use crate::report;
use crate::results;

/// What to report of.
pub struct Report {
    /// Where results.csv is.
    pub directory: PathBuf,
    /// Another measurement, to be drawn dashed.
    pub reference: Option<PathBuf>,
}

impl Report {
    pub(super) fn run(self) -> Result<Ending> {
        let measured = Measured::read(&self.directory)?;
        let curves = &measured.curves;
        let reference = self.reference.as_deref().map(reference).transpose()?.unwrap_or_default();
        let figure = self.directory.join("throughput.svg");
        fs::write(&figure, report::figure(curves, &reference)?)
            .with_context(|| format!("cannot write {}", figure.display()))?;
        let tables = [report::points(curves), report::ratios(curves), report::summary(curves)];
        let tables = tables.into_iter().filter(|table| !table.is_empty());
        print(&tables.collect::<Vec<_>>().join("\n"))?;
        for line in remarks(&measured) {
            eprintln!("{line}");
        }
        eprintln!("figure: {}", figure.display());
        tell_commands(&measured);
        Ok(Ending::Done)
    }
}

/// How to measure it again; of a loop whose every call is a run, how each of the last few.
fn tell_commands(measured: &Measured) {
    const FEW: usize = 6;
    let runs = measured.provenance.iter().flat_map(|provenance| &provenance.runs);
    let mut commands: Vec<_> = runs.map(|run| &run.command).collect();
    commands.dedup();
    let more = commands.len().saturating_sub(FEW);
    if more > 0 {
        eprintln!("to measure it again: {more} commands that run.json tells, and");
    }
    for command in &commands[more..] {
        eprintln!("to measure it again: {command}");
    }
}

/// What the tables do not say.
fn remarks(measured: &Measured) -> Vec<String> {
    let few = |curve: &Curve| curve.points.iter().any(|p| p.throughput.count < FEWEST_TRIALS);
    let few = measured.curves.iter().any(few).then(|| {
        format!(
            "points of fewer than {FEWEST_TRIALS} trials have no interval, and no difference is \
             claimed of them; measure with TRIALS=5, or --trials 5"
        )
    });
    let not_ranked = measured.not_ranked();
    let first = few.into_iter().chain(not_ranked);
    first.chain(measured.left_out()).chain(measured.notes()).collect()
}

fn reference(path: &Path) -> Result<Vec<Curve>> {
    Ok(curves(&results::read_reference(path)?))
}
