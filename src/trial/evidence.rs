//! From everything that a trial left, the row, and whether it holds.

use std::time::{Duration, SystemTime};

use crate::cpus::Cpus;
use crate::measure::{Bound, ClientTally, Window, busy};
use crate::results::{ClientLine, Row, ServerLine};
use crate::spec::{Target, TrialSpec};
use crate::systems::{Heeded, System};

use super::Trial;
use super::watch::Seen;

/// Everything that a row is made of.
pub struct Evidence<'a> {
    pub system: &'a dyn System,
    pub spec: &'a TrialSpec,
    pub started_at: SystemTime,
    pub server_cpus: Option<Cpus>,
    pub client_cpus: Cpus,
    pub window: Window,
    /// The load was ended before its time.
    pub stopped: bool,
    pub tallies: &'a [ClientTally],
    pub seen: Seen,
    /// What the server counted; `None` for a server that is not ours, or has gone.
    pub server: Option<ServerLine>,
}

impl Evidence<'_> {
    /// Makes the row.
    pub fn judge(self) -> Trial {
        let mut all = ClientTally::default();
        self.tallies.iter().for_each(|tally| all.merge(tally));
        let invalid_reason = self.why_invalid(&all);
        let row = Row {
            errors: all.errors,
            timeouts: all.timeouts,
            verified: all.completed > 0 && all.unverified == 0,
            valid: invalid_reason.is_none(),
            invalid_reason,
            ..self.asked()
        };
        let row = self.add_server(add_latency(self.add_rates(row, &all), &all));
        Trial {
            clients: self.tallies.iter().map(|tally| ClientLine::new(&row, tally)).collect(),
            row,
            first_error: all.first_error,
        }
    }

    /// The columns that tell what was asked for.
    fn asked(&self) -> Row {
        let TrialSpec { load, run_id, trial, .. } = self.spec;
        let heeded = match &self.spec.target {
            Target::Spawn { server, .. } => self.system.heeded(server),
            Target::Running(_) => Heeded::default(),
        };
        Row {
            run_id: run_id.clone(),
            trial: *trial,
            started_at: humantime::format_rfc3339_millis(self.started_at).to_string(),
            host: crate::host::name(),
            system: self.system.name().to_owned(),
            driver: "native".to_owned(),
            clients: load.clients.get(),
            workers: heeded.workers,
            backend: heeded.backend.map(|backend| backend.to_string()),
            completion_queues: heeded.completion_queues,
            payload_bytes: load.payload,
            reply_bytes: load.reply_payload,
            think_us: us(load.think),
            server_cpus: self.server_cpus.as_ref().map(Cpus::to_string),
            client_cpus: self.client_cpus.to_string(),
            warmup_s: load.warmup.as_secs_f64(),
            ..Row::default()
        }
    }

    fn add_rates(&self, row: Row, all: &ClientTally) -> Row {
        let window_s = self.window.length().as_secs_f64();
        let messages = all.messages();
        Row {
            window_s: rounded(window_s, 6),
            messages,
            throughput_per_s: rounded(messages as f64 / window_s, 3),
            ..self.add_usage(row, messages)
        }
    }

    /// What the two processes used, per message and of what they had.
    fn add_usage(&self, row: Row, messages: u64) -> Row {
        let span = self.observed();
        let share = span.as_secs_f64() / self.window.length().as_secs_f64();
        let observed = messages as f64 * share.min(1.0);
        let shown = |value: Option<f64>| value.map(|value| rounded(value, 4));
        let (server, clients) = (self.seen.server.used(), self.seen.clients.used());
        let server_busy = server.zip(self.server_cpus.as_ref());
        let server_busy = server_busy.and_then(|(used, cpus)| busy(used.cpu, span, cpus.count()));
        let client_busy = clients.and_then(|used| busy(used.cpu, span, self.client_cpus.count()));
        let bound = client_busy.and_then(|busy| Bound::of(server_busy, busy, self.busy_together()));
        Row {
            server_cpu_us_per_msg: shown(server.and_then(|used| used.cpu_us_per(observed))),
            client_cpu_us_per_msg: shown(clients.and_then(|used| used.cpu_us_per(observed))),
            server_switches_per_msg: shown(server.and_then(|used| used.switches_per(observed))),
            client_switches_per_msg: shown(clients.and_then(|used| used.switches_per(observed))),
            server_busy: shown(server_busy),
            client_busy: shown(client_busy),
            bound: bound.map(|bound| bound.to_string()),
            ..row
        }
    }

    /// How busy both sides were together; `None` where they share no CPU.
    fn busy_together(&self) -> Option<f64> {
        let (all, shared) = self.server_cpus.as_ref()?.union(&self.client_cpus);
        let cpu = self.seen.server.used()?.cpu + self.seen.clients.used()?.cpu;
        busy(cpu, self.observed(), all.count()).filter(|_| shared)
    }

    /// The part of the window that lies behind the first look at the processes, which comes
    /// late where a thousand threads want the CPU of the one that looks. At the closing there
    /// is no such haste: the clients have stopped.
    fn observed(&self) -> Duration {
        let looked_at = self.seen.opened_at.unwrap_or(self.window.close);
        self.window.close.saturating_duration_since(looked_at)
    }

    fn add_server(&self, row: Row) -> Row {
        let last = self.seen.server.close;
        let line = self.server.as_ref();
        Row {
            server_accesses: line.map(|line| line.accesses),
            server_malformed: line.map(|line| line.malformed),
            server_clients: line.map(|line| line.clients),
            server_throughput_per_s: line.map(|line| rounded(line.throughput, 3)),
            server_rss_mib: last.map(|usage| rounded(usage.rss_bytes as f64 / 1_048_576.0, 3)),
            server_threads: last.map(|usage| usage.threads),
            ..row
        }
    }

    fn why_invalid(&self, all: &ClientTally) -> Option<String> {
        if self.seen.server_gone {
            return Some("the server ended during the trial".to_owned());
        }
        if self.tallies.iter().any(|tally| tally.gave_up) {
            let why = all.first_error.clone().unwrap_or_default();
            return Some(format!("clients lost their server: {why}"));
        }
        if self.stopped {
            return Some("interrupted".to_owned());
        }
        if all.messages() == 0 {
            return Some("no echo ended inside the window".to_owned());
        }
        let answered = self.server.as_ref()?.accesses;
        disagreement(answered, all.completed, all.failed_attempts)
    }
}

