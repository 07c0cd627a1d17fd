//! Crossovers: the values of the axis at which one curve overtakes another.

use super::{Claim, Comparison, Curve, Difference, Point, RatioAt, Verdict, comparisons};

/// A value of the axis from which curve `b` is above curve `a`, after `a` was above `b`.
#[derive(Debug, Clone, PartialEq)]
pub struct Crossover {
    /// The curve that is overtaken.
    pub a: String,
    /// The curve that overtakes it.
    pub b: String,
    /// The value of the axis at the crossover, by interpolation.
    pub at: f64,
    /// The last measured value before it at which `a` is significantly above.
    pub from: f64,
    /// The first measured value after it at which `b` is significantly above.
    pub to: f64,
}

/// Returns all crossovers of curves that were measured under the same conditions.
///
/// A crossover lies between two points at which the order is significant. Points that cannot be
/// ranked are ignored.
pub fn crossovers(curves: &[Curve]) -> Vec<Crossover> {
    let pairs = curves.iter().enumerate().flat_map(|(i, a)| {
        curves[i + 1..].iter().filter(|b| a.is_comparable(b)).map(move |b| (a, b))
    });
    let all = comparisons(curves);
    pairs.flat_map(|(a, b)| crossovers_between(a, b, &all)).collect()
}

/// A value of the axis at which both curves were measured.
struct SharedPoint {
    x: f64,
    /// Logarithm of the throughput of `b` over that of `a`.
    log_ratio: f64,
    is_significant: bool,
}

/// Compares points without slices: Welch's test of the two throughputs.
fn from_points(a: &Point, b: &Point) -> Option<SharedPoint> {
    let log_ratio = (b.throughput.mean / a.throughput.mean).ln();
    let difference = Difference::between(&a.throughput, &b.throughput);
    let is_significant = Verdict::of(difference) == Verdict::Differs;
    let is_known = a.is_rankable() && b.is_rankable() && log_ratio.is_finite();
    is_known.then_some(SharedPoint { x: a.x, log_ratio, is_significant })
}

/// Compares points with slices: the claim about the ratio of `a` to `b`.
fn from_ratio(ratio: &RatioAt) -> Option<SharedPoint> {
    let is_significant = matches!(ratio.claim, Claim::Higher | Claim::Lower);
    let (x, log_ratio) = (ratio.x, -ratio.ratio.ln());
    ratio.is_rankable.then_some(SharedPoint { x, log_ratio, is_significant })
}

/// Returns the crossovers of two curves; `all` are the comparisons of all curves.
pub(super) fn crossovers_between(a: &Curve, b: &Curve, all: &[Comparison]) -> Vec<Crossover> {
    let of_pair = |one: &&Comparison| one.numerator == a.label && one.denominator == b.label;
    let sliced = all.iter().find(of_pair).filter(|one| one.is_sliced());
    let points: Vec<_> = match sliced {
        Some(one) => one.at.iter().filter_map(from_ratio).collect(),
        None => a.points.iter().filter_map(|of_a| from_points(of_a, b.at(of_a.x)?)).collect(),
    };
    let significant: Vec<_> = (0..points.len()).filter(|i| points[*i].is_significant).collect();
    let brackets = significant.windows(2).map(|pair| &points[pair[0]..=pair[1]]);
    let brackets = brackets
        .filter(|bracket| bracket[0].log_ratio * bracket[bracket.len() - 1].log_ratio < 0.0);
    let crossover = |bracket: &[SharedPoint]| {
        let (first, last) = (&bracket[0], &bracket[bracket.len() - 1]);
        let (overtaken, overtaking) = if first.log_ratio < 0.0 { (a, b) } else { (b, a) };
        Crossover {
            a: overtaken.label.clone(),
            b: overtaking.label.clone(),
            at: interpolated(bracket),
            from: first.x,
            to: last.x,
        }
    };
    brackets.map(crossover).collect()
}

