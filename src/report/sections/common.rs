//! Axes, lines and styles that several sections use.

use anyhow::Result;

use crate::analysis::{Axis, Curve, Point};
use crate::report::chart::{
    self, ChartInfo, Crossings, DataPoint, Line, LineChart, Scale, SeriesStyle, Stroke,
};
use crate::report::numbers::compact;
use crate::report::page::{Figure, Table};
use crate::report::prose::phrases::axis_format;

/// The x axis of curves, for points at these values.
pub fn x_axis(axis: Axis, values: impl IntoIterator<Item = f64>) -> chart::Axis {
    let scale = Scale::of(values);
    let title = if scale.is_logarithmic() {
        format!("{}, log scale", axis.name())
    } else {
        axis.name().to_owned()
    };
    chart::Axis { title, scale, format: axis_format(axis) }
}

/// A y axis that ends at round numbers and covers all points and intervals.
pub fn y_axis<'a>(title: &str, lines: impl IntoIterator<Item = &'a Line>) -> chart::Axis {
    let points = lines.into_iter().flat_map(|line| &line.points);
    let values =
        points.flat_map(|point| [Some(point.y), point.interval.map(|(_, high)| high)]).flatten();
    let scale = Scale::with_round_ends(values);
    chart::Axis { title: title.to_owned(), scale, format: abbreviated }
}

/// The values of the x axis at which the lines have points.
pub fn x_values(lines: &[Line]) -> impl Iterator<Item = f64> {
    lines.iter().flat_map(|line| line.points.iter().map(|point| point.x))
}

/// The name of the axis without its unit.
pub fn axis_name(axis: Axis) -> &'static str {
    axis.name().split(" (").next().unwrap_or_default()
}

/// The format of tick labels: short, because the margin is narrow.
fn abbreviated(value: f64) -> String {
    const MILLION: f64 = 1e6;
    const MAX_MILLIONS: f64 = 1e12;
    if (MILLION..MAX_MILLIONS).contains(&value) {
        compact(value / MILLION) + " M"
    } else {
        compact(value)
    }
}

/// The points of a curve that have the given value.
pub fn data_points(curve: &Curve, value: impl Fn(&Point) -> Option<f64>) -> Vec<DataPoint> {
    let data_point = |point: &Point| Some(DataPoint::new(point.x, value(point)?));
    curve.points.iter().filter_map(data_point).collect()
}

/// The style of each curve.
pub fn styles(curves: &[Curve]) -> Vec<SeriesStyle> {
    SeriesStyle::of(&curves.iter().map(|curve| &*curve.system).collect::<Vec<_>>())
}

/// The line of a curve through measured points.
pub fn measured_line(style: SeriesStyle, label: &str, points: Vec<DataPoint>) -> Line {
    Line { label: Some(label.to_owned()), style, stroke: Some(style.stroke()), points }
}

/// A line chart without id and title, whose markers show no bounds; [`draw`] adds id and title.
pub fn line_chart(
    x: chart::Axis,
    y: chart::Axis,
    lines: Vec<Line>,
    strokes: Vec<(Stroke, &'static str)>,
) -> LineChart {
    let (info, crossings) = (ChartInfo::default(), Crossings::default());
    LineChart { info, x, y, lines, strokes, shapes_show_bounds: false, crossings }
}

/// Draws a chart and makes a figure of it.
pub fn draw(info: ChartInfo, caption: String, table: Table, chart: LineChart) -> Result<Figure> {
    let (id, title) = (info.id.clone(), info.title.clone());
    let svg = LineChart { info, ..chart }.draw()?;
    Ok(Figure { id, title, svg, caption, table })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tick_labels_of_millions_are_abbreviated() {
        assert_eq!(
            [8e5, 2.5e6, 1e8, 1e12].map(abbreviated),
            ["800,000", "2.5 M", "100 M", "1.0e12"]
        );
    }
}
