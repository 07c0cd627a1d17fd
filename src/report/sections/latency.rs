//! Latency: round-trip times of the closed loop, and latency at a given rate.

use anyhow::Result;

use super::ReportInput;
use super::common::{axis_name, data_points, draw, line_chart, styles, x_axis, x_values, y_axis};
use crate::analysis::{Curve, PacedLoad, Point};
use crate::report::chart::{
    self, ChartInfo, DataPoint, Line, Scale, SeriesStyle, Stroke, is_crowded,
};
use crate::report::numbers::{compact, grouped};
use crate::report::paced::{limits, load, table as paced_table};
use crate::report::page::{Block, Figure, Section};
use crate::report::prose::phrases::{at_value, capitalize, inline_label};
use crate::report::table;

pub fn section(input: &ReportInput<'_>) -> Result<Section> {
    let mut section = Section::new("latency", "Latency");
    match closed_loop(input)? {
        Some(figure) => {
            section.add_paragraph(
                "Round-trip time in a closed loop, in which each client waits for the reply before \
                 it sends its next request. With N clients, it is about N / throughput. It is not \
                 the latency of requests that arrive at a given rate.",
            );
            section.blocks.push(Block::Figure(figure));
        }
        None if input.curves.is_empty() => {}
        None => section.add_paragraph("The rows have no round-trip times."),
    }
    let paced = input.paced;
    if paced.is_empty() {
        section.add_paragraph(
            "Latency at a given rate (open loop) was not measured. scripts/latency.sh measures it \
             at 50, 70 and 90 % of each peak.",
        );
    } else {
        section.add_paragraph(
            "In an open loop, the schedule of requests does not depend on replies. Latency is \
             measured from each request's scheduled send time, so it includes the time in queues. \
             Percentiles are those of all trials together, with their range over the trials.",
        );
        section.blocks.push(open_loop(input, paced)?);
        for text in limits(paced) {
            section.add_paragraph(text);
        }
    }
    Ok(section)
}

fn closed_loop(input: &ReportInput<'_>) -> Result<Option<Figure>> {
    let &ReportInput { axis, curves, .. } = input;
    let series: Vec<_> = curves.iter().map(|curve| &*curve.label).zip(styles(curves)).collect();
    let (lines, strokes) = percentiles(&series, |at, is_p99| {
        let percentile = |p: &Point| if is_p99 { p.rtt_p99_us } else { p.rtt_p50_us };
        data_points(&curves[at], percentile)
    });
    if lines.is_empty() {
        return Ok(None);
    }
    let info = ChartInfo {
        id: "rtt".to_owned(),
        title: format!("Round-trip time over {}", axis_name(axis)),
        desc: "Median and 99th percentile of the round-trip time of each system".to_owned(),
    };
    let x = x_axis(axis, x_values(&lines));
    let y = y_axis(&y_title("round-trip time", &strokes), &lines);
    let chart = line_chart(x, y, lines, strokes);
    let figure = draw(info, rtt_caption(input), table::round_trips(curves, axis), chart)?;
    Ok(Some(figure))
}

