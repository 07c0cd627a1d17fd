//! A point: the trials of one curve at one value of the axis.

use std::collections::{BTreeMap, BTreeSet};

use super::log_estimate::geometric_mean;
use super::rounds::{self, Rounds, RoundsByRow};
use super::{Difference, Estimate, FEWEST_TRIALS};
use crate::measure::{DISTURBED, DISTURBED_SHARE};
use crate::os::cpus::Cpus;
use crate::results::Row;

/// The valid trials of one curve at one value of the axis, and the means of what they measured.
///
/// What no trial knows is `None`. Times are in us.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Point {
    /// Where it is on the axis.
    pub x: f64,
    /// Concurrent clients.
    pub clients: usize,
    /// Messages per second.
    pub throughput: Estimate,
    /// The same of each pass.
    pub passes: BTreeMap<Pass, f64>,
    /// The slices of each pass that has any.
    pub rounds: BTreeMap<Pass, Rounds>,
    /// The trials, as rows of threads name them.
    pub trials: BTreeSet<Trial>,
    /// The text of the requests, and of replies that are padded, in MiB per second.
    pub mib_per_s: Option<f64>,
    /// Mean round-trip time.
    pub rtt_mean_us: Option<f64>,
    /// Median round-trip time.
    pub rtt_p50_us: Option<f64>,
    /// 90th percentile of the round-trip time.
    pub rtt_p90_us: Option<f64>,
    /// 99th percentile of the round-trip time.
    pub rtt_p99_us: Option<f64>,
    /// 99.9th percentile of the round-trip time.
    pub rtt_p999_us: Option<f64>,
    /// The clients' pause between a reply and the next request, as it was asked for.
    pub think_us: f64,
    /// CPU time of the server per message.
    pub server_cpu_us_per_msg: Option<f64>,
    /// CPU time of the clients per message.
    pub client_cpu_us_per_msg: Option<f64>,
    /// Context switches of the server per message.
    pub server_switches_per_msg: Option<f64>,
    /// The server's threads at the window's close.
    pub server_threads: Option<f64>,
    /// The CPUs' worth of time that the server may use.
    pub server_cpus: Option<f64>,
    /// The share of it that it did use.
    pub server_busy: Option<f64>,
    /// The same of the clients.
    pub client_busy: Option<f64>,
    /// Jain's index of the clients' messages.
    pub client_fairness: Option<f64>,
    /// Jain's index of what the server's workers answered.
    pub worker_fairness: Option<f64>,
    /// Echoes that failed, in all trials.
    pub errors: u64,
    /// What bounded the trials, and how many.
    pub bounds: BTreeMap<String, usize>,
    /// How many of the trials were disturbed by steal or by other processes.
    pub disturbed: usize,
    /// How many trials are in no mean because others disturbed them, and enough are left.
    pub set_aside: usize,
}

/// A pass of a run: the run's id, and the number of the pass.
pub type Pass = (String, u32);

/// A trial of a contender: the run's id, when the trial started, and the label.
pub type Trial = (String, String, String);

impl Point {
    /// Of these trials, which are at least one. Those that others disturbed are set aside where
    /// enough for an interval are left.
    pub(super) fn of(x: f64, all: &[&Row], rounds: &RoundsByRow) -> Self {
        let all = &without_repeated(all)[..];
        let quiet: Vec<_> = all.iter().copied().filter(|row| !is_disturbed(row)).collect();
        let trials = if quiet.len() < FEWEST_TRIALS { all } else { &quiet[..] };
        let values = |value: fn(&Row) -> Option<f64>| {
            trials.iter().filter_map(|row| value(row)).collect::<Vec<_>>()
        };
        let mean_of = |value| Estimate::of(&values(value)).map(|estimate| estimate.mean);
        let throughput = values(|row| Some(row.throughput_per_s));
        let pass = |row: &&Row| ((row.run_id.clone(), row.trial), row.throughput_per_s);
        let rounds_of = |row: &&Row| {
            Some(((row.run_id.clone(), row.trial), rounds.get(&rounds::key(row))?.clone()))
        };
        Point {
            x,
            clients: trials.first().map_or(0, |row| row.clients),
            throughput: Estimate::of(&throughput).unwrap_or_default(),
            passes: trials.iter().map(pass).collect(),
            rounds: trials.iter().filter_map(rounds_of).collect(),
            trials: trials.iter().map(|row| rounds::key(row)).collect(),
            mib_per_s: mean_of(|row| Some(mib_per_s(row))),
            rtt_mean_us: mean_of(|row| row.rtt_mean_us),
            rtt_p50_us: mean_of(|row| row.rtt_p50_us),
            rtt_p90_us: mean_of(|row| row.rtt_p90_us),
            rtt_p99_us: mean_of(|row| row.rtt_p99_us),
            rtt_p999_us: mean_of(|row| row.rtt_p999_us),
            think_us: mean_of(|row| Some(row.think_us)).unwrap_or_default(),
            server_cpu_us_per_msg: mean_of(|row| row.server_cpu_us_per_msg),
            client_cpu_us_per_msg: mean_of(|row| row.client_cpu_us_per_msg),
            server_switches_per_msg: mean_of(|row| row.server_switches_per_msg),
            server_threads: mean_of(|row| row.server_threads.map(|threads| threads as f64)),
            server_cpus: mean_of(server_cpus),
            server_busy: mean_of(|row| row.server_busy),
            client_busy: mean_of(|row| row.client_busy),
            client_fairness: mean_of(|row| row.client_fairness),
            worker_fairness: mean_of(|row| row.worker_fairness),
            errors: trials.iter().fold(0, |sum, row| sum.saturating_add(row.errors)),
            bounds: bounds(trials),
            disturbed: trials.iter().filter(|row| is_disturbed(row)).count(),
            set_aside: all.len() - trials.len(),
        }
    }

