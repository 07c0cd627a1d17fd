//! One trial: starts the servers, loads them, stops them, and builds the rows.
//!
//! ```text
//! spec -> [server processes] -> load -> [stop the processes] -> row builder -> rows
//! ```
//!
//! A single contender is loaded in one window. Several contenders take turns in slices
//! ([`run_sliced`]). The thread that coordinates the clients reads the resource usage of the
//! processes when a window opens and when it closes.

mod cpu_accounting;
mod exec;
mod placement_report;
mod process_sampler;
mod row_builder;
mod server;
mod server_process;
mod slice_sampler;
mod slice_totals;
mod sliced;
mod warning;

use std::time::SystemTime;

use anyhow::{Context, Result};

use self::cpu_accounting::CpuAccounting;
use self::placement_report::PlacementReport;
use self::process_sampler::ProcessSampler;
use self::row_builder::RowBuilder;
use self::server::Server;
use self::server_process::ServerReport;
pub use self::sliced::run_sliced;
pub use self::warning::Warning;
use crate::load::{self, CancelToken, Outcome};
use crate::measure::{LatencyHistogram, Moments, Totals};
use crate::os::cpus::{CpuChoice, Cpus, Placement};
use crate::results::{ClientLine, HistogramRow, Row, SliceRow, ThreadRow};
use crate::spec::{Target, TrialSpec};
use crate::systems::System;

/// One server under test: a system with its options, or any program that speaks the system's wire
/// protocol.
#[derive(Clone)]
pub struct Contender {
    /// Name in rows and reports; unique within a bench.
    pub label: String,
    /// The system whose clients load the server.
    pub system: &'static dyn System,
    /// The server.
    pub target: Target,
}

impl Contender {
    /// Returns the name for error messages.
    pub fn name(&self) -> String {
        format!("contender '{}'", self.label)
    }
}

/// The result of a trial for one contender.
#[derive(Debug)]
pub struct Trial {
    /// The row.
    pub row: Row,
    /// One line per client.
    pub clients: Vec<ClientLine>,
    /// Resource usage of the server's threads, one row per role.
    pub threads: Vec<ThreadRow>,
    /// The slices, in the order in which they were measured; empty for a trial in one window.
    pub slices: Vec<SliceRow>,
    /// Warnings about the row.
    pub warnings: Vec<Warning>,
    /// All latencies, for the file of histograms.
    pub histograms: HistogramRow,
    /// Latencies: in an open loop from the time at which each request was due, otherwise from the
    /// time at which it was sent.
    pub latency: (Moments, LatencyHistogram),
}

/// Called ten times a second with the number of completed echoes, or after each slice with the
/// number of kept slices.
pub type Progress<'a> = Option<&'a mut dyn FnMut(u64)>;

/// Runs a trial of a single contender in one window. `stop` ends it early; then the row is invalid
/// and contains the echoes counted so far.
///
/// # Errors
///
/// Returns an error if the server does not start or cannot be reached, if a client's first echo
/// fails, or if `stop` is set before the window opens.
pub fn run(
    contender: &Contender,
    spec: &TrialSpec,
    stop: &CancelToken,
    progress: Progress<'_>,
) -> Result<Trial> {
    let available = Cpus::of(0)?;
    let trial = run_placed(contender, spec, &available, stop, progress);
    // The next trial of this process starts with all CPUs again.
    available.bind_this_thread()?;
    trial
}

fn run_placed(
    contender: &Contender,
    spec: &TrialSpec,
    available: &Cpus,
    stop: &CancelToken,
    progress: Progress<'_>,
) -> Result<Trial> {
    let started_at = SystemTime::now();
    let requested = choose_placement(std::slice::from_ref(contender), spec, available)?;
    let mut server = start_server(&requested, contender, spec, stop)?;
    let endpoint = server.endpoint().clone();
    let placement = PlacementReport::read(server.tree().map(|tree| tree.root), available.count())?;
    let mut sampler = ProcessSampler::new(&mut server, stop, progress);
    let outcome = load::run(contender.system, &endpoint, &spec.load, stop, &mut sampler);
    let observed = sampler.finish();
    let Outcome { tallies, distributions, window } = outcome?;
    let window = window.with_context(|| {
        let cause = if observed.server_exited { "the server exited" } else { "stopped" };
        format!("nothing was measured: {cause} before the window opened")
    })?;
    let exit_summary = server.exit_summary();
    let (server_report, stop_error) = stop_server(server, observed.server_exited);
    let totals = Totals::from_tallies(&tallies);
    let cpu = CpuAccounting::of_window(&observed, &window, &placement, totals.replies());
    let builder = RowBuilder {
        contender,
        spec,
        started_at,
        placement: &placement,
        window: window.length(),
        interrupted: stop.is_set(),
        tallies: &tallies,
        totals,
        distributions: &distributions,
        final_usage: observed.server.close.as_ref(),
        roles: observed.server.roles(),
        role_messages: cpu.messages,
        cpu,
        server_exited: observed.server_exited,
        read_error: observed.read_error,
        server_report,
        exit_summary,
        stop_error,
        slices: None,
    };
    Ok(builder.build())
}

/// Chooses the CPUs of both sides. A server that was already running keeps its CPUs. If all servers
/// were already running, the clients may use all CPUs by default.
fn choose_placement(
    contenders: &[Contender],
    spec: &TrialSpec,
    available: &Cpus,
) -> Result<Placement> {
    let server = contenders.iter().find_map(|contender| contender.target.cpus());
    let clients = match (server, &spec.client_cpus) {
        (None, CpuChoice::Auto) => &CpuChoice::All,
        (_, choice) => choice,
    };
    Placement::choose(available, server.unwrap_or(&CpuChoice::All), clients)
}

/// Stops a server. A failure to stop does not discard the row: it is returned as a text.
fn stop_server(server: Server, exited: bool) -> (Option<ServerReport>, Option<String>) {
    match if exited { Ok(None) } else { server.stop() } {
        Ok(report) => (report, None),
        Err(error) => (None, Some(format!("{error:#}"))),
    }
}

/// Starts a server on its CPUs, then binds this thread to the CPUs of the clients.
fn start_server(
    placement: &Placement,
    contender: &Contender,
    spec: &TrialSpec,
    stop: &CancelToken,
) -> Result<Server> {
    placement.server.bind_this_thread()?;
    let server = Server::start(contender, spec, stop);
    placement.clients.bind_this_thread()?;
    server
}
