//! One client of many on a thread: what it is at, and what comes next.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Registry, Token};

use super::connection::{Connection, Step};
use super::timer::Pauses;
use crate::load::CancelToken;
use crate::load::failure::count;
use crate::load::retrying_client::{BACKOFF, OVERDUE};
use crate::load::schedule::Schedule;
use crate::measure::{ClientTally, Distributions, Times, Window};
use crate::message::{self, EchoError, Request};
use crate::os::precise_sleep::Sleeper;
use crate::spec::{ClientSpec, Endpoint, LoadSpec};
use crate::systems::System;

/// What a client is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not connected yet, or between its first echo and the window.
    Idle,
    /// Connecting, or waiting for the peer to be ready; its request comes next.
    Opening,
    /// Waiting for the reply.
    Waiting,
    /// Waiting until the next request is due.
    Pausing(Instant),
    /// Pausing before it connects again.
    BackingOff(Instant),
    /// It will send no more.
    Done,
}

/// What the clients of a thread have in common.
pub struct Common<'a> {
    pub system: &'static dyn System,
    pub endpoint: Endpoint,
    pub to: SocketAddr,
    pub spec: &'a LoadSpec,
    pub stop: &'a CancelToken,
    pub registry: Registry,
    /// `None` until all clients have echoed once.
    pub window: Option<Window>,
    pub space: Vec<u8>,
    pub distributions: Distributions,
    pub pauses: Pauses,
    pub sleeper: Sleeper,
}

/// A client.
pub struct Client {
    who: ClientSpec,
    token: Token,
    pub request: Request,
    pub tally: ClientTally,
    pub phase: Phase,
    connection: Option<Connection>,
    overdue: VecDeque<Connection>,
    /// Its number among all clients.
    index: usize,
    /// When its requests are due; there once the window has been told.
    schedule: Option<Schedule>,
    /// When the request is due; `None` where it is sent as soon as can be.
    due: Option<Instant>,
    /// When the request was sent first.
    sent: Instant,
    /// When the last reply came.
    received: Instant,
    /// When the attempt has failed.
    deadline: Instant,
    retries_left: u32,
    backoff: Duration,
    /// Why the first echo failed; nothing else is done with it then.
    pub failed: Option<EchoError>,
}

impl Client {
    /// The client number `token` of its thread, and `index` of all.
    pub fn new(who: ClientSpec, request: Request, token: usize, index: usize) -> Self {
        let now = Instant::now();
        Client {
            tally: ClientTally::new(who.name.clone()),
            retries_left: who.retries,
            who,
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
            deadline: now,
            backoff: BACKOFF,
            failed: None,
        }
    }

    /// Begins with the first echo.
    pub fn begin(&mut self, common: &mut Common<'_>, now: Instant) {
        self.sent = now;
        self.connect(common, now);
    }

    /// A window is ordered: sends the next request. A client that gave up stays silent.
    pub fn go_on(&mut self, common: &mut Common<'_>, window: &Window, now: Instant) {
        if self.tally.gave_up {
            return;
        }
        (self.retries_left, self.backoff) = (self.who.retries, BACKOFF);
        self.received = now;
        let mut schedule = Schedule::new(common.spec, self.index, window);
        // The first request of a closed loop is due at once.
        self.due = if schedule.is_paced() { schedule.next_due(now) } else { None };
        self.schedule = Some(schedule);
        let step = self.pause_or_go_on(common, now);
        self.take(Ok(step), common);
    }

    /// Does what its socket is ready for; `ended`: the server has closed its side.
    #[inline]
    pub fn proceed(&mut self, common: &mut Common<'_>, ended: bool) {
        let Some(connection) = &mut self.connection else { return };
        if ended {
            connection.ends();
        }
        let sequence = self.request.sequence();
        let mut verify = |reply: &[u8]| message::verify(sequence, reply);
        let step = connection.proceed(&mut common.space, &mut verify);
        if matches!(self.phase, Phase::Opening | Phase::Waiting) {
            self.take(step, common);
        } else {
            self.take_unasked(step, common);
        }
    }

