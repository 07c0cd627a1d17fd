//! Samples the resource usage of all contenders while they take turns, and decides which slices
//! were disturbed.
//!
//! ```text
//! sample - [lead-in - clocks - window - clocks - drain] - sample - [...] - sample
//! ```
//!
//! A sample reads /proc/stat and the CPU clocks of all processes. It is taken between two slices,
//! when no contender is loaded. When a window opens or closes, only the CPU clocks of the two sides
//! are read.

use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use nix::sys::resource::{UsageWho, getrusage};

use super::Progress;
use super::placement_report::PlacementReport;
use super::server::Server;
use super::slice_totals::SliceTotals;
use crate::load::slices::{Slice, SliceDecision, SliceObserver};
use crate::measure::{
    Activity, Counters, CpuTimes, Loss, ProcessTree, Processes, Usage, cpu_time, share,
};
use crate::os::cpus::Cpus;
use crate::results::{SliceRow, rounded};

/// Usage of this machine and of the client process between two slices.
#[derive(Debug)]
struct Sample {
    at: Instant,
    cpus: CpuTimes,
    client: Counters,
}

/// CPU clocks of both sides when a window opens or closes.
#[derive(Debug, Clone, Copy)]
struct CpuClocks {
    at: Instant,
    server: Duration,
    client: Duration,
}

/// CPU time of both sides in a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct WindowCpu {
    server: Duration,
    client: Duration,
}

/// Columns that identify the trial in `slices.csv`.
#[derive(Debug, Clone, Copy)]
pub struct RowKey<'a> {
    pub run_id: &'a str,
    pub trial: u32,
    pub clients: usize,
}

/// Samples all contenders.
pub struct SliceSampler<'a, 'p> {
    servers: &'a mut [Server],
    placements: &'a [PlacementReport],
    labels: &'a [&'a str],
    key: RowKey<'a>,
    progress: Progress<'p>,
    /// Index of each contender's processes among the process trees.
    trees: Vec<Option<usize>>,
    /// Process ids of each contender, as of the last sample.
    pids: Vec<Vec<u32>>,
    processes: Processes,
    /// Whether the processes of all servers are known, so that all remaining processes are others.
    others_are_known: bool,
    /// The same instant on both clocks, because rows contain wall-clock times.
    epoch: (SystemTime, Instant),
    previous: Sample,
    /// Clocks at the two ends of the current window.
    window_clocks: [Option<CpuClocks>; 2],
    totals: Vec<SliceTotals>,
}

