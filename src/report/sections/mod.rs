//! The sections of the page, one a file: from what the analysis says to words, pictures and
//! tables.

mod common;
mod latency;
mod provenance;
mod scalability;
mod throughput;
mod validity;
mod verdict;
mod why;

use anyhow::Result;

pub use self::throughput::MAIN as MAIN_FIGURE;
use super::page::Page;
use super::text::visible;
use crate::analysis::{Axis, Comparison, Cost, Curve, Finding};
use crate::results::{Provenance, Row};

/// What a page is made of.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// All rows, those included that do not hold.
    pub rows: &'a [Row],
    /// What varies along the curves.
    pub axis: Axis,
    /// The curves of those that hold, in the order in which they are shown; none, where
    /// all rows are of a given rate.
    pub curves: &'a [Curve],
    /// The curves of another measurement, by numbers of clients.
    pub reference: &'a [Curve],
    /// What a message costs at the curves' peaks.
    pub costs: &'a [Cost],
    /// The system that the others are measured by.
    pub baseline: &'a str,
    /// The ratio of each pair of curves.
    pub comparisons: &'a [Comparison],
    /// What may be said.
    pub findings: &'a [Finding],
    /// How the rows were measured, as far as that is known.
    pub provenance: Option<&'a Provenance>,
}

/// The page.
///
/// # Errors
///
/// Where a picture cannot be drawn.
pub fn page(given: &Given<'_>) -> Result<Page> {
    let sections = vec![
        verdict::section(given),
        throughput::section(given)?,
        why::section(given)?,
        scalability::section(given)?,
        latency::section(given)?,
        validity::section(given),
        provenance::section(given),
    ];
    Ok(Page { title: verdict::title(given), subtitle: provenance::subtitle(given), sections })
}

/// The verdict in sentences, for where there is no page.
pub fn verdict(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| visible(&finding.to_string())).collect()
}
