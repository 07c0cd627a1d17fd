//! How far a trial is, for who watches.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::spec::LoadSpec;

/// A bar over the warm-up and the window, with the rate since the clients began.
pub struct Bar {
    shown: ProgressBar,
    since: Instant,
    length: Duration,
}

impl Bar {
    /// A bar, where stderr is a terminal.
    pub fn on_a_terminal(load: &LoadSpec) -> Option<Self> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        let length = load.warmup + load.window;
        let bar = ProgressBar::new(u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {msg}") {
            bar.set_style(style);
        }
        Some(Bar { shown: bar, since: Instant::now(), length })
    }

    /// Shows that so many echoes have been completed.
    pub fn show(&self, completed: u64) {
        let past = self.since.elapsed();
        let left = self.length.saturating_sub(past);
        self.shown.set_position(u64::try_from(past.as_millis()).unwrap_or(u64::MAX));
        let rate = completed as f64 / past.as_secs_f64();
        self.shown.set_message(format!("{rate:.0} msg/s, {:.0} s left", left.as_secs_f64()));
    }

    /// Takes it away.
    pub fn end(self) {
        self.shown.finish_and_clear();
    }
}
