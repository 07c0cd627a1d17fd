//! The verdict: what may be said, in sentences.

use super::Given;
use crate::report::page::{Block, Section};

/// The question that the page answers. The baseline is no answer, where there are others.
pub fn title(given: &Given<'_>) -> String {
    const FEW: usize = 5;
    let mut systems: Vec<&str> = Vec::new();
    for curve in given.curves {
        if !systems.contains(&&*curve.system) {
            systems.push(&curve.system);
        }
    }
    if systems.len() > 1 {
        systems.retain(|system| *system != given.baseline);
    }
    match systems.as_slice() {
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
    let all = super::verdict(given.findings);
    let Some((most, others)) = all.split_first() else {
        section.say("The rows say nothing by which systems could be told apart.");
        return section;
    };
    let mut sentences = most.split_inclusive(". ").map(|sentence| sentence.trim_end().to_owned());
    section.say(sentences.next().unwrap_or_default());
    let rest: Vec<_> = sentences.chain(others.iter().cloned()).collect();
    if !rest.is_empty() {
        section.blocks.push(Block::List(rest));
    }
    section
}
