//! Findings in words: plain sentences that say what to do where something can be done.

use std::collections::BTreeSet;
use std::fmt;

use super::super::numbers::{about_bytes, bytes, grouped};
use super::super::paced::paced;
use super::super::sliced;
use super::phrases::{FEW, MORE_TRIALS, capital, limited, listed, named};
use crate::analysis::{Axis, Crossover, End, Estimate, FEWEST_TRIALS, Finding, Lead, Place};
use crate::analysis::{Reach, Verdict};
use crate::results::ALL_DISTURBED;

/// What to do where every slice was disturbed.
pub const NO_CLAIM: &str = "No claim about these is possible on this machine now: stop other \
                            processes, measure again later, or use a machine whose CPUs are not \
                            shared.";

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Finding::Most { axis, at, leader, others, of_all } => {
                most(*axis, *at, leader, others, *of_all)
            }
            Finding::Fastest { axis, leader, others } => sliced::fastest(*axis, leader, others),
            Finding::Peaks { axis, places } => sliced::peaks(*axis, places),
            Finding::DependsOnExclusion { axis, ratios } => sliced::excluded(*axis, ratios),
            Finding::FewTrials { axis, at, places } => few_trials(*axis, *at, places),
            Finding::Baseline { axis, at, place, leader, factor, verdict } => {
                let beside = beside(factor.as_ref(), *verdict, &named(leader));
                format!(
                    "The baseline, {}, carries {}{beside}.",
                    named(&place.label),
                    peak(*axis, *at, place)
                )
            }
            Finding::Only { axis, place } => only(*axis, place),
            Finding::Overtakes { axis, crossover } => overtakes(*axis, crossover),
            Finding::Levels { axis, label, first, from, gain, last, falls } => {
                let factor = gain.map_or_else(|| ratio(from.throughput, first.throughput), factor);
                let last = falls.then_some(last);
                levels(*axis, &named(label), [first, from], &factor, last)
            }
            Finding::Ends { axis, label, first, last } => ends(*axis, label, first, last),
            Finding::Paced { label, told, missed } => paced(label, told.as_ref(), missed),
            Finding::ClientsBound { axis, places, leaner } => clients_bound(*axis, places, *leaner),
            Finding::Bounds { bound, labels, all } => bounds(bound.as_deref(), labels, *all),
            Finding::Disturbed { axis, places } => disturbed(*axis, places),
            Finding::NotOnAxis { axis, systems } => not_on_axis(*axis, systems),
            Finding::LeftOut { left_out, of, reasons } => left_out_of(*left_out, *of, reasons),
        })
    }
}

fn most(axis: Axis, at: Option<f64>, leader: &Place, others: &[Lead], of_all: bool) -> String {
    let tied: Vec<_> = others.iter().filter(|other| other.verdict == Verdict::Tie).collect();
    let mut sentences = vec![opening(axis, at, leader, &tied, [of_all, others.is_empty()])];
    let name = named(&leader.label);
    let differs = others.iter().filter(|other| other.verdict == Verdict::Differs);
    let mut differs = differs.map(|other| {
        let factor =
            other.factor.map_or_else(|| ratio(leader.throughput, other.place.throughput), factor);
        let (other_name, reach) = (named(&other.place.label), reach(axis, other.reach));
        let rate = grouped(other.place.throughput.mean, 0);
        match at {
            Some(_) => format!("{name} carries {factor} times what {other_name} does ({rate})."),
            None => format!(
                "{name} carries {factor} times what {other_name} does at most ({rate}, {}){reach}.",
                place(axis, other.place.x)
            ),
        }
    });
    sentences.extend(differs.by_ref().take(FEW));
    let more = differs.count();
    if more > 0 {
        sentences.push(format!("The tables compare it with {more} more."));
    }
    sentences.extend(tied.iter().filter_map(|tie| lead_of_tied(axis, &name, tie)));
    let few = others.iter().filter(|other| other.verdict == Verdict::TooFew);
    let few: Vec<_> = few.map(|other| named(&other.place.label)).collect();
    if !few.is_empty() {
        sentences.push(format!(
            "Of {} nothing is claimed: fewer than {FEWEST_TRIALS} trials were measured. {}.",
            listed(&few),
            capital(MORE_TRIALS)
        ));
    }
    sentences.join(" ")
}

