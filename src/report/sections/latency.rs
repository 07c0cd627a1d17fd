//! Latency: round trips of the closed loop, and what somebody sees who arrives at a given rate.

use anyhow::Result;

use super::Given;
use super::common::{level_axis, looks, name_of, spots, upright_axis};
use super::throughput::draw;
use crate::analysis::{Curve, Paced, Point, paced};
use crate::report::chart::{
    self, About, Line, LineChart, Look, Rings, Scale, Spot, Stroke, is_crowded,
};
use crate::report::numbers::{grouped, number};
use crate::report::paced::{load, table as due_table};
use crate::report::page::{Block, Figure, Section};
use crate::report::prose::findings::place;
use crate::report::prose::phrases::{capital, named};
use crate::report::table;

pub fn section(given: &Given<'_>) -> Result<Section> {
    let mut section = Section::new("latency", "Latency");
    match closed_loop(given)? {
        Some(figure) => {
            section.say(
                "The round trip of a closed loop, in which each client waits for its reply before \
                 it asks again: with N clients it is about N over the throughput, and nothing that \
                 somebody sees who comes at a time of their own.",
            );
            section.blocks.push(Block::Figure(figure));
        }
        None if given.curves.is_empty() => {}
        None => section.say("The rows have no round-trip times."),
    }
    let paced = paced(given.rows, given.curves);
    if paced.is_empty() {
        section.say(
            "How long somebody waits who arrives at a given rate was not measured; \
             scripts/latency.sh does so at 50, 70 and 90 % of each peak.",
        );
    } else {
        section.say(
            "With arrivals that do not wait for replies, latency counts from when a request was \
             due, so that the wait in a queue is in it.",
        );
        section.blocks.push(open_loop(given, &paced)?);
    }
    Ok(section)
}

fn closed_loop(given: &Given<'_>) -> Result<Option<Figure>> {
    let &Given { axis, curves, .. } = given;
    let series: Vec<_> = curves.iter().map(|curve| &*curve.label).zip(looks(curves)).collect();
    let (lines, strokes) = percentiles(&series, |at, is_p99| {
        let percentile = |p: &Point| if is_p99 { p.rtt_p99_us } else { p.rtt_p50_us };
        spots(&curves[at], percentile)
    });
    if lines.is_empty() {
        return Ok(None);
    }
    let about = About {
        id: "rtt".to_owned(),
        title: format!("Round-trip time over {}", name_of(axis)),
        desc: "Median and 99th percentile of the round-trip time of each system".to_owned(),
    };
    let x = level_axis(axis, lines.iter().flat_map(|line| line.spots.iter().map(|spot| spot.x)));
    let y = upright_axis(&titled("round-trip time", &strokes), &lines);
    let chart = chart_of(x, y, lines, strokes);
    let figure = draw(about, rtt_sentence(given), table::round_trips(curves, axis), chart)?;
    Ok(Some(figure))
}

