//! One client's way to an answer: connect, echo, and try again as often as it may.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::measure::ErrorCounts;
use crate::message::{EchoError, Reply, Request};
use crate::spec::{ClientSpec, Endpoint};
use crate::systems::{Client, System};

use super::CancelToken;
use super::failure::{count, explain};

/// The pause before the first reconnection; it doubles with each further one.
pub const BACKOFF: Duration = Duration::from_millis(50);

/// How many connections whose reply did not come in time are kept open, to see whether it
/// comes at all: replies that are late by as many timeouts are seen.
pub const OVERDUE: usize = 2;

/// A client that closes its connection after each failure, and resends on a new one.
///
/// The policy is the same for all systems: none of their clients retries by itself.
pub struct RetryingClient<'a> {
    system: &'static dyn System,
    to: &'a Endpoint,
    who: ClientSpec,
    stop: &'a CancelToken,
    client: Option<Box<dyn Client>>,
    overdue: VecDeque<Box<dyn Client>>,
    faults: ErrorCounts,
    /// From then on, nothing is tried again.
    close: Option<Instant>,
    abandoned: bool,
}

impl<'a> RetryingClient<'a> {
    /// A client that is not connected yet.
    pub fn new(
        system: &'static dyn System,
        to: &'a Endpoint,
        who: ClientSpec,
        stop: &'a CancelToken,
    ) -> Self {
        RetryingClient {
            system,
            to,
            who,
            stop,
            client: None,
            overdue: VecDeque::new(),
            faults: ErrorCounts::default(),
            close: None,
            abandoned: false,
        }
    }

    /// Who this is.
    pub fn who(&self) -> &ClientSpec {
        &self.who
    }

    /// Lets it try nothing again from `close` on.
    pub fn close_at(&mut self, close: Instant) {
        self.close = Some(close);
    }

    /// Whether the last echo that failed would have been tried again, but for the close.
    pub fn has_abandoned(&self) -> bool {
        self.abandoned
    }

    /// What went wrong so far.
    pub fn faults(&self) -> &ErrorCounts {
        &self.faults
    }

    /// What went wrong in all. Looks a last time for replies that are late.
    pub fn settle(&mut self) -> ErrorCounts {
        self.look_for_late_replies(0);
        self.faults
    }

    /// Sends the request until it is answered, with the same sequence each time.
    ///
    /// # Errors
    ///
    /// That of the last attempt, where the retries are used up or would not help.
    #[inline]
    pub fn echo(&mut self, request: &Request) -> Result<Reply, EchoError> {
        let first = self.attempt(request);
        first.or_else(|error| self.retry(request, error))
    }

    /// Says of a request that was not answered what was asked of whom, and what to look at.
    pub fn explain(&self, request: &Request, error: &EchoError) -> String {
        explain(self.system, self.to, request, error)
    }

    #[cold]
    fn retry(&mut self, request: &Request, mut error: EchoError) -> Result<Reply, EchoError> {
        let mut pause = BACKOFF;
        self.abandoned = false;
        for _ in 0..self.who.retries {
            match error {
                EchoError::Timeout(_) => {}
                // Whoever comes back needs a moment; whoever stays away is not stormed.
                EchoError::Disconnected(_) => {
                    let until = Instant::now() + pause;
                    self.stop.sleep_until(self.close.map_or(until, |close| until.min(close)));
                    pause *= 2;
                }
                // The server has answered; it would answer the same again.
                EchoError::Refused(_) | EchoError::Malformed(_) | EchoError::Stray { .. } => break,
            }
            self.abandoned = self.close.is_some_and(|close| Instant::now() >= close);
            if self.abandoned || self.stop.is_set() {
                break;
            }
            match self.attempt(request) {
                Ok(reply) => return Ok(reply),
                Err(next) => error = next,
            }
        }
        Err(error)
    }

    #[inline]
    fn attempt(&mut self, request: &Request) -> Result<Reply, EchoError> {
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(self.system.connect(self.to, &self.who).map_err(|error| {
                self.faults.disconnects += 1;
                EchoError::Disconnected(format!("{error:#}"))
            })?),
        };
        let outcome = client.echo(request);
        if let Err(error) = &outcome {
            self.failed(error);
        }
        outcome
    }

    /// Counts what went wrong, and lets the connection go, or keeps it for a reply that may
    /// still come.
    #[cold]
    fn failed(&mut self, error: &EchoError) {
        self.faults.sent += 1;
        count(error, &mut self.faults);
        let client = self.client.take();
        if let (EchoError::Timeout(_), Some(client)) = (error, client) {
            self.overdue.push_back(client);
            self.look_for_late_replies(OVERDUE);
        }
    }

    /// Closes the oldest overdue connections until `most` are left, with a look at each.
    fn look_for_late_replies(&mut self, most: usize) {
        while self.overdue.len() > most {
            let came = self.overdue.pop_front().is_some_and(|mut client| client.has_late_reply());
            self.faults.late += u64::from(came);
        }
    }
}
