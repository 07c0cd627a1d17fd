//! Number of trials of a point, and statistics over them.

use std::num::NonZeroUsize;

use crate::analysis::{Estimate, MIN_TRIALS};
use crate::results::Row;

/// Number of trials of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Repeat {
    /// A fixed number.
    Fixed(NonZeroUsize),
    /// Until the 95 % confidence interval is within this fraction of the mean, from
    /// [`Repeat::MIN_TRIALS`] to [`Repeat::MAX_TRIALS`] trials.
    ///
    /// Stopping as soon as the interval is narrow stops at lucky moments: of such intervals, only
    /// 83 % contain the true mean. So the first [`Repeat::MIN_TRIALS`] valid trials determine the
    /// number of trials, and the interval uses their variance. C. Stein, "A Two-Sample Test for a
    /// Linear Hypothesis whose Power is Independent of the Variance", Annals of Mathematical
    /// Statistics 16(3), 1945.
    UntilPrecise(f64),
}

/// Throughput of the trials of a point so far.
#[derive(Debug, Default, Clone)]
pub struct TrialStats {
    throughputs: Vec<f64>,
    left_out: usize,
}

impl TrialStats {
    /// Adds a trial. A trial that is not valid is left out of the mean.
    pub fn add(&mut self, row: &Row) {
        if row.valid {
            self.throughputs.push(row.throughput_per_s);
        } else {
            self.left_out += 1;
        }
    }

    /// Returns the number of trials, including those that are left out.
    pub fn trials(&self) -> usize {
        self.throughputs.len() + self.left_out
    }

    /// The valid trials of the first stage; `None` if it is not complete.
    fn first_stage(&self) -> Option<Estimate> {
        Estimate::of(self.throughputs.get(..Repeat::MIN_TRIALS)?)
    }

    /// Number of valid trials after which the 95 % confidence interval is within `fraction` of the
    /// mean. `None` if the first stage is not complete.
    fn needed(&self, fraction: f64) -> Option<f64> {
        let first = self.first_stage()?;
        // The half width of the first stage falls with the square root of the number of trials.
        let excess = first.relative_half_width()? / fraction;
        let count = first.count as f64;
        Some((count * excess.powi(2)).ceil().max(count))
    }

    /// Whether the 95 % confidence interval is within `fraction` of the mean.
    fn is_precise(&self, fraction: f64) -> bool {
        self.needed(fraction).is_some_and(|needed| self.throughputs.len() as f64 >= needed)
    }

    /// Half the width of the 95 % confidence interval of the mean, with the variance of the first
    /// stage and its degrees of freedom.
    fn two_stage_half_width(&self) -> Option<f64> {
        let first = self.first_stage()?;
        let share = first.count as f64 / self.throughputs.len() as f64;
        Some(first.half_width()? * share.sqrt())
    }
}

impl Repeat {
    /// Minimum number of valid trials of [`Repeat::UntilPrecise`], its first stage.
    pub const MIN_TRIALS: usize = 5;

    /// Maximum number of trials of [`Repeat::UntilPrecise`].
    pub const MAX_TRIALS: usize = 20;

    /// Whether no further trial is needed.
    pub fn is_done(self, stats: &TrialStats) -> bool {
        match self {
            Repeat::Fixed(count) => stats.trials() >= count.get(),
            Repeat::UntilPrecise(fraction) => {
                stats.trials() >= Repeat::MAX_TRIALS || stats.is_precise(fraction)
            }
        }
    }

