//! The native driver: one client a thread, with the client of its framework, and the loop
//! that measures.

use std::thread;
use std::time::Instant;

use anyhow::anyhow;

use super::requester::Requester;
use super::{Event, Reins, Report};
use crate::measure::{ClientTally, Percentiles, PlayerTally, Window};
use crate::message::{EchoError, Request};
use crate::spec::LoadSpec;

/// A client before it starts.
pub struct NativeClient<'a> {
    pub requester: Requester<'a>,
    pub request: Request,
    pub spec: &'a LoadSpec,
    pub index: usize,
    pub reins: Reins<'a>,
}

impl NativeClient<'_> {
    /// Connects, echoes once, waits for the others and for the window, runs, and waits again.
    pub fn run(mut self) {
        if !self.spec.think.is_zero() {
            // A pause ends when it is over, not up to 50 us later. Where the kernel refuses,
            // pauses are longer, and the rows say what was measured.
            let _ = nix::sys::prctl::set_timerslack(1);
        }
        let mut tally = ClientTally::new(self.requester.who().name.clone());
        let mut percentiles = Percentiles::default();
        match self.requester.echo(&self.request) {
            Ok(reply) => {
                tally.completed = 1;
                tally.unverified = u64::from(!reply.verified);
                self.reins.tell(Event::Ready);
            }
            Err(error) => {
                let why = self.requester.explain(&self.request, &error);
                self.reins.tell(Event::Failed(anyhow!(why)));
            }
        }
        if let Some(window) = self.reins.wait_for_window() {
            self.echo_until_closed(window, &mut tally, &mut percentiles);
            tally.faults = self.requester.settle();
            let tally = PlayerTally { clients: vec![tally], percentiles };
            // Stays connected until the coordinator has looked at the server, whose threads
            // may end with their connections.
            self.reins.end(self.index, tally);
        }
    }

    /// The closed loop: stop? - clock - echo - clock - record.
    fn echo_until_closed(
        &mut self,
        window: Window,
        tally: &mut ClientTally,
        percentiles: &mut Percentiles,
    ) {
        let mut report = Report::new(&self.reins, tally.completed);
        while !self.reins.stop.is_set() {
            self.request.advance();
            let sent = Instant::now();
            if sent >= window.close {
                break;
            }
            let outcome = self.requester.echo(&self.request);
            let received = Instant::now();
            match outcome {
                Ok(reply) => {
                    tally.succeeded(reply.verified, (sent, received), &window, percentiles);
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
            report.when_due(received, || tally.completed, &self.reins);
            if !self.spec.think.is_zero() {
                thread::sleep(self.spec.think);
                tally.paused(received.elapsed());
            }
        }
    }
}
