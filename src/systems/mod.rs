//! The systems: server patterns, each with the client that its framework comes with.
//!
//! A system is one file here and one line in [`SYSTEMS`]; nothing outside this folder names
//! one. All of them answer through [`crate::message::respond`].

mod acceptor;
mod eventfd;
mod grpc;
mod rep;
mod router;
mod tcp;
mod zmq;

use std::net::SocketAddr;

use anyhow::{Result, anyhow};

use crate::measure::ServerTally;
use crate::message::{EchoError, Reply, Request};
use crate::spec::{Backend, ClientSpec, Endpoint, ServerSpec};
use crate::wire::Codec;

/// All systems, in the order in which they are shown.
pub static SYSTEMS: &[&dyn System] =
    &[&rep::Rep, &router::Router, &grpc::Unary, &grpc::Conversation, &tcp::Tcp];

/// The system that shows what is left when there is no framework.
pub static BASELINE: &dyn System = &tcp::Tcp;

/// A server pattern with its client.
pub trait System: Sync {
    /// What it is called on the command line and in the rows.
    fn name(&self) -> &'static str;

    /// One line that says what it is.
    fn about(&self) -> &'static str;

    /// Starts a server, and returns once it is bound.
    ///
    /// # Errors
    ///
    /// Where the address cannot be bound, or a thread cannot be started.
    fn serve(&self, spec: &ServerSpec) -> Result<Box<dyn Server>>;

    /// Connects a client.
    ///
    /// # Errors
    ///
    /// Where that is not possible. A framework that connects in the background reports it
    /// with the first echo.
    fn connect(&self, to: &Endpoint, who: &ClientSpec) -> Result<Box<dyn Client>>;

    /// Those options of `spec` that this system heeds.
    fn server_options(&self, _spec: &ServerSpec) -> ServerOptions {
        ServerOptions::default()
    }

    /// Whether its native clients have channels, and can share one.
    fn has_channels(&self) -> bool {
        false
    }

    /// A client's end of its wire, for the lean driver; `None` where nobody has written it yet.
    fn codec(&self, _to: &Endpoint, _who: &ClientSpec) -> Option<Box<dyn Codec>> {
        None
    }

    /// What it is built on, with its version; `None` for the operating system alone.
    fn library(&self) -> Option<String> {
        None
    }

    /// How many file descriptors a client takes.
    fn descriptors_per_client(&self) -> u64 {
        1
    }
}

/// A server that runs. Dropped without [`Server::stop`], it still stops.
pub trait Server: Send {
    /// Where it listens, with the port that it really has.
    fn endpoint(&self) -> &Endpoint;

    /// Stops it, and tells what its threads counted.
    ///
    /// # Errors
    ///
    /// Where a thread of it has failed.
    fn stop(self: Box<Self>) -> Result<ServerTally>;
}

/// A client with one connection of its own and at most one request outstanding.
pub trait Client: Send {
    /// Sends the request, waits for the reply, and checks it.
    ///
    /// # Errors
    ///
    /// As [`EchoError`] lists them. After one, the client is to be dropped: a late reply to
    /// this request would be taken for one to the next.
    fn echo(&mut self, request: &Request) -> Result<Reply, EchoError>;

    /// Whether the reply that the last echo waited for in vain has come since. Does not wait.
    ///
    /// A framework that ends a call with its timeout never knows.
    fn has_late_reply(&mut self) -> bool {
        false
    }
}

/// The options of a server that its system heeds; `None` where it does not know them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerOptions {
    /// Worker threads.
    pub workers: Option<usize>,
    /// What lies between proxy and workers.
    pub backend: Option<Backend>,
    /// Completion queues.
    pub completion_queues: Option<usize>,
}

/// The system called `name`.
///
/// # Errors
///
/// Where there is none: a line that names the nearest, and all that there are.
pub fn find(name: &str) -> Result<&'static dyn System, String> {
    if let Some(system) = SYSTEMS.iter().find(|system| system.name() == name) {
        return Ok(*system);
    }
    let all: Vec<_> = SYSTEMS.iter().map(|system| system.name()).collect();
    let alike = |other: &&str| strsim::jaro_winkler(name, other);
    let nearest = all.iter().copied().max_by(|a, b| alike(a).total_cmp(&alike(b)));
    let hint = nearest.map(|n| format!("; did you mean '{n}'?")).unwrap_or_default();
    Err(format!("there is no system '{name}'{hint} (systems: {})", all.join(", ")))
}

/// The error of a server that could not listen on `address`, with the system's own words.
fn cannot_listen(system: &str, address: SocketAddr, source: &std::io::Error) -> anyhow::Error {
    let advice = match source.kind() {
        std::io::ErrorKind::AddrInUse => "stop what listens there, or choose another --addr",
        std::io::ErrorKind::PermissionDenied => "choose a port from 1024 on",
        std::io::ErrorKind::AddrNotAvailable => "choose an address that this machine has",
        _ => "choose another --addr",
    };
    anyhow!("cannot listen on {address} as {system}: {source}; {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_are_found_by_name_and_the_nearest_is_named() {
        for system in SYSTEMS {
            assert_eq!(find(system.name()).map(System::name), Ok(system.name()));
        }
        let error = |name| find(name).map(System::name).unwrap_err();
        assert!(error("routr").contains("did you mean 'router'?"));
        assert!(error("GRPC2").contains("systems: rep, router, grpc, grpc-stream, tcp"));
        assert!(error("rap").contains("did you mean 'rep'?"));
    }
}
