//! Validated options of servers, loads and trials.
//!
//! [`crate::cli`] converts raw flags into these types. All other modules use only these.

mod endpoint;
mod load;
mod server;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub use self::endpoint::{DEFAULT_PORT, Endpoint};
pub use self::load::{Arrivals, Channels, ClientSpec, Driver, LoadSpec, OpenLoop, SliceLength};
pub use self::server::{Backend, ServerSpec, Tuning};
pub use self::work::Work;
use crate::os::cpus::CpuChoice;
use crate::os::network::Network;

/// An invalid command line (exit status 2).
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// The server of a contender.
#[derive(Debug, Clone)]
pub enum Target {
    /// A program that is already running, echometer or another.
    Running {
        /// The address that it listens on.
        address: Endpoint,
        /// Its process ID on this machine. Without one, its process is not measured.
        pid: Option<u32>,
    },
    /// A child process of echometer itself, for the length of the trial.
    Spawn {
        /// The executable of echometer.
        program: PathBuf,
        /// The server's options.
        server: ServerSpec,
        /// The server's CPUs.
        cpus: CpuChoice,
    },
    /// A child process of any program that speaks the system's wire protocol.
    Exec(ExecSpec),
}

/// A command that starts a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecSpec {
    /// The program and its arguments, with the placeholders `{addr}`, `{host}` and `{port}`.
    pub command: Vec<String>,
    /// The address to listen on; `None` means a free port on the network of the trial.
    pub address: Option<Endpoint>,
    /// Time limit for the server to answer its first request.
    pub ready_timeout: Duration,
    /// The server's CPUs.
    pub cpus: CpuChoice,
}

/// One trial, which produces one row for each contender.
#[derive(Debug, Clone)]
pub struct TrialSpec {
    /// The clients of each contender.
    pub load: LoadSpec,
    /// Length of the slices in which contenders take turns; `None` means one window per
    /// contender.
    pub slice: Option<SliceLength>,
    /// Seed for the random order of contenders, and of the send times of an open loop.
    pub seed: u64,
    /// The clients' CPUs.
    pub client_cpus: CpuChoice,
    /// The network between the clients and the servers that the trial starts.
    pub network: Network,
    /// ID of the run that this trial belongs to.
    pub run_id: String,
    /// Trial number: the number of the pass over all points that this trial belongs to, from 1.
    pub trial: u32,
}

impl Target {
    /// Returns the CPUs requested for the server; `None` for a server that is already running.
    pub fn cpus(&self) -> Option<&CpuChoice> {
        match self {
            Target::Running { .. } => None,
            Target::Spawn { cpus, .. } | Target::Exec(ExecSpec { cpus, .. }) => Some(cpus),
        }
    }

    /// Returns whether a trial starts the server. Otherwise, it is already running.
    pub fn is_started(&self) -> bool {
        !matches!(self, Target::Running { .. })
    }

    /// Returns every option in effect, by the name of its flag or key.
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
    /// Advances to the next trial, with another seed: the order of contenders and the send times of
    /// an open loop differ between trials.
    pub fn advance(&mut self) {
        self.trial += 1;
        self.seed = self.seed.wrapping_add(1);
        if let Some(open_loop) = &mut self.load.open_loop {
            open_loop.seed = self.seed;
        }
    }

    /// Returns every option in effect for a contender, by the name of its flag or key.
    pub fn options(&self, target: &Target) -> BTreeMap<String, String> {
        let client_cpus = [("client-cpus", self.client_cpus.to_string())];
        let slice = self.slice.map_or_else(|| "none".to_owned(), |slice| slice.to_string());
        // The seed is not included: it differs between trials, and each row has it as a column.
        let slicing = [("slice", slice)];
        let all = self.load.options().into_iter().chain(target.options());
        let network = target.is_started().then(|| ("network", self.network.kind().to_string()));
        let all = all.chain(client_cpus).chain(slicing).chain(network);
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
