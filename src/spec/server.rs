//! Options of a server.

use std::num::NonZeroUsize;

use strum::{Display, EnumString, VariantNames};

use super::{Endpoint, Work};

/// Settings of a server's library and of its threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Display, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Tuning {
    /// The library's defaults.
    #[default]
    Default,
    /// Tuned for messages per second; `docs/tuning.md` lists the settings.
    Throughput,
}

/// Transport between proxy and workers, for systems with both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Display, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Backend {
    /// Queues in the server's memory.
    #[default]
    Inproc,
    /// A Unix domain socket, as in the program of 2017.
    Ipc,
}

/// Options of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSpec {
    /// Address to listen on; port 0 selects a free port.
    pub address: Endpoint,
    /// Name of the server, which is the sender of its replies.
    pub name: String,
    /// Number of worker threads, for systems with a worker pool.
    pub workers: NonZeroUsize,
    /// Transport between proxy and workers, for systems with both.
    pub backend: Backend,
    /// Number of completion queues, for systems with completion queues; `None` means the number
    /// of CPUs available to the server.
    pub completion_queues: Option<NonZeroUsize>,
    /// Settings of the library and the threads.
    pub tuning: Tuning,
    /// Simulated service time per request.
    pub work: Work,
    /// Maximum size of a request, and of a reply that a request may ask for, in bytes.
    pub max_message: usize,
}

/// Default number of worker threads, as in the program of 2017.
pub const DEFAULT_WORKERS: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// Default maximum size of a message, in bytes.
pub const DEFAULT_MAX_MESSAGE: usize = 1024 * 1024;

impl ServerSpec {
    /// Returns a server with this name, a free port on loopback, and defaults otherwise.
    pub fn named(name: &str) -> Self {
        ServerSpec {
            address: Endpoint::free_port(),
            name: name.to_owned(),
            workers: DEFAULT_WORKERS,
            backend: Backend::default(),
            completion_queues: None,
            tuning: Tuning::default(),
            work: Work::default(),
            max_message: DEFAULT_MAX_MESSAGE,
        }
    }

    /// Returns the arguments of `echometer serve SYSTEM` that start this server.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("--addr={}", self.address),
            format!("--name={}", self.name),
            format!("--workers={}", self.workers),
            format!("--backend={}", self.backend),
            format!("--max-message={}", self.max_message),
            format!("--tuning={}", self.tuning),
            format!("--work={}", self.work),
        ];
        arguments.extend(self.completion_queues.map(|n| format!("--completion-queues={n}")));
        arguments
    }
}
