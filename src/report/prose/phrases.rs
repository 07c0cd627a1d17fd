//! Formats of labels, lists, values and estimates in sentences and tables.

use std::fmt::Display;

use super::super::numbers::{bytes, compact, grouped};
use crate::analysis::{Axis, Estimate, Ratio};

/// The maximum number of items that a sentence lists.
pub const MAX_LISTED: usize = 6;

/// The advice if there are too few trials. An interval needs 3; 5 make it narrower.
pub const MORE_TRIALS_ADVICE: &str = "run 5 trials (TRIALS=5 or --trials 5)";

/// The format of the values of an axis.
pub fn axis_format(axis: Axis) -> fn(f64) -> String {
    match axis {
        Axis::Payload => bytes,
        _ => compact,
    }
}

/// The title of the column with the values of an axis.
pub fn axis_column(axis: Axis) -> &'static str {
    if axis == Axis::Clients { "clients" } else { axis.name() }
}

/// The label of a curve for use in a sentence. Options are in parentheses, because commas separate
/// the items of a list: `rep, tuned` becomes `rep (tuned)`.
pub fn inline_label(label: &str) -> String {
    match label.split_once(", ") {
        Some((system, options)) => format!("{system} ({options})"),
        None => label.to_owned(),
    }
}

/// A number with a noun in the singular or plural: `1 client`, `2 clients`, `2 replies`.
pub fn pluralize(count: impl Copy + Display + PartialEq + From<u8>, noun: &str) -> String {
    match noun.strip_suffix('y') {
        _ if count == 1.into() => format!("{count} {noun}"),
        Some(stem) => format!("{count} {stem}ies"),
        None => format!("{count} {noun}s"),
    }
}

/// All items: `a, b and c`.
pub fn and_list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// At most [`MAX_LISTED`] items: `a, b and 5 more`.
pub fn short_list(items: &[String]) -> String {
    if items.len() <= MAX_LISTED {
        return and_list(items);
    }
    format!("{} and {} more", items[..MAX_LISTED].join(", "), items.len() - MAX_LISTED)
}

/// The text with its first letter capitalized.
pub fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// A value of an axis with its unit: `24 clients`.
pub fn axis_value(axis: Axis, x: f64) -> String {
    let (number, plural) = (grouped(x, 0), if x == 1.0 { "" } else { "s" });
    match axis {
        Axis::Clients => format!("{number} client{plural}"),
        Axis::Workers => format!("{number} worker{plural}"),
        Axis::Work | Axis::Think => format!("{number} us"),
        Axis::Payload => bytes(x),
    }
}

/// A value of an axis with a preposition: `at 24 clients`.
pub fn at_value(axis: Axis, x: f64) -> String {
    let value = axis_value(axis, x);
    match axis {
        Axis::Clients => format!("at {value}"),
        Axis::Workers => format!("with {value}"),
        Axis::Work if x == 0.0 => "without work".to_owned(),
        Axis::Work => format!("at a service time of {value}"),
        Axis::Payload => format!("at a payload of {value}"),
        Axis::Think if x == 0.0 => "without think time".to_owned(),
        Axis::Think => format!("at a think time of {value}"),
    }
}

/// A number with two significant digits.
pub fn two_digits(x: f64) -> String {
    if x <= 0.0 || !x.is_finite() {
        return grouped(x, 0);
    }
    let scale = 10_f64.powf(x.log10().floor() - 1.0);
    grouped((x / scale).round() * scale, usize::from(x < 10.0))
}

/// A throughput with half the width of its interval.
pub fn rate(estimate: Estimate) -> String {
    let mean = grouped(estimate.mean, 0);
    match estimate.half_width() {
        Some(half) => format!("{mean} ± {} messages/s", grouped(half, 0)),
        None => format!("{mean} messages/s"),
    }
}

/// A ratio with half the width of its interval. Trials of different runs were not taken in turns, so
/// their ratio has no interval.
pub fn factor(ratio: &Ratio) -> String {
    let value = grouped(ratio.ratio, 2);
    match ratio.estimate.filter(|_| ratio.is_paired) {
        Some(estimate) => {
            let (low, high) = estimate.interval();
            format!("{value} ± {}", grouped((high - low) / 2.0, 2))
        }
        None if ratio.is_paired => value,
        None => format!("about {value}"),
    }
}

/// The ratio of two means without a known ratio of their trials, which has no interval.
pub fn ratio_of_means(a: Estimate, b: Estimate) -> String {
    if b.mean > 0.0 { format!("about {}", grouped(a.mean / b.mean, 2)) } else { "many".to_owned() }
}

/// The part of a sentence about a tie that states the smallest difference that would have been
/// detected; empty if it is unknown.
pub fn would_have_been_detected(noun: &str, detectable: Option<f64>) -> String {
    let text =
        |share: f64| format!("; a {noun} of {:.1} % would have been detected", share * 100.0);
    detectable.filter(|share| share.is_finite()).map_or_else(String::new, text)
}
