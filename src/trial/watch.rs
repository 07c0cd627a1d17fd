//! Who looks on while the clients run: at both processes, at the window's ends.

use std::time::Instant;

use crate::load::{Observer, Stop};
use crate::measure::{Usage, UsageDelta};

use super::Progress;
use super::child::ServerProcess;

/// What was seen. Usages are empty where /proc could not be read.
#[derive(Debug, Default)]
pub struct Seen {
    /// The clients' process at the window's opening and closing.
    pub clients: Ends,
    /// The server's process, if it is ours.
    pub server: Ends,
    /// When the opening was looked at: later than it was, where CPUs are scarce.
    pub opened_at: Option<Instant>,
    /// The server has ended before it was told to.
    pub server_gone: bool,
}

/// What a process had used at the two ends of the window.
#[derive(Debug, Default)]
pub struct Ends {
    /// At its opening.
    pub open: Option<Usage>,
    /// At its closing.
    pub close: Option<Usage>,
}

impl Ends {
    /// What was used in between, if both ends are known.
    pub fn used(&self) -> Option<UsageDelta> {
        Some(self.close?.since(&self.open?))
    }
}

/// Looks on, and stops the clients if their server has ended.
pub struct Watch<'a, 'p> {
    server: Option<&'a mut ServerProcess>,
    stop: &'a Stop,
    progress: Progress<'p>,
    seen: Seen,
}

impl<'a, 'p> Watch<'a, 'p> {
    pub fn new(
        server: Option<&'a mut ServerProcess>,
        stop: &'a Stop,
        progress: Progress<'p>,
    ) -> Self {
        Watch { server, stop, progress, seen: Seen::default() }
    }

    /// Looks at the server a last time.
    pub fn finish(mut self) -> Seen {
        self.look_at_server();
        self.seen
    }

    fn look_at_server(&mut self) {
        if self.server.as_mut().is_some_and(|server| server.has_ended()) {
            self.seen.server_gone = true;
        }
    }

    fn usages(&self) -> (Option<Usage>, Option<Usage>) {
        let server = self.server.as_ref().and_then(|server| Usage::of(server.pid()).ok());
        (Usage::of(std::process::id()).ok(), server)
    }
}

impl Observer for Watch<'_, '_> {
    fn wants_progress(&self) -> bool {
        self.progress.is_some()
    }

    fn opened(&mut self) {
        self.seen.opened_at = Some(Instant::now());
        (self.seen.clients.open, self.seen.server.open) = self.usages();
    }

    fn closed(&mut self) {
        (self.seen.clients.close, self.seen.server.close) = self.usages();
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
