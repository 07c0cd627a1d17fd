//! `serve`: runs a server until it is told to stop.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::{Ending, print, signals, tell};
use crate::os::process::{ProcessEnd, wait_for_any};
use crate::os::threads;
use crate::os::{heap, host};
use crate::report::prose::phrases::counted;
use crate::results::{JsonLines, ServerLine};
use crate::spec::{ServerSpec, Tuning};
use crate::systems::System;

/// What to serve.
pub struct Serve {
    /// The system.
    pub system: &'static dyn System,
    /// The server.
    pub spec: ServerSpec,
    /// When to stop; `None`: when told to.
    pub uptime: Option<Duration>,
    /// Where to append what was counted.
    pub metrics: Option<PathBuf>,
}

impl Serve {
    pub(super) fn run(self) -> Result<Ending> {
        let tuned = self.spec.tuning == Tuning::Throughput;
        if tuned {
            heap::lay_in_huge_pages();
        }
        let mut metrics = self.metrics.as_deref().map(JsonLines::open).transpose()?;
        host::raise_file_limit()?;
        let signals = signals::stream()?;
        // Watched and not asked for by prctl(2), which would speak of the parent's thread.
        let parent = ProcessEnd::of(nix::unistd::getppid().as_raw()).ok();
        if tuned {
            // All threads of the server are started by this one, and inherit it.
            threads::wake_without_haste();
        }
        let server = self.system.serve(&self.spec)?;
        print(&format!("listening {}\n", server.endpoint()))?;
        match &parent {
            Some(parent) => wait_for_any([signals.as_fd(), parent.as_fd()], self.uptime)?,
            None => wait_for_any([signals.as_fd()], self.uptime)?,
        };
        let tally = server.stop()?;
        let server_options = self.system.server_options(&self.spec);
        let line = ServerLine::new(self.system.name(), &self.spec.name, server_options, &tally);
        if let Some(metrics) = &mut metrics {
            metrics.append(std::slice::from_ref(&line))?;
        }
        tell(format_args!(
            "{}: {} accesses of {} in {}, {:.1} accesses/s, {} malformed",
            line.server,
            line.accesses,
            counted(line.clients, "client"),
            line.duration,
            line.throughput,
            line.malformed
        ));
        Ok(Ending::Done)
    }
}
