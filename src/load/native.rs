//! The native driver: one client a thread, with the client of its framework, and the loop
//! that measures.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::coordination::{Coordination, Drained, Event, Order, Report};
use super::retrying_client::RetryingClient;
use super::schedule::Schedule;
use crate::measure::{ClientTally, Distributions, PlayerTally, Times, Window};
use crate::message::{EchoError, Request};
use crate::os::precise_sleep::Sleeper;
use crate::spec::LoadSpec;

/// How long before a request is due a client is awake at the latest, to look whether the load was
/// stopped; then it sleeps once more, and exactly.
const NEAR: Duration = Duration::from_millis(100);

/// A client before it starts.
pub struct NativeClient<'a> {
    pub requester: RetryingClient<'a>,
    pub request: Request,
    pub spec: &'a LoadSpec,
    pub index: usize,
    pub coordination: Coordination<'a>,
    pub sleeper: Sleeper,
}

impl NativeClient<'_> {
    /// Connects and echoes once; then follows orders until the last one.
    pub fn run(mut self) {
        let paced = self.spec.pace.is_some();
        if paced || !self.spec.think.is_zero() {
            self.sleeper = Sleeper::on_this_thread();
        }
        let mut tally = ClientTally::new(self.requester.who().name.clone());
        let mut distributions = Distributions::new(paced);
        if self.coordination.sliced {
            distributions = distributions.sliced();
        }
        match self.requester.echo(&self.request) {
            Ok(reply) => {
                tally.completed = 1;
                tally.unverified = u64::from(!reply.verified);
                self.coordination.send(Event::Ready);
            }
            Err(error) => {
                let why = self.requester.explain(&self.request, &error);
                self.coordination.send(Event::Failed(anyhow!(why)));
            }
        }
        while let Some(order) = self.coordination.next_order() {
            let (Order::Run { keep_last, .. } | Order::End { keep_last }) = order;
            tally.end_slice(keep_last);
            distributions.end_slice(keep_last);
            match order {
                Order::Run { window, .. } => {
                    let drained = self.run_window(window, &mut tally, &mut distributions);
                    self.coordination.send(Event::Drained(drained));
                }
                Order::End { .. } => {
                    tally.faults = self.requester.settle();
                    let tally = PlayerTally { clients: vec![tally], distributions };
                    return self.coordination.end(self.index, tally);
                }
            }
        }
    }

    /// Sends requests until the window closes. A client that gave up stays silent.
    fn run_window(
        &mut self,
        window: Window,
        tally: &mut ClientTally,
        distributions: &mut Distributions,
    ) -> Drained {
        let before = (tally.completed, self.requester.faults().timeouts);
        if !tally.gave_up {
            self.echo_until_closed(window, tally, distributions);
        }
        Drained {
            messages: tally.messages_of_slice(),
            completed: tally.completed - before.0,
            timeouts: self.requester.faults().timeouts - before.1,
            gave_up: tally.gave_up,
        }
    }

    /// The loop: stop? - clock - echo - clock - record.
    fn echo_until_closed(
        &mut self,
        window: Window,
        tally: &mut ClientTally,
        distributions: &mut Distributions,
    ) {
        self.requester.close_at(window.close);
        let mut report = Report::new(&self.coordination, tally.completed);
        let mut schedule = Schedule::new(self.spec, self.index, &window);
        let mut due = if schedule.is_paced() { schedule.next_due(Instant::now()) } else { None };
        let mut received = None;
        while !self.coordination.stop.is_set() {
            self.request.advance();
            if let Some(due) = due {
                self.wait_until(due.min(window.close), schedule.is_paced());
                if due >= window.close || self.coordination.stop.is_set() {
                    break;
                }
            }
            let sent = Instant::now();
            if sent >= window.close {
                break;
            }
            if let (Some(received), true) = (received, schedule.has_pauses()) {
                tally.paused(sent - received, sent, &window);
            }
            let outcome = self.requester.echo(&self.request);
            let now = Instant::now();
            match outcome {
                Ok(reply) => {
                    let due = due.filter(|_| schedule.is_paced());
                    let times = Times { due, sent, received: now };
                    tally.succeeded(reply.verified, times, &window, distributions);
                }
                // Neither done nor failed: it was not tried to the end.
                Err(_) if self.requester.has_abandoned() => break,
                Err(error) => {
                    tally.failed(error.to_string());
                    // After all the retries: there is no server to wait for.
                    tally.gave_up = matches!(error, EchoError::Disconnected(_));
                    if tally.gave_up {
                        break;
                    }
                }
            }
            report.when_due(now, || tally.completed, &self.coordination);
            due = schedule.next_due(now);
            received = Some(now);
        }
    }

    /// Sleeps until a request is due, or the load was stopped. `paced`: not less.
    fn wait_until(&mut self, due: Instant, paced: bool) {
        if let Some(near) = due.checked_sub(NEAR) {
            self.coordination.stop.sleep_until(near);
        }
        if self.coordination.stop.is_set() {
            return;
        }
        if paced {
            // Before it is due, nothing is sent.
            thread::sleep(due.saturating_duration_since(Instant::now()));
        } else {
            self.sleeper.sleep_until(due);
        }
    }
}
