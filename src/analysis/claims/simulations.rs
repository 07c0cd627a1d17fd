//! Whole reports about simulated measurements whose true ratios are known: how often an interval
//! contains the true ratio, and how often a report claims a difference that does not exist.

use super::*;
use crate::analysis::{curves, rounds_by_row, sliced_curves};
use crate::results::{Row, SliceRow};

const RUNS: usize = 1000;

/// 5 % of the runs, and two standard errors of that share: √(0.05 · 0.95 / 1000).
const MAX_FALSE_REPORTS: usize = 64;

/// Share of intervals that contain the true ratio.
const COVERAGE: std::ops::RangeInclusive<f64> = 0.93..=0.97;

fn normal(random: &mut fastrand::Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}

/// Noise of variance 1 whose autocorrelation at lag k is `correlation` to the power of k.
struct Autoregressive {
    correlation: f64,
    state: f64,
}

impl Autoregressive {
    fn new(correlation: f64, random: &mut fastrand::Rng) -> Self {
        Autoregressive { correlation, state: normal(random) }
    }

    fn next(&mut self, random: &mut fastrand::Rng) -> f64 {
        let innovation = (1.0 - self.correlation.powi(2)).sqrt() * normal(random);
        self.state = self.correlation * self.state + innovation;
        self.state
    }
}

impl Claims {
    /// Number of claims that a ratio is higher or lower.
    fn made(&self) -> usize {
        let at = self.comparisons.iter().flat_map(|one| one.at.iter().map(|at| at.claim));
        let overall = self.comparisons.iter().filter_map(|one| Some(one.overall.as_ref()?.claim));
        let others = self.others.iter().map(|other| other.ratio.claim);
        let is_made = |claim: &Claim| matches!(claim, Claim::Higher | Claim::Lower);
        at.chain(overall).chain(others).filter(is_made).count()
    }
}

fn row(label: &str, clients: usize, trial: u32, throughput_per_s: f64) -> Row {
    Row {
        run_id: "r".to_owned(),
        system: "s".to_owned(),
        label: label.to_owned(),
        clients,
        trial,
        throughput_per_s,
        bound: Some("server".to_owned()),
        // Rows are distinguished by their start.
        started_at: format!("1970-01-01T00:00:{clients:02}.000Z"),
        valid: true,
        ..Row::default()
    }
}

/// Trials in one window, contender by contender, with their true rates. The machine's speed drifts
/// from measurement to measurement, so that passes correlate, and each trial varies by 5 %.
struct Unsliced<'a> {
    contenders: &'a [(&'a str, f64)],
    points: usize,
    trials: u32,
    /// Autocorrelation of the speed from pass to pass.
    correlation: f64,
}

impl Unsliced<'_> {
    fn claims(&self, random: &mut fastrand::Rng) -> Claims {
        let mut speed = Autoregressive::new(self.correlation, random);
        let mut rows = Vec::new();
        for trial in 1..=self.trials {
            let speed = 1.0 + 0.1 * speed.next(random);
            for clients in 1..=self.points {
                for (label, rate) in self.contenders {
                    let rate = rate * speed * (0.05 * normal(random)).exp();
                    rows.push(row(label, clients, trial, rate));
                }
            }
        }
        claims(&curves(&rows, Axis::Clients), Axis::Clients)
    }
}

/// One trial in slices. Drift is common to the slices of a round; each contender has correlated
/// noise of its own. Steal slows down 5 % of the slices; most of them are left out, but some are
/// not recognized.
struct Sliced<'a> {
    contenders: &'a [(&'a str, f64)],
    points: usize,
    rounds: u32,
    /// Autocorrelation of each contender's noise from round to round.
    correlation: f64,
}

impl Sliced<'_> {
    fn claims(&self, random: &mut fastrand::Rng) -> Claims {
        let (mut rows, mut slices) = (Vec::new(), Vec::new());
        for clients in 1..=self.points {
            let mut noise: Vec<_> = self
                .contenders
                .iter()
                .map(|_| Autoregressive::new(self.correlation, random))
                .collect();
            let mut drift: f64 = 0.0;
            for round in 1..=self.rounds {
                drift += 0.02 * normal(random);
                for ((label, rate), noise) in self.contenders.iter().zip(&mut noise) {
                    let own = 1.0 + 0.1 * noise.next(random);
                    let is_stolen = random.f64() < 0.05;
                    let left = if is_stolen { 0.5 + 0.5 * random.f64() } else { 1.0 };
                    let kept = !is_stolen || random.f64() < 0.1;
                    let messages = rate * drift.exp() * own * left * 0.02;
                    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                    slices.push(slice(label, clients, round, messages as u64, kept));
                }
            }
            rows.extend(self.contenders.iter().map(|(label, rate)| row(label, clients, 1, *rate)));
        }
        let rounds = rounds_by_row(&rows, &slices);
        claims(&sliced_curves(&rows, &rounds, Axis::Clients), Axis::Clients)
    }
}

