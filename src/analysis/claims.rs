//! All claims of a report, corrected together.
//!
//! A report claims that a ratio of throughputs is higher or lower than 1. There are three kinds:
//!
//! - two contenders at one value of the axis, or over the whole curve (`pairwise.rs`);
//! - the peaks of two contenders, at different values of the axis;
//! - two points of one curve: whether it still rises, and whether it falls.
//!
//! Holm's procedure covers all of them, so that a whole report makes a false claim in at most 5 %
//! of cases. S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian
//! Journal of Statistics 6(2), 1979.

use super::log_estimate::{LogEstimate, holm, level_of_ties};
use super::pairwise::comparisons;
use super::{Axis, Claim, Comparison, Curve, Point, Ratio};

/// A group with more curves has no claims about trends: the figure shows them better.
pub(super) const MAX_TRENDS: usize = 8;

/// All claims of a report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claims {
    /// The ratios of all pairs of contenders that were measured under the same conditions.
    pub comparisons: Vec<Comparison>,
    /// Ratios of points at different values of the axis.
    others: Vec<PointRatio>,
}

/// A point: the label of its curve and the value of the axis.
type Place<'a> = (&'a str, f64);

/// The ratio of two points at different values of the axis.
#[derive(Debug, Clone, PartialEq)]
struct PointRatio {
    numerator: (String, f64),
    denominator: (String, f64),
    ratio: Ratio,
}

/// Returns all claims about curves along an axis.
pub fn claims(curves: &[Curve], axis: Axis) -> Claims {
    let mut claims = Claims { comparisons: comparisons(curves), others: Vec::new() };
    // Along other axes, points at different values of the axis are not compared.
    if matches!(axis, Axis::Clients | Axis::Workers) {
        for group in comparable_groups(curves) {
            claims.others.extend(peaks(&group));
            if group.len() <= MAX_TRENDS {
                claims.others.extend(group.iter().flat_map(|curve| steps(curve)));
            }
        }
    }
    claims.set();
    claims
}

/// Groups of curves that were measured under the same conditions.
pub(super) fn comparable_groups(curves: &[Curve]) -> Vec<Vec<&Curve>> {
    let mut groups: Vec<Vec<&Curve>> = Vec::new();
    for curve in curves {
        let is_comparable = |group: &&mut Vec<&Curve>| group[0].is_comparable(curve);
        match groups.iter_mut().find(is_comparable) {
            Some(group) => group.push(curve),
            None => groups.push(vec![curve]),
        }
    }
    groups
}

/// Whether a group is ranked by its slices and not by its peaks.
pub(super) fn is_ranked_by_slices(group: &[&Curve]) -> bool {
    group.len() > 1 && group.iter().all(|curve| curve.points.iter().all(Point::is_sliced))
}

/// The ratios of the peaks of a group that are at different values of the axis.
fn peaks(group: &[&Curve]) -> Vec<PointRatio> {
    if is_ranked_by_slices(group) {
        return Vec::new();
    }
    let peaks = group.iter().filter_map(|curve| Some((*curve, curve.rankable_peak()?)));
    let peaks: Vec<_> = peaks.collect();
    let pairs =
        peaks.iter().enumerate().flat_map(|(i, a)| peaks[i + 1..].iter().map(move |b| (a, b)));
    pairs.filter(|(a, b)| a.1.x != b.1.x).filter_map(|(a, b)| PointRatio::of(*a, *b)).collect()
}

/// The ratios of all pairs of rankable points of one curve: the later over the earlier one.
fn steps(curve: &Curve) -> Vec<PointRatio> {
    let points: Vec<_> = curve.points.iter().filter(|point| point.is_rankable()).collect();
    let pairs = points
        .iter()
        .enumerate()
        .flat_map(|(i, earlier)| points[i + 1..].iter().map(move |later| (*later, *earlier)));
    pairs.filter_map(|(later, earlier)| PointRatio::of((curve, later), (curve, earlier))).collect()
}

impl PointRatio {
    fn of(a: (&Curve, &Point), b: (&Curve, &Point)) -> Option<Self> {
        let place = |(curve, point): (&Curve, &Point)| (curve.label.clone(), point.x);
        let ratio = Ratio::of(a.1, b.1)?;
        Some(PointRatio { numerator: place(a), denominator: place(b), ratio })
    }
}

impl Claims {
    /// Number of claims that the correction covers.
    pub fn count(&self) -> usize {
        self.estimates().count()
    }

    fn estimates(&self) -> impl Iterator<Item = LogEstimate> {
        let others = self.others.iter().filter_map(|other| other.ratio.estimate);
        self.comparisons.iter().flat_map(Comparison::estimates).chain(others)
    }

    /// Sets all claims together, with Holm's procedure.
    fn set(&mut self) {
        let significant = holm(&self.estimates().map(|estimate| estimate.p()).collect::<Vec<_>>());
        let level = level_of_ties(&significant);
        let mut significant = significant.into_iter();
        for one in &mut self.comparisons {
            one.set_claims(&mut significant, level);
        }
        for ratio in self.others.iter_mut().map(|other| &mut other.ratio) {
            if let Some(estimate) = &ratio.estimate {
                ratio.claim = Claim::of(estimate, significant.next().unwrap_or_default());
                ratio.detectable = Some(estimate.detectable_difference(level));
            }
        }
    }

    /// The comparison of two curves, by their labels.
    pub(super) fn comparison(&self, numerator: &str, denominator: &str) -> Option<Comparison> {
        self.comparisons.iter().find_map(|one| {
            if (&*one.numerator, &*one.denominator) == (numerator, denominator) {
                Some(one.clone())
            } else if (&*one.numerator, &*one.denominator) == (denominator, numerator) {
                Some(one.reversed())
            } else {
                None
            }
        })
    }

    /// The ratio of two points, with the claim about it.
    pub(super) fn ratio(&self, numerator: Place<'_>, denominator: Place<'_>) -> Option<Ratio> {
        if numerator.1 == denominator.1 {
            let one = self.comparison(numerator.0, denominator.0)?;
            return one.at.iter().find(|at| at.x == numerator.1).map(|at| Ratio {
                ratio: at.ratio,
                estimate: at.estimate,
                is_paired: at.trials > 0,
                claim: at.claim,
                detectable: at.detectable,
            });
        }
        let is = |(label, x): &(String, f64), place: Place<'_>| (&**label, *x) == place;
        self.others.iter().find_map(|other| {
            if is(&other.numerator, numerator) && is(&other.denominator, denominator) {
                Some(other.ratio)
            } else if is(&other.numerator, denominator) && is(&other.denominator, numerator) {
                Some(other.ratio.reversed())
            } else {
                None
            }
        })
    }
}

#[cfg(test)]
mod simulations;
