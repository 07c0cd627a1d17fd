//! The row of `results.csv`: the only schema that analysis reads.

use serde::{Deserialize, Serialize};

use crate::measure::{is_rate_kept, is_schedule_kept};

/// Beginning of the `invalid_reason` of a trial without an undisturbed slice. Reports recognize such
/// trials by this text.
pub const ALL_DISTURBED: &str = "every slice was disturbed by steal or by other processes";

/// One trial. An unknown value is empty in the file, never 0.
///
/// `docs/method.md` defines each column. The unit is part of the name. Columns whose text may
/// contain a comma come last, so that `cut -d,` and `awk -F,` can read all other columns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Identifier of the run.
    pub run_id: String,
    /// Number of the pass over all points, from 1.
    pub trial: u32,
    /// Whether the trial ended normally and the counts of both sides agree.
    pub valid: bool,
    /// The system under test.
    pub system: String,
    /// Driver of the clients: `native` or `lean`.
    pub driver: String,
    /// Number of concurrent clients.
    pub clients: usize,
    /// Number of the server's worker threads; empty if its system has none.
    pub workers: Option<usize>,
    /// Transport between the server's proxy and workers; empty if its system has none.
    pub backend: Option<String>,
    /// Number of the server's completion queues; empty if its system has none.
    pub completion_queues: Option<usize>,
    /// Tuning of the server's library and threads; empty for a server that echometer did not start.
    pub tuning: Option<String>,
    /// Work of the server's handler for each request; empty for a server that echometer did not
    /// start.
    pub work: Option<String>,
    /// Mean time that the server's handler spent in the simulated service per request, over the
    /// whole trial; empty without work and for a server that echometer did not start.
    pub service_time_us: Option<f64>,
    /// Channels of the clients: `per-client` or `shared`; empty if their system has none.
    pub channels: Option<String>,
    /// Network between clients and server: `loopback` or `veth`; empty for a server that echometer
    /// did not start.
    pub network: Option<String>,
    /// Size of the request's text.
    pub payload_bytes: usize,
    /// Size to which the reply's text is padded; 0 means no padding.
    pub reply_bytes: u32,
    /// Requested pause between a reply and the client's next request.
    pub think_us: f64,
    /// Offered load in requests per second, summed over all clients; empty for a closed loop.
    pub rate_per_s: Option<f64>,
    /// Arrival process: `constant` or `poisson`; empty for a closed loop.
    pub arrivals: Option<String>,
    /// Requested time between the connection of all clients and the opening of the window.
    pub warmup_s: f64,
    /// Actual length of the window; in slices, the sum of the kept windows.
    pub window_s: f64,
    /// Echoes whose reply arrived inside the window or, with a rate, whose request was due inside
    /// it.
    pub messages: u64,
    /// Echoes that failed after all retries, over the whole trial.
    pub errors: u64,
    /// Requests without a reply within the timeout, over the whole trial.
    pub timeouts: u64,
    /// Requests that were never answered although a later one of the same client was.
    pub gaps: Option<u64>,
    /// Replies that acknowledged the previous request again.
    pub repeats: Option<u64>,
    /// Replies that acknowledged any other request.
    pub strays: Option<u64>,
    /// Replies that could not be decoded.
    pub malformed: Option<u64>,
    /// Timed-out requests whose reply arrived later.
    pub late: Option<u64>,
    /// Replies in which the server refused the request.
    pub refused: Option<u64>,
    /// Connections that could not be established, or that broke.
    pub disconnects: Option<u64>,
    /// `messages / window_s`.
    pub throughput_per_s: f64,
    /// Largest difference between the clients' first replies in the window, or between their last
    /// replies if that is larger.
    pub window_skew_us: Option<f64>,
    /// Mean of the actual pauses between a reply and the next request; empty without pauses.
    pub pause_mean_us: Option<f64>,
    /// `throughput_per_s` x (mean round trip + mean pause) / `clients`: 1 by Little's law.
    pub littles_law: Option<f64>,
    /// 99th percentile of the time from the return of `epoll_wait` to the handling of a reply that it
    /// reported; empty for the native driver.
    pub driver_lag_p99_us: Option<f64>,
    /// Age of the oldest request in flight at the close of the window, or of any kept slice; empty if
    /// there was none.
    pub oldest_in_flight_us: Option<f64>,
    /// Jain's index of the clients' messages: 1 if all clients have equally many.
    pub client_fairness: Option<f64>,
    /// Share of all messages that the slowest client has.
    pub slowest_client_share: Option<f64>,
    /// Share of all messages that the fastest client has.
    pub fastest_client_share: Option<f64>,
    /// Mean round-trip time.
    pub rtt_mean_us: Option<f64>,
    /// Shortest round-trip time.
    pub rtt_min_us: Option<f64>,
    /// Median round-trip time.
    pub rtt_p50_us: Option<f64>,
    /// 90th percentile of the round-trip time.
    pub rtt_p90_us: Option<f64>,
    /// 99th percentile of the round-trip time.
    pub rtt_p99_us: Option<f64>,
    /// 99.9th percentile of the round-trip time.
    pub rtt_p999_us: Option<f64>,
    /// Longest round-trip time, or age of a request in flight at the close if that is included in the
    /// percentiles.
    pub rtt_max_us: Option<f64>,
    /// Number of round-trip times below 1 ns or above 60 s; no other statistic includes them.
    pub rtt_out_of_range: u64,
    /// Mean latency from the scheduled send time; empty for a closed loop, like all `due_*`.
    pub due_mean_us: Option<f64>,
    /// Median of this latency.
    pub due_p50_us: Option<f64>,
    /// 90th percentile of this latency.
    pub due_p90_us: Option<f64>,
    /// 99th percentile of this latency.
    pub due_p99_us: Option<f64>,
    /// 99.9th percentile of this latency.
    pub due_p999_us: Option<f64>,
    /// Maximum of this latency.
    pub due_max_us: Option<f64>,
    /// Number of these latencies below 1 ns or above 60 s; no other statistic includes them.
    pub due_out_of_range: Option<u64>,
    /// Number of requests that the schedule placed inside the window; empty for a closed loop, like
    /// the next five columns.
    pub requests_due: Option<u64>,
    /// Number of these requests without a correct reply, although the clients waited after the
    /// close. They count in `due_*` at the age that they had reached.
    pub censored: Option<u64>,
    /// Requests due but not answered when the window opened.
    pub backlog_open: Option<u64>,
    /// Requests due but not answered when the window closed.
    pub backlog_close: Option<u64>,
    /// Share of the requests due in the window that were sent late, or never, because their client
    /// was still waiting for another reply.
    pub sent_late: Option<f64>,
    /// 99th percentile of the delay from the scheduled send time to the actual one.
    pub send_lag_p99_us: Option<f64>,
    /// Requests that the server answered, over the whole trial.
    pub server_accesses: Option<u64>,
    /// Malformed requests, which the server answered with an error.
    pub server_malformed: Option<u64>,
    /// Clients that the server answered, distinguished by name.
    pub server_clients: Option<usize>,
    /// The server's own measurement: answers per second from its first answer to its last.
    pub server_throughput_per_s: Option<f64>,
    /// Jain's index of the answers of the server's workers; empty without workers.
    pub worker_fairness: Option<f64>,
    /// Share of all answers that the slowest worker has.
    pub slowest_worker_share: Option<f64>,
    /// Share of all answers that the fastest worker has.
    pub fastest_worker_share: Option<f64>,
    /// CPU time (user and system) of the server in the window, per message.
    pub server_cpu_us_per_msg: Option<f64>,
    /// User time of the server per message.
    pub server_user_us_per_msg: Option<f64>,
    /// System time of the server per message.
    pub server_system_us_per_msg: Option<f64>,
    /// CPU time (user and system) of the clients' process in the window, per message.
    pub client_cpu_us_per_msg: Option<f64>,
    /// User time of the clients' process per message.
    pub client_user_us_per_msg: Option<f64>,
    /// System time of the clients' process per message.
    pub client_system_us_per_msg: Option<f64>,
    /// Context switches of the server in the window, per message.
    pub server_switches_per_msg: Option<f64>,
    /// Voluntary context switches of the server per message: the thread had to wait.
    pub server_voluntary_switches_per_msg: Option<f64>,
    /// Involuntary context switches of the server per message: the thread was preempted.
    pub server_involuntary_switches_per_msg: Option<f64>,
    /// Context switches of the clients' process in the window, per message.
    pub client_switches_per_msg: Option<f64>,
    /// Voluntary context switches of the clients' process per message.
    pub client_voluntary_switches_per_msg: Option<f64>,
    /// Involuntary context switches of the clients' process per message.
    pub client_involuntary_switches_per_msg: Option<f64>,
    /// CPU time of the server in the window, as a share of the time of its CPUs.
    pub server_busy: Option<f64>,
    /// CPU time of the clients' process, as a share of the time of its CPUs.
    pub client_busy: Option<f64>,
    /// CPU time of the server's busiest thread, as a share of the time of one CPU.
    pub server_busiest_thread: Option<f64>,
    /// Share of time in which the server's CPUs were idle.
    pub server_cpus_idle: Option<f64>,
    /// Share of time in which the clients' CPUs were idle.
    pub client_cpus_idle: Option<f64>,
    /// Share of the server's CPUs that other processes used; empty if both sides share CPUs.
    pub server_cpus_others: Option<f64>,
    /// Share of the clients' CPUs that other processes used; empty if both sides share CPUs.
    pub client_cpus_others: Option<f64>,
    /// Steal as a share of the time of the server's CPUs.
    pub server_cpus_stolen: Option<f64>,
    /// Steal as a share of the time of the clients' CPUs.
    pub client_cpus_stolen: Option<f64>,
    /// Counted time of one slice; empty without slices, like the next two columns.
    pub slice_ms: Option<f64>,
    /// Number of slices that count.
    pub slices: Option<u64>,
    /// Number of disturbed slices, which do not count.
    pub slices_left_out: Option<u64>,
    /// Seed of the random order of contenders or of the send times; empty for a closed loop without
    /// slices.
    pub seed: Option<u64>,
    /// Resource that limited throughput: `server`, `thread`, `client`, `host`, `latency` or
    /// `unclear`.
    pub bound: Option<String>,
    /// Resident memory of the server at the close of the window.
    pub server_rss_mib: Option<f64>,
    /// Number of the server's threads at the close of the window.
    pub server_threads: Option<u64>,
    /// Whether every reply named the request that it answers.
    pub verified: bool,
    /// CPU quota of a control group for both sides, in CPUs; empty without a quota.
    pub cpu_quota: Option<f64>,
    /// Start of the trial, RFC 3339, UTC.
    pub started_at: String,
    /// Host name of the clients' machine.
    pub host: String,
    /// Label of the contender; empty in rows of an older version.
    #[serde(default)]
    pub label: String,
    /// Requested CPUs of the server: `auto`, `all` or a list.
    pub server_cpus_asked: Option<String>,
    /// Requested CPUs of the clients: `auto`, `all` or a list.
    pub client_cpus_asked: Option<String>,
    /// CPUs of the server, as reported by the kernel.
    pub server_cpus: Option<String>,
    /// CPUs of the clients, as reported by the kernel.
    pub client_cpus: String,
    /// Reason why the trial is not valid.
    pub invalid_reason: Option<String>,
    /// Notes on the trial, separated by semicolons.
    pub notes: Option<String>,
}

impl Row {
    /// Number of replies that arrived inside the window, for a row with a rate: the requests that
    /// were due in it, more or fewer by the change of the backlog. `None` if a count is unknown.
    pub fn replies_in_window(&self) -> Option<u64> {
        let answered = self.requests_due?.saturating_add(self.backlog_open?);
        Some(answered.saturating_sub(self.backlog_close?))
    }

    /// Whether the offered load was sent and answered: the replies in the window are as many as the
    /// requests that were due in it. `None` for a closed loop.
    pub fn is_rate_kept(&self) -> Option<bool> {
        let rate_per_s = self.rate_per_s?;
        if let (Some(due), Some(replies)) = (self.requests_due, self.replies_in_window()) {
            return Some(is_schedule_kept(due, replies, self.clients));
        }
        let is_poisson = self.arrivals.as_deref() != Some("constant");
        Some(is_rate_kept(rate_per_s, self.throughput_per_s, self.window_s, is_poisson))
    }
}
