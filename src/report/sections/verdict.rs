//! The verdict: what may be said, in sentences.

use super::Given;
use crate::analysis::{Axis, Finding};
use crate::report::page::{Block, Section};
use crate::report::prose::phrases::listed;
use crate::report::text::visible;

/// Of more statements, those that answer are led with, and the others are one click away.
const FEW: usize = 6;
/// Of those that answer, and of those that limit what may be said, so many are led with.
const ANSWERS: usize = 4;
const LIMITS: usize = 4;

/// The question that the page answers. The baseline is no answer, where there are others.
pub fn title(given: &Given<'_>) -> String {
    const FEW: usize = 5;
    let mut systems: Vec<&str> = Vec::new();
    for row in given.rows.iter().filter(|row| row.valid) {
        if !systems.contains(&&*row.system) {
            systems.push(&row.system);
        }
    }
    // The curves are in the order in which systems are shown.
    systems.sort_by_key(|system| given.curves.iter().position(|curve| curve.system == *system));
    if systems.len() > 1 {
        systems.retain(|system| *system != given.baseline);
    }
    if given.curves.is_empty() {
        let all: Vec<_> = systems.iter().map(|&system| system.to_owned()).collect();
        let few = if all.len() > FEW { format!("{} systems", all.len()) } else { listed(&all) };
        return format!("How long do replies take at a given rate, with {few}?");
    }
    match systems.as_slice() {
        [one] if given.axis == Axis::Workers => format!("Do more workers help {one}?"),
        [one] => format!("How many messages per second does {one} carry?"),
        [first @ .., last] if systems.len() <= FEW => {
            format!("Which carries more messages per second: {} or {last}?", first.join(", "))
        }
        all => format!("Which of {} systems carries more messages per second?", all.len()),
    }
}

/// The answer first, in a paragraph of its own; what else may be said behind it.
pub fn section(given: &Given<'_>) -> Section {
    let mut section = Section::new("verdict", "The verdict");
    let Some((lead, rest)) = statements(given).split_first().map(|(a, b)| (a.clone(), b.to_vec()))
    else {
        section.say("The rows say nothing by which systems could be told apart.");
        return section;
    };
    section.say(lead.words);
    let (shown, folded) = led_with(rest);
    if !shown.is_empty() {
        section.blocks.push(Block::List(shown));
    }
    if !folded.is_empty() {
        let more = format!("More, curve by curve ({})", folded.len());
        section.blocks.push(Block::Folded(more, vec![Block::List(folded)]));
    }
    section
}

/// What a statement is to who wants an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Answer,
    Limit,
    Detail,
}

#[derive(Debug, Clone)]
struct Statement {
    weight: Weight,
    words: String,
}

/// All statements, those first that answer the question of the axis.
fn statements(given: &Given<'_>) -> Vec<Statement> {
    let answers_first = |finding: &&Finding| {
        !(given.axis == Axis::Workers && matches!(finding, Finding::Levels { .. }))
    };
    let mut findings: Vec<_> = given.findings.iter().collect();
    findings.sort_by_key(answers_first);
    findings.into_iter().flat_map(|finding| of_finding(finding, given.axis)).collect()
}

/// Of who carries most, what leads and by how much over the next; each of the others is a detail.
fn of_finding(finding: &Finding, axis: Axis) -> Vec<Statement> {
    let weight = weight(finding, axis);
    let words = visible(&finding.to_string());
    if !matches!(finding, Finding::Most { .. }) {
        return vec![Statement { weight, words }];
    }
    let mut sentences = words.split_inclusive(". ").map(|sentence| sentence.trim_end().to_owned());
    let lead: Vec<_> = sentences.by_ref().take(2).collect();
    let lead = Statement { weight, words: lead.join(" ") };
    let others = sentences.map(|words| Statement { weight: Weight::Detail, words });
    [lead].into_iter().chain(others).collect()
}

fn weight(finding: &Finding, axis: Axis) -> Weight {
    match finding {
        Finding::Most { .. }
        | Finding::Fastest { .. }
        | Finding::Peaks { .. }
        | Finding::FewTrials { .. }
        | Finding::Only { .. }
        | Finding::Overtakes { .. } => Weight::Answer,
        Finding::Levels { .. } if axis == Axis::Workers => Weight::Answer,
        Finding::ClientsBound { .. }
        | Finding::DependsOnExclusion { .. }
        | Finding::Bounds { .. }
        | Finding::Disturbed { .. }
        | Finding::NotOnAxis { .. }
        | Finding::LeftOut { .. } => Weight::Limit,
        Finding::Baseline { .. }
        | Finding::Levels { .. }
        | Finding::Ends { .. }
        | Finding::Paced { .. } => Weight::Detail,
    }
}

/// Those that are shown, and those that are one click away.
fn led_with(all: Vec<Statement>) -> (Vec<String>, Vec<String>) {
    let fits = all.len() < FEW;
    let lone = |all: &[Statement]| all.iter().filter(|one| one.weight == Weight::Detail).count();
    let fits = fits || lone(&all) == 1 && all.len() <= ANSWERS + LIMITS;
    let (mut answers, mut limits) = (0, 0);
    let mut is_shown = |statement: &Statement| {
        let (count, most) = match statement.weight {
            Weight::Answer => (&mut answers, ANSWERS),
            Weight::Limit => (&mut limits, LIMITS),
            Weight::Detail => return fits,
        };
        *count += 1;
        fits || *count <= most
    };
    let (shown, folded): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| is_shown(one));
    let words = |all: Vec<Statement>| all.into_iter().map(|one| one.words).collect();
    (words(shown), words(folded))
}
