//! Sentences about contenders that took turns in slices.

use super::numbers::grouped;
use super::prose::findings::{place, value};
use super::prose::phrases::{limited, listed, named};
use crate::analysis::{Axis, Claim, Excluded, LogEstimate, Place, Scope, Versus};

/// The fastest contender, and how each of the others compares with it.
pub(super) fn fastest(axis: Axis, leader: &str, others: &[Versus]) -> String {
    let each = others.iter().map(|versus| sentence(axis, &named(leader), versus));
    each.collect::<Vec<_>>().join(" ")
}

fn sentence(axis: Axis, leader: &str, versus: &Versus) -> String {
    let (other, scope) = (named(&versus.label), scope(axis, versus.scope));
    match (versus.claim, versus.estimate) {
        (Claim::Higher | Claim::Lower, Some(estimate)) => {
            let ratio = ratio(&estimate);
            format!("{leader} delivers {ratio} times the throughput of {other}{scope}.")
        }
        (Claim::Tie, Some(estimate)) => format!(
            "There is no significant difference between {leader} and {other}{scope} ({}); a \
             difference of {:.1} % would have been detected.",
            ratio(&estimate),
            estimate.half_width() * 100.0
        ),
        (Claim::TooFew, _) | (_, None) => format!(
            "There are too few slices to compare {leader} with {other}{scope} (ratio {}); raise \
             --duration.",
            grouped(versus.ratio, 2)
        ),
    }
}

/// A ratio with half the width of its interval: three digits, or as many as the interval needs.
pub(super) fn ratio(estimate: &LogEstimate) -> String {
    let (low, high) = estimate.interval();
    let half = (high - low) / 2.0;
    let digits = if half < 0.005 || estimate.value() < 0.1 { 3 } else { 2 };
    format!("{} ± {}", grouped(estimate.value(), digits), grouped(half, digits))
}

fn scope(axis: Axis, scope: Scope) -> String {
    match scope {
        Scope::At(x) => format!(" {}", place(axis, x)),
        Scope::From(x) => format!(" from {} on", value(axis, x)),
        Scope::ServerBound(count, first, last) => format!(
            " over the {count} points from {} to {} at which the server is the bound",
            grouped(first, 0),
            value(axis, last)
        ),
    }
}

/// The highest point of each contender.
pub(super) fn peaks(axis: Axis, places: &[Place]) -> String {
    let peak = |point: &Place| {
        let rate = grouped(point.throughput.mean, 0);
        format!("{} {rate} messages/s {}", named(&point.label), place(axis, point.x))
    };
    let told = limited(&places.iter().map(peak).collect::<Vec<_>>());
    format!("Peak throughput: {told}.")
}

/// Ratios that depend on which slices were left out.
pub(super) fn excluded(axis: Axis, ratios: &[Excluded]) -> String {
    let one = |ratio: &Excluded| {
        let whole = || "over the whole curve".to_owned();
        format!(
            "{} over {} {} ({} without them, {} with them)",
            named(&ratio.numerator),
            named(&ratio.denominator),
            ratio.x.map_or_else(whole, |x| place(axis, x)),
            grouped(ratio.without, 2),
            grouped(ratio.with, 2)
        )
    };
    let told = ratios.iter().map(one).collect::<Vec<_>>();
    let told = if told.len() > 3 {
        format!("{} and {} more", told[..3].join(", "), told.len() - 3)
    } else {
        listed(&told)
    };
    format!(
        "Leaving out the disturbed slices changes some ratios by more than their interval: {told}."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versus(label: &str, scope: Scope, ratio: f64, claim: Claim) -> Versus {
        let estimate = LogEstimate { log: ratio.ln(), variance: 1e-4, degrees: 1e6 };
        Versus { label: label.to_owned(), scope, ratio, estimate: Some(estimate), claim }
    }

    #[test]
    fn the_fastest_is_compared_with_each_of_the_others() {
        let others = [
            versus("b", Scope::From(4.0), 1.62, Claim::Higher),
            versus("c", Scope::At(24.0), 1.01, Claim::Tie),
            versus("d", Scope::ServerBound(3, 2.0, 24.0), 3.0, Claim::Higher),
        ];
        // 1.96 standard errors of 1 %: 0.032 of 1.62, 0.0198 of 1.01, 0.059 of 3.
        assert_eq!(
            fastest(Axis::Clients, "a", &others),
            "a delivers 1.62 ± 0.03 times the throughput of b from 4 clients on. There is no \
             significant difference between a and c at 24 clients (1.01 ± 0.02); a difference of \
             2.0 % would have been detected. a delivers 3.00 ± 0.06 times the throughput of d over \
             the 3 points from 2 to 24 clients at which the server is the bound."
        );
    }

    #[test]
    fn too_few_slices_are_no_claim() {
        let few = Versus { estimate: None, ..versus("b", Scope::At(1.0), 2.0, Claim::TooFew) };
        assert_eq!(
            fastest(Axis::Clients, "a", &[few]),
            "There are too few slices to compare a with b at 1 client (ratio 2.00); raise --duration."
        );
    }
}
