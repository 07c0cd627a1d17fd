//! From everything that a trial left, the row, and whether it is valid.

use std::time::{Duration, SystemTime};

use crate::measure::{
    ClientTally, Distributions, Fairness, Percentiles, RoleUsage, TOLERANCE, Totals, Usage,
    disagreement, is_rate_kept, littles_law,
};
use crate::os::cpus::{CpuChoice, Cpus};
use crate::results::{ALL_DISTURBED, ClientLine, Row, ThreadRow, rounded};
use crate::spec::{Arrivals, SliceLength, Target, TrialSpec};
use crate::systems::ServerOptions;

use super::cpu_accounting::CpuAccounting;
use super::server_process::Stopped;
use super::warning::Warning;
use super::{Contender, PlacementReport, Trial};

/// Everything that a row is made of.
pub struct RowBuilder<'a> {
    pub contender: &'a Contender,
    pub spec: &'a TrialSpec,
    pub started_at: SystemTime,
    pub granted: &'a PlacementReport,
    /// The counted time.
    pub window: Duration,
    /// The load was ended before its time.
    pub interrupted: bool,
    pub tallies: &'a [ClientTally],
    pub all: Totals,
    pub distributions: &'a Distributions,
    pub account: CpuAccounting,
    /// The server at the end.
    pub last: Option<&'a Usage>,
    /// What its threads used by their roles, and the echoes of the same span.
    pub roles: Vec<RoleUsage>,
    pub role_messages: f64,
    pub server_gone: bool,
    pub unreadable: Option<String>,
    /// What the server left; `None` for a server that is not ours, or has gone.
    pub server: Option<Stopped>,
    /// What a command printed that ended too early.
    pub last_words: Option<String>,
    /// Why it did not stop as it should.
    pub stop_error: Option<String>,
    /// What is known of the slices; `None` for a single window.
    pub sliced: Option<Sliced>,
}

/// What is known of the slices of a contender.
pub struct Sliced {
    pub slice: Duration,
    pub kept: usize,
    pub left_out: usize,
    /// The share of one CPU that the server used while other contenders were loaded.
    pub idle_busy: f64,
    /// It was given up because its server did not answer.
    pub silent: bool,
}

/// From this share of a CPU on, a contender that is not loaded costs the others something.
const IDLE_COST: f64 = 0.01;

impl RowBuilder<'_> {
    /// Makes the row.
    pub fn judge(self) -> Trial {
        let all = &self.all;
        let invalid_reason = self.why_invalid(all);
        let row = Row { valid: invalid_reason.is_none(), invalid_reason, ..self.asked() };
        let row = self.account.add_to(self.add_server(self.add_counts(row, all)));
        let row = add_law(add_latency(row, all, self.distributions), all);
        let row = self.add_slices(row);
        let warnings = self.warnings(&row, all);
        let notes: Vec<_> = warnings.iter().filter_map(Warning::note).collect();
        let row = Row { notes: (!notes.is_empty()).then(|| notes.join("; ")), ..row };
        let thread = |role| ThreadRow::new(&row, role, self.role_messages);
        Trial {
            clients: self.tallies.iter().map(|tally| ClientLine::new(&row, tally)).collect(),
            threads: self.roles.iter().map(thread).collect(),
            slices: Vec::new(),
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
        let system = self.contender.system;
        let (server_options, tuning, work) = match &self.contender.target {
            Target::Spawn { server, .. } => (
                system.server_options(server),
                Some(server.tuning.to_string()),
                Some(server.work.to_string()),
            ),
            Target::Running { .. } | Target::Exec(_) => (ServerOptions::default(), None, None),
        };
        let server_cpus_asked = self.contender.target.cpus().map(CpuChoice::to_string);
        Row {
            run_id: run_id.clone(),
            trial: *trial,
            started_at: humantime::format_rfc3339_millis(self.started_at).to_string(),
            host: crate::os::host::name(),
            system: system.name().to_owned(),
            label: self.contender.label.clone(),
            driver: load.driver.to_string(),
            clients: load.clients.get(),
            workers: server_options.workers,
            backend: server_options.backend.map(|backend| backend.to_string()),
            completion_queues: server_options.completion_queues,
            tuning,
            work,
            channels: system.has_channels().then(|| load.channels.to_string()),
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
        let (window_s, messages) = (self.window.as_secs_f64(), all.messages());
        let throughput = if window_s > 0.0 { messages as f64 / window_s } else { 0.0 };
        let (slowest, fastest, jain) = shares(all.fairness);
        Row {
            window_s: rounded(window_s, 6),
            messages,
            throughput_per_s: rounded(throughput, 3),
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
        let last = self.last;
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

    /// The columns of slices.
    fn add_slices(&self, row: Row) -> Row {
        let Some(sliced) = &self.sliced else { return row };
        Row {
            slice_ms: Some(rounded(sliced.slice.as_secs_f64() * 1e3, 3)),
            slices: Some(sliced.kept as u64),
            slices_left_out: Some(sliced.left_out as u64),
            seed: Some(self.spec.seed),
            ..row
        }
    }

    fn why_invalid(&self, all: &Totals) -> Option<String> {
        if self.server_gone {
            let words = self.last_words.as_ref().map(|words| format!(": it {words}"));
            return Some(format!("the server ended during the trial{}", words.unwrap_or_default()));
        }
        if all.gave_up {
            let why = all.first_error.clone().unwrap_or_default();
            return Some(format!("clients lost their server: {why}"));
        }
        if self.interrupted {
            return Some("interrupted".to_owned());
        }
        if let Some(error) = &self.stop_error {
            return Some(error.clone());
        }
        if let Some(sliced) = &self.sliced {
            if sliced.silent {
                return Some("the server stopped answering".to_owned());
            }
            if sliced.kept == 0 && sliced.left_out > 0 {
                return Some(ALL_DISTURBED.to_owned());
            }
        }
        if all.messages() == 0 {
            return Some("no echo ended inside the window".to_owned());
        }
        disagreement(self.server.as_ref()?.counted.accesses, all.completed, all.in_flight)
    }

    fn warnings(&self, row: &Row, all: &Totals) -> Vec<Warning> {
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
        warnings.extend(self.account.warnings());
        warnings.extend(self.sliced.iter().flat_map(|sliced| self.slice_warnings(sliced)));
        if let Target::Running { address, pid: None } = &self.contender.target {
            warnings.push(Warning::NotOurs(address.clone()));
        }
        warnings.extend(self.unreadable.clone().map(Warning::Unreadable));
        warnings.extend(self.granted.warnings());
        warnings
    }

    fn slice_warnings(&self, sliced: &Sliced) -> Vec<Warning> {
        let &Sliced { kept, left_out, idle_busy, .. } = sliced;
        let mut warnings = Vec::new();
        if left_out > 0 {
            warnings.push(Warning::SlicesLeftOut { left_out, of: kept + left_out });
        }
        if (1..SliceLength::FEWEST as usize).contains(&kept) {
            warnings.push(Warning::FewSlices(kept));
        }
        if idle_busy >= IDLE_COST {
            let label = self.contender.label.clone();
            warnings.push(Warning::IdleCost { label, share: idle_busy });
        }
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
