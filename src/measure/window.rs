//! The window: the wall-clock interval in which a trial counts echoes.

use std::time::{Duration, Instant};

/// One window, common to all clients of a trial. It includes `open` and excludes `close`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Replies count from this instant on.
    pub open: Instant,
    /// Replies no longer count from this instant on.
    pub close: Instant,
}

/// The first and the last reply of one client inside the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplySpan {
    /// When the first reply arrived.
    pub first: Instant,
    /// When the last reply arrived.
    pub last: Instant,
}

impl Window {
    /// Creates the window of length `length` that opens at `now + warmup`.
    pub fn after(now: Instant, warmup: Duration, length: Duration) -> Self {
        let open = now + warmup;
        Window { open, close: open + length }
    }

    /// Whether an echo whose reply arrived at `at` counts.
    #[inline]
    pub fn contains(&self, at: Instant) -> bool {
        self.open <= at && at < self.close
    }

    /// Returns the window closed at `at`, if that is before `close`; `None` if the window had not
    /// opened by then.
    pub fn closed_early(self, at: Instant) -> Option<Self> {
        (at > self.open).then(|| Window { close: self.close.min(at), ..self })
    }

    /// Returns the largest difference between the first replies of any two clients, or between
    /// their last replies if that is larger. If all clients are served equally, the skew is at most
    /// about one round trip.
    pub fn skew(spans: &[ReplySpan]) -> Duration {
        let spread = |moment: fn(&ReplySpan) -> Instant| {
            let moments = || spans.iter().map(moment);
            moments().min().zip(moments().max()).map_or(Duration::ZERO, |(min, max)| max - min)
        };
        spread(|span| span.first).max(spread(|span| span.last))
    }

    /// Length of the window.
    pub fn length(&self) -> Duration {
        self.close - self.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_window_includes_open_and_excludes_close() {
        let start = Instant::now();
        let window = Window::after(start, SECOND, 2 * SECOND);
        let counted = [0, 999, 1000, 2999, 3000, 9000]
            .map(|ms| window.contains(start + Duration::from_millis(ms)));
        assert_eq!(counted, [false, false, true, true, false, false]);
        assert_eq!(window.length(), 2 * SECOND);
    }

    #[test]
    fn closing_early_shortens_the_window_and_never_extends_it() {
        let start = Instant::now();
        let window = Window::after(start, SECOND, 2 * SECOND);
        assert_eq!(window.closed_early(start + SECOND / 2), None);
        assert_eq!(window.closed_early(start + 2 * SECOND).map(|w| w.length()), Some(SECOND));
        assert_eq!(window.closed_early(start + 9 * SECOND), Some(window));
    }

    #[test]
    fn skew_is_the_larger_of_the_spreads_at_both_ends() {
        let start = Instant::now();
        let span = |first, last| ReplySpan {
            first: start + Duration::from_millis(first),
            last: start + Duration::from_millis(last),
        };
        let skew = |spans: &[ReplySpan]| Window::skew(spans).as_millis();
        assert_eq!(skew(&[span(1, 990), span(4, 992), span(2, 991)]), 3);
        assert_eq!(skew(&[span(1, 900), span(4, 992)]), 92);
        assert_eq!((skew(&[span(3, 9)]), skew(&[])), (0, 0));
    }
}
