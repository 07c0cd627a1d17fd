//! `bench`: measures contenders in one or more trials, and writes the rows of each trial.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

use super::repeat::{Repeat, TrialStats};
use super::{Outcome, print_status, provenance, signals};
use crate::load::CancelToken;
use crate::os::host;
use crate::os::network::NetworkKind;
use crate::report::prose::phrases::pluralize;
use crate::results::{
    CsvSink, HgrmFile, HistogramRow, JsonLines, Row, RunFile, SliceRow, ThreadRow, sibling_file,
};
use crate::spec::{Driver, TrialSpec};
use crate::trial::{self, Contender, Trial};

/// Options of `bench`.
pub struct Bench {
    /// The servers under test; at least one.
    pub contenders: Vec<Contender>,
    /// The first trial.
    pub spec: TrialSpec,
    /// The network to create for the trials.
    pub network: NetworkKind,
    /// Number of trials.
    pub repeat: Repeat,
    /// CSV file to which rows are appended.
    pub csv: Option<PathBuf>,
    /// File to which one JSON line per client is appended.
    pub results: Option<PathBuf>,
    /// File for latency percentiles.
    pub hgrm: Option<PathBuf>,
    /// The command line of this process.
    pub command: String,
    /// The command that repeats the whole run, if this process is only a part of it.
    pub run_command: Option<String>,
    /// Whether to suppress the summary and minor warnings.
    pub quiet: bool,
}

/// The output files. All are opened before the first trial.
struct OutputFiles {
    csv: Option<CsvSink<Row>>,
    threads: Option<CsvSink<ThreadRow>>,
    slices: Option<CsvSink<SliceRow>>,
    histograms: Option<CsvSink<HistogramRow>>,
    results: Option<JsonLines>,
    hgrm: Option<HgrmFile>,
}

impl Bench {
    pub(super) fn run(mut self) -> Result<Outcome> {
        // Before anything else, so that every thread starts in the namespace of the clients.
        self.spec.network = self.network.create()?;
        host::check_file_limit(self.spec.load.clients.get(), self.descriptors_per_client())?;
        let mut files = self.open_files()?;
        let cancel = CancelToken::default();
        let interrupted = signals::cancel_on_signal(&cancel)?;
        let mut stats = vec![TrialStats::default(); self.contenders.len()];
        let mut all_succeeded = true;
        let mut rng = fastrand::Rng::with_seed(self.spec.seed);
        loop {
            let mut order: Vec<usize> = (0..self.contenders.len()).collect();
            rng.shuffle(&mut order);
            // In slices, all contenders are measured together.
            let groups: Vec<&[usize]> = match self.spec.slice {
                Some(_) => vec![&[]],
                None => order.chunks(1).collect(),
            };
            for group in groups {
                let trials = match self.measure(group.first().copied(), &cancel) {
                    Err(error) if interrupted.is_set() => {
                        print_status(format_args!("echometer: {error:#}"));
                        return Ok(Outcome::Interrupted);
                    }
                    trials => trials?,
                };
                files.append(&trials)?;
                all_succeeded &= self.record(&trials, &mut stats);
                // A dead server cancels only its own trial.
                cancel.clear();
                if interrupted.is_set() {
                    return Ok(Outcome::Interrupted);
                }
            }
            if stats.iter().all(|stats| self.repeat.is_done(stats)) {
                break;
            }
            self.spec.advance();
        }
        self.print_stats(&stats);
        Ok(if all_succeeded { Outcome::Done } else { Outcome::Failed })
    }

    /// Prints trials and adds them to the statistics of their contenders. Returns whether all are
    /// valid and without errors.
    fn record(&self, trials: &[Trial], stats: &mut [TrialStats]) -> bool {
        for trial in trials {
            let is_same = |contender: &Contender| contender.label == trial.row.label;
            let index = self.contenders.iter().position(is_same);
            self.print_trial(trial, index.is_none_or(|index| stats[index].trials() == 0));
            if let Some(index) = index {
                stats[index].add(&trial.row);
            }
        }
        trials.iter().all(|trial| trial.row.valid && trial.row.errors == 0)
    }

