//! Shows how far a trial is.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::spec::TrialSpec;

/// A bar over the warm-up and the counted time, with the rate since the clients began.
pub struct Bar {
    shown: ProgressBar,
    since: Instant,
    length: Duration,
    sliced: bool,
}

impl Bar {
    /// A bar, where stderr is a terminal.
    pub fn on_a_terminal(spec: &TrialSpec, contenders: usize) -> Option<Self> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        let sliced = spec.slice.is_some();
        let length = spec.load.warmup + spec.load.window;
        // Lead-ins and drains take about as long as half of the windows.
        let length = if sliced { length.mul_f64(1.5 * contenders as f64) } else { length };
        let bar = ProgressBar::new(u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {msg}") {
            bar.set_style(style);
        }
        Some(Bar { shown: bar, since: Instant::now(), length, sliced })
    }

    /// Shows the progress: completed echoes, or kept slices.
    pub fn show(&self, done: u64) {
        let past = self.since.elapsed();
        let left = self.length.saturating_sub(past).as_secs_f64();
        self.shown.set_position(u64::try_from(past.as_millis()).unwrap_or(u64::MAX));
        let message = if self.sliced {
            format!("{done} slices, about {left:.0} s left")
        } else {
            let rate = done as f64 / past.as_secs_f64();
            format!("{rate:.0} msg/s, {left:.0} s left")
        };
        self.shown.set_message(message);
    }

    /// Takes it away.
    pub fn end(self) {
        self.shown.finish_and_clear();
    }
}
