//! The Universal Usl Law, fitted to a curve over clients.
//!
//! X(N) = λN / (1 + σ(N - 1) + κN(N - 1)): λ is the throughput of one client, σ (contention) the
//! share of the work that only one can do at a time, κ (coherence) what each pair of clients
//! costs beside that. N. J. Gunther, "Guerrilla Capacity Planning", Springer, 2007, chapter 4.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use usl::{Measurement, Model};

use super::{Axis, Curve};

/// Through fewer points such a curve may be drawn in almost any way.
pub const FEWEST_POINTS: usize = usl::MIN_MEASUREMENTS;

/// A law that explains less of the differences between points is not shown.
const LEAST_R_SQUARED: f64 = 0.9;

/// A peak at more than so many times the most clients that were measured is a guess.
const MAX_EXTRAPOLATION: f64 = 10.0;

/// The law with the coefficients that fit a curve best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usl {
    /// Messages per second of one client.
    pub lambda: f64,
    /// Contention; below 0 where clients together cost less than each alone, as they do where a
    /// wake-up or a system call serves several.
    pub sigma: f64,
    /// Coherence; never below 0.
    pub kappa: f64,
    /// The share of the differences between points that the law explains.
    pub r_squared: f64,
    /// The clients at the peak, and its messages per second; `None` where the curve has none that
    /// is near.
    pub peak: Option<(f64, f64)>,
    /// What the throughput goes to where there is no coherence: λ/σ.
    pub asymptote_per_s: Option<f64>,
}

/// Why there is no law.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UslError {
    /// So many are too few.
    #[error("it takes {FEWEST_POINTS} numbers of clients, and there are {0}")]
    FewPoints(usize),
    /// The law does not describe the curve.
    #[error("the law explains {:.0} % of the differences, and 90 % are needed", .0.max(0.0) * 100.0)]
    Poor(f64),
    /// No coefficients were found, and why.
    #[error("{0}")]
    NoFit(String),
    /// The curve is not over clients.
    #[error("the law is one over clients, and this curve is not")]
    NotByClients,
}

impl Usl {
    /// Messages per second that the law tells for so many clients.
    pub fn at(&self, clients: f64) -> f64 {
        let pairs = clients * (clients - 1.0);
        self.lambda * clients / (1.0 + self.sigma * (clients - 1.0) + self.kappa * pairs)
    }

    /// The law with these coefficients, over points that end at `most` clients.
    fn new(lambda: f64, sigma: f64, kappa: f64, points: &[(f64, f64)]) -> Self {
        let (peak, asymptote_per_s) = (None, None);
        let law = Usl { lambda, sigma, kappa, r_squared: 0.0, peak, asymptote_per_s };
        let most = points.iter().fold(1.0, |most, (clients, _)| clients.max(most));
        // From a σ of 1 on, every client beside the first one is in the way.
        let peak_at = ((1.0 - sigma).max(0.0) / kappa).sqrt().max(1.0);
        let is_near = peak_at <= most * MAX_EXTRAPOLATION;
        Usl {
            r_squared: r_squared(points, |clients| law.at(clients)),
            peak: is_near.then(|| (peak_at, law.at(peak_at))),
            asymptote_per_s: (!is_near && sigma > 0.0).then(|| lambda / sigma),
            ..law
        }
    }

    fn is_sound(&self, points: &[(f64, f64)]) -> bool {
        let known = [self.lambda, self.sigma, self.kappa, self.r_squared];
        let positive = points.iter().all(|(clients, _)| self.at(*clients) > 0.0);
        known.iter().all(|value| value.is_finite()) && self.lambda > 0.0 && positive
    }
}

/// Fits the law to a curve.
///
/// # Errors
///
/// Where the curve is not over clients, has fewer than [`FEWEST_POINTS`] points, or is not
/// described by the law: R² under 0.9.
pub fn scalability(curve: &Curve) -> Result<Usl, UslError> {
    if curve.options.contains_key(Axis::Clients.option()) {
        return Err(UslError::NotByClients);
    }
    let points: Vec<_> =
        curve.points.iter().map(|p| (p.clients as f64, p.throughput.mean)).collect();
    if points.len() < FEWEST_POINTS {
        return Err(UslError::FewPoints(points.len()));
    }
    if points.iter().any(|(clients, rate)| *clients < 1.0 || *rate <= 0.0 || !rate.is_finite()) {
        return Err(UslError::NoFit("there are points without a message".to_owned()));
    }
    let law = fit(curve)?;
    // A coherence below 0 has no meaning: the curve goes on to rise, and is fitted without.
    let law = if law.kappa < 0.0 { fit_contention(&points)? } else { law };
    let law = Usl::new(law.lambda, law.sigma, law.kappa, &points);
    if !law.is_sound(&points) {
        return Err(UslError::NoFit("the coefficients that fit best have no meaning".to_owned()));
    }
    if law.r_squared < LEAST_R_SQUARED { Err(UslError::Poor(law.r_squared)) } else { Ok(law) }
}

