//! What one thread counted. Tallies are merged after the threads have ended.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::{ErrorCounts, Moments, Percentiles, View, Window};

/// What a thread of a server counted.
#[derive(Debug, Default, Clone)]
pub struct ServerTally {
    /// Requests answered.
    pub accesses: u64,
    /// Requests that could not be answered but by saying so.
    pub malformed: u64,
    /// What each worker answered, in the order of their names; empty without workers.
    pub per_worker: Vec<u64>,
    senders: HashSet<String>,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl ServerTally {
    /// Counts a request of `sender` that was answered `at` this instant.
    #[inline]
    pub fn answered(&mut self, sender: &str, at: Instant) {
        self.accesses += 1;
        self.first.get_or_insert(at);
        self.last = Some(at);
        if !self.senders.contains(sender) {
            self.senders.insert(sender.to_owned());
        }
    }

    /// Takes in what another thread counted.
    pub fn merge(&mut self, other: ServerTally) {
        self.accesses += other.accesses;
        self.malformed += other.malformed;
        self.per_worker.extend(other.per_worker);
        self.senders.extend(other.senders);
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.into_iter().chain(other.last).max();
    }

    /// The number of senders that were answered, told apart by their names.
    pub fn clients(&self) -> usize {
        self.senders.len()
    }

    /// From the first answer to the last.
    pub fn duration(&self) -> Duration {
        match (self.first, self.last) {
            (Some(first), Some(last)) => last - first,
            _ => Duration::ZERO,
        }
    }

    /// Answers per second between the first and the last; 0 where those are one instant.
    pub fn throughput_per_s(&self) -> f64 {
        let seconds = self.duration().as_secs_f64();
        if seconds > 0.0 { self.accesses as f64 / seconds } else { 0.0 }
    }

    /// Answers per client; 0 without clients.
    pub fn mean(&self) -> f64 {
        if self.senders.is_empty() { 0.0 } else { self.accesses as f64 / self.clients() as f64 }
    }
}

/// What a thread counted that plays clients: one of them, or many.
#[derive(Debug, Default, Clone)]
pub struct PlayerTally {
    /// The clients, in their order.
    pub clients: Vec<ClientTally>,
    /// The distributions of all of them.
    pub distributions: Distributions,
}

/// What percentiles are taken of.
#[derive(Debug, Default, Clone)]
pub struct Distributions {
    /// Round-trip times, from the sending.
    pub rtt: Percentiles,
    /// Latencies from when requests were due, where they are due at times of their own.
    pub from_due: Option<Box<Percentiles>>,
    /// Round-trip times of the current slice in ns, until it is known whether the slice counts;
    /// `None` for a load that is not sliced. It holds one slice, so its size is bounded.
    slice: Option<Vec<u64>>,
}

impl Distributions {
    /// With room for those from the due time, if requests have one.
    pub fn new(paced: bool) -> Self {
        Distributions { from_due: paced.then(Box::default), ..Distributions::default() }
    }

    /// For a load in slices: round-trip times are recorded slice by slice.
    #[must_use]
    pub fn sliced(self) -> Self {
        /// 20 ms at 200,000 messages per second.
        const MESSAGES: usize = 4096;
        Distributions { slice: Some(Vec::with_capacity(MESSAGES)), ..self }
    }

    #[inline]
    fn record_rtt(&mut self, ns: u64) {
        match &mut self.slice {
            Some(slice) => slice.push(ns),
            None => self.rtt.record(ns),
        }
    }

    /// Ends a slice: its round-trip times are recorded if it is kept, and dropped otherwise.
    pub fn end_slice(&mut self, keep: bool) {
        let Some(slice) = &mut self.slice else { return };
        let rtt = &mut self.rtt;
        slice.drain(..).filter(|_| keep).for_each(|ns| rtt.record(ns));
    }

    /// Takes in what another thread counted.
    pub fn merge(&mut self, other: &Distributions) {
        self.rtt.merge(&other.rtt);
        if let Some(others) = &other.from_due {
            self.from_due.get_or_insert_default().merge(others);
        }
    }
}

/// An echo in time.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// When it was due; `None` where it was sent as soon as could be.
    pub due: Option<Instant>,
    /// When its request was sent first.
    pub sent: Instant,
    /// When its reply had come.
    pub received: Instant,
}

/// What a client counted. All but `latency` and `view` is over the whole trial, warm-up included.
#[derive(Debug, Default, Clone)]
pub struct ClientTally {
    /// The client's name.
    pub name: String,
    /// Round-trip times of the echoes that ended inside the window: as many as count.
    pub latency: Moments,
    /// Of the same echoes, the times from when they were due, where they were due.
    pub from_due: Moments,
    /// When the first and the last of these ended.
    pub view: Option<View>,
    /// Echoes that succeeded.
    pub completed: u64,
    /// Of those, echoes whose reply did not name the request that it answers.
    pub unverified: u64,
    /// Echoes that failed, after all retries.
    pub errors: u64,
    /// Of those, echoes that failed since the last success.
    trailing: u64,
    /// How many echoes had succeeded when the last one failed.
    completed_before_failure: u64,
    /// What went wrong with single requests.
    pub faults: ErrorCounts,
    /// Pauses between a reply and the next request that ended in the window, and their sum.
    pub pauses: (u64, Duration),
    /// Why the first echo that failed did so.
    pub first_error: Option<String>,
    /// The client stopped before the trial did: its server could not be reached again.
    pub gave_up: bool,
    /// What was counted before the current slice.
    before_slice: Counted,
}

/// The counts that a slice which is left out does not add to.
#[derive(Debug, Default, Clone, Copy)]
struct Counted {
    latency: Moments,
    view: Option<View>,
    pauses: (u64, Duration),
}

