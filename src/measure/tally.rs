//! Tallies: the counters of one thread. They are merged after the threads have ended.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::{
    DriverLag, DueTimes, ErrorCounts, InFlight, LatencyHistogram, Moments, PacedCounts, ReplySpan,
    Window,
};

/// The counters of one server thread.
#[derive(Debug, Default, Clone)]
pub struct ServerTally {
    /// Requests answered.
    pub accesses: u64,
    /// Malformed requests, which were answered with an error.
    pub malformed: u64,
    /// Requests answered by each worker, ordered by worker name; empty without workers.
    pub per_worker: Vec<u64>,
    /// Sum of the simulated service times of these requests, as measured.
    pub service_time: Duration,
    senders: HashSet<String>,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl ServerTally {
    /// Counts a request of `sender` that was answered at `at`.
    #[inline]
    pub fn record_answer(&mut self, sender: &str, at: Instant) {
        self.accesses += 1;
        self.first.get_or_insert(at);
        self.last = Some(at);
        if !self.senders.contains(sender) {
            self.senders.insert(sender.to_owned());
        }
    }

    /// Adds the counters of another thread.
    pub fn merge(&mut self, other: ServerTally) {
        self.accesses += other.accesses;
        self.malformed += other.malformed;
        self.service_time += other.service_time;
        self.per_worker.extend(other.per_worker);
        self.senders.extend(other.senders);
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.into_iter().chain(other.last).max();
    }

    /// Number of clients that were answered, distinguished by sender name.
    pub fn clients(&self) -> usize {
        self.senders.len()
    }

    /// Time from the first answer to the last.
    pub fn duration(&self) -> Duration {
        match (self.first, self.last) {
            (Some(first), Some(last)) => last - first,
            _ => Duration::ZERO,
        }
    }

    /// Answers per second of [`ServerTally::duration`]; 0 if that is zero.
    pub fn throughput_per_s(&self) -> f64 {
        let seconds = self.duration().as_secs_f64();
        if seconds > 0.0 { self.accesses as f64 / seconds } else { 0.0 }
    }

    /// Mean simulated service time per answer in us; `None` if the server simulated none.
    pub fn service_time_us(&self) -> Option<f64> {
        let sum_us = self.service_time.as_secs_f64() * 1e6;
        (sum_us > 0.0 && self.accesses > 0).then(|| sum_us / self.accesses as f64)
    }

    /// Mean number of answers per client; 0 without clients.
    pub fn mean(&self) -> f64 {
        if self.senders.is_empty() { 0.0 } else { self.accesses as f64 / self.clients() as f64 }
    }
}

/// The counters of one client thread, which runs one or many clients.
#[derive(Debug, Default, Clone)]
pub struct ClientThreadTally {
    /// One tally per client, in order of their index.
    pub clients: Vec<ClientTally>,
    /// Latencies of all clients of the thread.
    pub distributions: Distributions,
}

/// The latency distributions of one thread.
#[derive(Debug, Default, Clone)]
pub struct Distributions {
    /// Round-trip times.
    pub rtt: LatencyHistogram,
    /// Latencies from the scheduled send time of each request; `None` for a closed loop.
    pub from_due: Option<Box<LatencyHistogram>>,
    /// Lags of the lean driver; `None` for the native driver.
    pub driver_lag: Option<Box<DriverLag>>,
    /// Requests in flight at the close of the window or of the kept slices.
    pub in_flight: InFlight,
    /// Delays from the scheduled send time to the actual one; `None` for a closed loop.
    pub send_lag: Option<Box<LatencyHistogram>>,
    /// Round-trip times of the current slice in ns, held until the slice is kept or left out;
    /// `None` for a load without slices. One slice bounds the size.
    slice: Option<Vec<u64>>,
}

impl Distributions {
    /// Creates empty distributions; `paced` adds [`Distributions::from_due`] and
    /// [`Distributions::send_lag`].
    pub fn new(paced: bool) -> Self {
        let histogram = || paced.then(Box::default);
        Distributions { from_due: histogram(), send_lag: histogram(), ..Distributions::default() }
    }

