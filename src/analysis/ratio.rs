//! The ratio of the throughputs of two points, from their trials.

use super::log_estimate::LogEstimate;
use super::{Claim, Point};

/// The ratio of the throughputs of two points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The geometric mean over the passes that both have. If they have none in common: the ratio
    /// of their geometric means.
    pub ratio: f64,
    /// Logarithm of the ratio with its error; `None` if there are too few trials.
    pub estimate: Option<LogEstimate>,
    /// Whether the ratio was taken within passes, so that drift between passes is not part of it.
    pub is_paired: bool,
    /// The claim about the ratio.
    pub claim: Claim,
    /// The smallest relative difference that would have been detected; `None` if there are too few
    /// trials.
    pub detectable: Option<f64>,
}

impl Ratio {
    /// The ratio of `a` to `b`, without a claim; `None` if it is not positive and finite.
    ///
    /// Ratios are taken within a pass and tested with Student's t on their logarithms, because the
    /// trials of a pass share the machine's speed at that time. Only trials of different runs,
    /// which have no pass in common, are tested as independent samples (Welch, 1947).
    pub(super) fn of(a: &Point, b: &Point) -> Option<Self> {
        let passes = a.passes.iter().filter_map(|(pass, of_a)| Some((of_a, b.passes.get(pass)?)));
        let logs: Vec<f64> = passes.map(|(of_a, of_b)| (of_a / of_b).ln()).collect();
        let is_paired = !logs.is_empty();
        let (log, estimate) = if is_paired {
            let usable: Vec<_> = logs.into_iter().filter(|log| log.is_finite()).collect();
            (mean(&usable), LogEstimate::of_logs(&usable))
        } else {
            let [a, b] =
                [a, b].map(|point| point.passes.values().map(|rate| rate.ln()).collect::<Vec<_>>());
            let each = LogEstimate::of_logs(&a).zip(LogEstimate::of_logs(&b));
            (mean(&a) - mean(&b), each.map(|(a, b)| a.difference(&b)))
        };
        let claim = Claim::InsufficientData;
        let ratio = Ratio { ratio: log.exp(), estimate, is_paired, claim, detectable: None };
        log.is_finite().then_some(ratio)
    }

    /// The ratio with numerator and denominator exchanged.
    #[must_use]
    pub(super) fn reversed(&self) -> Self {
        Ratio {
            ratio: 1.0 / self.ratio,
            estimate: self.estimate.map(|estimate| estimate.reversed()),
            claim: self.claim.reversed(),
            ..*self
        }
    }
}

/// NaN if there are no values.
fn mean(logs: &[f64]) -> f64 {
    logs.iter().sum::<f64>() / logs.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Axis, curves};
    use crate::results::Row;

    fn ratio_of(a: &[(&str, u32, f64)], b: &[(&str, u32, f64)]) -> Option<Ratio> {
        let row = |system: &str, (run, trial, rate): &(&str, u32, f64)| Row {
            run_id: (*run).to_owned(),
            system: system.to_owned(),
            clients: 8,
            trial: *trial,
            throughput_per_s: *rate,
            valid: true,
            ..Row::default()
        };
        let rows = a.iter().map(|of| row("a", of)).chain(b.iter().map(|of| row("b", of)));
        let curves = curves(&rows.collect::<Vec<_>>(), Axis::Clients);
        Ratio::of(&curves[0].points[0], &curves[1].points[0])
    }

    #[test]
    fn ratios_within_passes_match_values_worked_out_by_hand() {
        // The machine is four times as fast in the third pass. Ratios 2, 2 and 2.42; their
        // logarithms have the mean ln 2 + 2 ln 1.1 / 3 and the variance (2 ln 1.1)² / 3 / 3.
        let a = [("x", 1, 200.0), ("x", 2, 100.0), ("x", 3, 968.0)];
        let b = [("x", 1, 100.0), ("x", 2, 50.0), ("x", 3, 400.0), ("x", 4, 9.0)];
        let ratio = ratio_of(&a, &b).unwrap();
        let estimate = ratio.estimate.unwrap();
        assert!((estimate.log - 2_f64.ln() - 1.1_f64.ln() * 2.0 / 3.0).abs() < 1e-12);
        assert!((estimate.variance - (2.0 * 1.1_f64.ln()).powi(2) / 9.0).abs() < 1e-12);
        assert_eq!((estimate.degrees, ratio.is_paired), (2.0, true));
        assert!((ratio.ratio * ratio.reversed().ratio - 1.0).abs() < 1e-12);
    }

    #[test]
    fn trials_of_different_runs_are_tested_as_independent_samples() {
        let a = [("x", 1, 200.0), ("x", 2, 220.0), ("x", 3, 240.0)];
        let b = [("y", 1, 100.0), ("y", 2, 100.0), ("y", 3, 100.0)];
        let ratio = ratio_of(&a, &b).unwrap();
        let alone = LogEstimate::of_logs(&[200_f64.ln(), 220_f64.ln(), 240_f64.ln()]).unwrap();
        let estimate = ratio.estimate.unwrap();
        assert!((estimate.variance - alone.variance).abs() < 1e-12 && !ratio.is_paired);
        assert!((ratio.ratio - (200.0_f64 * 220.0 * 240.0).cbrt() / 100.0).abs() < 1e-9);
    }

    #[test]
    fn fewer_than_three_passes_in_common_have_no_interval() {
        let a = [("x", 1, 300.0), ("x", 2, 50.0), ("x", 3, 50.0)];
        let b = [("x", 1, 100.0), ("y", 2, 9.0), ("y", 3, 9.0)];
        let ratio = ratio_of(&a, &b).unwrap();
        assert!((ratio.ratio - 3.0).abs() < 1e-12);
        assert_eq!((ratio.estimate, ratio.is_paired), (None, true));
        assert_eq!(ratio_of(&a, &[("x", 1, 0.0)]), None);
    }
}