    fn descriptors_per_client(&self) -> u64 {
        let each = self.contenders.iter().map(|contender| match self.spec.load.driver {
            Driver::Native => contender.system.descriptors_per_client(),
            // Only the socket.
            Driver::Lean { .. } => 1,
        });
        // In slices, the clients of all contenders are connected at once.
        if self.spec.slice.is_some() { each.sum() } else { each.max().unwrap_or(1) }
    }

    fn open_files(&self) -> Result<OutputFiles> {
        let csv = self.csv.as_deref();
        let threads = csv.and_then(|csv| sibling_file(csv, "threads.csv"));
        let slices = csv.filter(|_| self.spec.slice.is_some());
        let slices = slices.and_then(|csv| sibling_file(csv, SliceRow::FILE_NAME));
        let histograms = csv.and_then(|csv| sibling_file(csv, HistogramRow::FILE_NAME));
        let mut files = OutputFiles {
            csv: csv.map(CsvSink::open).transpose()?,
            threads: threads.as_deref().map(CsvSink::open).transpose()?,
            slices: slices.as_deref().map(CsvSink::open).transpose()?,
            histograms: histograms.as_deref().map(CsvSink::open).transpose()?,
            results: self.results.as_deref().map(JsonLines::open).transpose()?,
            hgrm: None,
        };
        // run.json is written only after the CSV files could be opened.
        if let Some(directory) = threads.as_deref().and_then(Path::parent) {
            let run_command = self.run_command.as_deref();
            let run = provenance::run(&self.contenders, &self.spec, &self.command, run_command)?;
            RunFile::in_directory(directory).add(run)?;
        }
        // Opened last because this truncates the file.
        files.hgrm = self.hgrm.as_deref().map(HgrmFile::open).transpose()?;
        Ok(files)
    }

    /// Measures the contender with this index in one window, or all contenders in slices.
    fn measure(&self, index: Option<usize>, cancel: &CancelToken) -> Result<Vec<Trial>> {
        let (contenders, spec) = (&self.contenders, &self.spec);
        let run = |progress: trial::Progress<'_>| {
            if let Some(slice) = spec.slice {
                return trial::run_sliced(contenders, spec, slice, cancel, progress);
            }
            let contender = &contenders[index.unwrap_or_default()];
            let trial = trial::run(contender, spec, cancel, progress);
            let several = contenders.len() > 1;
            let trial = if several { trial.with_context(|| contender.name()) } else { trial };
            Ok(vec![trial?])
        };
        let Some(bar) = TrialBar::on_terminal(spec, contenders.len()) else { return run(None) };
        let trials = run(Some(&mut |done| bar.update(done)));
        bar.clear();
        trials
    }

    /// Prints the summary and the warnings of a trial. Warnings that apply to all trials are
    /// printed only with the first trial.
    fn print_trial(&self, trial: &Trial, first: bool) {
        if !self.quiet {
            print_status(summary(&trial.row));
        }
        let label = self.label_prefix(&trial.row.label);
        for warning in &trial.warnings {
            if warning.is_severe() || (!self.quiet && (first || !warning.applies_to_all_trials())) {
                print_status(format_args!("echometer: warning: {label}{warning}"));
            }
        }
    }

    fn print_stats(&self, stats: &[TrialStats]) {
        for (contender, stats) in self.contenders.iter().zip(stats) {
            if let Some(text) = self.repeat.summary(stats).filter(|_| !self.quiet) {
                print_status(format_args!("{}{text}", self.label_prefix(&contender.label)));
            }
        }
    }

    /// Returns `LABEL: `, or nothing for a single contender.
    fn label_prefix(&self, label: &str) -> String {
        if self.contenders.len() > 1 { format!("{label}: ") } else { String::new() }
    }
}

