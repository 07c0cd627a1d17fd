//! A client that reconnects and retries failed requests.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::measure::ErrorCounts;
use crate::message::{EchoError, Reply, Request};
use crate::spec::{ClientSpec, Endpoint};
use crate::systems::{Client, System};

use super::CancelToken;
use super::failure::{explain, record_error, record_sent_in_vain};

/// Pause before the first reconnection; it doubles with each further one.
pub const INITIAL_BACKOFF: Duration = Duration::from_millis(50);

/// Number of connections that stay open after a timeout, to detect late replies: a reply is
/// detected if it is late by up to this many timeouts.
pub const MAX_OVERDUE: usize = 2;

/// A client that closes its connection after each failure and resends on a new one.
///
/// The retry policy is the same for all systems: none of their clients retries by itself.
pub struct RetryingClient<'a> {
    system: &'static dyn System,
    endpoint: &'a Endpoint,
    spec: ClientSpec,
    stop: &'a CancelToken,
    client: Option<Box<dyn Client>>,
    /// Clients whose last request timed out, oldest first.
    overdue: VecDeque<Box<dyn Client>>,
    error_counts: ErrorCounts,
    /// From this instant on, requests are not retried.
    close: Option<Instant>,
    abandoned: bool,
}

impl<'a> RetryingClient<'a> {
    /// Creates a client that is not connected yet.
    pub fn new(
        system: &'static dyn System,
        endpoint: &'a Endpoint,
        spec: ClientSpec,
        stop: &'a CancelToken,
    ) -> Self {
        RetryingClient {
            system,
            endpoint,
            spec,
            stop,
            client: None,
            overdue: VecDeque::new(),
            error_counts: ErrorCounts::default(),
            close: None,
            abandoned: false,
        }
    }

    /// Returns the client's name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Disables retries from `close` on.
    pub fn set_close(&mut self, close: Instant) {
        self.close = Some(close);
    }

    /// Whether the last failed echo had retries left when the window closed.
    pub fn was_abandoned(&self) -> bool {
        self.abandoned
    }

    /// Returns the errors so far.
    pub fn error_counts(&self) -> &ErrorCounts {
        &self.error_counts
    }

    /// Checks all overdue connections for late replies, and returns the final error counts.
    pub fn finish(&mut self) -> ErrorCounts {
        self.close_overdue(0);
        self.error_counts
    }

    /// Sends the request until it is answered, with the same sequence each time.
    ///
    /// # Errors
    ///
    /// The error of the last attempt, if no retries are left or a retry would not help.
    #[inline]
    pub fn echo(&mut self, request: &Request) -> Result<Reply, EchoError> {
        let first = self.attempt(request);
        first.or_else(|error| self.retry(request, error))
    }

    /// Returns the error message for an echo that failed, with advice.
    pub fn explain(&self, request: &Request, error: &EchoError) -> String {
        explain(self.system, self.endpoint, request, error)
    }

    #[cold]
    fn retry(&mut self, request: &Request, mut error: EchoError) -> Result<Reply, EchoError> {
        let mut backoff = INITIAL_BACKOFF;
        self.abandoned = false;
        for _ in 0..self.spec.retries {
            match error {
                EchoError::Timeout(_) => {}
                // Gives a server time to restart, and does not flood one that stays down.
                EchoError::Disconnected(_) => {
                    let until = Instant::now() + backoff;
                    self.stop.sleep_until(self.close.map_or(until, |close| until.min(close)));
                    backoff *= 2;
                }
                // The server would give the same answer again.
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
            none => {
                none.insert(self.system.connect(self.endpoint, &self.spec).map_err(|error| {
                    self.error_counts.disconnects += 1;
                    EchoError::Disconnected(format!("{error:#}"))
                })?)
            }
        };
        let result = client.echo(request);
        if let Err(error) = &result {
            self.record_failure(error);
        }
        result
    }

    /// Counts the error and closes the connection. After a timeout, the connection stays open for a
    /// late reply.
    #[cold]
    fn record_failure(&mut self, error: &EchoError) {
        record_sent_in_vain(error, &mut self.error_counts);
        record_error(error, &mut self.error_counts);
        let client = self.client.take();
        if let (EchoError::Timeout(_), Some(client)) = (error, client) {
            self.overdue.push_back(client);
            self.close_overdue(MAX_OVERDUE);
        }
    }

    /// Closes the oldest overdue connections until `keep` are left, and counts their late replies.
    fn close_overdue(&mut self, keep: usize) {
        while self.overdue.len() > keep {
            let late = self.overdue.pop_front().is_some_and(|mut client| client.has_late_reply());
            self.error_counts.late += u64::from(late);
        }
    }
}
