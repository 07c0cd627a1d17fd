//! Findings as sentences. A sentence that reports a problem also gives advice.

use std::collections::BTreeSet;
use std::fmt;

use super::super::numbers::{bytes, grouped, rounded_bytes};
use super::super::paced;
use super::super::sliced;
use super::bounds::{bounds, client_bound, maybe_client_bound};
use super::phrases::{
    MAX_LISTED, MORE_TRIALS_ADVICE, and_list, at_value, axis_value, capitalize, factor,
    inline_label, pluralize, rate, ratio_of_means, short_list, two_digits,
    would_have_been_detected,
};
use crate::analysis::{
    Axis, Claim, Crossover, CurvePoint, Finding, LabeledPoint, Lead, LeadRange, MIN_TRIALS, Ratio,
};
use crate::results::ALL_DISTURBED;

/// The advice if every slice of a trial was disturbed.
const ALL_DISTURBED_ADVICE: &str = "No claim about disturbed trials is possible: stop other \
                                    processes, measure again later, or use a machine whose CPUs \
                                    are not shared.";

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Finding::FastestByTrials { axis, at, leader, others, all_rankable } => {
                fastest_by_trials(*axis, *at, leader, others, *all_rankable)
            }
            Finding::FastestBySlices { axis, leader, others } => {
                sliced::fastest(*axis, leader, others)
            }
            Finding::Peaks { axis, points } => sliced::peaks(*axis, points),
            Finding::DependsOnExclusion { axis, ratios } => {
                sliced::depends_on_exclusion(*axis, ratios)
            }
            Finding::FewTrials { axis, at, points } => few_trials(*axis, *at, points),
            Finding::Baseline { axis, at, point, leader, ratio } => {
                let (label, rate) = (inline_label(&point.label), rate_at(*axis, *at, point));
                let compared = compared_with(&inline_label(leader), ratio.as_ref());
                format!("The baseline, {label}, delivers {rate}{compared}.")
            }
            Finding::SingleCurve { axis, point } => single_curve(*axis, point),
            Finding::Overtakes { axis, crossover } => overtakes(*axis, crossover),
            Finding::LevelsOff { axis, label, first, from, gain, detectable, last, falls } => {
                let gain = gain
                    .as_ref()
                    .map_or_else(|| ratio_of_means(from.throughput, first.throughput), factor);
                let last = falls.then_some(last);
                levels_off(*axis, &inline_label(label), [first, from], &gain, *detectable, last)
            }
            Finding::CurveEnds { axis, label, first, last } => {
                curve_ends(*axis, label, first, last)
            }
            Finding::Paced { label, shown, missed } => {
                paced::sentence(label, shown.as_ref(), missed)
            }
            Finding::ClientBound { axis, points, lean_driver_available } => {
                client_bound(*axis, points, *lean_driver_available)
            }
            Finding::MaybeClientBound { axis, points, unclear } => {
                maybe_client_bound(*axis, points, *unclear)
            }
            Finding::Bounds { bound, labels, all } => bounds(bound.as_deref(), labels, *all),
            Finding::Disturbed { axis, points } => disturbed(*axis, points),
            Finding::NotOnAxis { axis, systems } => not_on_axis(*axis, systems),
            Finding::InvalidTrials { invalid, total, reasons } => {
                invalid_trials(*invalid, *total, reasons)
            }
        })
    }
}

/// The fastest contender and its rate, then its lead over each of the others.
fn fastest_by_trials(
    axis: Axis,
    at: Option<f64>,
    leader: &LabeledPoint,
    others: &[Lead],
    all_rankable: bool,
) -> String {
    let tied: Vec<_> = others.iter().filter(|other| is_tie(other.claim())).collect();
    let mut sentences = vec![if others.is_empty() {
        only_rankable(axis, at, leader)
    } else {
        fastest(axis, at, leader, &tied, all_rankable)
    }];
    let name = inline_label(&leader.label);
    let slower = others.iter().filter(|other| other.claim() == Claim::Higher);
    let mut slower = slower.map(|other| lead(axis, at, leader, other));
    sentences.extend(slower.by_ref().take(MAX_LISTED));
    let more = slower.count();
    if more > 0 {
        let curves = pluralize(more, "more curve");
        sentences.push(format!("The tables compare {name} with {curves}."));
    }
    sentences.extend(tied.iter().filter_map(|tie| lead_over_tied(axis, &name, tie)));
    let few = others.iter().filter(|other| other.claim() == Claim::InsufficientData);
    let few: Vec<_> = few.map(|other| inline_label(&other.point.label)).collect();
    if !few.is_empty() {
        sentences.push(format!(
            "There are too few trials of {} to claim a difference (at least {MIN_TRIALS} are \
             needed). {}.",
            and_list(&few),
            capitalize(MORE_TRIALS_ADVICE)
        ));
    }
    sentences.join(" ")
}

