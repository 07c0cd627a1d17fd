//! How the coordinator and the threads that play clients talk to each other. Nothing of it is
//! touched for a single message.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use super::CancelToken;
use crate::measure::{PlayerTally, Window};

/// What a player tells the coordinator.
pub enum Event {
    /// A client has connected, and has echoed once.
    Ready,
    /// This many more echoes were completed.
    Progress(u64),
    /// A client could not connect.
    Failed(anyhow::Error),
    /// The window has closed, and no request is outstanding.
    Drained(Drained),
    /// The player has ended: its index, and what its clients counted.
    Ended(usize, Box<PlayerTally>),
}

/// What the clients of a player did between the order and the end of the drain.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Echoes counted in the window.
    pub messages: u64,
    /// All echoes, the lead-in and the drain included.
    pub completed: u64,
    /// Waits that ended without a reply.
    pub timeouts: u64,
    /// Whether a client could not reach its server again.
    pub gave_up: bool,
}

impl Drained {
    /// Adds another player.
    pub fn add(&mut self, other: Drained) {
        self.messages += other.messages;
        self.completed += other.completed;
        self.timeouts += other.timeouts;
        self.gave_up |= other.gave_up;
    }
}

/// What the coordinator tells a player.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// Send requests from now on until the window closes.
    Run {
        /// Echoes count whose replies arrive in it.
        window: Window,
        /// Whether the last slice counts.
        keep_last: bool,
    },
    /// Hand in the tally.
    End {
        /// Whether the last slice counts.
        keep_last: bool,
    },
}

/// A player's end of the channels.
pub struct Coordination<'a> {
    pub stop: &'a CancelToken,
    pub events: Sender<Event>,
    pub orders: Receiver<Order>,
    /// How often to report progress; `None`: never.
    pub report_every: Option<Duration>,
    /// Whether the load runs in slices. A slice may be left out.
    pub sliced: bool,
}

impl Coordination<'_> {
    /// Tells the coordinator. It may have gone, which ends the load.
    pub fn send(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Waits for the next order, without using the CPU; `None`: the load was called off.
    pub fn next_order(&self) -> Option<Order> {
        self.orders.recv().ok()
    }

    /// Hands in what the player `index` counted, and stays connected until the coordinator has
    /// looked at the server, whose threads may end with their connections.
    pub fn end(&self, index: usize, tally: PlayerTally) {
        self.send(Event::Ended(index, Box::new(tally)));
        while self.next_order().is_some() {}
    }
}

/// Reports now and then how far a player is; in between, it costs one comparison.
pub struct Report {
    every: Duration,
    due: Option<Instant>,
    told: u64,
}

impl Report {
    /// For a player that has completed `told` echoes so far, which are not reported.
    pub fn new(coordination: &Coordination<'_>, told: u64) -> Self {
        let every = coordination.report_every;
        let due = every.map(|every| Instant::now() + every);
        Report { every: every.unwrap_or_default(), due, told }
    }

    /// Reports the echoes `completed` since the last report, if one is due.
    #[inline]
    pub fn when_due(
        &mut self,
        now: Instant,
        completed: impl FnOnce() -> u64,
        coordination: &Coordination<'_>,
    ) {
        if self.due.is_some_and(|due| now >= due) {
            let completed = completed();
            coordination.send(Event::Progress(completed - self.told));
            self.told = completed;
            self.due = Some(now + self.every);
        }
    }
}
