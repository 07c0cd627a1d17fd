//! The figure: throughput over the number of clients.

use anyhow::{Result, anyhow, bail};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::marker::{Shape, marker};
use super::numbers::grouped;
use crate::analysis::{Curve, Point};

const SIZE: (u32, u32) = (960, 600);
/// Strokes of a dashed line, in pixels.
const DASH: u32 = 7;
const GAP: u32 = 5;

const TITLE: &str = "Throughput over concurrent clients";
const BAND: &str = "95 % interval";

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

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// How a curve is drawn: what it is called, its colour, and whether it is dashed.
#[derive(Debug, Clone)]
struct Look {
    label: String,
    colour: RGBColor,
    dashed: bool,
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
    let mut lines = (70..).step_by(26);
    for ((_, look), y) in all.iter().zip(&mut lines) {
        draw_legend(&right, look, y)?;
    }
    let shapes = Shape::of_all(curves);
    let mut lines = lines.skip(1);
    for (shape, y) in shapes.iter().zip(&mut lines) {
        right.draw(&marker(*shape, BLACK.mix(0.7), true, (20, y)))?;
        write(&right, shape.meaning(), y)?;
    }
    if let Some(y) = lines.next().filter(|_| curves.iter().any(has_band)) {
        let band = BLACK.mix(0.18).filled();
        right.draw(&Rectangle::new([(0, y - 8), (40, y + 8)], band))?;
        write(&right, BAND, y)?;
    }
    area.present()?;
    Ok(())
}

/// The legend stands to the right of the axes, where no curve runs.
fn legend_width(curves: &[(&Curve, Look)]) -> u32 {
    let labels = curves.iter().map(|(_, look)| look.label.chars().count());
    let longest = labels.chain(Shape::ALL.map(|shape| shape.meaning().len())).max().unwrap_or(0);
    u32::try_from(60 + 8 * longest).map_or(SIZE.0 / 2, |width| width.min(SIZE.0 / 2))
}

fn axes<'a, 'b>(area: &'a Area<'b>, curves: &[(&Curve, Look)]) -> Result<Chart<'a, 'b>> {
    let points = || curves.iter().flat_map(|(curve, _)| &curve.points);
    let most_clients = points().map(|point| point.clients).max().unwrap_or(1);
    let highest = points().map(|point| ends(point).1).fold(1.0, f64::max);
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
            dashed,
        }
    }
}

/// The lower and the upper end of a point's interval; its mean, where it has none.
fn ends(point: &Point) -> (f64, f64) {
    let half = point.throughput.half_width().unwrap_or(0.0);
    ((point.throughput.mean - half).max(0.0), point.throughput.mean + half)
}

fn draw_curve(chart: &mut Chart<'_, '_>, curve: &Curve, look: &Look) -> Result<()> {
    draw_band(chart, curve, look)?;
    let at = |point: &Point| (point.clients as f64, point.throughput.mean);
    let points = curve.points.iter().map(at);
    let style = look.colour.stroke_width(2);
    if look.dashed {
        chart.draw_series(DashedLineSeries::new(points, DASH, GAP, style))?;
    } else {
        chart.draw_series(LineSeries::new(points, style))?;
    }
    let shape = |point: &Point| if look.dashed { Shape::Disc } else { Shape::of(point) };
    chart.draw_series(
        curve.points.iter().map(|p| marker(shape(p), look.colour.into(), !look.dashed, at(p))),
    )?;
    Ok(())
}

fn has_band(curve: &Curve) -> bool {
    curve.points.iter().all(|point| point.throughput.half_width().is_some())
}

/// The 95 % intervals, where all points have one.
fn draw_band(chart: &mut Chart<'_, '_>, curve: &Curve, look: &Look) -> Result<()> {
    if !has_band(curve) {
        return Ok(());
    }
    let lower = curve.points.iter().map(|point| (point.clients as f64, ends(point).0));
    let upper = curve.points.iter().map(|point| (point.clients as f64, ends(point).1));
    let around: Vec<_> = lower.chain(upper.rev()).collect();
    chart.draw_series([Polygon::new(around, look.colour.mix(0.18).filled())])?;
    Ok(())
}

fn draw_legend(area: &Area<'_>, look: &Look, y: i32) -> Result<()> {
    // A dashed line of this length is two strokes.
    let gap = if look.dashed { 5 } else { 0 };
    for (from, to) in [(0, 20 - gap), (20 + gap, 40)] {
        area.draw(&PathElement::new([(from, y), (to, y)], look.colour.stroke_width(3)))?;
    }
    write(area, &look.label, y)
}

/// Text of the legend, behind its mark.
fn write(area: &Area<'_>, text: &str, y: i32) -> Result<()> {
    let style = TextStyle::from(("sans-serif", 16)).pos(Pos::new(HPos::Left, VPos::Center));
    area.draw(&Text::new(text.to_owned(), (50, y), style))?;
    Ok(())
}

/// Gives the picture a title and a description, for who does not see it.
fn describe(svg: &str, curves: &[Curve]) -> String {
    let peaks = curves.iter().filter_map(|curve| {
        let peak = curve.peak()?;
        let rate = grouped(peak.throughput.mean, 0);
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
