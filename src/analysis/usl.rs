//! The Universal Scalability Law (USL), fitted to a curve over clients.
//!
//! X(N) = λN / (1 + σ(N - 1) + κN(N - 1)), where λ is the throughput of one client, σ (contention)
//! is the share of the work that is serialized, and κ (coherence) is the additional cost of each
//! pair of clients. N. J. Gunther, "Guerrilla Capacity Planning", Springer, 2007, chapter 4.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use usl::{Measurement, Model};

use super::{Axis, Curve};

/// Minimum number of points for a fit; fewer points do not determine the coefficients.
pub const MIN_POINTS: usize = usl::MIN_MEASUREMENTS;

/// Minimum R² of a fit.
const MIN_R_SQUARED: f64 = 0.9;

/// Maximum number of clients at the peak, relative to the maximum that was measured; a peak beyond
/// it is not reported.
const MAX_EXTRAPOLATION: f64 = 10.0;

/// The law with the best coefficients for a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usl {
    /// λ: messages per second of one client.
    pub lambda: f64,
    /// σ: contention. It is below 0 if a client costs less among others than alone, for example
    /// because a wake-up or a system call serves several clients.
    pub sigma: f64,
    /// κ: coherence; at least 0.
    pub kappa: f64,
    /// R²: the share of the variance between points that the law explains.
    pub r_squared: f64,
    /// Clients and messages per second at the peak; `None` if there is no peak near the measured
    /// points.
    pub peak: Option<(f64, f64)>,
    /// Limit of the throughput for many clients, in messages per second, if no peak is near: λ/σ.
    pub asymptote_per_s: Option<f64>,
}

/// The reason why a curve has no fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UslError {
    /// The curve has fewer points than [`MIN_POINTS`].
    #[error(
        "a fit needs at least {MIN_POINTS} different numbers of clients, found {0}; measure more"
    )]
    TooFewPoints(usize),
    /// R² is below 0.9.
    #[error("R² is {:.2}, but at least 0.90 is needed", .0.max(0.0))]
    PoorFit(f64),
    /// No usable coefficients were found, for this reason.
    #[error("{0}")]
    NoFit(String),
    /// Clients are not the axis of the curve.
    #[error("a fit needs the number of clients as the axis")]
    NotOverClients,
}

impl Usl {
    /// Messages per second for a number of clients, according to the law.
    pub fn at(&self, clients: f64) -> f64 {
        let pairs = clients * (clients - 1.0);
        self.lambda * clients / (1.0 + self.sigma * (clients - 1.0) + self.kappa * pairs)
    }

    /// The law with these coefficients, for these measured points.
    fn new(lambda: f64, sigma: f64, kappa: f64, points: &[(f64, f64)]) -> Self {
        let (peak, asymptote_per_s) = (None, None);
        let law = Usl { lambda, sigma, kappa, r_squared: 0.0, peak, asymptote_per_s };
        let max_clients = points.iter().fold(1.0, |max, (clients, _)| clients.max(max));
        // With a σ of 1 or more, additional clients do not raise the throughput.
        let peak_at = ((1.0 - sigma).max(0.0) / kappa).sqrt().max(1.0);
        let is_near = peak_at <= max_clients * MAX_EXTRAPOLATION;
        Usl {
            r_squared: r_squared(points, |clients| law.at(clients)),
            peak: is_near.then(|| (peak_at, law.at(peak_at))),
            asymptote_per_s: (!is_near && sigma > 0.0).then(|| lambda / sigma),
            ..law
        }
    }

    fn is_plausible(&self, points: &[(f64, f64)]) -> bool {
        let values = [self.lambda, self.sigma, self.kappa, self.r_squared];
        let is_positive = points.iter().all(|(clients, _)| self.at(*clients) > 0.0);
        values.iter().all(|value| value.is_finite()) && self.lambda > 0.0 && is_positive
    }
}

/// Fits the law to a curve.
///
/// # Errors
///
/// Fails if clients are not the axis of the curve, if it has fewer than [`MIN_POINTS`] points, or
/// if the law does not describe it: R² below 0.9.
pub fn fit_usl(curve: &Curve) -> Result<Usl, UslError> {
    if curve.options.contains_key(Axis::Clients.option()) {
        return Err(UslError::NotOverClients);
    }
    let points: Vec<_> =
        curve.points.iter().map(|p| (p.clients as f64, p.throughput.mean)).collect();
    if points.len() < MIN_POINTS {
        return Err(UslError::TooFewPoints(points.len()));
    }
    if points.iter().any(|(clients, rate)| *clients < 1.0 || *rate <= 0.0 || !rate.is_finite()) {
        return Err(UslError::NoFit("a point has no throughput".to_owned()));
    }
    let law = fit(curve)?;
    // κ below 0 has no meaning. Such a curve has no peak; refit it with κ = 0.
    let law = if law.kappa < 0.0 { fit_contention(&points)? } else { law };
    let law = Usl::new(law.lambda, law.sigma, law.kappa, &points);
    if !law.is_plausible(&points) {
        return Err(UslError::NoFit(
            "the best coefficients give no positive, finite throughput".to_owned(),
        ));
    }
    if law.r_squared < MIN_R_SQUARED { Err(UslError::PoorFit(law.r_squared)) } else { Ok(law) }
}