/// Why the counts of the two sides do not agree; `None` if they do.
///
/// The server has answered every echo that succeeded. Of the requests whose reply did not
/// come, or was wrong, it may have answered any, and no others.
fn disagreement(answered: u64, completed: u64, failed_attempts: u64) -> Option<String> {
    let agree = (completed..=completed + failed_attempts).contains(&answered);
    (!agree).then(|| {
        format!("the server answered {answered}, the clients completed {completed} (+{failed_attempts} failed)")
    })
}

fn add_latency(row: Row, all: &ClientTally) -> Row {
    let latency = &all.latency;
    let quantile = |q| latency.quantile_ns(q).map(|ns| ns as f64 / 1e3);
    Row {
        rtt_mean_us: latency.mean_ns().map(|ns| rounded(ns / 1e3, 3)),
        rtt_min_us: latency.minimum_ns().map(|ns| ns as f64 / 1e3),
        rtt_p50_us: quantile(0.5),
        rtt_p90_us: quantile(0.9),
        rtt_p99_us: quantile(0.99),
        rtt_p999_us: quantile(0.999),
        rtt_max_us: latency.maximum_ns().map(|ns| ns as f64 / 1e3),
        rtt_out_of_range: latency.out_of_range(),
        ..row
    }
}

fn us(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e3
}

/// Digits beyond what was measured only make files longer.
fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree_up_to_the_requests_whose_reply_did_not_come() {
        assert_eq!(disagreement(100, 100, 0), None);
        assert_eq!(disagreement(102, 100, 2), None);
        assert_eq!(
            disagreement(103, 100, 2).unwrap(),
            "the server answered 103, the clients completed 100 (+2 failed)"
        );
        assert!(disagreement(99, 100, 2).is_some());
    }

    #[test]
    fn values_are_rounded_and_not_cut() {
        assert_eq!(rounded(1.23456, 3), 1.235);
        assert_eq!(rounded(-0.0004, 3), 0.0);
    }
}
