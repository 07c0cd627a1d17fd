//! Builds the row of a trial, and determines whether the trial is valid.

use std::time::{Duration, SystemTime};

use crate::measure::{
    ClientTally, Distributions, Fairness, LITTLES_LAW_TOLERANCE, LatencyHistogram, RoleUsage,
    Totals, Usage, count_mismatch, littles_law,
};
use crate::os::cpus::{CpuChoice, Cpus};
use crate::results::{ALL_DISTURBED, ClientLine, HistogramRow, Row, ThreadRow, rounded};
use crate::spec::{SliceLength, Target, TrialSpec};
use crate::systems::ServerOptions;

use super::cpu_accounting::CpuAccounting;
use super::server_process::ServerReport;
use super::warning::Warning;
use super::{Contender, PlacementReport, Trial};

/// The data from which a row is built.
pub struct RowBuilder<'a> {
    pub contender: &'a Contender,
    pub spec: &'a TrialSpec,
    pub started_at: SystemTime,
    pub placement: &'a PlacementReport,
    /// Length of the window, or summed length of the kept windows.
    pub window: Duration,
    /// Whether the trial was stopped before its end.
    pub interrupted: bool,
    pub tallies: &'a [ClientTally],
    pub totals: Totals,
    pub distributions: &'a Distributions,
    pub cpu: CpuAccounting,
    /// Usage of the server when the last window closed.
    pub final_usage: Option<&'a Usage>,
    /// Usage of the server's threads by role.
    pub roles: Vec<RoleUsage>,
    /// Echoes in the span that `roles` covers.
    pub role_messages: f64,
    /// Whether the server exited before it was stopped.
    pub server_exited: bool,
    /// The first error from reading /proc.
    pub read_error: Option<String>,
    /// Report of `echometer serve`; `None` for other servers, or if it exited early or failed.
    pub server_report: Option<ServerReport>,
    /// Exit status and last output of a command that exited early.
    pub exit_summary: Option<String>,
    /// Error from stopping the server.
    pub stop_error: Option<String>,
    /// `None` for a single window.
    pub slices: Option<SliceSummary>,
}

/// Summary of a contender's slices.
pub struct SliceSummary {
    /// Length of a slice.
    pub length: Duration,
    pub kept: usize,
    pub left_out: usize,
    /// Share of one CPU that the server used while other contenders were loaded.
    pub unloaded_cpu: f64,
    /// Whether the contender was dropped because its server stopped answering.
    pub stopped_answering: bool,
}

/// A server that uses this share of a CPU while it is not loaded slows the other contenders.
const UNLOADED_CPU_LIMIT: f64 = 0.01;

/// From this share of the median round trip on, the driver's lag (99th percentile) is a warning. A
/// smaller one is normal: the lag of a reply includes reading it and those reported before it.
const DRIVER_LAG_LIMIT: f64 = 0.5;