impl ClientTally {
    /// Of a client that has not begun.
    pub fn new(name: String) -> Self {
        ClientTally { name, ..ClientTally::default() }
    }

    /// The echoes that count: those whose reply arrived inside the window.
    pub fn messages(&self) -> u64 {
        self.latency.samples() + self.latency.out_of_range()
    }

    /// Counts an echo that succeeded, with its times if it ended in the window.
    #[inline]
    pub fn succeeded(
        &mut self,
        verified: bool,
        Times { due, sent, received }: Times,
        window: &Window,
        distributions: &mut Distributions,
    ) {
        self.completed += 1;
        self.unverified += u64::from(!verified);
        if window.contains(received) {
            if let Some(ns) = self.latency.record(received - sent) {
                distributions.record_rtt(ns);
            }
            if let (Some(due), Some(percentiles)) = (due, &mut distributions.from_due)
                && let Some(ns) = self.from_due.record(received - due)
            {
                percentiles.record(ns);
            }
            self.view.get_or_insert(View { first: received, last: received }).last = received;
        }
    }

    /// Ends a slice, and begins the next one: if it is not kept, what was counted in its window
    /// is forgotten. Counts over the whole trial stay.
    pub fn end_slice(&mut self, keep: bool) {
        if !keep {
            let Counted { latency, view, pauses } = self.before_slice;
            (self.latency, self.view, self.pauses) = (latency, view, pauses);
        }
        let (latency, view, pauses) = (self.latency, self.view, self.pauses);
        self.before_slice = Counted { latency, view, pauses };
    }

    /// The echoes counted in the window of the current slice.
    pub fn messages_of_slice(&self) -> u64 {
        let before = &self.before_slice.latency;
        self.messages() - before.samples() - before.out_of_range()
    }

    /// Counts an echo that failed, after all retries.
    pub fn failed(&mut self, why: String) {
        if self.completed > self.completed_before_failure {
            self.trailing = 0;
        }
        self.completed_before_failure = self.completed;
        self.trailing += 1;
        self.errors += 1;
        self.first_error.get_or_insert(why);
    }

    /// Sequences that were never acknowledged, though a later one was.
    pub fn gaps(&self) -> u64 {
        let overtaken = self.completed > self.completed_before_failure;
        if overtaken { self.errors } else { self.errors - self.trailing }
    }

    /// Counts a pause that ended at `end`, if that was in the window.
    #[inline]
    pub fn paused(&mut self, length: Duration, end: Instant, window: &Window) {
        if window.contains(end) {
            self.pauses.0 += 1;
            self.pauses.1 += length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(sent: Instant, received: Instant) -> Times {
        Times { due: None, sent, received }
    }

    #[test]
    fn a_server_counts_from_the_first_answer_to_the_last_over_all_threads() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut one = ServerTally::default();
        one.answered("a", at(1));
        one.answered("b", at(3));
        let mut two = ServerTally::default();
        two.answered("b", at(2));
        two.answered("b", at(5));
        one.merge(two);
        one.merge(ServerTally::default());
        assert_eq!((one.accesses, one.clients()), (4, 2));
        assert_eq!(one.duration(), Duration::from_secs(4));
        assert_eq!((one.throughput_per_s(), one.mean()), (1.0, 2.0));
    }

    #[test]
    fn a_server_that_answered_nothing_divides_by_nothing() {
        let none = ServerTally::default();
        assert_eq!((none.throughput_per_s(), none.mean()), (0.0, 0.0));
    }

    #[test]
    fn a_gap_is_a_failure_that_a_later_success_overtook() {
        let now = Instant::now();
        let window = Window::after(now, Duration::ZERO, Duration::from_secs(1));
        let gaps = |outcomes: &str| {
            let mut tally = ClientTally { completed: 1, ..ClientTally::default() };
            for outcome in outcomes.chars() {
                match outcome {
                    '+' => tally.succeeded(
                        true,
                        times(now, now),
                        &window,
                        &mut Distributions::default(),
                    ),
                    _ => tally.failed("lost".to_owned()),
                }
            }
            tally.gaps()
        };
        assert_eq!(["", "+++", "--", "--+", "-+--", "-+-+--+-"].map(gaps), [0, 0, 0, 2, 1, 4]);
    }

    #[test]
    fn a_slice_that_is_left_out_leaves_no_trace_but_in_the_totals() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let window = Window::after(start, Duration::ZERO, Duration::from_secs(1));
        let mut tally = ClientTally::default();
        let mut distributions = Distributions::default().sliced();
        for (rtt_ms, keep) in [(2, true), (50, false), (4, true)] {
            let times = times(at(100), at(100 + rtt_ms));
            tally.succeeded(true, times, &window, &mut distributions);
            assert_eq!(tally.messages_of_slice(), 1);
            distributions.end_slice(keep);
            tally.end_slice(keep);
        }
        assert_eq!((tally.messages(), tally.completed), (2, 3));
        assert_eq!(tally.latency.maximum_ns(), Some(4_000_000));
        assert_eq!(tally.messages_of_slice(), 0);
        let longest = distributions.rtt.quantile_ns(1.0).unwrap();
        assert!((4_000_000..4_010_000).contains(&longest), "{longest}");
    }

    #[test]
    fn only_what_ended_in_the_window_is_in_the_view() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let window = Window::after(start, Duration::from_millis(10), Duration::from_millis(10));
        let mut tally = ClientTally::default();
        for ms in [9, 11, 15, 19, 20] {
            let (sent, received) = (at(ms - 2), at(ms));
            tally.succeeded(true, times(sent, received), &window, &mut Distributions::default());
        }
        assert_eq!(tally.view, Some(View { first: at(11), last: at(19) }));
        assert_eq!((tally.messages(), tally.completed), (3, 5));
    }
}