/// Whether the leader is not significantly faster.
fn is_tie(claim: Claim) -> bool {
    matches!(claim, Claim::Tie | Claim::Lower)
}

fn fastest(
    axis: Axis,
    at: Option<f64>,
    leader: &LabeledPoint,
    tied: &[&Lead],
    all_rankable: bool,
) -> String {
    let each = [leader].into_iter().chain(tied.iter().map(|tie| &tie.point));
    let rates = each.clone().map(|point| rate_at(axis, at, point));
    let rates = and_list(&rates.collect::<Vec<_>>());
    let names = and_list(&each.map(|point| inline_label(&point.label)).collect::<Vec<_>>());
    let at = at.map_or_else(String::new, |x| format!("{}, ", at_value(axis, x)));
    let among = if all_rankable { "" } else { "among the ranked servers, " };
    // A label at the start of the sentence is not capitalized.
    let start = capitalize(&format!("{at}{among}"));
    if tied.is_empty() {
        format!("{start}{names} is fastest: {rates}.")
    } else {
        // The smallest difference that would have been detected in every pair.
        let detectable = tied.iter().filter_map(|tie| tie.ratio?.detectable);
        let detectable = would_have_been_detected("difference", detectable.max_by(f64::total_cmp));
        format!("{start}{names} are fastest, with no significant difference: {rates}{detectable}.")
    }
}

fn only_rankable(axis: Axis, at: Option<f64>, point: &LabeledPoint) -> String {
    let (label, rate) = (inline_label(&point.label), rate_at(axis, at, point));
    let at = at.map_or_else(String::new, |x| format!("{}, ", at_value(axis, x)));
    capitalize(&format!("{at}only {label} can be ranked: {rate}."))
}

/// The leader's lead over a slower contender.
fn lead(axis: Axis, at: Option<f64>, leader: &LabeledPoint, other: &Lead) -> String {
    let factor = other
        .ratio
        .as_ref()
        .map_or_else(|| ratio_of_means(leader.throughput, other.point.throughput), factor);
    let (leader, label) = (inline_label(&leader.label), inline_label(&other.point.label));
    let rate = grouped(other.point.throughput.mean, 0);
    match at {
        Some(_) => format!(
            "{leader} delivers {factor} times the throughput of {label}, which is {rate} messages/s."
        ),
        None => format!(
            "{leader} delivers {factor} times the peak throughput of {label}, which is {rate} \
             messages/s {}{}.",
            at_value(axis, other.point.x),
            lead_range(axis, &leader, other.range)
        ),
    }
}

/// The baseline's part of a sentence that has given its rate.
fn compared_with(leader: &str, ratio: Option<&Ratio>) -> String {
    let Some(ratio) = ratio else { return String::new() };
    match ratio.claim {
        Claim::Higher | Claim::Lower => {
            format!(", {} times the throughput of {leader}", factor(ratio))
        }
        Claim::Tie => format!(
            ", not significantly different from {leader}{}",
            would_have_been_detected("difference", ratio.detectable)
        ),
        Claim::InsufficientData => String::new(),
    }
}

/// A rate with its interval, and its position on the axis unless `at` already gives it.
fn rate_at(axis: Axis, at: Option<f64>, point: &LabeledPoint) -> String {
    let rate = rate(point.throughput);
    if at.is_some() { rate } else { format!("{rate} {}", at_value(axis, point.x)) }
}

fn lead_range(axis: Axis, leader: &str, range: LeadRange) -> String {
    match range {
        LeadRange::Throughout => {
            format!("; {leader} is faster at every point where both can be ranked")
        }
        LeadRange::From(x) => format!("; {leader} is faster from {} on", axis_value(axis, x)),
        LeadRange::NotAtEnd(x) => format!(
            "; {}, the last point that both have, {leader} has no significant lead",
            at_value(axis, x)
        ),
        LeadRange::SinglePoint => String::new(),
    }
}

/// The lead over a contender whose peak is tied, but which is slower elsewhere.
fn lead_over_tied(axis: Axis, leader: &str, tie: &Lead) -> Option<String> {
    let other = inline_label(&tie.point.label);
    match tie.range {
        LeadRange::From(x) => {
            Some(format!("From {} on, {leader} is faster than {other}.", axis_value(axis, x)))
        }
        LeadRange::Throughout => Some(format!(
            "{leader} is faster than {other} at every point where both can be ranked."
        )),
        LeadRange::NotAtEnd(_) | LeadRange::SinglePoint => None,
    }
}