impl RowBuilder<'_> {
    /// Builds the row, and the lines and warnings that belong to it.
    pub fn build(mut self) -> Trial {
        let mut rtt = self.distributions.rtt.clone();
        if self.spec.load.open_loop.is_none()
            && let Some(oldest) = self.distributions.in_flight.add_to(&mut rtt)
        {
            self.totals.latency.raise_maximum(oldest);
        }
        let totals = &self.totals;
        let invalid_reason = self.invalid_reason();
        let row = Row { valid: invalid_reason.is_none(), invalid_reason, ..self.option_columns() };
        let row = self.cpu.add_to(self.add_server(self.add_counts(row)));
        let row = add_latency(row, totals, &rtt, self.distributions);
        let row = self.add_schedule(row);
        let row = add_littles_law(row, totals, self.window);
        let row = self.add_slices(row);
        let warnings = self.warnings(&row);
        let notes: Vec<_> = warnings.iter().filter_map(Warning::note).collect();
        let row = Row { notes: (!notes.is_empty()).then(|| notes.join("; ")), ..row };
        let thread = |role| ThreadRow::new(&row, role, self.role_messages);
        Trial {
            clients: self.tallies.iter().map(|tally| ClientLine::new(&row, tally)).collect(),
            threads: self.roles.iter().map(thread).collect(),
            slices: Vec::new(),
            histograms: HistogramRow::new(&row, self.distributions),
            warnings,
            row,
            latency: match &self.distributions.from_due {
                Some(from_due) => (totals.from_due, LatencyHistogram::clone(from_due)),
                None => (totals.latency, rtt),
            },
        }
    }

    /// Columns of the options in force and of the place where the trial ran.
    fn option_columns(&self) -> Row {
        let TrialSpec { load, run_id, trial, client_cpus, network, .. } = self.spec;
        let system = self.contender.system;
        let (server_options, tuning, work) = match &self.contender.target {
            Target::Spawn { server, .. } => (
                system.server_options(server),
                Some(server.tuning.to_string()),
                Some(server.work.to_string()),
            ),
            Target::Running { .. } | Target::Exec(_) => (ServerOptions::default(), None, None),
        };
        let is_started = self.contender.target.is_started();
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
            network: is_started.then(|| network.kind().to_string()),
            payload_bytes: load.payload,
            reply_bytes: load.reply_payload,
            think_us: us(load.think),
            rate_per_s: load.open_loop.map(|open| open.rate_per_s),
            arrivals: load.open_loop.map(|open| open.arrivals.to_string()),
            server_cpus_asked,
            client_cpus_asked: Some(client_cpus.to_string()),
            server_cpus: self.placement.server.as_ref().map(Cpus::to_string),
            client_cpus: self.placement.clients.to_string(),
            warmup_s: load.warmup.as_secs_f64(),
            ..Row::default()
        }
    }

    /// Columns of the clients' counts.
    fn add_counts(&self, row: Row) -> Row {
        let totals = &self.totals;
        let (window_s, messages) = (self.window.as_secs_f64(), totals.messages());
        let throughput = if window_s > 0.0 { messages as f64 / window_s } else { 0.0 };
        let (slowest, fastest, jain) = shares(totals.fairness);
        Row {
            window_s: rounded(window_s, 6),
            messages,
            throughput_per_s: rounded(throughput, 3),
            errors: totals.errors,
            timeouts: totals.error_counts.timeouts,
            gaps: Some(totals.gaps),
            repeats: Some(totals.error_counts.repeats),
            strays: Some(totals.error_counts.strays),
            malformed: Some(totals.error_counts.malformed),
            late: Some(totals.error_counts.late),
            refused: Some(totals.error_counts.refused),
            disconnects: Some(totals.error_counts.disconnects),
            verified: totals.completed > 0 && totals.unverified == 0,
            window_skew_us: totals.skew.map(us),
            pause_mean_us: totals.mean_pause.map(us),
            client_fairness: jain,
            slowest_client_share: slowest,
            fastest_client_share: fastest,
            ..row
        }
    }

    /// Columns of the server's counts and resources.
    fn add_server(&self, row: Row) -> Row {
        let usage = self.final_usage;
        let metrics = self.server_report.as_ref().map(|report| &report.metrics);
        let fairness = metrics.and_then(|metrics| Fairness::from_counts(&metrics.per_worker));
        let (slowest, fastest, jain) = shares(fairness);
        // Defaults of these options depend on the CPUs of the server, so its values are used.
        let row = match metrics {
            Some(metrics) => Row {
                workers: metrics.workers,
                backend: metrics.backend.clone(),
                completion_queues: metrics.completion_queues,
                ..row
            },
            None => row,
        };
        Row {
            server_accesses: metrics.map(|metrics| metrics.accesses),
            server_malformed: metrics.map(|metrics| metrics.malformed),
            server_clients: metrics.map(|metrics| metrics.clients),
            server_throughput_per_s: metrics.map(|metrics| rounded(metrics.throughput, 3)),
            service_time_us: metrics
                .and_then(|metrics| metrics.service_time_us)
                .map(|us| rounded(us, 3)),
            worker_fairness: jain,
            slowest_worker_share: slowest,
            fastest_worker_share: fastest,
            server_rss_mib: usage.map(|usage| rounded(usage.rss_bytes as f64 / 1_048_576.0, 3)),
            server_threads: usage.map(|usage| usage.thread_count),
            ..row
        }
    }

    /// Columns of a schedule of requests.
    fn add_schedule(&self, row: Row) -> Row {
        let Some(open_loop) = self.spec.load.open_loop else { return row };
        let (paced, from_due) = (&self.totals.paced, &self.totals.from_due);
        let lag = self.distributions.send_lag.as_ref().and_then(|lag| lag.quantile_ns(0.99));
        let late = (paced.due > 0).then(|| paced.sent_late as f64 / paced.due as f64);
        Row {
            due_out_of_range: Some(from_due.out_of_range()),
            requests_due: Some(paced.due),
            censored: Some(paced.censored),
            backlog_open: Some(paced.backlog_open),
            backlog_close: Some(paced.backlog_close),
            sent_late: late.map(|share| rounded(share, 6)),
            send_lag_p99_us: lag.map(|ns| ns as f64 / 1e3),
            seed: Some(open_loop.seed),
            ..row
        }
    }

    /// Columns of slices.
    fn add_slices(&self, row: Row) -> Row {
        let Some(slices) = &self.slices else { return row };
        Row {
            slice_ms: Some(rounded(slices.length.as_secs_f64() * 1e3, 3)),
            slices: Some(slices.kept as u64),
            slices_left_out: Some(slices.left_out as u64),
            seed: Some(self.spec.seed),
            ..row
        }
    }

    fn invalid_reason(&self) -> Option<String> {
        let totals = &self.totals;
        if self.server_exited {
            let summary = self.exit_summary.as_ref().map(|summary| format!(": {summary}"));
            return Some(format!(
                "the server exited during the trial{}",
                summary.unwrap_or_default()
            ));
        }
        if totals.gave_up {
            let error = totals.first_error.clone().unwrap_or_default();
            return Some(format!("clients lost the connection to the server: {error}"));
        }
        if self.interrupted {
            return Some("interrupted".to_owned());
        }
        if let Some(error) = &self.stop_error {
            return Some(error.clone());
        }
        if let Some(slices) = &self.slices {
            if slices.stopped_answering {
                return Some("the server stopped answering".to_owned());
            }
            if slices.kept == 0 && slices.left_out > 0 {
                return Some(ALL_DISTURBED.to_owned());
            }
        }
        // In an overloaded open loop, all replies may be to requests of the warm-up.
        if totals.messages() == 0 && totals.replies() == 0 {
            return Some("no echo completed in the window".to_owned());
        }
        let accesses = self.server_report.as_ref()?.metrics.accesses;
        count_mismatch(accesses, totals.completed, totals.sent_in_vain)
    }

    fn warnings(&self, row: &Row) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if let Some(reason) = &row.invalid_reason {
            warnings.push(Warning::Invalid(reason.clone()));
        } else if row.errors > 0 {
            let first = self.totals.first_error.clone().unwrap_or_default();
            warnings.push(Warning::Failed { errors: row.errors, first });
        }
        if row.rtt_out_of_range > 0 {
            warnings.push(Warning::OutOfRange(row.rtt_out_of_range));
        }
        if !row.verified && row.messages > 0 {
            warnings.push(Warning::Unverified);
        }
        // An invalid row already has a more important warning.
        let law = row.littles_law.filter(|_| row.valid);
        if let Some(law) = law.filter(|law| (law - 1.0).abs() > LITTLES_LAW_TOLERANCE) {
            let computed = law * row.clients as f64;
            warnings.push(Warning::LittlesLaw { computed, clients: row.clients });
        }
        if let (Some(p99_us), Some(rtt_us)) = (row.driver_lag_p99_us, row.rtt_p50_us)
            && p99_us >= DRIVER_LAG_LIMIT * rtt_us
        {
            warnings.push(Warning::DriverLag { p99_us, share: p99_us / rtt_us });
        }
        warnings.extend(self.schedule_warnings(row));
        let server_warnings = self.server_report.iter().flat_map(|report| &report.warnings);
        warnings.extend(server_warnings.cloned().map(Warning::Server));
        warnings.extend(self.cpu.warnings());
        warnings.extend(self.slices.iter().flat_map(|slices| self.slice_warnings(slices)));
        if let Target::Running { address, pid: None } = &self.contender.target {
            warnings.push(Warning::UnknownProcess(address.clone()));
        }
        warnings.extend(self.read_error.clone().map(Warning::Unreadable));
        warnings.extend(self.placement.warnings());
        warnings
    }

    fn schedule_warnings(&self, row: &Row) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let per_s = |count: u64| count as f64 / self.window.as_secs_f64();
        if row.is_rate_kept() == Some(false)
            && let (Some(due), Some(replies)) = (row.requests_due, row.replies_in_window())
        {
            warnings.push(Warning::RateNotKept { offered: per_s(due), sent: per_s(replies) });
        }
        if let Some(censored) = row.censored.filter(|count| *count > 0) {
            warnings.push(Warning::Censored(censored));
        }
        if let Some(count) = row.due_out_of_range.filter(|count| *count > 0) {
            warnings.push(Warning::DueOutOfRange(count));
        }
        warnings
    }

    fn slice_warnings(&self, slices: &SliceSummary) -> Vec<Warning> {
        let &SliceSummary { kept, left_out, unloaded_cpu, .. } = slices;
        let mut warnings = Vec::new();
        if left_out > 0 {
            warnings.push(Warning::SlicesLeftOut { left_out, of: kept + left_out });
        }
        if (1..SliceLength::MIN_SLICES as usize).contains(&kept) {
            warnings.push(Warning::FewSlices(kept));
        }
        if unloaded_cpu >= UNLOADED_CPU_LIMIT {
            let label = self.contender.label.clone();
            warnings.push(Warning::UnloadedCpuUse { label, share: unloaded_cpu });
        }
        warnings
    }
}

