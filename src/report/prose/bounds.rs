//! Sentences about the bound of peaks.

use super::phrases::{MAX_LISTED, and_list, at_value, inline_label, short_list};
use crate::analysis::{Axis, LabeledPoint};
use crate::report::numbers::grouped;

/// The points with their rates; of many, the slowest and the fastest.
fn points_with_rates(axis: Axis, points: &[LabeledPoint]) -> String {
    let at = |point: &LabeledPoint| {
        let rate = grouped(point.throughput.mean, 0);
        format!("{} ({rate} messages/s {})", inline_label(&point.label), at_value(axis, point.x))
    };
    let by_rate =
        |a: &&LabeledPoint, b: &&LabeledPoint| a.throughput.mean.total_cmp(&b.throughput.mean);
    match (points.iter().min_by(by_rate), points.iter().max_by(by_rate)) {
        (Some(slowest), Some(fastest)) if points.len() > MAX_LISTED / 2 => {
            format!("{} curves, from {} to {},", points.len(), at(slowest), at(fastest))
        }
        _ => and_list(&points.iter().map(at).collect::<Vec<_>>()),
    }
}

/// Peaks that the clients may have bounded together with the server.
pub fn maybe_client_bound(axis: Axis, points: &[LabeledPoint], unclear: bool) -> String {
    let curves = points_with_rates(axis, points);
    let [are, server] =
        if points.len() > 1 { ["are", "the servers"] } else { ["is", "the server"] };
    let [perhaps, duration] = if unclear {
        [", or may have had none", ", or raise --duration: the windows are short"]
    } else {
        ["", ""]
    };
    format!(
        "{curves} {are} not ranked: the clients had no CPU time left either{perhaps}, so {server} \
         may be faster. Give the clients more CPUs (--client-cpus){duration}."
    )
}

/// Peaks that the clients bounded.
pub fn client_bound(axis: Axis, points: &[LabeledPoint], lean_driver_available: bool) -> String {
    let curves = points_with_rates(axis, points);
    let [are, speed, server] = if points.len() > 1 {
        ["are", "these are the speeds", "the servers"]
    } else {
        ["is", "this is the speed", "the server"]
    };
    let lean = if lean_driver_available {
        "Use clients that cost less CPU time (--driver lean or DRIVER=lean), give"
    } else {
        "Give"
    };
    format!(
        "{curves} {are} not ranked: the clients had no CPU time left, so {speed} of the clients, \
         and {server} may be faster. {lean} the clients more CPUs (--client-cpus), or run them on \
         other machines."
    )
}

/// The bound of these curves at their peaks.
pub fn bounds(bound: Option<&str>, labels: &[String], all: bool) -> String {
    let names: Vec<_> = labels.iter().map(|label| inline_label(label)).collect();
    if bound == Some("server") {
        let servers = match &names[..] {
            [name] => format!("the server of {name} used all of its"),
            _ if all => "every server used all of its".to_owned(),
            _ => format!("the servers of {} used all of their", short_list(&names)),
        };
        return format!("At peak throughput, {servers} CPU time.");
    }
    let curves = match &names[..] {
        [name] => name.clone(),
        _ if all => "every curve".to_owned(),
        _ => short_list(&names),
    };
    let explanation = match bound {
        Some("host") => {
            "server and clients together used all of their CPU time. With CPUs of its own, the \
             server may be faster"
        }
        Some("thread") => {
            "one thread of the server used all of a CPU while CPUs were idle. More CPUs for the \
             server bring nothing; more threads may"
        }
        Some("unclear") => {
            "it is unclear whether the server had CPU time left, because the windows are short. \
             Raise --duration"
        }
        Some("latency") => {
            "neither side used all of its CPU time: the clients waited for replies or paused, or \
             one thread was the limit. More clients may increase throughput"
        }
        Some(other) => return format!("At the peak of {curves}, the bound was {other}."),
        None => "the bound differed between trials; each row has its own",
    };
    format!("At the peak of {curves}, {explanation}.")
}
