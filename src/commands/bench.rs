//! `bench`: measures its contenders, as often as it is asked to, and writes rows each time.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::progress::Bar;
use super::repeat::{Repeat, Spread};
use super::{Ending, provenance, signals, tell};
use crate::load::CancelToken;
use crate::os::host;
use crate::report::prose::phrases::counted;
use crate::results::{CsvSink, Hgrm, JsonLines, Row, RunFile, SliceRow, ThreadRow, beside};
use crate::spec::{Driver, TrialSpec};
use crate::trial::{self, Contender, Trial};

/// What to measure.
pub struct Bench {
    /// The servers under test; at least one.
    pub contenders: Vec<Contender>,
    /// The first trial.
    pub spec: TrialSpec,
    /// How many trials there are.
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
    /// Whether to suppress the summary.
    pub quiet: bool,
}

/// The output files, opened before anything is measured.
struct Files {
    csv: Option<CsvSink<Row>>,
    threads: Option<CsvSink<ThreadRow>>,
    slices: Option<CsvSink<SliceRow>>,
    results: Option<JsonLines>,
    hgrm: Option<Hgrm>,
}

impl Bench {
    pub(super) fn run(mut self) -> Result<Ending> {
        host::check_file_limit(self.spec.load.clients.get(), self.descriptors_per_client())?;
        let mut files = self.open_files()?;
        let stop = CancelToken::default();
        let interrupted = signals::set(&stop)?;
        let mut spreads = vec![Spread::default(); self.contenders.len()];
        let mut all_hold = true;
        let mut random = fastrand::Rng::with_seed(self.spec.seed);
        loop {
            let mut order: Vec<usize> = (0..self.contenders.len()).collect();
            random.shuffle(&mut order);
            // In slices, all contenders are measured together.
            let groups: Vec<&[usize]> = match self.spec.slice {
                Some(_) => vec![&[]],
                None => order.chunks(1).collect(),
            };
            for group in groups {
                let measured = match self.measure(group.first().copied(), &stop) {
                    Err(error) if interrupted.is_set() => {
                        tell(format_args!("echometer: {error:#}"));
                        return Ok(Ending::Interrupted);
                    }
                    measured => measured?,
                };
                files.append(&measured)?;
                for trial in &measured {
                    let known = |contender: &Contender| contender.label == trial.row.label;
                    let spread = self.contenders.iter().position(known).map(|at| &mut spreads[at]);
                    self.tell(trial, spread.as_ref().is_none_or(|spread| spread.trials() == 0));
                    all_hold &= trial.row.valid && trial.row.errors == 0;
                    if let Some(spread) = spread {
                        spread.add(&trial.row);
                    }
                }
                // Whoever else has set it, it is over for this trial only.
                stop.clear();
                if interrupted.is_set() {
                    return Ok(Ending::Interrupted);
                }
            }
            if spreads.iter().all(|spread| self.repeat.is_over(spread)) {
                break;
            }
            self.next_trial();
        }
        self.tell_spreads(&spreads);
        Ok(if all_hold { Ending::Done } else { Ending::Failed })
    }

    /// The next trial has contenders in other orders.
    fn next_trial(&mut self) {
        self.spec.trial += 1;
        self.spec.seed = self.spec.seed.wrapping_add(1);
    }

    fn descriptors_per_client(&self) -> u64 {
        let each = self.contenders.iter().map(|contender| match self.spec.load.driver {
            Driver::Native => contender.system.descriptors_per_client(),
            // A socket is all.
            Driver::Lean { .. } => 1,
        });
        // In slices, the clients of all contenders are connected at once.
        if self.spec.slice.is_some() { each.sum() } else { each.max().unwrap_or(1) }
    }

    fn open_files(&self) -> Result<Files> {
        let csv = self.csv.as_deref();
        let threads = csv.and_then(|csv| beside(csv, "threads.csv"));
        let slices = csv.filter(|_| self.spec.slice.is_some());
        let slices = slices.and_then(|csv| beside(csv, SliceRow::FILE));
        let mut files = Files {
            csv: csv.map(CsvSink::open).transpose()?,
            threads: threads.as_deref().map(CsvSink::open).transpose()?,
            slices: slices.as_deref().map(CsvSink::open).transpose()?,
            results: self.results.as_deref().map(JsonLines::open).transpose()?,
            hgrm: None,
        };
        // Next to the rows, which by now are there.
        if let Some(directory) = threads.as_deref().and_then(Path::parent) {
            let whole_run = self.whole_run.as_deref();
            let run = provenance::run(&self.contenders, &self.spec, &self.command, whole_run)?;
            RunFile::of(directory).add(run)?;
        }
        // The last, since what it held is lost then.
        files.hgrm = self.hgrm.as_deref().map(Hgrm::open).transpose()?;
        Ok(files)
    }

