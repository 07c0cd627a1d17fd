//! Tests ratios of throughput against the largest allowed loss: the rule of
//! `--fail-on-regression`.

use super::log_estimate::{LogEstimate, holm};

/// Probability of a wrong result of the whole test: that a point fails although no loss is larger
/// than allowed, or that all points pass although one loss is.
const ERROR: f64 = 0.05;

/// Largest number of trials that [`trials_needed`] returns.
const MAX_TRIALS: usize = 1000;

/// The result of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regression {
    /// The loss is significantly larger than allowed.
    Fails,
    /// The loss is significantly smaller than allowed, or there is none.
    Passes,
    /// Neither; or the ratio is unknown (`None`).
    Inconclusive,
}

/// Tests each ratio of new to old throughput against `max_loss`, a fraction from 0 to 1.
///
/// Both tests are one-sided tests of the logarithm of the ratio against that of `1 - max_loss`.
///
/// A single point that fails decides the whole result, so failures pass Holm's correction over all
/// points. For the whole to pass, every point must pass, so these tests need no correction: if one
/// loss is larger than allowed, its own test already limits the error to 5 % (intersection-union
/// test; R. L. Berger, "Multiparameter Hypothesis Testing and Acceptance Sampling", Technometrics
/// 24(4), 1982).
pub fn regressions(ratios: &[Option<LogEstimate>], max_loss: f64) -> Vec<Regression> {
    let tails = ratios.iter().map(|ratio| ratio.map(|ratio| Tails::of(&ratio, max_loss)));
    let tails: Vec<_> = tails.collect();
    // An unknown ratio counts in the correction.
    let p: Vec<f64> = tails.iter().map(|tails| tails.map_or(f64::NAN, |t| t.larger_loss)).collect();
    let result = |(tails, fails): (&Option<Tails>, bool)| match tails {
        Some(_) if fails => Regression::Fails,
        Some(tails) if tails.smaller_loss <= ERROR => Regression::Passes,
        _ => Regression::Inconclusive,
    };
    tails.iter().zip(holm(&p)).map(result).collect()
}

/// The number of trials per side at which the test of one of `points` points would be conclusive,
/// if the ratio and the spread stayed as they are with `trials` trials; `None` above 1,000.
pub fn trials_needed(
    ratio: &LogEstimate,
    trials: usize,
    max_loss: f64,
    points: usize,
) -> Option<usize> {
    let is_conclusive = |count: &usize| {
        let more = *count as f64 / trials as f64;
        let degrees = ratio.degrees * (*count - 1) as f64 / (trials - 1) as f64;
        let ratio = LogEstimate { variance: ratio.variance / more, degrees, ..*ratio };
        let tails = Tails::of(&ratio, max_loss);
        tails.smaller_loss <= ERROR || tails.larger_loss <= ERROR / points as f64
    };
    (trials.max(2)..=MAX_TRIALS).filter(|_| trials > 1).find(is_conclusive)
}

/// The p-values of both one-sided tests.
#[derive(Clone, Copy)]
struct Tails {
    /// Of the hypothesis that the loss is as allowed or smaller.
    larger_loss: f64,
    /// Of the hypothesis that the loss is as allowed or larger.
    smaller_loss: f64,
}

