//! Bootstrap intervals for a fit of the Universal Scalability Law.
//!
//! Each replicate is the fitted curve with relative residuals that are drawn with replacement, and
//! is fitted again. B. Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of
//! Statistics 7(1), 1979. A fit of three coefficients to few points makes residuals too small, and
//! the percentiles of so few residuals are those of a normal distribution and not of Student's t.
//! Residuals are therefore scaled by both factors.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Number of bootstrap replicates.
pub(super) const REPLICATES: usize = 400;

/// Fixed, so that the same rows give the same report.
const SEED: u64 = 1979;

/// Number of coefficients of the law.
const COEFFICIENTS: usize = 3;

/// The 97.5 % quantile of the normal distribution.
const NORMAL_QUANTILE: f64 = 1.959_964;

/// A replicate's throughput is at least this share of the fitted one.
const MIN_SHARE: f64 = 0.01;

/// Minimum share of replicates that can be fitted.
const MIN_FITTED: f64 = 0.9;

/// λ, σ and κ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Coefficients {
    pub lambda: f64,
    pub sigma: f64,
    pub kappa: f64,
}

/// Lower and upper end of a 95 % interval.
pub type Interval = (f64, f64);

/// The 95 % intervals of a fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Intervals {
    /// κ.
    pub kappa: Interval,
    /// What is lost at the largest number of clients: λN / X(N) - 1. It is 0 on a straight line
    /// through the origin.
    pub loss: Interval,
    /// Clients at the peak; infinite without a peak.
    pub peak_clients: Interval,
    /// Throughput at the peak.
    pub peak_rate: Interval,
}

impl Coefficients {
    /// The throughput of a number of clients.
    pub fn at(&self, clients: f64) -> f64 {
        self.lambda * clients / (1.0 + self.loss(clients))
    }

    fn loss(&self, clients: f64) -> f64 {
        (clients - 1.0) * (self.sigma + self.kappa * clients)
    }

    /// Number of clients at the peak; infinite without a peak.
    pub fn peak_clients(&self) -> f64 {
        // With a σ of 1 or more, additional clients do not raise the throughput.
        if self.kappa > 0.0 {
            ((1.0 - self.sigma).max(0.0) / self.kappa).sqrt().max(1.0)
        } else {
            f64::INFINITY
        }
    }
}

/// Returns the intervals of the fit `law` to these points; `None` if they are unknown because too
/// few replicates can be fitted. `fit` returns the best coefficients, also with κ below 0.
pub(super) fn intervals(
    points: &[(f64, f64)],
    law: &Coefficients,
    replicates: usize,
    fit: impl Fn(&[(f64, f64)]) -> Option<Coefficients>,
) -> Option<Intervals> {
    let residuals = scaled_residuals(points, law)?;
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut replicate = || {
        let mut draw = |clients: f64| {
            let residual = residuals[random.usize(..residuals.len())];
            (clients, law.at(clients) * (1.0 + residual).max(MIN_SHARE))
        };
        fit(&points.iter().map(|(clients, _)| draw(*clients)).collect::<Vec<_>>())
    };
    let fitted: Vec<_> = (0..replicates).filter_map(|_| replicate()).collect();
    if (fitted.len() as f64) < MIN_FITTED * replicates as f64 {
        return None;
    }
    let last = points.iter().fold(1.0, |max, (clients, _)| clients.max(max));
    let of = |value: &dyn Fn(&Coefficients) -> f64| percentiles(fitted.iter().map(value).collect());
    Some(Intervals {
        kappa: of(&|law| law.kappa),
        loss: of(&|law| law.loss(last)),
        peak_clients: of(&Coefficients::peak_clients),
        peak_rate: of(&|law| law.at(law.peak_clients().min(f64::MAX.sqrt()))),
    })
}