fn opening(
    axis: Axis,
    at: Option<f64>,
    leader: &Place,
    tied: &[&Lead],
    [of_all, is_alone]: [bool; 2],
) -> String {
    let each = [leader].into_iter().chain(tied.iter().map(|tie| &tie.place));
    let rates = each.clone().map(|place| peak(axis, at, place));
    let rates = listed(&rates.collect::<Vec<_>>());
    let names = listed(&each.map(|place| named(&place.label)).collect::<Vec<_>>());
    let of = if of_all { "" } else { "of the servers that may be ranked, " };
    let at = at.map_or_else(String::new, |x| format!("{}, ", place(axis, x)));
    // A sentence begins with a capital; the name of a system is as it is.
    if is_alone {
        return capital(&format!("{at}only ")) + &format!("{names} may be ranked: {rates}.");
    }
    let before = capital(&format!("{at}{of}"));
    if tied.is_empty() {
        format!("{before}{names} carries most: {rates}.")
    } else {
        format!("{before}{names} carry most, and may not be told apart: {rates}.")
    }
}

/// The baseline's part of a sentence that has told its rate.
fn beside(times: Option<&Estimate>, verdict: Verdict, leader: &str) -> String {
    match (verdict, times) {
        (Verdict::Differs, Some(times)) => format!(", {} times what {leader} does", factor(*times)),
        (Verdict::Tie, _) => format!(", and may not be told apart from {leader}"),
        (Verdict::Differs | Verdict::TooFew, _) => String::new(),
    }
}

/// A rate with its interval, and where on the axis, if that was not said before.
fn peak(axis: Axis, at: Option<f64>, point: &Place) -> String {
    let rate = rate(point.throughput);
    if at.is_some() { rate } else { format!("{rate} {}", place(axis, point.x)) }
}

fn reach(axis: Axis, reach: Reach) -> String {
    match reach {
        Reach::Throughout => ", and more wherever both may be ranked".to_owned(),
        Reach::From(x) => format!(", and more from {} on", value(axis, x)),
        Reach::NotAtEnd(x) => {
            format!("; {}, the most that both have, no lead is claimed", place(axis, x))
        }
        Reach::OnePlace => String::new(),
    }
}

/// Who is tied at the highest points may still be behind in other places.
fn lead_of_tied(axis: Axis, name: &str, tie: &Lead) -> Option<String> {
    let other = named(&tie.place.label);
    match tie.reach {
        Reach::From(x) => {
            Some(format!("From {} on, {name} carries more than {other}.", value(axis, x)))
        }
        Reach::Throughout => {
            Some(format!("Wherever both may be ranked, {name} carries more than {other}."))
        }
        Reach::NotAtEnd(_) | Reach::OnePlace => None,
    }
}

fn few_trials(axis: Axis, at: Option<f64>, places: &[Place]) -> String {
    let mean = |place: &Place| format!("{} {}", named(&place.label), peak(axis, at, place));
    let means = limited(&places.iter().map(mean).collect::<Vec<_>>());
    let at = at.map_or_else(|| "at their highest points".to_owned(), |x| place(axis, x));
    format!(
        "Fewer than {FEWEST_TRIALS} trials have no interval, and no difference is claimed. The means \
         {at}: {means}. {}.",
        capital(MORE_TRIALS)
    )
}