    /// Measures the contender with this index in one window, or all in slices.
    fn measure(&self, contender: Option<usize>, stop: &CancelToken) -> Result<Vec<Trial>> {
        let (contenders, spec) = (&self.contenders, &self.spec);
        let run = |progress: trial::Progress<'_>| match (spec.slice, contender) {
            (Some(slice), _) => trial::run_sliced(contenders, spec, slice, stop, progress),
            (None, at) => {
                let contender = &contenders[at.unwrap_or_default()];
                let trial = trial::run(contender, spec, stop, progress);
                let several = contenders.len() > 1;
                let trial = if several { trial.with_context(|| contender.name()) } else { trial };
                Ok(vec![trial?])
            }
        };
        let Some(bar) = Bar::on_a_terminal(spec, contenders.len()) else { return run(None) };
        let trials = run(Some(&mut |done| bar.show(done)));
        bar.end();
        trials
    }

    /// Prints what was measured, and what a reader should know. What holds for all trials of a
    /// point is printed once.
    fn tell(&self, trial: &Trial, first: bool) {
        if !self.quiet {
            tell(summary(&trial.row));
        }
        let several = self.contenders.len() > 1;
        let label = if several { format!("{}: ", trial.row.label) } else { String::new() };
        for warning in &trial.warnings {
            if warning.is_grave() || (!self.quiet && (first || !warning.is_of_the_place())) {
                tell(format_args!("echometer: warning: {label}{warning}"));
            }
        }
    }

    fn tell_spreads(&self, spreads: &[Spread]) {
        for (contender, spread) in self.contenders.iter().zip(spreads) {
            if let Some(text) = self.repeat.summary(spread).filter(|_| !self.quiet) {
                let several = self.contenders.len() > 1;
                let label = if several { format!("{}: ", contender.label) } else { String::new() };
                tell(format_args!("{label}{text}"));
            }
        }
    }
}

impl Files {
    /// Appends to each, whatever becomes of the others.
    fn append(&mut self, trials: &[Trial]) -> Result<()> {
        let mut slices: Vec<_> = trials.iter().flat_map(|trial| trial.slices.clone()).collect();
        slices.sort_by_key(|slice| slice.started_at_us);
        let slices = self.slices.as_mut().map_or(Ok(()), |file| file.append(&slices));
        let threads: Vec<_> = trials.iter().flat_map(|trial| trial.threads.clone()).collect();
        let threads = self.threads.as_mut().map_or(Ok(()), |file| file.append(&threads));
        let clients: Vec<_> = trials.iter().flat_map(|trial| trial.clients.clone()).collect();
        let clients = self.results.as_mut().map_or(Ok(()), |file| file.append(&clients));
        let hgrm = self.hgrm.as_mut().map_or(Ok(()), |file| {
            let mut valid = trials.iter().filter(|trial| trial.row.valid);
            valid.try_for_each(|trial| file.add(&trial.latency.0, &trial.latency.1))
        });
        let rows: Vec<_> = trials.iter().map(|trial| trial.row.clone()).collect();
        // The rows last, so that whoever sees them finds the others.
        let rows = self.csv.as_mut().map_or(Ok(()), |file| file.append(&rows));
        rows.and(slices).and(threads).and(clients).and(hgrm)
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
    let slices = row.slices.map_or_else(String::new, |kept| {
        let left_out = row.slices_left_out.filter(|count| *count > 0);
        let left_out = left_out.map_or_else(String::new, |count| format!(", {count} left out"));
        format!(" of {kept} slices{left_out}")
    });
    format!(
        "{}, {}: {:.0} msg/s ({} in {:.2} s{slices}, {})\n\
         {due}rtt p50 {}, p99 {}, max {}; CPU per message: server {}, clients {}; bound: {}",
        row.label,
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