impl<'a, 'p> SliceSampler<'a, 'p> {
    /// Takes the first sample.
    ///
    /// # Errors
    ///
    /// Returns an error if /proc is not readable.
    pub fn new(
        servers: &'a mut [Server],
        placements: &'a [PlacementReport],
        labels: &'a [&'a str],
        key: RowKey<'a>,
        progress: Progress<'p>,
    ) -> Result<Self> {
        // Two contenders may be the same server with two labels.
        let mut known: Vec<ProcessTree> = Vec::new();
        let mut index_of = |tree: ProcessTree| {
            known.iter().position(|other| *other == tree).unwrap_or_else(|| {
                known.push(tree);
                known.len() - 1
            })
        };
        let trees = servers.iter().map(|server| server.tree().map(&mut index_of)).collect();
        let processes = Processes::new(known)?;
        let totals = servers.iter().map(|_| SliceTotals::default()).collect();
        Ok(SliceSampler {
            others_are_known: servers.iter().all(Server::is_known_or_remote),
            placements,
            labels,
            key,
            progress,
            trees,
            pids: vec![Vec::new(); servers.len()],
            servers,
            processes,
            epoch: (SystemTime::now(), Instant::now()),
            previous: Sample::take()?,
            window_clocks: [None; 2],
            totals,
        })
    }

    /// Checks all servers a last time, and returns one total per contender.
    pub fn finish(mut self) -> Vec<SliceTotals> {
        for (server, totals) in self.servers.iter_mut().zip(&mut self.totals) {
            totals.server_exited |= server.has_exited();
            totals.server_cpu = totals.server_cpu.filter(|_| server.tree().is_some());
        }
        self.totals
    }

    fn read_clocks(&self, contender: usize) -> CpuClocks {
        CpuClocks {
            at: Instant::now(),
            server: cpu_time(&self.pids[contender]),
            client: cpu_time(&[std::process::id()]),
        }
    }

    /// Takes a sample. The activity since the previous one is `None` if /proc is not readable.
    fn sample(&mut self) -> (Sample, Option<Activity>) {
        let activity = self.processes.sample();
        for (pids, tree) in self.pids.iter_mut().zip(&self.trees) {
            *pids = tree.map(|tree| self.processes.pids_of(tree)).unwrap_or_default();
        }
        let record_error = |error: anyhow::Error, totals: &mut [SliceTotals]| {
            for one in totals {
                one.read_error.get_or_insert_with(|| format!("{error:#}"));
            }
        };
        let activity = activity.map_err(|error| record_error(error, &mut self.totals)).ok();
        let sample = Sample::take().unwrap_or_else(|error| {
            record_error(error, &mut self.totals);
            let Sample { cpus, client, .. } = &self.previous;
            Sample { at: Instant::now(), cpus: cpus.clone(), client: *client }
        });
        (sample, activity)
    }

    /// Returns the loss of the server's CPUs and of the clients' CPUs since the previous sample.
    fn losses(&self, contender: usize, now: &Sample, activity: Option<&Activity>) -> [Loss; 2] {
        let activity = activity.filter(|_| self.others_are_known);
        let (previous, placement) = (&self.previous, &self.placements[contender]);
        let span = now.at - previous.at;
        let loss = |cpus: &Cpus| Loss::between([&previous.cpus, &now.cpus], activity, cpus, span);
        [placement.server.as_ref().map(loss).unwrap_or_default(), loss(&placement.clients)]
    }

    /// Adds the CPU time of the contenders that were not loaded.
    fn add_unloaded_cpu(&mut self, loaded: usize, span: Duration, activity: &Activity) {
        for (tree, totals) in self.trees.iter().zip(&mut self.totals) {
            if let Some(tree) = tree.filter(|_| *tree != self.trees[loaded]) {
                totals.unloaded_cpu += activity.trees[tree];
                totals.unloaded += span;
            }
        }
    }

    /// Adds a slice that counts.
    fn keep(&mut self, slice: &Slice, now: &Sample, losses: [Loss; 2], cpu: WindowCpu) {
        let span = now.at - self.previous.at;
        let totals = &mut self.totals[slice.contender];
        totals.kept += 1;
        totals.window += slice.window.length();
        totals.server_cpu = Some(totals.server_cpu.unwrap_or_default() + cpu.server);
        totals.client_cpu += cpu.client;
        totals.client.add(&now.client.since(&self.previous.client));
        totals.client_completed += slice.completed;
        let idle = |cpus: &Cpus| now.cpus.idle_since(&self.previous.cpus, cpus).unwrap_or_default();
        let placement = &self.placements[slice.contender];
        if let Some(cpus) = &placement.server {
            let spans = [span, slice.drained - slice.began];
            totals.server_cpus.add(cpus.count(), spans, idle(cpus), losses[0]);
        }
        // For the clients' CPUs, the whole time between the samples counts as loaded.
        let cpus = &placement.clients;
        totals.client_cpus.add(cpus.count(), [span, span], idle(cpus), losses[1]);
    }

    fn row(&self, slice: &Slice, cpu: WindowCpu, loss: Loss, kept: bool) -> SliceRow {
        let us = |time: Duration| rounded(time.as_secs_f64() * 1e6, 1);
        let opened = self.epoch.0 + (slice.window.open - self.epoch.1);
        let since_epoch = opened.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        SliceRow {
            run_id: self.key.run_id.to_owned(),
            trial: self.key.trial,
            round: slice.round,
            label: self.labels[slice.contender].to_owned(),
            clients: self.key.clients,
            started_at_us: u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX),
            window_us: us(slice.window.length()),
            messages: slice.messages,
            server_cpu_us: self.trees[slice.contender].map(|_| us(cpu.server)),
            client_cpu_us: us(cpu.client),
            stolen: rounded(loss.stolen, 4),
            others: rounded(loss.others, 4),
            kept,
        }
    }
}

impl SliceObserver for SliceSampler<'_, '_> {
    fn begin(&mut self, slice: Duration) {
        for (server, totals) in self.servers.iter_mut().zip(&mut self.totals) {
            totals.slice = slice;
            totals.first = read_usage(server, totals);
        }
        self.previous = self.sample().0;
    }

