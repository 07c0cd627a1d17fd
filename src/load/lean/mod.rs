//! The lean driver: many clients on a thread, over sockets that never block.
//!
//! ```text
//! epoll --> [socket -> codec -> check -> record -> next request -> codec -> socket] --> epoll
//! ```
//!
//! It speaks the wire itself, through the codecs of [`crate::wire`], and so costs less than the
//! servers do. What is sent, what is checked and what is counted are the same as with the
//! native driver.

mod client;
mod connection;
mod timer;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::{Events, Poll};

use self::client::{Client, Common, Phase};
use self::timer::{Pauses, Timer};
use super::coordination::{Coordination, Drained, Event, Order, Report};
use super::failure::explain;
use crate::measure::{Distributions, PlayerTally, Window};
use crate::message::Request;
use crate::os::precise_sleep::Sleeper;
use crate::spec::{ClientSpec, Endpoint, LoadSpec};
use crate::systems::System;

/// How many clients of a thread may be connecting at once.
const BATCH: usize = 128;

/// Bytes that are read at once, and events that are told at once.
const SPACE: usize = 64 * 1024;
const EVENTS: usize = 1024;

/// At least so often, the deadline of each client is looked at, and whether the window has closed.
const LOOK: Duration = Duration::from_millis(20);

/// A thread that plays clients.
pub struct Player<'a> {
    poll: Poll,
    timer: Timer,
    clients: Vec<Client>,
    common: Common<'a>,
    looked_at: Instant,
    index: usize,
    coordination: Coordination<'a>,
}

impl<'a> Player<'a> {
    /// The player number `index`, with its clients.
    ///
    /// # Errors
    ///
    /// Where the system cannot be spoken to, or descriptors are lacking.
    pub fn new(
        system: &'static dyn System,
        (endpoint, to): (Endpoint, SocketAddr),
        spec: &'a LoadSpec,
        index: usize,
        coordination: Coordination<'a>,
        clients: Vec<(usize, ClientSpec, Request)>,
    ) -> Result<Self> {
        if let Some((_, who, _)) = clients.first()
            && system.codec(&endpoint, who).is_none()
        {
            bail!(
                "the lean driver does not speak the wire of {}; use --driver native",
                system.name()
            );
        }
        let poll = Poll::new().context("cannot make an epoll instance")?;
        let distributions = Distributions::new(spec.pace.is_some());
        let common = Common {
            system,
            endpoint,
            to,
            spec,
            stop: coordination.stop,
            registry: poll.registry().try_clone()?,
            window: None,
            space: vec![0; SPACE],
            distributions: if coordination.sliced { distributions.sliced() } else { distributions },
            pauses: Pauses::default(),
            sleeper: Sleeper::default(),
        };
        let timer = Timer::new(poll.registry())?;
        let each = clients.into_iter().enumerate();
        let clients = each.map(|(token, (at, who, request))| Client::new(who, request, token, at));
        let (clients, looked_at) = (clients.collect(), Instant::now());
        Ok(Player { poll, timer, clients, common, looked_at, index, coordination })
    }

    /// Connects all clients, which echo once; then follows orders until the last one.
    pub fn run(mut self) {
        if let Err(error) = self.until_ready() {
            self.coordination.send(Event::Failed(error));
        }
        while let Some(order) = self.coordination.next_order() {
            let (Order::Run { keep_last, .. } | Order::End { keep_last }) = order;
            self.common.distributions.end_slice(keep_last);
            self.clients.iter_mut().for_each(|client| client.tally.end_slice(keep_last));
            match order {
                Order::Run { window, .. } => {
                    let drained = self.run_window(window);
                    self.coordination.send(Event::Drained(drained));
                }
                Order::End { .. } => return self.end(),
            }
        }
    }

