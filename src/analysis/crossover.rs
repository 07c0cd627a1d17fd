//! Crossovers: the values of the axis at which one curve overtakes another.

use super::{Axis, Claim, Claims, Comparison, Curve, Point, RatioAt};

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

/// A value of the axis at which both curves were measured.
struct SharedPoint {
    x: f64,
    /// Logarithm of the throughput of `b` over that of `a`.
    log_ratio: f64,
    is_significant: bool,
    /// Each curve's actual service time and time per message, in us; `None` if one is unknown.
    times: Option<[Times; 2]>,
}

/// The actual service time of a point, and its time per message: the reciprocal of the throughput.
#[derive(Clone, Copy)]
struct Times {
    service_us: f64,
    per_message_us: f64,
}

impl SharedPoint {
    fn of(ratio: &RatioAt, a: &Curve, b: &Curve) -> Option<Self> {
        let is_significant = matches!(ratio.claim, Claim::Higher | Claim::Lower);
        let (x, log_ratio) = (ratio.x, -ratio.ratio.ln());
        let times = |curve: &Curve| Times::of(curve.at(x)?);
        let times = times(a).zip(times(b)).map(|(a, b)| [a, b]);
        ratio.is_rankable.then_some(SharedPoint { x, log_ratio, is_significant, times })
    }
}

impl Times {
    fn of(point: &Point) -> Option<Self> {
        let (service_us, per_message_us) = (point.service_time_us?, 1e6 / point.throughput.mean);
        per_message_us.is_finite().then_some(Times { service_us, per_message_us })
    }

    /// The time per message at a service time, on the line through this point and `next`.
    fn at(&self, next: &Times, service_us: f64) -> f64 {
        let slope =
            (next.per_message_us - self.per_message_us) / (next.service_us - self.service_us);
        self.per_message_us + slope * (service_us - self.service_us)
    }
}

/// Returns all crossovers of curves that were measured under the same conditions.
pub fn crossovers(curves: &[Curve], axis: Axis, claims: &Claims) -> Vec<Crossover> {
    let pairs = curves.iter().enumerate();
    let pairs = pairs.flat_map(|(i, a)| curves[i + 1..].iter().map(move |b| (a, b)));
    pairs.flat_map(|(a, b)| crossovers_between(a, b, axis, &claims.comparisons)).collect()
}

/// Returns the crossovers of two curves along an axis; `all` are the comparisons of all curves.
///
/// A crossover lies between two points at which the order is significant. Points that cannot be
/// ranked are ignored.
pub(super) fn crossovers_between(
    a: &Curve,
    b: &Curve,
    axis: Axis,
    all: &[Comparison],
) -> Vec<Crossover> {
    let of_pair = |one: &&Comparison| one.numerator == a.label && one.denominator == b.label;
    let points = all.iter().find(of_pair).into_iter().flat_map(|one| &one.at);
    let points: Vec<_> = points.filter_map(|ratio| SharedPoint::of(ratio, a, b)).collect();
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
            at: interpolated(bracket, axis),
            from: first.x,
            to: last.x,
        }
    };
    brackets.map(crossover).collect()
}

/// The place of the crossing between the first two successive points between which the order
/// changes.
///
/// Along the service time, it is the intersection of two lines: a server's time per message, which
/// is the reciprocal of its throughput, grows linearly with the time that its handlers actually
/// spend. Along other axes, it is the zero of the line through the logarithms of both ratios. That
/// line is over the logarithm of `x`, because the values of an axis usually grow by factors. It is
/// over `x` itself if the first of these points is at 0.
fn interpolated(bracket: &[SharedPoint], axis: Axis) -> f64 {
    let first = bracket[0].log_ratio;
    let changes_sign =
        |pair: &&[SharedPoint]| pair[0].log_ratio * first > 0.0 && pair[1].log_ratio * first <= 0.0;
    let Some([before, after]) = bracket.windows(2).find(changes_sign) else { return bracket[0].x };
    if let (Axis::Work, Some(first), Some(last)) = (axis, before.times, after.times)
        && let Some(at) = intersection(first, last)
    {
        return at;
    }
    let share = before.log_ratio / (before.log_ratio - after.log_ratio);
    if before.x > 0.0 {
        before.x * (after.x / before.x).powf(share)
    } else {
        before.x + (after.x - before.x) * share
    }
}

