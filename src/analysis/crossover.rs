//! Where one curve overtakes another.

use super::{Claim, Comparison, Curve, Difference, Point, RatioAt, Verdict, comparisons};

/// A place on the axis from which one curve is above another that was above it before.
#[derive(Debug, Clone, PartialEq)]
pub struct Crossover {
    /// The curve that is overtaken.
    pub a: String,
    /// The curve that overtakes it.
    pub b: String,
    /// About where, by interpolation.
    pub at: f64,
    /// The last measured place at which `a` is above, with significance.
    pub from: f64,
    /// The first measured place at which `b` is, with significance.
    pub to: f64,
}

/// All places where a curve overtakes another that was measured under the same conditions.
///
/// One is told only between two points whose order is significant, and points that rank no
/// server have no say.
pub fn crossovers(curves: &[Curve]) -> Vec<Crossover> {
    let pairs = curves.iter().enumerate().flat_map(|(i, a)| {
        curves[i + 1..].iter().filter(|b| a.is_comparable(b)).map(move |b| (a, b))
    });
    let all = comparisons(curves);
    pairs.flat_map(|(a, b)| between(a, b, &all)).collect()
}

/// A place where both were measured, and the logarithm of how far the second is above the first.
struct Both {
    x: f64,
    above: f64,
    is_significant: bool,
}

/// Without slices, by Welch's test of the two throughputs.
fn both(a: &Point, b: &Point) -> Option<Both> {
    let above = (b.throughput.mean / a.throughput.mean).ln();
    let difference = Difference::between(&a.throughput, &b.throughput);
    let is_significant = Verdict::of(difference) == Verdict::Differs;
    (a.ranks() && b.ranks() && above.is_finite()).then_some(Both { x: a.x, above, is_significant })
}

/// With slices, by the claim of the ratio of `a` over `b`.
fn both_sliced(ratio: &RatioAt) -> Option<Both> {
    let is_significant = matches!(ratio.claim, Claim::Higher | Claim::Lower);
    ratio.ranks.then_some(Both { x: ratio.x, above: -ratio.ratio.ln(), is_significant })
}

pub(super) fn between(a: &Curve, b: &Curve, all: &[Comparison]) -> Vec<Crossover> {
    let of_pair = |one: &&Comparison| one.numerator == a.label && one.denominator == b.label;
    let sliced = all.iter().find(of_pair).filter(|one| one.is_sliced());
    let places: Vec<_> = match sliced {
        Some(one) => one.at.iter().filter_map(both_sliced).collect(),
        None => a.points.iter().filter_map(|of_a| both(of_a, b.at(of_a.x)?)).collect(),
    };
    let significant: Vec<_> = (0..places.len()).filter(|i| places[*i].is_significant).collect();
    let turns = significant.windows(2).map(|pair| &places[pair[0]..=pair[1]]);
    let turns = turns.filter(|turn| turn[0].above * turn[turn.len() - 1].above < 0.0);
    let crossover = |turn: &[Both]| {
        let (first, last) = (&turn[0], &turn[turn.len() - 1]);
        let (from, to) = if first.above < 0.0 { (a, b) } else { (b, a) };
        Crossover {
            a: from.label.clone(),
            b: to.label.clone(),
            at: crossing(turn),
            from: first.x,
            to: last.x,
        }
    };
    turns.map(crossover).collect()
}

/// Where a line through the first two places between which the order turns is at 0. Along an axis
/// whose steps are factors, the line is one over logarithms.
fn crossing(turn: &[Both]) -> f64 {
    let turned = |pair: &&[Both]| {
        pair[0].above * turn[0].above > 0.0 && pair[1].above * turn[0].above <= 0.0
    };
    let Some([before, after]) = turn.windows(2).find(turned) else { return turn[0].x };
    let share = before.above / (before.above - after.above);
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
    fn the_place_worked_out_by_hand() {
        // From half to twice as much: in the middle of 10 and 1000 over logarithms.
        let one = found(&[(10, 200.0, 100.0, 1.0), (1000, 100.0, 200.0, 1.0)]);
        let [Crossover { a, b, at, from, to }] = &one[..] else { panic!("{one:?}") };
        assert_eq!((&**a, &**b, *from, *to), ("a", "b", 10.0, 1000.0));
        assert!((at - 100.0).abs() < 1e-9, "{at}");
        // ln 2 of ln 2 + ln 4: a third of the way, and from 0 on that is one over x itself.
        let from_0 = found(&[(0, 200.0, 100.0, 1.0), (30, 100.0, 400.0, 1.0)]);
        assert!((from_0[0].at - 10.0).abs() < 1e-9, "{from_0:?}");
    }

    #[test]
    fn ties_between_only_widen_the_bracket() {
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
    fn what_is_not_significant_on_both_sides_is_not_told() {
        assert!(found(&[(1, 200.0, 190.0, 50.0), (8, 100.0, 200.0, 1.0)]).is_empty());
        assert!(found(&[(1, 200.0, 100.0, 1.0), (8, 200.0, 210.0, 50.0)]).is_empty());
        assert!(found(&[(1, 200.0, 100.0, 1.0), (8, 300.0, 200.0, 1.0)]).is_empty());
        assert!(found(&[(1, 0.0, 0.0, 0.0), (8, 300.0, 0.0, 1.0)]).is_empty());
    }

    #[test]
    fn back_again_is_another_one() {
        let two = found(&[(1, 200.0, 100.0, 1.0), (2, 100.0, 200.0, 1.0), (4, 200.0, 100.0, 1.0)]);
        let told: Vec<_> = two.iter().map(|c| (&*c.a, &*c.b, c.from)).collect();
        assert_eq!(told, [("a", "b", 1.0), ("b", "a", 2.0)]);
    }

    #[test]
    fn curves_under_other_conditions_are_not_compared() {
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
