//! The state machine of one client on a thread with many.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Registry, Token};

use super::connection::{Connection, Step};
use super::timer::Pauses;
use crate::load::CancelToken;
use crate::load::failure::{record_error, record_sent_in_vain};
use crate::load::retrying_client::{INITIAL_BACKOFF, MAX_OVERDUE};
use crate::load::schedule::Schedule;
use crate::measure::{ClientTally, Distributions, DueTimes, EchoTimes, Window};
use crate::message::{self, EchoError, Request};
use crate::os::precise_sleep::Sleeper;
use crate::spec::{ClientSpec, Endpoint, LoadSpec};
use crate::systems::System;

/// The state of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not connected yet, or between its first echo and the first window.
    Idle,
    /// Connecting, or waiting until the peer is ready. The client then sends its request.
    Connecting,
    /// Waiting for the reply.
    Waiting,
    /// Waiting until the next request is due.
    Pausing(Instant),
    /// Waiting before it reconnects.
    BackingOff(Instant),
    /// Sends no more requests in this window.
    Done,
}

/// State that all clients of a thread share.
pub struct Shared<'a> {
    pub system: &'static dyn System,
    pub endpoint: Endpoint,
    pub address: SocketAddr,
    pub spec: &'a LoadSpec,
    pub stop: &'a CancelToken,
    pub registry: Registry,
    /// `None` until all clients have echoed once.
    pub window: Option<Window>,
    /// When epoll returned; `None` unless an event is being handled that has had no reply yet.
    pub epoll_returned: Option<Instant>,
    pub read_buffer: Vec<u8>,
    pub distributions: Distributions,
    pub pauses: Pauses,
    pub sleeper: Sleeper,
}

/// One client.
pub struct Client {
    spec: ClientSpec,
    token: Token,
    pub request: Request,
    pub tally: ClientTally,
    pub phase: Phase,
    connection: Option<Connection>,
    /// Connections whose last request timed out, oldest first.
    overdue: VecDeque<Connection>,
    /// Index among the clients of all threads.
    index: usize,
    /// Due times of the requests; `None` before the first window.
    schedule: Option<Schedule>,
    /// When the request is due; `None`: immediately.
    due: Option<Instant>,
    /// When the request was first sent.
    sent: Instant,
    /// When the last echo ended.
    received: Instant,
    /// Whether the request was due before the previous reply arrived.
    was_waiting: bool,
    /// When the attempt times out.
    deadline: Instant,
    retries_left: u32,
    backoff: Duration,
    /// Error of the first echo. A client whose first echo failed does nothing else.
    pub first_echo_error: Option<EchoError>,
}

impl Client {
    /// Creates the client `token` of its thread. `index` is its index among all clients.
    pub fn new(spec: ClientSpec, request: Request, token: usize, index: usize) -> Self {
        let now = Instant::now();
        Client {
            tally: ClientTally::new(spec.name.clone()),
            retries_left: spec.retries,
            spec,
            token: Token(token),
            request,
            phase: Phase::Idle,
            connection: None,
            overdue: VecDeque::new(),
            index,
            schedule: None,
            due: None,
            sent: now,
            received: now,
            was_waiting: false,
            deadline: now,
            backoff: INITIAL_BACKOFF,
            first_echo_error: None,
        }
    }

    /// Starts the first echo.
    pub fn start(&mut self, shared: &mut Shared<'_>, now: Instant) {
        self.sent = now;
        self.connect(shared, now);
    }

    /// Starts a window: sends the next request when it is due. A client that gave up sends nothing.
    pub fn start_window(&mut self, shared: &mut Shared<'_>, window: &Window, now: Instant) {
        if self.tally.gave_up {
            return;
        }
        (self.retries_left, self.backoff) = (self.spec.retries, INITIAL_BACKOFF);
        self.received = now;
        let mut schedule = Schedule::new(shared.spec, self.index, window);
        // The first request of a closed loop is due immediately.
        self.due = if schedule.is_open_loop() { schedule.next_due(now) } else { None };
        self.schedule = Some(schedule);
        let step = self.pause_or_send(shared, now);
        // Not waiting, but started late.
        self.was_waiting = false;
        self.run_steps(Ok(step), shared);
    }