/// What strokes mean.
type Strokes = Vec<(Stroke, &'static str)>;

/// The lines of median and 99th percentile of each series, the second dashed; of many series,
/// that of the 99th percentile alone.
fn percentiles(
    series: &[(&str, Look)],
    spots: impl Fn(usize, bool) -> Vec<Spot>,
) -> (Vec<Line>, Strokes) {
    let crowded = is_crowded(series.len());
    let kinds: &[bool] = if crowded { &[true] } else { &[false, true] };
    let of_series = |(at, (label, look)): (usize, &(&str, Look))| {
        let lines = kinds.iter().map(|is_p99| {
            let stroke = if *is_p99 { Stroke::Dashed } else { Stroke::Solid };
            let marked = |spot| Spot { shape: Some(look.shape()), ..spot };
            let spots: Vec<_> = spots(at, *is_p99).into_iter().map(marked).collect();
            let stroke = Some(if crowded { look.stroke() } else { stroke });
            Line { label: None, look: *look, stroke, spots }
        });
        let mut lines: Vec<_> = lines.filter(|line| !line.spots.is_empty()).collect();
        if let Some(first) = lines.first_mut() {
            first.label = Some((*label).to_owned());
        }
        lines
    };
    let lines = series.iter().enumerate().flat_map(of_series).collect();
    let strokes = [(Stroke::Solid, "p50, the median"), (Stroke::Dashed, "p99")];
    (lines, if crowded { Vec::new() } else { strokes.to_vec() })
}

/// With what is shown of it, where that is one percentile only.
fn titled(what: &str, strokes: &Strokes) -> String {
    if strokes.is_empty() { format!("{what}, p99 (us)") } else { format!("{what} (us)") }
}

fn chart_of(x: chart::Axis, y: chart::Axis, lines: Vec<Line>, strokes: Strokes) -> LineChart {
    let (about, rings) = (About::default(), Rings::default());
    LineChart { about, x, y, lines, strokes, shapes_tell: false, rings }
}

/// At the last place that all curves have: which is shortest and which is longest at p99.
fn rtt_sentence(given: &Given<'_>) -> String {
    let known = |x: f64| {
        let of = |curve: &'_ Curve| curve.at(x).and_then(|point| point.rtt_p99_us);
        given.curves.iter().filter_map(move |curve| Some((curve, of(curve)?))).collect::<Vec<_>>()
    };
    let mut places: Vec<_> =
        given.curves.iter().flat_map(|c| c.points.iter().map(|p| p.x)).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let Some(x) = places.into_iter().max_by_key(|x| known(*x).len()) else { return String::new() };
    let mut all = known(x);
    all.sort_by(|a, b| a.1.total_cmp(&b.1));
    let at = capital(&place(given.axis, x));
    match all.as_slice() {
        [] => "The median is known, and no percentile above it.".to_owned(),
        [(curve, us)] => format!(
            "{at}, 99 % of the round trips of {} take no longer than {} us.",
            named(&curve.label),
            grouped(*us, 0)
        ),
        [(best, shortest), .., (worst, longest)] => format!(
            "{at}, 99 % of the round trips take no longer than {} us with {}, and {} us with {}.",
            grouped(*shortest, 0),
            named(&best.label),
            grouped(*longest, 0),
            named(&worst.label)
        ),
    }
}

/// The share of the peak in per cent, where all know it; else the rate.
fn load_axis(all: &[Paced]) -> (fn(&Paced) -> f64, &'static str) {
    if all.iter().all(|one| one.share_of_peak.is_some()) {
        (|one| (one.share_of_peak.unwrap_or_default() * 100.0).round(), "offered, in % of the peak")
    } else {
        (|one| one.rate_per_s, "offered (messages/s)")
    }
}

/// A figure; a table alone, where no latency is known.
fn open_loop(given: &Given<'_>, all: &[Paced]) -> Result<Block> {
    let (place, title) = load_axis(all);
    let mut labels: Vec<&str> = Vec::new();
    for one in all {
        if !labels.contains(&&*one.label) {
            labels.push(&one.label);
        }
    }
    let series: Vec<_> = labels.iter().copied().zip(paced_looks(&labels, given, all)).collect();
    let (lines, strokes) = percentiles(&series, |at, is_p99| {
        let of_label = all.iter().filter(|one| one.label == labels[at]);
        let us = |one: &Paced| if is_p99 { one.due_p99_us } else { one.due_p50_us };
        of_label.filter_map(|one| Some(Spot::new(place(one), us(one)?))).collect()
    });
    if lines.is_empty() {
        return Ok(Block::Table(due_table(all)));
    }
    let about = About {
        id: "due".to_owned(),
        title: "Latency from the due time over the load offered".to_owned(),
        desc: "Median and 99th percentile of the latency from when requests were due".to_owned(),
    };
    let scale = Scale::of(lines.iter().flat_map(|line| line.spots.iter().map(|spot| spot.x)));
    let x = chart::Axis { title: title.to_owned(), scale, written: number };
    let y = upright_axis(&titled("latency from the due time", &strokes), &lines);
    let chart = chart_of(x, y, lines, strokes);
    Ok(Block::Figure(draw(about, due_sentence(all), due_table(all), chart)?))
}

/// Those of the curves that are called the same, if all are.
fn paced_looks(labels: &[&str], given: &Given<'_>, all: &[Paced]) -> Vec<Look> {
    let looks = looks(given.curves);
    let place = |label: &&str| given.curves.iter().position(|curve| curve.label == **label);
    let of_curves: Option<Vec<_>> = labels.iter().map(|label| Some(looks[place(label)?])).collect();
    of_curves.unwrap_or_else(|| {
        let system = |label: &&str| all.iter().find(|one| one.label == **label);
        let systems = labels.iter().map(|label| system(label).map_or("", |one| &*one.system));
        Look::of(&systems.collect::<Vec<_>>())
    })
}

/// The shortest and the longest wait, and what was not sent as it was offered.
fn due_sentence(all: &[Paced]) -> String {
    let mut known: Vec<_> = all.iter().filter_map(|one| Some((one, one.due_p99_us?))).collect();
    known.sort_by(|a, b| a.1.total_cmp(&b.1));
    let told = |(one, us): &(&Paced, f64)| {
        format!("that of {} at {}, {} us", named(&one.label), load(one), grouped(*us, 0))
    };
    let waits = match &known[..] {
        [] => String::new(),
        [one] => format!("The p99 is {}. ", told(one)),
        [shortest, .., longest] => {
            format!("The shortest p99 is {}; the longest, {}. ", told(shortest), told(longest))
        }
    };
    let missed = all.iter().filter(|one| !one.is_kept()).count();
    let kept = match missed {
        0 => "All rates were kept.".to_owned(),
        1 => "One rate was not kept: there, less was sent than was offered, as the table says."
            .to_owned(),
        more => format!(
            "{more} rates were not kept: there, less was sent than was offered, as the table says."
        ),
    };
    waits + &kept
}
