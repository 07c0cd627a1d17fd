//! What several sections need: axes, series, and how things are called.

use crate::analysis::{Axis, Curve, Point};
use crate::report::chart::{self, Line, Look, Scale, Spot};
use crate::report::numbers::number;
use crate::report::prose::phrases::written;

/// The axis of the curves, from left to right, for points at these places.
pub fn level_axis(axis: Axis, places: impl IntoIterator<Item = f64>) -> chart::Axis {
    let scale = Scale::of(places);
    let title = if scale.is_logarithmic() {
        format!("{}, log scale", axis.name())
    } else {
        axis.name().to_owned()
    };
    chart::Axis { title, scale, written: written(axis) }
}

/// An upright axis with round numbers.
pub fn upright_axis<'a>(title: &str, lines: impl IntoIterator<Item = &'a Line>) -> chart::Axis {
    let spots = lines.into_iter().flat_map(|line| &line.spots);
    let values = spots.flat_map(|spot| [Some(spot.y), spot.ends.map(|(_, high)| high)]);
    chart::Axis { title: title.to_owned(), scale: Scale::round(values.flatten()), written: short }
}

/// The axis without its unit.
pub fn name_of(axis: Axis) -> &'static str {
    axis.name().split(" (").next().unwrap_or_default()
}

/// A round number beside an axis, where there is little room.
fn short(value: f64) -> String {
    const MILLION: f64 = 1e6;
    const HUGE: f64 = 1e12;
    if (MILLION..HUGE).contains(&value) { number(value / MILLION) + " M" } else { number(value) }
}

/// The points of a curve with what is shown of each, where that is known.
pub fn spots(curve: &Curve, value: impl Fn(&Point) -> Option<f64>) -> Vec<Spot> {
    let spot = |point: &Point| Some(Spot::new(point.x, value(point)?));
    curve.points.iter().filter_map(spot).collect()
}

/// How each curve looks.
pub fn looks(curves: &[Curve]) -> Vec<Look> {
    Look::of(&curves.iter().map(|curve| &*curve.system).collect::<Vec<_>>())
}

/// The line of what was measured of a curve.
pub fn measured(look: Look, label: &str, spots: Vec<Spot>) -> Line {
    Line { label: Some(label.to_owned()), look, stroke: Some(look.stroke()), spots }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_little_room_beside_an_axis() {
        assert_eq!([8e5, 2.5e6, 1e8, 1e12].map(short), ["800,000", "2.5 M", "100 M", "1.0e12"]);
    }
}
