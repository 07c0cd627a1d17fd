//! The lean driver: many clients per thread, on nonblocking sockets.
//!
//! ```text
//! epoll --> [socket -> codec -> check -> record -> next request -> codec -> socket] --> epoll
//! ```
//!
//! It implements the wire protocols with the codecs of [`crate::wire`], and so uses less CPU time
//! than the servers. It sends the same requests, performs the same checks and records the same
//! counts as the native driver.

mod client;
mod connection;
mod timer;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::{Events, Poll};

use self::client::{Client, Phase, Shared};
use self::timer::{Pauses, Timer};
use super::coordination::{Command, Coordination, Event, ProgressReporter, WindowCounts};
use super::failure::explain;
use crate::measure::{ClientThreadTally, Distributions, Window};
use crate::message::Request;
use crate::os::precise_sleep::Sleeper;
use crate::spec::{ClientSpec, Endpoint, LoadSpec};
use crate::systems::System;

/// Maximum number of clients per thread that connect at the same time.
const MAX_CONNECTING: usize = 128;

/// Size of the read buffer of a thread.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Maximum number of events per call of epoll.
const MAX_EVENTS: usize = 1024;

/// Maximum interval between checks of all deadlines and of the window's end.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// A thread that runs several clients.
pub struct ClientThread<'a> {
    poll: Poll,
    timer: Timer,
    clients: Vec<Client>,
    shared: Shared<'a>,
    /// When the deadlines of all clients were last checked.
    last_check: Instant,
    index: usize,
    coordination: Coordination<'a>,
}

impl<'a> ClientThread<'a> {
    /// Creates the thread `index` with its clients. Each client has its index among all clients.
    ///
    /// # Errors
    ///
    /// If the system has no codec or no file descriptor is available.
    pub fn new(
        system: &'static dyn System,
        (endpoint, address): (Endpoint, SocketAddr),
        spec: &'a LoadSpec,
        index: usize,
        coordination: Coordination<'a>,
        clients: Vec<(usize, ClientSpec, Request)>,
    ) -> Result<Self> {
        if let Some((_, client_spec, _)) = clients.first()
            && system.codec(&endpoint, client_spec).is_none()
        {
            bail!("the lean driver does not support {}; use --driver native", system.name());
        }
        let poll = Poll::new().context("cannot create an epoll instance")?;
        let distributions = Distributions::new(spec.open_loop.is_some()).with_driver_lag();
        let shared = Shared {
            system,
            endpoint,
            address,
            spec,
            stop: coordination.stop,
            registry: poll.registry().try_clone()?,
            window: None,
            epoll_returned: None,
            read_buffer: vec![0; READ_BUFFER_BYTES],
            distributions: if coordination.sliced { distributions.sliced() } else { distributions },
            pauses: Pauses::default(),
            sleeper: Sleeper::default(),
        };
        let timer = Timer::new(poll.registry())?;
        let clients = clients
            .into_iter()
            .enumerate()
            .map(|(token, (index, spec, request))| Client::new(spec, request, token, index))
            .collect();
        let last_check = Instant::now();
        Ok(ClientThread { poll, timer, clients, shared, last_check, index, coordination })
    }

    /// Connects all clients, completes their first echoes, and then executes commands until
    /// [`Command::End`].
    pub fn run(mut self) {
        if let Err(error) = self.connect_all() {
            self.coordination.send(Event::Failed(error));
        }
        while let Some(command) = self.coordination.next_command() {
            let (Command::Run { keep_last, .. } | Command::End { keep_last }) = command;
            self.shared.distributions.end_slice(keep_last);
            self.clients.iter_mut().for_each(|client| client.tally.end_slice(keep_last));
            match command {
                Command::Run { window, .. } => {
                    let counts = self.run_window(window);
                    self.coordination.send(Event::Drained(counts));
                }
                Command::End { .. } => return self.end(),
            }
        }
    }

