//! Who looks on while the clients run: at both processes, at the window's ends.

use std::time::Instant;

use anyhow::Result;

use crate::load::{CancelToken, Observer};
use crate::measure::{Counters, CpuTimes, RoleUsage, Usage, by_role};

use super::Progress;
use super::server::Server;

/// What was seen. It is empty where /proc could not be read.
#[derive(Debug, Default)]
pub struct Seen {
    /// The clients' process at the window's opening and closing.
    pub clients: Ends<Usage>,
    /// The server's processes, if they are known.
    pub server: Ends<Usage>,
    /// The CPUs of this machine.
    pub cpus: Ends<CpuTimes>,
    /// When the opening was looked at: later than it was, where CPUs are scarce.
    pub opened_at: Option<Instant>,
    /// The server has ended before it was told to.
    pub server_gone: bool,
    /// Why something could not be read.
    pub unreadable: Option<String>,
}

/// What was there at the two ends of the window.
#[derive(Debug)]
pub struct Ends<T> {
    /// At its opening.
    pub open: Option<T>,
    /// At its closing.
    pub close: Option<T>,
}

// Derived, it would ask for the same of T.
impl<T> Default for Ends<T> {
    fn default() -> Self {
        Ends { open: None, close: None }
    }
}

impl Ends<Usage> {
    /// What was used in between, if both ends are known.
    pub fn used(&self) -> Option<Counters> {
        Some(self.close.as_ref()?.since(self.open.as_ref()?))
    }

    /// The same by the roles of threads.
    pub fn roles(&self) -> Vec<RoleUsage> {
        match (&self.open, &self.close) {
            (Some(open), Some(close)) => by_role(&open.threads, &close.threads),
            _ => Vec::new(),
        }
    }
}

/// Looks on, and stops the clients if their server has ended.
pub struct ProcessSampler<'a, 'p> {
    server: &'a mut Server,
    stop: &'a CancelToken,
    progress: Progress<'p>,
    seen: Seen,
}

/// All that is looked at, at one end of the window.
type Look = (Option<CpuTimes>, Option<Usage>, Option<Usage>);

impl<'a, 'p> ProcessSampler<'a, 'p> {
    pub fn new(server: &'a mut Server, stop: &'a CancelToken, progress: Progress<'p>) -> Self {
        ProcessSampler { server, stop, progress, seen: Seen::default() }
    }

    /// Looks at the server a last time.
    pub fn finish(mut self) -> Seen {
        self.look_at_server();
        self.seen
    }

    fn look_at_server(&mut self) {
        if self.server.has_ended() {
            self.seen.server_gone = true;
        }
    }

    fn look(&mut self) -> Look {
        let cpus = self.readable(CpuTimes::now());
        let clients = self.readable(Usage::of(std::process::id()));
        let server = self.server.usage().and_then(|usage| self.readable(usage));
        (cpus, clients, server)
    }

    fn readable<T>(&mut self, read: Result<T>) -> Option<T> {
        read.inspect_err(|error| {
            self.seen.unreadable.get_or_insert_with(|| format!("{error:#}"));
        })
        .ok()
    }
}

impl Observer for ProcessSampler<'_, '_> {
    fn wants_progress(&self) -> bool {
        self.progress.is_some()
    }

    fn opened(&mut self) {
        self.seen.opened_at = Some(Instant::now());
        (self.seen.cpus.open, self.seen.clients.open, self.seen.server.open) = self.look();
    }

    fn closed(&mut self) {
        (self.seen.cpus.close, self.seen.clients.close, self.seen.server.close) = self.look();
    }

    fn tick(&mut self, completed: u64) {
        self.look_at_server();
        if self.seen.server_gone {
            self.stop.set();
        }
        if let Some(progress) = &mut self.progress {
            progress(completed);
        }
    }
}