fn slice(label: &str, clients: usize, round: u32, messages: u64, kept: bool) -> SliceRow {
    SliceRow {
        run_id: "r".to_owned(),
        trial: 1,
        round,
        label: label.to_owned(),
        clients,
        started_at_us: clients as u64 * 1_000_000,
        window_us: 20_000.0,
        messages,
        kept,
        ..SliceRow::default()
    }
}

const EQUAL: [(&str, f64); 3] = [("a", 50_000.0), ("b", 50_000.0), ("c", 50_000.0)];

fn false_reports(seed: u64, mut claims: impl FnMut(&mut fastrand::Rng) -> Claims) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..RUNS).filter(|_| claims(&mut random).made() > 0).count()
}

/// The share of runs in which the intervals of the first comparison contain the true ratio: at one
/// point, and over the whole curve.
fn coverage(
    seed: u64,
    truth: f64,
    mut claims: impl FnMut(&mut fastrand::Rng) -> Claims,
) -> [f64; 2] {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut covered = [0.0; 2];
    for _ in 0..RUNS {
        let one = claims(&mut random).comparisons.remove(0);
        let intervals = [one.at[0].interval().unwrap(), one.overall.unwrap().estimate.interval()];
        for (count, (low, high)) in covered.iter_mut().zip(intervals) {
            *count += f64::from(u8::from(low <= truth && truth <= high)) / RUNS as f64;
        }
    }
    covered
}

#[test]
fn reports_about_equal_contenders_in_single_windows_make_a_false_claim_in_at_most_5_percent_of_runs()
 {
    for (trials, correlation) in [(5, 0.0), (5, 0.5), (3, 0.5), (10, 0.5)] {
        let measured = Unsliced { contenders: &EQUAL, points: 8, trials, correlation };
        let count = false_reports(1, |random| measured.claims(random));
        println!("{trials} trials, correlation {correlation}: {count} of {RUNS}");
        assert!(count <= MAX_FALSE_REPORTS, "{trials} trials, correlation {correlation}: {count}");
    }
}

#[test]
fn reports_about_equal_contenders_in_slices_make_a_false_claim_in_at_most_5_percent_of_runs() {
    for (rounds, correlation) in [(100, 0.0), (100, 0.3), (100, 0.5), (200, 0.5)] {
        let measured = Sliced { contenders: &EQUAL, points: 6, rounds, correlation };
        let count = false_reports(2, |random| measured.claims(random));
        println!("{rounds} rounds, correlation {correlation}: {count} of {RUNS}");
        assert!(count <= MAX_FALSE_REPORTS, "{rounds} rounds, correlation {correlation}: {count}");
    }
}

#[test]
fn intervals_from_trials_contain_the_true_ratio_in_93_to_97_percent_of_runs() {
    let contenders = [("a", 80_000.0), ("b", 50_000.0)];
    for correlation in [0.0, 0.5] {
        let measured = Unsliced { contenders: &contenders, points: 4, trials: 5, correlation };
        let shares = coverage(3, 1.6, |random| measured.claims(random));
        println!("trials, correlation {correlation}: {shares:?}");
        assert!(shares.iter().all(|share| COVERAGE.contains(share)), "{correlation}: {shares:?}");
    }
}

#[test]
fn intervals_from_slices_contain_the_true_ratio_in_93_to_97_percent_of_runs() {
    let contenders = [("a", 80_000.0), ("b", 50_000.0)];
    for (rounds, correlation) in [(100, 0.0), (100, 0.3), (100, 0.5), (200, 0.5)] {
        let measured = Sliced { contenders: &contenders, points: 4, rounds, correlation };
        let shares = coverage(4, 1.6, |random| measured.claims(random));
        println!("{rounds} rounds, correlation {correlation}: {shares:?}");
        assert!(shares.iter().all(|share| COVERAGE.contains(share)), "{correlation}: {shares:?}");
    }
}

#[test]
fn real_differences_are_claimed() {
    let mut random = fastrand::Rng::with_seed(5);
    let contenders = [("a", 80_000.0), ("b", 50_000.0)];
    let unsliced = Unsliced { contenders: &contenders, points: 4, trials: 5, correlation: 0.5 };
    let sliced = Sliced { contenders: &contenders, points: 4, rounds: 100, correlation: 0.3 };
    for claims in [unsliced.claims(&mut random), sliced.claims(&mut random)] {
        let one = &claims.comparisons[0];
        assert!(one.at.iter().all(|at| at.claim == Claim::Higher), "{one:?}");
        assert_eq!(one.overall.as_ref().unwrap().claim, Claim::Higher);
    }
}
