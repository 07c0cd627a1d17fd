//! The Universal Scalability Law (USL), fitted to a curve over clients.
//!
//! X(N) = λN / (1 + σ(N - 1) + κN(N - 1)), where λ is the throughput of one client, σ (contention)
//! is the share of the work that is serialized, and κ (coherence) is the additional cost of each
//! pair of clients. N. J. Gunther, "Guerrilla Capacity Planning", Springer, 2007, chapter 4.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use usl::{Measurement, Model};

use super::closed_loop_bound::ceiling_per_s;
use super::usl_bootstrap::{Coefficients, Interval, Intervals, REPLICATES, intervals};
use super::{Axis, Curve};

/// Minimum number of points for a fit; fewer points do not determine the coefficients.
pub const MIN_POINTS: usize = usl::MIN_MEASUREMENTS;

/// Minimum R² of a fit.
const MIN_R_SQUARED: f64 = 0.9;

/// Maximum number of clients at the peak, relative to the maximum that was measured; a peak beyond
/// it is not reported.
const MAX_EXTRAPOLATION: f64 = 10.0;

/// Maximum of the asymptote, relative to the highest throughput measured; a higher asymptote is not
/// reported.
const MAX_RISE: f64 = 2.0;

/// The law with the best coefficients for a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usl {
    /// λ: messages per second of one client.
    pub lambda: f64,
    /// σ: contention. It is below 0 if a client costs less among others than alone, for example
    /// because a wake-up or a system call serves several clients.
    pub sigma: f64,
    /// κ: coherence; at least 0. It is 0 if its interval contains 0.
    pub kappa: f64,
    /// The 95 % interval of κ, by bootstrap.
    pub kappa_interval: Interval,
    /// R²: the share of the variance between points that the law explains.
    pub r_squared: f64,
    /// Clients and messages per second at the peak; `None` if there is no peak near the measured
    /// points, or if the interval of κ contains 0.
    pub peak: Option<(f64, f64)>,
    /// The 95 % intervals of both, by bootstrap; `None` without a peak.
    pub peak_intervals: Option<[Interval; 2]>,
    /// Limit of the throughput for many clients, in messages per second, if no peak is near: λ/σ.
    /// `None` if it is more than twice the highest throughput measured.
    pub asymptote_per_s: Option<f64>,
    /// 1/D: what the server's CPUs can answer, in messages per second; `None` if it is unknown. No
    /// forecast is above it.
    pub ceiling_per_s: Option<f64>,
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
    /// The curve is a straight line.
    #[error("no saturation was measured (the curve is straight); measure more clients")]
    NoSaturation,
    /// No usable coefficients were found, for this reason.
    #[error("{0}")]
    NoFit(String),
    /// Clients are not the axis of the curve.
    #[error("a fit needs the number of clients as the axis")]
    NotOverClients,
}

impl Usl {
    /// Messages per second for a number of clients, according to the law, but at most the ceiling.
    pub fn at(&self, clients: f64) -> f64 {
        self.capped(self.coefficients().at(clients))
    }

    fn coefficients(&self) -> Coefficients {
        Coefficients { lambda: self.lambda, sigma: self.sigma, kappa: self.kappa }
    }

    fn capped(&self, rate: f64) -> f64 {
        self.ceiling_per_s.map_or(rate, |ceiling| rate.min(ceiling))
    }

