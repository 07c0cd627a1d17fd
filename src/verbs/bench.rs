//! `bench`: measures one point, as often as it is asked to, and leaves a row each time.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::progress::Bar;
use super::repeat::{Repeat, Spread};
use super::{Ending, provenance, signals, tell};
use crate::host;
use crate::load::Stop;
use crate::report::phrases::counted;
use crate::results::{CsvSink, Hgrm, JsonLines, Row, RunFile, ThreadRow, beside};
use crate::spec::{Driver, TrialSpec};
use crate::systems::System;
use crate::trial::{self, Trial};

/// What to measure.
pub struct Bench {
    /// The system.
    pub system: &'static dyn System,
    /// The first trial.
    pub spec: TrialSpec,
    /// How many there are.
    pub repeat: Repeat,
    /// Where to append the rows.
    pub csv: Option<PathBuf>,
    /// Where to append a line per client.
    pub results: Option<PathBuf>,
    /// Where to write the percentiles of latency.
    pub hgrm: Option<PathBuf>,
    /// The command line of this process.
    pub command: String,
    /// The command line of the script that called it, if one did.
    pub whole_run: Option<String>,
    /// Whether to keep the summary to oneself.
    pub quiet: bool,
}

/// What is written, opened before anything is measured.
struct Files {
    csv: Option<CsvSink<Row>>,
    threads: Option<CsvSink<ThreadRow>>,
    results: Option<JsonLines>,
    hgrm: Option<Hgrm>,
}

impl Bench {
    pub(super) fn run(mut self) -> Result<Ending> {
        let each = match self.spec.load.driver {
            Driver::Native => self.system.descriptors_per_client(),
            // A socket is all.
            Driver::Lean { .. } => 1,
        };
        host::check_file_limit(self.spec.load.clients.get(), each)?;
        let mut files = self.open_files()?;
        let stop = Stop::default();
        let interrupted = signals::set(&stop)?;
        let mut spread = Spread::default();
        let mut all_hold = true;
        loop {
            let trial = match self.measure(&stop) {
                Err(error) if interrupted.is_set() => {
                    tell(format_args!("echometer: {error:#}"));
                    return Ok(Ending::Interrupted);
                }
                trial => trial?,
            };
            files.append(&trial)?;
            self.tell(&trial, spread.trials() == 0);
            all_hold &= trial.row.valid && trial.row.errors == 0;
            spread.add(&trial.row);
            // Whoever else has set it, it is over for this trial only.
            stop.clear();
            if interrupted.is_set() {
                return Ok(Ending::Interrupted);
            }
            if self.repeat.is_over(&spread) {
                break;
            }
            self.spec.trial += 1;
        }
        if let Some(text) = self.repeat.summary(&spread).filter(|_| !self.quiet) {
            tell(text);
        }
        Ok(if all_hold { Ending::Done } else { Ending::Failed })
    }

    fn open_files(&self) -> Result<Files> {
        let csv = self.csv.as_deref();
        let threads = csv.and_then(|csv| beside(csv, "threads.csv"));
        let mut files = Files {
            csv: csv.map(CsvSink::open).transpose()?,
            threads: threads.as_deref().map(CsvSink::open).transpose()?,
            results: self.results.as_deref().map(JsonLines::open).transpose()?,
            hgrm: None,
        };
        // Beside the rows, which by now are there.
        if let Some(directory) = threads.as_deref().and_then(Path::parent) {
            let whole_run = self.whole_run.as_deref();
            let run = provenance::run(self.system, &self.spec, &self.command, whole_run)?;
            RunFile::of(directory).add(run)?;
        }
        // The last, since what it held is lost then.
        files.hgrm = self.hgrm.as_deref().map(Hgrm::open).transpose()?;
        Ok(files)
    }

    fn measure(&self, stop: &Stop) -> Result<Trial> {
        let Some(bar) = Bar::on_a_terminal(&self.spec.load) else {
            return trial::run(self.system, &self.spec, stop, None);
        };
        let trial = trial::run(self.system, &self.spec, stop, Some(&mut |done| bar.show(done)));
        bar.end();
        trial
    }

    /// Says what was measured, and what a reader should know. What holds for all trials of a
    /// point is said once.
    fn tell(&self, trial: &Trial, first: bool) {
        if !self.quiet {
            tell(summary(&trial.row));
        }
        for warning in &trial.warnings {
            if warning.is_grave() || (!self.quiet && (first || !warning.is_of_the_place())) {
                tell(format_args!("echometer: warning: {warning}"));
            }
        }
    }
}

impl Files {
    /// Appends to each, whatever becomes of the others.
    fn append(&mut self, trial: &Trial) -> Result<()> {
        let threads = self.threads.as_mut().map_or(Ok(()), |file| file.append(&trial.threads));
        let clients = self.results.as_mut().map_or(Ok(()), |file| file.append(&trial.clients));
        let (moments, percentiles) = &trial.latency;
        let hgrm = self.hgrm.as_mut().filter(|_| trial.row.valid);
        let hgrm = hgrm.map_or(Ok(()), |file| file.add(moments, percentiles));
        let row = std::slice::from_ref(&trial.row);
        // The row last, so that whoever sees it finds the others.
        let row = self.csv.as_mut().map_or(Ok(()), |file| file.append(row));
        row.and(threads).and(clients).and(hgrm)
    }
}

/// How much went wrong: errors and timeouts, and other kinds where there were any.
fn failures(row: &Row) -> String {
    let kinds = [
        ("repeat", row.repeats),
        ("stray", row.strays),
        ("malformed reply", row.malformed),
        ("refusal", row.refused),
        ("disconnect", row.disconnects),
    ];
    let kinds =
        kinds.into_iter().filter_map(|(kind, count)| Some((kind, count.filter(|n| *n > 0)?)));
    let always = [("error", row.errors), ("timeout", row.timeouts)];
    let each = always.into_iter().chain(kinds).map(|(kind, count)| counted(count, kind));
    each.collect::<Vec<_>>().join(", ")
}

/// The row in words: two lines, and before the second another where requests were due.
fn summary(row: &Row) -> String {
    let us = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |us| format!("{us:.1} us"));
    let due = row.rate_per_s.map_or_else(String::new, |rate| {
        format!(
            "at {rate:.0}/s, from when requests were due: p50 {}, p99 {}, max {}\n",
            us(row.due_p50_us),
            us(row.due_p99_us),
            us(row.due_max_us)
        )
    });
    format!(
        "{}, {}: {:.0} msg/s ({} in {:.2} s, {})\n\
         {due}rtt p50 {}, p99 {}, max {}; CPU per message: server {}, clients {}; bound: {}",
        row.system,
        counted(row.clients, "client"),
        row.throughput_per_s,
        counted(row.messages, "message"),
        row.window_s,
        failures(row),
        us(row.rtt_p50_us),
        us(row.rtt_p99_us),
        us(row.rtt_max_us),
        us(row.server_cpu_us_per_msg),
        us(row.client_cpu_us_per_msg),
        row.bound.as_deref().unwrap_or("?"),
    )
}
