//! Totals: the merged tallies of all clients of a trial.

use std::time::Duration;

use super::{ClientTally, ErrorCounts, Fairness, Moments, PacedCounts, Window};

/// The merged tallies of all clients.
///
/// `latency`, `from_due`, `paced`, `skew`, `fairness` and `mean_pause` cover the window. All other
/// counters cover the whole trial.
#[derive(Debug, Default, Clone)]
pub struct Totals {
    /// Round-trip times of the echoes that count, see [`ClientTally::latency`].
    pub latency: Moments,
    /// Latencies of the same echoes from their scheduled send time, and the ages of requests
    /// without a reply; empty for a closed loop.
    pub from_due: Moments,
    /// Counts of scheduled requests; all 0 for a closed loop.
    pub paced: PacedCounts,
    /// Skew of the window between clients, see [`Window::skew`]; `None` without messages.
    pub skew: Option<Duration>,
    /// Distribution of the messages among clients; `None` without messages.
    pub fairness: Option<Fairness>,
    /// Echoes that succeeded.
    pub completed: u64,
    /// Completed echoes whose reply did not name the request that it answers.
    pub unverified: u64,
    /// Echoes that failed after all retries.
    pub errors: u64,
    /// Sequences that were never acknowledged although a later one of the same client was.
    pub gaps: u64,
    /// Failed requests by kind, including requests that succeeded when retried.
    pub error_counts: ErrorCounts,
    /// Requests that the server may have answered in addition to the completed echoes, summed over
    /// the clients; see [`ErrorCounts::sent_in_vain`].
    pub sent_in_vain: u64,
    /// Mean pause between a reply and the next request; `None` without pauses.
    pub mean_pause: Option<Duration>,
    /// Error message of the first failed echo of the first client that had one.
    pub first_error: Option<String>,
    /// Whether a client stopped before the end of the trial, because it could not reconnect to its
    /// server.
    pub gave_up: bool,
}

impl Totals {
    /// Merges the tallies of all clients.
    pub fn from_tallies(tallies: &[ClientTally]) -> Self {
        let mut all = Totals::default();
        let (mut pauses, mut pause_sum) = (0, Duration::ZERO);
        for tally in tallies {
            all.latency.merge(&tally.latency);
            all.from_due.merge(&tally.from_due);
            all.paced.merge(&tally.paced);
            all.completed += tally.completed;
            all.unverified += tally.unverified;
            all.errors += tally.errors;
            all.gaps += tally.gaps();
            all.error_counts.merge(&tally.error_counts);
            all.sent_in_vain += tally.error_counts.sent_in_vain();
            all.gave_up |= tally.gave_up;
            pauses += tally.pauses.0;
            pause_sum += tally.pauses.1;
        }
        let spans: Vec<_> = tallies.iter().filter_map(|tally| tally.reply_span).collect();
        all.skew = (!spans.is_empty()).then(|| Window::skew(&spans));
        let messages: Vec<_> = tallies.iter().map(ClientTally::messages).collect();
        all.fairness = Fairness::from_counts(&messages);
        all.mean_pause = (pauses > 0).then(|| pause_sum.div_f64(pauses as f64));
        all.first_error = tallies.iter().find_map(|tally| tally.first_error.clone());
        all
    }

    /// Number of echoes that count, see [`ClientTally::latency`].
    pub fn messages(&self) -> u64 {
        self.latency.samples() + self.latency.out_of_range()
    }

    /// Number of replies that arrived inside the window. It differs from [`Totals::messages`] in an
    /// open loop only, whose echoes count by the time at which their requests were due.
    pub fn replies(&self) -> u64 {
        if self.paced == PacedCounts::default() { self.messages() } else { self.paced.answered }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::measure::{Distributions, EchoTimes};

    #[test]
    fn totals_sum_the_tallies_of_all_clients() {
        let start = Instant::now();
        let window = Window::after(start, Duration::ZERO, Duration::from_secs(1));
        let client = |echoes: u64, error_counts| {
            let mut tally = ClientTally::new("a client".to_owned());
            tally.error_counts = error_counts;
            for ms in 1..=echoes {
                let received = start + Duration::from_millis(ms);
                let times = EchoTimes { due: None, sent: start, received };
                tally.record_success(ms > 1, times, &window, &mut Distributions::default());
                tally.record_pause(Duration::from_millis(ms), received, &window);
            }
            tally
        };
        let timed_out = ErrorCounts {
            timeouts: 2,
            possibly_answered: 2,
            unanswered: 2,
            ..ErrorCounts::default()
        };
        let disconnected = ErrorCounts { disconnects: 1, ..ErrorCounts::default() };
        let all = Totals::from_tallies(&[client(1, timed_out), client(3, disconnected)]);
        assert_eq!((all.messages(), all.completed, all.unverified), (4, 4, 2));
        assert_eq!(
            (all.error_counts.timeouts, all.error_counts.disconnects, all.sent_in_vain),
            (2, 1, 2)
        );
        // Last replies after 1 ms and 3 ms; pauses of 1, 1, 2 and 3 ms.
        assert_eq!(all.skew, Some(Duration::from_millis(2)));
        assert_eq!(all.mean_pause, Some(Duration::from_micros(1750)));
        assert_eq!(all.fairness.map(|f| (f.slowest, f.fastest)), Some((0.25, 0.75)));
    }

    #[test]
    fn totals_of_no_clients_are_empty() {
        let empty = Totals::from_tallies(&[]);
        assert_eq!((empty.messages(), empty.skew, empty.mean_pause), (0, None, None));
    }
}