/// The legend entries of strokes.
type Strokes = Vec<(Stroke, &'static str)>;

/// The lines of each series: the median solid and the 99th percentile dashed or, if there are many
/// series, the 99th percentile only.
fn percentiles(
    series: &[(&str, SeriesStyle)],
    points: impl Fn(usize, bool) -> Vec<DataPoint>,
) -> (Vec<Line>, Strokes) {
    let crowded = is_crowded(series.len());
    let kinds: &[bool] = if crowded { &[true] } else { &[false, true] };
    let of_series = |(at, (label, style)): (usize, &(&str, SeriesStyle))| {
        let lines = kinds.iter().map(|is_p99| {
            let stroke = if *is_p99 { Stroke::Dashed } else { Stroke::Solid };
            let marked = |point| DataPoint { shape: Some(style.shape()), ..point };
            let points: Vec<_> = points(at, *is_p99).into_iter().map(marked).collect();
            let stroke = Some(if crowded { style.stroke() } else { stroke });
            Line { label: None, style: *style, stroke, points }
        });
        let mut lines: Vec<_> = lines.filter(|line| !line.points.is_empty()).collect();
        if let Some(first) = lines.first_mut() {
            first.label = Some((*label).to_owned());
        }
        lines
    };
    let lines = series.iter().enumerate().flat_map(of_series).collect();
    let strokes = [(Stroke::Solid, "p50 (median)"), (Stroke::Dashed, "p99")];
    (lines, if crowded { Vec::new() } else { strokes.to_vec() })
}

/// The title of the y axis. It names the percentile if the legend does not.
fn y_title(quantity: &str, strokes: &Strokes) -> String {
    if strokes.is_empty() { format!("{quantity}, p99 (us)") } else { format!("{quantity} (us)") }
}

/// The lowest and the highest p99 at the last value of the axis that most curves have.
fn rtt_caption(input: &ReportInput<'_>) -> String {
    let p99s = |x: f64| {
        let of = |curve: &'_ Curve| curve.at(x).and_then(|point| point.rtt_p99_us);
        input.curves.iter().filter_map(move |curve| Some((curve, of(curve)?))).collect::<Vec<_>>()
    };
    let mut xs: Vec<_> = input.curves.iter().flat_map(|c| c.points.iter().map(|p| p.x)).collect();
    xs.sort_by(f64::total_cmp);
    xs.dedup();
    let Some(x) = xs.into_iter().max_by_key(|x| p99s(*x).len()) else { return String::new() };
    let mut all = p99s(x);
    all.sort_by(|a, b| a.1.total_cmp(&b.1));
    let at = capitalize(&at_value(input.axis, x));
    let p99 = |(curve, us): &(&Curve, f64)| {
        format!("{} ({} us)", inline_label(&curve.label), grouped(*us, 0))
    };
    match all.as_slice() {
        [] => "The rows have the median, but no higher percentile.".to_owned(),
        [(curve, us)] => format!(
            "{at}, the p99 round-trip time of {} is {} us.",
            inline_label(&curve.label),
            grouped(*us, 0)
        ),
        [lowest, .., highest] => format!(
            "{at}, the p99 round-trip time is lowest with {} and highest with {}.",
            p99(lowest),
            p99(highest)
        ),
    }
}

/// The value and the title of the x axis: the share of the peak in percent if it is known for all
/// loads, otherwise the rate.
fn load_axis(loads: &[PacedLoad]) -> (fn(&PacedLoad) -> f64, &'static str) {
    if loads.iter().all(|paced| paced.share_of_peak.is_some()) {
        (
            |paced| (paced.share_of_peak.unwrap_or_default() * 100.0).round(),
            "offered load (% of the peak)",
        )
    } else {
        (|paced| paced.rate_per_s, "offered load (requests/s)")
    }
}

/// A figure, or only a table if no latency is known.
fn open_loop(input: &ReportInput<'_>, loads: &[PacedLoad]) -> Result<Block> {
    let (load_value, title) = load_axis(loads);
    let mut labels: Vec<&str> = Vec::new();
    for paced in loads {
        if !labels.contains(&&*paced.label) {
            labels.push(&paced.label);
        }
    }
    let series: Vec<_> = labels.iter().copied().zip(paced_styles(&labels, input, loads)).collect();
    let (lines, strokes) = percentiles(&series, |at, is_p99| {
        let of_label = loads.iter().filter(|paced| paced.label == labels[at]);
        let us = |paced: &PacedLoad| if is_p99 { paced.due_p99_us } else { paced.due_p50_us };
        let point = |paced| Some(DataPoint::new(load_value(paced), us(paced)?.us));
        of_label.filter_map(point).collect()
    });
    if lines.is_empty() {
        return Ok(Block::Table(paced_table(loads)));
    }
    let info = ChartInfo {
        id: "due".to_owned(),
        title: "Latency from the scheduled send time over offered load".to_owned(),
        desc: "Median and 99th percentile of the latency from the scheduled send time".to_owned(),
    };
    let scale = Scale::of(x_values(&lines));
    let x = chart::Axis { title: title.to_owned(), scale, format: compact };
    let y = y_axis(&y_title("latency from the scheduled send time", &strokes), &lines);
    let chart = line_chart(x, y, lines, strokes);
    Ok(Block::Figure(draw(info, paced_caption(loads), paced_table(loads), chart)?))
}

/// The styles of the curves with the same labels if there is one for each label; otherwise styles
/// by system.
fn paced_styles(labels: &[&str], input: &ReportInput<'_>, loads: &[PacedLoad]) -> Vec<SeriesStyle> {
    let styles = styles(input.curves);
    let curve = |label: &&str| input.curves.iter().position(|curve| curve.label == **label);
    let of_curves: Option<Vec<_>> =
        labels.iter().map(|label| Some(styles[curve(label)?])).collect();
    of_curves.unwrap_or_else(|| {
        let load = |label: &&str| loads.iter().find(|paced| paced.label == **label);
        let systems = labels.iter().map(|label| load(label).map_or("", |paced| &*paced.system));
        SeriesStyle::of(&systems.collect::<Vec<_>>())
    })
}

/// The lowest and the highest p99, and the number of rates that were not kept.
fn paced_caption(loads: &[PacedLoad]) -> String {
    let mut p99s: Vec<_> =
        loads.iter().filter_map(|paced| Some((paced, paced.due_p99_us?.us))).collect();
    p99s.sort_by(|a, b| a.1.total_cmp(&b.1));
    let at = |(paced, us): &(&PacedLoad, f64)| {
        format!("{} at {} ({} us)", inline_label(&paced.label), load(paced), grouped(*us, 0))
    };
    let latency = match &p99s[..] {
        [] => String::new(),
        [(paced, us)] => format!(
            "The p99 of {} at {} is {} us. ",
            inline_label(&paced.label),
            load(paced),
            grouped(*us, 0)
        ),
        [lowest, .., highest] => {
            format!("The p99 is lowest for {} and highest for {}. ", at(lowest), at(highest))
        }
    };
    let missed = loads.iter().filter(|paced| !paced.is_rate_kept()).count();
    let kept = match missed {
        0 => "All rates were kept.".to_owned(),
        1 => "One rate was not kept: the number of requests sent differs from the number offered \
              (see the table)."
            .to_owned(),
        more => format!(
            "{more} rates were not kept: the number of requests sent differs from the number \
             offered (see the table)."
        ),
    };
    latency + &kept
}