    /// Sends requests until the window closes, and waits for the replies.
    fn run_window(&mut self, window: Window) -> Drained {
        let totals = |clients: &[Client]| {
            let sum = |of: fn(&Client) -> u64| clients.iter().map(of).sum::<u64>();
            (sum(|client| client.tally.completed), sum(|client| client.tally.faults.timeouts))
        };
        let before = totals(&self.clients);
        if let Err(error) = self.until_closed(window) {
            // Only a bug makes epoll or its timer fail.
            log::error!("{error:#}");
        }
        let after = totals(&self.clients);
        Drained {
            messages: self.clients.iter().map(|client| client.tally.messages_of_slice()).sum(),
            completed: after.0 - before.0,
            timeouts: after.1 - before.1,
            gave_up: self.clients.iter().any(|client| client.tally.gave_up),
        }
    }

    /// Hands in the tallies.
    fn end(mut self) {
        let (clients, common) = (&mut self.clients, &mut self.common);
        for client in clients.iter_mut() {
            client.settle(&mut common.space);
        }
        let tallies = clients.iter_mut().map(|client| std::mem::take(&mut client.tally));
        let distributions = std::mem::take(&mut common.distributions);
        let tally = PlayerTally { clients: tallies.collect(), distributions };
        self.coordination.end(self.index, tally);
    }

    /// Connects the clients, some at a time.
    fn until_ready(&mut self) -> Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let (mut begun, mut ready) = (0, 0);
        while ready < self.clients.len() {
            if self.common.stop.is_set() {
                return Ok(());
            }
            let now = Instant::now();
            while begun < self.clients.len() && begun - ready < BATCH {
                self.clients[begun].begin(&mut self.common, now);
                begun += 1;
            }
            self.turn(&mut events)?;
            let seen = self.clients[..begun].iter().filter(|c| c.phase == Phase::Idle).count();
            (ready..seen).for_each(|_| self.coordination.send(Event::Ready));
            ready = seen;
            if let Some(client) = self.clients[..begun].iter().find(|c| c.failed.is_some())
                && let Some(error) = &client.failed
            {
                let to = &self.common.endpoint;
                bail!(explain(self.common.system, to, &client.request, error));
            }
        }
        Ok(())
    }

    fn until_closed(&mut self, window: Window) -> Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let completed = |clients: &[Client]| clients.iter().map(|c| c.tally.completed).sum();
        let mut report = Report::new(&self.coordination, completed(&self.clients));
        self.common.window = Some(window);
        let now = Instant::now();
        for client in &mut self.clients {
            client.go_on(&mut self.common, &window, now);
        }
        loop {
            let now = self.turn(&mut events)?;
            report.when_due(now, || completed(&self.clients), &self.coordination);
            // The list of clients is gone through now and then, and when it is over.
            let may_be_over =
                now == self.looked_at || now >= window.close || self.common.stop.is_set();
            if may_be_over && self.clients.iter().all(|client| client.phase == Phase::Done) {
                return Ok(());
            }
        }
    }

    /// Waits for events, and does what they are about; then looks at the clock for each client,
    /// if it is time to. Returns the time behind the events: it is `looked_at` where that was so.
    #[inline]
    fn turn(&mut self, events: &mut Events) -> Result<Instant> {
        let look = self.looked_at + LOOK;
        let next = self.common.pauses.next();
        self.timer.set(next.map_or(look, |pause| pause.min(look)))?;
        match self.poll.poll(events, None) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            polled => polled.context("cannot wait for sockets")?,
        }
        for event in &*events {
            match self.clients.get_mut(event.token().0) {
                Some(client) => client.proceed(&mut self.common, event.is_read_closed()),
                // The timer has no client.
                None => self.timer.expired(),
            }
        }
        let now = Instant::now();
        if now >= look {
            self.looked_at = now;
            for client in &mut self.clients {
                client.look_at(&mut self.common, now);
            }
        }
        while let Some(client) = self.common.pauses.pop(now) {
            self.clients[client].look_at(&mut self.common, now);
        }
        Ok(now)
    }
}
