//! The native driver: one client per thread, with the framework's client library, and the
//! measured loop.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::coordination::{Command, Coordination, Event, ProgressReporter, WindowCounts};
use super::retrying_client::RetryingClient;
use super::schedule::Schedule;
use crate::measure::{ClientTally, ClientThreadTally, Distributions, DueTimes, EchoTimes, Window};
use crate::message::{EchoError, Request};
use crate::os::precise_sleep::Sleeper;
use crate::spec::LoadSpec;

/// Longest final sleep before a request is due. It is precise but cannot be interrupted; a longer
/// wait first sleeps in steps that check whether the load was stopped.
const FINAL_SLEEP: Duration = Duration::from_millis(100);

/// A client and its thread's state.
pub struct NativeClient<'a> {
    pub client: RetryingClient<'a>,
    pub request: Request,
    pub spec: &'a LoadSpec,
    pub index: usize,
    pub coordination: Coordination<'a>,
    pub sleeper: Sleeper,
}

impl NativeClient<'_> {
    /// Connects, echoes once, and then executes commands until [`Command::End`].
    pub fn run(mut self) {
        let open_loop = self.spec.open_loop.is_some();
        if open_loop || !self.spec.think.is_zero() {
            self.sleeper = Sleeper::on_this_thread();
        }
        let mut tally = ClientTally::new(self.client.name().to_owned());
        let mut distributions = Distributions::new(open_loop);
        if self.coordination.sliced {
            distributions = distributions.sliced();
        }
        match self.client.echo(&self.request) {
            Ok(reply) => {
                tally.completed = 1;
                tally.unverified = u64::from(!reply.verified);
                self.coordination.send(Event::Ready);
            }
            Err(error) => {
                let reason = self.client.explain(&self.request, &error);
                self.coordination.send(Event::Failed(anyhow!(reason)));
            }
        }
        while let Some(command) = self.coordination.next_command() {
            let (Command::Run { keep_last, .. } | Command::End { keep_last }) = command;
            tally.end_slice(keep_last);
            distributions.end_slice(keep_last);
            match command {
                Command::Run { window, .. } => {
                    let counts = self.run_window(window, &mut tally, &mut distributions);
                    self.coordination.send(Event::Drained(counts));
                }
                Command::End { .. } => {
                    tally.error_counts = self.client.finish();
                    let tally = ClientThreadTally { clients: vec![tally], distributions };
                    return self.coordination.end(self.index, tally);
                }
            }
        }
    }

    /// Sends requests until the window closes. A client that gave up sends nothing.
    fn run_window(
        &mut self,
        window: Window,
        tally: &mut ClientTally,
        distributions: &mut Distributions,
    ) -> WindowCounts {
        let before = (tally.completed, self.client.error_counts().timeouts);
        if !tally.gave_up {
            self.echo_until_closed(window, tally, distributions);
        }
        WindowCounts {
            messages: tally.slice_messages(),
            completed: tally.completed - before.0,
            timeouts: self.client.error_counts().timeouts - before.1,
            gave_up: tally.gave_up,
        }
    }

    /// The measured loop: stop? - clock - echo - clock - record. In an open loop, it continues after
    /// the close until all requests of the window are answered, for at most the timeout.
    fn echo_until_closed(
        &mut self,
        window: Window,
        tally: &mut ClientTally,
        distributions: &mut Distributions,
    ) {
        self.client.set_close(window.close);
        let mut reporter = ProgressReporter::new(&self.coordination, tally.completed);
        let mut schedule = Schedule::new(self.spec, self.index, &window);
        let mut due =
            if schedule.is_open_loop() { schedule.next_due(Instant::now()) } else { None };
        let send_until = schedule.send_until(self.spec, &window);
        let mut received = None;
        while !self.coordination.stop.is_set() {
            self.request.advance();
            if let Some(due) = due {
                self.wait_until(due.min(window.close), schedule.is_open_loop());
                if due >= window.close || self.coordination.stop.is_set() {
                    break;
                }
            }
            let sent = Instant::now();
            if sent >= send_until {
                break;
            }
            if let (Some(received), true) = (received, schedule.has_pauses()) {
                tally.record_pause(sent - received, sent, &window);
            }
            let result = self.client.echo(&self.request);
            let now = Instant::now();
            let scheduled = due.filter(|_| schedule.is_open_loop());
            let scheduled = scheduled.map(|due| DueTimes::new(due, received));
            match result {
                Ok(reply) => {
                    let times = EchoTimes { due: scheduled, sent, received: now };
                    tally.record_success(reply.verified, times, &window, distributions);
                }
                Err(error) => {
                    distributions.in_flight.record(sent, now, &window);
                    if let Some(times) = scheduled {
                        tally.record_unanswered(times, Some(sent), now, &window, distributions);
                        due = None;
                    }
                    if self.client.was_abandoned() {
                        // Neither a success nor a failure: the window closed before the last retry.
                        break;
                    }
                    tally.record_failure(error.to_string());
                    // The server is still unreachable after all retries.
                    tally.gave_up = matches!(error, EchoError::Disconnected(_));
                    if tally.gave_up {
                        break;
                    }
                }
            }
            reporter.report_if_due(now, || tally.completed, &self.coordination);
            due = schedule.next_due(now);
            received = Some(now);
        }
        schedule.end(due, self.coordination.stop.is_set(), &window, tally, distributions);
    }

    /// Sleeps until a request is due or the load is stopped. An open-loop request is never early.
    fn wait_until(&mut self, due: Instant, open_loop: bool) {
        if let Some(until) = due.checked_sub(FINAL_SLEEP) {
            self.coordination.stop.sleep_until(until);
        }
        if self.coordination.stop.is_set() {
            return;
        }
        if open_loop {
            // The `Sleeper` may wake early to correct its mean.
            thread::sleep(due.saturating_duration_since(Instant::now()));
        } else {
            self.sleeper.sleep_until(due);
        }
    }
}