    /// Looks at the clock: pauses end, and so does the patience for a reply.
    pub fn look_at(&mut self, common: &mut Common<'_>, now: Instant) {
        match self.phase {
            Phase::Opening | Phase::Waiting if now >= self.deadline => {
                self.fail(EchoError::Timeout(self.who.timeout), common, now);
            }
            Phase::BackingOff(until) if now >= until => self.connect(common, now),
            Phase::Pausing(until) if now >= until => {
                common.sleeper.woke(until, now);
                // As long as it was, and not as it was to be.
                if let Some(window) = &common.window {
                    self.tally.paused(now - self.received, now, window);
                }
                let step = self.next_echo(common, now);
                self.take(Ok(step), common);
            }
            Phase::Pausing(_) | Phase::BackingOff(_) if is_over(common, now) => {
                self.phase = Phase::Done;
            }
            _ => {}
        }
    }

    /// Looks a last time for replies that are late.
    pub fn settle(&mut self, space: &mut [u8]) {
        while let Some(mut connection) = self.overdue.pop_front() {
            self.tally.faults.late += u64::from(connection.has_late_reply(space));
        }
    }

    /// Takes one step after the other. A loop, and no recursion: a server may have sent any
    /// number of replies that nobody asked for yet.
    #[inline]
    fn take(&mut self, mut step: Result<Step, EchoError>, common: &mut Common<'_>) {
        loop {
            step = match step {
                Ok(Step::Nothing) => return,
                Ok(Step::More) => self.read_again(common),
                Ok(Step::Ready) => self.send(),
                Ok(Step::Replied(verified)) => {
                    let now = Instant::now();
                    if now >= self.deadline {
                        // It came, but nobody waits for it any more.
                        self.tally.faults.late += 1;
                        return self.fail(EchoError::Timeout(self.who.timeout), common, now);
                    }
                    match self.replied(verified, common, now) {
                        Step::Nothing => return self.look_behind(common),
                        step => Ok(step),
                    }
                }
                Err(error) => return self.fail(error, common, Instant::now()),
            };
        }
    }

    /// The echo is done, and no request follows at once. Behind the first echo it is left to the
    /// next request to see what came: that follows as soon as the others are ready.
    fn look_behind(&mut self, common: &mut Common<'_>) {
        let Some(connection) = self.connection.as_mut().filter(|_| self.phase != Phase::Idle)
        else {
            return;
        };
        let answered = self.request.sequence();
        let mut verify = |reply: &[u8]| message::verify(answered, reply);
        let step = connection.behind(&mut common.space, &mut verify);
        if step != Ok(Step::Nothing) {
            self.take_unasked(step, common);
        }
    }

    /// Takes what comes while nothing is asked for: a reply once more, which is no echo, or the
    /// end of the connection. Neither makes an echo fail, and the next request opens another.
    #[cold]
    fn take_unasked(&mut self, step: Result<Step, EchoError>, common: &mut Common<'_>) {
        let step = if step == Ok(Step::More) { self.read_again(common) } else { step };
        let answered = self.request.sequence();
        let error = match step {
            Ok(Step::Nothing | Step::Ready | Step::More) => return,
            Ok(Step::Replied(_)) => EchoError::Stray { sent: answered + 1, acknowledged: answered },
            Err(error) => error,
        };
        count(&error, &mut self.tally.faults);
        self.connection = None;
    }

    #[cold]
    fn read_again(&mut self, common: &Common<'_>) -> Result<Step, EchoError> {
        let connection = self.connection.as_mut();
        connection.map_or(Ok(Step::Nothing), |it| it.again(&common.registry, self.token))
    }

    #[inline]
    fn send(&mut self) -> Result<Step, EchoError> {
        let Some(connection) = &mut self.connection else { return Ok(Step::Nothing) };
        self.phase = Phase::Waiting;
        let sequence = self.request.sequence();
        connection.request(self.request.bytes(), &mut |reply| message::verify(sequence, reply))
    }

    /// Counts the echo, and says whether the next request may be sent at once.
    #[inline]
    fn replied(&mut self, verified: bool, common: &mut Common<'_>, now: Instant) -> Step {
        self.retries_left = self.who.retries;
        self.backoff = BACKOFF;
        let Some(window) = &common.window else {
            self.tally.completed = 1;
            self.tally.unverified = u64::from(!verified);
            self.phase = Phase::Idle;
            return Step::Nothing;
        };
        let due = self.due.filter(|_| self.is_paced());
        let times = Times { due, sent: self.sent, received: now };
        self.tally.succeeded(verified, times, window, &mut common.distributions);
        self.after(common, now)
    }

    fn is_paced(&self) -> bool {
        self.schedule.as_ref().is_some_and(Schedule::is_paced)
    }

