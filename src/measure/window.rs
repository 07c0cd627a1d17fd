//! The span of wall-clock time in which a trial counts echoes.

use std::time::{Duration, Instant};

/// One window, common to all clients of a trial: it contains its opening, not its closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From this instant on, echoes count.
    pub open: Instant,
    /// From this instant on, they no longer do.
    pub close: Instant,
}

/// What one client saw of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Its first reply that counted.
    pub first: Instant,
    /// Its last one.
    pub last: Instant,
}

impl Window {
    /// The window of length `length` that opens when `warmup` has passed since `now`.
    pub fn after(now: Instant, warmup: Duration, length: Duration) -> Self {
        let open = now + warmup;
        Window { open, close: open + length }
    }

    /// Whether an echo whose reply arrived at `at` counts.
    #[inline]
    pub fn contains(&self, at: Instant) -> bool {
        self.open <= at && at < self.close
    }

    /// The same window, closed at `at` if that is earlier than planned: `None` if it had
    /// not opened by then.
    pub fn cut(self, at: Instant) -> Option<Self> {
        (at > self.open).then(|| Window { close: self.close.min(at), ..self })
    }

    /// How far the clients' views of the window lie apart, at its opening or its closing,
    /// whichever is more: about one round trip at most, if all of them are served alike.
    pub fn skew(views: &[View]) -> Duration {
        let spread = |moment: fn(&View) -> Instant| {
            let moments = || views.iter().map(moment);
            moments().min().zip(moments().max()).map_or(Duration::ZERO, |(min, max)| max - min)
        };
        spread(|view| view.first).max(spread(|view| view.last))
    }

    /// How long the window is.
    pub fn length(&self) -> Duration {
        self.close - self.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_opening_counts_and_the_closing_does_not() {
        let start = Instant::now();
        let window = Window::after(start, SECOND, 2 * SECOND);
        let counted = [0, 999, 1000, 2999, 3000, 9000]
            .map(|ms| window.contains(start + Duration::from_millis(ms)));
        assert_eq!(counted, [false, false, true, true, false, false]);
        assert_eq!(window.length(), 2 * SECOND);
    }

    #[test]
    fn a_window_is_cut_but_never_stretched() {
        let start = Instant::now();
        let window = Window::after(start, SECOND, 2 * SECOND);
        assert_eq!(window.cut(start + SECOND / 2), None);
        assert_eq!(window.cut(start + 2 * SECOND).map(|w| w.length()), Some(SECOND));
        assert_eq!(window.cut(start + 9 * SECOND), Some(window));
    }

    #[test]
    fn the_skew_is_that_of_the_end_at_which_it_is_more() {
        let start = Instant::now();
        let view = |first, last| View {
            first: start + Duration::from_millis(first),
            last: start + Duration::from_millis(last),
        };
        let skew = |views: &[View]| Window::skew(views).as_millis();
        assert_eq!(skew(&[view(1, 990), view(4, 992), view(2, 991)]), 3);
        assert_eq!(skew(&[view(1, 900), view(4, 992)]), 92);
        assert_eq!((skew(&[view(3, 9)]), skew(&[])), (0, 0));
    }
}
