//! Throughput over the axis.

use anyhow::Result;

use super::ReportInput;
use super::common::{axis_name, draw, line_chart, measured_line, styles, x_axis, x_values, y_axis};
use crate::analysis::{Axis, Curve, Finding, Point, fit_usl};
use crate::report::chart::{
    ChartInfo, Crossing, Crossings, DataPoint, Line, LineChart, Scale, SeriesStyle, Shape, Stroke,
    is_crowded,
};
use crate::report::numbers::grouped;
use crate::report::page::{Block, Figure, Section};
use crate::report::prose::phrases::{at_value, capitalize, inline_label};
use crate::report::table;

/// The id of the figure that HTML reports also write as an SVG file.
pub const MAIN_FIGURE: &str = "throughput";

pub fn section(input: &ReportInput<'_>) -> Result<Section> {
    let axis = input.axis;
    let mut section = Section::new("throughput", "Throughput");
    if input.curves.is_empty() {
        section.add_paragraph(
            "Peak throughput is unknown: there are no closed-loop trials. Run bench without --rate \
             to measure it.",
        );
        return Ok(section);
    }
    section.blocks.push(Block::Figure(in_messages(input)?));
    if axis == Axis::Payload {
        section.blocks.push(Block::Figure(in_bytes(input)?));
    }
    section.blocks.extend(table::matrices(input.comparisons, axis).into_iter().map(Block::Table));
    if !input.comparisons.is_empty() {
        let ratios = Block::Table(table::ratios(input.comparisons, axis));
        section.blocks.push(Block::Details("All ratios as a table".to_owned(), vec![ratios]));
    }
    Ok(section)
}

fn in_messages(input: &ReportInput<'_>) -> Result<Figure> {
    let &ReportInput { axis, curves, .. } = input;
    let styles = styles(curves);
    let crowded = is_crowded(curves.len());
    let data_point = |point: &Point| {
        let Point { x, throughput: rate, .. } = point;
        let interval = point.interval().filter(|_| !crowded);
        DataPoint { x: *x, y: rate.mean, interval, shape: Some(Shape::of(point)) }
    };
    let each = || styles.iter().zip(curves);
    let mut lines: Vec<_> = each()
        .map(|(style, curve)| {
            measured_line(*style, &curve.label, curve.points.iter().map(data_point).collect())
        })
        .collect();
    lines.extend(references(input, &styles));
    let x = x_axis(axis, x_values(&lines));
    let y = y_axis("throughput (messages/s)", &lines);
    let fits: Vec<_> = each()
        .filter(|_| !crowded)
        .filter_map(|(style, curve)| fitted_line(*style, curve, &x.scale))
        .collect();
    let mut strokes = Vec::new();
    if !fits.is_empty() {
        strokes.push((Stroke::Dashed, "fitted curve (USL)"));
    }
    // Fits come first, so that measured lines are drawn above them.
    lines.splice(0..0, fits);
    let title = format!("Throughput over {}", axis_name(axis));
    let info = ChartInfo { id: MAIN_FIGURE.to_owned(), title, desc: description(input) };
    let crossings = crossings(input.findings);
    let chart =
        LineChart { shapes_show_bounds: true, crossings, ..line_chart(x, y, lines, strokes) };
    draw(info, caption(input), table::rates(curves, axis), chart)
}

fn in_bytes(input: &ReportInput<'_>) -> Result<Figure> {
    let &ReportInput { axis, curves, .. } = input;
    let data_point = |point: &Point| {
        let shape = Some(Shape::of(point));
        Some(DataPoint { shape, ..DataPoint::new(point.x, point.mib_per_s?) })
    };
    let lines: Vec<_> = styles(curves)
        .into_iter()
        .zip(curves)
        .map(|(style, curve)| {
            let points = curve.points.iter().filter_map(data_point).collect();
            measured_line(style, &curve.label, points)
        })
        .collect();
    let info = ChartInfo {
        id: "payload-rate".to_owned(),
        title: "Throughput in MiB/s".to_owned(),
        desc: "Requests and replies together, in MiB/s, over the size of the request".to_owned(),
    };
    let points = curves.iter().flat_map(|curve| curve.points.iter().map(move |p| (curve, p)));
    let known = points.filter_map(|(curve, point)| Some((curve, point, point.mib_per_s?)));
    let highest = known.max_by(|a, b| a.2.total_cmp(&b.2));
    let caption = highest.map_or_else(String::new, |(curve, point, rate)| {
        format!(
            "The highest rate is {} MiB/s, by {} {}. It counts the text of requests and of padded \
             replies, without any protocol overhead.",
            grouped(rate, 0),
            inline_label(&curve.label),
            at_value(axis, point.x)
        )
    });
    let x = x_axis(axis, x_values(&lines));
    let y = y_axis("throughput (MiB/s)", &lines);
    let chart = LineChart { shapes_show_bounds: true, ..line_chart(x, y, lines, Vec::new()) };
    draw(info, caption, table::rates(curves, axis), chart)
}

/// The crossings that the findings report.
fn crossings(findings: &[Finding]) -> Crossings {
    let crossing = |finding: &Finding| match finding {
        Finding::Overtakes { crossover, .. } => Some(Crossing {
            a: crossover.a.clone(),
            b: crossover.b.clone(),
            from: crossover.from,
            to: crossover.to,
        }),
        _ => None,
    };
    Crossings(findings.iter().filter_map(crossing).collect())
}

