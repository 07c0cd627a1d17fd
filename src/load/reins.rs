//! What ties a thread that plays clients to the coordinator. Nothing of it is touched for a
//! single message.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use super::Stop;
use crate::measure::{PlayerTally, Window};

/// What players tell the coordinator.
pub enum Event {
    /// A client has connected, and has echoed once.
    Ready,
    /// So many more echoes were completed.
    Progress(u64),
    /// A client could not connect.
    Failed(anyhow::Error),
    /// A player has ended.
    Ended(usize, Box<PlayerTally>),
}

/// A player's end of the channels.
#[derive(Clone)]
pub struct Reins<'a> {
    pub stop: &'a Stop,
    pub events: Sender<Event>,
    pub windows: Receiver<Window>,
    /// Never carries anything: it ends when the coordinator has seen the window close.
    pub closed: Receiver<()>,
    /// How often to say what was counted; `None`: only at the end.
    pub report_every: Option<Duration>,
}

impl Reins<'_> {
    /// Tells the coordinator. If it has gone, nobody wants to know.
    pub fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Waits for the others; `None`: the load was called off.
    pub fn wait_for_window(&self) -> Option<Window> {
        self.windows.recv().ok()
    }

    /// Hands in what the player `index` counted, and waits until nobody looks any more.
    pub fn end(&self, index: usize, tally: PlayerTally) {
        self.tell(Event::Ended(index, Box::new(tally)));
        let _ = self.closed.recv();
    }
}

/// Tells the coordinator now and then how far a player is; in between, one comparison.
pub struct Report {
    every: Duration,
    due: Option<Instant>,
    told: u64,
}

impl Report {
    /// Of a player that has completed so many echoes, of which nobody was told.
    pub fn new(reins: &Reins<'_>, told: u64) -> Self {
        let every = reins.report_every;
        let due = every.map(|every| Instant::now() + every);
        Report { every: every.unwrap_or_default(), due, told }
    }

    /// Says what was `completed`, if it is time to.
    #[inline]
    pub fn when_due(&mut self, now: Instant, completed: impl FnOnce() -> u64, reins: &Reins<'_>) {
        if self.due.is_some_and(|due| now >= due) {
            let completed = completed();
            reins.tell(Event::Progress(completed - self.told));
            self.told = completed;
            self.due = Some(now + self.every);
        }
    }
}
