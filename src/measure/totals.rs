//! What the clients of a trial counted, together.

use std::time::Duration;

use super::{ClientTally, ErrorCounts, Fairness, Moments, Window};

/// The tallies of all clients, merged.
#[derive(Debug, Default, Clone)]
pub struct Totals {
    /// Round-trip times of the echoes that ended inside the window: as many as count.
    pub latency: Moments,
    /// Of the same echoes, the times from when they were due, where they were due.
    pub from_due: Moments,
    /// How far the clients' views of the window lie apart; `None` if none saw it.
    pub skew: Option<Duration>,
    /// How the echoes that count were shared out.
    pub fairness: Option<Fairness>,
    /// Echoes that succeeded, over the whole trial, as all that follows.
    pub completed: u64,
    /// Of those, echoes whose reply did not name the request that it answers.
    pub unverified: u64,
    /// Echoes that failed, after all retries.
    pub errors: u64,
    /// Sequences that were never acknowledged, though a later one of that client was.
    pub gaps: u64,
    /// What went wrong with single requests.
    pub faults: ErrorCounts,
    /// Clients that may have had a request in flight when they stopped: those with a request
    /// whose reply did not come, or was wrong.
    pub in_flight: u64,
    /// The mean pause between a reply and the next request; `None` without pauses.
    pub mean_pause: Option<Duration>,
    /// Why the first echo that failed did so.
    pub first_error: Option<String>,
    /// A client stopped before the trial did: its server could not be reached again.
    pub gave_up: bool,
}

impl Totals {
    /// Merges what the clients counted.
    pub fn of(tallies: &[ClientTally]) -> Self {
        let mut all = Totals::default();
        let (mut pauses, mut away) = (0, Duration::ZERO);
        for tally in tallies {
            all.latency.merge(&tally.latency);
            all.from_due.merge(&tally.from_due);
            all.completed += tally.completed;
            all.unverified += tally.unverified;
            all.errors += tally.errors;
            all.gaps += tally.gaps();
            all.faults.merge(&tally.faults);
            all.in_flight += u64::from(tally.faults.sent > 0);
            all.gave_up |= tally.gave_up;
            pauses += tally.pauses.0;
            away += tally.pauses.1;
        }
        let views: Vec<_> = tallies.iter().filter_map(|tally| tally.view).collect();
        all.skew = (!views.is_empty()).then(|| Window::skew(&views));
        all.fairness = Fairness::of(&tallies.iter().map(ClientTally::messages).collect::<Vec<_>>());
        all.mean_pause = (pauses > 0).then(|| away.div_f64(pauses as f64));
        all.first_error = tallies.iter().find_map(|tally| tally.first_error.clone());
        all
    }

    /// The echoes that count: those whose reply arrived inside the window.
    pub fn messages(&self) -> u64 {
        self.latency.samples() + self.latency.out_of_range()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::measure::{Distributions, Times};

    #[test]
    fn counts_are_added_up_and_shares_taken() {
        let start = Instant::now();
        let window = Window::after(start, Duration::ZERO, Duration::from_secs(1));
        let client = |echoes: u64, faults| {
            let mut tally = ClientTally::new("a client".to_owned());
            tally.faults = faults;
            for ms in 1..=echoes {
                let received = start + Duration::from_millis(ms);
                let times = Times { due: None, sent: start, received };
                tally.succeeded(ms > 1, times, &window, &mut Distributions::default());
                tally.paused(Duration::from_millis(ms), received, &window);
            }
            tally
        };
        let faulty = ErrorCounts { timeouts: 2, sent: 2, ..ErrorCounts::default() };
        let unreached = ErrorCounts { disconnects: 1, ..ErrorCounts::default() };
        let all = Totals::of(&[client(1, faulty), client(3, unreached)]);
        assert_eq!((all.messages(), all.completed, all.unverified), (4, 4, 2));
        assert_eq!((all.faults.timeouts, all.faults.disconnects, all.in_flight), (2, 1, 1));
        // Last replies after 1 ms and 3 ms; pauses of 1, 1, 2 and 3 ms.
        assert_eq!(all.skew, Some(Duration::from_millis(2)));
        assert_eq!(all.mean_pause, Some(Duration::from_micros(1750)));
        assert_eq!(all.fairness.map(|f| (f.slowest, f.fastest)), Some((0.25, 0.75)));
    }

    #[test]
    fn nobody_counted_nothing() {
        let none = Totals::of(&[]);
        assert_eq!((none.messages(), none.skew, none.mean_pause), (0, None, None));
    }
}
