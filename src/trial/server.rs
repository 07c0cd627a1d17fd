//! The server of a contender: started by this process, or running already.

use std::net::UdpSocket;

use anyhow::{Result, bail};
use nix::unistd::Uid;
use procfs::process::Process;

use super::contender::Contender;
use super::exec::ExecProcess;
use super::server_process::{ServerProcess, Stopped};
use crate::load::{self, CancelToken};
use crate::measure::{Processes, Tree, Usage};
use crate::spec::{Endpoint, LoadSpec, Target};

/// A server that answers.
pub struct Server {
    endpoint: Endpoint,
    kind: Kind,
}

enum Kind {
    /// `echometer serve`, which counts its requests.
    Ours(ServerProcess),
    /// A command of the user.
    Exec(ExecProcess),
    /// It runs already, as the process with this id, if that is known.
    Running(Option<u32>),
}

impl Server {
    /// Starts it, if it is to be started, and makes sure that something listens.
    ///
    /// # Errors
    ///
    /// Where it does not start, cannot be reached, or has no such process.
    pub fn start(contender: &Contender, load: &LoadSpec, stop: &CancelToken) -> Result<Self> {
        let system = contender.system;
        let (endpoint, kind) = match &contender.target {
            Target::Running { address, pid } => {
                pid.map_or(Ok(()), check_process)?;
                (address.clone(), Kind::Running(*pid))
            }
            Target::Spawn { program, server, .. } => {
                let process = ServerProcess::spawn(program, system.name(), server)?;
                (process.endpoint().clone(), Kind::Ours(process))
            }
            Target::Exec(spec) => {
                let process = ExecProcess::start(system, spec, load, stop)?;
                (process.endpoint().clone(), Kind::Exec(process))
            }
        };
        load::reach(system, &endpoint, load.timeout)?;
        Ok(Server { endpoint, kind })
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Its processes; `None` where they are not known.
    pub fn tree(&self) -> Option<Tree> {
        Some(match &self.kind {
            Kind::Ours(process) => Tree { root: process.pid(), leads_group: true },
            Kind::Exec(process) => Tree { root: process.pid(), leads_group: true },
            Kind::Running(pid) => Tree { root: (*pid)?, leads_group: false },
        })
    }

    /// Whether its processes are known, or not on this machine.
    pub fn is_accounted_for(&self) -> bool {
        self.tree().is_some() || !is_on_this_machine(&self.endpoint)
    }

    /// What its processes have used so far, thread by thread.
    ///
    /// # Errors
    ///
    /// Where /proc is not readable, or it has ended.
    pub fn usage(&self) -> Option<Result<Usage>> {
        let tree = self.tree()?;
        if let Kind::Ours(process) = &self.kind {
            return Some(Usage::by_thread(process.pid()));
        }
        Some(usage_of(tree))
    }

    /// Whether it has ended before it was told to.
    pub fn has_ended(&mut self) -> bool {
        match &mut self.kind {
            Kind::Ours(process) => process.has_ended(),
            Kind::Exec(process) => process.has_ended(),
            Kind::Running(pid) => pid.is_some_and(|pid| !is_there(pid)),
        }
    }

    /// How a command that has ended did so, and what it printed; `None` of other servers.
    pub fn last_words(&mut self) -> Option<String> {
        match &mut self.kind {
            Kind::Exec(process) => process.has_ended().then(|| process.last_words()),
            Kind::Ours(_) | Kind::Running(_) => None,
        }
    }

    /// Stops it, if it was started here; returns what it counted, if it did.
    ///
    /// # Errors
    ///
    /// Where one of ours does not stop as it should.
    pub fn stop(self) -> Result<Option<Stopped>> {
        match self.kind {
            Kind::Ours(process) => process.stop().map(Some),
            Kind::Exec(process) => {
                process.stop();
                Ok(None)
            }
            Kind::Running(_) => Ok(None),
        }
    }
}

fn usage_of(tree: Tree) -> Result<Usage> {
    let mut all = Usage::by_thread(tree.root)?;
    let children = Processes::watch(vec![tree])?.pids_of(0);
    for child in children.into_iter().filter(|pid| *pid != tree.root) {
        // A child may have ended by now.
        if let Ok(usage) = Usage::by_thread(child) {
            all.add(usage);
        }
    }
    Ok(all)
}

fn is_there(pid: u32) -> bool {
    let stat = Process::new(pid.cast_signed()).and_then(|process| process.stat());
    stat.is_ok_and(|stat| stat.state != 'Z')
}

/// Makes sure that the process can be measured.
fn check_process(pid: u32) -> Result<()> {
    if !is_there(pid) {
        bail!("cannot measure the process {pid}: it does not exist; check pid=");
    }
    let owner = Process::new(pid.cast_signed()).and_then(|process| process.uid())?;
    let user = Uid::effective();
    if !user.is_root() && owner != user.as_raw() {
        bail!(
            "cannot measure the process {pid}: it belongs to the user {owner}, not to {user}; run as \
             that user or as root, or leave out pid="
        );
    }
    Ok(())
}

/// Whether the address is one of this machine: then a packet to it would come from there.
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
    fn addresses_of_this_machine_are_told_from_others() {
        let is_here = |text: &str| is_on_this_machine(&text.parse().unwrap());
        assert!(is_here("127.0.0.1:1") && is_here("localhost:1"));
    }

    #[test]
    fn a_process_that_does_not_exist_is_named() {
        let error = check_process(999_999_999).unwrap_err().to_string();
        assert!(error.contains("999999999: it does not exist"), "{error}");
        assert!(check_process(std::process::id()).is_ok());
    }
}
