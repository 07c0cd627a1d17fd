//! One trial: start the server, drive it, stop it, look at both sides, make the row.
//!
//! ```text
//! spec -> [server process] -> load -> [stop the process] -> evidence -> row
//! ```
//!
//! What the two processes used is read at the window's ends, by the one that looks on.

mod account;
mod child;
mod evidence;
mod granted;
mod warning;
mod watch;

use std::time::SystemTime;

use anyhow::{Context, Result};

use self::child::ServerProcess;
use self::evidence::Evidence;
use self::granted::Granted;
pub use self::warning::Warning;
use self::watch::Watch;
use crate::cpus::{CpuChoice, Cpus, Placement};
use crate::load::{self, Outcome, Stop};
use crate::measure::{Moments, Percentiles};
use crate::results::{ClientLine, Row, ThreadRow};
use crate::spec::{Endpoint, Target, TrialSpec};
use crate::systems::System;

/// What a trial found.
#[derive(Debug)]
pub struct Trial {
    /// The row.
    pub row: Row,
    /// One line per client.
    pub clients: Vec<ClientLine>,
    /// What the server's threads used, a line per role.
    pub threads: Vec<ThreadRow>,
    /// What a reader of the row should know.
    pub warnings: Vec<Warning>,
    /// The latencies: from when requests were due, where they were; else from the sending.
    pub latency: (Moments, Percentiles),
}

/// Is told the echoes so far, ten times a second.
pub type Progress<'a> = Option<&'a mut dyn FnMut(u64)>;

/// Runs a trial. `stop` ends it early; then the row says so, and holds what was measured.
///
/// # Errors
///
/// Where there is nothing to measure: the server does not start, or cannot be reached, or a
/// client's first echo fails, or `stop` was set before the window opened.
pub fn run(
    system: &'static dyn System,
    spec: &TrialSpec,
    stop: &Stop,
    progress: Progress<'_>,
) -> Result<Trial> {
    let available = Cpus::of(0)?;
    let trial = run_placed(system, spec, &available, stop, progress);
    // The next trial of this process begins with all CPUs again.
    available.bind_this_thread()?;
    trial
}

fn run_placed(
    system: &'static dyn System,
    spec: &TrialSpec,
    available: &Cpus,
    stop: &Stop,
    progress: Progress<'_>,
) -> Result<Trial> {
    let started_at = SystemTime::now();
    let (mut server, endpoint) = place(system, spec, available)?;
    let granted = Granted::to(server.as_ref().map(ServerProcess::pid), available.count())?;
    let mut watch = Watch::new(server.as_mut(), stop, progress);
    let driven = load::reach(system, &endpoint, spec.load.timeout)
        .and_then(|()| load::run(system, &endpoint, &spec.load, stop, &mut watch));
    let seen = watch.finish();
    let Outcome { tallies, distributions, window } = driven?;
    let window = window.with_context(|| {
        let who = if seen.server_gone { "the server ended" } else { "stopped" };
        format!("{who} before the window opened, so that nothing was measured")
    })?;
    let server = match server {
        Some(_) if seen.server_gone => None,
        server => server.map(ServerProcess::stop).transpose()?,
    };
    let evidence = Evidence {
        system,
        spec,
        started_at,
        granted,
        window,
        stopped: stop.is_set(),
        tallies: &tallies,
        distributions: &distributions,
        seen,
        server,
    };
    Ok(evidence.judge())
}

/// Starts the server on its CPUs, if it is to be started, and goes to those of the clients.
fn place(
    system: &dyn System,
    spec: &TrialSpec,
    available: &Cpus,
) -> Result<(Option<ServerProcess>, Endpoint)> {
    match &spec.target {
        Target::Running(endpoint) => {
            // The server is elsewhere, or was placed by who started it: all CPUs are ours.
            let auto = spec.client_cpus == CpuChoice::Auto;
            let clients = if auto { &CpuChoice::All } else { &spec.client_cpus };
            Placement::choose(available, &CpuChoice::All, clients)?.clients.bind_this_thread()?;
            Ok((None, endpoint.clone()))
        }
        Target::Spawn { program, server, cpus } => {
            let placement = Placement::choose(available, cpus, &spec.client_cpus)?;
            placement.server.bind_this_thread()?;
            let process = ServerProcess::spawn(program, system.name(), server)?;
            placement.clients.bind_this_thread()?;
            let endpoint = process.endpoint().clone();
            Ok((Some(process), endpoint))
        }
    }
}
