//! The sections of the page, one per file. Each turns results of the analysis into text, figures
//! and tables.

mod common;
mod latency;
mod provenance;
mod scalability;
mod throughput;
mod validity;
mod verdict;
mod why;

use anyhow::Result;

pub use self::throughput::MAIN_FIGURE;
use super::page::Page;
use super::text::printable;
use crate::analysis::{Axis, Comparison, Cost, Curve, Finding, PacedLoad};
use crate::results::{Provenance, Row};

/// The input of a report.
#[derive(Debug, Clone, Copy)]
pub struct ReportInput<'a> {
    /// All rows, including invalid ones.
    pub rows: &'a [Row],
    /// The parameter that varies along the curves.
    pub axis: Axis,
    /// The curves of the valid closed-loop rows, in display order; empty if all rows are paced.
    pub curves: &'a [Curve],
    /// The curves of another measurement over clients, drawn for comparison.
    pub reference: &'a [Curve],
    /// The server's CPU time per message at the peak of each curve.
    pub costs: &'a [Cost],
    /// Name of the baseline system.
    pub baseline: &'a str,
    /// The ratio of each pair of curves.
    pub comparisons: &'a [Comparison],
    /// Number of claims that are corrected together.
    pub claim_count: usize,
    /// The paced loads, in display order.
    pub paced: &'a [PacedLoad],
    /// The statements of the verdict.
    pub findings: &'a [Finding],
    /// The content of run.json, if available.
    pub provenance: Option<&'a Provenance>,
}

/// Builds the page.
///
/// # Errors
///
/// Returns an error if a figure cannot be drawn.
pub fn page(input: &ReportInput<'_>) -> Result<Page> {
    let sections = vec![
        verdict::section(input),
        throughput::section(input)?,
        why::section(input)?,
        scalability::section(input)?,
        latency::section(input)?,
        validity::section(input),
        provenance::section(input),
    ];
    Ok(Page { title: verdict::title(input), subtitle: provenance::subtitle(input), sections })
}

/// The sentences of the verdict, for output other than the page.
pub fn verdict(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| printable(&finding.to_string())).collect()
}
