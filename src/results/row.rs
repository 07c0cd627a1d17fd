//! The row: the one schema that everything downstream reads.

use serde::{Deserialize, Serialize};

/// The beginning of the reason of a trial that has no undisturbed slice.
pub const ALL_DISTURBED: &str = "every slice was disturbed by steal or by other processes";

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
    /// How the server's library and threads are set; empty for a server that is not ours.
    pub tuning: Option<String>,
    /// What the server's handler does beside answering; empty for a server that is not ours.
    pub work: Option<String>,
    /// Channels of the clients, per-client or shared, where their system has channels.
    pub channels: Option<String>,
    /// The size of the request's text.
    pub payload_bytes: usize,
    /// The size to which the reply's text is padded; 0: not padded.
    pub reply_bytes: u32,
    /// Each client's pause between a reply and the next request.
    pub think_us: f64,
    /// Requests per second that were to be sent, by all clients; empty for a closed loop.
    pub rate_per_s: Option<f64>,
    /// When they were due: constant or poisson.
    pub arrivals: Option<String>,
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
    /// Requests that were never answered, though a later one of that client was.
    pub gaps: Option<u64>,
    /// Replies that answered the request before once more.
    pub repeats: Option<u64>,
    /// Replies that answered yet another request.
    pub strays: Option<u64>,
    /// Replies that are no message.
    pub malformed: Option<u64>,
    /// Replies that came when nobody waited for them any more.
    pub late: Option<u64>,
    /// Replies that say that the server will not answer.
    pub refused: Option<u64>,
    /// Connections that could not be made, or broke.
    pub disconnects: Option<u64>,
    /// `messages / window_s`.
    pub throughput_per_s: f64,
    /// How far the clients' views of the window lie apart.
    pub window_skew_us: Option<f64>,
    /// Each client's pause between a reply and the next request as it was; empty without.
    pub pause_mean_us: Option<f64>,
    /// `throughput_per_s` x (mean round trip + mean pause), over `clients`: 1 by Little's law.
    pub littles_law: Option<f64>,
    /// Jain's index of the clients' messages: 1 where all had the same.
    pub client_fairness: Option<f64>,
    /// The share that the slowest client had of all messages.
    pub slowest_client_share: Option<f64>,
    /// The share that the fastest client had.
    pub fastest_client_share: Option<f64>,
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
    /// Mean latency from when requests were due; empty for a closed loop.
    pub due_mean_us: Option<f64>,
    /// Median latency from when requests were due.
    pub due_p50_us: Option<f64>,
    /// 90 % of these are no longer.
    pub due_p90_us: Option<f64>,
    /// 99 % of these are no longer.
    pub due_p99_us: Option<f64>,
    /// 99.9 % of these are no longer.
    pub due_p999_us: Option<f64>,
    /// Longest latency from when a request was due.
    pub due_max_us: Option<f64>,
    /// Requests that the server answered, over the whole trial.
    pub server_accesses: Option<u64>,
    /// Requests that it could only answer by saying so.
    pub server_malformed: Option<u64>,
    /// Clients that it answered, told apart by their names.
    pub server_clients: Option<usize>,
    /// Its own account: answers per second from its first to its last.
    pub server_throughput_per_s: Option<f64>,
    /// Jain's index of what the server's workers answered, where its system has them.
    pub worker_fairness: Option<f64>,
    /// The share that the slowest worker had of all answers.
    pub slowest_worker_share: Option<f64>,
    /// The share that the fastest worker had.
    pub fastest_worker_share: Option<f64>,
    /// The server's user and system time in the window, per message.
    pub server_cpu_us_per_msg: Option<f64>,
    /// Of it, user time.
    pub server_user_us_per_msg: Option<f64>,
    /// Of it, system time.
    pub server_system_us_per_msg: Option<f64>,
    /// What the clients' process used, as for the server.
    pub client_cpu_us_per_msg: Option<f64>,
    /// Of it, user time.
    pub client_user_us_per_msg: Option<f64>,
    /// Of it, system time.
    pub client_system_us_per_msg: Option<f64>,
    /// The server's context switches in the window, per message.
    pub server_switches_per_msg: Option<f64>,
    /// Of these, those of threads that had to wait.
    pub server_voluntary_switches_per_msg: Option<f64>,
    /// Of these, those of threads that would have gone on.
    pub server_involuntary_switches_per_msg: Option<f64>,
    /// Those of the clients' process, as for the server.
    pub client_switches_per_msg: Option<f64>,
    /// Of these, those of threads that had to wait.
    pub client_voluntary_switches_per_msg: Option<f64>,
    /// Of these, those of threads that would have gone on.
    pub client_involuntary_switches_per_msg: Option<f64>,
    /// The server's user and system time in the window, over what its CPUs had to give.
    pub server_busy: Option<f64>,
    /// The same of the clients' process.
    pub client_busy: Option<f64>,
    /// The share of the window in which the server's CPUs did nothing, for anyone.
    pub server_cpus_idle: Option<f64>,
    /// The same of the clients' CPUs.
    pub client_cpus_idle: Option<f64>,
    /// The share of its CPUs that others had; empty where both sides share CPUs.
    pub server_cpus_others: Option<f64>,
    /// The same of the clients' CPUs.
    pub client_cpus_others: Option<f64>,
    /// The share of the server's CPUs that the hypervisor gave to other virtual machines.
    pub server_cpus_stolen: Option<f64>,
    /// The same of the clients' CPUs.
    pub client_cpus_stolen: Option<f64>,
    /// The counted time of one slice; empty without slices, as the next two.
    pub slice_ms: Option<f64>,
    /// Slices that count.
    pub slices: Option<u64>,
    /// Slices that were disturbed and do not count.
    pub slices_left_out: Option<u64>,
    /// The seed of the random order of contenders; empty without slices.
    pub seed: Option<u64>,
    /// What kept the throughput from being higher: server, client, host or latency.
    pub bound: Option<String>,
    /// The server's resident memory at the window's close.
    pub server_rss_mib: Option<f64>,
    /// The server's threads at the window's close.
    pub server_threads: Option<u64>,
    /// Whether every reply named the request that it answers.
    pub verified: bool,
    /// The CPUs' worth of time that a control group grants both sides; empty where none limits.
    pub cpu_quota: Option<f64>,
    /// When it started, RFC 3339, UTC.
    pub started_at: String,
    /// The machine of the clients.
    pub host: String,
    /// The contender's label; empty in rows of an older version.
    #[serde(default)]
    pub label: String,
    /// The CPUs that were asked for, for the server: auto, all, or a list.
    pub server_cpus_asked: Option<String>,
    /// The same for the clients.
    pub client_cpus_asked: Option<String>,
    /// The CPUs that the server may run on, as the kernel says.
    pub server_cpus: Option<String>,
    /// The CPUs that the clients may run on, as the kernel says.
    pub client_cpus: String,
    /// Why the trial does not hold.
    pub invalid_reason: Option<String>,
    /// What a reader should know of the trial, separated by semicolons.
    pub notes: Option<String>,
}
