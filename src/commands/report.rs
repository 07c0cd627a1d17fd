//! `report`: turns the rows of a directory into a page, tables and figures.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use strum::{Display, EnumString, VariantNames};

use super::measured::{Measured, curves};
use super::{Ending, print, tell};
use crate::analysis::{self, Axis, Comparison, Curve, RoundsByRow};
use crate::report::{self, Given, MAIN_FIGURE, Page, prose::notes};
use crate::results;
use crate::systems::BASELINE;

/// What to report of.
pub struct Report {
    /// Where results.csv is.
    pub directory: PathBuf,
    /// Another measurement, to be drawn beside it.
    pub reference: Option<PathBuf>,
    /// What to write.
    pub format: Format,
}

/// What a report is written as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Display, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Format {
    /// One page for a browser, and tables for the terminal.
    #[default]
    Html,
    /// Markdown, with its pictures beside it.
    #[strum(serialize = "md")]
    Markdown,
    /// One JSON object on stdout; docs/report.schema.json describes it.
    Json,
}

impl Report {
    pub(super) fn run(self) -> Result<Ending> {
        let measured = Measured::read(&self.directory)?;
        let reference = self.reference.as_deref().map(reference).transpose()?.unwrap_or_default();
        let Measured { rows, axis, curves, threads, provenance, .. } = &measured;
        let comparisons = analysis::comparisons(curves);
        let findings = analysis::findings(curves, rows, *axis, BASELINE.name());
        let given = Given {
            rows,
            axis: *axis,
            curves,
            reference: &reference,
            costs: &analysis::costs(curves, *axis, threads, BASELINE.name()),
            baseline: BASELINE.name(),
            comparisons: &comparisons,
            findings: &findings,
            provenance: provenance.as_ref(),
        };
        if self.format == Format::Json {
            print(&report::json(&given)?)?;
            said(&measured, &comparisons).into_iter().for_each(tell);
            return Ok(Ending::Done);
        }
        let page = report::page(&given)?;
        let written = self.write(&page)?;
        match self.format {
            Format::Html | Format::Json => {
                print(&text(&measured, &comparisons, &report::verdict(&findings)))?;
            }
            Format::Markdown => print(&report::markdown(&page))?,
        }
        for line in said(&measured, &comparisons) {
            tell(line);
        }
        for (what, path) in written {
            tell(format_args!("{what}: {}", path.display()));
        }
        tell_commands(&measured);
        Ok(Ending::Done)
    }

    /// Writes the page and its pictures, and says what is where.
    fn write(&self, page: &Page) -> Result<Vec<(&'static str, PathBuf)>> {
        let write = |name: &str, text: &str| -> Result<PathBuf> {
            let path = self.directory.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(path)
        };
        let mut written = Vec::new();
        for figure in page.figures() {
            if self.format == Format::Markdown || figure.id == MAIN_FIGURE {
                written.push(("figure", write(&report::file_of(figure), &figure.svg)?));
            }
        }
        written.push(match self.format {
            Format::Html | Format::Json => ("report", write("report.html", &report::html(page)?)?),
            Format::Markdown => ("report", write("report.md", &report::markdown(page))?),
        });
        Ok(written)
    }
}

/// The verdict, and the tables.
fn text(measured: &Measured, comparisons: &[Comparison], verdict: &[String]) -> String {
    let Measured { rows, axis, curves, .. } = measured;
    let paced = analysis::paced(rows, curves);
    let tables = [
        (!curves.is_empty()).then(|| report::points(curves, *axis)),
        (!paced.is_empty()).then(|| report::paced(&paced)),
        (!curves.is_empty()).then(|| report::summary(curves, *axis)),
    ];
    let matrices = report::matrices(comparisons, *axis);
    let tables = matrices.iter().chain(tables.iter().flatten()).map(report::shown_as_text);
    let verdict = (!verdict.is_empty()).then(|| verdict.join("\n") + "\n");
    verdict.into_iter().chain(tables).collect::<Vec<_>>().join("\n")
}

/// How to measure it again.
fn tell_commands(measured: &Measured) {
    let runs = measured.provenance.as_ref().map_or(&[][..], |provenance| &provenance.runs);
    let (commands, more) = notes::commands(runs);
    if more > 0 {
        tell(format_args!("to measure it again: {more} commands that run.json tells, and"));
    }
    for command in commands {
        tell(format_args!("to measure it again: {command}"));
    }
}

/// What the tables do not say.
fn said(measured: &Measured, comparisons: &[Comparison]) -> Vec<String> {
    let Measured { rows, axis, curves, .. } = measured;
    let few = notes::few_trials(curves).into_iter();
    let left_out = notes::left_out(rows);
    few.chain(notes::not_ranked(curves, *axis))
        .chain(notes::set_aside(curves))
        .chain(left_out)
        .chain(notes::slices_left_out(rows))
        .chain(notes::notes(rows))
        .chain(notes::corrected(comparisons))
        .collect()
}

fn reference(path: &Path) -> Result<Vec<Curve>> {
    Ok(curves(&results::read_reference(path)?, &RoundsByRow::new(), Axis::Clients))
}
