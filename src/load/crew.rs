//! The threads that play the clients of one server, and the coordinator's end of their channels.

use std::thread::{Builder, Scope};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::coordination::{Coordination, Event, Order};
use super::native::NativeClient;
use super::retrying_client::RetryingClient;
use super::{CancelToken, STACK_BYTES, TICK, first_request, lean};
use crate::measure::{ClientTally, Distributions, PlayerTally};
use crate::os::cpus::Cpus;
use crate::os::precise_sleep::Sleeper;
use crate::os::{host, threads};
use crate::spec::{ClientSpec, Driver, Endpoint, LoadSpec};
use crate::systems::System;

/// What the players of a crew have in common.
#[derive(Clone, Copy)]
pub struct Role<'env> {
    pub system: &'static dyn System,
    pub to: &'env Endpoint,
    pub spec: &'env LoadSpec,
    pub stop: &'env CancelToken,
    /// Whether the load runs in slices.
    pub sliced: bool,
}

/// The players of one server. Dropped, they end.
pub struct Crew<'env> {
    role: Role<'env>,
    players: usize,
    /// One channel for each player, so that none takes the order of another.
    orders: Vec<Sender<Order>>,
    events: Receiver<Event>,
}

impl<'env> Crew<'env> {
    /// Starts the threads, which connect their clients.
    ///
    /// # Errors
    ///
    /// Where a thread cannot be started. Those that were, stop.
    pub fn start<'scope>(
        scope: &'scope Scope<'scope, 'env>,
        role: Role<'env>,
        report_every: Option<Duration>,
    ) -> Result<Self> {
        let players = players(role.spec)?;
        let (events_in, events) = unbounded();
        let start = Start { role, players, events: events_in, report_every };
        let orders = (0..players).map(|index| start.player(scope, index));
        let orders = orders.collect::<Result<_>>().inspect_err(|_| role.stop.set())?;
        Ok(Crew { role, players, orders, events })
    }

    /// How many threads there are.
    pub fn players(&self) -> usize {
        self.players
    }

    /// What the players report.
    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }

    /// Waits until all clients have echoed once.
    ///
    /// # Errors
    ///
    /// Where one of them cannot, or the load was stopped. Then all players stop.
    pub fn wait_until_ready(&self) -> Result<()> {
        self.all_ready().inspect_err(|_| self.role.stop.set())
    }

    fn all_ready(&self) -> Result<()> {
        let clients = self.role.spec.clients.get();
        let mut ready = 0;
        while ready < clients {
            match self.events.recv_timeout(TICK) {
                Ok(Event::Ready) => ready += 1,
                Ok(Event::Failed(error)) => return Err(error),
                Ok(Event::Progress(_) | Event::Drained(_) | Event::Ended(..)) => {}
                Err(RecvTimeoutError::Timeout) if !self.role.stop.is_set() => {}
                Err(_) => bail!("stopped when {ready} of {clients} clients were connected"),
            }
        }
        Ok(())
    }

    /// Gives the order to every player.
    pub fn order(&self, order: Order) {
        for player in &self.orders {
            // A player that has ended needs no orders.
            let _ = player.send(order);
        }
    }

    /// Ends the players, and gathers what they counted: the clients in their order, and the
    /// distributions of all.
    pub fn end(self, keep_last: bool) -> (Vec<ClientTally>, Distributions) {
        self.order(Order::End { keep_last });
        let mut tallies: Vec<Option<PlayerTally>> = vec![None; self.players];
        let mut running = self.players;
        while running > 0 {
            match self.events.recv() {
                Ok(Event::Ended(index, tally)) => {
                    tallies[index] = Some(*tally);
                    running -= 1;
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        gather(tallies.into_iter().flatten().collect())
    }
}

/// Puts the clients in their order again, which were dealt out in turn.
fn gather(players: Vec<PlayerTally>) -> (Vec<ClientTally>, Distributions) {
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
            return (tallies, distributions);
        }
    }
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
    role: Role<'env>,
    players: usize,
    events: Sender<Event>,
    report_every: Option<Duration>,
}

impl<'env> Start<'env> {
    /// Starts the player `index`, and returns the channel of its orders.
    fn player<'scope>(
        &self,
        scope: &'scope Scope<'scope, 'env>,
        index: usize,
    ) -> Result<Sender<Order>> {
        let (order, orders) = bounded(1);
        let Role { stop, sliced, .. } = self.role;
        let (events, report_every) = (self.events.clone(), self.report_every);
        let coordination = Coordination { stop, events, orders, report_every, sliced };
        let play: Box<dyn FnOnce() + Send + 'env> = match self.role.spec.driver {
            Driver::Native => {
                let client = self.native_client(index, coordination);
                Box::new(move || client.run())
            }
            Driver::Lean { .. } => {
                let player = self.lean_player(index, coordination)?;
                Box::new(move || player.run())
            }
        };
        let name = format!("client-{index}");
        Builder::new()
            .name(name.clone())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, play)
            .with_context(|| threads::cannot_start(&name))?;
        Ok(order)
    }

    fn native_client(&self, index: usize, coordination: Coordination<'env>) -> NativeClient<'env> {
        let Role { system, to, spec, stop, .. } = self.role;
        let who = who(spec, index);
        NativeClient {
            request: first_request(spec, &who.name),
            requester: RetryingClient::new(system, to, who, stop),
            spec,
            index,
            coordination,
            sleeper: Sleeper::default(),
        }
    }

    /// The clients are dealt out in turn.
    fn lean_player(
        &self,
        index: usize,
        coordination: Coordination<'env>,
    ) -> Result<lean::Player<'env>> {
        let Role { system, to, spec, .. } = self.role;
        let clients = (index..spec.clients.get()).step_by(self.players);
        let clients = clients.map(|client| {
            let who = who(spec, client);
            let request = first_request(spec, &who.name);
            (client, who, request)
        });
        let to = (to.clone(), to.resolve()?);
        lean::Player::new(system, to, spec, index, coordination, clients.collect())
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
