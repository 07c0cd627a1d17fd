//! The closed loop: every client sends its next request only after the reply to the last.
//!
//! Each client is a thread with a connection of its own. All connect and echo once; when
//! the last has done so, they are given one common [`Window`], and run until it closes.
//!
//! ```text
//! clients --Ready--> coordinator --Window--> clients --Progress, Ended(tally)--> coordinator
//! ```
//!
//! What is sent over channels is never sent for a single message.

mod client;
mod requester;
mod stop;

use std::net::TcpStream;
use std::thread::{Builder, Scope};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use self::client::ClientThread;
pub use self::requester::Requester;
pub use self::stop::Stop;
use crate::measure::{ClientTally, Window};
use crate::message::{self, Request};
use crate::spec::{ClientSpec, Endpoint, LoadSpec};
use crate::systems::System;
use crate::{host, threads};

/// How often clients say what they have counted, and the coordinator looks around.
const TICK: Duration = Duration::from_millis(100);

/// A client's stack: what its framework calls is shallow, and a thousand fit easily.
const STACK_BYTES: usize = 512 * 1024;

/// Who looks on while the clients run. Its methods are called by the coordinator's thread.
pub trait Observer {
    /// Whether it wants to be told of the progress: clients then report every 100 ms.
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
    /// The window as it was: shorter than planned if the load was stopped. `None` if it
    /// had not opened by then.
    pub window: Option<Window>,
}

/// What client threads tell the coordinator.
enum Event {
    /// Connected, and has echoed once.
    Ready,
    /// So many more echoes were completed.
    Progress(u64),
    /// Could not connect.
    Failed(anyhow::Error),
    /// Has ended.
    Ended(usize, Box<ClientTally>),
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
    let clients = spec.clients.get();
    std::thread::scope(|scope| {
        // Made in here, so that they are gone before the scope waits for its threads: a
        // client that waits for its window ends with the channel.
        let (events_in, events) = unbounded();
        let (windows_in, windows) = bounded(clients);
        let (closing, closed) = bounded(0);
        let reports = observer.wants_progress();
        let start = Start { system, to, spec, stop, reports, events: events_in, windows, closed };
        let started = (0..clients).try_for_each(|index| start.client(scope, index));
        // Else the channel of events would not end with the threads.
        drop(start);
        started
            .and_then(|()| wait_until_ready(&events, clients, stop))
            .inspect_err(|_| stop.set())?;
        let window = Window::after(Instant::now(), spec.warmup, spec.window);
        for _ in 0..clients {
            // The channel has room for all, and the clients that wait for it hold it open.
            let _ = windows_in.send(window);
        }
        Ok(coordinate(&events, closing, window, clients, stop, observer))
    })
}

/// What the threads of all clients are started with.
struct Start<'env> {
    system: &'static dyn System,
    to: &'env Endpoint,
    spec: &'env LoadSpec,
    stop: &'env Stop,
    reports: bool,
    events: Sender<Event>,
    windows: Receiver<Window>,
    closed: Receiver<()>,
}

impl<'env> Start<'env> {
    fn client<'scope>(&self, scope: &'scope Scope<'scope, 'env>, index: usize) -> Result<()> {
        let spec = self.spec;
        let name = format!("{}-{}-{index}", host::name(), std::process::id());
        let request = first_request(spec, &name);
        let who = ClientSpec {
            name,
            timeout: spec.timeout,
            retries: spec.retries,
            max_message: reply_limit(spec),
        };
        let client = ClientThread {
            requester: Requester::new(self.system, self.to, who, self.stop),
            request,
            spec,
            stop: self.stop,
            index,
            events: self.events.clone(),
            windows: self.windows.clone(),
            closed: self.closed.clone(),
            report_every: self.reports.then_some(TICK),
        };
        let name = format!("client-{index}");
        Builder::new()
            .name(name.clone())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, move || client.run())
            .map(drop)
            .with_context(|| threads::cannot_start(&name))
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

/// Looks on until all clients have ended, and gathers what they counted.
fn coordinate(
    events: &Receiver<Event>,
    closing: Sender<()>,
    window: Window,
    clients: usize,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Outcome {
    let mut hold = Some(closing);
    let mut tallies: Vec<Option<ClientTally>> = vec![None; clients];
    let (mut running, mut completed) = (clients, 0);
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
        // By the clock, and not when nothing else comes: clients report as often as this.
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
    Outcome { tallies: tallies.into_iter().flatten().collect(), window }
}
