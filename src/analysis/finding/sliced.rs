//! Which contender is fastest, where contenders took turns in slices.

use super::{Finding, Place};
use crate::analysis::{Axis, Claim, Comparison, Curve, LogEstimate};

/// How a contender compares with the fastest one.
#[derive(Debug, Clone, PartialEq)]
pub struct Versus {
    /// The other contender.
    pub label: String,
    /// For which points this holds.
    pub scope: Scope,
    /// The throughput of the fastest over that of the other.
    pub ratio: f64,
    /// The same with its error; `None` where there are too few slices.
    pub estimate: Option<LogEstimate>,
    /// What may be said.
    pub claim: Claim,
}

/// A ratio that depends on which slices were left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Excluded {
    /// The contender that is divided.
    pub numerator: String,
    /// The contender by which it is divided.
    pub denominator: String,
    /// Where on the axis; `None`: over the whole curve.
    pub x: Option<f64>,
    /// The ratio without the disturbed slices.
    pub without: f64,
    /// The ratio with them.
    pub with: f64,
}

impl Excluded {
    fn of(one: &Comparison, x: Option<f64>, without: f64, with: f64) -> Self {
        let (numerator, denominator) = (one.numerator.clone(), one.denominator.clone());
        Excluded { numerator, denominator, x, without, with }
    }
}

/// Points of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scope {
    /// This one.
    At(f64),
    /// All from this one on.
    From(f64),
    /// Those at which the server was the bound: how many there are, the first and the last.
    ServerBound(usize, f64, f64),
}

/// Which contender of a group is fastest: over the whole curve if clients are the axis, at the
/// highest point if workers are, and at both ends of any other axis. The baseline is not ranked, but compared with the fastest.
pub(super) fn fastest(
    group: &[&Curve],
    axis: Axis,
    baseline: &str,
    all: &[Comparison],
) -> Vec<Finding> {
    let is_baseline = |label: &str| {
        let alone = group.iter().all(|curve| curve.system == baseline);
        !alone && group.iter().any(|curve| curve.label == label && curve.system == baseline)
    };
    let labels: Vec<&str> = group.iter().map(|curve| &*curve.label).collect();
    let of_group = |one: &&Comparison| {
        labels.contains(&&*one.numerator) && labels.contains(&&*one.denominator)
    };
    let all: Vec<_> = all.iter().filter(of_group).collect();
    let ends = match axis {
        Axis::Clients => vec![None],
        Axis::Workers => vec![highest(group)],
        Axis::Work | Axis::Payload | Axis::Think => ends(&all),
    };
    let mut findings = Vec::new();
    for x in ends {
        let at = |label: &str| versus_all(label, &all, x);
        let score = |label: &str| {
            let logs: Vec<_> = at(label).iter().map(|versus| versus.ratio.ln()).collect();
            logs.iter().sum::<f64>() / logs.len().max(1) as f64
        };
        let ranked = labels.iter().filter(|label| !is_baseline(label) && !at(label).is_empty());
        let leader = ranked.copied().max_by(|a, b| score(a).total_cmp(&score(b)));
        let Some(leader) = leader else { continue };
        let mut others = at(leader);
        others.sort_by_key(|versus| is_baseline(&versus.label));
        findings.push(Finding::Fastest { axis, leader: leader.to_owned(), others });
    }
    let peaks = group.iter().filter_map(|curve| Some((curve, curve.peak()?)));
    let places: Vec<_> = peaks.map(|(curve, point)| Place::of(curve, point)).collect();
    if axis == Axis::Clients && !findings.is_empty() {
        findings.push(Finding::Peaks { axis, places });
    }
    findings.extend(excluded(axis, &all));
    findings
}

/// Where the highest point of the group is.
fn highest(group: &[&Curve]) -> Option<f64> {
    let peaks = group.iter().filter_map(|curve| curve.peak());
    let highest = peaks.max_by(|a, b| a.throughput.mean.total_cmp(&b.throughput.mean));
    highest.map(|point| point.x)
}

/// The first and the last place at which something was compared.
fn ends(all: &[&Comparison]) -> Vec<Option<f64>> {
    let ranked = |one: &&Comparison| one.at.iter().filter(|at| at.ranks).map(|at| at.x).collect();
    let mut xs: Vec<f64> = all.iter().flat_map(|one| -> Vec<f64> { ranked(one) }).collect();
    xs.sort_by(f64::total_cmp);
    let mut ends: Vec<_> = xs.first().into_iter().chain(xs.last()).copied().map(Some).collect();
    ends.dedup();
    ends
}

/// A contender over each of the others: at a place, or over the whole curve.
fn versus_all(label: &str, all: &[&Comparison], at: Option<f64>) -> Vec<Versus> {
    let from_here = all.iter().filter_map(|one| {
        if one.numerator == label {
            Some((*one).clone())
        } else if one.denominator == label {
            Some(one.reversed())
        } else {
            None
        }
    });
    from_here.filter_map(|one| versus(&one, at)).collect()
}

fn versus(one: &Comparison, at: Option<f64>) -> Option<Versus> {
    let label = one.denominator.clone();
    if let (Some(overall), None) = (&one.overall, at) {
        let (first, last) = (*overall.xs.first()?, *overall.xs.last()?);
        let scope = match overall.xs.len() {
            1 => Scope::At(first),
            _ if overall.is_rest => Scope::From(first),
            count => Scope::ServerBound(count, first, last),
        };
        let ratio = overall.estimate.value();
        return Some(Versus {
            label,
            scope,
            ratio,
            estimate: Some(overall.estimate),
            claim: overall.claim,
        });
    }
    let ranked = |x: Option<f64>| {
        one.at.iter().rev().find(|ratio| ratio.ranks && x.is_none_or(|x| x == ratio.x))
    };
    let ratio = ranked(at)?;
    Some(Versus {
        label,
        scope: Scope::At(ratio.x),
        ratio: ratio.ratio,
        estimate: ratio.estimate,
        claim: ratio.claim,
    })
}

/// Ratios that depend on which slices were left out.
fn excluded(axis: Axis, all: &[&Comparison]) -> Option<Finding> {
    let mut ratios = Vec::new();
    let whole = all.iter().filter_map(|one| Some((one, one.overall.as_ref()?)));
    for (one, overall) in whole.filter(|(_, overall)| overall.depends_on_exclusion()) {
        let value = overall.estimate.value();
        ratios.push(Excluded::of(one, None, value, overall.with_disturbed.unwrap_or(value)));
    }
    for one in all {
        for at in one.at.iter().filter(|at| at.ranks && at.depends_on_exclusion()) {
            let with = at.with_disturbed.unwrap_or(at.ratio);
            ratios.push(Excluded::of(one, Some(at.x), at.ratio, with));
        }
    }
    (!ratios.is_empty()).then_some(Finding::DependsOnExclusion { axis, ratios })
}