    /// Ends a window: counts the requests that were due but not sent.
    pub fn end_window(&mut self, shared: &mut Shared<'_>, window: &Window) {
        let (due, stopped) = (self.due.take(), shared.stop.is_set());
        if let Some(schedule) = &mut self.schedule {
            schedule.end(due, stopped, window, &mut self.tally, &mut shared.distributions);
        }
    }

    /// Handles an epoll event of its socket; `peer_closed`: the server has closed its side.
    #[inline]
    pub fn on_ready(&mut self, shared: &mut Shared<'_>, peer_closed: bool) {
        let Some(connection) = &mut self.connection else { return };
        if peer_closed {
            connection.set_peer_closed();
        }
        let sequence = self.request.sequence();
        let mut verify = |reply: &[u8]| message::verify(sequence, reply);
        let step = connection.on_ready(&mut shared.read_buffer, &mut verify);
        if matches!(self.phase, Phase::Connecting | Phase::Waiting) {
            self.run_steps(step, shared);
        } else {
            self.handle_unsolicited(step, shared);
        }
    }

    /// Checks timeouts and the ends of pauses.
    pub fn check_deadline(&mut self, shared: &mut Shared<'_>, now: Instant) {
        match self.phase {
            Phase::Connecting | Phase::Waiting if now >= self.deadline => {
                self.fail_attempt(EchoError::Timeout(self.spec.timeout), shared, now);
            }
            Phase::BackingOff(until) if now >= until => self.connect(shared, now),
            Phase::Pausing(until) if now >= until => {
                shared.sleeper.record_wakeup(until, now);
                // Records the actual length of the pause, not the planned one.
                if let Some(window) = &shared.window {
                    self.tally.record_pause(now - self.received, now, window);
                }
                let step = self.next_echo(shared, now);
                self.run_steps(Ok(step), shared);
            }
            Phase::Pausing(_) if should_stop(shared, now) => self.phase = Phase::Done,
            Phase::BackingOff(_) if should_stop(shared, now) => {
                self.record_unanswered(shared, now);
                self.phase = Phase::Done;
            }
            _ => {}
        }
    }

    /// Closes all overdue connections, and counts their late replies.
    pub fn close_overdue(&mut self, read_buffer: &mut [u8]) {
        while let Some(mut connection) = self.overdue.pop_front() {
            self.tally.error_counts.late += u64::from(connection.has_late_reply(read_buffer));
        }
    }

    /// Executes steps until one has to wait. A loop instead of recursion, because a server may have
    /// sent any number of replies in advance.
    #[inline]
    fn run_steps(&mut self, mut step: Result<Step, EchoError>, shared: &mut Shared<'_>) {
        loop {
            step = match step {
                Ok(Step::Pending) => return,
                Ok(Step::ReadAgain) => self.request_read(shared),
                Ok(Step::Ready) => self.send(),
                Ok(Step::Replied(verified)) => {
                    let now = Instant::now();
                    if now >= self.deadline {
                        // The reply arrived after the timeout, but before `check_deadline`.
                        self.tally.error_counts.late += 1;
                        let timeout = EchoError::Timeout(self.spec.timeout);
                        return self.fail_attempt(timeout, shared, now);
                    }
                    match self.record_reply(verified, shared, now) {
                        Step::Pending => return self.check_after_reply(shared),
                        step => Ok(step),
                    }
                }
                Err(error) => return self.fail_attempt(error, shared, Instant::now()),
            };
        }
    }

    /// Checks for data after the reply if no request follows immediately. After the first echo, the
    /// next request detects such data: it follows as soon as the other clients are ready.
    fn check_after_reply(&mut self, shared: &mut Shared<'_>) {
        let Some(connection) = self.connection.as_mut().filter(|_| self.phase != Phase::Idle)
        else {
            return;
        };
        let answered = self.request.sequence();
        let mut verify = |reply: &[u8]| message::verify(answered, reply);
        let step = connection.check_after_reply(&mut shared.read_buffer, &mut verify);
        if step != Ok(Step::Pending) {
            self.handle_unsolicited(step, shared);
        }
    }