/// Adds the columns of latencies. `histogram` is that of the round trips.
fn add_latency(
    row: Row,
    totals: &Totals,
    histogram: &LatencyHistogram,
    distributions: &Distributions,
) -> Row {
    let (rtt, from_due) = (&totals.latency, &totals.from_due);
    let to_us = |ns: Option<u64>| ns.map(|ns| ns as f64 / 1e3);
    let mean_us = |ns: Option<f64>| ns.map(|ns| rounded(ns / 1e3, 3));
    let rtt_us = |q| to_us(rtt.quantile_ns(histogram, q));
    let due = distributions.from_due.as_ref();
    let due_us = |q| to_us(due.and_then(|due| from_due.quantile_ns(due, q)));
    Row {
        rtt_mean_us: mean_us(rtt.mean_ns()),
        rtt_min_us: to_us(rtt.minimum_ns()),
        rtt_p50_us: rtt_us(0.5),
        rtt_p90_us: rtt_us(0.9),
        rtt_p99_us: rtt_us(0.99),
        rtt_p999_us: rtt_us(0.999),
        rtt_max_us: to_us(rtt.maximum_ns()),
        rtt_out_of_range: rtt.out_of_range(),
        due_mean_us: mean_us(from_due.mean_ns()),
        due_p50_us: due_us(0.5),
        due_p90_us: due_us(0.9),
        due_p99_us: due_us(0.99),
        due_p999_us: due_us(0.999),
        due_max_us: to_us(from_due.maximum_ns()),
        driver_lag_p99_us: distributions.driver_lag.as_ref().and_then(|lag| lag.p99()).map(us),
        oldest_in_flight_us: distributions.in_flight.oldest().map(us),
        ..row
    }
}

fn add_littles_law(row: Row, totals: &Totals, window: Duration) -> Row {
    let pause_us = totals.mean_pause.map_or(0.0, us);
    // The law is about the replies of the window, whenever their requests were due.
    let throughput = match totals.replies() {
        replies if replies == row.messages => row.throughput_per_s,
        replies => replies as f64 / window.as_secs_f64(),
    };
    let law = row.rtt_mean_us.map(|rtt_us| littles_law(throughput, rtt_us, pause_us, row.clients));
    Row { littles_law: law.map(|law| rounded(law, 4)), ..row }
}

/// Returns the slowest share, the fastest share, and Jain's index.
fn shares(fairness: Option<Fairness>) -> (Option<f64>, Option<f64>, Option<f64>) {
    let shown = |of: fn(&Fairness) -> f64| fairness.as_ref().map(|f| rounded(of(f), 6));
    (shown(|f| f.slowest), shown(|f| f.fastest), shown(|f| f.jain))
}

fn us(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e3
}
