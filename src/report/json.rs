//! The report as one JSON object. `docs/report.schema.json` describes it.

use anyhow::Result;
use serde::Serialize;

use super::sections::{ReportInput, verdict};
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
    server_busiest_thread: Option<f64>,
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
    detectable: Option<f64>,
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
    detectable: Option<f64>,
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

/// Renders the report as JSON, with a newline at the end.
///
/// # Errors
///
/// Returns an error if serialization fails.
pub fn json(input: &ReportInput<'_>) -> Result<String> {
    let points = input.curves.iter().flat_map(|c| c.points.iter().map(move |p| (c, p)));
    let ratios = input.comparisons.iter().flat_map(|pair| pair.at.iter().map(move |at| (pair, at)));
    let overall = input.comparisons.iter().filter_map(|pair| Some((pair, pair.overall.as_ref()?)));
    let report = Report {
        points: points.map(|(curve, p)| point(input.axis.option(), curve, p)).collect(),
        ratios: ratios.map(|(pair, at)| ratio(pair, at)).collect(),
        overall: overall.map(|(pair, overall)| overall_ratio(pair, overall)).collect(),
        verdict: verdict(input.findings),
        left_out: input.rows.iter().filter(|row| !row.valid).map(left_out).collect(),
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
        ranks: point.is_rankable(),
        server_cpu_us_per_msg: point.server_cpu_us_per_msg,
        client_cpu_us_per_msg: point.client_cpu_us_per_msg,
        server_busy: point.server_busy,
        server_busiest_thread: point.server_busiest_thread,
        client_busy: point.client_busy,
        rtt_p50_us: point.rtt_p50_us,
        rtt_p99_us: point.rtt_p99_us,
        errors: point.errors,
    }
}

fn ratio(pair: &Comparison, at: &RatioAt) -> RatioJson {
    let interval = at.interval();
    RatioJson {
        clients: at.clients,
        x: at.x,
        numerator: pair.numerator.clone(),
        denominator: pair.denominator.clone(),
        ratio: at.ratio,
        low: interval.map(|(low, _)| low),
        high: interval.map(|(_, high)| high),
        p: at.estimate.as_ref().map(LogEstimate::p),
        verdict: claim_name(at.claim),
        detectable: at.detectable.filter(|share| share.is_finite()),
        ranks: at.is_rankable,
        rounds: at.rounds,
        trials: at.trials,
        ratio_with_disturbed_slices: at.with_disturbed,
    }
}

fn overall_ratio(pair: &Comparison, overall: &Overall) -> OverallJson {
    let (low, high) = overall.estimate.interval();
    OverallJson {
        numerator: pair.numerator.clone(),
        denominator: pair.denominator.clone(),
        ratio: overall.estimate.value(),
        low,
        high,
        p: overall.estimate.p(),
        verdict: claim_name(overall.claim),
        detectable: overall.detectable.filter(|share| share.is_finite()),
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

/// The name of a claim. Too few slices are a tie, too: both claim nothing.
fn claim_name(claim: Claim) -> &'static str {
    match claim {
        Claim::Higher => "higher",
        Claim::Lower => "lower",
        Claim::Tie | Claim::InsufficientData => "tie",
    }
}
