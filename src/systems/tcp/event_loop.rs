//! The tuned server: one event loop per CPU, without a thread switch between messages.
//!
//! ```text
//! clients --tcp--> [acceptor thread] --round-robin--> [one thread per CPU] epoll, then for each
//!                                                     ready connection: read, answer, write
//! ```

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use crossbeam_channel::{Receiver, Sender, unbounded};
use log::warn;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::connection::{Buffers, Connection};
use crate::measure::ServerTally;
use crate::os::cpus;
use crate::os::threads;
use crate::spec::{Endpoint, ServerSpec};
use crate::systems::Server;
use crate::systems::acceptor::Acceptor;

/// Epoll data of the wake-up event. Connections are numbered from 0.
const WAKE_ID: u64 = u64::MAX;

/// Maximum number of events per call of epoll.
const MAX_EVENTS: usize = 256;

/// The means by which other threads wake and stop a loop.
struct Handle {
    wake: EventFd,
    stopping: AtomicBool,
}

/// One event loop: the connections that one thread answers.
struct EventLoop {
    spec: ServerSpec,
    epoll: Epoll,
    handle: Arc<Handle>,
    new_streams: Receiver<TcpStream>,
    connections: HashMap<u64, Connection>,
    /// The number of the next connection.
    next_id: u64,
    tally: ServerTally,
    buffers: Buffers,
}

impl EventLoop {
    /// Creates a loop and the channel through which it gets connections.
    fn new(spec: &ServerSpec) -> Result<(Self, Sender<TcpStream>)> {
        let (sender, new_streams) = unbounded();
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE_ID))?;
        let event_loop = EventLoop {
            spec: spec.clone(),
            epoll,
            handle: Arc::new(Handle { wake, stopping: AtomicBool::new(false) }),
            new_streams,
            connections: HashMap::new(),
            next_id: 0,
            tally: ServerTally::default(),
            buffers: Buffers::default(),
        };
        Ok((event_loop, sender))
    }

    /// Answers requests until `Handle::stopping` is set.
    fn run(mut self) -> Result<ServerTally> {
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        while !self.is_stopping() {
            let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                waited => waited.context("cannot wait for connections")?,
            };
            for event in &events[..count] {
                // Handlers may be slow, and many events may be left.
                if self.is_stopping() {
                    break;
                }
                match event.data() {
                    WAKE_ID => self.add_connections()?,
                    id => self.handle_ready(id),
                }
            }
        }
        for (_, connection) in self.connections {
            self.tally.merge(connection.into_tally());
        }
        Ok(self.tally)
    }

    fn is_stopping(&self) -> bool {
        self.handle.stopping.load(Ordering::Acquire)
    }

    /// Adds the connections that the acceptor has passed to this loop.
    fn add_connections(&mut self) -> Result<()> {
        self.handle.wake.read().context("cannot read the wake-up event of a loop")?;
        while let Ok(stream) = self.new_streams.try_recv() {
            let id = self.next_id;
            self.next_id += 1;
            match self.register(stream, id) {
                Ok(connection) => drop(self.connections.insert(id, connection)),
                Err(error) => warn!("cannot serve a connection: {error}"),
            }
        }
        Ok(())
    }

    fn register(&self, stream: TcpStream, id: u64) -> io::Result<Connection> {
        let connection = Connection::new(stream, &self.spec)?;
        let event = EpollEvent::new(connection.interest(), id);
        self.epoll.add(connection.stream(), event)?;
        Ok(connection)
    }

    #[inline]
    fn handle_ready(&mut self, id: u64) {
        let Entry::Occupied(mut entry) = self.connections.entry(id) else { return };
        let connection = entry.get_mut();
        let before = connection.interest();
        let handled = connection.handle_ready(&mut self.buffers, &self.handle.stopping);
        let registered = handled.and_then(|()| {
            let now = connection.interest();
            if now == before {
                return Ok(());
            }
            Ok(self.epoll.modify(connection.stream(), &mut EpollEvent::new(now, id))?)
        });
        if registered.is_err() {
            // The peer disconnected or uses another protocol; the connection ends either way.
            // Closing the socket removes it from epoll.
            self.tally.merge(entry.remove().into_tally());
        }
    }
}

/// The handle and the thread of a running loop.
struct RunningLoop {
    handle: Arc<Handle>,
    thread: JoinHandle<Result<ServerTally>>,
}

/// The loops of a server. Dropping them stops them.
struct Loops(Vec<RunningLoop>);

impl Loops {
    fn stop(&mut self) -> ServerTally {
        for running in &self.0 {
            running.handle.stopping.store(true, Ordering::Release);
            if let Err(error) = running.handle.wake.write(1) {
                // The counter of the eventfd is full, so a wake-up is already pending.
                warn!("cannot wake an event loop: {error}");
            }
        }
        let mut total = ServerTally::default();
        for running in self.0.drain(..) {
            match threads::join(running.thread) {
                Ok(tally) => total.merge(tally),
                // The tallies of the other loops are valid.
                Err(error) => warn!("{error:#}; the counts of this event loop are lost"),
            }
        }
        total
    }
}

impl Drop for Loops {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A server with one event loop per CPU.
pub struct EventLoopServer {
    // Dropped first: no connection is passed to a stopped loop.
    acceptor: Acceptor,
    loops: Loops,
}

impl EventLoopServer {
    /// Starts the server.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound, or if threads or file descriptors run out.
    pub fn start(system: &str, spec: &ServerSpec) -> Result<Self> {
        let mut loops = Loops(Vec::new());
        let mut senders = Vec::new();
        for number in 0..cpus::allowed() {
            let (event_loop, sender) =
                EventLoop::new(spec).context("cannot create an event loop")?;
            let handle = Arc::clone(&event_loop.handle);
            senders.push((sender, Arc::clone(&handle)));
            let thread = threads::start(&format!("event-loop-{number}"), || event_loop.run())?;
            loops.0.push(RunningLoop { handle, thread });
        }
        let acceptor = Acceptor::start(system, spec, move |stream| {
            senders.rotate_left(1);
            let (sender, handle) = &senders[0];
            sender.send(stream).context("its event loop has ended")?;
            handle.wake.write(1).context("cannot wake an event loop")?;
            Ok(())
        })?;
        Ok(EventLoopServer { acceptor, loops })
    }
}

impl Server for EventLoopServer {
    fn endpoint(&self) -> &Endpoint {
        self.acceptor.endpoint()
    }

    fn stop(mut self: Box<Self>) -> Result<ServerTally> {
        self.acceptor.stop()?;
        Ok(self.loops.stop())
    }
}
