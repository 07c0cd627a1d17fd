//! `compare --interleave`: measures two builds of this program against each other, slice by slice
//! in one bench, so that drift of the machine affects both alike.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::regression_gate::{GatedPoint, RegressionGate};
use super::{Bench, Outcome, print, print_status};
use crate::analysis::{self, BuildRatio, rounds_by_row};
use crate::report::prose::phrases::{and_list, pluralize};
use crate::report::{self, prose::notes};
use crate::results::{self, Row, SliceRow, sibling_file};

/// Options of `compare --interleave`.
pub struct Interleave {
    /// The executables of the first and of the second build.
    pub programs: [PathBuf; 2],
    /// The labels of the contenders, without the letter of the build.
    pub labels: Vec<String>,
    /// The labels of the contenders in `bench`, for the first and the second build.
    pub pairs: Vec<[String; 2]>,
    /// The measurement. Without a CSV file, the rows are discarded.
    pub bench: Bench,
    /// Largest allowed loss of throughput, as a fraction; `None` allows any loss.
    pub fail_on_regression: Option<f64>,
}

impl Interleave {
    pub(super) fn run(mut self) -> Result<Outcome> {
        self.programs.iter().try_for_each(|program| check_executable(program))?;
        let discarded = tempfile::Builder::new()
            .prefix("echometer-")
            .tempdir()
            .context("cannot create a directory for the rows; is TMPDIR writable?")?;
        let csv = self.bench.csv.get_or_insert_with(|| discarded.path().join("results.csv"));
        let csv = csv.clone();
        let (run_id, clients) =
            (self.bench.spec.run_id.clone(), self.bench.spec.load.clients.get());
        let outcome = self.bench.run()?;
        if outcome == Outcome::Interrupted {
            return Ok(outcome);
        }
        let (rows, slices) = read(&csv, &run_id)?;
        let ratios = analysis::build_ratios(&rows, &rounds_by_row(&rows, &slices), &self.pairs);
        let [a, b] = self.programs.each_ref().map(|program| program.display());
        let table = report::render_text(&report::interleaved_table(&self.labels, &ratios));
        print(&format!("A: {a}\nB: {b}\n{}\n\n{table}", pluralize(clients as u64, "client")))?;
        // The bench has already named the trials that are not valid.
        notes::slices_left_out(&rows).into_iter().for_each(print_status);
        Ok(match self.fail_on_regression {
            Some(max_loss) => gate(max_loss, clients, &self.labels, &ratios).run(),
            None => outcome,
        })
    }
}

fn check_executable(program: &Path) -> Result<()> {
    let name = program.display();
    let file = program.metadata().with_context(|| {
        format!("cannot use the program {name}; give the path of an echometer executable")
    })?;
    if !file.is_file() || file.permissions().mode() & 0o111 == 0 {
        bail!(
            "cannot use the program {name}: it is not an executable file; build it, or use chmod"
        );
    }
    Ok(())
}

/// Reads the rows and slices of this run. The files may contain other runs.
fn read(csv: &Path, run_id: &str) -> Result<(Vec<Row>, Vec<SliceRow>)> {
    let mut rows = results::read_rows(csv)?;
    rows.retain(|row| row.run_id == run_id);
    let slices = sibling_file(csv, SliceRow::FILE_NAME)
        .with_context(|| format!("cannot read the rows back from {}: use a file", csv.display()))?;
    let mut slices = results::read_slices(&slices)?;
    slices.retain(|slice| slice.run_id == run_id);
    Ok((rows, slices))
}

fn gate(max_loss: f64, clients: usize, labels: &[String], ratios: &[BuildRatio]) -> RegressionGate {
    let name = |label: &String| format!("{label} at {}", pluralize(clients as u64, "client"));
    let point = |(label, ratio): (&String, &BuildRatio)| GatedPoint {
        name: name(label),
        ratio: ratio.estimate,
        trials: ratio.trials,
    };
    let failed = |(label, ratio): (&String, &BuildRatio)| {
        let trials: Vec<_> = ratio.failed_trials.iter().map(u32::to_string).collect();
        (!trials.is_empty()).then(|| {
            let name = name(label);
            format!("{name} failed in B but not in A, in trial {}", and_list(&trials))
        })
    };
    RegressionGate {
        max_loss,
        points: labels.iter().zip(ratios).map(point).collect(),
        missing: labels.iter().zip(ratios).filter_map(failed).collect(),
        advice: "with --trials, or raise --duration",
    }
}
