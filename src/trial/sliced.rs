//! A trial of several contenders, which take turns in slices.

use std::time::SystemTime;

use anyhow::{Context, Result};

use super::cpu_accounting::CpuAccounting;
use super::placement_report::PlacementReport;
use super::row_builder::{RowBuilder, SliceSummary};
use super::server::Server;
use super::slice_sampler::{RowKey, SliceSampler};
use super::slice_totals::SliceTotals;
use super::{Contender, Progress, Trial, choose_placement, start_server, stop_server};
use crate::load::CancelToken;
use crate::load::slices::{self, LoadTarget, SlicedOutcome};
use crate::measure::Totals;
use crate::os::cpus::Cpus;
use crate::spec::{SliceLength, TrialSpec};

/// Runs a trial of all contenders in slices: all servers start once, all clients connect once, and
/// the contenders take turns. `stop` ends it early; then the rows are invalid and contain the
/// echoes counted so far.
///
/// Returns one trial per contender, in their order.
///
/// # Errors
///
/// Returns an error if a server does not start or cannot be reached, or if a client's first echo
/// fails. The error contains the contender's label.
pub fn run_sliced(
    contenders: &[Contender],
    spec: &TrialSpec,
    slice: SliceLength,
    stop: &CancelToken,
    progress: Progress<'_>,
) -> Result<Vec<Trial>> {
    let available = Cpus::of(0)?;
    let trial = SlicedTrial { contenders, spec, slice, available: &available, stop };
    let trials = trial.run(progress);
    // The next trial of this process starts with all CPUs again.
    available.bind_this_thread()?;
    trials
}

struct SlicedTrial<'a> {
    contenders: &'a [Contender],
    spec: &'a TrialSpec,
    slice: SliceLength,
    available: &'a Cpus,
    stop: &'a CancelToken,
}

impl SlicedTrial<'_> {
    fn run(&self, progress: Progress<'_>) -> Result<Vec<Trial>> {
        let started_at = SystemTime::now();
        let mut servers = self.start_servers()?;
        let placement = |server: &Server| {
            PlacementReport::read(server.tree().map(|tree| tree.root), self.available.count())
        };
        let placements = servers.iter().map(placement).collect::<Result<Vec<_>>>()?;
        let endpoints: Vec<_> = servers.iter().map(|server| server.endpoint().clone()).collect();
        let targets = self.contenders.iter().zip(&endpoints);
        let targets = targets.map(|(it, endpoint)| LoadTarget { system: it.system, endpoint });
        let targets: Vec<_> = targets.collect();
        let labels: Vec<_> = self.contenders.iter().map(|contender| &*contender.label).collect();
        let key = RowKey {
            run_id: &self.spec.run_id,
            trial: self.spec.trial,
            clients: self.spec.load.clients.get(),
        };
        let mut sampler = SliceSampler::new(&mut servers, &placements, &labels, key, progress)?;
        let order = (self.slice, self.spec.seed);
        let outcomes = slices::run(&targets, &self.spec.load, order, self.stop, &mut sampler);
        let outcomes =
            outcomes.map_err(|(index, error)| error.context(self.contenders[index].name()))?;
        let totals = sampler.finish();
        let mut trials = Vec::new();
        let each = self.contenders.iter().zip(&placements).zip(servers).zip(outcomes).zip(totals);
        for ((((contender, placement), server), outcome), totals) in each {
            trials.push(self.trial(started_at, contender, placement, server, &outcome, totals));
        }
        Ok(trials)
    }

    fn start_servers(&self) -> Result<Vec<Server>> {
        let placement = choose_placement(self.contenders, self.spec, self.available)?;
        let start = |contender: &Contender| {
            let server = start_server(&placement, contender, self.spec, self.stop);
            server.with_context(|| contender.name())
        };
        self.contenders.iter().map(start).collect()
    }

    /// Stops the server of a contender and builds its row.
    fn trial(
        &self,
        started_at: SystemTime,
        contender: &Contender,
        placement: &PlacementReport,
        mut server: Server,
        outcome: &SlicedOutcome,
        slice_totals: SliceTotals,
    ) -> Trial {
        let exit_summary = server.exit_summary();
        let (server_report, stop_error) = stop_server(server, slice_totals.server_exited);
        let totals = Totals::from_tallies(&outcome.tallies);
        let cpu = CpuAccounting::of_slices(&slice_totals, placement, totals.messages());
        let builder = RowBuilder {
            contender,
            spec: self.spec,
            started_at,
            placement,
            window: slice_totals.window,
            interrupted: self.stop.is_set(),
            tallies: &outcome.tallies,
            totals,
            distributions: &outcome.distributions,
            final_usage: slice_totals.last.as_ref(),
            roles: slice_totals.roles(),
            role_messages: slice_totals.completed as f64,
            cpu,
            server_exited: slice_totals.server_exited,
            read_error: slice_totals.read_error.clone(),
            server_report,
            exit_summary,
            stop_error,
            slices: Some(SliceSummary {
                length: slice_totals.slice,
                kept: slice_totals.kept,
                left_out: slice_totals.left_out,
                unloaded_cpu: slice_totals.unloaded_cpu_share(),
                stopped_answering: outcome.unresponsive,
            }),
        };
        Trial { slices: slice_totals.rows, ..builder.build() }
    }
}
