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

fn law(lambda: f64, sigma: f64, kappa: f64) -> Coefficients {
    Coefficients { lambda, sigma, kappa }
}

/// The points of the law, with alternating relative errors.
fn curve_of(law: &Coefficients, noise: f64) -> Curve {
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
fn the_peak_matches_values_worked_out_by_hand() {
    // The peak is at √(0.9 / 0.01) = 9.4868 clients.
    let found = fit_usl(&curve_of(&law(1000.0, 0.1, 0.01), 0.0)).unwrap();
    let (clients, rate) = found.peak.unwrap();
    assert_near(clients, 9.486_833, 1e-4);
    assert_near(rate, 9486.833 / (1.0 + 0.848_683 + 0.805_131_7), 1e-5);
    assert_eq!((found.asymptote_per_s, found.ceiling_per_s), (None, None));
}

#[test]
fn no_forecast_is_above_the_ceiling_of_the_servers_cpus() {
    let with_cpu_time = |law: &Coefficients, server_cpu_us: f64| {
        let mut curve = curve_of(law, 0.0);
        for point in &mut curve.points {
            point.server_cpu_us_per_msg = Some(server_cpu_us);
            point.server_cpus = Some(1.0);
        }
        fit_usl(&curve).unwrap()
    };
    // λ/σ = 100,000, but one CPU answers at most 1,000,000 / 12.5 = 80,000.
    let rising = with_cpu_time(&law(10_000.0, 0.1, 0.0), 12.5);
    assert_eq!((rising.asymptote_per_s, rising.ceiling_per_s), (Some(80_000.0), Some(80_000.0)));
    assert_eq!(rising.at(1e6), 80_000.0);
    // A peak at 30 clients with 500 messages/s per client at first; the ceiling is 6,000.
    let peaking = with_cpu_time(&law(500.0, 0.01, 0.0011), 1e6 / 6000.0);
    let [_, (low, high)] = peaking.peak_intervals.unwrap();
    assert!(peaking.peak.unwrap().1 <= 6000.0 && low <= 6000.0 && high <= 6000.0);
}

#[test]
fn an_asymptote_far_above_the_measured_points_is_not_reported() {
    // λ/σ = 1,000,000; the highest point is 320,000 / 1.31 = 244,275.
    let found = fit_usl(&curve_of(&law(10_000.0, 0.01, 0.0), 0.0)).unwrap();
    assert_eq!((found.peak, found.asymptote_per_s), (None, None));
}

#[test]
fn noise_of_a_curve_without_coherence_gives_no_peak() {
    for noise in [0.01, 0.03] {
        let found = fit_usl(&curve_of(&law(10_000.0, 0.1, 0.0), noise)).unwrap();
        let (low, high) = found.kappa_interval;
        assert!(low <= 0.0 && high >= 0.0, "{found:?}");
        assert_eq!((found.kappa, found.peak, found.peak_intervals), (0.0, None, None));
    }
}

#[test]
fn straight_curves_have_no_fit() {
    let signs = || [1.0, -1.0, -0.5, 0.5].into_iter().cycle();
    for (intercept, noise) in [(0.0, 0.0), (0.0, 0.02), (2000.0, 0.0), (2000.0, 0.02)] {
        let rate = |n: usize, sign: f64| (intercept + 500.0 * n as f64) * (1.0 + sign * noise);
        let points = CLIENTS.into_iter().zip(signs()).map(|(n, sign)| (n, rate(n, sign)));
        let found = fit_usl(&curve(points));
        assert_eq!(found, Err(UslError::NoSaturation), "{intercept}, {noise}");
    }
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
    let rising = curve_of(&law(10_000.0, 0.1, -2e-4), 0.0);
    let found = fit_usl(&rising).unwrap();
    assert!(found.kappa == 0.0 && found.asymptote_per_s.is_some(), "{found:?}");
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
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

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
