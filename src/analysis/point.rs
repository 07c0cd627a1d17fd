//! A point: the trials of one curve at one value of the axis.

use std::collections::{BTreeMap, BTreeSet};

use super::log_estimate::geometric_mean;
use super::rounds::{self, Rounds, RoundsByRow};
use super::{Estimate, MIN_TRIALS, axis};
use crate::measure::{DISTURBED_SHARE, TRIAL_OTHERS_LIMIT};
use crate::os::cpus::Cpus;
use crate::results::Row;

/// The means of the valid trials of one curve at one value of the axis.
///
/// A value that no trial has is `None`. Times are in us.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Point {
    /// Value of the axis.
    pub x: f64,
    /// Concurrent clients.
    pub clients: usize,
    /// Messages per second.
    pub throughput: Estimate,
    /// Messages per second of each pass.
    pub passes: BTreeMap<Pass, f64>,
    /// The slices of each pass, if it has any.
    pub rounds: BTreeMap<Pass, Rounds>,
    /// The keys of the trials, as in the rows of threads.
    pub trials: BTreeSet<Trial>,
    /// Text of requests and padded replies, in MiB per second.
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
    /// Think time of the clients, as configured.
    pub think_us: f64,
    /// Mean time that the server's handler spent in the simulated service: as measured, or else as
    /// configured.
    pub service_time_us: Option<f64>,
    /// CPU time of the server per message.
    pub server_cpu_us_per_msg: Option<f64>,
    /// CPU time of the clients per message.
    pub client_cpu_us_per_msg: Option<f64>,
    /// Context switches of the server per message.
    pub server_switches_per_msg: Option<f64>,
    /// Number of server threads at the end of the window.
    pub server_threads: Option<f64>,
    /// CPU time that the server may use, in CPUs.
    pub server_cpus: Option<f64>,
    /// Share of that CPU time that the server used.
    pub server_busy: Option<f64>,
    /// Share of one CPU that the server's busiest thread used.
    pub server_busiest_thread: Option<f64>,
    /// Share of their CPU time that the clients used.
    pub client_busy: Option<f64>,
    /// Jain's fairness index of the messages of each client.
    pub client_fairness: Option<f64>,
    /// Jain's fairness index of the replies of each server worker.
    pub worker_fairness: Option<f64>,
    /// Number of failed echoes in all trials.
    pub errors: u64,
    /// The bounds of the trials, each with its number of trials.
    pub bounds: BTreeMap<String, usize>,
    /// Number of trials in which the clients had no CPU time left, or may have had none.
    pub without_client_cpu: usize,
    /// Number of trials in the means that steal or other processes disturbed.
    pub disturbed: usize,
    /// Number of disturbed trials that are excluded from the means, because enough others are left.
    pub excluded_trials: usize,
    /// Number of passes with a valid trial, including excluded ones.
    pub measured_passes: usize,
}

/// A pass: the id of the run and the number of the trial.
pub type Pass = (String, u32);

/// The key of a trial: the id of the run, the start time of the trial and the label.
pub type Trial = (String, String, String);

impl Point {
    /// The point of these trials; there must be at least one. Disturbed trials are excluded if
    /// enough others for an interval are left.
    pub(super) fn of(x: f64, all: &[&Row], rounds: &RoundsByRow) -> Self {
        let all = &without_repeated(all)[..];
        let undisturbed: Vec<_> = all.iter().copied().filter(|row| !is_disturbed(row)).collect();
        let trials = if undisturbed.len() < MIN_TRIALS { all } else { &undisturbed[..] };
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
            service_time_us: mean_of(axis::actual_service_time_us),
            server_cpu_us_per_msg: mean_of(|row| row.server_cpu_us_per_msg),
            client_cpu_us_per_msg: mean_of(|row| row.client_cpu_us_per_msg),
            server_switches_per_msg: mean_of(|row| row.server_switches_per_msg),
            server_threads: mean_of(|row| row.server_threads.map(|threads| threads as f64)),
            server_cpus: mean_of(server_cpus),
            server_busy: mean_of(|row| row.server_busy),
            server_busiest_thread: mean_of(|row| row.server_busiest_thread),
            client_busy: mean_of(|row| row.client_busy),
            client_fairness: mean_of(|row| row.client_fairness),
            worker_fairness: mean_of(|row| row.worker_fairness),
            errors: trials.iter().fold(0, |sum, row| sum.saturating_add(row.errors)),
            bounds: bounds(trials),
            without_client_cpu: trials.iter().filter(|row| lacks_client_cpu(row)).count(),
            disturbed: trials.iter().filter(|row| is_disturbed(row)).count(),
            excluded_trials: all.len() - trials.len(),
            measured_passes: all.iter().map(|row| pass(row).0).collect::<BTreeSet<_>>().len(),
        }
    }

    /// Whether the clients alone were the bound in half of the trials or more, so that the point
    /// measures the clients and not the server. One such trial of many hardly changes the mean.
    pub fn is_bounded_by_clients(&self) -> bool {
        self.is_half(self.trials_with_bound("client"))
    }

    /// Whether the clients had no CPU time left in half of the trials or more, or may have had
    /// none: they were the bound, both sides had none left on separate CPUs, or the bound is
    /// unclear. With faster clients, the server might be faster.
    pub fn may_be_bounded_by_clients(&self) -> bool {
        self.is_half(self.without_client_cpu)
    }

    /// Whether the server was the bound in more than half of the trials: its CPUs, or one of its
    /// threads.
    pub fn is_bounded_by_server(&self) -> bool {
        let trials = self.trials_with_bound("server") + self.trials_with_bound("thread");
        2 * trials > self.throughput.count
    }

    fn trials_with_bound(&self, bound: &str) -> usize {
        self.bounds.get(bound).copied().unwrap_or_default()
    }

    fn is_half(&self, trials: usize) -> bool {
        trials > 0 && 2 * trials >= self.throughput.count
    }

    /// Whether a trial has slices.
    pub fn is_sliced(&self) -> bool {
        !self.rounds.is_empty()
    }

    /// Number of kept slices in all trials; 0 without slices.
    pub fn slices(&self) -> usize {
        self.rounds.values().map(Rounds::count).sum()
    }

    /// The 95 % interval of the throughput. With 3 trials or more, it is Student's t over the
    /// trials; with one or two, it comes from their slices. `None` if there are too few of both.
    ///
    /// An interval from slices is valid for the minutes of the measurement only: the machine's
    /// speed may differ at other points. Compare contenders by their ratios.
    pub fn interval(&self) -> Option<(f64, f64)> {
        if let Some(half) = self.throughput.half_width() {
            return Some(((self.throughput.mean - half).max(0.0), self.throughput.mean + half));
        }
        let rates: Option<Vec<_>> = self.rounds.values().map(Rounds::log_rate).collect();
        geometric_mean(&rates?).map(|rate| rate.interval())
    }

    /// Half the width of the 95 % interval.
    pub fn half_width(&self) -> Option<f64> {
        self.interval().map(|(low, high)| (high - low) / 2.0)
    }

    /// Whether servers can be ranked by it: the clients had CPU time left, and nothing disturbed
    /// it.
    pub fn is_rankable(&self) -> bool {
        !self.may_be_bounded_by_clients() && self.disturbed == 0
    }
}

