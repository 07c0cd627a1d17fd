//! The closed loop: every client sends its next request only after the reply to the last.
//!
//! Each client has a connection of its own. A *player* is a thread that plays clients: one,
//! with the client of its framework (the native driver), or many, speaking the wire directly
//! (the lean driver). All clients connect and echo once; when the last has done so, the players
//! are given one common [`Window`], and run until it closes.
//!
//! ```text
//! players --Ready--> coordinator --Window--> players --Progress, Ended(tally)--> coordinator
//! ```
//!
//! What is sent over channels is never sent for a single message.

mod failure;
mod lean;
mod native;
mod reins;
mod requester;
mod schedule;
mod stop;

use std::net::TcpStream;
use std::thread::{Builder, Scope};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use self::native::NativeClient;
use self::reins::{Event, Reins, Report};
pub use self::requester::Requester;
pub use self::stop::Stop;
use crate::cpus::Cpus;
use crate::measure::{ClientTally, Distributions, PlayerTally, Window};
use crate::message::{self, Request};
use crate::sleeper::Sleeper;
use crate::spec::{ClientSpec, Driver, Endpoint, LoadSpec};
use crate::systems::System;
use crate::{host, threads};

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
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let players = players(spec)?;
    std::thread::scope(|scope| {
        // Made in here, so that they are gone before the scope waits for its threads: a
        // player that waits for its window ends with the channel.
        let (events_in, events) = unbounded();
        let (windows_in, windows) = bounded(players);
        let (closing, closed) = bounded(0);
        let report_every = observer.wants_progress().then_some(TICK);
        let reins = Reins { stop, events: events_in, windows, closed, report_every };
        let start = Start { system, to, spec, players, reins };
        let started = (0..players).try_for_each(|index| start.player(scope, index));
        // Else the channel of events would not end with the threads.
        drop(start);
        started
            .and_then(|()| wait_until_ready(&events, spec.clients.get(), stop))
            .inspect_err(|_| stop.set())?;
        let window = Window::after(Instant::now(), spec.warmup, spec.window);
        for _ in 0..players {
            // The channel has room for all, and the players that wait for it hold it open.
            let _ = windows_in.send(window);
        }
        Ok(coordinate(&events, closing, window, players, stop, observer))
    })
}

/// How many threads play the clients.
fn players(spec: &LoadSpec) -> Result<usize> {
    let clients = spec.clients.get();
    Ok(match spec.driver {
        Driver::Native => clients,
        Driver::Lean { threads: Some(threads) } => threads.get().min(clients),
        Driver::Lean { threads: None } => Cpus::of(0)?.count().clamp(1, clients),
    })
}

/// What the threads of all players are started with.
struct Start<'env> {
    system: &'static dyn System,
    to: &'env Endpoint,
    spec: &'env LoadSpec,
    players: usize,
    reins: Reins<'env>,
}

impl<'env> Start<'env> {
    fn player<'scope>(&self, scope: &'scope Scope<'scope, 'env>, index: usize) -> Result<()> {
        let play: Box<dyn FnOnce() + Send + 'env> = match self.spec.driver {
            Driver::Native => {
                let client = self.native_client(index);
                Box::new(move || client.run())
            }
            Driver::Lean { .. } => {
                let player = self.lean_player(index)?;
                Box::new(move || player.run())
            }
        };
        let name = format!("client-{index}");
        Builder::new()
            .name(name.clone())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, play)
            .map(drop)
            .with_context(|| threads::cannot_start(&name))
    }

    fn native_client(&self, index: usize) -> NativeClient<'env> {
        let who = who(self.spec, index);
        NativeClient {
            request: first_request(self.spec, &who.name),
            requester: Requester::new(self.system, self.to, who, self.reins.stop),
            spec: self.spec,
            index,
            reins: self.reins.clone(),
            sleeper: Sleeper::default(),
        }
    }

    /// The clients are dealt out in turn.
    fn lean_player(&self, index: usize) -> Result<lean::Player<'env>> {
        let clients = (index..self.spec.clients.get()).step_by(self.players);
        let clients = clients.map(|client| {
            let who = who(self.spec, client);
            let request = first_request(self.spec, &who.name);
            (client, who, request)
        });
        let to = (self.to.clone(), self.to.resolve()?);
        lean::Player::new(self.system, to, self.spec, index, self.reins.clone(), clients.collect())
    }
}

/// The client `index` of this process.
fn who(spec: &LoadSpec, index: usize) -> ClientSpec {
    ClientSpec {
        name: format!("{}-{}-{index}", host::name(), std::process::id()),
        timeout: spec.timeout,
        retries: spec.retries,
        max_message: reply_limit(spec),
        channels: spec.channels,
    }
}

/// The largest reply that a client reads: what it asked for, and room for the rest.
fn reply_limit(spec: &LoadSpec) -> usize {
    (spec.reply_payload as usize).max(1024 * 1024) + 4096
}

fn wait_until_ready(events: &Receiver<Event>, clients: usize, stop: &Stop) -> Result<()> {
    let mut ready = 0;
    while ready < clients {
        match events.recv_timeout(TICK) {
            Ok(Event::Ready) => ready += 1,
            Ok(Event::Failed(error)) => return Err(error),
            Ok(Event::Progress(_) | Event::Ended(..)) => {}
            Err(RecvTimeoutError::Timeout) if !stop.is_set() => {}
            Err(_) => bail!("stopped when {ready} of {clients} clients were connected"),
        }
    }
    Ok(())
}

/// Looks on until all players have ended, and gathers what they counted.
fn coordinate(
    events: &Receiver<Event>,
    closing: Sender<()>,
    window: Window,
    players: usize,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Outcome {
    let mut hold = Some(closing);
    let mut tallies: Vec<Option<PlayerTally>> = vec![None; players];
    let (mut running, mut completed) = (players, 0);
    let (mut opened, mut closed) = (false, None);
    let mut next_tick = Instant::now() + TICK;
    loop {
        let now = Instant::now();
        if !opened && closed.is_none() && now >= window.open {
            opened = true;
            observer.opened();
        }
        if closed.is_none() && (now >= window.close || stop.is_set() || running == 0) {
            closed = Some(now);
            observer.closed();
            // Lets the clients go, which stayed connected until now.
            drop(hold.take());
        }
        // By the clock, and not when nothing else comes: players report as often as this.
        if now >= next_tick {
            observer.tick(completed);
            next_tick = now + TICK;
        }
        let moments = [next_tick, window.open, window.close];
        let next = moments.into_iter().filter(|moment| *moment > now).min();
        match events.recv_deadline(next.unwrap_or(now)) {
            Ok(Event::Progress(more)) => completed += more,
            Ok(Event::Ended(index, tally)) => {
                tallies[index] = Some(*tally);
                running -= 1;
            }
            Ok(Event::Ready | Event::Failed(_)) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let window = window.cut(closed.unwrap_or_else(Instant::now));
    gather(tallies.into_iter().flatten().collect(), window)
}

/// Puts the clients in their order again, which were dealt out in turn.
fn gather(players: Vec<PlayerTally>, window: Option<Window>) -> Outcome {
    let mut distributions = Distributions::default();
    for player in &players {
        distributions.merge(&player.distributions);
    }
    let mut hands: Vec<_> = players.into_iter().map(|player| player.clients.into_iter()).collect();
    let mut tallies = Vec::new();
    loop {
        let before = tallies.len();
        tallies.extend(hands.iter_mut().filter_map(Iterator::next));
        if tallies.len() == before {
            return Outcome { tallies, distributions, window };
        }
    }
}
