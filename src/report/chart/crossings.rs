//! Rings around the places where one line overtakes another.

use super::canvas::{Place, rounded};
use super::markers::{Line, Spot};

/// A place where one line overtakes another.
#[derive(Debug, Clone, PartialEq)]
pub struct Ring {
    /// The one that is overtaken.
    pub a: String,
    /// The one that overtakes.
    pub b: String,
    /// Between these values of the level axis.
    pub from: f64,
    /// The upper one.
    pub to: f64,
}

/// All of a chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rings(pub Vec<Ring>);

impl Rings {
    /// What a legend says of them.
    pub fn meaning(&self) -> Option<&'static str> {
        match &self.0[..] {
            [] => None,
            _ => Some("one overtakes another"),
        }
    }

    /// Where the lines cross in the picture, in which a value is at `place`.
    pub fn places(&self, lines: &[Line], place: impl Fn(f64, f64) -> Place) -> Vec<Place> {
        let named = |name: &str| lines.iter().find(|line| line.label.as_deref() == Some(name));
        let of = |ring: &Ring| {
            let (a, b) = (named(&ring.a)?, named(&ring.b)?);
            let inside = |x: f64| (ring.from..=ring.to).contains(&x);
            let at = |of_a: &Spot, of_b: &Spot| (place(of_a.x, of_a.y), place(of_b.x, of_b.y).1);
            let both = a.spots.iter().filter(|spot| inside(spot.x)).filter_map(|of_a| {
                let of_b = b.spots.iter().find(|of_b| of_b.x == of_a.x)?;
                Some(at(of_a, of_b))
            });
            both.clone().zip(both.skip(1)).find_map(|(before, after)| crossing(before, after))
        };
        self.0.iter().filter_map(of).collect()
    }
}

/// Where two lines cross between two places of the one, each with the height of the other.
fn crossing((a, b): (Place, i32), (next_a, next_b): (Place, i32)) -> Option<Place> {
    let (before, after) = (f64::from(b - a.1), f64::from(next_b - next_a.1));
    let crosses = before * after <= 0.0 && before != after;
    let share = before / (before - after);
    let between = |from: i32, to: i32| rounded(f64::from(from) + f64::from(to - from) * share);
    crosses.then(|| (between(a.0, next_a.0), between(a.1, next_a.1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::Look;

    #[test]
    fn a_ring_is_where_the_lines_cross() {
        let line = |label: &str, ys: [f64; 3]| Line {
            label: Some(label.to_owned()),
            look: Look::nth(0),
            stroke: None,
            spots: [0.0, 10.0, 20.0].into_iter().zip(ys).map(|(x, y)| Spot::new(x, y)).collect(),
        };
        let lines = [line("a", [30.0, 20.0, 10.0]), line("b", [0.0, 10.0, 30.0])];
        let ring = Ring { a: "a".to_owned(), b: "b".to_owned(), from: 0.0, to: 20.0 };
        let place = |x: f64, y: f64| (rounded(x * 3.0), rounded(y));
        // 10 apart at 10, and 20 the other way at 20: a third of the way.
        assert_eq!(Rings(vec![ring.clone()]).places(&lines, place), [(40, 17)]);
        let none = [Ring { to: 10.0, ..ring.clone() }, Ring { b: "c".to_owned(), ..ring }];
        assert!(Rings(none.to_vec()).places(&lines, place).is_empty());
    }
}
