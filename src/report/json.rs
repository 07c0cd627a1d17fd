//! The report as one JSON object. `docs/report.schema.json` describes it.

use anyhow::Result;
use serde::Serialize;

use super::sections::{Given, verdict};
use super::table::bounds;
use crate::analysis::{Claim, Comparison, Curve, LogEstimate, Overall, Point, RatioAt};
use crate::results::Row;

#[derive(Serialize)]
struct Report {
    points: Vec<PointJson>,
    ratios: Vec<RatioJson>,
    overall: Vec<OverallJson>,
    verdict: Vec<String>,
    left_out: Vec<LeftOutJson>,
}

#[derive(Serialize)]
struct PointJson {
    label: String,
    system: String,
    clients: usize,
    axis: &'static str,
    x: f64,
    throughput_per_s: f64,
    low: Option<f64>,
    high: Option<f64>,
    trials: usize,
    slices: usize,
    bound: Option<String>,
    ranks: bool,
    server_cpu_us_per_msg: Option<f64>,
    client_cpu_us_per_msg: Option<f64>,
    server_busy: Option<f64>,
    client_busy: Option<f64>,
    rtt_p50_us: Option<f64>,
    rtt_p99_us: Option<f64>,
    errors: u64,
}

#[derive(Serialize)]
struct RatioJson {
    clients: usize,
    x: f64,
    numerator: String,
    denominator: String,
    ratio: f64,
    low: Option<f64>,
    high: Option<f64>,
    p: Option<f64>,
    verdict: &'static str,
    ranks: bool,
    rounds: usize,
    trials: usize,
    ratio_with_disturbed_slices: Option<f64>,
}

#[derive(Serialize)]
struct OverallJson {
    numerator: String,
    denominator: String,
    ratio: f64,
    low: f64,
    high: f64,
    p: f64,
    verdict: &'static str,
    xs: Vec<f64>,
    ratio_with_disturbed_slices: Option<f64>,
}

#[derive(Serialize)]
struct LeftOutJson {
    label: String,
    system: String,
    clients: usize,
    run_id: String,
    trial: u32,
    reason: String,
}

/// The report as JSON, with a line break at its end.
///
/// # Errors
///
/// Where it cannot be written as JSON, which numbers that were measured can.
pub fn json(given: &Given<'_>) -> Result<String> {
    let points = given.curves.iter().flat_map(|c| c.points.iter().map(move |p| (c, p)));
    let ratios = given.comparisons.iter().flat_map(|one| one.at.iter().map(move |at| (one, at)));
    let overall = given.comparisons.iter().filter_map(|one| Some((one, one.overall.as_ref()?)));
    let report = Report {
        points: points.map(|(curve, it)| point(given.axis.option(), curve, it)).collect(),
        ratios: ratios.map(|(one, at)| ratio(one, at)).collect(),
        overall: overall.map(|(one, overall)| whole(one, overall)).collect(),
        verdict: verdict(given.findings),
        left_out: given.rows.iter().filter(|row| !row.valid).map(left_out).collect(),
    };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

fn point(axis: &'static str, curve: &Curve, point: &Point) -> PointJson {
    let interval = point.interval();
    PointJson {
        label: curve.label.clone(),
        system: curve.system.clone(),
        clients: point.clients,
        axis,
        x: point.x,
        throughput_per_s: point.throughput.mean,
        low: interval.map(|(low, _)| low),
        high: interval.map(|(_, high)| high),
        trials: point.throughput.count,
        slices: point.slices(),
        bound: (!point.bounds.is_empty()).then(|| bounds(point)),
        ranks: point.ranks(),
        server_cpu_us_per_msg: point.server_cpu_us_per_msg,
        client_cpu_us_per_msg: point.client_cpu_us_per_msg,
        server_busy: point.server_busy,
        client_busy: point.client_busy,
        rtt_p50_us: point.rtt_p50_us,
        rtt_p99_us: point.rtt_p99_us,
        errors: point.errors,
    }
}

fn ratio(one: &Comparison, at: &RatioAt) -> RatioJson {
    let interval = at.interval();
    RatioJson {
        clients: at.clients,
        x: at.x,
        numerator: one.numerator.clone(),
        denominator: one.denominator.clone(),
        ratio: at.ratio,
        low: interval.map(|(low, _)| low),
        high: interval.map(|(_, high)| high),
        p: at.estimate.as_ref().map(LogEstimate::p),
        verdict: word(at.claim),
        ranks: at.ranks,
        rounds: at.rounds,
        trials: at.trials,
        ratio_with_disturbed_slices: at.with_disturbed,
    }
}

fn whole(one: &Comparison, overall: &Overall) -> OverallJson {
    let (low, high) = overall.estimate.interval();
    OverallJson {
        numerator: one.numerator.clone(),
        denominator: one.denominator.clone(),
        ratio: overall.estimate.value(),
        low,
        high,
        p: overall.estimate.p(),
        verdict: word(overall.claim),
        xs: overall.xs.clone(),
        ratio_with_disturbed_slices: overall.with_disturbed,
    }
}

fn left_out(row: &Row) -> LeftOutJson {
    LeftOutJson {
        label: if row.label.is_empty() { row.system.clone() } else { row.label.clone() },
        system: row.system.clone(),
        clients: row.clients,
        run_id: row.run_id.clone(),
        trial: row.trial,
        reason: row.invalid_reason.clone().unwrap_or_default(),
    }
}

/// Nothing is claimed of a tie, nor of too few slices.
fn word(claim: Claim) -> &'static str {
    match claim {
        Claim::Higher => "higher",
        Claim::Lower => "lower",
        Claim::Tie | Claim::TooFew => "tie",
    }
}
