//! The figure: throughput over the number of clients.

use anyhow::{Result, anyhow, bail};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::analysis::Curve;

const SIZE: (u32, u32) = (960, 600);
/// Strokes of a dashed line, in pixels.
const DASH: u32 = 7;
const GAP: u32 = 5;

const TITLE: &str = "Throughput over concurrent clients";

/// Colours that are told apart without seeing red or green (Okabe and Ito, 2008), darkest
/// first, for paper in black and white.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 120, 90),
    RGBColor(90, 90, 90),
    RGBColor(170, 60, 130),
    RGBColor(200, 140, 0),
    RGBColor(60, 150, 210),
];

const SHAPES: [Shape; 5] =
    [Shape::Disc, Shape::Triangle, Shape::Square, Shape::Diamond, Shape::Cross];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

#[derive(Debug, Clone, Copy)]
enum Shape {
    Disc,
    Triangle,
    Square,
    Diamond,
    Cross,
}

/// How a curve is drawn: what it is called, colour, shape of the markers, and whether dashed.
#[derive(Debug, Clone)]
struct Look {
    label: String,
    colour: RGBColor,
    shape: Shape,
    dashed: bool,
}

/// A marker at `at`: the shape's outline, filled, or with a white inside if it is dashed.
macro_rules! marker {
    ($at:expr, $look:expr) => {{
        let outline = $look.shape.outline();
        let inside = if $look.dashed { WHITE } else { $look.colour };
        EmptyElement::at($at)
            + Polygon::new(outline.clone(), inside.filled())
            + PathElement::new(outline, $look.colour.stroke_width(1))
    }};
}

/// Draws the curves, and those of another measurement dashed, as an SVG document.
///
/// Its ground is white, so that it is read on a dark page as well as on paper.
///
/// # Errors
///
/// Where there is no curve, or the drawing fails.
pub fn figure(curves: &[Curve], reference: &[Curve]) -> Result<String> {
    if curves.is_empty() {
        bail!("there is nothing to draw");
    }
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&area, curves, reference)
            .map_err(|error| anyhow!("cannot draw the figure: {error}"))?;
    }
    Ok(describe(&svg, curves))
}

fn draw(area: &Area<'_>, curves: &[Curve], reference: &[Curve]) -> Result<()> {
    area.fill(&WHITE)?;
    let mut looks = Looks::default();
    let own = curves.iter().map(|curve| (curve, looks.of(curve, false))).collect::<Vec<_>>();
    let others = reference.iter().map(|curve| (curve, looks.of(curve, true)));
    let all: Vec<_> = own.into_iter().chain(others).collect();

    let (left, right) = area.split_horizontally(SIZE.0 - legend_width(&all));
    let mut chart = axes(&left, &all)?;
    for (curve, look) in &all {
        draw_curve(&mut chart, curve, look)?;
    }
    for ((_, look), y) in all.iter().zip((70..).step_by(26)) {
        draw_legend(&right, look, y)?;
    }
    area.present()?;
    Ok(())
}

/// The legend stands to the right of the axes, where no curve runs.
fn legend_width(curves: &[(&Curve, Look)]) -> u32 {
    let longest = curves.iter().map(|(_, look)| look.label.chars().count()).max().unwrap_or(0);
    u32::try_from(60 + 8 * longest).map_or(SIZE.0 / 2, |width| width.min(SIZE.0 / 2))
}

fn axes<'a, 'b>(area: &'a Area<'b>, curves: &[(&Curve, Look)]) -> Result<Chart<'a, 'b>> {
    let points = || curves.iter().flat_map(|(curve, _)| &curve.points);
    let most_clients = points().map(|point| point.clients).max().unwrap_or(1);
    let highest = points().map(|point| point.throughput_per_s).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(TITLE, ("sans-serif", 22))
        .margin(18)
        .x_label_area_size(52)
        .y_label_area_size(84)
        .build_cartesian_2d(0.0..most_clients as f64 * 1.03, 0.0..highest * 1.08)?;
    chart
        .configure_mesh()
        .x_desc("concurrent clients")
        .y_desc("throughput (messages/s)")
        .x_labels(most_clients.min(12) + 1)
        .x_label_formatter(&|x| grouped(*x, 0))
        .y_label_formatter(&|y| grouped(*y, 0))
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .axis_desc_style(("sans-serif", 17))
        .label_style(("sans-serif", 15))
        .draw()?;
    Ok(chart)
}