/// The lines of the reference. A curve with the same label as a measured one has its style.
fn references(input: &ReportInput<'_>, styles: &[SeriesStyle]) -> Vec<Line> {
    let shown = input.reference.iter().filter(|_| input.axis == Axis::Clients);
    let same = |curve: &Curve| input.curves.iter().position(|own| own.label == curve.label);
    (input.curves.len()..)
        .zip(shown)
        .map(|(next, curve)| Line {
            label: Some(format!("{} (reference)", curve.label)),
            style: same(curve).map_or_else(|| SeriesStyle::nth(next), |at| styles[at]),
            stroke: Some(Stroke::Dotted),
            points: curve.points.iter().map(|p| DataPoint::new(p.x, p.throughput.mean)).collect(),
        })
        .collect()
}

/// The fit of the Universal Scalability Law; `None` if there is no good fit.
fn fitted_line(style: SeriesStyle, curve: &Curve, scale: &Scale) -> Option<Line> {
    let fit = fit_usl(curve).ok()?;
    let (first, last) = (curve.points.first()?.x, curve.points.last()?.x);
    let points = scale.samples(first, last).into_iter().map(|x| DataPoint::new(x, fit.at(x)));
    Some(Line { label: None, style, stroke: Some(Stroke::Dashed), points: points.collect() })
}

/// The peak of each curve.
fn description(input: &ReportInput<'_>) -> String {
    let each = input.curves.iter().filter_map(|curve| {
        let peak = curve.peak()?;
        let rate = grouped(peak.throughput.mean, 0);
        let label = inline_label(&curve.label);
        Some(format!("{label}: peak of {rate} messages/s {}", at_value(input.axis, peak.x)))
    });
    each.collect::<Vec<_>>().join("; ")
}

fn caption(input: &ReportInput<'_>) -> String {
    let mut sentences = vec![match input.axis {
        Axis::Clients | Axis::Workers => highest(input),
        Axis::Work | Axis::Payload | Axis::Think => at_ends(input),
    }];
    let mut overtaking =
        input.findings.iter().filter(|finding| matches!(finding, Finding::Overtakes { .. }));
    match (overtaking.next(), overtaking.next()) {
        (Some(one), None) => sentences.push(format!("The ring marks the crossover: {one}")),
        (Some(_), Some(_)) => sentences.push(
            "Rings mark the points where one curve overtakes another; the verdict lists them."
                .to_owned(),
        ),
        (None, _) => {}
    }
    if is_crowded(input.curves.len()) {
        sentences
            .push("There are too many curves to draw intervals; the table has them.".to_owned());
    }
    sentences.join(" ")
}

/// The curve with the highest peak, its end, and the curve with the second highest peak.
fn highest(input: &ReportInput<'_>) -> String {
    /// A smaller loss is not visible in the figure.
    const MIN_VISIBLE_LOSS: f64 = 0.05;
    let axis = input.axis;
    let mut peaks: Vec<_> =
        input.curves.iter().filter_map(|curve| Some((curve, curve.peak()?))).collect();
    peaks.sort_by(|a, b| b.1.throughput.mean.total_cmp(&a.1.throughput.mean));
    let Some((highest, peak)) = peaks.first() else { return String::new() };
    let at = |point: &Point| format!("{} {}", rate(point), at_value(axis, point.x));
    let mut sentences = vec![format!(
        "{} has the highest throughput, {} messages/s {}.",
        inline_label(&highest.label),
        rate(peak),
        at_value(axis, peak.x)
    )];
    if let Some(last) = highest.points.last()
        && last.throughput.mean < peak.throughput.mean * (1.0 - MIN_VISIBLE_LOSS)
    {
        // "Falls" is a claim, so it needs a significant difference.
        let falls = |finding: &Finding| matches!(finding, Finding::LevelsOff { label, falls: true, .. } if *label == highest.label);
        let verb = if input.findings.iter().any(falls) { "falls to" } else { "ends with" };
        sentences.push(format!("Its curve {verb} {}.", at(last)));
    }
    if let Some((next, peak)) = peaks.get(1) {
        sentences.push(format!(
            "The next curve, {}, reaches {}.",
            inline_label(&next.label),
            at(peak)
        ));
    }
    if peak.may_be_bounded_by_clients() {
        let clients = if peak.is_bounded_by_clients() {
            "the clients were the bound"
        } else {
            "the clients had no CPU time left either, or may have had none"
        };
        sentences.push(format!("At the highest peak, {clients}, so the server may be faster."));
    }
    sentences.join(" ")
}

/// The range of throughput at both ends of the axis.
fn at_ends(input: &ReportInput<'_>) -> String {
    let &ReportInput { axis, curves, .. } = input;
    let xs = || curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.x));
    let (first, last) =
        (xs().fold(f64::INFINITY, f64::min), xs().fold(f64::NEG_INFINITY, f64::max));
    let range_at = |x: f64| {
        let mut points: Vec<_> = curves.iter().filter_map(|c| Some((c, c.at(x)?))).collect();
        points.sort_by(|a, b| a.1.throughput.mean.total_cmp(&b.1.throughput.mean));
        let label = |curve: &Curve| inline_label(&curve.label_at(axis, x));
        let at = capitalize(&at_value(axis, x));
        match &points[..] {
            [] => String::new(),
            [(curve, point)] => {
                format!("{at}, {} delivers {} messages/s.", label(curve), rate(point))
            }
            [(lowest, low), .., (highest, high)] => format!(
                "{at}, throughput ranges from {} messages/s with {} to {} with {}.",
                rate(low),
                label(lowest),
                rate(high),
                label(highest)
            ),
        }
    };
    let ends =
        if first < last { vec![range_at(first), range_at(last)] } else { vec![range_at(first)] };
    ends.join(" ")
}

fn rate(point: &Point) -> String {
    grouped(point.throughput.mean, 0)
}
