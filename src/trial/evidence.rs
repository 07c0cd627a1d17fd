//! From everything that a trial left, the row, and whether it holds.

use std::time::{Duration, SystemTime};

use crate::cpus::Cpus;
use crate::measure::{
    ClientTally, Distributions, Fairness, Percentiles, TOLERANCE, Totals, Window, disagreement,
    is_rate_kept, littles_law,
};
use crate::results::{ClientLine, Row, ThreadRow, rounded};
use crate::spec::{Arrivals, Target, TrialSpec};
use crate::systems::{Heeded, System};

use super::account::Account;
use super::child::Stopped;
use super::warning::Warning;
use super::watch::Seen;
use super::{Granted, Trial};

/// Everything that a row is made of.
pub struct Evidence<'a> {
    pub system: &'a dyn System,
    pub spec: &'a TrialSpec,
    pub started_at: SystemTime,
    pub granted: Granted,
    pub window: Window,
    /// The load was ended before its time.
    pub stopped: bool,
    pub tallies: &'a [ClientTally],
    pub distributions: &'a Distributions,
    pub seen: Seen,
    /// What the server left; `None` for a server that is not ours, or has gone.
    pub server: Option<Stopped>,
}

impl Evidence<'_> {
    /// Makes the row.
    pub fn judge(self) -> Trial {
        let all = Totals::of(self.tallies);
        let account = Account::of(&self.seen, &self.window, &self.granted, all.messages());
        let invalid_reason = self.why_invalid(&all);
        let row = Row { valid: invalid_reason.is_none(), invalid_reason, ..self.asked() };
        let row = account.add_to(self.add_server(self.add_counts(row, &all)));
        let row = add_law(add_latency(row, &all, self.distributions), &all);
        let warnings = self.warnings(&row, &all, &account);
        let notes: Vec<_> = warnings.iter().filter_map(Warning::note).collect();
        let row = Row { notes: (!notes.is_empty()).then(|| notes.join("; ")), ..row };
        let roles = self.seen.server.roles();
        Trial {
            clients: self.tallies.iter().map(|tally| ClientLine::new(&row, tally)).collect(),
            threads: roles.iter().map(|r| ThreadRow::new(&row, r, account.messages)).collect(),
            warnings,
            row,
            latency: match &self.distributions.from_due {
                Some(from_due) => (all.from_due, Percentiles::clone(from_due)),
                None => (all.latency, self.distributions.rtt.clone()),
            },
        }
    }

    /// The columns that tell what was asked for, and where it ran.
    fn asked(&self) -> Row {
        let TrialSpec { load, run_id, trial, client_cpus, .. } = self.spec;
        let (heeded, tuning, work, server_cpus_asked) = match &self.spec.target {
            Target::Spawn { server, cpus, .. } => (
                self.system.heeded(server),
                Some(server.tuning.to_string()),
                Some(server.work.to_string()),
                Some(cpus.to_string()),
            ),
            Target::Running(_) => (Heeded::default(), None, None, None),
        };
        Row {
            run_id: run_id.clone(),
            trial: *trial,
            started_at: humantime::format_rfc3339_millis(self.started_at).to_string(),
            host: crate::host::name(),
            system: self.system.name().to_owned(),
            driver: load.driver.to_string(),
            clients: load.clients.get(),
            workers: heeded.workers,
            backend: heeded.backend.map(|backend| backend.to_string()),
            completion_queues: heeded.completion_queues,
            tuning,
            work,
            channels: self.system.has_channels().then(|| load.channels.to_string()),
            payload_bytes: load.payload,
            reply_bytes: load.reply_payload,
            think_us: us(load.think),
            rate_per_s: load.pace.map(|pace| pace.per_s),
            arrivals: load.pace.map(|pace| pace.arrivals.to_string()),
            server_cpus_asked,
            client_cpus_asked: Some(client_cpus.to_string()),
            server_cpus: self.granted.server.as_ref().map(Cpus::to_string),
            client_cpus: self.granted.clients.to_string(),
            warmup_s: load.warmup.as_secs_f64(),
            ..Row::default()
        }
    }

    /// What the clients counted.
    fn add_counts(&self, row: Row, all: &Totals) -> Row {
        let (window_s, messages) = (self.window.length().as_secs_f64(), all.messages());
        let (slowest, fastest, jain) = shares(all.fairness);
        Row {
            window_s: rounded(window_s, 6),
            messages,
            throughput_per_s: rounded(messages as f64 / window_s, 3),
            errors: all.errors,
            timeouts: all.faults.timeouts,
            gaps: Some(all.gaps),
            repeats: Some(all.faults.repeats),
            strays: Some(all.faults.strays),
            malformed: Some(all.faults.malformed),
            late: Some(all.faults.late),
            refused: Some(all.faults.refused),
            disconnects: Some(all.faults.disconnects),
            verified: all.completed > 0 && all.unverified == 0,
            window_skew_us: all.skew.map(us),
            pause_mean_us: all.mean_pause.map(us),
            client_fairness: jain,
            slowest_client_share: slowest,
            fastest_client_share: fastest,
            ..row
        }
    }

    /// What the server counted.
    fn add_server(&self, row: Row) -> Row {
        let last = self.seen.server.close.as_ref();
        let line = self.server.as_ref().map(|server| &server.counted);
        let (slowest, fastest, jain) = shares(line.and_then(|line| Fairness::of(&line.per_worker)));
        // It knows its own CPUs, by which some options go.
        let row = match line {
            Some(line) => Row {
                workers: line.workers,
                backend: line.backend.clone(),
                completion_queues: line.completion_queues,
                ..row
            },
            None => row,
        };
        Row {
            server_accesses: line.map(|line| line.accesses),
            server_malformed: line.map(|line| line.malformed),
            server_clients: line.map(|line| line.clients),
            server_throughput_per_s: line.map(|line| rounded(line.throughput, 3)),
            worker_fairness: jain,
            slowest_worker_share: slowest,
            fastest_worker_share: fastest,
            server_rss_mib: last.map(|usage| rounded(usage.rss_bytes as f64 / 1_048_576.0, 3)),
            server_threads: last.map(|usage| usage.thread_count),
            ..row
        }
    }

    fn why_invalid(&self, all: &Totals) -> Option<String> {
        if self.seen.server_gone {
            return Some("the server ended during the trial".to_owned());
        }
        if all.gave_up {
            let why = all.first_error.clone().unwrap_or_default();
            return Some(format!("clients lost their server: {why}"));
        }
        if self.stopped {
            return Some("interrupted".to_owned());
        }
        if all.messages() == 0 {
            return Some("no echo ended inside the window".to_owned());
        }
        disagreement(self.server.as_ref()?.counted.accesses, all.completed, all.in_flight)
    }

    fn warnings(&self, row: &Row, all: &Totals, account: &Account) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if let Some(reason) = &row.invalid_reason {
            warnings.push(Warning::Invalid(reason.clone()));
        } else if row.errors > 0 {
            let first = all.first_error.clone().unwrap_or_default();
            warnings.push(Warning::Failed { errors: row.errors, first });
        }
        if row.rtt_out_of_range > 0 {
            warnings.push(Warning::OutOfRange(row.rtt_out_of_range));
        }
        if !row.verified && row.messages > 0 {
            warnings.push(Warning::Unverified);
        }
        // Of one that does not hold, something else has been said already.
        let law = row.littles_law.filter(|_| row.valid);
        if let Some(law) = law.filter(|law| (law - 1.0).abs() > TOLERANCE) {
            warnings.push(Warning::LittlesLaw(law * row.clients as f64, row.clients));
        }
        let at_random = self.spec.load.pace.is_some_and(|pace| pace.arrivals == Arrivals::Poisson);
        let is_kept = |rate| is_rate_kept(rate, row.throughput_per_s, row.window_s, at_random);
        if let Some(offered) = row.rate_per_s.filter(|rate| !is_kept(*rate)) {
            warnings.push(Warning::RateNotKept { offered, sent: row.throughput_per_s });
        }
        let of_server = self.server.iter().flat_map(|server| &server.warnings);
        warnings.extend(of_server.map(|said| Warning::Server(said.clone())));
        warnings.extend(account.warnings());
        if let Target::Running(to) = &self.spec.target {
            warnings.push(Warning::NotOurs(to.clone()));
        }
        warnings.extend(self.seen.unreadable.clone().map(Warning::Unreadable));
        warnings.extend(self.granted.warnings());
        warnings
    }
}

