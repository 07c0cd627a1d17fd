//! Ratios of the throughputs of two contenders.
//!
//! A mean rate is messages over window time, summed over the kept slices of the rounds that both
//! contenders completed. The interval of the ratio of two mean rates comes from a moving-block
//! bootstrap over the rounds of a trial. Trials are combined with a term for the variance between
//! them. Without slices, or with too few in each trial, the interval is Student's t on the
//! logarithms of the ratios within each pass. `claims.rs` corrects all claims of a report together.

use super::log_estimate::{LogEstimate, combine, combine_all, geometric_mean};
use super::point::Pass;
use super::{Curve, Point, Ratio};

/// The claim about a ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The numerator is significantly faster.
    Higher,
    /// The numerator is significantly slower.
    Lower,
    /// No significant difference.
    Tie,
    /// There are too few slices and trials for a claim.
    InsufficientData,
}

/// The ratios of the throughputs of two contenders.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Label of the contender in the numerator.
    pub numerator: String,
    /// Label of the contender in the denominator.
    pub denominator: String,
    /// The ratio at each value of the axis at which both were measured.
    pub at: Vec<RatioAt>,
    /// The ratio over the whole curve; `None` if the server was not the bound at any point.
    pub overall: Option<Overall>,
}

/// A ratio at one value of the axis.
#[derive(Debug, Clone, PartialEq)]
pub struct RatioAt {
    /// Value of the axis.
    pub x: f64,
    /// Concurrent clients.
    pub clients: usize,
    /// The ratio.
    pub ratio: f64,
    /// Logarithm of the ratio with its error; `None` if there are too few slices and trials.
    pub estimate: Option<LogEstimate>,
    /// The claim about the ratio.
    pub claim: Claim,
    /// The smallest relative difference that would have been detected; `None` without a claim.
    pub detectable: Option<f64>,
    /// Whether both points can be ranked.
    pub is_rankable: bool,
    /// Number of rounds that both completed, in all trials; 0 without slices.
    pub rounds: usize,
    /// Number of trials that both have.
    pub trials: usize,
    /// The ratio with the disturbed slices; `None` without slices.
    pub with_disturbed: Option<f64>,
    /// Whether the server was the bound of both.
    server_bound: bool,
}

/// The geometric mean of a ratio over the points at which the server was the bound of both.
#[derive(Debug, Clone, PartialEq)]
pub struct Overall {
    /// The values of the axis at these points, ascending.
    pub xs: Vec<f64>,
    /// Whether these are all points from the first of them to the end of the curve.
    pub is_suffix: bool,
    /// Whether these are all points.
    pub is_all: bool,
    /// Logarithm of the geometric mean with its error.
    pub estimate: LogEstimate,
    /// The geometric mean with the disturbed slices; `None` without slices.
    pub with_disturbed: Option<f64>,
    /// The claim about the ratio.
    pub claim: Claim,
    /// The smallest relative difference that would have been detected; `None` without a claim.
    pub detectable: Option<f64>,
}

/// Two points at the same value of the axis, and the ratio of each trial with slices of both.
struct Pair<'a> {
    a: &'a Point,
    b: &'a Point,
    /// The passes that both points have.
    passes: Vec<&'a Pass>,
    /// The ratio of each pass with slices of both, and its number of rounds that both completed.
    ratios: Vec<(LogEstimate, usize)>,
}

impl<'a> Pair<'a> {
    fn of(a: &'a Point, b: &'a Point) -> Self {
        let passes: Vec<_> = a.passes.keys().filter(|pass| b.passes.contains_key(*pass)).collect();
        let ratio = |pass: &&Pass| a.rounds.get(*pass)?.log_ratio(b.rounds.get(*pass)?);
        let ratios = passes.iter().filter_map(ratio).collect();
        Pair { a, b, passes, ratios }
    }

    fn estimates(&self) -> Vec<LogEstimate> {
        self.ratios.iter().map(|(estimate, _)| *estimate).collect()
    }

    /// The ratio at this value of the axis. `combined` is the estimate from the slices of all
    /// trials.
    fn ratio_at(&self, combined: Option<LogEstimate>) -> Option<RatioAt> {
        let Pair { a, b, passes, ratios } = self;
        // Without slices, or with too few of them, the differences between trials decide.
        let of_trials = Ratio::of(a, b).filter(|it| it.is_paired || it.estimate.is_some());
        // Only trials that are in the estimate.
        let with_disturbed = passes.iter().filter_map(|pass| {
            let (of_a, of_b) = (a.rounds.get(*pass)?, b.rounds.get(*pass)?);
            of_a.log_ratio(of_b).and_then(|_| of_a.log_ratio_with_disturbed(of_b))
        });
        let with_disturbed = combine(&with_disturbed.collect::<Vec<_>>());
        let estimate = combined.or_else(|| of_trials?.estimate);
        Some(RatioAt {
            x: a.x,
            clients: a.clients,
            ratio: estimate
                .map(|estimate| estimate.value())
                .or_else(|| of_trials.map(|ratio| ratio.ratio))?,
            estimate,
            claim: Claim::InsufficientData,
            detectable: None,
            is_rankable: a.is_rankable() && b.is_rankable(),
            rounds: ratios.iter().map(|(_, rounds)| rounds).sum(),
            trials: passes.len(),
            with_disturbed: with_disturbed.map(|ratio| ratio.value()),
            server_bound: a.is_bounded_by_server() && b.is_bounded_by_server(),
        })
    }
}