    /// Records round-trip times slice by slice, for a load with slices.
    #[must_use]
    pub fn sliced(self) -> Self {
        /// Enough for 20 ms at 200,000 messages per second.
        const CAPACITY: usize = 4096;
        let mut driver_lag = self.driver_lag;
        if let Some(lag) = &mut driver_lag {
            lag.use_slices(CAPACITY);
        }
        Distributions { slice: Some(Vec::with_capacity(CAPACITY)), driver_lag, ..self }
    }

    /// Adds [`Distributions::driver_lag`]. To be called before [`Distributions::sliced`].
    #[must_use]
    pub fn with_driver_lag(self) -> Self {
        Distributions { driver_lag: Some(Box::default()), ..self }
    }

    #[inline]
    fn record_rtt(&mut self, ns: u64) {
        match &mut self.slice {
            Some(slice) => slice.push(ns),
            None => self.rtt.record(ns),
        }
    }

    /// Records the lag of a reply that was handled at `now`, if that is inside the window.
    #[inline]
    pub fn record_driver_lag(&mut self, epoll_returned: Instant, now: Instant, window: &Window) {
        if let Some(lag) = self.driver_lag.as_mut().filter(|_| window.contains(now)) {
            lag.record(now - epoll_returned);
        }
    }

    /// Ends a slice: records its round-trip times if the slice is kept, and drops them otherwise.
    pub fn end_slice(&mut self, keep: bool) {
        self.in_flight.end_slice(keep);
        if let Some(lag) = &mut self.driver_lag {
            lag.end_slice(keep);
        }
        let Some(slice) = &mut self.slice else { return };
        let rtt = &mut self.rtt;
        slice.drain(..).filter(|_| keep).for_each(|ns| rtt.record(ns));
    }

    /// Adds the latencies of another thread.
    pub fn merge(&mut self, other: &Distributions) {
        self.rtt.merge(&other.rtt);
        if let Some(from_due) = &other.from_due {
            self.from_due.get_or_insert_default().merge(from_due);
        }
        if let Some(lag) = &other.driver_lag {
            self.driver_lag.get_or_insert_default().merge(lag);
        }
        self.in_flight.merge(&other.in_flight);
        if let Some(send_lag) = &other.send_lag {
            self.send_lag.get_or_insert_default().merge(send_lag);
        }
    }
}

/// The timestamps of one echo.
#[derive(Debug, Clone, Copy)]
pub struct EchoTimes {
    /// Scheduled send time; `None` for a closed loop.
    pub due: Option<DueTimes>,
    /// When the request was first sent.
    pub sent: Instant,
    /// When the reply was received.
    pub received: Instant,
}

/// The counters of one client.
///
/// `latency`, `from_due`, `reply_span`, `pauses` and `paced` cover the window. All other counters
/// cover the whole trial, including the warm-up.
#[derive(Debug, Default, Clone)]
pub struct ClientTally {
    /// The client's name.
    pub name: String,
    /// Round-trip times of the echoes that count: those whose reply arrived inside the window or,
    /// in an open loop, whose request was due inside it.
    pub latency: Moments,
    /// Latencies of the same echoes from their scheduled send time, and the ages of requests
    /// without a reply; empty for a closed loop.
    pub from_due: Moments,
    /// Counts of scheduled requests; all 0 for a closed loop.
    pub paced: PacedCounts,
    /// When the first and the last of these replies arrived.
    pub reply_span: Option<ReplySpan>,
    /// Echoes that succeeded.
    pub completed: u64,
    /// Completed echoes whose reply did not name the request that it answers.
    pub unverified: u64,
    /// Echoes that failed after all retries.
    pub errors: u64,
    /// Echoes that failed since the last success.
    trailing_errors: u64,
    /// Value of `completed` when the last echo failed.
    completed_before_failure: u64,
    /// Failed requests by kind, including requests that succeeded when retried.
    pub error_counts: ErrorCounts,
    /// Number and sum of the pauses (from a reply to the next request) that ended in the window.
    pub pauses: (u64, Duration),
    /// Error message of the first failed echo.
    pub first_error: Option<String>,
    /// Whether the client stopped before the end of the trial, because it could not reconnect to
    /// its server.
    pub gave_up: bool,
    /// The window's counters at the beginning of the current slice.
    before_slice: WindowCounters,
}

/// The counters to which a slice that is left out does not contribute.
#[derive(Debug, Default, Clone, Copy)]
struct WindowCounters {
    latency: Moments,
    reply_span: Option<ReplySpan>,
    pauses: (u64, Duration),
}

impl ClientTally {
    /// Creates the tally of a client that has not started.
    pub fn new(name: String) -> Self {
        ClientTally { name, ..ClientTally::default() }
    }

