//! Sentences about contenders that took turns in slices.

use super::numbers::grouped;
use super::prose::phrases::{
    and_list, at_value, axis_value, inline_label, short_list, would_have_been_detected,
};
use crate::analysis::{Axis, Claim, ExclusionEffect, LabeledPoint, LogEstimate, Scope, SlicedLead};

/// The fastest contender, compared with each of the others.
pub(super) fn fastest(axis: Axis, leader: &str, others: &[SlicedLead]) -> String {
    let each = others.iter().map(|lead| comparison(axis, &inline_label(leader), lead));
    each.collect::<Vec<_>>().join(" ")
}

fn comparison(axis: Axis, leader: &str, lead: &SlicedLead) -> String {
    let (other, scope) = (inline_label(&lead.label), scope(axis, lead.scope));
    match (lead.claim, lead.estimate) {
        (Claim::Higher | Claim::Lower, Some(estimate)) => {
            let ratio = ratio(&estimate);
            format!("{leader} delivers {ratio} times the throughput of {other}{scope}.")
        }
        (Claim::Tie, Some(estimate)) => format!(
            "There is no significant difference between {leader} and {other}{scope} ({}){}.",
            ratio(&estimate),
            would_have_been_detected("difference", lead.detectable)
        ),
        (Claim::InsufficientData, _) | (_, None) => format!(
            "There are too few slices to compare {leader} with {other}{scope} (ratio {}); raise \
             --duration.",
            grouped(lead.ratio, 2)
        ),
    }
}

/// A ratio with half the width of its interval. Two decimals; three if the interval is narrower
/// than 0.01 or the ratio is below 0.1.
pub(super) fn ratio(estimate: &LogEstimate) -> String {
    let (low, high) = estimate.interval();
    let half = (high - low) / 2.0;
    let decimals = if half < 0.005 || estimate.value() < 0.1 { 3 } else { 2 };
    format!("{} ± {}", grouped(estimate.value(), decimals), grouped(half, decimals))
}

fn scope(axis: Axis, scope: Scope) -> String {
    match scope {
        Scope::At(x) => format!(" {}", at_value(axis, x)),
        Scope::From(x) => format!(" from {} on", axis_value(axis, x)),
        Scope::ServerBound(count, first, last) => format!(
            " over the {count} points from {} to {} at which the server is the bound",
            grouped(first, 0),
            axis_value(axis, last)
        ),
    }
}

/// The peak of each contender.
pub(super) fn peaks(axis: Axis, points: &[LabeledPoint]) -> String {
    let peak = |point: &LabeledPoint| {
        let rate = grouped(point.throughput.mean, 0);
        format!("{} {rate} messages/s {}", inline_label(&point.label), at_value(axis, point.x))
    };
    let peaks = short_list(&points.iter().map(peak).collect::<Vec<_>>());
    format!("Peak throughput: {peaks}.")
}

/// The ratios that depend on the exclusion of disturbed slices.
pub(super) fn depends_on_exclusion(axis: Axis, ratios: &[ExclusionEffect]) -> String {
    const MAX_RATIOS: usize = 3;
    let one = |ratio: &ExclusionEffect| {
        format!(
            "{} over {} {} ({} without them, {} with them)",
            inline_label(&ratio.numerator),
            inline_label(&ratio.denominator),
            ratio.x.map_or_else(|| "over the whole curve".to_owned(), |x| at_value(axis, x)),
            grouped(ratio.without_disturbed, 2),
            grouped(ratio.with_disturbed, 2)
        )
    };
    let all = ratios.iter().map(one).collect::<Vec<_>>();
    let listed = if all.len() > MAX_RATIOS {
        format!("{} and {} more", all[..MAX_RATIOS].join(", "), all.len() - MAX_RATIOS)
    } else {
        and_list(&all)
    };
    format!(
        "Leaving out the disturbed slices changes some ratios by more than their interval: \
         {listed}."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(label: &str, scope: Scope, ratio: f64, claim: Claim) -> SlicedLead {
        let estimate = LogEstimate { log: ratio.ln(), variance: 1e-4, degrees: 1e6 };
        let (label, estimate, detectable) = (label.to_owned(), Some(estimate), Some(0.02));
        SlicedLead { label, scope, ratio, estimate, claim, detectable }
    }

    #[test]
    fn fastest_contender_is_compared_with_each_of_the_others() {
        let others = [
            lead("b", Scope::From(4.0), 1.62, Claim::Higher),
            lead("c", Scope::At(24.0), 1.01, Claim::Tie),
            lead("d", Scope::ServerBound(3, 2.0, 24.0), 3.0, Claim::Higher),
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
    fn too_few_slices_make_no_claim() {
        let few = SlicedLead {
            estimate: None,
            ..lead("b", Scope::At(1.0), 2.0, Claim::InsufficientData)
        };
        assert_eq!(
            fastest(Axis::Clients, "a", &[few]),
            "There are too few slices to compare a with b at 1 client (ratio 2.00); raise --duration."
        );
    }
}
