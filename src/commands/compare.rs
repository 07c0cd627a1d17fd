//! `compare`: what changed from one measurement to another.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::measured::Measured;
use super::{Ending, print, tell};
use crate::analysis::{self, Options, Verdict};
use crate::report::prose::phrases::counted;
use crate::report::{self, prose::notes};

/// Options that make no difference to what is measured: who is asked, and where. The one that
/// the points are told apart by. And those that not every system heeds: rows tell which do.
const INDIFFERENT: [&str; 9] = [
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

/// What to compare.
pub struct Compare {
    /// The first measurement.
    pub a: PathBuf,
    /// The second.
    pub b: PathBuf,
    /// The largest loss that is no failure, as a share; `None`: all are none.
    pub fail_on_regression: Option<f64>,
    /// Whether to compare what was measured with different options.
    pub anyway: bool,
}

impl Compare {
    pub(super) fn run(self) -> Result<Ending> {
        let (a, b) = (Measured::read(&self.a)?, Measured::read(&self.b)?);
        for (directory, measured) in [(&self.a, &a), (&self.b, &b)] {
            if measured.curves.is_empty() {
                bail!(
                    "{} holds rows of a given --rate only; measure without it, too, to compare",
                    directory.display()
                );
            }
            if has_the_same_twice(measured) {
                bail!(
                    "{} holds runs that measured the same points; compare directories of one run each",
                    directory.display()
                );
            }
        }
        if !self.anyway {
            self.check_options(&a, &b)?;
        }
        let changes = analysis::changes(&a.curves, &b.curves, self.anyway);
        if changes.is_empty() {
            bail!(
                "{} and {} have no points in common: the same system, options and clients",
                self.a.display(),
                self.b.display()
            );
        }
        let (dir_a, dir_b) = (self.a.display(), self.b.display());
        let table = report::shown_as_text(&report::changes(&changes));
        print(&format!("A: {dir_a}\nB: {dir_b}\n\n{table}"))?;
        for (side, measured) in [("A", &a), ("B", &b)] {
            for line in notes::left_out(&measured.rows) {
                tell(format_args!("{side}: {line}"));
            }
        }
        let few = changes.iter().filter(|change| change.verdict == Verdict::TooFew).count();
        if few > 0 {
            tell(format_args!(
                "echometer: warning: {few} of {} points have fewer than 3 trials, and nothing is \
                 claimed of them; measure both with TRIALS=3 or more",
                changes.len()
            ));
        }
        let Some(most) = self.fail_on_regression else { return Ok(Ending::Done) };
        let lost: Vec<_> = changes.iter().filter(|change| change.is_regression(most)).collect();
        for change in &lost {
            tell(format_args!(
                "echometer: {} at {} lost {:.1} %, more than {:.1} %",
                change.label,
                counted(change.clients, "client"),
                -change.relative() * 100.0,
                most * 100.0
            ));
        }
        Ok(if lost.is_empty() { Ending::Done } else { Ending::Failed })
    }

    fn check_options(&self, a: &Measured, b: &Measured) -> Result<()> {
        // What both sides know: rows tell less than run.json does.
        let by_rows = (analysis::options_of(&a.curves), analysis::options_of(&b.curves));
        let by_file = (options_in_force(a), options_in_force(b));
        for (of_a, of_b) in [by_file, by_rows] {
            if let Some(differing) = analysis::differing(&of_a, &of_b).first() {
                bail!(
                    "{} and {} were measured with different options: --{} of {} is '{}' in the first and '{}' in the second; \
                     compare them all the same with --anyway",
                    self.a.display(),
                    self.b.display(),
                    differing.name,
                    differing.system,
                    differing.a,
                    differing.b
                );
            }
        }
        Ok(())
    }
}

fn has_the_same_twice(measured: &Measured) -> bool {
    let curves = &measured.curves;
    let behind = |i: usize| &curves[i + 1..];
    (0..curves.len()).any(|i| behind(i).iter().any(|other| curves[i].is_like(other)))
}

/// What run.json tells, if it is there.
fn options_in_force(measured: &Measured) -> Options {
    let mut all = Options::new();
    let runs = measured.provenance.iter().flat_map(|provenance| &provenance.runs);
    for trials in runs.flat_map(|run| &run.trials) {
        let of_system = all.entry(trials.system.clone()).or_default();
        for (name, value) in &trials.options {
            if !INDIFFERENT.contains(&name.as_str()) {
                of_system.entry(name.clone()).or_default().insert(value.clone());
            }
        }
    }
    all
}
