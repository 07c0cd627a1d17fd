//! Validated values: what a server, a load and a trial are asked to be.
//!
//! What a user typed becomes one of these in [`crate::cli`], and only these travel on.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use crate::cpus::CpuChoice;

/// The default port of a server.
pub const DEFAULT_PORT: u16 = 4157;

/// What was asked for cannot be done by anyone: the command line is wrong (exit status 2).
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

/// Where a server listens: a host, by name or number, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// The first address that the host has, an IPv4 one if there is any.
    ///
    /// # Errors
    ///
    /// Where the name is not known.
    pub fn resolve(&self) -> Result<SocketAddr> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let mut all: Vec<_> = found
            .map_err(|e| anyhow!("cannot resolve {}: {e}; is the host's name right?", self.host))?
            .collect();
        all.sort_by_key(|address| !address.is_ipv4());
        match all.first() {
            Some(address) => Ok(*address),
            None => bail!("cannot resolve {}: the name has no address", self.host),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Endpoint { host: address.ip().to_string(), port: address.port() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    /// Reads `host:port`, `a.b.c.d:port` or `[v6]:port`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("'{text}' is not an address; write HOST:PORT, as in 127.0.0.1:{DEFAULT_PORT}")
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            Some(bracketed) => bracketed.ok_or_else(wrong)?,
            None if host.contains(':') => return Err(wrong()),
            None => host,
        };
        if host.is_empty() || host.contains(char::is_whitespace) || host.contains('/') {
            return Err(wrong());
        }
        Ok(Endpoint { host: host.to_owned(), port })
    }
}

/// How a server's library and its threads are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tuning {
    /// As they come.
    #[default]
    Default,
    /// For as many messages as can be: `docs/tuning.md` says by what.
    Throughput,
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tuning::Default => "default",
            Tuning::Throughput => "throughput",
        })
    }
}

impl FromStr for Tuning {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "default" => Ok(Tuning::Default),
            "throughput" => Ok(Tuning::Throughput),
            _ => Err(format!("'{text}' is no tuning; write default or throughput")),
        }
    }
}

/// What carries messages between the proxy and the workers of a system that has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// Queues in the server's own memory.
    #[default]
    Inproc,
    /// A Unix-domain socket, as the program of 2017 had it.
    Ipc,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Backend::Inproc => "inproc",
            Backend::Ipc => "ipc",
        })
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "inproc" => Ok(Backend::Inproc),
            "ipc" => Ok(Backend::Ipc),
            _ => Err(format!("'{text}' is no backend; write inproc or ipc")),
        }
    }
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
    /// The largest request that is read, and the largest reply that may be asked for, in bytes.
    pub max_message: usize,
}

impl ServerSpec {
    /// The arguments that make `echometer serve SYSTEM` this server.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("--addr={}", self.address),
            format!("--name={}", self.name),
            format!("--workers={}", self.workers),
            format!("--backend={}", self.backend),
            format!("--max-message={}", self.max_message),
            format!("--tuning={}", self.tuning),
        ];
        arguments.extend(self.completion_queues.map(|n| format!("--completion-queues={n}")));
        arguments
    }
}

/// What one client is asked to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSpec {
    /// A name of its own.
    pub name: String,
    /// How long to wait for a connection, and for a reply.
    pub timeout: Duration,
    /// How often to send a request again, on a new connection, before the echo has failed.
    pub retries: u32,
    /// The largest reply that is read, in bytes.
    pub max_message: usize,
}

/// What plays the clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Driver {
    /// The framework's own client, one thread each.
    #[default]
    Native,
    /// The wire spoken directly, many clients a thread.
    Lean {
        /// How many threads; `None`: one for each CPU of the clients.
        threads: Option<NonZeroUsize>,
    },
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Driver::Native => "native",
            Driver::Lean { .. } => "lean",
        })
    }
}

impl Driver {
    /// Its threads, in words.
    fn threads(self) -> String {
        match self {
            Driver::Native => "one per client".to_owned(),
            Driver::Lean { threads: None } => "auto".to_owned(),
            Driver::Lean { threads: Some(threads) } => threads.to_string(),
        }
    }
}

/// A rate that does not wait for replies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Requests per second, of all clients together.
    pub per_s: f64,
    /// When they are due.
    pub arrivals: Arrivals,
}

/// When requests of a given rate are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arrivals {
    /// At equal distances.
    #[default]
    Constant,
    /// At random, independently of each other.
    Poisson,
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Arrivals::Constant => "constant",
            Arrivals::Poisson => "poisson",
        })
    }
}

impl FromStr for Arrivals {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "constant" => Ok(Arrivals::Constant),
            "poisson" => Ok(Arrivals::Poisson),
            _ => Err(format!("'{text}' is no kind of arrivals; write constant or poisson")),
        }
    }
}

/// What the clients of a trial are asked to do.
#[derive(Debug, Clone)]
pub struct LoadSpec {
    /// What plays them.
    pub driver: Driver,
    /// Concurrent clients.
    pub clients: NonZeroUsize,
    /// Length of the window.
    pub window: Duration,
    /// From the moment that all clients are connected to the opening of the window.
    pub warmup: Duration,
    /// Each client's pause between a reply and the next request.
    pub think: Duration,
    /// At which rate all clients together send; `None`: as fast as they are answered.
    pub pace: Option<Pace>,
    /// Size of the request's text, in bytes.
    pub payload: usize,
    /// Size to which the reply's text is padded, in bytes; 0: not padded.
    pub reply_payload: u32,
    /// See [`ClientSpec::timeout`].
    pub timeout: Duration,
    /// See [`ClientSpec::retries`].
    pub retries: u32,
}

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

impl LoadSpec {
    /// Every option in force, by the name of its flag.
    fn options(&self) -> Vec<(&'static str, String)> {
        let time = |length| humantime::format_duration(length).to_string();
        vec![
            ("driver", self.driver.to_string()),
            ("threads", self.driver.threads()),
            ("clients", self.clients.to_string()),
            ("duration", time(self.window)),
            ("warmup", time(self.warmup)),
            ("think", time(self.think)),
            ("rate", self.pace.map_or_else(|| "none".to_owned(), |pace| pace.per_s.to_string())),
            ("arrivals", self.pace.map(|pace| pace.arrivals).unwrap_or_default().to_string()),
            ("payload", self.payload.to_string()),
            ("reply-payload", self.reply_payload.to_string()),
            ("timeout", time(self.timeout)),
            ("retries", self.retries.to_string()),
        ]
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_read_as_they_are_written() {
        for text in ["127.0.0.1:4157", "localhost:0", "[::1]:65535", "a-b.example:1"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_an_example() {
        for text in [
            "",
            "4157",
            ":4157",
            "host",
            "host:",
            "host:65536",
            "::1:80",
            "[::1:80",
            "tcp://h:1",
            "a b:1",
        ] {
            let error = text.parse::<Endpoint>().unwrap_err();
            assert!(error.contains("write HOST:PORT"), "{text}: {error}");
        }
    }

    #[test]
    fn a_name_that_does_not_exist_is_named() {
        let endpoint: Endpoint = "no-such-host.invalid:1".parse().unwrap();
        let error = endpoint.resolve().unwrap_err();
        assert!(format!("{error:#}").starts_with("cannot resolve no-such-host.invalid"));
    }
}
