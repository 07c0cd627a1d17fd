//! The server of a contender: started by this process, or already running.

use std::net::UdpSocket;

use anyhow::{Result, bail};
use nix::unistd::Uid;
use procfs::process::Process;

use super::Contender;
use super::exec::ExecProcess;
use super::server_process::{ServerProcess, ServerReport};
use crate::load::{self, CancelToken};
use crate::measure::{ProcessTree, Processes, Usage};
use crate::spec::{Endpoint, Target, TrialSpec};

/// A server that accepts connections.
pub struct Server {
    endpoint: Endpoint,
    kind: Kind,
}

enum Kind {
    /// `echometer serve` in a child process. It counts its requests.
    Spawned(ServerProcess),
    /// A command of the user in a child process.
    Exec(ExecProcess),
    /// A server that was already running, with its process id if known.
    Running(Option<u32>),
}

impl Server {
    /// Starts the server, unless it is already running, and checks that it accepts connections.
    ///
    /// # Errors
    ///
    /// Returns an error if the server does not start or cannot be reached, or if its process does
    /// not exist.
    pub fn start(contender: &Contender, trial: &TrialSpec, stop: &CancelToken) -> Result<Self> {
        let TrialSpec { load, network, .. } = trial;
        let system = contender.system;
        let (endpoint, kind) = match &contender.target {
            Target::Running { address, pid } => {
                pid.map_or(Ok(()), check_process)?;
                (address.clone(), Kind::Running(*pid))
            }
            Target::Spawn { program, server, .. } => {
                let process = ServerProcess::spawn(program, system.name(), server, network)?;
                (process.endpoint().clone(), Kind::Spawned(process))
            }
            Target::Exec(spec) => {
                let process = ExecProcess::start(system, spec, load, network, stop)?;
                (process.endpoint().clone(), Kind::Exec(process))
            }
        };
        load::check_reachable(system, &endpoint, load.timeout)?;
        Ok(Server { endpoint, kind })
    }

    /// The address on which the server listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The processes of the server; `None` if unknown.
    pub fn tree(&self) -> Option<ProcessTree> {
        Some(match &self.kind {
            Kind::Spawned(process) => ProcessTree { root: process.pid(), leads_group: true },
            Kind::Exec(process) => ProcessTree { root: process.pid(), leads_group: true },
            Kind::Running(pid) => ProcessTree { root: (*pid)?, leads_group: false },
        })
    }

    /// Whether the server's processes are known or run on another machine. Otherwise they cannot
    /// be distinguished from other processes.
    pub fn is_known_or_remote(&self) -> bool {
        self.tree().is_some() || !is_on_this_machine(&self.endpoint)
    }

    /// Reads the resource usage of the server, by thread; `None` if its process is unknown.
    ///
    /// # Errors
    ///
    /// Returns an error if /proc is not readable or the server has exited.
    pub fn usage(&self) -> Option<Result<Usage>> {
        let tree = self.tree()?;
        if let Kind::Spawned(process) = &self.kind {
            return Some(Usage::with_threads(process.pid()));
        }
        Some(usage_of_tree(tree))
    }

    /// Whether the server has exited before it was stopped.
    pub fn has_exited(&mut self) -> bool {
        match &mut self.kind {
            Kind::Spawned(process) => process.has_exited(),
            Kind::Exec(process) => process.has_exited(),
            Kind::Running(pid) => pid.is_some_and(|pid| !is_running(pid)),
        }
    }

    /// Returns the exit status and the last output of a command that has exited; `None` for other
    /// servers.
    pub fn exit_summary(&mut self) -> Option<String> {
        match &mut self.kind {
            Kind::Exec(process) => process.has_exited().then(|| process.exit_summary()),
            Kind::Spawned(_) | Kind::Running(_) => None,
        }
    }

    /// Stops the server if this process started it. Returns the server's own counts if it has any.
    ///
    /// # Errors
    ///
    /// Returns an error if `echometer serve` does not stop in time or fails.
    pub fn stop(self) -> Result<Option<ServerReport>> {
        match self.kind {
            Kind::Spawned(process) => process.stop().map(Some),
            Kind::Exec(process) => {
                process.stop();
                Ok(None)
            }
            Kind::Running(_) => Ok(None),
        }
    }
}

fn usage_of_tree(tree: ProcessTree) -> Result<Usage> {
    let mut total = Usage::with_threads(tree.root)?;
    let processes = Processes::new(vec![tree])?.pids_of(0);
    for child in processes.into_iter().filter(|pid| *pid != tree.root) {
        // The child may have exited since it was listed.
        if let Ok(usage) = Usage::with_threads(child) {
            total.add(usage);
        }
    }
    Ok(total)
}

fn is_running(pid: u32) -> bool {
    let stat = Process::new(pid.cast_signed()).and_then(|process| process.stat());
    stat.is_ok_and(|stat| stat.state != 'Z')
}

/// Checks that the process exists and that this user may read its resource usage.
fn check_process(pid: u32) -> Result<()> {
    if !is_running(pid) {
        bail!("cannot measure the process {pid}: it does not exist; check pid=");
    }
    let owner = Process::new(pid.cast_signed()).and_then(|process| process.uid())?;
    let user = Uid::effective();
    if !user.is_root() && owner != user.as_raw() {
        bail!(
            "cannot measure the process {pid}: it belongs to the user {owner}, not to {user}; \
             run as that user or as root, or omit pid="
        );
    }
    Ok(())
}

/// Whether the address belongs to this machine. If it does, it is also the source address of
/// packets to it.
fn is_on_this_machine(endpoint: &Endpoint) -> bool {
    let Ok(address) = endpoint.resolve() else { return true };
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let source = UdpSocket::bind(any).and_then(|socket| {
        // Connecting a UDP socket sends nothing.
        socket.connect(address)?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_are_on_this_machine() {
        let is_local = |text: &str| is_on_this_machine(&text.parse().unwrap());
        assert!(is_local("127.0.0.1:1") && is_local("localhost:1"));
    }

    #[test]
    fn a_missing_process_is_rejected_with_its_id() {
        let error = check_process(999_999_999).unwrap_err().to_string();
        assert!(error.contains("999999999: it does not exist"), "{error}");
        assert!(check_process(std::process::id()).is_ok());
    }
}
