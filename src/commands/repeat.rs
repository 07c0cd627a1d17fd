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

    /// Whether the 95 % confidence interval is within `fraction` of the mean.
    fn is_precise(&self, fraction: f64) -> bool {
        let half_width = Estimate::of(&self.throughputs).and_then(|all| all.relative_half_width());
        half_width.is_some_and(|half_width| half_width <= fraction)
    }
}

impl Repeat {
    /// Minimum number of valid trials of [`Repeat::UntilPrecise`].
    pub const MIN_TRIALS: usize = 5;

    /// Maximum number of trials of [`Repeat::UntilPrecise`].
    pub const MAX_TRIALS: usize = 20;

    /// Whether no further trial is needed.
    pub fn is_done(self, stats: &TrialStats) -> bool {
        match self {
            Repeat::Fixed(count) => stats.trials() >= count.get(),
            Repeat::UntilPrecise(fraction) => {
                stats.trials() >= Repeat::MAX_TRIALS
                    || (stats.throughputs.len() >= Repeat::MIN_TRIALS && stats.is_precise(fraction))
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
                let interval = match (all.half_width(), all.relative_half_width()) {
                    (Some(half), Some(relative)) => {
                        format!("± {half:.0} ({:.1} %, 95 % confidence interval)", relative * 100.0)
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
    fn trials_continue_until_the_interval_is_narrow_but_at_least_five_times() {
        let repeat = Repeat::UntilPrecise(0.02);
        assert!(!repeat.is_done(&stats(&[100.0; 4], 0)));
        assert!(repeat.is_done(&stats(&[100.0; 5], 0)));
        assert!(!repeat.is_done(&stats(&[100.0; 4], 3)));
        // Half width 2.776445 · √2.5 / √5 = 1.963: within 2 % of 103 and not of 3.
        assert!(repeat.is_done(&stats(&[101.0, 102.0, 103.0, 104.0, 105.0], 0)));
        assert!(!repeat.is_done(&stats(&[1.0, 2.0, 3.0, 4.0, 5.0], 0)));
    }

    #[test]
    fn imprecise_trials_stop_after_twenty_with_a_message() {
        let scattered: Vec<_> = (0..18).map(f64::from).collect();
        let repeat = Repeat::UntilPrecise(0.02);
        assert!(repeat.is_done(&stats(&scattered, 2)));
        let text = repeat.summary(&stats(&scattered, 2)).unwrap();
        assert!(text.starts_with("20 trials, 2 left out: mean 8 msg/s ± 3"), "{text}");
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
