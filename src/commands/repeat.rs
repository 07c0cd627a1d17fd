//! How often a point is measured, and what its trials say together.

use std::num::NonZeroUsize;

use crate::analysis::{Estimate, FEWEST_TRIALS};
use crate::results::Row;

/// How often to measure a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Repeat {
    /// So many times.
    Times(NonZeroUsize),
    /// Until the mean's 95 % interval is within this share of it, at least [`Repeat::LEAST`]
    /// and at most [`Repeat::MOST`] times.
    Until(f64),
}

/// The trials of a point so far.
#[derive(Debug, Default, Clone)]
pub struct Spread {
    throughputs: Vec<f64>,
    left_out: usize,
}

impl Spread {
    /// Takes in a trial; one that is not valid is left out of the mean.
    pub fn add(&mut self, row: &Row) {
        if row.valid {
            self.throughputs.push(row.throughput_per_s);
        } else {
            self.left_out += 1;
        }
    }

    /// All trials, those that are left out included.
    pub fn trials(&self) -> usize {
        self.throughputs.len() + self.left_out
    }

    fn relative_half_width(&self) -> Option<f64> {
        Estimate::of(&self.throughputs)?.relative_half_width()
    }
}

impl Repeat {
    /// The fewest trials of a point whose interval is asked for.
    pub const LEAST: usize = 5;

    /// The most.
    pub const MOST: usize = 20;

    /// Whether there are trials enough.
    pub fn is_over(self, spread: &Spread) -> bool {
        match self {
            Repeat::Times(times) => spread.trials() >= times.get(),
            Repeat::Until(share) => {
                spread.trials() >= Repeat::MOST
                    || (spread.throughputs.len() >= Repeat::LEAST && reached(spread, share))
            }
        }
    }

    /// What the trials say together; `None` of a single one.
    pub fn summary(self, spread: &Spread) -> Option<String> {
        if spread.trials() < 2 {
            return None;
        }
        let left_out = match spread.left_out {
            0 => String::new(),
            count => format!(", {count} left out"),
        };
        let text = match Estimate::of(&spread.throughputs) {
            None => "no trial is valid".to_owned(),
            Some(all) => {
                let interval = match (all.half_width(), all.relative_half_width()) {
                    (Some(half), Some(share)) => {
                        format!("± {half:.0} ({:.1} %, with 95 % confidence)", share * 100.0)
                    }
                    _ => format!("(fewer than {FEWEST_TRIALS} trials have no interval)"),
                };
                format!("mean {:.0} msg/s {interval}", all.mean)
            }
        };
        let gave_up = match self {
            Repeat::Until(share) if !reached(spread, share) => format!(
                "\ngave up after {} trials: the interval is not within {:.1} % of the mean; \
                 a longer --duration helps, or a quieter machine",
                Repeat::MOST,
                share * 100.0
            ),
            _ => String::new(),
        };
        Some(format!("{} trials{left_out}: {text}{gave_up}", spread.trials()))
    }
}

fn reached(spread: &Spread, share: f64) -> bool {
    spread.relative_half_width().is_some_and(|found| found <= share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(throughputs: &[f64], left_out: usize) -> Spread {
        Spread { throughputs: throughputs.to_vec(), left_out }
    }

    #[test]
    fn it_repeats_at_least_five_times_and_until_the_interval_is_narrow() {
        let until = Repeat::Until(0.02);
        assert!(!until.is_over(&spread(&[100.0; 4], 0)));
        assert!(until.is_over(&spread(&[100.0; 5], 0)));
        assert!(!until.is_over(&spread(&[100.0; 4], 3)));
        // Half width 2.776445 · √2.5 / √5 = 1.963: within 2 % of 103 and not of 3.
        assert!(until.is_over(&spread(&[101.0, 102.0, 103.0, 104.0, 105.0], 0)));
        assert!(!until.is_over(&spread(&[1.0, 2.0, 3.0, 4.0, 5.0], 0)));
    }

    #[test]
    fn it_gives_up_after_twenty_and_says_so() {
        let wild: Vec<_> = (0..18).map(f64::from).collect();
        let until = Repeat::Until(0.02);
        assert!(until.is_over(&spread(&wild, 2)));
        let text = until.summary(&spread(&wild, 2)).unwrap();
        assert!(text.starts_with("20 trials, 2 left out: mean 8 msg/s ± 3"), "{text}");
        assert!(text.contains("gave up after 20 trials"), "{text}");
    }

    #[test]
    fn so_many_times_is_so_many_times() {
        let twice = Repeat::Times(2.try_into().unwrap());
        assert!(!twice.is_over(&spread(&[1.0], 0)) && twice.is_over(&spread(&[1.0], 1)));
        assert_eq!(twice.summary(&spread(&[1.0], 0)), None);
        let text = twice.summary(&spread(&[1.0, 3.0], 0)).unwrap();
        assert_eq!(text, "2 trials: mean 2 msg/s (fewer than 3 trials have no interval)");
        assert!(twice.summary(&spread(&[], 2)).unwrap().contains("no trial is valid"));
    }
}
