//! What a server is asked to be.

use std::num::NonZeroUsize;

use strum::{Display, EnumString, VariantNames};

use super::{Endpoint, Work};

/// How a server's library and its threads are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Display, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Tuning {
    /// As they come.
    #[default]
    Default,
    /// For as many messages as can be: `docs/tuning.md` says by what.
    Throughput,
}

/// What carries messages between the proxy and the workers of a system that has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Display, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Backend {
    /// Queues in the server's own memory.
    #[default]
    Inproc,
    /// A Unix-domain socket, as the program of 2017 had it.
    Ipc,
}

/// What a server is asked to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSpec {
    /// Where to listen; port 0 asks for a free one.
    pub address: Endpoint,
    /// The server's name, which is the sender of its replies.
    pub name: String,
    /// Worker threads, where a system has them.
    pub workers: NonZeroUsize,
    /// What lies between proxy and workers.
    pub backend: Backend,
    /// Completion queues, where a system has them; `None`: the CPUs it may run on.
    pub completion_queues: Option<NonZeroUsize>,
    /// How its library and its threads are set.
    pub tuning: Tuning,
    /// What its handler does beside answering.
    pub work: Work,
    /// The largest request that is read, and the largest reply that may be asked for, in bytes.
    pub max_message: usize,
}

/// Worker threads of a server that was not asked for another number: those of 2017.
pub const DEFAULT_WORKERS: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// The largest message of a server that was not asked for another size, in bytes.
pub const DEFAULT_MAX_MESSAGE: usize = 1024 * 1024;

impl ServerSpec {
    /// A server of this name on a free port of loopback, and otherwise as one is by default.
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

    /// The arguments that make `echometer serve SYSTEM` this server.
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
