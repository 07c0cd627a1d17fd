//! Requests with scheduled send times (open loop): counts by due time.

use std::time::{Duration, Instant};

use super::Window;

/// Counts of a client's scheduled requests. A request belongs to the window in which it was due,
/// whenever its reply arrived.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PacedCounts {
    /// Requests due inside the window.
    pub due: u64,
    /// Replies that arrived inside the window, whenever their requests were due.
    pub answered: u64,
    /// Requests due inside the window without a correct reply.
    pub censored: u64,
    /// Requests due before the window opened and not answered by then.
    pub backlog_open: u64,
    /// Requests due before the window closed and not answered by then.
    pub backlog_close: u64,
    /// Requests due inside the window that were sent late, or never, because the client was still
    /// waiting for another reply.
    pub sent_late: u64,
}

impl PacedCounts {
    /// Counts a request that ended at `ended`: it was answered, it failed, or the load ended.
    #[inline]
    pub fn record_end(&mut self, due: Instant, ended: Instant, window: &Window) {
        self.due += u64::from(window.contains(due));
        self.backlog_open += u64::from(due < window.open && ended >= window.open);
        self.backlog_close += u64::from(due < window.close && ended >= window.close);
    }

    /// Adds the counts of another client.
    pub fn merge(&mut self, other: &PacedCounts) {
        self.due += other.due;
        self.answered += other.answered;
        self.censored += other.censored;
        self.backlog_open += other.backlog_open;
        self.backlog_close += other.backlog_close;
        self.sent_late += other.sent_late;
    }
}

/// The times of a request that has a scheduled send time.
#[derive(Debug, Clone, Copy)]
pub struct DueTimes {
    /// When it was due.
    pub due: Instant,
    /// Whether its client was still waiting for another reply then.
    pub was_waiting: bool,
}

impl DueTimes {
    /// Describes a request due at `due`. `received` is when the client's previous reply arrived,
    /// if there was one in this window or its warm-up.
    #[inline]
    pub fn new(due: Instant, received: Option<Instant>) -> Self {
        DueTimes { due, was_waiting: received.is_some_and(|received| received > due) }
    }

    /// Time from the due time to `at`; zero if `at` is earlier.
    #[inline]
    pub fn until(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_where_it_was_due_and_as_backlog_where_it_was_open() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let window = Window::after(start, Duration::from_millis(100), Duration::from_millis(100));
        let mut counts = PacedCounts::default();
        // (due, ended): in the warm-up; across the opening; across both ends; inside; across the
        // close; after the close.
        for (due, ended) in [(10, 20), (90, 100), (99, 250), (100, 150), (199, 200), (200, 210)] {
            counts.record_end(at(due), at(ended), &window);
        }
        let expected =
            PacedCounts { due: 2, backlog_open: 2, backlog_close: 2, ..PacedCounts::default() };
        assert_eq!(counts, expected);
    }

    #[test]
    fn a_client_was_waiting_if_its_previous_reply_arrived_after_the_due_time() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let waiting = |received| DueTimes::new(at(10), received).was_waiting;
        assert!(waiting(Some(at(11))));
        assert!(!waiting(Some(at(9))) && !waiting(None));
        assert_eq!(DueTimes::new(at(10), None).until(at(13)), Duration::from_millis(3));
        assert_eq!(DueTimes::new(at(10), None).until(at(9)), Duration::ZERO);
    }
}
