use proptest::prelude::*;

use super::*;

fn estimate(log: f64, variance: f64, degrees: f64) -> LogEstimate {
    LogEstimate { log, variance, degrees }
}

fn assert_near(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-5 * expected.abs(), "{value} is not {expected}");
}

fn assert_estimate(actual: Option<LogEstimate>, log: f64, variance: f64, degrees: f64) {
    let actual = actual.unwrap();
    assert_near(actual.log, log);
    assert_near(actual.variance, variance);
    assert_near(actual.degrees, degrees);
}

fn normal(random: &mut fastrand::Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}

#[test]
fn intervals_and_p_values_match_tables_of_students_t() {
    // The 97.5 % quantiles for 1, 4 and 10,000 (the maximum) degrees of freedom.
    for (degrees, t) in [(1.0, 12.706_205), (4.0, 2.776_445), (f64::MAX, 1.960_201)] {
        let one = estimate(2_f64.ln(), 0.01, degrees);
        assert_near(one.half_width(), 0.1 * t);
        assert_near(one.interval().0, 2.0 * (-0.1 * t).exp());
        assert_near(one.interval().1, 2.0 * (0.1 * t).exp());
        assert_near(estimate(-0.1 * t, 0.01, degrees).p(), 0.05);
    }
}

#[test]
fn zero_variance_gives_a_p_value_of_1_for_a_ratio_of_1_and_of_0_otherwise() {
    assert_eq!([0.0, 1e-15, 0.1].map(|log| estimate(log, 0.0, 4.0).p()), [1.0, 1.0, 0.0]);
}

#[test]
fn unknown_variance_claims_nothing_and_is_not_combined() {
    let (unknown, known) = (estimate(0.1, f64::NAN, f64::NAN), estimate(0.1, 0.01, 10.0));
    assert_eq!((unknown.p(), unknown.interval()), (1.0, (0.0, f64::INFINITY)));
    assert_eq!(combine(&[unknown, known]), Some(known));
    assert_eq!([combine(&[unknown]), combine(&[]), geometric_mean(&[unknown])], [None; 3]);
}

#[test]
fn three_logs_match_values_worked_out_by_hand_and_two_give_none() {
    // The sample variance is (0.01 + 0 + 0.01) / 2.
    assert_estimate(LogEstimate::of_logs(&[0.1, 0.2, 0.3]), 0.2, 0.01 / 3.0, 2.0);
    assert_eq!(LogEstimate::of_logs(&[0.1, 0.2]), None);
    assert_eq!(LogEstimate::of_logs(&[0.1, 0.2, f64::NEG_INFINITY]), None);
}

#[test]
fn differences_and_geometric_means_match_values_worked_out_by_hand() {
    // Degrees: 0.05² / (0.01² / 4 + 0.04² / 8) = 100 / 9. Ratios 2 and 8 have the mean 4.
    let (a, b) = (estimate(8_f64.ln(), 0.01, 4.0), estimate(2_f64.ln(), 0.04, 8.0));
    assert_estimate(Some(a.difference(&b)), 4_f64.ln(), 0.05, 100.0 / 9.0);
    assert_estimate(geometric_mean(&[a, b]), 4_f64.ln(), 0.05 / 4.0, 100.0 / 9.0);
    assert_eq!(geometric_mean(&[]), None);
}

#[test]
fn combined_trials_match_values_worked_out_by_hand() {
    // Weights 100, 50, 50; mean 0.3; Q = 9 + 0.5 + 12.5 = 22; scale = 200 - 15000 / 200 = 125;
    // between = (22 - 2) / 125 = 0.16. Weights 1 / 0.17, 1 / 0.18, 1 / 0.18: their sum is
    // 0.52 / 0.0306, and the mean is 1.2 / 0.18 over it. The parts of the variance within
    // trials are 0.0011982, 0.0021376 and 0.0021376, of 0.0588462 in all, so that
    // 1 / degrees = 0.000305 + 0.906991 / 2.
    let trials = [(0.0, 0.01), (0.4, 0.02), (0.8, 0.02)].map(|(y, v)| estimate(y, v, 10.0));
    assert_estimate(combine(&trials), 0.204 / 0.52, 0.0306 / 0.52, 2.203_61);
    // Without heterogeneity: (100 · 0.1 + 50 · 0.13) / 150, 1 / ((2/3)² / 10 + (1/3)² / 10).
    let trials = [(0.1, 0.01), (0.13, 0.02)].map(|(y, v)| estimate(y, v, 10.0));
    assert_estimate(combine(&trials), 0.11, 1.0 / 150.0, 18.0);
    // Without variance within trials: the variance of a mean of three values.
    let trials = [0.1, 0.2, 0.3].map(|log| estimate(log, 0.0, 4.0));
    assert_estimate(combine(&trials), 0.2, 0.01 / 3.0, 2.0);
}