    /// Handles input while no request is outstanding: a repeated reply, which is not an echo, or
    /// the end of the connection. Neither fails an echo. The next request opens a new connection.
    #[cold]
    fn handle_unsolicited(&mut self, step: Result<Step, EchoError>, shared: &mut Shared<'_>) {
        let step = if step == Ok(Step::ReadAgain) { self.request_read(shared) } else { step };
        let answered = self.request.sequence();
        let error = match step {
            Ok(Step::Pending | Step::Ready | Step::ReadAgain) => return,
            Ok(Step::Replied(_)) => EchoError::Stray { sent: answered + 1, acknowledged: answered },
            Err(error) => error,
        };
        record_error(&error, &mut self.tally.error_counts);
        self.connection = None;
    }

    #[cold]
    fn request_read(&mut self, shared: &Shared<'_>) -> Result<Step, EchoError> {
        match &mut self.connection {
            Some(connection) => connection.request_read(&shared.registry, self.token),
            None => Ok(Step::Pending),
        }
    }

    #[inline]
    fn send(&mut self) -> Result<Step, EchoError> {
        let Some(connection) = &mut self.connection else { return Ok(Step::Pending) };
        self.phase = Phase::Waiting;
        let sequence = self.request.sequence();
        connection.request(self.request.bytes(), &mut |reply| message::verify(sequence, reply))
    }

    /// Counts the echo. Returns [`Step::Ready`] if the next request may be sent immediately.
    #[inline]
    fn record_reply(&mut self, verified: bool, shared: &mut Shared<'_>, now: Instant) -> Step {
        self.retries_left = self.spec.retries;
        self.backoff = INITIAL_BACKOFF;
        let Some(window) = &shared.window else {
            self.tally.completed = 1;
            self.tally.unverified = u64::from(!verified);
            self.phase = Phase::Idle;
            return Step::Pending;
        };
        if let Some(returned) = shared.epoll_returned.take() {
            shared.distributions.record_driver_lag(returned, now, window);
        }
        let times = EchoTimes { due: self.scheduled(), sent: self.sent, received: now };
        self.tally.record_success(verified, times, window, &mut shared.distributions);
        self.schedule_next(shared, now)
    }

    /// The due time of the current request; `None` in a closed loop.
    #[inline]
    fn scheduled(&self) -> Option<DueTimes> {
        let due = self.due.filter(|_| self.is_open_loop())?;
        Some(DueTimes { due, was_waiting: self.was_waiting })
    }

    /// Counts the current request as one without a correct reply: it may have been in flight at the
    /// close, and it may have a due time.
    #[cold]
    fn record_unanswered(&mut self, shared: &mut Shared<'_>, now: Instant) {
        let Some(window) = &shared.window else { return };
        shared.distributions.in_flight.record(self.sent, now, window);
        if let Some(times) = self.scheduled() {
            let (sent, distributions) = (Some(self.sent), &mut shared.distributions);
            self.tally.record_unanswered(times, sent, now, window, distributions);
            self.due = None;
        }
    }

    fn is_open_loop(&self) -> bool {
        self.schedule.as_ref().is_some_and(Schedule::is_open_loop)
    }

    /// Schedules the next request. The last echo succeeded or failed at `now`.
    #[inline]
    fn schedule_next(&mut self, shared: &mut Shared<'_>, now: Instant) -> Step {
        self.received = now;
        self.due = self.schedule.as_mut().and_then(|schedule| schedule.next_due(now));
        self.was_waiting = self.due.is_some_and(|due| due < now);
        self.pause_or_send(shared, now)
    }

    #[inline]
    fn pause_or_send(&mut self, shared: &mut Shared<'_>, now: Instant) -> Step {
        match self.due {
            Some(due) if due > now => {
                // An open-loop request is never early. A think time should be exact on average.
                let until =
                    if self.is_open_loop() { due } else { shared.sleeper.timer_for(due, now) };
                self.phase = Phase::Pausing(until);
                shared.pauses.add(until, self.token.0);
                Step::Pending
            }
            Some(_) => {
                if let Some(window) = &shared.window {
                    self.tally.record_pause(Duration::ZERO, now, window);
                }
                self.next_echo(shared, now)
            }
            None => self.next_echo(shared, now),
        }
    }