fn few_trials(axis: Axis, at: Option<f64>, points: &[LabeledPoint]) -> String {
    let mean = |point: &LabeledPoint| {
        format!("{} {}", inline_label(&point.label), rate_at(axis, at, point))
    };
    let means = short_list(&points.iter().map(mean).collect::<Vec<_>>());
    let quantity = at.map_or_else(
        || "Peak throughput".to_owned(),
        |x| format!("Throughput {}", at_value(axis, x)),
    );
    format!(
        "Too few trials for confidence intervals (at least {MIN_TRIALS} are needed), so no \
         difference is claimed. {quantity}: {means}. {}.",
        capitalize(MORE_TRIALS_ADVICE)
    )
}

fn single_curve(axis: Axis, point: &LabeledPoint) -> String {
    let few = if point.throughput.count < MIN_TRIALS {
        format!(
            " Too few trials for a confidence interval (at least {MIN_TRIALS} are needed). {}.",
            capitalize(MORE_TRIALS_ADVICE)
        )
    } else {
        String::new()
    };
    format!(
        "The peak throughput of {} is {} {}. Nothing else was measured under the same \
         conditions.{few}",
        inline_label(&point.label),
        rate(point.throughput),
        at_value(axis, point.x)
    )
}

fn overtakes(axis: Axis, crossover: &Crossover) -> String {
    let Crossover { a, b, at, from, to } = crossover;
    let near = match axis {
        // Clients and workers are whole numbers: the next one after the crossing.
        Axis::Clients | Axis::Workers => format!("about {}", axis_value(axis, at.ceil().min(*to))),
        Axis::Work => format!("a service time of about {} us", two_digits(*at)),
        Axis::Payload => format!("a payload of about {}", rounded_bytes(*at)),
        Axis::Think => format!("a think time of about {} us", two_digits(*at)),
    };
    format!(
        "{} overtakes {} at {near} (between {} and {}).",
        inline_label(b),
        inline_label(a),
        if axis == Axis::Payload { bytes(*from) } else { grouped(*from, 0) },
        axis_value(axis, *to)
    )
}

fn levels_off(
    axis: Axis,
    label: &str,
    [first, from]: [&CurvePoint; 2],
    gain: &str,
    detectable: Option<f64>,
    falls_to: Option<&CurvePoint>,
) -> String {
    let gain = if first.x == from.x {
        String::new()
    } else {
        format!(", {gain} times its throughput {}", at_value(axis, first.x))
    };
    let noun = if axis == Axis::Workers { "workers" } else { "clients" };
    let falls = falls_to.map_or_else(String::new, |last| {
        let at = capitalize(&at_value(axis, last.x));
        format!(" {at}, throughput falls to {}.", rate(last.throughput))
    });
    format!(
        "{label} delivers {} {}{gain}. More {noun} bring no significant gain{}.{falls}",
        rate(from.throughput),
        at_value(axis, from.x),
        would_have_been_detected("gain", detectable)
    )
}

fn curve_ends(axis: Axis, label: &str, first: &CurvePoint, last: &CurvePoint) -> String {
    let end = |end: &CurvePoint| {
        let mib = end.mib_per_s.filter(|mib| axis == Axis::Payload && *mib > 0.0);
        let mib = mib.map_or_else(String::new, |mib| {
            format!(" ({} MiB/s)", grouped(mib, usize::from(mib < 10.0)))
        });
        format!("{}{mib} {}", rate(end.throughput), at_value(axis, end.x))
    };
    format!("{} delivers {} and {}.", inline_label(label), end(first), end(last))
}

fn disturbed(axis: Axis, points: &[(String, Vec<f64>)]) -> String {
    let at = |(label, xs): &(String, Vec<f64>)| {
        let mut values: Vec<_> = xs.iter().map(|x| grouped(*x, 0)).collect();
        // Only the last value has a unit.
        if let (Some(last), Some(x)) = (values.last_mut(), xs.last()) {
            *last = axis_value(axis, *x);
        }
        format!("{} at {}", inline_label(label), and_list(&values))
    };
    let points = short_list(&points.iter().map(at).collect::<Vec<_>>());
    format!(
        "Steal or other processes disturbed some points, which are therefore not ranked: {points}. \
         Stop other processes and measure again."
    )
}

fn not_on_axis(axis: Axis, systems: &BTreeSet<String>) -> String {
    let names: Vec<_> = systems.iter().cloned().collect();
    format!("Rows of {} without {} are on no curve.", short_list(&names), axis.name())
}

fn invalid_trials(invalid: usize, total: usize, reasons: &[(String, usize)]) -> String {
    let reason = |(reason, count): &(String, usize)| format!("{reason} ({count})");
    let are = if invalid == 1 { "is" } else { "are" };
    let listed = short_list(&reasons.iter().map(reason).collect::<Vec<_>>());
    let advice = if reasons.iter().any(|(reason, _)| reason.starts_with(ALL_DISTURBED)) {
        format!(" {ALL_DISTURBED_ADVICE}")
    } else {
        String::new()
    };
    format!(
        "{invalid} of {total} trials {are} invalid and left out of every mean: {listed}.{advice}"
    )
}
