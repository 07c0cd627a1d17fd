//! The verdict: the findings in sentences.

use super::ReportInput;
use crate::analysis::{Axis, Finding};
use crate::report::page::{Block, Section};
use crate::report::prose::phrases::and_list;
use crate::report::text::printable;

/// Details are folded if there are this many statements or more after the first.
const FOLDING_THRESHOLD: usize = 6;
/// The maximum number of answers that are shown if details are folded.
const MAX_ANSWERS: usize = 4;
/// The maximum number of limitations that are shown if details are folded.
const MAX_LIMITATIONS: usize = 4;

/// The question that the page answers. It does not mention the baseline if there are other systems.
pub fn title(input: &ReportInput<'_>) -> String {
    const MAX_NAMED: usize = 5;
    let mut systems: Vec<&str> = Vec::new();
    for row in input.rows.iter().filter(|row| row.valid) {
        if !systems.contains(&&*row.system) {
            systems.push(&row.system);
        }
    }
    // Curves are in display order.
    systems.sort_by_key(|system| input.curves.iter().position(|curve| curve.system == *system));
    if systems.len() > 1 {
        systems.retain(|system| *system != input.baseline);
    }
    if input.curves.is_empty() {
        let all: Vec<_> = systems.iter().map(|&system| system.to_owned()).collect();
        let named =
            if all.len() > MAX_NAMED { format!("{} systems", all.len()) } else { and_list(&all) };
        return format!("What is the latency of {named} at a given rate?");
    }
    match systems.as_slice() {
        [one] if input.axis == Axis::Workers => format!("Do more workers help {one}?"),
        [one] => format!("How many messages per second does {one} deliver?"),
        [first @ .., last] if systems.len() <= MAX_NAMED => {
            format!("Which delivers more messages per second: {} or {last}?", first.join(", "))
        }
        all => format!("Which of {} systems delivers more messages per second?", all.len()),
    }
}

/// The most important statement as a paragraph, and the others as a list.
pub fn section(input: &ReportInput<'_>) -> Section {
    let mut section = Section::new("verdict", "The verdict");
    let mut statements = statements(input).into_iter();
    let Some(first) = statements.next() else {
        section.add_paragraph("The rows do not allow a comparison.");
        return section;
    };
    section.add_paragraph(first.text);
    let (shown, folded) = split_folded(statements.collect());
    if !shown.is_empty() {
        section.blocks.push(Block::List(shown));
    }
    if !folded.is_empty() {
        let summary = format!("More, curve by curve ({})", folded.len());
        section.blocks.push(Block::Details(summary, vec![Block::List(folded)]));
    }
    section
}

/// The role of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Answers the question of the title.
    Answer,
    /// Limits the answers.
    Limitation,
    /// Adds details.
    Detail,
}

#[derive(Debug, Clone)]
struct Statement {
    role: Role,
    text: String,
}

/// All statements. If workers are the axis, those about the number of workers come first.
fn statements(input: &ReportInput<'_>) -> Vec<Statement> {
    let is_later = |finding: &&Finding| {
        !(input.axis == Axis::Workers && matches!(finding, Finding::LevelsOff { .. }))
    };
    let mut findings: Vec<_> = input.findings.iter().collect();
    findings.sort_by_key(is_later);
    findings.into_iter().flat_map(|finding| of_finding(finding, input.axis)).collect()
}

/// The statements of one finding. A ranking has several: its first two sentences, the fastest
/// contender and its lead over the next one, and each further sentence as a detail.
fn of_finding(finding: &Finding, axis: Axis) -> Vec<Statement> {
    let role = role(finding, axis);
    let text = printable(&finding.to_string());
    if !matches!(finding, Finding::FastestByTrials { .. }) {
        return vec![Statement { role, text }];
    }
    let mut sentences = text.split_inclusive(". ").map(|sentence| sentence.trim_end().to_owned());
    let lead: Vec<_> = sentences.by_ref().take(2).collect();
    let lead = Statement { role, text: lead.join(" ") };
    let others = sentences.map(|text| Statement { role: Role::Detail, text });
    [lead].into_iter().chain(others).collect()
}

fn role(finding: &Finding, axis: Axis) -> Role {
    match finding {
        Finding::FastestByTrials { .. }
        | Finding::FastestBySlices { .. }
        | Finding::Peaks { .. }
        | Finding::FewTrials { .. }
        | Finding::SingleCurve { .. }
        | Finding::Overtakes { .. } => Role::Answer,
        Finding::LevelsOff { .. } if axis == Axis::Workers => Role::Answer,
        Finding::ClientBound { .. }
        | Finding::MaybeClientBound { .. }
        | Finding::DependsOnExclusion { .. }
        | Finding::Bounds { .. }
        | Finding::Disturbed { .. }
        | Finding::NotOnAxis { .. }
        | Finding::InvalidTrials { .. } => Role::Limitation,
        Finding::Baseline { .. }
        | Finding::LevelsOff { .. }
        | Finding::CurveEnds { .. }
        | Finding::Paced { .. } => Role::Detail,
    }
}

/// Splits statements into those that are shown and those that are folded.
fn split_folded(all: Vec<Statement>) -> (Vec<String>, Vec<String>) {
    let details = all.iter().filter(|statement| statement.role == Role::Detail).count();
    // A single detail is not worth folding.
    let all_fit =
        all.len() < FOLDING_THRESHOLD || details == 1 && all.len() <= MAX_ANSWERS + MAX_LIMITATIONS;
    let (mut answers, mut limitations) = (0, 0);
    let mut is_shown = |statement: &Statement| {
        let (count, max) = match statement.role {
            Role::Answer => (&mut answers, MAX_ANSWERS),
            Role::Limitation => (&mut limitations, MAX_LIMITATIONS),
            Role::Detail => return all_fit,
        };
        *count += 1;
        all_fit || *count <= max
    };
    let (shown, folded): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|statement| is_shown(statement));
    let texts = |statements: Vec<Statement>| {
        statements.into_iter().map(|statement| statement.text).collect()
    };
    (texts(shown), texts(folded))
}
