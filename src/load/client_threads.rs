//! The client threads of one server, and the coordinator's end of their channels.

use std::thread::{Builder, Scope};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::coordination::{Command, Coordination, Event};
use super::native::NativeClient;
use super::retrying_client::RetryingClient;
use super::{CancelToken, STACK_BYTES, TICK, first_request, lean};
use crate::measure::{ClientTally, ClientThreadTally, Distributions};
use crate::os::cpus::Cpus;
use crate::os::precise_sleep::Sleeper;
use crate::os::{host, threads};
use crate::spec::{ClientSpec, Driver, Endpoint, LoadSpec};
use crate::systems::System;

/// Settings that all client threads of one server share.
#[derive(Clone, Copy)]
pub struct LoadContext<'env> {
    pub system: &'static dyn System,
    pub endpoint: &'env Endpoint,
    pub spec: &'env LoadSpec,
    pub stop: &'env CancelToken,
    /// Whether the load runs in slices.
    pub sliced: bool,
}

/// The client threads of one server. They end when this is dropped.
pub struct ClientThreads<'env> {
    context: LoadContext<'env>,
    count: usize,
    /// One channel per thread, so that no thread receives the command of another.
    commands: Vec<Sender<Command>>,
    events: Receiver<Event>,
}

impl<'env> ClientThreads<'env> {
    /// Starts the threads, which connect their clients.
    ///
    /// # Errors
    ///
    /// If a thread cannot be started. The threads already started are stopped.
    pub fn start<'scope>(
        scope: &'scope Scope<'scope, 'env>,
        context: LoadContext<'env>,
        report_every: Option<Duration>,
    ) -> Result<Self> {
        let count = thread_count(context.spec)?;
        let (event_sender, events) = unbounded();
        let spawner = Spawner { context, count, events: event_sender, report_every };
        let commands = (0..count).map(|index| spawner.spawn(scope, index));
        let commands = commands.collect::<Result<_>>().inspect_err(|_| context.stop.set())?;
        Ok(ClientThreads { context, count, commands, events })
    }

    /// Returns the number of threads.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the channel on which the threads report.
    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }

    /// Waits until all clients have completed their first echo.
    ///
    /// # Errors
    ///
    /// If a client fails or the load is stopped. All threads are then stopped.
    pub fn wait_until_ready(&self) -> Result<()> {
        self.all_ready().inspect_err(|_| self.context.stop.set())
    }

    fn all_ready(&self) -> Result<()> {
        let clients = self.context.spec.clients.get();
        let mut ready = 0;
        while ready < clients {
            match self.events.recv_timeout(TICK) {
                Ok(Event::Ready) => ready += 1,
                Ok(Event::Failed(error)) => return Err(error),
                Ok(Event::Progress(_) | Event::Drained(_) | Event::Ended(..)) => {}
                Err(RecvTimeoutError::Timeout) if !self.context.stop.is_set() => {}
                Err(_) => bail!("stopped after {ready} of {clients} clients had connected"),
            }
        }
        Ok(())
    }

    /// Sends the command to every thread.
    pub fn send(&self, command: Command) {
        for thread in &self.commands {
            // A thread that has ended does not receive it.
            let _ = thread.send(command);
        }
    }

    /// Ends the threads, and returns the tallies in client order and the merged distributions.
    pub fn end(self, keep_last: bool) -> (Vec<ClientTally>, Distributions) {
        self.send(Command::End { keep_last });
        let mut tallies: Vec<Option<ClientThreadTally>> = vec![None; self.count];
        let mut running = self.count;
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
        merge(tallies.into_iter().flatten().collect())
    }
}

/// Restores the client order, which was distributed round-robin over the threads.
fn merge(threads: Vec<ClientThreadTally>) -> (Vec<ClientTally>, Distributions) {
    let mut distributions = Distributions::default();
    for thread in &threads {
        distributions.merge(&thread.distributions);
    }
    let mut per_thread: Vec<_> =
        threads.into_iter().map(|thread| thread.clients.into_iter()).collect();
    let mut tallies = Vec::new();
    loop {
        let before = tallies.len();
        tallies.extend(per_thread.iter_mut().filter_map(Iterator::next));
        if tallies.len() == before {
            return (tallies, distributions);
        }
    }
}

/// Returns the number of client threads.
fn thread_count(spec: &LoadSpec) -> Result<usize> {
    let clients = spec.clients.get();
    Ok(match spec.driver {
        Driver::Native => clients,
        Driver::Lean { threads: Some(threads) } => threads.get().min(clients),
        Driver::Lean { threads: None } => Cpus::of(0)?.count().clamp(1, clients),
    })
}

/// Starts the client threads of one server.
struct Spawner<'env> {
    context: LoadContext<'env>,
    count: usize,
    events: Sender<Event>,
    report_every: Option<Duration>,
}

impl<'env> Spawner<'env> {
    /// Starts the thread `index`, and returns its command channel.
    fn spawn<'scope>(
        &self,
        scope: &'scope Scope<'scope, 'env>,
        index: usize,
    ) -> Result<Sender<Command>> {
        let (command_sender, commands) = bounded(1);
        let LoadContext { stop, sliced, .. } = self.context;
        let (events, report_every) = (self.events.clone(), self.report_every);
        let coordination = Coordination { stop, events, commands, report_every, sliced };
        let run: Box<dyn FnOnce() + Send + 'env> = match self.context.spec.driver {
            Driver::Native => {
                let client = self.native_client(index, coordination);
                Box::new(move || client.run())
            }
            Driver::Lean { .. } => {
                let clients = self.lean_clients(index, coordination)?;
                Box::new(move || clients.run())
            }
        };
        let name = format!("client-{index}");
        Builder::new()
            .name(name.clone())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, run)
            .with_context(|| threads::start_error(&name))?;
        Ok(command_sender)
    }

    fn native_client(&self, index: usize, coordination: Coordination<'env>) -> NativeClient<'env> {
        let LoadContext { system, endpoint, spec, stop, .. } = self.context;
        let client_spec = client_spec(spec, index);
        NativeClient {
            request: first_request(spec, &client_spec.name),
            client: RetryingClient::new(system, endpoint, client_spec, stop),
            spec,
            index,
            coordination,
            sleeper: Sleeper::default(),
        }
    }

    /// Returns the clients of the thread `index`. Clients are distributed round-robin.
    fn lean_clients(
        &self,
        index: usize,
        coordination: Coordination<'env>,
    ) -> Result<lean::ClientThread<'env>> {
        let LoadContext { system, endpoint, spec, .. } = self.context;
        let clients = (index..spec.clients.get()).step_by(self.count);
        let clients = clients.map(|client| {
            let client_spec = client_spec(spec, client);
            let request = first_request(spec, &client_spec.name);
            (client, client_spec, request)
        });
        let target = (endpoint.clone(), endpoint.resolve()?);
        lean::ClientThread::new(system, target, spec, index, coordination, clients.collect())
    }
}

/// Returns the spec of the client `index` of this process.
fn client_spec(spec: &LoadSpec, index: usize) -> ClientSpec {
    ClientSpec {
        name: format!("{}-{}-{index}", host::name(), std::process::id()),
        timeout: spec.timeout,
        retries: spec.retries,
        max_message: reply_limit(spec),
        channels: spec.channels,
    }
}

/// Returns the largest reply that a client reads, in bytes: the requested padding, at least 1 MiB,
/// plus room for the other fields.
fn reply_limit(spec: &LoadSpec) -> usize {
    (spec.reply_payload as usize).max(1024 * 1024) + 4096
}
