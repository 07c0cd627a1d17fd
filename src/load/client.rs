//! One client: its thread, and the loop that measures.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use crossbeam_channel::{Receiver, Sender};

use super::{Event, Requester, Stop};
use crate::measure::{ClientTally, Window};
use crate::message::{EchoError, Request};
use crate::spec::LoadSpec;

/// A client before it starts.
pub struct ClientThread<'a> {
    pub requester: Requester<'a>,
    pub request: Request,
    pub spec: &'a LoadSpec,
    pub stop: &'a Stop,
    pub index: usize,
    pub events: Sender<Event>,
    pub windows: Receiver<Window>,
    /// Never carries anything: it ends when the coordinator has seen the window close.
    pub closed: Receiver<()>,
    /// How often to say what was counted; `None`: only at the end.
    pub report_every: Option<Duration>,
}

impl ClientThread<'_> {
    /// Connects, echoes once, waits for the others and for the window, runs, and waits again.
    pub fn run(mut self) {
        if !self.spec.think.is_zero() {
            // A pause ends when it is over, not up to 50 us later. Where the kernel refuses,
            // pauses are longer, and the rows say what was measured.
            let _ = nix::sys::prctl::set_timerslack(1);
        }
        let mut tally = ClientTally::new(self.requester.who().name.clone());
        // If the coordinator has gone, nobody wants to know.
        let _ = match self.requester.echo(&self.request) {
            Ok(reply) => {
                tally.completed = 1;
                tally.unverified = u64::from(!reply.verified);
                self.events.send(Event::Ready)
            }
            Err(error) => {
                let why = self.requester.explain(&self.request, &error);
                self.events.send(Event::Failed(anyhow!(why)))
            }
        };
        if let Ok(window) = self.windows.recv() {
            self.echo_until_closed(window, &mut tally);
            tally.faults = self.requester.settle();
            let _ = self.events.send(Event::Ended(self.index, Box::new(tally)));
            // Stays connected until the coordinator has looked at the server, whose threads
            // may end with their connections.
            let _ = self.closed.recv();
        }
    }

    /// The closed loop: stop? - clock - echo - clock - record.
    fn echo_until_closed(&mut self, window: Window, tally: &mut ClientTally) {
        let mut report = Report::new(self.report_every, tally.completed);
        while !self.stop.is_set() {
            self.request.advance();
            let sent = Instant::now();
            if sent >= window.close {
                break;
            }
            let outcome = self.requester.echo(&self.request);
            let received = Instant::now();
            match outcome {
                Ok(reply) => {
                    tally.succeeded(reply.verified, sent, received, &window);
                }
                Err(error) => {
                    tally.failed(error.to_string());
                    // After all the retries: there is no server to wait for.
                    tally.gave_up = matches!(error, EchoError::Disconnected(_));
                    if tally.gave_up {
                        break;
                    }
                }
            }
            report.when_due(received, tally.completed, &self.events);
            if !self.spec.think.is_zero() {
                thread::sleep(self.spec.think);
                tally.paused(received.elapsed());
            }
        }
    }
}

/// Tells the coordinator now and then how far the client is; in between, one comparison.
struct Report {
    every: Duration,
    due: Option<Instant>,
    told: u64,
}

impl Report {
    fn new(every: Option<Duration>, told: u64) -> Self {
        let every_or_never = every.map(|every| Instant::now() + every);
        Report { every: every.unwrap_or_default(), due: every_or_never, told }
    }

    #[inline]
    fn when_due(&mut self, now: Instant, completed: u64, events: &Sender<Event>) {
        if self.due.is_some_and(|due| now >= due) {
            let _ = events.send(Event::Progress(completed - self.told));
            self.told = completed;
            self.due = Some(now + self.every);
        }
    }
}
