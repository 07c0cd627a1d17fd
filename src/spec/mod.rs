//! Validated values: what a server, a load and a trial are asked to be.
//!
//! What a user typed becomes one of these in [`crate::cli`], and only these travel on.

mod endpoint;
mod load;
mod server;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use self::endpoint::{DEFAULT_PORT, Endpoint};
pub use self::load::{Arrivals, Channels, ClientSpec, Driver, LoadSpec, Pace};
pub use self::server::{Backend, ServerSpec, Tuning};
pub use self::work::Work;
use crate::cpus::CpuChoice;

/// What was asked for cannot be done by anyone: the command line is wrong (exit status 2).
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

/// The server of a trial.
#[derive(Debug, Clone)]
pub enum Target {
    /// A program that runs already, ours or not.
    Running(Endpoint),
    /// A fresh process of `program` (an echometer), for the length of the trial.
    Spawn {
        /// The executable.
        program: PathBuf,
        /// What it is to serve.
        server: ServerSpec,
        /// Its CPUs.
        cpus: CpuChoice,
    },
}

/// One trial of a system, which becomes one row.
#[derive(Debug, Clone)]
pub struct TrialSpec {
    /// The system's server.
    pub target: Target,
    /// Its clients.
    pub load: LoadSpec,
    /// The clients' CPUs.
    pub client_cpus: CpuChoice,
    /// Names the run that this trial is part of.
    pub run_id: String,
    /// The number of the pass over all points that this trial is part of, from 1.
    pub trial: u32,
}

impl Target {
    /// Every option in force, by the name of its flag.
    fn options(&self) -> Vec<(&'static str, String)> {
        match self {
            Target::Running(address) => vec![("addr", address.to_string())],
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
        }
    }
}

impl TrialSpec {
    /// Every option in force, by the name of its flag.
    pub fn options(&self) -> BTreeMap<String, String> {
        let client_cpus = [("client-cpus", self.client_cpus.to_string())];
        let all = self.load.options().into_iter().chain(self.target.options()).chain(client_cpus);
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