    /// Sends requests until the window closes, and waits for the replies.
    fn run_window(&mut self, window: Window) -> WindowCounts {
        let totals = |clients: &[Client]| {
            let sum = |of: fn(&Client) -> u64| clients.iter().map(of).sum::<u64>();
            (sum(|client| client.tally.completed), sum(|client| client.tally.error_counts.timeouts))
        };
        let before = totals(&self.clients);
        if let Err(error) = self.echo_until_drained(window) {
            // Only a bug makes epoll or the timer fail.
            log::error!("{error:#}");
        }
        let after = totals(&self.clients);
        WindowCounts {
            messages: self.clients.iter().map(|client| client.tally.slice_messages()).sum(),
            completed: after.0 - before.0,
            timeouts: after.1 - before.1,
            gave_up: self.clients.iter().any(|client| client.tally.gave_up),
        }
    }

    /// Submits the tallies.
    fn end(mut self) {
        let (clients, shared) = (&mut self.clients, &mut self.shared);
        for client in clients.iter_mut() {
            client.close_overdue(&mut shared.read_buffer);
        }
        let tallies = clients.iter_mut().map(|client| std::mem::take(&mut client.tally));
        let distributions = std::mem::take(&mut shared.distributions);
        let tally = ClientThreadTally { clients: tallies.collect(), distributions };
        self.coordination.end(self.index, tally);
    }

    /// Connects the clients, up to [`MAX_CONNECTING`] at a time, and waits for their first echoes.
    fn connect_all(&mut self) -> Result<()> {
        let mut events = Events::with_capacity(MAX_EVENTS);
        let (mut started, mut ready) = (0, 0);
        while ready < self.clients.len() {
            if self.shared.stop.is_set() {
                return Ok(());
            }
            let now = Instant::now();
            while started < self.clients.len() && started - ready < MAX_CONNECTING {
                self.clients[started].start(&mut self.shared, now);
                started += 1;
            }
            self.poll_once(&mut events)?;
            let idle = self.clients[..started].iter().filter(|c| c.phase == Phase::Idle).count();
            (ready..idle).for_each(|_| self.coordination.send(Event::Ready));
            ready = idle;
            if let Some(client) =
                self.clients[..started].iter().find(|c| c.first_echo_error.is_some())
                && let Some(error) = &client.first_echo_error
            {
                let endpoint = &self.shared.endpoint;
                bail!(explain(self.shared.system, endpoint, &client.request, error));
            }
        }
        Ok(())
    }

    fn echo_until_drained(&mut self, window: Window) -> Result<()> {
        let mut events = Events::with_capacity(MAX_EVENTS);
        let completed = |clients: &[Client]| clients.iter().map(|c| c.tally.completed).sum();
        let mut reporter = ProgressReporter::new(&self.coordination, completed(&self.clients));
        self.shared.window = Some(window);
        let now = Instant::now();
        for client in &mut self.clients {
            client.start_window(&mut self.shared, &window, now);
        }
        loop {
            let now = self.poll_once(&mut events)?;
            reporter.report_if_due(now, || completed(&self.clients), &self.coordination);
            // Iterating over all clients after every poll would cost too much.
            let may_be_drained =
                now == self.last_check || now >= window.close || self.shared.stop.is_set();
            if may_be_drained && self.clients.iter().all(|client| client.phase == Phase::Done) {
                for client in &mut self.clients {
                    client.end_window(&mut self.shared, &window);
                }
                return Ok(());
            }
        }
    }

    /// Waits for events and handles them, and then checks the deadlines if a check is due. Returns
    /// the time after the events, which equals `last_check` if the deadlines were checked.
    #[inline]
    fn poll_once(&mut self, events: &mut Events) -> Result<Instant> {
        let check_due = self.last_check + CHECK_INTERVAL;
        let pause_end = self.shared.pauses.next_end();
        self.timer.set(pause_end.map_or(check_due, |end| end.min(check_due)))?;
        match self.poll.poll(events, None) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            polled => polled.context("cannot wait for epoll events")?,
        }
        let returned = Instant::now();
        for event in &*events {
            self.shared.epoll_returned = Some(returned);
            match self.clients.get_mut(event.token().0) {
                Some(client) => client.on_ready(&mut self.shared, event.is_read_closed()),
                // The timer's token belongs to no client.
                None => self.timer.expired(),
            }
        }
        self.shared.epoll_returned = None;
        let now = Instant::now();
        if now >= check_due {
            self.last_check = now;
            for client in &mut self.clients {
                client.check_deadline(&mut self.shared, now);
            }
        }
        while let Some(client) = self.shared.pauses.pop(now) {
            self.clients[client].check_deadline(&mut self.shared, now);
        }
        Ok(now)
    }
}