    /// The last echo ended at `now`, well or badly: looks when the next request is due.
    #[inline]
    fn after(&mut self, common: &mut Common<'_>, now: Instant) -> Step {
        self.received = now;
        self.due = self.schedule.as_mut().and_then(|schedule| schedule.next_due(now));
        self.pause_or_go_on(common, now)
    }

    #[inline]
    fn pause_or_go_on(&mut self, common: &mut Common<'_>, now: Instant) -> Step {
        match self.due {
            Some(due) if due > now => {
                // Before it is due, nothing is sent; but a pause is to be as long as was asked.
                let until = if self.is_paced() { due } else { common.sleeper.aim(due, now) };
                self.phase = Phase::Pausing(until);
                common.pauses.add(until, self.token.0);
                Step::Nothing
            }
            Some(_) => {
                if let Some(window) = &common.window {
                    self.tally.paused(Duration::ZERO, now, window);
                }
                self.next_echo(common, now)
            }
            None => self.next_echo(common, now),
        }
    }

    /// Makes the next request, unless it is over.
    #[inline]
    fn next_echo(&mut self, common: &mut Common<'_>, now: Instant) -> Step {
        if is_over(common, now) {
            self.phase = Phase::Done;
            return Step::Nothing;
        }
        self.request.advance();
        self.sent = now;
        self.deadline = now + self.who.timeout;
        if self.connection.is_some() {
            return Step::Ready;
        }
        self.connect(common, now);
        Step::Nothing
    }

    #[cold]
    fn connect(&mut self, common: &mut Common<'_>, now: Instant) {
        self.phase = Phase::Opening;
        self.deadline = now + self.who.timeout;
        let opened = common.system.codec(&common.endpoint, &self.who).map_or_else(
            || Err(EchoError::Disconnected("the lean driver does not speak its wire".to_owned())),
            |codec| Connection::open(common.to, codec, &common.registry, self.token),
        );
        match opened {
            Ok(connection) => self.connection = Some(connection),
            Err(error) => self.fail(error, common, now),
        }
    }

    /// Closes the connection, or keeps it for a reply that may still come; then tries again as
    /// often as it may.
    #[cold]
    fn fail(&mut self, error: EchoError, common: &mut Common<'_>, now: Instant) {
        let sent = self.phase == Phase::Waiting;
        self.tally.faults.sent += u64::from(sent);
        count(&error, &mut self.tally.faults);
        if let Some(mut connection) = self.connection.take() {
            connection.leave(&common.registry);
            if sent && matches!(error, EchoError::Timeout(_)) {
                self.overdue.push_back(connection);
            }
        }
        if self.overdue.len() > OVERDUE
            && let Some(mut oldest) = self.overdue.pop_front()
        {
            self.tally.faults.late += u64::from(oldest.has_late_reply(&mut common.space));
        }
        // The server has answered such; it would answer the same again.
        let in_vain = matches!(
            error,
            EchoError::Refused(_) | EchoError::Malformed(_) | EchoError::Stray { .. }
        );
        if self.retries_left == 0 || in_vain || common.stop.is_set() {
            self.give_up(error, common, now);
            return;
        }
        if is_over(common, now) {
            // Neither done nor failed: it was not tried to the end.
            self.phase = Phase::Done;
            return;
        }
        self.retries_left -= 1;
        if matches!(error, EchoError::Disconnected(_)) {
            self.phase = Phase::BackingOff(now + self.backoff);
            self.backoff *= 2;
        } else {
            self.connect(common, now);
        }
    }

    /// The echo has failed.
    #[cold]
    fn give_up(&mut self, error: EchoError, common: &mut Common<'_>, now: Instant) {
        self.retries_left = self.who.retries;
        self.backoff = BACKOFF;
        if common.window.is_none() {
            self.phase = Phase::Done;
            self.failed = Some(error);
            return;
        }
        self.tally.failed(error.to_string());
        // After all the retries: there is no server to wait for.
        self.tally.gave_up = matches!(error, EchoError::Disconnected(_));
        if self.tally.gave_up {
            self.phase = Phase::Done;
            return;
        }
        // There is no connection to send on: it opens one.
        self.after(common, now);
    }
}

#[inline]
fn is_over(common: &Common<'_>, now: Instant) -> bool {
    common.stop.is_set() || common.window.is_some_and(|window| now >= window.close)
}
