//! The closed loop: every client sends its next request only after the reply to the last.
//!
//! Each client has a connection of its own. A *player* is a thread that plays clients: one,
//! with the client of its framework (the native driver), or many, speaking the wire directly
//! (the lean driver). All clients connect and echo once. Then the coordinator orders windows: one,
//! or, where contenders take turns, one for each [slice](slices).
//!
//! ```text
//! players --Ready--> coordinator --Run(window)--> players --Progress, Drained--> coordinator
//!                    coordinator --End--> players --Ended(tally)--> coordinator
//! ```
//!
//! Nothing is sent over these channels for a single message.

mod cancel_token;
mod coordination;
mod crew;
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
use self::coordination::{Event, Order};
use self::crew::{Crew, Role};
pub use self::retrying_client::RetryingClient;
use crate::measure::{ClientTally, Distributions, Window};
use crate::message::{self, Request};
use crate::spec::{Endpoint, LoadSpec};
use crate::systems::System;

/// How often players say what they have counted, and the coordinator looks around.
const TICK: Duration = Duration::from_millis(100);

/// A player's stack: what its framework calls is shallow, and a thousand fit easily.
const STACK_BYTES: usize = 512 * 1024;

/// Who looks on while the clients run. Its methods are called by the coordinator's thread.
pub trait Observer {
    /// Whether it wants to be told of the progress: players then report every 100 ms.
    fn wants_progress(&self) -> bool {
        false
    }

    /// The window has opened.
    fn opened(&mut self) {}

    /// The window has closed.
    fn closed(&mut self) {}

    /// Called every 100 ms: `completed` echoes so far, warm-up included.
    fn tick(&mut self, _completed: u64) {}
}

/// What the clients counted.
#[derive(Debug)]
pub struct Outcome {
    /// One per client, in their order.
    pub tallies: Vec<ClientTally>,
    /// The distributions of all of them.
    pub distributions: Distributions,
    /// The window as it was: shorter than planned if the load was stopped. `None` if it
    /// had not opened by then.
    pub window: Option<Window>,
}

/// The request of a client of this load, with the sequence 1.
pub fn first_request(spec: &LoadSpec, name: &str) -> Request {
    message::request(name, "x".repeat(spec.payload), spec.reply_payload)
}

/// Makes sure that something listens at `to`, so that clients need not find out one by one.
///
/// # Errors
///
/// Where nothing does, with advice.
pub fn reach(system: &dyn System, to: &Endpoint, timeout: Duration) -> Result<()> {
    let name = system.name();
    match TcpStream::connect_timeout(&to.resolve()?, timeout) {
        Ok(_) => Ok(()),
        Err(error) => bail!(
            "no server to reach at {to}: {error}; start one with 'echometer serve {name} --addr {to}'"
        ),
    }
}

/// Runs the clients against the server at `to`, until the window closes or `stop` is set.
///
/// # Errors
///
/// Where a client cannot be started, or its first echo fails. What fails later is counted.
pub fn run(
    system: &'static dyn System,
    to: &Endpoint,
    spec: &LoadSpec,
    stop: &CancelToken,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    std::thread::scope(|scope| {
        let role = Role { system, to, spec, stop, sliced: false };
        let report_every = observer.wants_progress().then_some(TICK);
        let crew = Crew::start(scope, role, report_every)?;
        crew.wait_until_ready()?;
        let window = Window::after(Instant::now(), spec.warmup, spec.window);
        crew.order(Order::Run { window, keep_last: false });
        let window = coordinate(&crew, window, stop, observer);
        let (tallies, distributions) = crew.end(true);
        Ok(Outcome { tallies, distributions, window })
    })
}

/// Looks on until no player has a request outstanding; returns the window as it was.
fn coordinate(
    crew: &Crew<'_>,
    window: Window,
    stop: &CancelToken,
    observer: &mut dyn Observer,
) -> Option<Window> {
    let (mut running, mut completed) = (crew.players(), 0);
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
        // By the clock, and not when nothing else comes: players report as often as this.
        if now >= next_tick {
            observer.tick(completed);
            next_tick = now + TICK;
        }
        let moments = [next_tick, window.open, window.close];
        let next = moments.into_iter().filter(|moment| *moment > now).min();
        match crew.events().recv_deadline(next.unwrap_or(now)) {
            Ok(Event::Progress(more)) => completed += more,
            Ok(Event::Drained(_)) => running -= 1,
            Ok(Event::Ready | Event::Failed(_) | Event::Ended(..))
            | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    window.cut(closed.unwrap_or_else(Instant::now))
}