/// The service time at which the lines of two curves, from `first` to `last`, intersect; `None` if
/// that is not between these points.
fn intersection(first: [Times; 2], last: [Times; 2]) -> Option<f64> {
    // Both curves have different service times, so the lines are compared where both exist.
    let from = first[0].service_us.max(first[1].service_us);
    let to = last[0].service_us.min(last[1].service_us);
    let gap = |us| first[0].at(&last[0], us) - first[1].at(&last[1], us);
    let share = gap(from) / (gap(from) - gap(to));
    (from < to && (0.0..=1.0).contains(&share)).then_some(from + (to - from) * share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Axis, claims, curves};
    use crate::results::Row;

    fn rows(system: &str, clients: usize, mean: f64, spread: f64) -> Vec<Row> {
        let row = |(trial, off): (u32, f64)| Row {
            system: system.to_owned(),
            clients,
            trial,
            // Both systems have opposite errors, so that their ratio has an error.
            throughput_per_s: mean + if system == "a" { off } else { -off } * spread,
            valid: true,
            ..Row::default()
        };
        [(1, 0.0), (2, 1.0), (3, -1.0)].map(row).to_vec()
    }

    fn crossovers(rows: &[Row], axis: Axis) -> Vec<Crossover> {
        let curves = curves(rows, axis);
        super::crossovers(&curves, axis, &claims(&curves, axis))
    }

    fn found(points: &[(usize, f64, f64, f64)]) -> Vec<Crossover> {
        let rows = points.iter().flat_map(|(clients, a, b, spread)| {
            [rows("a", *clients, *a, *spread), rows("b", *clients, *b, *spread)].concat()
        });
        crossovers(&rows.collect::<Vec<_>>(), Axis::Clients)
    }

    #[test]
    fn crossovers_match_values_worked_out_by_hand() {
        // The ratio goes from 1/2 to 2: the middle of 10 and 1000 on a logarithmic scale.
        let one = found(&[(10, 200.0, 100.0, 1.0), (1000, 100.0, 200.0, 1.0)]);
        let [Crossover { a, b, at, from, to }] = &one[..] else { panic!("{one:?}") };
        assert_eq!((&**a, &**b, *from, *to), ("a", "b", 10.0, 1000.0));
        // The throughputs of the trials differ by 1, so the ratio is not exactly 2.
        assert!((at / 100.0 - 1.0).abs() < 1e-3, "{at}");
        // ln 2 / (ln 2 + ln 4): a third of the way; from 0 on, the scale is linear.
        let from_0 = found(&[(0, 200.0, 100.0, 1.0), (30, 100.0, 400.0, 1.0)]);
        assert!((from_0[0].at / 10.0 - 1.0).abs() < 1e-3, "{from_0:?}");
    }

    /// Rows of both systems at each requested service time, with the actual service times and the
    /// throughputs of both.
    fn over_service_time(points: &[(&str, [f64; 2], [f64; 2])]) -> Vec<Row> {
        let of = |(work, service_us, rates): &(&str, [f64; 2], [f64; 2])| {
            let with = |row: Row, service_us: f64| Row {
                work: Some((*work).to_owned()),
                service_time_us: (service_us > 0.0).then_some(service_us),
                ..row
            };
            let a = rows("a", 8, rates[0], 1.0).into_iter();
            let b = rows("b", 8, rates[1], 1.0).into_iter();
            let a = a.map(|row| with(row, service_us[0]));
            a.chain(b.map(|row| with(row, service_us[1]))).collect::<Vec<_>>()
        };
        points.iter().flat_map(of).collect()
    }

    #[test]
    fn crossovers_over_the_service_time_are_where_the_times_per_message_are_equal() {
        // Times per message: a has 100 us, then 400 us; b has 200 us, then 250 us. The difference
        // goes from -100 us to 150 us: 100 / 250 of the way from 0 to 200 us.
        let nominal = [
            ("none", [0.0, 0.0], [10_000.0, 5000.0]),
            ("spin:200us", [0.0, 0.0], [2500.0, 4000.0]),
        ];
        let one = crossovers(&over_service_time(&nominal), Axis::Work);
        assert!((one[0].at - 80.0).abs() < 1e-3, "{one:?}");
        assert_eq!((one[0].from, one[0].to), (0.0, 200.0));
        // The handlers actually spent 250 us: 100 / 250 of the way from 0 to 250 us.
        let measured = [nominal[0], ("spin:200us", [250.0, 250.0], [2500.0, 4000.0])];
        let one = crossovers(&over_service_time(&measured), Axis::Work);
        assert!((one[0].at - 100.0).abs() < 1e-3, "{one:?}");
        // Those of a spent 240 us and those of b 300 us. a: 100 us + 1.25 s. b: 200 us + s / 6.
        let unequal = [nominal[0], ("spin:200us", [240.0, 300.0], [2500.0, 4000.0])];
        let one = crossovers(&over_service_time(&unequal), Axis::Work);
        assert!((one[0].at - 100.0 / (1.25 - 1.0 / 6.0)).abs() < 1e-3, "{one:?}");
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
        assert!(crossovers(&all.concat(), Axis::Clients).is_empty());
    }
}