    /// Number of echoes that count, see [`ClientTally::latency`].
    pub fn messages(&self) -> u64 {
        self.latency.samples() + self.latency.out_of_range()
    }

    /// Counts an echo that succeeded. Its latency counts if the reply arrived inside the window or,
    /// in an open loop, if the request was due inside it.
    #[inline]
    pub fn record_success(
        &mut self,
        verified: bool,
        EchoTimes { due, sent, received }: EchoTimes,
        window: &Window,
        distributions: &mut Distributions,
    ) {
        self.completed += 1;
        self.unverified += u64::from(!verified);
        if window.contains(due.map_or(received, |times| times.due))
            && let Some(ns) = self.latency.record(received - sent)
        {
            distributions.record_rtt(ns);
        }
        if let Some(times) = due {
            self.paced.answered += u64::from(window.contains(received));
            self.record_scheduled(times, sent, received, window, distributions);
        }
        if window.contains(received) {
            let span = ReplySpan { first: received, last: received };
            self.reply_span.get_or_insert(span).last = received;
        } else {
            distributions.in_flight.record(sent, received, window);
        }
    }

    /// Counts a scheduled request without a correct reply: it failed at `ended`, or the load ended
    /// then. Its latency is at least its age at the close of the window, or at `ended` if that is
    /// later. `sent` is `None` if it was never sent.
    pub fn record_unanswered(
        &mut self,
        times: DueTimes,
        sent: Option<Instant>,
        ended: Instant,
        window: &Window,
        distributions: &mut Distributions,
    ) {
        let ended = ended.max(window.close);
        self.paced.censored += u64::from(window.contains(times.due));
        self.record_scheduled(times, sent.unwrap_or(ended), ended, window, distributions);
    }

    /// Counts a scheduled request that was sent at `sent` and ended at `ended`.
    #[inline]
    fn record_scheduled(
        &mut self,
        times: DueTimes,
        sent: Instant,
        ended: Instant,
        window: &Window,
        distributions: &mut Distributions,
    ) {
        self.paced.record_end(times.due, ended, window);
        if !window.contains(times.due) {
            return;
        }
        self.paced.sent_late += u64::from(times.was_waiting);
        if let Some(histogram) = &mut distributions.send_lag {
            histogram.record_saturating(times.until(sent));
        }
        if let Some(histogram) = &mut distributions.from_due
            && let Some(ns) = self.from_due.record(times.until(ended))
        {
            histogram.record(ns);
        }
    }

    /// Ends a slice and begins the next one. If the slice is not kept, its contribution to the
    /// window's counters is removed. Counters of the whole trial do not change.
    pub fn end_slice(&mut self, keep: bool) {
        if !keep {
            let WindowCounters { latency, reply_span, pauses } = self.before_slice;
            (self.latency, self.reply_span, self.pauses) = (latency, reply_span, pauses);
        }
        let (latency, reply_span, pauses) = (self.latency, self.reply_span, self.pauses);
        self.before_slice = WindowCounters { latency, reply_span, pauses };
    }

    /// Number of echoes counted in the window of the current slice.
    pub fn slice_messages(&self) -> u64 {
        let before = &self.before_slice.latency;
        self.messages() - before.samples() - before.out_of_range()
    }

    /// Counts an echo that failed after all retries, with its error message.
    pub fn record_failure(&mut self, message: String) {
        if self.completed > self.completed_before_failure {
            self.trailing_errors = 0;
        }
        self.completed_before_failure = self.completed;
        self.trailing_errors += 1;
        self.errors += 1;
        self.first_error.get_or_insert(message);
    }

    /// Number of sequences that were never acknowledged although a later one was.
    pub fn gaps(&self) -> u64 {
        let succeeded_since = self.completed > self.completed_before_failure;
        if succeeded_since { self.errors } else { self.errors - self.trailing_errors }
    }

    /// Counts a pause if its `end` is inside the window.
    #[inline]
    pub fn record_pause(&mut self, length: Duration, end: Instant, window: &Window) {
        if window.contains(end) {
            self.pauses.0 += 1;
            self.pauses.1 += length;
        }
    }
}

#[cfg(test)]
mod tests;
