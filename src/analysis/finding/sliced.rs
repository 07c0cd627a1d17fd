//! The fastest contender of those that took turns in slices.

use super::{Finding, LabeledPoint};
use crate::analysis::{Axis, Claim, Comparison, Curve, LogEstimate, RatioAt};

/// The lead of the fastest contender over another contender.
#[derive(Debug, Clone, PartialEq)]
pub struct SlicedLead {
    /// Label of the other contender.
    pub label: String,
    /// The points that were compared.
    pub scope: Scope,
    /// The throughput of the fastest contender over that of the other.
    pub ratio: f64,
    /// Logarithm of the ratio with its error; `None` if there are too few slices.
    pub estimate: Option<LogEstimate>,
    /// The claim about the ratio.
    pub claim: Claim,
    /// The smallest relative difference that would have been detected; `None` without a claim.
    pub detectable: Option<f64>,
}

/// A ratio that is outside its interval if the disturbed slices are included.
#[derive(Debug, Clone, PartialEq)]
pub struct ExclusionEffect {
    /// Label of the contender in the numerator.
    pub numerator: String,
    /// Label of the contender in the denominator.
    pub denominator: String,
    /// Value of the axis; `None`: over the whole curve.
    pub x: Option<f64>,
    /// The ratio without the disturbed slices.
    pub without_disturbed: f64,
    /// The ratio with them.
    pub with_disturbed: f64,
}

impl ExclusionEffect {
    fn of(one: &Comparison, x: Option<f64>, without_disturbed: f64, with_disturbed: f64) -> Self {
        let (numerator, denominator) = (one.numerator.clone(), one.denominator.clone());
        ExclusionEffect { numerator, denominator, x, without_disturbed, with_disturbed }
    }
}

/// The points of a curve to which a ratio applies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scope {
    /// The point at this value of the axis.
    At(f64),
    /// All points from this value of the axis on.
    From(f64),
    /// The points at which the server was the bound: their number, the first and the last value.
    ServerBound(usize, f64, f64),
}

/// Finds the fastest contender of a group: over the whole curve if clients are the axis, at the
/// highest point if workers are the axis, and at both ends of any other axis.
///
/// The baseline is not ranked, but compared with the fastest, unless all curves are the baseline's.
pub(super) fn fastest(
    group: &[&Curve],
    axis: Axis,
    baseline: &str,
    all: &[Comparison],
) -> Vec<Finding> {
    let is_baseline = |label: &str| {
        let only_baseline = group.iter().all(|curve| curve.system == baseline);
        !only_baseline && group.iter().any(|curve| curve.label == label && curve.system == baseline)
    };
    let labels: Vec<&str> = group.iter().map(|curve| &*curve.label).collect();
    let of_group = |one: &&Comparison| {
        labels.contains(&&*one.numerator) && labels.contains(&&*one.denominator)
    };
    let all: Vec<_> = all.iter().filter(of_group).collect();
    let ends = match axis {
        Axis::Clients => vec![None],
        Axis::Workers => vec![x_of_highest(group)],
        Axis::Work | Axis::Payload | Axis::Think => ends(&all),
    };
    let mut findings = Vec::new();
    for x in ends {
        let leads_at_x = |label: &str| leads(label, &all, x);
        let score = |label: &str| {
            let logs: Vec<_> = leads_at_x(label).iter().map(|lead| lead.ratio.ln()).collect();
            logs.iter().sum::<f64>() / logs.len().max(1) as f64
        };
        let is_ranked = |label: &&&str| !is_baseline(label) && !leads_at_x(label).is_empty();
        let ranked = labels.iter().filter(is_ranked);
        let leader = ranked.copied().max_by(|a, b| score(a).total_cmp(&score(b)));
        let Some(leader) = leader else { continue };
        let mut others = leads_at_x(leader);
        others.sort_by_key(|lead| is_baseline(&lead.label));
        findings.push(Finding::FastestBySlices { axis, leader: leader.to_owned(), others });
    }
    let peaks = group.iter().filter_map(|curve| Some((curve, curve.peak()?)));
    let points: Vec<_> = peaks.map(|(curve, point)| LabeledPoint::of(curve, point)).collect();
    if axis == Axis::Clients && !findings.is_empty() {
        findings.push(Finding::Peaks { axis, points });
    }
    findings.extend(exclusion_effects(axis, &all));
    findings
}

/// The value of the axis at the highest point of the group.
fn x_of_highest(group: &[&Curve]) -> Option<f64> {
    let peaks = group.iter().filter_map(|curve| curve.peak());
    let highest = peaks.max_by(|a, b| a.throughput.mean.total_cmp(&b.throughput.mean));
    highest.map(|point| point.x)
}

/// The first and the last value of the axis at which contenders were ranked.
fn ends(all: &[&Comparison]) -> Vec<Option<f64>> {
    let rankable = all.iter().flat_map(|one| &one.at).filter(|at| at.is_rankable);
    let mut xs: Vec<f64> = rankable.map(|at| at.x).collect();
    xs.sort_by(f64::total_cmp);
    let mut ends: Vec<_> = xs.first().into_iter().chain(xs.last()).copied().map(Some).collect();
    ends.dedup();
    ends
}

/// The lead of a contender over each of the others: at a value of the axis, or over the whole
/// curve.
fn leads(label: &str, all: &[&Comparison], x: Option<f64>) -> Vec<SlicedLead> {
    let of_label = all.iter().filter_map(|one| {
        if one.numerator == label {
            Some((*one).clone())
        } else if one.denominator == label {
            Some(one.reversed())
        } else {
            None
        }
    });
    of_label.filter_map(|one| lead(&one, x)).collect()
}

fn lead(one: &Comparison, x: Option<f64>) -> Option<SlicedLead> {
    let label = one.denominator.clone();
    if let (Some(overall), None) = (&one.overall, x) {
        let (first, last) = (*overall.xs.first()?, *overall.xs.last()?);
        let scope = match overall.xs.len() {
            1 => Scope::At(first),
            _ if overall.is_suffix => Scope::From(first),
            count => Scope::ServerBound(count, first, last),
        };
        let ratio = overall.estimate.value();
        return Some(SlicedLead {
            label,
            scope,
            ratio,
            estimate: Some(overall.estimate),
            claim: overall.claim,
            detectable: overall.detectable,
        });
    }
    let is_selected = |ratio: &&RatioAt| ratio.is_rankable && x.is_none_or(|x| x == ratio.x);
    let ratio = one.at.iter().rev().find(is_selected)?;
    Some(SlicedLead {
        label,
        scope: Scope::At(ratio.x),
        ratio: ratio.ratio,
        estimate: ratio.estimate,
        claim: ratio.claim,
        detectable: ratio.detectable,
    })
}

/// The ratios that are outside their interval if the disturbed slices are included.
fn exclusion_effects(axis: Axis, all: &[&Comparison]) -> Option<Finding> {
    let mut ratios = Vec::new();
    let whole = all.iter().filter_map(|one| Some((one, one.overall.as_ref()?)));
    for (one, overall) in whole.filter(|(_, overall)| overall.depends_on_exclusion()) {
        let value = overall.estimate.value();
        ratios.push(ExclusionEffect::of(one, None, value, overall.with_disturbed.unwrap_or(value)));
    }
    for one in all {
        for at in one.at.iter().filter(|at| at.is_rankable && at.depends_on_exclusion()) {
            let with = at.with_disturbed.unwrap_or(at.ratio);
            ratios.push(ExclusionEffect::of(one, Some(at.x), at.ratio, with));
        }
    }
    (!ratios.is_empty()).then_some(Finding::DependsOnExclusion { axis, ratios })
}