/// Gives each curve its look; curves of one name look alike in both measurements.
#[derive(Default)]
struct Looks(Vec<String>);

impl Looks {
    fn of(&mut self, curve: &Curve, dashed: bool) -> Look {
        let known = self.0.iter().position(|label| *label == curve.label);
        let at = known.unwrap_or_else(|| {
            self.0.push(curve.label.clone());
            self.0.len() - 1
        });
        let suffix = if dashed { " (reference)" } else { "" };
        Look {
            label: format!("{}{suffix}", curve.label),
            colour: COLOURS[at % COLOURS.len()],
            shape: SHAPES[at % SHAPES.len()],
            dashed,
        }
    }
}

fn draw_curve(chart: &mut Chart<'_, '_>, curve: &Curve, look: &Look) -> Result<()> {
    let points = curve.points.iter().map(|p| (p.clients as f64, p.throughput_per_s));
    let style = look.colour.stroke_width(2);
    if look.dashed {
        chart.draw_series(DashedLineSeries::new(points.clone(), DASH, GAP, style))?;
    } else {
        chart.draw_series(LineSeries::new(points.clone(), style))?;
    }
    chart.draw_series(points.map(|at| marker!(at, look)))?;
    Ok(())
}

fn draw_legend(area: &Area<'_>, look: &Look, y: i32) -> Result<()> {
    // A dashed line of this length is two strokes.
    let gap = if look.dashed { 5 } else { 0 };
    for (from, to) in [(0, 20 - gap), (20 + gap, 40)] {
        area.draw(&PathElement::new([(from, y), (to, y)], look.colour.stroke_width(2)))?;
    }
    area.draw(&marker!((20, y), look))?;
    let style = TextStyle::from(("sans-serif", 16)).pos(Pos::new(HPos::Left, VPos::Center));
    area.draw(&Text::new(look.label.clone(), (50, y), style))?;
    Ok(())
}

impl Shape {
    /// A closed path around (0, 0), in pixels.
    fn outline(self) -> Vec<(i32, i32)> {
        let corners: &[(i32, i32)] = match self {
            Shape::Disc => &[
                (5, 0),
                (4, 3),
                (3, 4),
                (0, 5),
                (-3, 4),
                (-4, 3),
                (-5, 0),
                (-4, -3),
                (-3, -4),
                (0, -5),
                (3, -4),
                (4, -3),
            ],
            Shape::Triangle => &[(0, -6), (6, 5), (-6, 5)],
            Shape::Square => &[(-5, -5), (5, -5), (5, 5), (-5, 5)],
            Shape::Diamond => &[(0, -7), (7, 0), (0, 7), (-7, 0)],
            Shape::Cross => &[
                (0, -2),
                (4, -6),
                (6, -4),
                (2, 0),
                (6, 4),
                (4, 6),
                (0, 2),
                (-4, 6),
                (-6, 4),
                (-2, 0),
                (-6, -4),
                (-4, -6),
            ],
        };
        corners.iter().chain(&corners[..1]).copied().collect()
    }
}

/// Gives the picture a title and a description, for who does not see it.
fn describe(svg: &str, curves: &[Curve]) -> String {
    let peaks = curves.iter().filter_map(|curve| {
        let peak = curve.peak()?;
        let rate = grouped(peak.throughput_per_s, 0);
        Some(format!("{}: at most {rate} messages/s, at {} clients", curve.label, peak.clients))
    });
    let text = escaped(&peaks.collect::<Vec<_>>().join("; "));
    let words = format!("<title>{TITLE}</title><desc>{text}</desc>");
    match svg.find("<svg").and_then(|start| Some(start + svg[start..].find('>')? + 1)) {
        Some(inside) => format!("{}{words}{}", &svg[..inside], &svg[inside..]),
        None => svg.to_owned(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A number with commas between groups of three digits.
pub(super) fn grouped(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), ""), |(w, f)| (w, f));
    let mut out = String::new();
    for (i, digit) in whole.chars().enumerate() {
        let left = whole.len() - i;
        if i > 0 && left % 3 == 0 && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    if fraction.is_empty() { out } else { format!("{out}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        let cases = [
            (0.0, 0, "0"),
            (999.0, 0, "999"),
            (1000.0, 0, "1,000"),
            (-1234.5, 1, "-1,234.5"),
            (1_234_567.0, 0, "1,234,567"),
            (-123.0, 0, "-123"),
        ];
        for (value, digits, text) in cases {
            assert_eq!(grouped(value, digits), text);
        }
    }
}