    /// The law with these coefficients, for these measured points.
    fn new(
        law: &Coefficients,
        intervals: &Intervals,
        points: &[(f64, f64)],
        ceiling_per_s: Option<f64>,
    ) -> Self {
        let Coefficients { lambda, sigma, kappa } = *law;
        let usl = Usl {
            lambda,
            sigma,
            kappa,
            kappa_interval: intervals.kappa,
            r_squared: r_squared(points, |clients| law.at(clients)),
            peak: None,
            peak_intervals: None,
            asymptote_per_s: None,
            ceiling_per_s,
        };
        let maximum =
            |values: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(values).fold(1.0, f64::max);
        let peak_at = law.peak_clients();
        if peak_at <= maximum(&|(clients, _)| *clients) * MAX_EXTRAPOLATION {
            let (low, high) = intervals.peak_rate;
            let rates = (usl.capped(low), usl.capped(high));
            return Usl {
                peak: Some((peak_at, usl.at(peak_at))),
                peak_intervals: Some([intervals.peak_clients, rates]),
                ..usl
            };
        }
        let asymptote = Some(lambda / sigma).filter(|_| sigma > 0.0);
        let limit = maximum(&|(_, rate)| *rate) * MAX_RISE;
        let asymptote_per_s = asymptote.map(|rate| usl.capped(rate)).filter(|rate| *rate <= limit);
        Usl { asymptote_per_s, ..usl }
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
/// Fails if clients are not the axis of the curve, if it has fewer than [`MIN_POINTS`] points, if
/// the law does not describe it (R² below 0.9), or if the curve is straight.
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
    let best = fit(&points)?;
    let intervals = intervals(&points, &best, REPLICATES, |points| fit(points).ok());
    let intervals = intervals
        .ok_or_else(|| UslError::NoFit("the points allow no interval for kappa".to_owned()))?;
    // κ below 0 has no meaning, and κ whose interval contains 0 is no evidence of a peak. Such a
    // curve is fitted again with κ = 0.
    let law = if intervals.kappa.0 <= 0.0 { fit_contention(&points)? } else { best };
    let usl = Usl::new(&law, &intervals, &points, ceiling_per_s(curve));
    if !usl.is_plausible(&points) {
        return Err(UslError::NoFit(
            "the best coefficients give no positive, finite throughput".to_owned(),
        ));
    }
    if usl.r_squared < MIN_R_SQUARED {
        return Err(UslError::PoorFit(usl.r_squared));
    }
    let is_straight = intervals.loss.0 <= 0.0 || line_fits_better(&points, &law);
    if is_straight { Err(UslError::NoSaturation) } else { Ok(usl) }
}

/// Whether a straight line, not necessarily through the origin, describes the points at least as
/// well as the law: by the sum of squared residuals over its degrees of freedom.
fn line_fits_better(points: &[(f64, f64)], law: &Coefficients) -> bool {
    let (intercept, slope) = line(points);
    let variance = |coefficients: usize, at: &dyn Fn(f64) -> f64| {
        let squares = points.iter().map(|(clients, rate)| (rate - at(*clients)).powi(2));
        squares.sum::<f64>() / (points.len() - coefficients) as f64
    };
    let of_law = variance(if law.kappa > 0.0 { 3 } else { 2 }, &|clients| law.at(clients));
    variance(2, &|clients| intercept + slope * clients) <= of_law
}

/// The intercept and the slope of the line with the least squares.
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let sums = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (mean_x, mean_y) = (sums.0 / count, sums.1 / count);
    let (products, squares) = points.iter().fold((0.0, 0.0), |(products, squares), (x, y)| {
        (products + (x - mean_x) * (y - mean_y), squares + (x - mean_x).powi(2))
    });
    let slope = products / squares;
    (mean_y - slope * mean_x, slope)
}

/// Finds the three best coefficients. κ may be below 0.
pub(super) fn fit(points: &[(f64, f64)]) -> Result<Coefficients, UslError> {
    // Throughputs are relative to the peak: large ones would hide small coefficients.
    let unit = points.iter().fold(0.0, |max, (_, rate)| rate.max(max));
    let measured = points.iter().map(|(clients, rate)| {
        let x = rate / unit;
        Measurement { n: *clients, x, r: clients / x }
    });
    let measured: Vec<_> = measured.collect();
    // The search panics if it reaches a value that is not a number. That is only a poor fit.
    let model =
        without_panic_message(|| catch_unwind(AssertUnwindSafe(|| Model::build(&measured))))
            .map_err(|_| UslError::NoFit("the search for coefficients failed".to_owned()))?;
    Ok(Coefficients { lambda: model.lambda * unit, sigma: model.sigma, kappa: model.kappa })
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
fn fit_contention(points: &[(f64, f64)]) -> Result<Coefficients, UslError> {
    let times: Vec<_> = points.iter().map(|(clients, rate)| (*clients, clients / rate)).collect();
    let (intercept, slope) = line(&times);
    // At one client, the line has the value 1/λ.
    let lambda = 1.0 / (intercept + slope);
    let sigma = slope * lambda;
    if lambda > 0.0 && sigma.is_finite() {
        Ok(Coefficients { lambda, sigma, kappa: 0.0 })
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
mod tests;