    /// Whether it says how fast the clients are, and not how fast the server is: in half of the
    /// trials, or more. One of many does not move the mean.
    pub fn is_bounded_by_clients(&self) -> bool {
        let clients = self.bounds.get("client").copied().unwrap_or_default();
        clients > 0 && 2 * clients >= self.throughput.count
    }

    /// Whether the server was the bound in more than half of the trials.
    pub fn is_bounded_by_server(&self) -> bool {
        2 * self.bounds.get("server").copied().unwrap_or_default() > self.throughput.count
    }

    /// Whether it rests on slices.
    pub fn is_sliced(&self) -> bool {
        !self.rounds.is_empty()
    }

    /// How many slices count, in all trials; 0 without slices.
    pub fn slices(&self) -> usize {
        self.rounds.values().map(Rounds::count).sum()
    }

    /// The 95 % interval of the throughput: from 3 trials on, Student's t over the trials; of one or
    /// two trials, from their slices; `None` where there are too few of both.
    ///
    /// From slices, it is where the mean rate lies in these minutes. The machine's speed may have
    /// been another one at the other points: contenders are compared by their ratios.
    pub fn interval(&self) -> Option<(f64, f64)> {
        if let Some(half) = self.throughput.half_width() {
            return Some(((self.throughput.mean - half).max(0.0), self.throughput.mean + half));
        }
        let rates: Option<Vec<_>> = self.rounds.values().map(Rounds::log_rate).collect();
        geometric_mean(&rates?).map(|rate| rate.interval())
    }

    /// Half the width of that interval.
    pub fn half_width(&self) -> Option<f64> {
        self.interval().map(|(low, high)| (high - low) / 2.0)
    }

    /// Whether its throughput is significantly above that of another; never of too few trials.
    pub fn is_above(&self, other: &Self) -> bool {
        Difference::between(&other.throughput, &self.throughput)
            .is_some_and(|found| found.is_significant() && found.difference > 0.0)
    }

    /// Whether servers may be ranked by it.
    pub fn ranks(&self) -> bool {
        !self.is_bounded_by_clients() && self.disturbed == 0
    }
}

fn bounds(trials: &[&Row]) -> BTreeMap<String, usize> {
    let mut bounds = BTreeMap::new();
    for bound in trials.iter().filter_map(|row| row.bound.clone()) {
        *bounds.entry(bound).or_default() += 1;
    }
    bounds
}

fn mib_per_s(row: &Row) -> f64 {
    let bytes = row.payload_bytes as f64 + f64::from(row.reply_bytes);
    row.throughput_per_s * bytes / f64::from(1 << 20)
}

/// What the server's CPUs have to give, and the control group grants.
fn server_cpus(row: &Row) -> Option<f64> {
    let cpus: Cpus = row.server_cpus.as_deref()?.parse().ok()?;
    Some(row.cpu_quota.unwrap_or(f64::MAX).min(cpus.count() as f64))
}

/// Without rows that lost CPU time to steal and were measured again in the same pass, which the
/// scripts do.
pub(super) fn without_repeated<'a>(rows: &[&'a Row]) -> Vec<&'a Row> {
    let pass = |row: &Row| (row.run_id.clone(), row.trial);
    let quiet = rows.iter().filter(|row| !is_stolen_from(row));
    let quiet: BTreeSet<_> = quiet.map(|row| pass(row)).collect();
    rows.iter().copied().filter(|row| !is_stolen_from(row) || !quiet.contains(&pass(row))).collect()
}

/// Whether something else used the CPUs. Of a row in slices, disturbed slices are left out already.
fn is_disturbed(row: &Row) -> bool {
    most([row.server_cpus_others, row.client_cpus_others]) >= DISTURBED || is_stolen_from(row)
}

fn is_stolen_from(row: &Row) -> bool {
    most([row.server_cpus_stolen, row.client_cpus_stolen]) >= DISTURBED_SHARE
}

fn most(shares: [Option<f64>; 2]) -> f64 {
    shares.into_iter().flatten().fold(0.0, f64::max)
}
