//! `report`: creates a report from measured rows: verdict, tables and figures.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use strum::{Display, EnumString, VariantNames};

use super::measurement::{Measurement, curves};
use super::{Outcome, print, print_status};
use crate::analysis::{self, Axis, Claims, Comparison, Curve, RoundsByRow};
use crate::report::{self, MAIN_FIGURE, Page, ReportInput, prose::notes};
use crate::results;
use crate::systems::BASELINE;

/// Options of `report`.
pub struct Report {
    /// Directory that contains results.csv.
    pub directory: PathBuf,
    /// CSV file of another measurement to draw in the same figure.
    pub reference: Option<PathBuf>,
    /// Output format.
    pub format: Format,
}

/// Output format of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Display, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Format {
    /// An HTML page, and tables on stdout.
    #[default]
    Html,
    /// Markdown, with figures as separate files.
    #[strum(serialize = "md")]
    Markdown,
    /// One JSON object on stdout; docs/report.schema.json describes it.
    Json,
}

impl Report {
    pub(super) fn run(self) -> Result<Outcome> {
        let measurement = Measurement::read(&self.directory)?;
        let reference = self.reference.as_deref().map(reference).transpose()?.unwrap_or_default();
        let Measurement { rows, axis, curves, paced, threads, provenance, .. } = &measurement;
        let claims = analysis::claims(curves, *axis);
        let findings = analysis::findings_with_loads(curves, rows, paced, *axis, BASELINE.name());
        let input = ReportInput {
            rows,
            axis: *axis,
            curves,
            reference: &reference,
            costs: &analysis::costs(curves, *axis, threads, BASELINE.name()),
            baseline: BASELINE.name(),
            comparisons: &claims.comparisons,
            claim_count: claims.count(),
            paced,
            findings: &findings,
            provenance: provenance.as_ref(),
        };
        if self.format == Format::Json {
            print(&report::json(&input)?)?;
            all_notes(&measurement, &claims).into_iter().for_each(print_status);
            return Ok(Outcome::Done);
        }
        let page = report::page(&input)?;
        let written = self.write(&page)?;
        match self.format {
            Format::Html | Format::Json => {
                print(&terminal_report(
                    &measurement,
                    &claims.comparisons,
                    &report::verdict(&findings),
                ))?;
            }
            Format::Markdown => print(&report::markdown(&page))?,
        }
        all_notes(&measurement, &claims).into_iter().for_each(print_status);
        for (kind, path) in written {
            print_status(format_args!("{kind}: {}", path.display()));
        }
        print_repeat_commands(&measurement);
        Ok(Outcome::Done)
    }

    /// Writes the page and its figures. Returns the kind and path of each file.
    fn write(&self, page: &Page) -> Result<Vec<(&'static str, PathBuf)>> {
        let write = |name: &str, text: &str| -> Result<PathBuf> {
            let path = self.directory.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(path)
        };
        let mut written = Vec::new();
        for figure in page.figures() {
            if self.format == Format::Markdown || figure.id == MAIN_FIGURE {
                written.push(("figure", write(&report::svg_file_name(figure), &figure.svg)?));
            }
        }
        written.push(match self.format {
            Format::Html | Format::Json => ("report", write("report.html", &report::html(page)?)?),
            Format::Markdown => ("report", write("report.md", &report::markdown(page))?),
        });
        Ok(written)
    }
}

/// Returns the verdict and the tables as text.
fn terminal_report(
    measurement: &Measurement,
    comparisons: &[Comparison],
    verdict: &[String],
) -> String {
    let Measurement { axis, curves, paced, .. } = measurement;
    let tables = [
        (!curves.is_empty()).then(|| report::points(curves, *axis)),
        (!paced.is_empty()).then(|| report::paced_table(paced)),
        (!curves.is_empty()).then(|| report::summary(curves, *axis)),
    ];
    let matrices = report::matrices(comparisons, *axis);
    let tables = matrices.iter().chain(tables.iter().flatten()).map(report::render_text);
    let verdict = (!verdict.is_empty()).then(|| verdict.join("\n") + "\n");
    verdict.into_iter().chain(tables).collect::<Vec<_>>().join("\n")
}

/// Prints the commands that repeat the measurement.
fn print_repeat_commands(measurement: &Measurement) {
    let runs = measurement.provenance.as_ref().map_or(&[][..], |provenance| &provenance.runs);
    let (commands, more) = notes::commands(runs);
    if more > 0 {
        print_status(format_args!("to repeat the run: {more} earlier commands in run.json, then"));
    }
    for command in commands {
        print_status(format_args!("to repeat the run: {command}"));
    }
}

/// Returns the notes that complement the tables.
fn all_notes(measurement: &Measurement, claims: &Claims) -> Vec<String> {
    let Measurement { rows, axis, curves, .. } = measurement;
    let few_trials = notes::few_trials(curves).into_iter();
    let left_out = notes::left_out(rows);
    few_trials
        .chain(notes::not_ranked(curves, *axis))
        .chain(notes::disturbed_trials(curves))
        .chain(left_out)
        .chain(notes::slices_left_out(rows))
        .chain(notes::network(rows))
        .chain(notes::notes(rows))
        .chain(notes::holm_correction(claims.count()))
        .collect()
}

fn reference(path: &Path) -> Result<Vec<Curve>> {
    Ok(curves(&results::read_reference(path)?, &RoundsByRow::new(), Axis::Clients))
}
