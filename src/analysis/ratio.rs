//! How many times the throughput of one system is that of another, pass by pass.

use super::{Curve, Difference, Estimate, Point, Verdict};

/// Two systems at the same value of the axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratio {
    /// Where on the axis.
    pub x: f64,
    /// The throughput of the one over that of the other, over the passes that both have.
    pub estimate: Estimate,
    /// Whether they differ.
    pub verdict: Verdict,
    /// Whether both points rank their servers.
    pub ranks: bool,
}

/// `a` over `b` at each value of the axis that both have been measured with.
///
/// A ratio is taken within a pass, so that a machine which drifts from pass to pass does not
/// enter it.
pub fn ratios(a: &Curve, b: &Curve) -> Vec<Ratio> {
    let both = a.points.iter().filter_map(|of_a| Some((of_a, b.at(of_a.x)?)));
    both.filter_map(|(of_a, of_b)| Ratio::of(of_a, of_b)).collect()
}

impl Ratio {
    /// Of two points; `None` where they have no pass in common.
    pub(super) fn of(a: &Point, b: &Point) -> Option<Self> {
        let passes = a.passes.iter().filter_map(|(pass, of_a)| Some((of_a, b.passes.get(pass)?)));
        let each: Vec<_> =
            passes.filter(|(_, of_b)| **of_b > 0.0).map(|(of_a, of_b)| of_a / of_b).collect();
        Some(Ratio {
            x: a.x,
            estimate: Estimate::of(&each)?,
            verdict: Verdict::of(Difference::between(&a.throughput, &b.throughput)),
            ranks: a.ranks() && b.ranks(),
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
    fn a_machine_that_drifts_from_pass_to_pass_does_not_enter() {
        let ratio = ratio_of([200.0, 100.0, 400.0], [100.0, 50.0, 200.0], "server");
        assert_eq!((ratio.x, ratio.estimate.mean), (8.0, 2.0));
        assert_eq!(ratio.estimate.half_width(), Some(0.0));
        // But their throughputs overlap, and more is not claimed.
        assert_eq!(ratio.verdict, Verdict::Tie);
        assert!(ratio.ranks);
    }

    #[test]
    fn what_the_clients_bounded_is_not_ranked() {
        let ratio = ratio_of([200.0, 201.0, 199.0], [100.0, 101.0, 99.0], "client");
        assert_eq!((ratio.verdict, ratio.ranks), (Verdict::Differs, false));
    }

    #[test]
    fn passes_that_only_one_has_are_left_out() {
        let rows = [row("a", 1, 300.0, ""), row("a", 2, 50.0, ""), row("b", 1, 100.0, "")];
        let curves = curves(&rows, Axis::Clients);
        let ratio = &ratios(&curves[0], &curves[1])[0];
        assert_eq!((ratio.estimate.count, ratio.estimate.mean), (1, 3.0));
        assert_eq!(ratio.verdict, Verdict::TooFew);
    }
}
