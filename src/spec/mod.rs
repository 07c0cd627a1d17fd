//! Validated values: what a server, a load and a trial are asked to be.
//!
//! What a user typed becomes one of these in [`crate::cli`], and only these travel on.

mod endpoint;
mod load;
mod server;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub use self::endpoint::{DEFAULT_PORT, Endpoint};
pub use self::load::{Arrivals, Channels, ClientSpec, Driver, LoadSpec, Pace, SliceLength};
pub use self::server::{Backend, ServerSpec, Tuning};
pub use self::work::Work;
use crate::os::cpus::CpuChoice;

/// What was asked for cannot be done by anyone: the command line is wrong (exit status 2).
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

/// The server of a contender.
#[derive(Debug, Clone)]
pub enum Target {
    /// A program that runs already, ours or not.
    Running {
        /// Where it listens.
        address: Endpoint,
        /// Its process on this machine; `None`: not measured.
        pid: Option<u32>,
    },
    /// A new process of `program` (an echometer), for the length of the trial.
    Spawn {
        /// The executable.
        program: PathBuf,
        /// The server's options.
        server: ServerSpec,
        /// Its CPUs.
        cpus: CpuChoice,
    },
    /// A new process of any program that speaks the system's wire protocol.
    Exec(ExecSpec),
}

/// A command that starts a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecSpec {
    /// The program and its arguments, with `{addr}`, `{host}` and `{port}` in them.
    pub command: Vec<String>,
    /// Where it is to listen; `None`: on a free port of loopback.
    pub address: Option<Endpoint>,
    /// How long it may take until it answers.
    pub ready_timeout: Duration,
    /// Its CPUs.
    pub cpus: CpuChoice,
}

/// One trial, which becomes one row for each contender.
#[derive(Debug, Clone)]
pub struct TrialSpec {
    /// The clients of each contender.
    pub load: LoadSpec,
    /// The length of slices, in which contenders take turns; `None`: one window per contender.
    pub slice: Option<SliceLength>,
    /// Determines the order of contenders.
    pub seed: u64,
    /// The clients' CPUs.
    pub client_cpus: CpuChoice,
    /// Names the run that this trial is part of.
    pub run_id: String,
    /// The number of the pass over all points that this trial is part of, from 1.
    pub trial: u32,
}

impl Target {
    /// The CPUs that were requested for the server; `None` for one that runs already.
    pub fn cpus(&self) -> Option<&CpuChoice> {
        match self {
            Target::Running { .. } => None,
            Target::Spawn { cpus, .. } | Target::Exec(ExecSpec { cpus, .. }) => Some(cpus),
        }
    }

    /// Every option in force, by the name of its flag or key.
    fn options(&self) -> Vec<(&'static str, String)> {
        match self {
            Target::Running { address, pid } => {
                let pid = pid.map(|pid| ("pid", pid.to_string()));
                [("addr", address.to_string())].into_iter().chain(pid).collect()
            }
            Target::Spawn { server, cpus, .. } => vec![
                ("server-cpus", cpus.to_string()),
                ("name", server.name.clone()),
                ("workers", server.workers.to_string()),
                ("backend", server.backend.to_string()),
                (
                    "completion-queues",
                    server.completion_queues.map_or_else(|| "auto".to_owned(), |n| n.to_string()),
                ),
                ("max-message", server.max_message.to_string()),
                ("tuning", server.tuning.to_string()),
                ("work", server.work.to_string()),
            ],
            Target::Exec(exec) => vec![
                ("server-cpus", exec.cpus.to_string()),
                ("exec", exec.command.join(" ")),
                ("ready-timeout", humantime::format_duration(exec.ready_timeout).to_string()),
            ],
        }
    }
}

impl TrialSpec {
    /// Every option in force for a server, by the name of its flag.
    pub fn options(&self, target: &Target) -> BTreeMap<String, String> {
        let client_cpus = [("client-cpus", self.client_cpus.to_string())];
        let slice = self.slice.map_or_else(|| "none".to_owned(), |slice| slice.to_string());
        // The seed is a column of the rows: it differs from trial to trial.
        let slicing = [("slice", slice)];
        let all = self.load.options().into_iter().chain(target.options());
        let all = all.chain(client_cpus).chain(slicing);
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
