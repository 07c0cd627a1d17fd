//! Channels between the coordinator and the client threads. They are not used for single messages.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use super::CancelToken;
use crate::measure::{ClientThreadTally, Window};

/// Sent by a client thread to the coordinator.
pub enum Event {
    /// A client has connected and completed its first echo.
    Ready,
    /// Number of echoes completed since the previous report.
    Progress(u64),
    /// A client could not connect.
    Failed(anyhow::Error),
    /// The window has closed, and no request is outstanding.
    Drained(WindowCounts),
    /// The thread has ended: its index and the tally of its clients.
    Ended(usize, Box<ClientThreadTally>),
}

/// Counts of a thread's clients from [`Command::Run`] to the end of the drain.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct WindowCounts {
    /// Echoes counted in the window.
    pub messages: u64,
    /// All echoes, including the lead-in and the drain.
    pub completed: u64,
    /// Requests that timed out.
    pub timeouts: u64,
    /// Whether a client could not reconnect to its server.
    pub gave_up: bool,
}

impl WindowCounts {
    /// Adds the counts of another thread.
    pub fn add(&mut self, other: WindowCounts) {
        self.messages += other.messages;
        self.completed += other.completed;
        self.timeouts += other.timeouts;
        self.gave_up |= other.gave_up;
    }
}

/// Sent by the coordinator to a client thread.
#[derive(Debug, Clone, Copy)]
pub enum Command {
    /// Send requests from now on until the window closes.
    Run {
        /// Counts the echoes whose replies arrive in it.
        window: Window,
        /// Whether the previous slice counts.
        keep_last: bool,
    },
    /// Submit the tally and end.
    End {
        /// Whether the previous slice counts.
        keep_last: bool,
    },
}

/// A client thread's end of the channels.
pub struct Coordination<'a> {
    pub stop: &'a CancelToken,
    pub events: Sender<Event>,
    pub commands: Receiver<Command>,
    /// Interval between progress reports; `None`: no reports.
    pub report_every: Option<Duration>,
    /// Whether the load runs in slices. A slice may be left out.
    pub sliced: bool,
}

impl Coordination<'_> {
    /// Sends `event` to the coordinator. If the coordinator has ended, the load is over and the
    /// event is dropped.
    pub fn send(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Blocks until the next command, without using the CPU; `None`: the load was canceled.
    pub fn next_command(&self) -> Option<Command> {
        self.commands.recv().ok()
    }

    /// Submits the tally of the thread `index`, and stays connected until the coordinator has
    /// sampled the server: server threads may end with their connections.
    pub fn end(&self, index: usize, tally: ClientThreadTally) {
        self.send(Event::Ended(index, Box::new(tally)));
        while self.next_command().is_some() {}
    }
}

/// Sends a thread's progress at intervals. A call that sends no report costs one comparison.
pub struct ProgressReporter {
    every: Duration,
    due: Option<Instant>,
    reported: u64,
}

impl ProgressReporter {
    /// Reports echoes beyond the first `completed`.
    pub fn new(coordination: &Coordination<'_>, completed: u64) -> Self {
        let every = coordination.report_every;
        let due = every.map(|every| Instant::now() + every);
        ProgressReporter { every: every.unwrap_or_default(), due, reported: completed }
    }

    /// Sends the number of echoes completed since the last report, if a report is due.
    #[inline]
    pub fn report_if_due(
        &mut self,
        now: Instant,
        completed: impl FnOnce() -> u64,
        coordination: &Coordination<'_>,
    ) {
        if self.due.is_some_and(|due| now >= due) {
            let completed = completed();
            coordination.send(Event::Progress(completed - self.reported));
            self.reported = completed;
            self.due = Some(now + self.every);
        }
    }
}
