//! `serve`: runs a server until a signal, the end of `--uptime`, or the exit of the parent process.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::{Outcome, print, print_status, signals};
use crate::os::process::{PidFd, wait_until_readable};
use crate::os::{heap, host, threads};
use crate::report::prose::phrases::pluralize;
use crate::results::{JsonLines, ServerLine};
use crate::spec::{ServerSpec, Tuning};
use crate::systems::System;

/// Options of `serve`.
pub struct Serve {
    /// The system to serve.
    pub system: &'static dyn System,
    /// The server's options.
    pub spec: ServerSpec,
    /// Run time of the server; `None` means unlimited.
    pub uptime: Option<Duration>,
    /// File to which one JSON line with the server's counts is appended.
    pub metrics: Option<PathBuf>,
}

impl Serve {
    pub(super) fn run(self) -> Result<Outcome> {
        let tuned = self.spec.tuning == Tuning::Throughput;
        if tuned {
            // Before everything else, because it restarts this program.
            heap::restart_with_huge_pages();
        }
        let mut metrics = self.metrics.as_deref().map(JsonLines::open).transpose()?;
        host::raise_file_limit()?;
        let signals = signals::stream()?;
        // Not with PR_SET_PDEATHSIG of prctl(2): it signals the exit of the parent's thread.
        let parent = PidFd::open(nix::unistd::getppid().as_raw()).ok();
        if tuned {
            // The threads of the server inherit the policy from this thread, which starts them.
            threads::use_batch_scheduling();
        }
        let server = self.system.serve(&self.spec)?;
        print(&format!("listening {}\n", server.endpoint()))?;
        match &parent {
            Some(parent) => wait_until_readable([signals.as_fd(), parent.as_fd()], self.uptime)?,
            None => wait_until_readable([signals.as_fd()], self.uptime)?,
        };
        let tally = server.stop()?;
        let server_options = self.system.server_options(&self.spec);
        let line = ServerLine::new(self.system.name(), &self.spec.name, server_options, &tally);
        if let Some(metrics) = &mut metrics {
            metrics.append(std::slice::from_ref(&line))?;
        }
        print_status(format_args!(
            "{}: {} from {} in {}, {:.1} requests/s, {} malformed",
            line.server,
            pluralize(line.accesses, "request"),
            pluralize(line.clients, "client"),
            line.duration,
            line.throughput,
            line.malformed
        ));
        Ok(Outcome::Done)
    }
}