    fn opened(&mut self, contender: usize) {
        self.window_clocks = [Some(self.read_clocks(contender)), None];
    }

    fn closed(&mut self, contender: usize) {
        self.window_clocks[1] = Some(self.read_clocks(contender));
    }

    fn drained(&mut self, slice: &Slice) -> SliceDecision {
        let contender = slice.contender;
        let (now, activity) = self.sample();
        let losses = self.losses(contender, &now, activity.as_ref());
        let worst = losses[0].max(losses[1]);
        if let Some(activity) = &activity {
            self.add_unloaded_cpu(contender, now.at - self.previous.at, activity);
        }
        let totals = &mut self.totals[contender];
        totals.completed += slice.completed;
        totals.server_exited |= self.servers[contender].has_exited();
        let decision = match (totals.server_exited || slice.gave_up, worst.is_disturbing()) {
            (true, _) => SliceDecision::Gone,
            (false, true) => SliceDecision::LeaveOut,
            (false, false) => SliceDecision::Keep,
        };
        let cpu = cpu_in_window(self.window_clocks, slice.window.length());
        match decision {
            SliceDecision::Keep => self.keep(slice, &now, losses, cpu),
            SliceDecision::LeaveOut => totals.left_out += 1,
            SliceDecision::Gone => {}
        }
        let row = self.row(slice, cpu, worst, decision == SliceDecision::Keep);
        self.totals[contender].rows.push(row);
        self.previous = now;
        decision
    }

    fn ended(&mut self) {
        for (server, totals) in self.servers.iter_mut().zip(&mut self.totals) {
            totals.server_exited |= server.has_exited();
            totals.last = read_usage(server, totals);
        }
    }

    fn progress(&mut self, kept: usize, _planned: usize) {
        if let Some(progress) = &mut self.progress {
            progress(kept as u64);
        }
    }
}

impl Sample {
    fn take() -> Result<Self> {
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        let us = |time: nix::sys::time::TimeVal| {
            (time.tv_sec() * 1_000_000 + time.tv_usec()).cast_unsigned()
        };
        let client = Counters {
            // Only the ratio of the two matters, so microseconds can stand in for ticks.
            user_ticks: us(usage.user_time()),
            system_ticks: us(usage.system_time()),
            voluntary: usage.voluntary_context_switches().cast_unsigned(),
            involuntary: usage.involuntary_context_switches().cast_unsigned(),
            cpu: Duration::ZERO,
        };
        Ok(Sample { cpus: CpuTimes::now()?, client, at: Instant::now() })
    }
}

fn read_usage(server: &Server, totals: &mut SliceTotals) -> Option<Usage> {
    match server.usage()? {
        Ok(usage) => Some(usage),
        Err(error) => {
            if !totals.server_exited {
                totals.read_error.get_or_insert_with(|| format!("{error:#}"));
            }
            None
        }
    }
}

/// Returns the CPU time of both sides in a window of length `window`. If CPUs are scarce, the
/// clocks are read late, so the CPU time between the readings is scaled to the window.
fn cpu_in_window(clocks: [Option<CpuClocks>; 2], window: Duration) -> WindowCpu {
    let [Some(open), Some(close)] = clocks else { return WindowCpu::default() };
    let scale = share(window, close.at.saturating_duration_since(open.at));
    WindowCpu {
        server: close.server.saturating_sub(open.server).mul_f64(scale),
        client: close.client.saturating_sub(open.client).mul_f64(scale),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_scaled_to_the_window_if_the_clocks_are_read_late() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let clocks = |at, server, client| {
            Some(CpuClocks { at: start + ms(at), server: ms(server), client: ms(client) })
        };
        let [open, close] = [clocks(2, 100, 50), clocks(27, 120, 60)];
        // 20 ms and 10 ms were used within the observed 25 ms. The window is 20 ms long.
        let expected = WindowCpu { server: ms(16), client: ms(8) };
        assert_eq!(cpu_in_window([open, close], ms(20)), expected);
        assert_eq!(cpu_in_window([None, None], ms(20)), WindowCpu::default());
        assert_eq!(cpu_in_window([open, open], ms(20)), WindowCpu::default());
    }
}
