//! A trial of several contenders, which take turns in slices.

use std::time::SystemTime;

use anyhow::{Context, Result};

use super::cpu_accounting::CpuAccounting;
use super::placement_report::PlacementReport;
use super::row_builder::{RowBuilder, Sliced};
use super::server::Server;
use super::slice_sampler::{Measured, SliceSampler};
use super::{Contender, Progress, Trial, place};
use crate::load::CancelToken;
use crate::load::slices::{self, Loaded, SlicedOutcome};
use crate::measure::Totals;
use crate::os::cpus::Cpus;
use crate::spec::{SliceLength, TrialSpec};

/// Runs a trial of all contenders in slices: all servers start once, all clients connect once, and
/// contenders take turns. `stop` ends it early; then the rows say so, and hold what was measured.
///
/// Returns one trial per contender, in their order.
///
/// # Errors
///
/// Where a server does not start or cannot be reached, or a client's first echo fails: with the
/// label of the contender.
pub fn run_sliced(
    contenders: &[Contender],
    spec: &TrialSpec,
    slice: SliceLength,
    stop: &CancelToken,
    progress: Progress<'_>,
) -> Result<Vec<Trial>> {
    let available = Cpus::of(0)?;
    let run = Run { contenders, spec, slice, available: &available, stop };
    let trials = run.run(progress);
    // The next trial of this process begins with all CPUs again.
    available.bind_this_thread()?;
    trials
}

struct Run<'a> {
    contenders: &'a [Contender],
    spec: &'a TrialSpec,
    slice: SliceLength,
    available: &'a Cpus,
    stop: &'a CancelToken,
}

impl Run<'_> {
    fn run(&self, progress: Progress<'_>) -> Result<Vec<Trial>> {
        let started_at = SystemTime::now();
        let mut servers = self.start()?;
        let granted = |server: &Server| {
            PlacementReport::to(server.tree().map(|tree| tree.root), self.available.count())
        };
        let granted = servers.iter().map(granted).collect::<Result<Vec<_>>>()?;
        let endpoints: Vec<_> = servers.iter().map(|server| server.endpoint().clone()).collect();
        let loaded = self.contenders.iter().zip(&endpoints);
        let loaded = loaded.map(|(it, endpoint)| Loaded { system: it.system, endpoint });
        let loaded: Vec<_> = loaded.collect();
        let labels: Vec<_> = self.contenders.iter().map(|contender| &*contender.label).collect();
        let identity = (&*self.spec.run_id, self.spec.trial, self.spec.load.clients.get());
        let mut watch = SliceSampler::new(&mut servers, &granted, &labels, identity, progress)?;
        let order = (self.slice, self.spec.seed);
        let outcomes = slices::run(&loaded, &self.spec.load, order, self.stop, &mut watch);
        let outcomes = outcomes.map_err(|(index, error)| self.of_contender(index, error))?;
        let measured = watch.finish();
        let mut trials = Vec::new();
        let each = self.contenders.iter().zip(&granted).zip(servers).zip(outcomes).zip(measured);
        for ((((contender, granted), server), outcome), measured) in each {
            trials.push(self.trial(started_at, contender, granted, server, &outcome, measured));
        }
        Ok(trials)
    }

    fn start(&self) -> Result<Vec<Server>> {
        let places = place(self.contenders, self.spec, self.available)?;
        let start = |contender: &Contender| {
            let server = places.start(contender, &self.spec.load, self.stop);
            server.with_context(|| contender.name())
        };
        self.contenders.iter().map(start).collect()
    }

    fn of_contender(&self, index: usize, error: anyhow::Error) -> anyhow::Error {
        error.context(self.contenders[index].name())
    }

    fn trial(
        &self,
        started_at: SystemTime,
        contender: &Contender,
        granted: &PlacementReport,
        mut server: Server,
        outcome: &SlicedOutcome,
        measured: Measured,
    ) -> Trial {
        let last_words = server.last_words();
        // One that fails to stop does not lose what was measured of the others.
        let stopped = if measured.server_gone { Ok(None) } else { server.stop() };
        let (stopped, stop_error) = match stopped {
            Ok(stopped) => (stopped, None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        let all = Totals::of(&outcome.tallies);
        let account = CpuAccounting::of_slices(&measured, granted, all.messages());
        let evidence = RowBuilder {
            contender,
            spec: self.spec,
            started_at,
            granted,
            window: measured.window,
            interrupted: self.stop.is_set(),
            tallies: &outcome.tallies,
            all,
            distributions: &outcome.distributions,
            last: measured.last.as_ref(),
            roles: measured.roles(),
            role_messages: measured.completed as f64,
            account,
            server_gone: measured.server_gone,
            unreadable: measured.unreadable.clone(),
            server: stopped,
            last_words,
            stop_error,
            sliced: Some(Sliced {
                slice: measured.slice,
                kept: measured.kept,
                left_out: measured.left_out,
                idle_busy: measured.idle_busy(),
                silent: outcome.silent,
            }),
        };
        Trial { slices: measured.rows, ..evidence.judge() }
    }
}
