//! The table of two builds that were measured against each other.

use super::numbers::grouped_or_unknown;
use super::page::Table;
use crate::analysis::{BuildRatio, Claim};

/// One line per contender: the throughput of both builds, and the ratio of the second (B) to the
/// first (A).
pub fn table(labels: &[String], ratios: &[BuildRatio]) -> Table {
    let caption = if ratios.iter().all(|ratio| ratio.is_rankable || ratio.ratio.is_none()) {
        ""
    } else {
        "in parentheses: bounded by the clients or disturbed, so little evidence about the server"
    };
    let header = ["contender", "A msg/s", "B msg/s", "B/A", "low", "high", "verdict"];
    let mut table = Table::new(caption, &[&header[..], &["rounds", "trials"]].concat());
    for (label, ratio) in labels.iter().zip(ratios) {
        let interval = ratio.estimate.map(|estimate| estimate.interval());
        let verdict = verdict(ratio);
        let [a, b] = ratio.throughputs.map(|rate| grouped_or_unknown(rate, 0));
        table.add([
            label.clone(),
            a,
            b,
            grouped_or_unknown(ratio.ratio, 3),
            grouped_or_unknown(interval.map(|(low, _)| low), 3),
            grouped_or_unknown(interval.map(|(_, high)| high), 3),
            if ratio.is_rankable || ratio.ratio.is_none() {
                verdict
            } else {
                format!("({verdict})")
            },
            ratio.rounds.to_string(),
            ratio.trials.to_string(),
        ]);
    }
    table
}

/// The verdict on the second build. A tie states the smallest difference that would have been
/// detected.
fn verdict(ratio: &BuildRatio) -> String {
    match (ratio.claim, ratio.estimate) {
        (Claim::Higher, _) => "faster".to_owned(),
        (Claim::Lower, _) => "slower".to_owned(),
        (Claim::Tie, Some(estimate)) => {
            format!("tie; {:.1} % would be detected", estimate.half_width() * 100.0)
        }
        (Claim::Tie | Claim::InsufficientData, _) => "too few slices".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::LogEstimate;
    use crate::report::render_text;

    fn ratio(value: f64, claim: Claim, is_rankable: bool) -> BuildRatio {
        BuildRatio {
            throughputs: [Some(50_000.0), Some(50_000.0 * value)],
            ratio: Some(value),
            estimate: Some(LogEstimate { log: value.ln(), variance: 1e-4, degrees: 1e6 }),
            claim,
            is_rankable,
            rounds: 600,
            trials: 3,
            failed_trials: Vec::new(),
        }
    }

    #[test]
    fn table_has_both_builds_their_ratio_with_its_interval_and_the_verdict() {
        let unknown = BuildRatio {
            throughputs: [Some(50_000.0), None],
            ratio: None,
            estimate: None,
            rounds: 0,
            trials: 0,
            ..ratio(1.0, Claim::InsufficientData, false)
        };
        let all = [ratio(0.9, Claim::Lower, true), ratio(1.0, Claim::Tie, false), unknown];
        let text = render_text(&table(&["a", "b", "c"].map(str::to_owned), &all));
        // 1.96 standard errors of 1 %.
        for line in [
            "a|50,000|45,000|0.900|0.883|0.918|slower|600|3",
            "b|50,000|50,000|1.000|0.981|1.020|(tie; 2.0 % would be detected)|600|3",
            "c|50,000|-|-|-|-|too few slices|0|0",
        ] {
            let found =
                text.lines().any(|row| row.replace(' ', "").contains(&line.replace(' ', "")));
            assert!(found, "{line}\n{text}");
        }
        assert!(text.contains("bounded by the clients"), "{text}");
    }
}