/// The zero of the line through the first two successive points between which the order changes.
/// The line is over the logarithm of `x`, because the values of an axis usually grow by factors. It
/// is over `x` itself if the first of these points is at 0.
fn interpolated(bracket: &[SharedPoint]) -> f64 {
    let first = bracket[0].log_ratio;
    let changes_sign =
        |pair: &&[SharedPoint]| pair[0].log_ratio * first > 0.0 && pair[1].log_ratio * first <= 0.0;
    let Some([before, after]) = bracket.windows(2).find(changes_sign) else { return bracket[0].x };
    let share = before.log_ratio / (before.log_ratio - after.log_ratio);
    if before.x > 0.0 {
        before.x * (after.x / before.x).powf(share)
    } else {
        before.x + (after.x - before.x) * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Axis, curves};
    use crate::results::Row;

    fn rows(system: &str, clients: usize, mean: f64, spread: f64) -> Vec<Row> {
        let row = |(trial, off): (u32, f64)| Row {
            system: system.to_owned(),
            clients,
            trial,
            throughput_per_s: mean + off * spread,
            valid: true,
            ..Row::default()
        };
        [(1, 0.0), (2, 1.0), (3, -1.0)].map(row).to_vec()
    }

    fn found(points: &[(usize, f64, f64, f64)]) -> Vec<Crossover> {
        let rows = points.iter().flat_map(|(clients, a, b, spread)| {
            [rows("a", *clients, *a, *spread), rows("b", *clients, *b, *spread)].concat()
        });
        crossovers(&curves(&rows.collect::<Vec<_>>(), Axis::Clients))
    }

    #[test]
    fn crossovers_match_values_worked_out_by_hand() {
        // The ratio goes from 1/2 to 2: the middle of 10 and 1000 on a logarithmic scale.
        let one = found(&[(10, 200.0, 100.0, 1.0), (1000, 100.0, 200.0, 1.0)]);
        let [Crossover { a, b, at, from, to }] = &one[..] else { panic!("{one:?}") };
        assert_eq!((&**a, &**b, *from, *to), ("a", "b", 10.0, 1000.0));
        assert!((at - 100.0).abs() < 1e-9, "{at}");
        // ln 2 / (ln 2 + ln 4): a third of the way; from 0 on, the scale is linear.
        let from_0 = found(&[(0, 200.0, 100.0, 1.0), (30, 100.0, 400.0, 1.0)]);
        assert!((from_0[0].at - 10.0).abs() < 1e-9, "{from_0:?}");
    }

    #[test]
    fn ties_between_significant_points_only_widen_the_bracket() {
        let one = found(&[
            (1, 200.0, 100.0, 1.0),
            (2, 200.0, 190.0, 50.0),
            (4, 200.0, 210.0, 50.0),
            (8, 100.0, 200.0, 1.0),
        ]);
        assert_eq!((one.len(), one[0].from, one[0].to), (1, 1.0, 8.0));
        assert!(one[0].at > 2.0 && one[0].at < 4.0, "{one:?}");
    }

    #[test]
    fn there_is_no_crossover_unless_both_sides_are_significant() {
        assert!(found(&[(1, 200.0, 190.0, 50.0), (8, 100.0, 200.0, 1.0)]).is_empty());
        assert!(found(&[(1, 200.0, 100.0, 1.0), (8, 200.0, 210.0, 50.0)]).is_empty());
        assert!(found(&[(1, 200.0, 100.0, 1.0), (8, 300.0, 200.0, 1.0)]).is_empty());
        assert!(found(&[(1, 0.0, 0.0, 0.0), (8, 300.0, 0.0, 1.0)]).is_empty());
    }

    #[test]
    fn a_curve_that_falls_back_crosses_twice() {
        let two = found(&[(1, 200.0, 100.0, 1.0), (2, 100.0, 200.0, 1.0), (4, 200.0, 100.0, 1.0)]);
        let found: Vec<_> = two.iter().map(|c| (&*c.a, &*c.b, c.from)).collect();
        assert_eq!(found, [("a", "b", 1.0), ("b", "a", 2.0)]);
    }

    #[test]
    fn curves_under_different_conditions_are_not_compared() {
        let think = |rows: Vec<Row>, think_us| {
            rows.into_iter().map(move |row| Row { think_us, ..row }).collect::<Vec<_>>()
        };
        let all = [
            rows("a", 1, 200.0, 1.0),
            rows("a", 8, 100.0, 1.0),
            think(rows("b", 1, 100.0, 1.0), 300.0),
            think(rows("b", 8, 200.0, 1.0), 300.0),
        ];
        assert!(crossovers(&curves(&all.concat(), Axis::Clients)).is_empty());
    }
}