    /// Starts the next echo, unless the load has ended.
    #[inline]
    fn next_echo(&mut self, shared: &mut Shared<'_>, now: Instant) -> Step {
        if !self.may_send(shared, now) {
            self.phase = Phase::Done;
            return Step::Pending;
        }
        self.request.advance();
        self.sent = now;
        self.deadline = now + self.spec.timeout;
        if self.connection.is_some() {
            return Step::Ready;
        }
        self.connect(shared, now);
        Step::Pending
    }

    /// Whether the load goes on. An open-loop client also sends, after the close, the requests that
    /// were due in the window.
    #[inline]
    fn may_send(&self, shared: &Shared<'_>, now: Instant) -> bool {
        let (Some(schedule), Some(window)) = (&self.schedule, &shared.window) else {
            return !should_stop(shared, now);
        };
        let is_due = !schedule.is_open_loop() || self.due.is_none_or(|due| due < window.close);
        is_due && !shared.stop.is_set() && now < schedule.send_until(shared.spec, window)
    }

    #[cold]
    fn connect(&mut self, shared: &mut Shared<'_>, now: Instant) {
        self.phase = Phase::Connecting;
        self.deadline = now + self.spec.timeout;
        let codec = shared.system.codec(&shared.endpoint, &self.spec).ok_or_else(|| {
            EchoError::Disconnected("the lean driver does not support this system".to_owned())
        });
        let opened = codec.and_then(|codec| {
            Connection::open(shared.address, codec, &shared.registry, self.token)
        });
        match opened {
            Ok(connection) => self.connection = Some(connection),
            Err(error) => self.fail_attempt(error, shared, now),
        }
    }

    /// Counts the error, closes the connection, and retries if retries are left. After a timeout,
    /// the connection stays open for a late reply.
    #[cold]
    fn fail_attempt(&mut self, error: EchoError, shared: &mut Shared<'_>, now: Instant) {
        let sent = self.phase == Phase::Waiting;
        if sent {
            record_sent_in_vain(&error, &mut self.tally.error_counts);
        }
        record_error(&error, &mut self.tally.error_counts);
        if let Some(mut connection) = self.connection.take() {
            connection.deregister(&shared.registry);
            if sent && matches!(error, EchoError::Timeout(_)) {
                self.overdue.push_back(connection);
            }
        }
        if self.overdue.len() > MAX_OVERDUE
            && let Some(mut oldest) = self.overdue.pop_front()
        {
            self.tally.error_counts.late +=
                u64::from(oldest.has_late_reply(&mut shared.read_buffer));
        }
        // The server would give the same answer again.
        let is_permanent = matches!(
            error,
            EchoError::Refused(_) | EchoError::Malformed(_) | EchoError::Stray { .. }
        );
        if self.retries_left == 0 || is_permanent || shared.stop.is_set() {
            self.fail_echo(error, shared, now);
            return;
        }
        if should_stop(shared, now) {
            // Neither a success nor a failure: the window closed before the last retry.
            self.record_unanswered(shared, now);
            self.phase = Phase::Done;
            return;
        }
        self.retries_left -= 1;
        if matches!(error, EchoError::Disconnected(_)) {
            self.phase = Phase::BackingOff(now + self.backoff);
            self.backoff *= 2;
        } else {
            self.connect(shared, now);
        }
    }

    /// Counts the failed echo, and schedules the next request unless the client gives up.
    #[cold]
    fn fail_echo(&mut self, error: EchoError, shared: &mut Shared<'_>, now: Instant) {
        self.retries_left = self.spec.retries;
        self.backoff = INITIAL_BACKOFF;
        if shared.window.is_none() {
            self.phase = Phase::Done;
            self.first_echo_error = Some(error);
            return;
        }
        self.tally.record_failure(error.to_string());
        self.record_unanswered(shared, now);
        // The server is still unreachable after all retries.
        self.tally.gave_up = matches!(error, EchoError::Disconnected(_));
        if self.tally.gave_up {
            self.phase = Phase::Done;
            return;
        }
        // The step can be ignored: without a connection, it is never `Step::Ready`.
        self.schedule_next(shared, now);
    }
}

#[inline]
fn should_stop(shared: &Shared<'_>, now: Instant) -> bool {
    shared.stop.is_set() || shared.window.is_some_and(|window| now >= window.close)
}