fn only(axis: Axis, point: &Place) -> String {
    let few = point.throughput.count < FEWEST_TRIALS;
    let few = if few {
        format!(" Fewer than {FEWEST_TRIALS} trials have no interval. {}.", capital(MORE_TRIALS))
    } else {
        String::new()
    };
    format!(
        "{} carries at most {} {}. Nothing else was measured under the same conditions.{few}",
        named(&point.label),
        rate(point.throughput),
        place(axis, point.x)
    )
}

fn overtakes(axis: Axis, crossover: &Crossover) -> String {
    let Crossover { a, b, at, from, to } = crossover;
    let near = about(*at);
    let place = match axis {
        // There is no half of one, and from the next one on it has overtaken.
        Axis::Clients | Axis::Workers => format!("about {}", value(axis, at.ceil().min(*to))),
        Axis::Work => format!("a service time of about {near} us"),
        Axis::Payload => format!("a payload of about {}", about_bytes(*at)),
        Axis::Think => format!("a think time of about {near} us"),
    };
    format!(
        "{} overtakes {} from {place} on (between {} and {}).",
        named(b),
        named(a),
        if axis == Axis::Payload { bytes(*from) } else { grouped(*from, 0) },
        value(axis, *to)
    )
}

fn levels(
    axis: Axis,
    name: &str,
    [first, from]: [&End; 2],
    factor: &str,
    falls_to: Option<&End>,
) -> String {
    let (of_first, of_from) = (value(axis, first.x), value(axis, from.x));
    let told = if first.x == from.x {
        format!("{name}: no gain over {of_first} can be claimed ({})", rate(first.throughput))
    } else {
        let risen = format!(
            "{name}: {of_from} carry {factor} times what {of_first} do{} ({})",
            if first.x == 1.0 { "es" } else { "" },
            rate(from.throughput)
        );
        format!("{risen}, and no gain beyond can be claimed")
    };
    match falls_to {
        Some(last) => {
            format!("{told}; {} carry less, {}.", value(axis, last.x), rate(last.throughput))
        }
        None => format!("{told}."),
    }
}

fn ends(axis: Axis, label: &str, first: &End, last: &End) -> String {
    let end = |end: &End| {
        let mib = end.mib_per_s.filter(|mib| axis == Axis::Payload && *mib > 0.0);
        let mib = mib.map_or_else(String::new, |mib| {
            format!(" ({} MiB/s)", grouped(mib, usize::from(mib < 10.0)))
        });
        format!("{}{mib} {}", rate(end.throughput), place(axis, end.x))
    };
    format!("{} carries {}, and {}.", named(label), end(first), end(last))
}

fn clients_bound(axis: Axis, places: &[Place], leaner: bool) -> String {
    let at = |point: &Place| {
        let rate = grouped(point.throughput.mean, 0);
        format!("{} ({rate} messages/s {})", named(&point.label), place(axis, point.x))
    };
    let plural = places.len() > 1;
    let by_rate = |a: &&Place, b: &&Place| a.throughput.mean.total_cmp(&b.throughput.mean);
    let told = match (places.iter().min_by(by_rate), places.iter().max_by(by_rate)) {
        (Some(least), Some(most)) if places.len() > FEW / 2 => {
            format!("{} curves, from {} to {},", places.len(), at(least), at(most))
        }
        _ => listed(&places.iter().map(at).collect::<Vec<_>>()),
    };
    let (is, servers) = if plural { ("are", "their servers") } else { ("is", "its server") };
    let leaner =
        if leaner { "with --driver lean (DRIVER=lean), whose clients cost less, or " } else { "" };
    format!(
        "{told} {is} not ranked: the clients had no CPU time left, so that this is how fast they \
         are, and {servers} could carry more. Measure {leaner}with more CPUs for the clients \
         (--client-cpus), or from machines of their own."
    )
}

