//! Means with their intervals.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Minimum number of trials for an interval and for a claim.
pub const MIN_TRIALS: usize = 3;

/// Probability that an interval contains the true mean.
const CONFIDENCE: f64 = 0.95;

/// The mean of a sample, and its variance.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Estimate {
    /// Number of values.
    pub count: usize,
    /// Mean of the values.
    pub mean: f64,
    /// Unbiased sample variance; 0 for a single value.
    variance: f64,
}

impl Estimate {
    /// The estimate from these values; `None` if there are none.
    ///
    /// ```
    /// use echometer::analysis::Estimate;
    /// // Mean 100, variance (100 + 0 + 100) / 2, t(0.975, 2) = 4.302653, so that the half
    /// // width is 4.302653 · 10 / √3.
    /// let estimate = Estimate::of(&[90.0, 100.0, 110.0]).unwrap();
    /// assert_eq!(estimate.mean, 100.0);
    /// assert!((estimate.half_width().unwrap() - 24.841).abs() < 0.001);
    /// ```
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let variance = if count > 1 { squares / (count - 1) as f64 } else { 0.0 };
        Some(Estimate { count, mean, variance })
    }

    /// Half the width of the 95 % interval of the mean, by Student's t; `None` for fewer than 3
    /// values.
    ///
    /// Student, "The Probable Error of a Mean", Biometrika 6(1), 1908.
    pub fn half_width(&self) -> Option<f64> {
        let quantile = quantile(self.count as f64 - 1.0)?;
        (self.count >= MIN_TRIALS).then(|| quantile * self.variance_of_mean().sqrt())
    }

    /// The half width over the mean; `None` if there is no interval or the mean is not positive.
    pub fn relative_half_width(&self) -> Option<f64> {
        self.half_width().filter(|_| self.mean > 0.0).map(|half| half / self.mean)
    }

    fn variance_of_mean(&self) -> f64 {
        self.variance / self.count as f64
    }
}

/// The quantile of Student's t for a two-sided interval.
fn quantile(degrees: f64) -> Option<f64> {
    let t = StudentsT::new(0.0, 1.0, degrees).ok()?;
    Some(t.inverse_cdf(f64::midpoint(1.0, CONFIDENCE)))
}

/// Whether the throughputs of two measurements differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They differ significantly.
    Differs,
    /// No significant difference.
    Tie,
    /// One of them has fewer than 3 trials.
    InsufficientData,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(value: f64, expected: f64) {
        assert!((value / expected - 1.0).abs() < 1e-4, "{value} is not {expected}");
    }

    fn estimate(values: &[f64]) -> Estimate {
        Estimate::of(values).unwrap()
    }

    #[test]
    fn intervals_match_tables_of_students_t() {
        // t(0.975, n - 1) · s / √n, with s² = 1 for three values and s² = 2.5 for five.
        assert_near(estimate(&[1.0, 2.0, 3.0]).half_width().unwrap(), 4.302_653 / 3_f64.sqrt());
        let five = estimate(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_near(five.half_width().unwrap(), 2.776_445 * 2.5_f64.sqrt() / 5_f64.sqrt());
        assert_near(five.relative_half_width().unwrap(), 2.776_445 * 0.5_f64.sqrt() / 3.0);
        assert_eq!(estimate(&[7.0; 4]).half_width(), Some(0.0));
    }

    #[test]
    fn fewer_than_three_values_have_no_interval_and_none_have_no_mean() {
        assert_eq!(estimate(&[1.0, 9.0]).half_width(), None);
        assert_eq!(estimate(&[1.0]).half_width(), None);
        assert_eq!(Estimate::of(&[]), None);
    }

    /// A sum of twelve uniform values is nearly normal. The generator is linear congruential with
    /// Knuth's constants; the upper 53 bits are used.
    fn normal(state: &mut u64) -> f64 {
        let mut uniform = || {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (*state >> 11) as f64 / (1_u64 << 53) as f64
        };
        (0..12).map(|_| uniform()).sum::<f64>() - 6.0
    }

    #[test]
    fn intervals_contain_the_mean_in_95_percent_of_samples() {
        let (mut state, rounds) = (1, 4000);
        let mut covered = 0;
        for _ in 0..rounds {
            let a = estimate(&std::array::from_fn::<_, 5, _>(|_| 10.0 + normal(&mut state)));
            covered += i32::from((a.mean - 10.0).abs() <= a.half_width().unwrap());
        }
        let share = f64::from(covered) / f64::from(rounds);
        assert!((0.94..0.96).contains(&share), "{share}");
    }
}
