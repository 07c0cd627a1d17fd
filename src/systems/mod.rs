//! The systems: server patterns, each with the native client of its framework.
//!
//! A system is one file in this folder and one line in `BUILT_IN`. No code outside this folder
//! names a system. All servers answer through [`crate::message::respond`].

mod acceptor;
mod eventfd;
mod grpc;
mod rep;
mod router;
mod tcp;
mod zmq;

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::{Result, anyhow};

use crate::measure::ServerTally;
use crate::message::{EchoError, Reply, Request};
use crate::spec::{Backend, ClientSpec, Endpoint, ServerSpec};
use crate::wire::Codec;

/// The systems of this program, in display order.
const BUILT_IN: [&dyn System; 5] =
    [&rep::Rep, &router::Router, &grpc::Unary, &grpc::Streaming, &tcp::Tcp];

/// All systems, in display order.
pub static SYSTEMS: &Registry = &REGISTRY;

static REGISTRY: Registry = Registry { added: Mutex::new(Vec::new()), all: OnceLock::new() };

/// A list of systems, which derefs to a slice.
pub struct Registry {
    added: Mutex<Vec<&'static dyn System>>,
    /// The contents of the slice, fixed when it is first used.
    all: OnceLock<Vec<&'static dyn System>>,
}

impl Registry {
    /// Adds a system, for a program that uses this library: call this at the beginning of `main`,
    /// then [`crate::cli::main`].
    ///
    /// # Panics
    ///
    /// If the list is already in use, or contains a system of that name.
    pub fn register(&self, system: &'static dyn System) {
        let name = system.name();
        let mut added = self.added();
        assert!(self.all.get().is_none(), "register {name} earlier: the list is in use");
        let is_taken = BUILT_IN.iter().chain(&*added).any(|other| other.name() == name);
        assert!(!is_taken, "there is already a system named {name}");
        added.push(system);
    }

    fn added(&self) -> MutexGuard<'_, Vec<&'static dyn System>> {
        self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Registry {
    type Target = [&'static dyn System];

    fn deref(&self) -> &Self::Target {
        self.all.get_or_init(|| BUILT_IN.iter().chain(&*self.added()).copied().collect())
    }
}

impl<'a> IntoIterator for &'a Registry {
    type Item = &'a &'static dyn System;
    type IntoIter = std::slice::Iter<'a, &'static dyn System>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The baseline: a system without a framework.
pub static BASELINE: &dyn System = &tcp::Tcp;

/// A server pattern with its client.
pub trait System: Sync {
    /// Name on the command line and in result rows.
    fn name(&self) -> &'static str;

    /// One-line description.
    fn about(&self) -> &'static str;

    /// Starts a server. Returns once it is bound.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound or a thread cannot be started.
    fn serve(&self, spec: &ServerSpec) -> Result<Box<dyn Server>>;

    /// Connects a client.
    ///
    /// # Errors
    ///
    /// If the connection fails. A framework that connects in the background reports the failure
    /// with the first echo.
    fn connect(&self, to: &Endpoint, who: &ClientSpec) -> Result<Box<dyn Client>>;

    /// Returns the options of `spec` that this system uses.
    fn server_options(&self, _spec: &ServerSpec) -> ServerOptions {
        ServerOptions::default()
    }

    /// Returns whether native clients use channels, which can be shared.
    fn has_channels(&self) -> bool {
        false
    }

    /// Returns a client codec for the lean driver; `None` if the system has none.
    fn codec(&self, _to: &Endpoint, _who: &ClientSpec) -> Option<Box<dyn Codec>> {
        None
    }

    /// Returns the underlying library and its version; `None` if the system uses only the
    /// operating system.
    fn library(&self) -> Option<String> {
        None
    }

    /// Number of file descriptors per native client.
    fn descriptors_per_client(&self) -> u64 {
        1
    }
}

/// A running server. Dropping it stops it too, without a tally.
pub trait Server: Send {
    /// Returns the listening address, with the actual port.
    fn endpoint(&self) -> &Endpoint;

    /// Stops the server and returns the merged tally of its threads.
    ///
    /// # Errors
    ///
    /// If the server could not be stopped or one of its threads failed.
    fn stop(self: Box<Self>) -> Result<ServerTally>;
}

/// A client with at most one outstanding request.
pub trait Client: Send {
    /// Sends the request, waits for the reply, and checks it.
    ///
    /// # Errors
    ///
    /// See [`EchoError`]. Drop the client after an error: a late reply to this request would be
    /// mistaken for the reply to the next one.
    fn echo(&mut self, request: &Request) -> Result<Reply, EchoError>;

    /// Returns whether the reply to an echo that timed out has arrived since. Does not block.
    ///
    /// Always `false` for a framework that ends the call at its timeout.
    fn has_late_reply(&mut self) -> bool {
        false
    }
}

/// The server options that a system uses; `None` for an option that it does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerOptions {
    /// Number of worker threads.
    pub workers: Option<usize>,
    /// Transport between the proxy and the workers.
    pub backend: Option<Backend>,
    /// Number of completion queues.
    pub completion_queues: Option<usize>,
}

/// Returns the system called `name`.
///
/// # Errors
///
/// If there is none. The message suggests the most similar name and lists all systems.
pub fn find(name: &str) -> Result<&'static dyn System, String> {
    if let Some(system) = SYSTEMS.iter().find(|system| system.name() == name) {
        return Ok(*system);
    }
    let all: Vec<_> = SYSTEMS.iter().map(|system| system.name()).collect();
    let similarity = |other: &&str| strsim::jaro_winkler(name, other);
    let nearest = all.iter().copied().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    let hint = nearest.map(|n| format!("; did you mean '{n}'?")).unwrap_or_default();
    Err(format!("there is no system '{name}'{hint} (systems: {})", all.join(", ")))
}

/// Returns the error for a server of `system` that cannot listen on `address`, with advice.
fn cannot_listen(system: &str, address: SocketAddr, source: &std::io::Error) -> anyhow::Error {
    let advice = match source.kind() {
        std::io::ErrorKind::AddrInUse => {
            "stop the program that uses this address, or choose another --addr"
        }
        std::io::ErrorKind::PermissionDenied => "choose a port of 1024 or higher",
        std::io::ErrorKind::AddrNotAvailable => "choose an address of this machine",
        _ => "choose another --addr",
    };
    anyhow!("cannot listen on {address} for {system}: {source}; {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn find_returns_known_systems_and_suggests_the_nearest_name_for_others() {
        for system in SYSTEMS {
            assert_eq!(find(system.name()).map(System::name), Ok(system.name()));
        }
        let error = |name| find(name).map(System::name).unwrap_err();
        assert!(error("routr").contains("did you mean 'router'?"));
        assert!(error("GRPC2").contains("systems: rep, router, grpc, grpc-stream, tcp"));
        assert!(error("rap").contains("did you mean 'rep'?"));
    }
}