fn bounds(trials: &[&Row]) -> BTreeMap<String, usize> {
    let mut bounds = BTreeMap::new();
    for bound in trials.iter().filter_map(|row| row.bound.clone()) {
        *bounds.entry(bound).or_default() += 1;
    }
    bounds
}

/// Whether the clients had no CPU time left, or may have had none.
fn lacks_client_cpu(row: &Row) -> bool {
    /// With this idle share, clients had CPU time left whatever the resolution of the counters.
    const CERTAINLY_IDLE: f64 = 0.1;
    match row.bound.as_deref() {
        Some("client") => true,
        Some("host") => has_separate_cpus(row),
        Some("unclear") => row.client_cpus_idle.is_none_or(|idle| idle < CERTAINLY_IDLE),
        _ => false,
    }
}

/// Whether the two sides are known to have separate CPUs and no quota for both together. On shared
/// CPUs, server and clients compete, so a row measures both in any case.
fn has_separate_cpus(row: &Row) -> bool {
    let cpus = |text: &str| text.parse::<Cpus>().ok();
    let server = row.server_cpus.as_deref().and_then(cpus);
    let Some((server, clients)) = server.zip(cpus(&row.client_cpus)) else { return false };
    let all = (server.count() + clients.count()) as f64;
    server.intersection(&clients).is_none() && row.cpu_quota.is_none_or(|quota| quota >= all)
}

fn mib_per_s(row: &Row) -> f64 {
    let bytes = row.payload_bytes as f64 + f64::from(row.reply_bytes);
    row.throughput_per_s * bytes / f64::from(1 << 20)
}

/// The CPU time that the server may use, in CPUs: its CPU list, limited by the quota of its control
/// group.
fn server_cpus(row: &Row) -> Option<f64> {
    let cpus: Cpus = row.server_cpus.as_deref()?.parse().ok()?;
    Some(row.cpu_quota.unwrap_or(f64::MAX).min(cpus.count() as f64))
}

/// Removes rows that lost CPU time to steal if the same pass has another row: the scripts repeat
/// such measurements.
pub(super) fn without_repeated<'a>(rows: &[&'a Row]) -> Vec<&'a Row> {
    let pass = |row: &Row| (row.run_id.clone(), row.trial);
    let without_steal = rows.iter().filter(|row| !has_steal(row));
    let repeated: BTreeSet<_> = without_steal.map(|row| pass(row)).collect();
    rows.iter().copied().filter(|row| !has_steal(row) || !repeated.contains(&pass(row))).collect()
}

/// Whether steal or other processes used too much of the CPUs. A row with slices already excludes
/// its disturbed slices.
fn is_disturbed(row: &Row) -> bool {
    let others = max_share([row.server_cpus_others, row.client_cpus_others]);
    others >= TRIAL_OTHERS_LIMIT || has_steal(row)
}

pub(super) fn has_steal(row: &Row) -> bool {
    max_share([row.server_cpus_stolen, row.client_cpus_stolen]) >= DISTURBED_SHARE
}

fn max_share(shares: [Option<f64>; 2]) -> f64 {
    shares.into_iter().flatten().fold(0.0, f64::max)
}