fn add_latency(row: Row, all: &Totals, distributions: &Distributions) -> Row {
    let (rtt, from_due) = (&all.latency, &all.from_due);
    let shown = |ns: Option<u64>| ns.map(|ns| ns as f64 / 1e3);
    let mean = |ns: Option<f64>| ns.map(|ns| rounded(ns / 1e3, 3));
    let of_rtt = |q| shown(distributions.rtt.quantile_ns(q));
    let due = distributions.from_due.as_ref();
    let of_due = |q| shown(due.and_then(|due| due.quantile_ns(q)));
    Row {
        rtt_mean_us: mean(rtt.mean_ns()),
        rtt_min_us: shown(rtt.minimum_ns()),
        rtt_p50_us: of_rtt(0.5),
        rtt_p90_us: of_rtt(0.9),
        rtt_p99_us: of_rtt(0.99),
        rtt_p999_us: of_rtt(0.999),
        rtt_max_us: shown(rtt.maximum_ns()),
        rtt_out_of_range: rtt.out_of_range(),
        due_mean_us: mean(from_due.mean_ns()),
        due_p50_us: of_due(0.5),
        due_p90_us: of_due(0.9),
        due_p99_us: of_due(0.99),
        due_p999_us: of_due(0.999),
        due_max_us: shown(from_due.maximum_ns()),
        ..row
    }
}

fn add_law(row: Row, all: &Totals) -> Row {
    let pause_us = all.mean_pause.map_or(0.0, us);
    let law = row
        .rtt_mean_us
        .map(|rtt_us| littles_law(row.throughput_per_s, rtt_us, pause_us, row.clients));
    Row { littles_law: law.map(|law| rounded(law, 4)), ..row }
}

/// The slowest share, the fastest, and the index.
fn shares(fairness: Option<Fairness>) -> (Option<f64>, Option<f64>, Option<f64>) {
    let shown = |of: fn(&Fairness) -> f64| fairness.as_ref().map(|f| rounded(of(f), 6));
    (shown(|f| f.slowest), shown(|f| f.fastest), shown(|f| f.jain))
}

fn us(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e3
}
