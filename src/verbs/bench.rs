//! `bench`: measures one point, and leaves its row.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Ending, signals};
use crate::host;
use crate::load::Stop;
use crate::results::{CsvSink, JsonLines, Row};
use crate::spec::{LoadSpec, TrialSpec};
use crate::systems::System;
use crate::trial::{self, Trial};

/// What to measure.
pub struct Bench {
    /// The system.
    pub system: &'static dyn System,
    /// The trial.
    pub spec: TrialSpec,
    /// Where to append the row.
    pub csv: Option<PathBuf>,
    /// Where to append a line per client.
    pub results: Option<PathBuf>,
    /// Whether to keep the summary to oneself.
    pub quiet: bool,
}

impl Bench {
    pub(super) fn run(self) -> Result<Ending> {
        let mut csv = self.csv.as_deref().map(CsvSink::open).transpose()?;
        let mut results = self.results.as_deref().map(JsonLines::open).transpose()?;
        let load = &self.spec.load;
        host::check_file_limit(load.clients.get(), self.system.descriptors_per_client())?;
        let stop = Stop::default();
        let interrupted = signals::set(&stop)?;
        let outcome = self.measure(&stop);
        let Trial { row, clients, first_error } = match outcome {
            Err(error) if interrupted.is_set() => {
                eprintln!("echometer: {error:#}");
                return Ok(Ending::Interrupted);
            }
            outcome => outcome?,
        };
        if let Some(csv) = &mut csv {
            csv.append(&row)?;
        }
        if let Some(results) = &mut results {
            results.append(&clients)?;
        }
        if !self.quiet {
            eprintln!("{}", summary(&row));
        }
        warn(&row, first_error);
        Ok(match (interrupted.is_set(), row.valid && row.errors == 0) {
            (true, _) => Ending::Interrupted,
            (false, true) => Ending::Done,
            (false, false) => Ending::Failed,
        })
    }

    fn measure(&self, stop: &Stop) -> Result<Trial> {
        if !std::io::stderr().is_terminal() {
            return trial::run(self.system, &self.spec, stop, None);
        }
        let bar = Bar::new(&self.spec.load);
        let trial = trial::run(self.system, &self.spec, stop, Some(&mut |done| bar.show(done)));
        bar.0.finish_and_clear();
        trial
    }
}

/// A bar over the warm-up and the window, with the rate since the clients began.
struct Bar(ProgressBar, Instant, Duration);

impl Bar {
    fn new(load: &LoadSpec) -> Self {
        let length = load.warmup + load.window;
        let bar = ProgressBar::new(u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {msg}") {
            bar.set_style(style);
        }
        Bar(bar, Instant::now(), length)
    }

    fn show(&self, completed: u64) {
        let Bar(bar, since, length) = self;
        let past = since.elapsed();
        let left = length.saturating_sub(past);
        bar.set_position(u64::try_from(past.as_millis()).unwrap_or(u64::MAX));
        let rate = completed as f64 / past.as_secs_f64();
        bar.set_message(format!("{rate:.0} msg/s, {:.0} s left", left.as_secs_f64()));
    }
}

/// The row in words: two lines.
fn summary(row: &Row) -> String {
    let us = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |us| format!("{us:.1} us"));
    let plural = if row.clients == 1 { "" } else { "s" };
    format!(
        "{}, {} client{plural}: {:.0} msg/s ({} messages in {:.2} s, {} errors, {} timeouts)\n\
         rtt p50 {}, p99 {}, max {}; CPU per message: server {}, clients {}; bound: {}",
        row.system,
        row.clients,
        row.throughput_per_s,
        row.messages,
        row.window_s,
        row.errors,
        row.timeouts,
        us(row.rtt_p50_us),
        us(row.rtt_p99_us),
        us(row.rtt_max_us),
        us(row.server_cpu_us_per_msg),
        us(row.client_cpu_us_per_msg),
        row.bound.as_deref().unwrap_or("?"),
    )
}

/// Says what a reader of the row should know.
fn warn(row: &Row, first_error: Option<String>) {
    let say = |text: String| eprintln!("echometer: warning: {text}");
    if let Some(reason) = &row.invalid_reason {
        say(format!("this trial is not valid: {reason}"));
    } else if row.errors > 0 {
        let why = first_error.unwrap_or_default();
        say(format!("{} echoes failed, the first of them so: {why}", row.errors));
    }
    if row.rtt_out_of_range > 0 {
        say(format!(
            "{} round trips were longer than 60 s; they count, but are in no percentile",
            row.rtt_out_of_range
        ));
    }
    if !row.verified && row.messages > 0 {
        say(
            "the server does not say which request it answers; its replies were counted unverified"
                .to_owned(),
        );
    }
}
