//! `compare`: shows the changes from one measurement to another.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::measurement::{Measurement, curves};
use super::regression_gate::{GatedPoint, RegressionGate};
use super::{Outcome, print, print_status};
use crate::analysis::{
    self, Axis, Change, MissingTrials, OptionsBySystem, RoundsByRow, Verdict, missing_trials,
};
use crate::report::prose::phrases::{at_value, pluralize};
use crate::report::{self, prose::notes};

/// Options in run.json that may differ between comparable measurements: the options that identify
/// the server, the number of clients, which distinguishes the points, and the options that only
/// some systems use. The rows contain the latter for the systems that use them.
const IGNORED_OPTIONS: [&str; 9] = [
    "addr",
    "pid",
    "exec",
    "name",
    "clients",
    "workers",
    "backend",
    "completion-queues",
    "ready-timeout",
];

/// Options of `compare`.
pub struct Compare {
    /// Directory of the first measurement.
    pub a: PathBuf,
    /// Directory of the second measurement.
    pub b: PathBuf,
    /// Largest allowed loss of throughput, as a fraction; `None` allows any loss.
    pub fail_on_regression: Option<f64>,
    /// Whether to compare measurements with different options.
    pub anyway: bool,
}

impl Compare {
    pub(super) fn run(self) -> Result<Outcome> {
        let (a, mut b) = (Measurement::read(&self.a)?, Measurement::read(&self.b)?);
        if b.axis != a.axis {
            // A part of the points of A may look like points of another axis.
            b.curves = curves(&b.rows, &RoundsByRow::new(), a.axis);
        }
        check_curves(&self.a, &a)?;
        check_curves(&self.b, &b)?;
        if !self.anyway {
            self.check_options(&a, &b)?;
        }
        let changes = analysis::changes(&a.curves, &b.curves, self.anyway);
        if changes.is_empty() {
            bail!(
                "cannot compare {} and {}: no points in common; measure the same systems with the \
                 same options and numbers of clients",
                self.a.display(),
                self.b.display()
            );
        }
        let (dir_a, dir_b) = (self.a.display(), self.b.display());
        let table = report::render_text(&report::changes(&changes));
        print(&format!("A: {dir_a}\nB: {dir_b}\n\n{table}"))?;
        for (side, measurement) in [("A", &a), ("B", &b)] {
            for line in notes::left_out(&measurement.rows) {
                print_status(format_args!("{side}: {line}"));
            }
        }
        warn_of_few_trials(&changes);
        let only_b = missing_trials(&b.curves, &a.curves, self.anyway);
        for point in only_b.iter().filter(|point| point.found == 0) {
            print_status(format_args!("B only: {}", point_name(&point.label, a.axis, point.x)));
        }
        let missing = missing_trials(&a.curves, &b.curves, self.anyway);
        let Some(max_loss) = self.fail_on_regression else {
            for point in missing.iter().filter(|point| point.found == 0) {
                print_status(format_args!("A only: {}", point_name(&point.label, a.axis, point.x)));
            }
            return Ok(Outcome::Done);
        };
        Ok(gate(max_loss, a.axis, &changes, &missing).run())
    }

    fn check_options(&self, a: &Measurement, b: &Measurement) -> Result<()> {
        // The rows contain fewer options than run.json, which may be missing on one side.
        let by_file = (options_of_runs(a), options_of_runs(b));
        let by_rows =
            (analysis::options_by_system(&a.curves), analysis::options_by_system(&b.curves));
        for (options_a, options_b) in [by_file, by_rows] {
            if let Some(difference) = analysis::option_differences(&options_a, &options_b).first() {
                bail!(
                    "cannot compare {} and {}: --{} of {} is '{}' in the first and '{}' in the \
                     second; use --anyway to compare them with different options",
                    self.a.display(),
                    self.b.display(),
                    difference.name,
                    difference.system,
                    difference.a,
                    difference.b
                );
            }
        }
        Ok(())
    }
}

/// Checks that a measurement has curves, and only one per set of options.
fn check_curves(directory: &Path, measurement: &Measurement) -> Result<()> {
    let (directory, curves) = (directory.display(), &measurement.curves);
    if curves.is_empty() {
        bail!("cannot compare {directory}: all rows have a --rate; measure without --rate, too");
    }
    let has_duplicate =
        |i: usize| curves[i + 1..].iter().any(|other| curves[i].has_same_options(other));
    if (0..curves.len()).any(has_duplicate) {
        bail!(
            "cannot compare {directory}: several runs measured the same points; use one directory \
             per run"
        );
    }
    Ok(())
}

fn warn_of_few_trials(changes: &[Change]) {
    let is_few = |change: &&Change| change.verdict == Verdict::InsufficientData;
    let few = changes.iter().filter(is_few).count();
    if few > 0 {
        print_status(format_args!(
            "echometer: warning: {few} of {} points have fewer than 3 trials, so no change is \
             claimed for them; measure both with TRIALS=3 or more",
            changes.len()
        ));
    }
}

/// The name of a point, as in `rep at 24 clients`.
fn point_name(label: &str, axis: Axis, x: f64) -> String {
    format!("{label} {}", at_value(axis, x))
}

fn gate(
    max_loss: f64,
    axis: Axis,
    changes: &[Change],
    missing: &[MissingTrials],
) -> RegressionGate {
    let point = |change: &Change| GatedPoint {
        name: point_name(&change.label, axis, change.x),
        ratio: change.ratio,
        trials: change.a.count.min(change.b.count),
    };
    let missing = missing.iter().map(|MissingTrials { label, x, expected, found }| {
        let name = point_name(label, axis, *x);
        let trials = pluralize(*expected as u64, "valid trial");
        if *found == 0 {
            format!("{name} is missing in B, but A has {trials}; measure it in B, too")
        } else {
            format!("{name} has {found} of A's {trials} in B; measure the missing trials in B, too")
        }
    });
    RegressionGate {
        max_loss,
        points: changes.iter().map(point).collect(),
        missing: missing.collect(),
        advice: "in both directories (TRIALS or bench --trials), or use --interleave",
    }
}

/// Returns the options in run.json, without [`IGNORED_OPTIONS`].
fn options_of_runs(measurement: &Measurement) -> OptionsBySystem {
    let mut all = OptionsBySystem::new();
    let runs = measurement.provenance.iter().flat_map(|provenance| &provenance.runs);
    for trials in runs.flat_map(|run| &run.trials) {
        let of_system = all.entry(trials.system.clone()).or_default();
        for (name, value) in &trials.options {
            if !IGNORED_OPTIONS.contains(&name.as_str()) {
                of_system.entry(name.clone()).or_default().insert(value.clone());
            }
        }
    }
    all
}
