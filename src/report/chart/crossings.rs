//! Crossings: the positions where one line overtakes another, each marked with a ring.

use super::canvas::{Pixel, to_pixels};
use super::markers::{DataPoint, Line};

/// One line overtakes another.
#[derive(Debug, Clone, PartialEq)]
pub struct Crossing {
    /// Label of the line that is overtaken.
    pub a: String,
    /// Label of the line that overtakes it.
    pub b: String,
    /// The lines cross between this value of the x axis and `to`.
    pub from: f64,
    pub to: f64,
}

/// The crossings of a chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Crossings(pub Vec<Crossing>);

impl Crossings {
    /// The legend entry; `None` without crossings.
    pub fn legend(&self) -> Option<&'static str> {
        (!self.0.is_empty()).then_some("crossover")
    }

    /// The positions where the lines cross; `position` maps values to pixels.
    pub fn positions(&self, lines: &[Line], position: impl Fn(f64, f64) -> Pixel) -> Vec<Pixel> {
        let line = |label: &str| lines.iter().find(|line| line.label.as_deref() == Some(label));
        let find = |crossing: &Crossing| {
            let (a, b) = (line(&crossing.a)?, line(&crossing.b)?);
            let inside = |x: f64| (crossing.from..=crossing.to).contains(&x);
            let pair = |of_a: &DataPoint, of_b: &DataPoint| {
                (position(of_a.x, of_a.y), position(of_b.x, of_b.y).1)
            };
            let both = a.points.iter().filter(|point| inside(point.x)).filter_map(|of_a| {
                let of_b = b.points.iter().find(|of_b| of_b.x == of_a.x)?;
                Some(pair(of_a, of_b))
            });
            both.clone().zip(both.skip(1)).find_map(|(before, after)| intersection(before, after))
        };
        self.0.iter().filter_map(find).collect()
    }
}

/// The intersection of two lines between two points of line a, each given with the height of line
/// b at the same x.
fn intersection((a, b): (Pixel, i32), (next_a, next_b): (Pixel, i32)) -> Option<Pixel> {
    let (before, after) = (f64::from(b - a.1), f64::from(next_b - next_a.1));
    let crosses = before * after <= 0.0 && before != after;
    let share = before / (before - after);
    let between = |from: i32, to: i32| to_pixels(f64::from(from) + f64::from(to - from) * share);
    crosses.then(|| (between(a.0, next_a.0), between(a.1, next_a.1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::SeriesStyle;

    #[test]
    fn crossing_is_the_intersection_of_both_lines() {
        let line = |label: &str, ys: [f64; 3]| Line {
            label: Some(label.to_owned()),
            style: SeriesStyle::nth(0),
            stroke: None,
            points: [0.0, 10.0, 20.0]
                .into_iter()
                .zip(ys)
                .map(|(x, y)| DataPoint::new(x, y))
                .collect(),
        };
        let lines = [line("a", [30.0, 20.0, 10.0]), line("b", [0.0, 10.0, 30.0])];
        let crossing = Crossing { a: "a".to_owned(), b: "b".to_owned(), from: 0.0, to: 20.0 };
        let position = |x: f64, y: f64| (to_pixels(x * 3.0), to_pixels(y));
        // The lines are 10 apart at x = 10, and 20 apart in reverse order at x = 20: they cross at
        // one third of the distance.
        assert_eq!(Crossings(vec![crossing.clone()]).positions(&lines, position), [(40, 17)]);
        let none =
            [Crossing { to: 10.0, ..crossing.clone() }, Crossing { b: "c".to_owned(), ..crossing }];
        assert!(Crossings(none.to_vec()).positions(&lines, position).is_empty());
    }
}