    /// Returns the mean and its confidence interval as text; `None` for fewer than two trials.
    pub fn summary(self, stats: &TrialStats) -> Option<String> {
        if stats.trials() < 2 {
            return None;
        }
        let left_out = match stats.left_out {
            0 => String::new(),
            count => format!(", {count} left out"),
        };
        let text = match Estimate::of(&stats.throughputs) {
            None => "no trial is valid".to_owned(),
            Some(all) => {
                let half_width = match self {
                    Repeat::Fixed(_) => all.half_width(),
                    Repeat::UntilPrecise(_) => {
                        stats.two_stage_half_width().or_else(|| all.half_width())
                    }
                };
                let interval = match half_width {
                    Some(half) if all.mean > 0.0 => {
                        let relative = half / all.mean * 100.0;
                        format!("± {half:.0} ({relative:.1} %, 95 % confidence interval)")
                    }
                    _ => format!(
                        "(too few trials for a confidence interval; at least {MIN_TRIALS} are \
                         needed)"
                    ),
                };
                format!("mean {:.0} msg/s {interval}", all.mean)
            }
        };
        let gave_up = match self {
            Repeat::UntilPrecise(fraction) if !stats.is_precise(fraction) => format!(
                "\ngave up after {} trials: the 95 % confidence interval is not within ±{:.1} % of \
                 the mean; use a longer --duration or a quieter machine",
                Repeat::MAX_TRIALS,
                fraction * 100.0
            ),
            _ => String::new(),
        };
        Some(format!("{} trials{left_out}: {text}{gave_up}", stats.trials()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(throughputs: &[f64], left_out: usize) -> TrialStats {
        TrialStats { throughputs: throughputs.to_vec(), left_out }
    }

    #[test]
    fn the_first_five_trials_determine_the_number_of_trials() {
        let repeat = Repeat::UntilPrecise(0.02);
        assert!(!repeat.is_done(&stats(&[100.0; 4], 0)));
        assert!(repeat.is_done(&stats(&[100.0; 5], 0)));
        assert!(!repeat.is_done(&stats(&[100.0; 4], 3)));
        // Mean 103, half width 2.776445 · √2.5 / √5 = 1.963, which is 1.906 %: precise enough.
        assert!(repeat.is_done(&stats(&[101.0, 102.0, 103.0, 104.0, 105.0], 0)));
        // Mean 100, s² = 10: the half width is 3.926 %, so 5 · (3.926 / 2)² = 19.3 are needed.
        let mut throughputs = vec![96.0, 98.0, 100.0, 102.0, 104.0];
        assert_eq!(stats(&throughputs, 0).needed(0.02), Some(20.0));
        // Lucky trials do not end the measurement earlier.
        throughputs.extend([100.0; 14]);
        assert!(!repeat.is_done(&stats(&throughputs, 0)));
        throughputs.push(100.0);
        assert!(repeat.is_done(&stats(&throughputs, 0)));
        // The interval has the variance of the first five: 2.776445 · √10 / √20.
        let text = repeat.summary(&stats(&throughputs, 0)).unwrap();
        let expected = "20 trials: mean 100 msg/s ± 2 (2.0 %, 95 % confidence interval)";
        assert_eq!(text, expected);
        let half_width = stats(&throughputs, 0).two_stage_half_width().unwrap();
        assert!((half_width - 1.963_243).abs() < 1e-5, "{half_width}");
    }

    /// A simulated measurement with `--until`: whether its interval contains the true mean of
    /// 1,000, whether Student's interval of all its trials does, and whether it gave up.
    fn measured_until(fraction: f64, cv: f64, random: &mut fastrand::Rng) -> [bool; 3] {
        let repeat = Repeat::UntilPrecise(fraction);
        let mut stats = TrialStats::default();
        while !repeat.is_done(&stats) {
            let normal = (-2.0 * (1.0 - random.f64()).ln()).sqrt()
                * (std::f64::consts::TAU * random.f64()).cos();
            let throughput_per_s = 1000.0 * (1.0 + cv * normal);
            stats.add(&Row { valid: true, throughput_per_s, ..Row::default() });
        }
        let all = Estimate::of(&stats.throughputs).unwrap();
        let contains = |half_width: f64| (all.mean - 1000.0).abs() <= half_width;
        [
            contains(stats.two_stage_half_width().unwrap()),
            contains(all.half_width().unwrap()),
            !stats.is_precise(fraction),
        ]
    }

    #[test]
    fn intervals_of_measurements_until_2_percent_contain_the_mean_in_95_percent_of_runs() {
        let mut random = fastrand::Rng::with_seed(1945);
        for cv in [0.02, 0.05, 0.1] {
            let mut counts = [0; 3];
            for _ in 0..4000 {
                let measured = measured_until(0.02, cv, &mut random);
                counts.iter_mut().zip(measured).for_each(|(count, is)| *count += i32::from(is));
            }
            let shares = counts.map(|count| f64::from(count) / 4000.0);
            println!("CV {cv}: two-stage, Student's t of all trials, gave up: {shares:?}");
            assert!((0.93..=0.97).contains(&shares[0]), "{cv}: {shares:?}");
            // The report does not know how a measurement ended.
            assert!((0.93..=0.97).contains(&shares[1]), "{cv}: {shares:?}");
        }
    }

    #[test]
    fn imprecise_trials_stop_after_twenty_with_a_message() {
        let scattered: Vec<_> = (0..18).map(f64::from).collect();
        let repeat = Repeat::UntilPrecise(0.02);
        assert!(repeat.is_done(&stats(&scattered, 2)));
        let text = repeat.summary(&stats(&scattered, 2)).unwrap();
        // The first five have s² = 2.5: 2.776445 · √2.5 / √18 = 1.03.
        assert!(text.starts_with("20 trials, 2 left out: mean 8 msg/s ± 1 (12.2 %"), "{text}");
        assert!(text.contains("gave up after 20 trials"), "{text}");
    }

    #[test]
    fn fixed_repeat_count_stops_after_that_many_trials() {
        let twice = Repeat::Fixed(2.try_into().unwrap());
        assert!(!twice.is_done(&stats(&[1.0], 0)) && twice.is_done(&stats(&[1.0], 1)));
        assert_eq!(twice.summary(&stats(&[1.0], 0)), None);
        let text = twice.summary(&stats(&[1.0, 3.0], 0)).unwrap();
        let expected = "2 trials: mean 2 msg/s (too few trials for a confidence interval; at least \
                        3 are needed)";
        assert_eq!(text, expected);
        assert!(twice.summary(&stats(&[], 2)).unwrap().contains("no trial is valid"));
    }
}