/// Finds the three best coefficients.
fn fit(curve: &Curve) -> Result<Model, UslError> {
    // Throughputs are relative to the peak: large ones would hide small coefficients.
    let unit = curve.peak().map_or(1.0, |peak| peak.throughput.mean);
    let measured = curve.points.iter().map(|point| {
        let clients = u32::try_from(point.clients).unwrap_or(u32::MAX);
        Measurement::concurrency_and_throughput(clients, point.throughput.mean / unit)
    });
    let measured: Vec<_> = measured.collect();
    // The search panics if it reaches a value that is not a number. That is only a poor fit.
    let model =
        without_panic_message(|| catch_unwind(AssertUnwindSafe(|| Model::build(&measured))))
            .map_err(|_| UslError::NoFit("the search for coefficients failed".to_owned()))?;
    Ok(Model { lambda: model.lambda * unit, ..model })
}

thread_local! {
    static SUPPRESS_PANIC_MESSAGE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` without printing its panics, which the caller catches. Panics of other threads are
/// still printed.
fn without_panic_message<T>(work: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default_hook = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !SUPPRESS_PANIC_MESSAGE.get() {
                default_hook(panic);
            }
        }));
    });
    SUPPRESS_PANIC_MESSAGE.set(true);
    let result = work();
    SUPPRESS_PANIC_MESSAGE.set(false);
    result
}

/// Finds the two best coefficients for κ = 0, by least squares: N/X = (1 - σ)/λ + (σ/λ)N is a line.
fn fit_contention(points: &[(f64, f64)]) -> Result<Model, UslError> {
    let count = points.len() as f64;
    let line = points.iter().map(|(clients, rate)| (*clients, clients / rate));
    let sums = line.clone().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (mean_x, mean_y) = (sums.0 / count, sums.1 / count);
    let (products, squares) = line.fold((0.0, 0.0), |(products, squares), (x, y)| {
        (products + (x - mean_x) * (y - mean_y), squares + (x - mean_x).powi(2))
    });
    let slope = products / squares;
    // At one client, the line has the value 1/λ.
    let lambda = 1.0 / (mean_y + slope * (1.0 - mean_x));
    let sigma = slope * lambda;
    if lambda > 0.0 && sigma.is_finite() {
        Ok(Model { lambda, sigma, kappa: 0.0 })
    } else {
        Err(UslError::NoFit("the throughput rises faster than the number of clients".to_owned()))
    }
}

/// R²: 1 minus the sum of squared residuals over the sum of squared differences from the mean.
fn r_squared(points: &[(f64, f64)], law: impl Fn(f64) -> f64) -> f64 {
    let mean = points.iter().map(|(_, rate)| rate).sum::<f64>() / points.len() as f64;
    let residuals: f64 = points.iter().map(|(clients, rate)| (rate - law(*clients)).powi(2)).sum();
    let total: f64 = points.iter().map(|(_, rate)| (rate - mean).powi(2)).sum();
    if total > 0.0 { 1.0 - residuals / total } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::curves;
    use crate::results::Row;
    use proptest::prelude::*;

    const CLIENTS: [usize; 8] = [1, 2, 4, 8, 12, 16, 24, 32];

    fn curve(points: impl IntoIterator<Item = (usize, f64)>) -> Curve {
        let row = |(clients, throughput_per_s)| Row {
            system: "a".to_owned(),
            clients,
            throughput_per_s,
            valid: true,
            ..Row::default()
        };
        let rows: Vec<_> = points.into_iter().map(row).collect();
        curves(&rows, Axis::Clients).remove(0)
    }

    fn law(lambda: f64, sigma: f64, kappa: f64) -> Usl {
        Usl::new(lambda, sigma, kappa, &CLIENTS.map(|n| (n as f64, 1.0)))
    }

    /// The points of the law, with alternating relative errors.
    fn curve_of(law: &Usl, noise: f64) -> Curve {
        let signs = [1.0, -1.0, -0.5, 0.5].into_iter().cycle();
        curve(
            CLIENTS
                .into_iter()
                .zip(signs)
                .map(|(n, sign)| (n, law.at(n as f64) * (1.0 + sign * noise))),
        )
    }

    fn assert_near(value: f64, expected: f64, tolerance: f64) {
        assert!((value / expected - 1.0).abs() < tolerance, "{value} is not {expected}");
    }

    #[test]
    fn the_law_matches_values_worked_out_by_hand() {
        // 10 clients: 1000 · 10 / (1 + 0.1 · 9 + 0.01 · 90) = 10000 / 2.8.
        let law = law(1000.0, 0.1, 0.01);
        assert_near(law.at(10.0), 3_571.428_57, 1e-6);
        assert_eq!(law.at(1.0), 1000.0);
        // The peak is at √(0.9 / 0.01) = 9.4868 clients.
        let (clients, rate) = law.peak.unwrap();
        assert_near(clients, 9.486_833, 1e-6);
        assert_near(rate, 9486.833 / (1.0 + 0.848_683 + 0.805_131_7), 1e-5);
        assert_eq!(law.asymptote_per_s, None);
    }

    #[test]
    fn the_fit_finds_the_coefficients_of_a_law() {
        for (lambda, sigma, kappa) in [(955.0, 0.027, 7.7e-4), (13_000.0, 0.1, 0.002)] {
            let found = fit_usl(&curve_of(&law(lambda, sigma, kappa), 0.0)).unwrap();
            assert_near(found.lambda, lambda, 1e-4);
            assert_near(found.sigma, sigma, 1e-3);
            assert_near(found.kappa, kappa, 1e-3);
            assert!(found.r_squared > 0.999_999, "{found:?}");
            let noisy = fit_usl(&curve_of(&law(lambda, sigma, kappa), 0.01)).unwrap();
            assert_near(noisy.peak.unwrap().1, found.peak.unwrap().1, 0.02);
            assert!(noisy.r_squared > 0.99 && noisy.r_squared < 0.999_999, "{noisy:?}");
        }
    }

    #[test]
    fn without_coherence_there_is_an_asymptote_and_no_peak() {
        // λ/σ = 10000/0.1.
        let found = fit_usl(&curve_of(&law(10_000.0, 0.1, 0.0), 0.0)).unwrap();
        assert_near(found.asymptote_per_s.unwrap(), 100_000.0, 1e-3);
        assert_eq!(found.peak, None);
        // The best κ is below 0, so κ = 0 is used.
        let rising = curve_of(&Usl { kappa: -2e-4, ..law(10_000.0, 0.1, 0.0) }, 0.0);
        let found = fit_usl(&rising).unwrap();
        assert!(found.kappa == 0.0 && found.asymptote_per_s.is_some(), "{found:?}");
    }

    #[test]
    fn a_curve_proportional_to_the_clients_has_no_peak_and_no_contention() {
        let found = fit_usl(&curve(CLIENTS.map(|n| (n, 500.0 * n as f64)))).unwrap();
        assert_near(found.lambda, 500.0, 1e-6);
        assert!(found.sigma.abs() < 1e-6 && found.peak.is_none(), "{found:?}");
    }

    #[test]
    fn the_fit_without_coherence_matches_values_worked_out_by_hand() {
        // λ = 100, σ = 0.5: N/X = 0.005 + 0.005 N.
        let points = [1.0, 3.0, 9.0].map(|n| (n, n / (0.005 + 0.005 * n)));
        let model = fit_contention(&points).unwrap();
        assert_near(model.lambda, 100.0, 1e-9);
        assert_near(model.sigma, 0.5, 1e-9);
    }

    #[test]
    fn curves_that_the_law_does_not_describe_are_rejected() {
        let zigzag = CLIENTS.iter().zip([1.0, 9.0].into_iter().cycle()).map(|(n, y)| (*n, y));
        assert!(matches!(fit_usl(&curve(zigzag)), Err(UslError::PoorFit(_) | UslError::NoFit(_))));
        let flat = curve(CLIENTS.map(|n| (n, 7.0)));
        assert!(matches!(fit_usl(&flat), Err(UslError::PoorFit(_) | UslError::NoFit(_))));
        let few = curve(CLIENTS[..5].iter().map(|n| (*n, 7.0)));
        assert_eq!(fit_usl(&few), Err(UslError::TooFewPoints(5)));
        let zero = curve(CLIENTS.map(|n| (n, 0.0)));
        assert!(matches!(fit_usl(&zero), Err(UslError::NoFit(_))));
        let mut over_workers = curve(CLIENTS.map(|n| (n, 7.0)));
        over_workers.options.insert("clients", "24 clients".to_owned());
        assert_eq!(fit_usl(&over_workers), Err(UslError::NotOverClients));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn arbitrary_points_give_a_plausible_fit_or_an_error(
            points in proptest::collection::btree_map(
                prop_oneof![1_usize..40, 1_usize..10_001],
                prop_oneof![Just(0.0), Just(1e-300), Just(1e18), 0.001..1e6_f64],
                0..20,
            )
        ) {
            prop_assume!(!points.is_empty());
            if let Ok(law) = fit_usl(&curve(points.clone())) {
                prop_assert!(law.r_squared >= 0.9 && law.kappa >= 0.0, "{:?}", law);
                for clients in points.into_keys() {
                    prop_assert!(law.at(clients as f64).is_finite(), "{:?}", law);
                }
            }
        }
    }
}
