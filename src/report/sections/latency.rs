//! Latency: round trips of the closed loop, and what somebody sees who arrives at a given rate.

use anyhow::Result;

use super::Given;
use super::common::{level_axis, name_of, number, pairs_of_lines, spots, upright_axis};
use super::throughput::draw;
use crate::analysis::{Paced, paced};
use crate::report::chart::{self, About, LineChart, Scale, Spot, Stroke};
use crate::report::numbers::{UNKNOWN, grouped, shown};
use crate::report::page::{Block, Figure, Section, Table};
use crate::report::table;
use crate::report::words::{named, place};

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
        None => section.say("The rows have no round-trip times."),
    }
    let paced = paced(given.rows);
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
        section.blocks.push(open_loop(&paced)?);
    }
    Ok(section)
}

fn closed_loop(given: &Given<'_>) -> Result<Option<Figure>> {
    let &Given { axis, curves, .. } = given;
    let labels = curves.iter().map(|curve| &*curve.label);
    let lines = pairs_of_lines(labels, |at, stroke| {
        let percentile = if stroke == Stroke::Solid {
            |p: &crate::analysis::Point| p.rtt_p50_us
        } else {
            |p: &crate::analysis::Point| p.rtt_p99_us
        };
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
    let y = upright_axis("round-trip time (us)", &lines);
    let chart = LineChart {
        about: About::default(),
        x,
        y,
        lines,
        strokes: STROKES.to_vec(),
        shapes_tell: false,
    };
    let figure = draw(about, rtt_sentence(given), table::round_trips(curves, axis), chart)?;
    Ok(Some(figure))
}

/// What the strokes of a pair of lines say.
const STROKES: [(Stroke, &str); 2] = [(Stroke::Solid, "p50, the median"), (Stroke::Dashed, "p99")];

/// At the last place that all curves have: which is shortest and which is longest at p99.
fn rtt_sentence(given: &Given<'_>) -> String {
    let known = |x: f64| {
        let of = |curve: &'_ crate::analysis::Curve| curve.at(x).and_then(|point| point.rtt_p99_us);
        given.curves.iter().filter_map(move |curve| Some((curve, of(curve)?))).collect::<Vec<_>>()
    };
    let mut places: Vec<_> =
        given.curves.iter().flat_map(|c| c.points.iter().map(|p| p.x)).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let Some(x) = places.into_iter().max_by_key(|x| known(*x).len()) else { return String::new() };
    let mut all = known(x);
    all.sort_by(|a, b| a.1.total_cmp(&b.1));
    let at = sentence_begins(&place(given.axis, x));
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

/// With a capital letter.
fn sentence_begins(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The share of the peak in per cent, where all know it; else the rate.
fn load_axis(all: &[Paced]) -> (fn(&Paced) -> f64, &'static str) {
    if all.iter().all(|one| one.share_of_peak.is_some()) {
        (|one| one.share_of_peak.unwrap_or_default() * 100.0, "offered, in % of the peak")
    } else {
        (|one| one.rate_per_s, "offered (messages/s)")
    }
}

/// A figure; a table alone, where no latency is known.
fn open_loop(all: &[Paced]) -> Result<Block> {
    let (place, title) = load_axis(all);
    let mut labels: Vec<&str> = Vec::new();
    for one in all {
        if !labels.contains(&&*one.label) {
            labels.push(&one.label);
        }
    }
    let lines = pairs_of_lines(labels.iter().copied(), |at, stroke| {
        let of_label = all.iter().filter(|one| one.label == labels[at]);
        let us =
            |one: &Paced| if stroke == Stroke::Solid { one.due_p50_us } else { one.due_p99_us };
        let mut spots: Vec<_> =
            of_label.filter_map(|one| Some(Spot::new(place(one), us(one)?))).collect();
        spots.sort_by(|a, b| a.x.total_cmp(&b.x));
        spots
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
    let y = upright_axis("latency from the due time (us)", &lines);
    let chart = LineChart {
        about: About::default(),
        x,
        y,
        lines,
        strokes: STROKES.to_vec(),
        shapes_tell: false,
    };
    Ok(Block::Figure(draw(about, due_sentence(all), due_table(all), chart)?))
}

/// The longest wait, and what was not sent as it was offered.
fn due_sentence(all: &[Paced]) -> String {
    /// Of the rate, what may be missing.
    const KEPT: f64 = 0.98;
    let known = all.iter().filter_map(|one| Some((one, one.due_p99_us?)));
    let load = |one: &Paced| match one.share_of_peak {
        Some(share) => format!("{:.0} % of its peak", share * 100.0),
        None => format!("{} messages/s", grouped(one.rate_per_s, 0)),
    };
    let longest = known.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(one, us)| {
        format!(
            "The longest p99 is that of {} at {}: {} us. ",
            named(&one.label),
            load(one),
            grouped(us, 0)
        )
    });
    let missed = all.iter().filter(|one| one.sent_per_s < one.rate_per_s * KEPT).count();
    let kept = match missed {
        0 => "All rates were kept.".to_owned(),
        1 => "One rate was not kept; the table says what was offered and what was sent.".to_owned(),
        more => format!(
            "{more} rates were not kept; the table says what was offered and what was sent."
        ),
    };
    longest.unwrap_or_default() + &kept
}

fn due_table(all: &[Paced]) -> Table {
    let titles = [
        "system",
        "of peak",
        "offered/s",
        "sent/s",
        "trials",
        "p50 (us)",
        "p90",
        "p99",
        "p99.9",
        "sent: p99",
    ];
    let mut table = Table::new(
        "Latency from when requests were due; 'sent': from when they were sent",
        &titles,
    );
    for one in all {
        table.add([
            one.label.clone(),
            one.share_of_peak
                .map_or_else(|| UNKNOWN.to_owned(), |share| format!("{:.0} %", share * 100.0)),
            grouped(one.rate_per_s, 0),
            grouped(one.sent_per_s, 0),
            one.trials.to_string(),
            shown(one.due_p50_us, 1),
            shown(one.due_p90_us, 1),
            shown(one.due_p99_us, 1),
            shown(one.due_p999_us, 1),
            shown(one.rtt_p99_us, 1),
        ]);
    }
    table
}
