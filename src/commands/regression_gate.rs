//! `--fail-on-regression`: turns the tests of all points into lines for people and an outcome.

use super::{Outcome, print_status};
use crate::analysis::{LogEstimate, MIN_TRIALS, Regression, regressions, trials_needed};

/// A point that both measurements have.
pub struct GatedPoint {
    /// Name, as in `rep at 24 clients`.
    pub name: String,
    /// Ratio of the second throughput to the first, if it is known with its error.
    pub ratio: Option<LogEstimate>,
    /// Number of trials of the side that has fewer.
    pub trials: usize,
}

/// All points of a comparison, and the largest allowed loss.
pub struct RegressionGate {
    /// The largest allowed loss, as a fraction.
    pub max_loss: f64,
    /// The points.
    pub points: Vec<GatedPoint>,
    /// Points and trials that only the first measurement has, one sentence each.
    pub missing: Vec<String>,
    /// How to measure more trials, as the end of a sentence.
    pub advice: &'static str,
}

impl RegressionGate {
    /// Prints the points that fail, or else those that are inconclusive.
    pub fn run(&self) -> Outcome {
        let (outcome, lines) = self.result();
        for line in lines {
            print_status(format_args!("echometer: {line}"));
        }
        outcome
    }

    /// One failure fails the whole. Otherwise, one inconclusive point makes the whole inconclusive.
    fn result(&self) -> (Outcome, Vec<String>) {
        let has_enough = |point: &GatedPoint| point.trials >= MIN_TRIALS;
        let ratios = self.points.iter().map(|point| point.ratio.filter(|_| has_enough(point)));
        let ratios: Vec<_> = ratios.collect();
        let results = regressions(&ratios, self.max_loss);
        let with = |wanted: Regression| {
            let results = self.points.iter().zip(&ratios).zip(&results);
            results.filter(move |(_, result)| **result == wanted).map(|(point, _)| point)
        };
        let failed = with(Regression::Fails)
            .filter_map(|(point, ratio)| Some(self.failure(point, ratio.as_ref()?)));
        let failures: Vec<_> = self.missing.iter().cloned().chain(failed).collect();
        if !failures.is_empty() {
            return (Outcome::Failed, failures);
        }
        let undecided = with(Regression::Inconclusive);
        let undecided: Vec<_> =
            undecided.map(|(point, ratio)| self.undecided(point, ratio.as_ref())).collect();
        let outcome = if undecided.is_empty() { Outcome::Done } else { Outcome::Inconclusive };
        (outcome, undecided)
    }

    fn failure(&self, point: &GatedPoint, ratio: &LogEstimate) -> String {
        format!(
            "{} lost {:.1} % of its throughput, more than the allowed {:.1} %",
            point.name,
            (1.0 - ratio.value()) * 100.0,
            self.max_loss * 100.0
        )
    }

    fn undecided(&self, point: &GatedPoint, ratio: Option<&LogEstimate>) -> String {
        let GatedPoint { name, trials, .. } = point;
        let advice = self.advice;
        let Some(ratio) = ratio else {
            let reason = if *trials < MIN_TRIALS {
                format!("fewer than {MIN_TRIALS} valid trials ({trials})")
            } else {
                "too few slices, or a throughput of 0".to_owned()
            };
            return format!(
                "{name} is inconclusive: {reason}; measure {MIN_TRIALS} trials or more {advice}"
            );
        };
        let (low, high) = ratio.interval();
        let needed = trials_needed(ratio, *trials, self.max_loss, self.points.len());
        let needed = needed.map_or_else(
            || {
                "so close to the limit that more trials hardly help; use a longer --duration or \
                another limit"
                    .to_owned()
            },
            |needed| format!("measure about {needed} trials {advice}"),
        );
        format!(
            "{name} is inconclusive: its change is {:+.1} % (95 % interval {:+.1} to {:+.1} %), the \
             limit {:+.1} %; {needed}",
            (ratio.value() - 1.0) * 100.0,
            (low - 1.0) * 100.0,
            (high - 1.0) * 100.0,
            -self.max_loss * 100.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(value: f64, trials: usize) -> GatedPoint {
        let ratio = Some(LogEstimate { log: value.ln(), variance: 1e-4, degrees: 8.0 });
        GatedPoint { name: format!("rep, {value}"), ratio, trials }
    }

    fn result(points: Vec<GatedPoint>, missing: &[&str]) -> (Outcome, Vec<String>) {
        let missing = missing.iter().map(|line| (*line).to_owned()).collect();
        RegressionGate { max_loss: 0.05, points, missing, advice: "per side" }.result()
    }

    #[test]
    fn failures_and_missing_points_take_precedence_over_inconclusive_ones() {
        let (outcome, lines) =
            result(vec![point(0.95, 5), point(0.8, 5), point(1.0, 5)], &["gone"]);
        let lost = "rep, 0.8 lost 20.0 % of its throughput, more than the allowed 5.0 %";
        assert_eq!((outcome, lines), (Outcome::Failed, vec!["gone".to_owned(), lost.to_owned()]));
        assert_eq!(result(vec![point(1.0, 5)], &["gone"]).0, Outcome::Failed);
    }

    #[test]
    fn one_inconclusive_point_makes_the_result_inconclusive_and_names_the_trials_needed() {
        let (outcome, lines) = result(vec![point(0.96, 5), point(1.0, 5)], &[]);
        assert_eq!(outcome, Outcome::Inconclusive);
        assert_eq!(lines.len(), 1, "{lines:?}");
        // The error is 1 % with 5 trials, so t is 1.0472 · √(n / 5): 1.6560 with 12.5 trials.
        assert_eq!(
            lines[0],
            "rep, 0.96 is inconclusive: its change is -4.0 % (95 % interval -6.2 to -1.8 %), the \
             limit -5.0 %; measure about 14 trials per side"
        );
        let at_limit = result(vec![point(0.95, 5)], &[]).1.remove(0);
        assert!(at_limit.contains("hardly help"), "{at_limit}");
    }

    #[test]
    fn fewer_than_three_trials_are_inconclusive_even_if_the_ratio_is_known() {
        let (outcome, lines) = result(vec![point(0.5, 2), point(1.0, 3)], &[]);
        assert_eq!(outcome, Outcome::Inconclusive);
        assert!(lines[0].contains("fewer than 3") && lines[0].contains("per side"), "{lines:?}");
    }

    #[test]
    fn nothing_is_printed_if_all_points_pass() {
        assert_eq!(result(vec![point(1.0, 3), point(0.98, 5)], &[]), (Outcome::Done, Vec::new()));
    }
}
