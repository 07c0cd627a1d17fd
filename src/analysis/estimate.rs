//! Means with their intervals, and tests whether two means differ.

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

/// The difference of two means whose variances may differ.
///
/// B. L. Welch, "The Generalization of 'Student's' Problem when Several Different Population
/// Variances are Involved", Biometrika 34(1–2), 1947.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The second mean minus the first.
    pub difference: f64,
    /// Half the width of the 95 % interval of the difference.
    pub half_width: f64,
    /// Two-sided p-value of the hypothesis that the means are equal.
    pub p: f64,
}

impl Difference {
    /// The difference from `a` to `b`; `None` if one of them has fewer than 3 values.
    pub fn between(a: &Estimate, b: &Estimate) -> Option<Self> {
        if a.count.min(b.count) < MIN_TRIALS {
            return None;
        }
        let difference = b.mean - a.mean;
        let (of_a, of_b) = (a.variance_of_mean(), b.variance_of_mean());
        let error = (of_a + of_b).sqrt();
        if error == 0.0 {
            let p = if difference == 0.0 { 1.0 } else { 0.0 };
            return Some(Difference { difference, half_width: 0.0, p });
        }
        let degrees = (of_a + of_b).powi(2)
            / (of_a.powi(2) / (a.count - 1) as f64 + of_b.powi(2) / (b.count - 1) as f64);
        let t = StudentsT::new(0.0, 1.0, degrees).ok()?;
        let p = 2.0 * t.sf((difference / error).abs());
        Some(Difference { difference, half_width: quantile(degrees)? * error, p })
    }

    /// Whether a difference may be claimed: Welch's p is below 0.05.
    pub fn is_significant(&self) -> bool {
        self.p < 1.0 - CONFIDENCE
    }
}

/// Whether two throughputs differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They differ significantly: Welch's p is below 0.05.
    Differs,
    /// No significant difference.
    Tie,
    /// One of them has fewer than 3 trials.
    InsufficientData,
}

impl Verdict {
    /// The verdict on a difference; `None` means too few trials.
    pub fn of(difference: Option<Difference>) -> Self {
        match difference {
            Some(difference) if difference.is_significant() => Verdict::Differs,
            Some(_) => Verdict::Tie,
            None => Verdict::InsufficientData,
        }
    }
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
        assert_eq!(Difference::between(&estimate(&[1.0, 2.0]), &estimate(&[1.0, 2.0, 3.0])), None);
    }

    #[test]
    fn welchs_test_matches_values_worked_out_by_hand() {
        // Means 2 and 5, variances 1 and 4, three values each: the squared error is 5/3,
        // t = 3 / √(5/3) = 2.32379, degrees = (5/3)² / ((1/9 + 16/9) / 2) = 50/17 = 2.94118.
        let between =
            Difference::between(&estimate(&[1.0, 2.0, 3.0]), &estimate(&[3.0, 5.0, 7.0])).unwrap();
        assert_eq!(between.difference, 3.0);
        let t = StudentsT::new(0.0, 1.0, 50.0 / 17.0).unwrap();
        assert_near(between.p, 2.0 * (1.0 - t.cdf(2.323_79)));
        assert!((0.10..0.11).contains(&between.p), "{between:?}");
        assert!(!between.is_significant() && between.half_width > 3.0);
    }

    #[test]
    fn values_without_spread_differ_if_their_means_differ() {
        let same = Difference::between(&estimate(&[2.0; 3]), &estimate(&[2.0; 3])).unwrap();
        let other = Difference::between(&estimate(&[2.0; 3]), &estimate(&[3.0; 3])).unwrap();
        assert!(!same.is_significant() && other.is_significant());
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
    fn intervals_contain_the_mean_in_95_percent_and_equal_means_differ_in_5_percent_of_samples() {
        let (mut state, rounds) = (1, 4000);
        let (mut covered, mut differ) = (0, 0);
        for _ in 0..rounds {
            let mut sample =
                || estimate(&std::array::from_fn::<_, 5, _>(|_| 10.0 + normal(&mut state)));
            let (a, b) = (sample(), sample());
            covered += i32::from((a.mean - 10.0).abs() <= a.half_width().unwrap());
            differ += i32::from(Difference::between(&a, &b).unwrap().is_significant());
        }
        let share = |count: i32| f64::from(count) / f64::from(rounds);
        assert!((0.94..0.96).contains(&share(covered)), "{}", share(covered));
        assert!((0.03..0.06).contains(&share(differ)), "{}", share(differ));
    }
}
