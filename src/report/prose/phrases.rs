//! Names, lists and values, as sentences and tables write them.

use std::fmt::Display;

use super::super::numbers::{bytes, number};
use crate::analysis::Axis;

/// More names than this in one sentence are not read.
pub const FEW: usize = 6;

/// What to do where there are too few trials: two more than the fewest that have an interval.
pub const MORE_TRIALS: &str = "measure with TRIALS=5, or --trials 5";

/// How a value of the axis is written.
pub fn written(axis: Axis) -> fn(f64) -> String {
    match axis {
        Axis::Payload => bytes,
        _ => number,
    }
}

/// What a column of its values is called.
pub fn column_of(axis: Axis) -> &'static str {
    if axis == Axis::Clients { "clients" } else { axis.name() }
}

/// The label of a curve, so that it can stand in a list: `rep, tuned` is `rep (tuned)`.
pub fn named(label: &str) -> String {
    match label.split_once(", ") {
        Some((system, options)) => format!("{system} ({options})"),
        None => label.to_owned(),
    }
}

/// So many of what `one` of is called: `1 client`, `2 clients`, `2 replies`.
pub fn counted(count: impl Copy + Display + PartialEq + From<u8>, one: &str) -> String {
    match one.strip_suffix('y') {
        _ if count == 1.into() => format!("{count} {one}"),
        Some(stem) => format!("{count} {stem}ies"),
        None => format!("{count} {one}s"),
    }
}

/// `a, b and c`.
pub fn listed(all: &[String]) -> String {
    match all {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// The first few, and how many more there are.
pub fn limited(all: &[String]) -> String {
    if all.len() <= FEW {
        return listed(all);
    }
    format!("{} and {} more", all[..FEW].join(", "), all.len() - FEW)
}

/// With a capital letter.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