/// The three coefficients that fit best.
fn fit(curve: &Curve) -> Result<Model, UslError> {
    // In units of the peak, or large throughputs would hide small coefficients.
    let unit = curve.peak().map_or(1.0, |peak| peak.throughput.mean);
    let measured = curve.points.iter().map(|point| {
        let clients = u32::try_from(point.clients).unwrap_or(u32::MAX);
        Measurement::concurrency_and_throughput(clients, point.throughput.mean / unit)
    });
    let measured: Vec<_> = measured.collect();
    // It panics where its search meets what is not a number; that is no more than a poor fit.
    let model = quietly(|| catch_unwind(AssertUnwindSafe(|| Model::build(&measured))))
        .map_err(|_| UslError::NoFit("the search for coefficients did not end".to_owned()))?;
    Ok(Model { lambda: model.lambda * unit, ..model })
}

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Does something whose panics, which are caught, are told to nobody. Those of other threads are
/// told as ever.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_QUIET.get() {
                before(panic);
            }
        }));
    });
    IS_QUIET.set(true);
    let done = work();
    IS_QUIET.set(false);
    done
}

/// The two coefficients that fit best where κ is 0: N/X = (1 - σ)/λ + (σ/λ)N is a line, whose
/// least squares are taken.
fn fit_contention(points: &[(f64, f64)]) -> Result<Model, UslError> {
    let count = points.len() as f64;
    let line = points.iter().map(|(clients, rate)| (*clients, clients / rate));
    let sums = line.clone().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (mean_x, mean_y) = (sums.0 / count, sums.1 / count);
    let (products, squares) = line.fold((0.0, 0.0), |(products, squares), (x, y)| {
        (products + (x - mean_x) * (y - mean_y), squares + (x - mean_x).powi(2))
    });
    let slope = products / squares;
    // At one client, the line is at 1/λ.
    let lambda = 1.0 / (mean_y + slope * (1.0 - mean_x));
    let sigma = slope * lambda;
    if lambda > 0.0 && sigma.is_finite() {
        Ok(Model { lambda, sigma, kappa: 0.0 })
    } else {
        Err(UslError::NoFit("the throughput rises faster than the clients".to_owned()))
    }
}