impl RatioAt {
    /// Whether it is part of the ratio over the whole curve.
    fn is_in_overall(&self) -> bool {
        self.is_rankable && self.server_bound && self.estimate.is_some()
    }

    /// The 95 % interval of this ratio, not corrected for the number of ratios.
    pub fn interval(&self) -> Option<(f64, f64)> {
        self.estimate.map(|estimate| estimate.interval())
    }

    /// Whether the ratio with the disturbed slices is outside the interval without them.
    pub fn depends_on_exclusion(&self) -> bool {
        let is_outside = |(low, high): (f64, f64)| {
            self.with_disturbed.is_some_and(|ratio| !(low..=high).contains(&ratio))
        };
        self.interval().is_some_and(is_outside)
    }
}

impl Overall {
    fn of(at: &[RatioAt]) -> Option<Self> {
        let mut at: Vec<_> = at.iter().collect();
        at.sort_by(|a, b| a.x.total_cmp(&b.x));
        let bound: Vec<&RatioAt> =
            at.iter().copied().filter(|ratio| ratio.is_in_overall()).collect();
        let first = bound.first()?.x;
        let estimates: Vec<_> = bound.iter().filter_map(|ratio| ratio.estimate).collect();
        Some(Overall {
            xs: bound.iter().map(|ratio| ratio.x).collect(),
            is_suffix: at.iter().filter(|ratio| ratio.x >= first).count() == bound.len(),
            is_all: at.len() == bound.len(),
            estimate: geometric_mean(&estimates)?,
            with_disturbed: mean_with_disturbed(&bound),
            claim: Claim::InsufficientData,
            detectable: None,
        })
    }

    /// Whether the mean with the disturbed slices is outside the interval without them.
    pub fn depends_on_exclusion(&self) -> bool {
        let (low, high) = self.estimate.interval();
        self.with_disturbed.is_some_and(|ratio| !(low..=high).contains(&ratio))
    }

    /// Whether it is the mean of several points, and so a claim of its own.
    fn has_several_points(&self) -> bool {
        self.xs.len() > 1
    }
}

/// The geometric mean of the ratios with the disturbed slices; `None` if one is unknown.
fn mean_with_disturbed(at: &[&RatioAt]) -> Option<f64> {
    let logs = at.iter().map(|ratio| Some(ratio.with_disturbed?.ln()));
    let sum = logs.sum::<Option<f64>>()?;
    Some((sum / at.len() as f64).exp())
}

/// Compares all pairs of contenders that were measured under the same conditions, without claims.
pub(super) fn comparisons(curves: &[Curve]) -> Vec<Comparison> {
    let pairs = curves.iter().enumerate().flat_map(|(index, a)| {
        curves[index + 1..].iter().filter(|b| a.is_comparable(b)).map(move |b| (a, b))
    });
    pairs.filter_map(|(a, b)| compare(a, b)).collect()
}

fn compare(a: &Curve, b: &Curve) -> Option<Comparison> {
    let both = a.points.iter().filter_map(|of_a| Some(Pair::of(of_a, b.at(of_a.x)?)));
    let both: Vec<_> = both.collect();
    let combined = combine_all(&both.iter().map(Pair::estimates).collect::<Vec<_>>());
    let at = both.iter().zip(combined).filter_map(|(pair, combined)| pair.ratio_at(combined));
    let at: Vec<_> = at.collect();
    (!at.is_empty()).then(|| Comparison {
        numerator: a.label.clone(),
        denominator: b.label.clone(),
        overall: Overall::of(&at),
        at,
    })
}

impl Comparison {
    /// The estimates with a claim of their own: those of rankable points, and that of the curve.
    pub(super) fn estimates(&self) -> impl Iterator<Item = LogEstimate> {
        let at =
            self.at.iter().filter(|ratio| ratio.is_rankable).filter_map(|ratio| ratio.estimate);
        let overall = self.overall.iter().filter(|overall| overall.has_several_points());
        at.chain(overall.map(|overall| overall.estimate))
    }

    /// The comparison with numerator and denominator exchanged.
    #[must_use]
    pub fn reversed(&self) -> Comparison {
        Comparison {
            numerator: self.denominator.clone(),
            denominator: self.numerator.clone(),
            at: self
                .at
                .iter()
                .map(|ratio| RatioAt {
                    ratio: 1.0 / ratio.ratio,
                    estimate: ratio.estimate.map(|estimate| estimate.reversed()),
                    claim: ratio.claim.reversed(),
                    with_disturbed: ratio.with_disturbed.map(|ratio| 1.0 / ratio),
                    ..ratio.clone()
                })
                .collect(),
            overall: self.overall.as_ref().map(|overall| Overall {
                estimate: overall.estimate.reversed(),
                with_disturbed: overall.with_disturbed.map(|ratio| 1.0 / ratio),
                claim: overall.claim.reversed(),
                ..overall.clone()
            }),
        }
    }

