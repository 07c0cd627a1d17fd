//! The load: every client sends its next request only after the reply to the previous one.
//!
//! Each client has its own connection. A *client thread* runs one client with the framework's
//! client library (the native driver), or many clients that implement the wire protocol directly
//! (the lean driver). All clients connect and echo once. Then the coordinator opens windows: a
//! single one, or one for each [slice](slices) if contenders take turns.
//!
//! ```text
//! threads --Ready--> coordinator --Run(window)--> threads --Progress, Drained--> coordinator
//!                    coordinator --End--> threads --Ended(tally)--> coordinator
//! ```
//!
//! No message is sent over these channels for a single echo.

mod cancel_token;
mod client_threads;
mod coordination;
mod failure;
mod lean;
mod native;
mod retrying_client;
mod schedule;
pub mod slices;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use crossbeam_channel::RecvTimeoutError;

pub use self::cancel_token::CancelToken;
use self::client_threads::{ClientThreads, LoadContext};
use self::coordination::{Command, Event};
pub use self::retrying_client::RetryingClient;
use crate::measure::{ClientTally, Distributions, Window};
use crate::message::{self, Request};
use crate::spec::{Endpoint, LoadSpec};
use crate::systems::System;

/// Interval at which client threads report progress and the coordinator calls its observer.
const TICK: Duration = Duration::from_millis(100);

/// Stack size of a client thread. The frameworks' call chains are shallow, and a thousand such
/// stacks fit in memory.
const STACK_BYTES: usize = 512 * 1024;

/// Observes a running load. The coordinator's thread calls all methods.
pub trait Observer {
    /// Whether [`Observer::tick`] needs the number of completed echoes. If so, client threads
    /// report it every 100 ms.
    fn wants_progress(&self) -> bool {
        false
    }

    /// Called when the window has opened.
    fn opened(&mut self) {}

    /// Called when the window has closed.
    fn closed(&mut self) {}

    /// Called every 100 ms with the number of completed echoes, including the warm-up.
    fn tick(&mut self, _completed: u64) {}
}

/// The result of a load.
#[derive(Debug)]
pub struct Outcome {
    /// One tally per client, in client order.
    pub tallies: Vec<ClientTally>,
    /// The merged distributions of all clients.
    pub distributions: Distributions,
    /// The actual window, shorter than planned if the load was stopped. `None` if the load was
    /// stopped before the window opened.
    pub window: Option<Window>,
}

/// Returns the request of a client of this load, with sequence 1.
pub fn first_request(spec: &LoadSpec, name: &str) -> Request {
    message::request(name, "x".repeat(spec.payload), spec.reply_payload)
}

/// Checks that a server accepts connections at `endpoint`, so that a missing server is reported
/// once and not by every client.
///
/// # Errors
///
/// If the connection fails. The error includes advice.
pub fn check_reachable(system: &dyn System, endpoint: &Endpoint, timeout: Duration) -> Result<()> {
    let name = system.name();
    match TcpStream::connect_timeout(&endpoint.resolve()?, timeout) {
        Ok(_) => Ok(()),
        Err(error) => bail!(
            "cannot connect to {endpoint}: {error}; start a server with \
             'echometer serve {name} --addr {endpoint}'"
        ),
    }
}

/// Runs the clients against the server at `endpoint` until the window closes or `stop` is set.
///
/// # Errors
///
/// If a client cannot be started or its first echo fails. Later failures are counted in the
/// tallies.
pub fn run(
    system: &'static dyn System,
    endpoint: &Endpoint,
    spec: &LoadSpec,
    stop: &CancelToken,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    std::thread::scope(|scope| {
        let context = LoadContext { system, endpoint, spec, stop, sliced: false };
        let report_every = observer.wants_progress().then_some(TICK);
        let threads = ClientThreads::start(scope, context, report_every)?;
        threads.wait_until_ready()?;
        let window = Window::after(Instant::now(), spec.warmup, spec.window);
        threads.send(Command::Run { window, keep_last: false });
        let window = coordinate(&threads, window, stop, observer);
        let (tallies, distributions) = threads.end(true);
        Ok(Outcome { tallies, distributions, window })
    })
}

/// Waits until no client thread has an outstanding request, calls the observer meanwhile, and
/// returns the actual window.
fn coordinate(
    threads: &ClientThreads<'_>,
    window: Window,
    stop: &CancelToken,
    observer: &mut dyn Observer,
) -> Option<Window> {
    let (mut running, mut completed) = (threads.count(), 0);
    let (mut opened, mut closed) = (false, None);
    let mut next_tick = Instant::now() + TICK;
    while running > 0 || closed.is_none() {
        let now = Instant::now();
        if !opened && closed.is_none() && now >= window.open {
            opened = true;
            observer.opened();
        }
        if closed.is_none() && (now >= window.close || stop.is_set() || running == 0) {
            closed = Some(now);
            observer.closed();
        }
        // Not only when `recv_deadline` times out: progress events arrive at least this often.
        if now >= next_tick {
            observer.tick(completed);
            next_tick = now + TICK;
        }
        let deadlines = [next_tick, window.open, window.close];
        let next = deadlines.into_iter().filter(|deadline| *deadline > now).min();
        match threads.events().recv_deadline(next.unwrap_or(now)) {
            Ok(Event::Progress(more)) => completed += more,
            Ok(Event::Drained(_)) => running -= 1,
            Ok(Event::Ready | Event::Failed(_) | Event::Ended(..))
            | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    window.closed_early(closed.unwrap_or_else(Instant::now))
}