fn bounds(bound: Option<&str>, labels: &[String], all: bool) -> String {
    let names: Vec<_> = labels.iter().map(|label| named(label)).collect();
    let of = match &names[..] {
        [name] => name.clone(),
        _ if all => "every curve".to_owned(),
        _ => limited(&names),
    };
    let means = match bound {
        Some("server") => {
            "the server's CPUs were full: it carries no more on these CPUs as it is set"
        }
        Some("host") => {
            "the CPUs of both sides were full, or those that they share: with CPUs of its own, the \
             server may carry more"
        }
        Some("latency") => {
            "neither side's CPUs were full: the clients waited for replies, or paused, or one \
             thread was the limit; more clients may bring more"
        }
        Some(other) => return format!("At the highest point of {of}, the bound was {other}."),
        None => "the bound was not the same in all trials; the rows have that of each",
    };
    format!("At the highest point of {of}, {means}.")
}

fn disturbed(axis: Axis, places: &[(String, Vec<f64>)]) -> String {
    let at = |(label, at): &(String, Vec<f64>)| {
        let mut shown: Vec<_> = at.iter().map(|x| grouped(*x, 0)).collect();
        // What they count is said once, with the last.
        if let (Some(last), Some(x)) = (shown.last_mut(), at.last()) {
            *last = value(axis, *x);
        }
        format!("{} at {}", named(label), listed(&shown))
    };
    let told = limited(&places.iter().map(at).collect::<Vec<_>>());
    format!(
        "Other processes used the CPUs at some points, which rank no server: {told}. Stop these \
         processes, and measure again."
    )
}

fn not_on_axis(axis: Axis, systems: &BTreeSet<String>) -> String {
    let names: Vec<_> = systems.iter().cloned().collect();
    format!("Rows of {} without {} are on no curve.", limited(&names), axis.name())
}

fn left_out_of(left_out: usize, of: usize, reasons: &[(String, usize)]) -> String {
    let why = |(reason, count): &(String, usize)| format!("{reason} ({count})");
    let (is, are) = if left_out == 1 { ("does", "is") } else { ("do", "are") };
    let told = limited(&reasons.iter().map(why).collect::<Vec<_>>());
    let advice = if reasons.iter().any(|(reason, _)| reason.starts_with(ALL_DISTURBED)) {
        format!(" {NO_CLAIM}")
    } else {
        String::new()
    };
    format!("{left_out} of {of} trials {is} not hold, and {are} in no mean: {told}.{advice}")
}

pub(super) fn rate(estimate: Estimate) -> String {
    let mean = grouped(estimate.mean, 0);
    match estimate.half_width() {
        Some(half) => format!("{mean} ± {} messages/s", grouped(half, 0)),
        None => format!("{mean} messages/s"),
    }
}

fn factor(factor: Estimate) -> String {
    let mean = grouped(factor.mean, 2);
    match factor.half_width() {
        Some(half) => format!("{mean} ± {}", grouped(half, 2)),
        None => mean,
    }
}

/// Of means that were not measured in the same passes, there is no interval.
fn ratio(a: Estimate, b: Estimate) -> String {
    if b.mean > 0.0 { format!("about {}", grouped(a.mean / b.mean, 2)) } else { "many".to_owned() }
}

/// A value of an axis with what it counts.
pub(in crate::report) fn value(axis: Axis, x: f64) -> String {
    let (number, plural) = (grouped(x, 0), if x == 1.0 { "" } else { "s" });
    match axis {
        Axis::Clients => format!("{number} client{plural}"),
        Axis::Workers => format!("{number} worker{plural}"),
        Axis::Work | Axis::Think => format!("{number} us"),
        Axis::Payload => bytes(x),
    }
}

/// At a value of an axis.
pub(in crate::report) fn place(axis: Axis, x: f64) -> String {
    let value = value(axis, x);
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

/// To two digits.
fn about(x: f64) -> String {
    if x <= 0.0 || !x.is_finite() {
        return grouped(x, 0);
    }
    let scale = 10_f64.powf(x.log10().floor() - 1.0);
    grouped((x / scale).round() * scale, usize::from(x < 10.0))
}