impl Tails {
    fn of(ratio: &LogEstimate, max_loss: f64) -> Self {
        let beyond = LogEstimate { log: ratio.log - (1.0 - max_loss).ln(), ..*ratio };
        let tail = beyond.p() / 2.0;
        if beyond.log < 0.0 {
            Tails { larger_loss: tail, smaller_loss: 1.0 - tail }
        } else {
            Tails { larger_loss: 1.0 - tail, smaller_loss: tail }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Regression::{Fails, Inconclusive, Passes};
    use super::*;
    use crate::analysis::{Axis, Curve, changes, curves};
    use crate::results::Row;

    fn ratio(log: f64, variance: f64, degrees: f64) -> LogEstimate {
        LogEstimate { log, variance, degrees }
    }

    /// A ratio of 0.95 times e to the power of `t` standard errors of 1 %, with 8 degrees of
    /// freedom.
    fn at(t: f64) -> LogEstimate {
        ratio(0.95_f64.ln() + 0.01 * t, 1e-4, 8.0)
    }

    #[test]
    fn a_single_point_is_tested_one_sided_against_the_limit() {
        // t(0.95, 8) = 1.859548.
        for (t, expected) in [
            (-1.8596, Fails),
            (-1.8595, Inconclusive),
            (0.0, Inconclusive),
            (1.8595, Inconclusive),
            (1.8596, Passes),
        ] {
            assert_eq!(regressions(&[Some(at(t))], 0.05), [expected], "{t}");
        }
    }

    #[test]
    fn failures_are_corrected_for_the_number_of_points_and_passes_are_not() {
        // Of three points, the first is tested at 0.05 / 3: t(0.98333, 8) = 2.566. The second is
        // then tested at 0.05 / 2: t(0.975, 8) = 2.306.
        assert_eq!(
            regressions(&[Some(at(-2.5)), Some(at(1.86)), None], 0.05),
            [Inconclusive, Passes, Inconclusive]
        );
        assert_eq!(
            regressions(&[Some(at(-2.6)), Some(at(-2.4)), None], 0.05),
            [Fails, Fails, Inconclusive]
        );
        assert_eq!(
            regressions(&[Some(at(-2.6)), Some(at(-2.2)), None], 0.05),
            [Fails, Inconclusive, Inconclusive]
        );
    }

    #[test]
    fn extreme_variances_and_limits_give_a_result() {
        let exact = |value: f64| Some(ratio(value.ln(), 0.0, 2.0));
        let unknown = Some(ratio(0.0, f64::NAN, f64::NAN));
        let all = [exact(0.9), exact(0.96), exact(0.95), unknown, None];
        let expected = [Fails, Passes, Inconclusive, Inconclusive, Inconclusive];
        assert_eq!(regressions(&all, 0.05), expected);
        assert_eq!(regressions(&[exact(0.01), Some(at(-5.0))], 1.0), [Passes, Passes]);
        assert_eq!(regressions(&[], 0.05), []);
    }

    #[test]
    fn number_of_trials_needed_matches_a_hand_calculation() {
        // No change, a standard deviation of 15 % on both sides, limit 5 %: the logarithm of 0.95
        // is -0.051293. 47 trials have the error 0.15 · √(2 / 47) = 0.030943 and
        // t = 1.6577 < t(0.95, 92) = 1.6616; 48 trials have the error 0.030619 and
        // t = 1.6752 > t(0.95, 94) = 1.6612.
        let five = ratio(0.0, 2.0 * 0.15_f64.powi(2) / 5.0, 8.0);
        assert_eq!(trials_needed(&five, 5, 0.05, 60), Some(48));
        assert_eq!(trials_needed(&five, 1, 0.05, 60), None);
        let at_limit = ratio(0.95_f64.ln(), 0.01, 8.0);
        assert_eq!(trials_needed(&at_limit, 5, 0.05, 60), None);
    }

    const POINTS: usize = 60;

    /// A measurement of 60 points with 5 trials each and a coefficient of variation of 15 %.
    /// `factor` is the true throughput of each point, relative to that of an unchanged program.
    fn measured(random: &mut fastrand::Rng, factor: impl Fn(usize) -> f64) -> Vec<Curve> {
        let mut rows = Vec::new();
        for (clients, trial) in (1..=POINTS).flat_map(|n| (1..=5).map(move |trial| (n, trial))) {
            // The sum of twelve uniform values is nearly normal.
            let normal = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
            let throughput_per_s = 1000.0 * factor(clients) * (1.0 + 0.15 * normal);
            let system = "a".to_owned();
            rows.push(Row {
                system,
                clients,
                trial,
                throughput_per_s,
                valid: true,
                ..Row::default()
            });
        }
        curves(&rows, Axis::Clients)
    }

    /// The results of the points in a comparison with such a measurement, at a limit of 5 %.
    fn simulated(random: &mut fastrand::Rng, factor: impl Fn(usize) -> f64) -> Vec<Regression> {
        let (a, b) = (measured(random, |_| 1.0), measured(random, factor));
        let ratios: Vec<_> = changes(&a, &b, false).iter().map(|change| change.ratio).collect();
        assert_eq!(ratios.len(), POINTS);
        regressions(&ratios, 0.05)
    }

    #[test]
    fn at_most_5_percent_of_runs_without_a_loss_beyond_the_limit_fail() {
        let mut random = fastrand::Rng::with_seed(17);
        let mut failed = |factor: f64| {
            let runs = (0..300).filter(|_| simulated(&mut random, |_| factor).contains(&Fails));
            runs.count()
        };
        // No change, then the loss at which false alarms are most frequent: the limit itself.
        let (unchanged, at_limit) = (failed(1.0), failed(0.95));
        assert!(unchanged <= 15, "{unchanged} of 300");
        assert!((3..=24).contains(&at_limit), "{at_limit} of 300");
    }

    #[test]
    fn a_loss_of_two_thirds_at_one_of_60_points_is_found_and_named() {
        let mut random = fastrand::Rng::with_seed(18);
        let found = (0..200)
            .filter(|_| {
                let results = simulated(&mut random, |point| if point == 30 { 0.33 } else { 1.0 });
                let failed: Vec<_> = (1..=POINTS).filter(|n| results[n - 1] == Fails).collect();
                failed == [30]
            })
            .count();
        assert!(found >= 190, "{found} of 200");
    }

    #[test]
    fn at_most_5_percent_of_runs_pass_if_one_loss_is_as_large_as_the_limit() {
        let mut random = fastrand::Rng::with_seed(19);
        // All other points gain so much that they pass.
        let mut all_pass = || {
            let results = simulated(&mut random, |point| if point == 30 { 0.95 } else { 3.0 });
            results.iter().all(|result| *result == Passes)
        };
        let passed = (0..400).filter(|_| all_pass()).count();
        assert!((8..=32).contains(&passed), "{passed} of 400");
    }
}
