//! Ratios of the throughputs of two systems, pass by pass.

use super::{Curve, Difference, Estimate, Point, Verdict};

/// The ratio of two systems at one value of the axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratio {
    /// Value of the axis.
    pub x: f64,
    /// Mean over the passes that both have of the throughput of the first over that of the second.
    pub estimate: Estimate,
    /// Whether they differ.
    pub verdict: Verdict,
    /// Whether both points can be ranked.
    pub is_rankable: bool,
}

/// Returns the ratio of `a` to `b` at each value of the axis at which both were measured.
///
/// Ratios are taken within a pass, so that drift between passes does not affect them.
pub fn ratios(a: &Curve, b: &Curve) -> Vec<Ratio> {
    let both = a.points.iter().filter_map(|of_a| Some((of_a, b.at(of_a.x)?)));
    both.filter_map(|(of_a, of_b)| Ratio::of(of_a, of_b)).collect()
}

impl Ratio {
    /// The ratio of two points; `None` if they have no pass in common.
    pub(super) fn of(a: &Point, b: &Point) -> Option<Self> {
        let passes = a.passes.iter().filter_map(|(pass, of_a)| Some((of_a, b.passes.get(pass)?)));
        let ratios: Vec<_> =
            passes.filter(|(_, of_b)| **of_b > 0.0).map(|(of_a, of_b)| of_a / of_b).collect();
        Some(Ratio {
            x: a.x,
            estimate: Estimate::of(&ratios)?,
            verdict: Verdict::of(Difference::between(&a.throughput, &b.throughput)),
            is_rankable: a.is_rankable() && b.is_rankable(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Axis, curves};
    use crate::results::Row;

    fn row(system: &str, trial: u32, throughput_per_s: f64, bound: &str) -> Row {
        Row {
            system: system.to_owned(),
            clients: 8,
            trial,
            throughput_per_s,
            bound: Some(bound.to_owned()),
            valid: true,
            ..Row::default()
        }
    }

    fn ratio_of(a: [f64; 3], b: [f64; 3], bound: &str) -> Ratio {
        let rows = |system, of: [f64; 3], bound| {
            (1..).zip(of).map(move |(trial, rate)| row(system, trial, rate, bound))
        };
        let rows: Vec<_> = rows("a", a, "server").chain(rows("b", b, bound)).collect();
        let curves = curves(&rows, Axis::Clients);
        ratios(&curves[0], &curves[1]).remove(0)
    }

    #[test]
    fn drift_between_passes_does_not_affect_the_ratio() {
        let ratio = ratio_of([200.0, 100.0, 400.0], [100.0, 50.0, 200.0], "server");
        assert_eq!((ratio.x, ratio.estimate.mean), (8.0, 2.0));
        assert_eq!(ratio.estimate.half_width(), Some(0.0));
        // The throughputs overlap, so no difference is claimed.
        assert_eq!(ratio.verdict, Verdict::Tie);
        assert!(ratio.is_rankable);
    }

    #[test]
    fn client_bound_points_are_not_rankable() {
        let ratio = ratio_of([200.0, 201.0, 199.0], [100.0, 101.0, 99.0], "client");
        assert_eq!((ratio.verdict, ratio.is_rankable), (Verdict::Differs, false));
    }

    #[test]
    fn passes_of_only_one_system_are_ignored() {
        let rows = [row("a", 1, 300.0, ""), row("a", 2, 50.0, ""), row("b", 1, 100.0, "")];
        let curves = curves(&rows, Axis::Clients);
        let ratio = &ratios(&curves[0], &curves[1])[0];
        assert_eq!((ratio.estimate.count, ratio.estimate.mean), (1, 3.0));
        assert_eq!(ratio.verdict, Verdict::InsufficientData);
    }
}
