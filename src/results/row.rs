//! The row: the one schema that everything downstream reads.

use serde::{Deserialize, Serialize};

/// One trial. What could not be known is empty in the file, never 0.
///
/// `docs/method.md` defines each number; units stand in the names. Columns whose text may
/// hold a comma come last, so that `cut -d,` and `awk -F,` read all the others.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The run that the trial is part of.
    pub run_id: String,
    /// The pass over all points that the trial is part of, from 1.
    pub trial: u32,
    /// Whether the trial holds: it ran to its end, and both sides agree on what happened.
    pub valid: bool,
    /// The system under test.
    pub system: String,
    /// What played the clients.
    pub driver: String,
    /// Concurrent clients.
    pub clients: usize,
    /// The server's worker threads, where its system has them.
    pub workers: Option<usize>,
    /// What lies between proxy and workers, where its system has that.
    pub backend: Option<String>,
    /// The server's completion queues, where its system has them.
    pub completion_queues: Option<usize>,
    /// The size of the request's text.
    pub payload_bytes: usize,
    /// The size to which the reply's text is padded; 0: not padded.
    pub reply_bytes: u32,
    /// Each client's pause between a reply and the next request.
    pub think_us: f64,
    /// From all clients connected to the window's opening.
    pub warmup_s: f64,
    /// The window's length as it was.
    pub window_s: f64,
    /// Echoes whose reply arrived inside the window.
    pub messages: u64,
    /// Echoes that failed after all retries, over the whole trial.
    pub errors: u64,
    /// Waits for a reply that ended without one, over the whole trial.
    pub timeouts: u64,
    /// `messages / window_s`.
    pub throughput_per_s: f64,
    /// Mean round-trip time.
    pub rtt_mean_us: Option<f64>,
    /// Shortest round-trip time.
    pub rtt_min_us: Option<f64>,
    /// Median round-trip time.
    pub rtt_p50_us: Option<f64>,
    /// 90 % of round-trip times are no longer.
    pub rtt_p90_us: Option<f64>,
    /// 99 % of round-trip times are no longer.
    pub rtt_p99_us: Option<f64>,
    /// 99.9 % of round-trip times are no longer.
    pub rtt_p999_us: Option<f64>,
    /// Longest round-trip time.
    pub rtt_max_us: Option<f64>,
    /// Round-trip times under 1 ns or over 60 s, which are in no statistic.
    pub rtt_out_of_range: u64,
    /// Requests that the server answered, over the whole trial.
    pub server_accesses: Option<u64>,
    /// Requests that it could only answer by saying so.
    pub server_malformed: Option<u64>,
    /// Clients that it answered, told apart by their names.
    pub server_clients: Option<usize>,
    /// Its own account: answers per second from its first to its last.
    pub server_throughput_per_s: Option<f64>,
    /// The server's user and system time in the window, per message.
    pub server_cpu_us_per_msg: Option<f64>,
    /// The same of the clients' process.
    pub client_cpu_us_per_msg: Option<f64>,
    /// The server's context switches in the window, per message.
    pub server_switches_per_msg: Option<f64>,
    /// The same of the clients' process.
    pub client_switches_per_msg: Option<f64>,
    /// The server's user and system time in the window, over what its CPUs had to give.
    pub server_busy: Option<f64>,
    /// The same of the clients' process.
    pub client_busy: Option<f64>,
    /// What kept the throughput from being higher: server, client, host or latency.
    pub bound: Option<String>,
    /// The server's resident memory at the window's close.
    pub server_rss_mib: Option<f64>,
    /// The server's threads at the window's close.
    pub server_threads: Option<u64>,
    /// Whether every reply named the request that it answers.
    pub verified: bool,
    /// When it started, RFC 3339, UTC.
    pub started_at: String,
    /// The machine of the clients.
    pub host: String,
    /// The CPUs that the server may run on, as the kernel says.
    pub server_cpus: Option<String>,
    /// The CPUs that the clients may run on, as the kernel says.
    pub client_cpus: String,
    /// Why the trial does not hold.
    pub invalid_reason: Option<String>,
}