/// The relative residuals around 0; `None` if there are too few points.
fn scaled_residuals(points: &[(f64, f64)], law: &Coefficients) -> Option<Vec<f64>> {
    let count = points.len() as f64;
    let degrees = points.len().checked_sub(COEFFICIENTS)? as f64;
    let t = StudentsT::new(0.0, 1.0, degrees).ok()?.inverse_cdf(0.975);
    let scale = (count / degrees).sqrt() * t / NORMAL_QUANTILE;
    let residuals = points.iter().map(|(clients, rate)| rate / law.at(*clients) - 1.0);
    let mean = residuals.clone().sum::<f64>() / count;
    let scaled: Vec<_> = residuals.map(|residual| (residual - mean) * scale).collect();
    scaled.iter().all(|residual| residual.is_finite()).then_some(scaled)
}

/// The 2.5 % and the 97.5 % percentile. There must be at least one value.
fn percentiles(mut values: Vec<f64>) -> Interval {
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    let at = |per_mille: usize| values[(last * per_mille + 500) / 1000];
    (at(25), at(975))
}

#[cfg(test)]
mod tests {
    use super::super::usl::fit;
    use super::*;

    #[test]
    fn percentiles_and_coefficients_match_values_worked_out_by_hand() {
        assert_eq!(percentiles((0..=200).rev().map(f64::from).collect()), (5.0, 195.0));
        // 10 clients: 1000 · 10 / (1 + 0.1 · 9 + 0.01 · 90); the peak is at √(0.9 / 0.01).
        let law = Coefficients { lambda: 1000.0, sigma: 0.1, kappa: 0.01 };
        assert!(
            (law.at(10.0) - 10_000.0 / 2.8).abs() < 1e-9 && (law.loss(10.0) - 1.8).abs() < 1e-12
        );
        assert!((law.peak_clients() - 90_f64.sqrt()).abs() < 1e-9);
        assert_eq!(Coefficients { kappa: 0.0, ..law }.peak_clients(), f64::INFINITY);
    }

    #[test]
    fn residuals_are_scaled_for_three_coefficients_and_students_t() {
        // Six points, 3 degrees of freedom: √(6 / 3) · 3.182446 / 1.959964.
        let law = Coefficients { lambda: 10.0, sigma: 0.0, kappa: 0.0 };
        let signs = [1.0, -1.0, 1.0, -1.0, 1.0, -1.0];
        let points: Vec<_> = (1..)
            .zip(signs)
            .map(|(n, sign)| (f64::from(n), 10.0 * f64::from(n) * (1.0 + 0.01 * sign)))
            .collect();
        let scaled = scaled_residuals(&points, &law).unwrap();
        assert!(
            (scaled[0] - 0.01 * 2_f64.sqrt() * 3.182_446 / 1.959_964).abs() < 1e-7,
            "{scaled:?}"
        );
        assert_eq!(scaled_residuals(&points[..3], &law), None);
    }

    #[test]
    fn intervals_contain_the_true_kappa_and_the_true_peak_in_at_least_93_percent_of_runs() {
        let mut random = fastrand::Rng::with_seed(7);
        let law = Coefficients { lambda: 13_000.0, sigma: 0.1, kappa: 0.002 };
        let (clients, rate) = (law.peak_clients(), law.at(law.peak_clients()));
        let mut covered = [0; 3];
        for _ in 0..1000 {
            let mut noisy = |n: u32| {
                let normal = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
                (f64::from(n), law.at(f64::from(n)) * (1.0 + 0.03 * normal))
            };
            let points = [1, 2, 4, 8, 12, 16, 24, 32].map(&mut noisy);
            let fitted = fit(&points).unwrap();
            // 100 replicates for speed.
            let found = intervals(&points, &fitted, 100, |points| fit(points).ok()).unwrap();
            let truths =
                [(found.kappa, law.kappa), (found.peak_clients, clients), (found.peak_rate, rate)];
            for (count, ((low, high), truth)) in covered.iter_mut().zip(truths) {
                *count += i32::from(low <= truth && truth <= high);
            }
        }
        println!("kappa, clients and rate at the peak: {covered:?} of 1,000");
        assert!(covered.iter().all(|count| (930..=990).contains(count)), "{covered:?}");
    }
}