#[test]
fn holm_stops_at_the_first_p_value_that_is_too_large() {
    // 0.005 <= 0.05 / 4 and 0.015 <= 0.05 / 3, but 0.030 > 0.05 / 2; so 0.040 does not count.
    assert_eq!(holm(&[0.015, 0.040, 0.030, 0.005]), [true, false, false, true]);
    assert_eq!((holm(&[0.05, f64::NAN]), holm(&[0.05])), (vec![false; 2], vec![true]));
}

#[test]
fn a_tie_is_significant_from_its_detectable_difference_on() {
    // Two of the four are significant, so the others need a p-value of 0.05 / 2.
    let p = [0.015, 0.040, 0.030, 0.005];
    assert_eq!(level_of_ties(&holm(&p)), 0.025);
    assert!(holm(&[0.015, 0.040, 0.0249, 0.005])[2] && !holm(&[0.015, 0.040, 0.0251, 0.005])[2]);
    assert_eq!(level_of_ties(&[true, true]), 0.05);
    // t(0.9875, 4) = 3.495406.
    let one = estimate(0.0, 0.01, 4.0);
    assert_near(one.detectable_difference(0.025), 0.349_540_6_f64.exp() - 1.0);
    assert_near(one.detectable_difference(0.05), one.half_width().exp() - 1.0);
}

#[test]
fn holm_claims_something_in_5_percent_of_families_of_70_true_nulls() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut p = |_| {
        let logs: [f64; 5] = std::array::from_fn(|_| normal(&mut random));
        LogEstimate::of_logs(&logs).unwrap().p()
    };
    let mut is_wrong = || holm(&std::array::from_fn::<_, 70, _>(&mut p)).contains(&true);
    let share = (0..400).filter(|_| is_wrong()).count() as f64 / 400.0;
    assert!((0.03..0.07).contains(&share), "{share}");
}

#[test]
fn intervals_of_five_trials_contain_the_true_value_for_any_variance_between_trials() {
    // Within a trial the standard error is 0.1 / √50 = 0.014.
    for (between, least) in [(0.0, 0.94), (0.014, 0.90), (0.03, 0.90), (0.2, 0.92)] {
        let mut random = fastrand::Rng::with_seed(2);
        let mut trial = |_| {
            let shift = 1.6_f64.ln() + between * normal(&mut random);
            let logs: [f64; 50] = std::array::from_fn(|_| shift + 0.1 * normal(&mut random));
            LogEstimate::of_logs(&logs).unwrap()
        };
        let mut is_covered = || {
            let trials: [_; 5] = std::array::from_fn(&mut trial);
            let (low, high) = combine(&trials).unwrap().interval();
            low <= 1.6 && 1.6 <= high
        };
        let share = (0..1000).filter(|_| is_covered()).count() as f64 / 1000.0;
        assert!((least..0.98).contains(&share), "{between}: {share}");
    }
}

#[test]
fn two_trials_of_twenty_quantities_suffice_to_estimate_the_variance_between_trials() {
    for between in [0.0, 0.014, 0.03] {
        let mut random = fastrand::Rng::with_seed(3);
        let mut trial = |_| {
            let log = between * normal(&mut random) + 0.014 * normal(&mut random);
            estimate(log, 0.014_f64.powi(2), 49.0)
        };
        let mut covered = 0;
        for _ in 0..100 {
            let all: Vec<Vec<_>> = (0..20).map(|_| (0..2).map(&mut trial).collect()).collect();
            let combined = combine_all(&all).into_iter().flatten();
            covered += combined.filter(|one| one.p() >= 0.05).count();
        }
        assert!((1840..=1960).contains(&covered), "{between}: {covered} of 2,000");
    }
}

proptest! {
    #[test]
    fn values_lie_within_their_intervals_which_agree_with_p(
        values in prop::collection::vec((-9.0..9.0, -30.0..2.0, 1.0..1e5), 1..9),
    ) {
        let all: Vec<_> =
            values.iter().map(|(y, v, n)| estimate(*y, 10_f64.powf(*v), *n)).collect();
        for one in [combine(&all).unwrap(), geometric_mean(&all).unwrap()] {
            let (low, high) = one.interval();
            prop_assert!(low <= one.value() && one.value() <= high);
            prop_assert!(one.degrees >= 1.0 - 1e-9, "{one:?}");
            let distance = one.log.abs() / one.half_width();
            let is_at_end = (distance - 1.0).abs() < 1e-6;
            prop_assert!(is_at_end || (distance > 1.0) == (one.p() < 0.05));
        }
    }

    #[test]
    fn arbitrary_values_cause_no_panic(values in [[prop::num::f64::ANY; 3]; 4]) {
        let all = values.map(|[log, variance, degrees]| estimate(log, variance, degrees));
        let several = [combine(&all), geometric_mean(&all), Some(all[0].difference(&all[1]))];
        for one in several.iter().flatten().chain(&all) {
            one.interval();
            prop_assert!((0.0..=1.0).contains(&one.p()));
        }
        LogEstimate::of_logs(&all.map(|one| one.log));
        holm(&all.map(|one| one.log));
    }
}
