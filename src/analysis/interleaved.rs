//! Two builds of one program that were measured in turn, slice by slice, in one bench.

use super::log_estimate::{LogEstimate, holm};
use super::pairwise::comparisons;
use super::{Axis, Claim, Curve, RoundsByRow, sliced_curves};
use crate::results::{ALL_DISTURBED, Row};

/// The throughput of the second build over that of the first.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildRatio {
    /// Messages per second of the first and of the second build; `None` without a valid trial.
    pub throughputs: [Option<f64>; 2],
    /// The ratio of the second to the first; `None` if they have no valid trial in common.
    pub ratio: Option<f64>,
    /// Logarithm of the ratio with its error; `None` if there are too few slices and trials.
    pub estimate: Option<LogEstimate>,
    /// The claim about the ratio, corrected for the number of ratios.
    pub claim: Claim,
    /// Whether both measure the servers: not bounded by the clients, and not disturbed.
    pub is_rankable: bool,
    /// Number of rounds that both completed, in all trials.
    pub rounds: usize,
    /// Number of trials that both have.
    pub trials: usize,
    /// The trials in which the second build failed and the first did not. A trial in which steal or
    /// other processes disturbed all slices is not a failure.
    pub failed_trials: Vec<u32>,
}

/// Compares builds by the slices of the rounds that both completed. Each pair of labels names the
/// contenders of the first and of the second build. The result has the same order.
///
/// The family-wise error rate of all claims is 5 % (Holm, 1979).
pub fn build_ratios(rows: &[Row], rounds: &RoundsByRow, pairs: &[[String; 2]]) -> Vec<BuildRatio> {
    let mut all: Vec<_> = pairs.iter().map(|pair| build_ratio(rows, rounds, pair)).collect();
    let p: Vec<f64> =
        all.iter().map(|one| one.estimate.map_or(f64::NAN, |estimate| estimate.p())).collect();
    for (one, significant) in all.iter_mut().zip(holm(&p)) {
        one.claim = match one.estimate {
            None => Claim::InsufficientData,
            Some(estimate) => Claim::of(&estimate, significant),
        };
    }
    all
}

fn build_ratio(rows: &[Row], rounds: &RoundsByRow, pair: &[String; 2]) -> BuildRatio {
    let of_pair: Vec<Row> = rows.iter().filter(|row| pair.contains(&row.label)).cloned().collect();
    let curves = sliced_curves(&of_pair, rounds, Axis::Clients);
    let [a, b] = pair.each_ref().map(|label| curves.iter().find(|curve| curve.name == *label));
    let throughput = |curve: Option<&Curve>| Some(curve?.points.first()?.throughput.mean);
    // The second build is the numerator.
    let both = a.zip(b).map(|(a, b)| comparisons(&[b.clone(), a.clone()]));
    let at = both.unwrap_or_default().first().and_then(|one| one.at.first().cloned());
    BuildRatio {
        throughputs: [throughput(a), throughput(b)],
        ratio: at.as_ref().map(|at| at.ratio),
        estimate: at.as_ref().and_then(|at| at.estimate),
        claim: Claim::InsufficientData,
        is_rankable: at.as_ref().is_some_and(|at| at.is_rankable),
        rounds: at.as_ref().map_or(0, |at| at.rounds),
        trials: at.as_ref().map_or(0, |at| at.trials),
        failed_trials: failed_trials(&of_pair, pair),
    }
}

fn failed_trials(rows: &[Row], [a, b]: &[String; 2]) -> Vec<u32> {
    let is_sound = |row: &Row| row.valid && row.errors == 0;
    let is_disturbed = |row: &Row| {
        row.invalid_reason.as_ref().is_some_and(|reason| reason.starts_with(ALL_DISTURBED))
    };
    let has_failed = |row: &&Row| row.label == *b && !is_sound(row) && !is_disturbed(row);
    let first = |trial| rows.iter().find(|row| row.label == *a && row.trial == trial);
    let failed = rows.iter().filter(has_failed).map(|row| row.trial);
    failed.filter(|trial| first(*trial).is_some_and(is_sound)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rounds_by_row;
    use crate::results::SliceRow;

    fn pair(name: &str) -> [String; 2] {
        ["A", "B"].map(|side| format!("{name} {side}"))
    }

    fn row(label: &str, trial: u32, throughput_per_s: f64) -> Row {
        Row {
            system: "s".to_owned(),
            label: label.to_owned(),
            started_at: format!("2026-01-01T00:0{trial}:00.000Z"),
            clients: 24,
            trial,
            throughput_per_s,
            bound: Some("server".to_owned()),
            valid: true,
            ..Row::default()
        }
    }

    /// Twenty slices of 20 ms with about 1,000 messages each; 900 for the slow contender.
    fn slices(row: &Row, random: &mut fastrand::Rng) -> Vec<SliceRow> {
        let messages = if row.label == "x B" { 900 } else { 1000 };
        let slice = |round| SliceRow {
            trial: row.trial,
            label: row.label.clone(),
            clients: row.clients,
            round,
            started_at_us: 1_800_000_000_000_000,
            messages: messages + random.u64(0..10),
            window_us: 20_000.0,
            kept: true,
            ..SliceRow::default()
        };
        (1..=20).map(slice).collect()
    }

    #[test]
    fn ratio_is_the_second_build_over_the_first_from_their_slices() {
        let rates = [("x A", 50_000.0), ("x B", 45_000.0), ("y A", 50_000.0), ("y B", 50_000.0)];
        let each = |trial| rates.map(|(label, rate)| row(label, trial, rate));
        let rows: Vec<_> = (1..=3).flat_map(each).collect();
        let mut random = fastrand::Rng::with_seed(1);
        let slices: Vec<_> = rows.iter().flat_map(|row| slices(row, &mut random)).collect();
        let rounds = rounds_by_row(&rows, &slices);
        let all = build_ratios(&rows, &rounds, &[pair("x"), pair("y"), pair("z")]);
        assert_eq!(all[0].claim, Claim::Lower);
        assert!((all[0].ratio.unwrap() - 0.9).abs() < 0.003, "{:?}", all[0]);
        assert_eq!((all[0].trials, all[0].is_rankable), (3, true));
        assert!(all[0].rounds >= 20, "{:?}", all[0]);
        assert_eq!(all[0].throughputs, [Some(50_000.0), Some(45_000.0)]);
        assert_eq!((all[1].claim, all[1].ratio.unwrap().round()), (Claim::Tie, 1.0));
        assert_eq!((all[2].claim, all[2].ratio, all[2].trials), (Claim::InsufficientData, None, 0));
    }

    #[test]
    fn trials_in_which_only_the_second_build_failed_are_listed() {
        let failed = |row: Row, reason: &str| Row {
            valid: false,
            invalid_reason: Some(reason.to_owned()),
            ..row
        };
        let rows = vec![
            row("x A", 1, 1.0),
            failed(row("x B", 1, 0.0), "the server exited"),
            row("x A", 2, 1.0),
            failed(row("x B", 2, 0.0), ALL_DISTURBED),
            failed(row("x A", 3, 1.0), "the server exited"),
            failed(row("x B", 3, 1.0), "the server exited"),
            row("x A", 4, 1.0),
            Row { errors: 7, ..row("x B", 4, 1.0) },
            row("x A", 5, 1.0),
            row("x B", 5, 1.0),
        ];
        let all = build_ratios(&rows, &RoundsByRow::new(), &[pair("x")]);
        assert_eq!((&all[0].failed_trials[..], all[0].trials), (&[1, 4][..], 2));
    }
}