impl OutputFiles {
    /// Appends trials to each file, even if another file fails. Returns the first error.
    fn append(&mut self, trials: &[Trial]) -> Result<()> {
        let mut slices: Vec<_> = trials.iter().flat_map(|trial| trial.slices.clone()).collect();
        slices.sort_by_key(|slice| slice.started_at_us);
        let slices = self.slices.as_mut().map_or(Ok(()), |file| file.append(&slices));
        let threads: Vec<_> = trials.iter().flat_map(|trial| trial.threads.clone()).collect();
        let threads = self.threads.as_mut().map_or(Ok(()), |file| file.append(&threads));
        let histograms: Vec<_> = trials.iter().map(|trial| trial.histograms.clone()).collect();
        let histograms = self.histograms.as_mut().map_or(Ok(()), |file| file.append(&histograms));
        let clients: Vec<_> = trials.iter().flat_map(|trial| trial.clients.clone()).collect();
        let clients = self.results.as_mut().map_or(Ok(()), |file| file.append(&clients));
        let hgrm = self.hgrm.as_mut().map_or(Ok(()), |file| {
            let mut valid = trials.iter().filter(|trial| trial.row.valid);
            valid.try_for_each(|trial| file.add(&trial.latency.0, &trial.latency.1))
        });
        let rows: Vec<_> = trials.iter().map(|trial| trial.row.clone()).collect();
        // The rows are written last: a reader that finds a row also finds its other lines.
        let rows = self.csv.as_mut().map_or(Ok(()), |file| file.append(&rows));
        rows.and(slices).and(threads).and(histograms).and(clients).and(hgrm)
    }
}

/// Progress bar over the warm-up and the measured time, on stderr.
struct TrialBar {
    bar: ProgressBar,
    started: Instant,
    length: Duration,
    sliced: bool,
}

impl TrialBar {
    /// Returns a progress bar if stderr is a terminal.
    fn on_terminal(spec: &TrialSpec, contenders: usize) -> Option<Self> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        let sliced = spec.slice.is_some();
        let length = spec.load.warmup + spec.load.window;
        // Lead-ins and drains take about half as long as the windows.
        let length = if sliced { length.mul_f64(1.5 * contenders as f64) } else { length };
        let bar = ProgressBar::new(u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {msg}") {
            bar.set_style(style);
        }
        Some(TrialBar { bar, started: Instant::now(), length, sliced })
    }

    /// Shows the progress. `done` is the number of completed echoes, or of kept slices.
    fn update(&self, done: u64) {
        let elapsed = self.started.elapsed();
        let left = self.length.saturating_sub(elapsed).as_secs_f64();
        self.bar.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        let message = if self.sliced {
            format!("{done} slices, about {left:.0} s left")
        } else {
            let rate = done as f64 / elapsed.as_secs_f64();
            format!("{rate:.0} msg/s, {left:.0} s left")
        };
        self.bar.set_message(message);
    }

    fn clear(self) {
        self.bar.finish_and_clear();
    }
}

/// Returns the number of errors and timeouts, and of other failures that occurred.
fn failures(row: &Row) -> String {
    let kinds = [
        ("repeated reply", row.repeats),
        ("stray reply", row.strays),
        ("malformed reply", row.malformed),
        ("refused request", row.refused),
        ("disconnect", row.disconnects),
    ];
    let kinds =
        kinds.into_iter().filter_map(|(kind, count)| Some((kind, count.filter(|n| *n > 0)?)));
    let always = [("error", row.errors), ("timeout", row.timeouts)];
    let each = always.into_iter().chain(kinds).map(|(kind, count)| pluralize(count, kind));
    each.collect::<Vec<_>>().join(", ")
}

/// Returns the summary of a row: two lines, with one more line between them for an open loop.
fn summary(row: &Row) -> String {
    let us = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |us| format!("{us:.1} us"));
    let scheduled = row.rate_per_s.map_or_else(String::new, |rate| {
        format!(
            "offered {rate:.0}/s, latency from scheduled send time: p50 {}, p99 {}, max {}\n",
            us(row.due_p50_us),
            us(row.due_p99_us),
            us(row.due_max_us)
        )
    });
    let slices = row.slices.map_or_else(String::new, |kept| {
        let left_out = row.slices_left_out.filter(|count| *count > 0);
        let left_out = left_out.map_or_else(String::new, |count| format!(", {count} left out"));
        format!(" of {kept} slices{left_out}")
    });
    format!(
        "{}, {}: {:.0} msg/s ({} in {:.2} s{slices}, {})\n\
         {scheduled}rtt p50 {}, p99 {}, max {}; CPU per message: server {}, clients {}; bound: {}",
        row.label,
        pluralize(row.clients, "client"),
        row.throughput_per_s,
        pluralize(row.messages, "message"),
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
