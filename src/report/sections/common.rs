//! What several sections need: axes, series, and how things are called.

use crate::analysis::{Axis, Curve, Point};
use crate::report::chart::{self, Line, Scale, Shape, Spot, Stroke, stroke_of};
use crate::report::numbers::grouped;

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
    chart::Axis { title: title.to_owned(), scale: Scale::round(values.flatten()), written: number }
}

/// How a value of the axis is written.
pub fn written(axis: Axis) -> fn(f64) -> String {
    match axis {
        Axis::Payload => bytes,
        _ => number,
    }
}

/// The axis without its unit.
pub fn name_of(axis: Axis) -> &'static str {
    axis.name().split(" (").next().unwrap_or_default()
}

/// What a column of its values is called.
pub fn column_of(axis: Axis) -> &'static str {
    if axis == Axis::Clients { "clients" } else { axis.name() }
}

/// A number as short as it is exact.
pub fn number(value: f64) -> String {
    const HUGE: f64 = 1e9;
    if value >= HUGE {
        return format!("{value:.1e}");
    }
    let digits = [0, 1, 2].into_iter().find(|digits| {
        let factor = 10_f64.powi(*digits);
        ((value * factor).round() - value * factor).abs() <= value * factor * 1e-9
    });
    match digits {
        Some(digits) => grouped(value, digits.unsigned_abs() as usize),
        None if value < 0.01 => format!("{value:.0e}"),
        None => grouped(value, 2),
    }
}

fn bytes(value: f64) -> String {
    const STEP: f64 = 1024.0;
    let units = ["B", "KiB", "MiB", "GiB"];
    let mut value = value;
    let mut unit = 0;
    while value >= STEP && unit + 1 < units.len() {
        value /= STEP;
        unit += 1;
    }
    format!("{} {}", number((value * 10.0).round() / 10.0), units[unit])
}

/// The points of a curve with what is shown of each, where that is known.
pub fn spots(curve: &Curve, value: fn(&Point) -> Option<f64>) -> Vec<Spot> {
    let spot = |point: &Point| Some(Spot::new(point.x, value(point)?));
    curve.points.iter().filter_map(spot).collect()
}

/// The lines of two values of each curve, the second dashed; the marks tell series apart.
pub fn pairs_of_lines<'a>(
    labels: impl IntoIterator<Item = &'a str>,
    mut spots: impl FnMut(usize, Stroke) -> Vec<Spot>,
) -> Vec<Line> {
    let each = |(series, label): (usize, &str)| {
        let shape = Shape::of_series(series);
        [Stroke::Solid, Stroke::Dashed].map(|stroke| Line {
            label: (stroke == Stroke::Solid).then(|| label.to_owned()),
            series,
            stroke: Some(stroke),
            spots: spots(series, stroke)
                .into_iter()
                .map(|spot| Spot { shape: Some(shape), ..spot })
                .collect(),
        })
    };
    let lines: Vec<_> = labels.into_iter().enumerate().flat_map(each).collect();
    lines.into_iter().filter(|line| !line.spots.is_empty()).collect()
}

/// The line of what was measured of a curve, its marks telling what bounded each point.
pub fn measured(series: usize, label: &str, spots: Vec<Spot>) -> Line {
    Line { label: Some(label.to_owned()), series, stroke: Some(stroke_of(series)), spots }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_they_are_exact() {
        let cases = [
            (0.0, "0"),
            (0.5, "0.5"),
            (1200.0, "1,200"),
            (2.25, "2.25"),
            (1e18, "1.0e18"),
            (1e-300, "1e-300"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!([16.0, 1024.0, 1_048_576.0].map(bytes), ["16 B", "1 KiB", "1 MiB"]);
    }
}
