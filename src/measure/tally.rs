//! What one thread counted. Tallies are merged after the threads have ended.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::Latency;

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

/// What a client counted. All but `latency` is over the whole trial, warm-up included.
#[derive(Debug, Default, Clone)]
pub struct ClientTally {
    /// The client's name.
    pub name: String,
    /// Round-trip times of the echoes that ended inside the window: as many as count.
    pub latency: Latency,
    /// Echoes that succeeded.
    pub completed: u64,
    /// Of those, echoes whose reply did not name the request that it answers.
    pub unverified: u64,
    /// Echoes that failed, after all retries.
    pub errors: u64,
    /// Waits for a reply that ended without one, whether or not a retry then succeeded.
    pub timeouts: u64,
    /// Requests that were sent and whose reply did not come, or was wrong: of these, and of
    /// these only, the server may have answered some that are not in `completed`.
    pub failed_attempts: u64,
    /// Why the first echo that failed did so.
    pub first_error: Option<String>,
    /// The client stopped before the trial did: its server could not be reached again.
    pub gave_up: bool,
}

impl ClientTally {
    /// The echoes that count: those whose reply arrived inside the window.
    pub fn messages(&self) -> u64 {
        self.latency.samples() + self.latency.out_of_range()
    }

    /// Counts an echo that succeeded, with its round-trip time if it ended in the window.
    #[inline]
    pub fn succeeded(&mut self, verified: bool, rtt: Duration, in_window: bool) {
        self.completed += 1;
        self.unverified += u64::from(!verified);
        if in_window {
            self.latency.record(rtt);
        }
    }

    /// Counts an echo that failed, after all retries.
    pub fn failed(&mut self, why: String) {
        self.errors += 1;
        self.first_error.get_or_insert(why);
    }

    /// Takes in what another client counted; the name stays.
    pub fn merge(&mut self, other: &ClientTally) {
        self.latency.merge(&other.latency);
        self.completed += other.completed;
        self.unverified += other.unverified;
        self.errors += other.errors;
        self.timeouts += other.timeouts;
        self.failed_attempts += other.failed_attempts;
        if self.first_error.is_none() {
            self.first_error.clone_from(&other.first_error);
        }
        self.gave_up |= other.gave_up;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
