//! One trial: start the servers, load them, stop them, look at both sides, make the rows.
//!
//! ```text
//! spec -> [server processes] -> load -> [stop the processes] -> evidence -> rows
//! ```
//!
//! A single contender is loaded in one window. Several take turns in slices ([`run_sliced`]). What the
//! processes used is read at the ends of a window, by the thread that coordinates the clients.

mod contender;
mod cpu_accounting;
mod exec;
mod placement_report;
mod process_sampler;
mod row_builder;
mod server;
mod server_process;
mod slice_sampler;
mod sliced;
mod warning;

use std::time::SystemTime;

use anyhow::{Context, Result};

pub use self::contender::Contender;
use self::cpu_accounting::CpuAccounting;
use self::placement_report::PlacementReport;
use self::process_sampler::ProcessSampler;
use self::row_builder::RowBuilder;
use self::server::Server;
pub use self::sliced::run_sliced;
pub use self::warning::Warning;
use crate::load::{self, CancelToken, Outcome};
use crate::measure::{Moments, Percentiles, Totals};
use crate::os::cpus::{CpuChoice, Cpus, Placement};
use crate::results::{ClientLine, Row, SliceRow, ThreadRow};
use crate::spec::{LoadSpec, TrialSpec};

/// What a trial found about one contender.
#[derive(Debug)]
pub struct Trial {
    /// The row.
    pub row: Row,
    /// One line per client.
    pub clients: Vec<ClientLine>,
    /// What the server's threads used, a line per role.
    pub threads: Vec<ThreadRow>,
    /// The slices, in the order in which they were measured; empty without slices.
    pub slices: Vec<SliceRow>,
    /// What a reader of the row should know.
    pub warnings: Vec<Warning>,
    /// The latencies: from when requests were due, where they were; else from the sending.
    pub latency: (Moments, Percentiles),
}

/// Called ten times a second with the number of completed echoes, or after each slice with the
/// number of kept slices.
pub type Progress<'a> = Option<&'a mut dyn FnMut(u64)>;

/// Runs a trial of a single contender in one window. `stop` ends it early; then the row says so,
/// and holds what was measured.
///
/// # Errors
///
/// Where there is nothing to measure: the server does not start, or cannot be reached, or a
/// client's first echo fails, or `stop` was set before the window opened.
pub fn run(
    contender: &Contender,
    spec: &TrialSpec,
    stop: &CancelToken,
    progress: Progress<'_>,
) -> Result<Trial> {
    let available = Cpus::of(0)?;
    let trial = run_placed(contender, spec, &available, stop, progress);
    // The next trial of this process begins with all CPUs again.
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
    let placement = place(std::slice::from_ref(contender), spec, available)?;
    let mut server = placement.start(contender, &spec.load, stop)?;
    let endpoint = server.endpoint().clone();
    let granted = PlacementReport::to(server.tree().map(|tree| tree.root), available.count())?;
    let mut watch = ProcessSampler::new(&mut server, stop, progress);
    let driven = load::run(contender.system, &endpoint, &spec.load, stop, &mut watch);
    let seen = watch.finish();
    let Outcome { tallies, distributions, window } = driven?;
    let window = window.with_context(|| {
        let cause = if seen.server_gone { "the server ended" } else { "stopped" };
        format!("{cause} before the window opened, so that nothing was measured")
    })?;
    let last_words = server.last_words();
    let stopped = if seen.server_gone { None } else { server.stop()? };
    let all = Totals::of(&tallies);
    let account = CpuAccounting::of(&seen, &window, &granted, all.messages());
    let evidence = RowBuilder {
        contender,
        spec,
        started_at,
        granted: &granted,
        window: window.length(),
        interrupted: stop.is_set(),
        tallies: &tallies,
        all,
        distributions: &distributions,
        last: seen.server.close.as_ref(),
        roles: seen.server.roles(),
        role_messages: account.messages,
        account,
        server_gone: seen.server_gone,
        unreadable: seen.unreadable,
        server: stopped,
        last_words,
        stop_error: None,
        sliced: None,
    };
    Ok(evidence.judge())
}

/// The CPUs of both sides.
struct Places {
    server: Cpus,
    clients: Cpus,
}

/// Chooses the CPUs of both sides. A server that runs already was placed by whoever started it:
/// without any other, the clients may use all CPUs.
fn place(contenders: &[Contender], spec: &TrialSpec, available: &Cpus) -> Result<Places> {
    let requested = contenders.iter().find_map(|contender| contender.target.cpus());
    let clients = match (requested, &spec.client_cpus) {
        (None, CpuChoice::Auto) => &CpuChoice::All,
        (_, choice) => choice,
    };
    let server = requested.unwrap_or(&CpuChoice::All);
    let Placement { server, clients } = Placement::choose(available, server, clients)?;
    Ok(Places { server, clients })
}

impl Places {
    /// Starts a server on its CPUs, and returns to those of the clients.
    fn start(&self, contender: &Contender, load: &LoadSpec, stop: &CancelToken) -> Result<Server> {
        self.server.bind_this_thread()?;
        let server = Server::start(contender, load, stop);
        self.clients.bind_this_thread()?;
        server
    }
}