/// One less the squares that are left over those of the differences from the mean.
fn r_squared(points: &[(f64, f64)], law: impl Fn(f64) -> f64) -> f64 {
    let mean = points.iter().map(|(_, rate)| rate).sum::<f64>() / points.len() as f64;
    let left: f64 = points.iter().map(|(clients, rate)| (rate - law(*clients)).powi(2)).sum();
    let all: f64 = points.iter().map(|(_, rate)| (rate - mean).powi(2)).sum();
    if all > 0.0 { 1.0 - left / all } else { 0.0 }
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

    /// The law's own points, each off by a share that alternates.
    fn of_law(law: &Usl, noise: f64) -> Curve {
        let signs = [1.0, -1.0, -0.5, 0.5].into_iter().cycle();
        curve(
            CLIENTS
                .into_iter()
                .zip(signs)
                .map(|(n, sign)| (n, law.at(n as f64) * (1.0 + sign * noise))),
        )
    }

    fn near(value: f64, expected: f64, within: f64) {
        assert!((value / expected - 1.0).abs() < within, "{value} is not {expected}");
    }

    #[test]
    fn the_law_worked_out_by_hand() {
        // 10 clients: 1000 · 10 / (1 + 0.1 · 9 + 0.01 · 90) = 10000 / 2.8.
        let law = law(1000.0, 0.1, 0.01);
        near(law.at(10.0), 3_571.428_57, 1e-6);
        assert_eq!(law.at(1.0), 1000.0);
        // The peak at √(0.9 / 0.01) = 9.4868 clients.
        let (clients, rate) = law.peak.unwrap();
        near(clients, 9.486_833, 1e-6);
        near(rate, 9486.833 / (1.0 + 0.848_683 + 0.805_131_7), 1e-5);
        assert_eq!(law.asymptote_per_s, None);
    }

    #[test]
    fn the_coefficients_of_a_law_are_found_again() {
        for (lambda, sigma, kappa) in [(955.0, 0.027, 7.7e-4), (13_000.0, 0.1, 0.002)] {
            let found = scalability(&of_law(&law(lambda, sigma, kappa), 0.0)).unwrap();
            near(found.lambda, lambda, 1e-4);
            near(found.sigma, sigma, 1e-3);
            near(found.kappa, kappa, 1e-3);
            assert!(found.r_squared > 0.999_999, "{found:?}");
            let noisy = scalability(&of_law(&law(lambda, sigma, kappa), 0.01)).unwrap();
            near(noisy.peak.unwrap().1, found.peak.unwrap().1, 0.02);
            assert!(noisy.r_squared > 0.99 && noisy.r_squared < 0.999_999, "{noisy:?}");
        }
    }

    #[test]
    fn without_coherence_there_is_an_asymptote_and_no_peak() {
        // λ/σ = 10000/0.1.
        let found = scalability(&of_law(&law(10_000.0, 0.1, 0.0), 0.0)).unwrap();
        near(found.asymptote_per_s.unwrap(), 100_000.0, 1e-3);
        assert_eq!(found.peak, None);
        // A curve that rises a little more than contention alone allows: still κ = 0.
        let rising = of_law(&Usl { kappa: -2e-4, ..law(10_000.0, 0.1, 0.0) }, 0.0);
        let found = scalability(&rising).unwrap();
        assert!(found.kappa == 0.0 && found.asymptote_per_s.is_some(), "{found:?}");
    }

    #[test]
    fn what_grows_with_the_clients_has_neither() {
        let found = scalability(&curve(CLIENTS.map(|n| (n, 500.0 * n as f64)))).unwrap();
        near(found.lambda, 500.0, 1e-6);
        assert!(found.sigma.abs() < 1e-6 && found.peak.is_none(), "{found:?}");
    }

    #[test]
    fn a_line_through_what_contention_leaves_worked_out_by_hand() {
        // λ = 100, σ = 0.5: N/X = 0.005 + 0.005 N.
        let points = [1.0, 3.0, 9.0].map(|n| (n, n / (0.005 + 0.005 * n)));
        let model = fit_contention(&points).unwrap();
        near(model.lambda, 100.0, 1e-9);
        near(model.sigma, 0.5, 1e-9);
    }

    #[test]
    fn what_the_law_does_not_describe_is_refused() {
        let saw = CLIENTS.iter().zip([1.0, 9.0].into_iter().cycle()).map(|(n, y)| (*n, y));
        assert!(matches!(scalability(&curve(saw)), Err(UslError::Poor(_) | UslError::NoFit(_))));
        let flat = curve(CLIENTS.map(|n| (n, 7.0)));
        assert!(matches!(scalability(&flat), Err(UslError::Poor(_) | UslError::NoFit(_))));
        let few = curve(CLIENTS[..5].iter().map(|n| (*n, 7.0)));
        assert_eq!(scalability(&few), Err(UslError::FewPoints(5)));
        let dead = curve(CLIENTS.map(|n| (n, 0.0)));
        assert!(matches!(scalability(&dead), Err(UslError::NoFit(_))));
        let mut over_workers = curve(CLIENTS.map(|n| (n, 7.0)));
        over_workers.options.insert("clients", "24 clients".to_owned());
        assert_eq!(scalability(&over_workers), Err(UslError::NotByClients));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn whatever_was_measured_there_is_a_law_or_a_reason(
            points in proptest::collection::btree_map(
                prop_oneof![1_usize..40, 1_usize..10_001],
                prop_oneof![Just(0.0), Just(1e-300), Just(1e18), 0.001..1e6_f64],
                0..20,
            )
        ) {
            prop_assume!(!points.is_empty());
            if let Ok(law) = scalability(&curve(points.clone())) {
                prop_assert!(law.r_squared >= 0.9 && law.kappa >= 0.0, "{:?}", law);
                for clients in points.into_keys() {
                    prop_assert!(law.at(clients as f64).is_finite(), "{:?}", law);
                }
            }
        }
    }
}