    /// Sets the claims about the ratios of rankable points and about the ratio of the curve, in the
    /// order of [`Comparison::estimates`]. Ties could have been detected at this `level`.
    pub(super) fn set_claims(&mut self, significant: &mut impl Iterator<Item = bool>, level: f64) {
        let mut claim = |estimate: &LogEstimate| {
            let is_significant = significant.next().unwrap_or_default();
            (Claim::of(estimate, is_significant), Some(estimate.detectable_difference(level)))
        };
        for ratio in self.at.iter_mut().filter(|ratio| ratio.is_rankable) {
            if let Some(estimate) = &ratio.estimate {
                (ratio.claim, ratio.detectable) = claim(estimate);
            }
        }
        let only = self.at.iter().find(|ratio| ratio.is_in_overall());
        let only = only.map(|ratio| (ratio.claim, ratio.detectable));
        if let Some(overall) = &mut self.overall {
            (overall.claim, overall.detectable) = match only {
                Some(only) if !overall.has_several_points() => only,
                _ => claim(&overall.estimate),
            };
        }
    }

    /// Whether a ratio comes from slices.
    pub fn is_sliced(&self) -> bool {
        self.at.iter().any(|ratio| ratio.rounds > 0)
    }
}

impl Claim {
    pub(super) fn of(estimate: &LogEstimate, significant: bool) -> Self {
        match significant {
            false => Claim::Tie,
            true if estimate.log > 0.0 => Claim::Higher,
            true => Claim::Lower,
        }
    }

    pub(super) fn reversed(self) -> Self {
        match self {
            Claim::Higher => Claim::Lower,
            Claim::Lower => Claim::Higher,
            Claim::Tie | Claim::InsufficientData => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Axis, claims, curves};
    use crate::results::Row;

    fn rows(label: &str, clients: usize, rates: &[f64], bound: &str) -> Vec<Row> {
        let row = |(trial, rate): (u32, &f64)| Row {
            system: "s".to_owned(),
            label: label.to_owned(),
            clients,
            trial,
            throughput_per_s: *rate,
            bound: Some(bound.to_owned()),
            valid: true,
            ..Row::default()
        };
        (1..).zip(rates).map(row).collect()
    }

    fn compared(rows: &[Vec<Row>]) -> Comparison {
        claims(&curves(&rows.concat(), Axis::Clients), Axis::Clients).comparisons.remove(0)
    }

    #[test]
    fn drift_between_passes_does_not_enter_the_ratio() {
        let a = rows("a", 8, &[200.0, 101.0, 399.0], "server");
        let b = rows("b", 8, &[100.0, 50.0, 200.0], "server");
        let one = compared(&[a, b]);
        let at = &one.at[0];
        assert_eq!((at.claim, at.trials, at.rounds), (Claim::Higher, 3, 0));
        assert!((at.ratio - 2.0).abs() < 0.02 && !one.is_sliced());
        let overall = one.overall.clone().unwrap();
        assert_eq!((overall.xs, overall.claim), (vec![8.0], Claim::Higher));
        let reversed = one.reversed();
        assert_eq!((reversed.at[0].claim, &*reversed.numerator), (Claim::Lower, "b"));
        assert!((reversed.at[0].ratio * at.ratio - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_overall_ratio_covers_the_points_at_which_the_server_is_the_bound() {
        let all = [
            rows("a", 1, &[90.0, 91.0, 92.0], "latency"),
            rows("b", 1, &[90.0, 91.0, 92.0], "latency"),
            rows("a", 2, &[200.0, 201.0, 202.0], "server"),
            rows("b", 2, &[100.0, 101.0, 102.0], "server"),
            rows("a", 4, &[800.0, 801.0, 802.0], "server"),
            rows("b", 4, &[100.0, 101.0, 102.0], "server"),
            rows("a", 8, &[800.0, 801.0, 802.0], "client"),
            rows("b", 8, &[100.0, 101.0, 102.0], "server"),
        ];
        let one = compared(&all);
        let overall = one.overall.as_ref().unwrap();
        assert_eq!(
            (&overall.xs[..], overall.is_suffix, overall.is_all),
            (&[2.0, 4.0][..], false, false)
        );
        // The geometric mean of 2 and 8.
        assert!((overall.estimate.value() - 4.0).abs() < 0.1, "{overall:?}");
        assert_eq!(one.estimates().count(), 4, "three rankable points and the curve");
        assert_eq!(one.at[3].claim, Claim::InsufficientData, "a client-bound point has no claim");
        assert_eq!(one.at[0].claim, Claim::Tie);
    }

    #[test]
    fn one_trial_without_slices_claims_nothing() {
        let one = compared(&[rows("a", 8, &[200.0], "server"), rows("b", 8, &[100.0], "server")]);
        assert_eq!((one.at[0].claim, one.at[0].ratio), (Claim::InsufficientData, 2.0));
        assert_eq!((one.at[0].interval(), one.overall.is_none()), (None, true));
    }
}
