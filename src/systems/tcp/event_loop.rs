//! The server as it is tuned: an event loop per CPU, and no thread switch between messages.
//!
//! ```text
//! clients --tcp--> [acceptor thread] --in turn--> [a thread per CPU] epoll, then for each
//!                                                 connection that is ready: read, answer, write
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

use super::connection::{Connection, Space};
use crate::measure::ServerTally;
use crate::os::cpus;
use crate::os::threads;
use crate::spec::{Endpoint, ServerSpec};
use crate::systems::Server;
use crate::systems::acceptor::Acceptor;

/// What epoll calls the event that wakes a loop. Connections have the numbers from 0 on.
const WAKE: u64 = u64::MAX;

/// How many connections one call of epoll tells of.
const EVENTS: usize = 256;

/// How other threads reach a loop.
struct Handle {
    wake: EventFd,
    stopping: AtomicBool,
}

/// One loop: a thread, and the connections that it answers.
struct EventLoop {
    spec: ServerSpec,
    epoll: Epoll,
    handle: Arc<Handle>,
    opened: Receiver<TcpStream>,
    connections: HashMap<u64, Connection>,
    /// The number of the next connection.
    next: u64,
    tally: ServerTally,
    space: Space,
}

impl EventLoop {
    /// A loop, and where connections for it are put.
    fn new(spec: &ServerSpec) -> Result<(Self, Sender<TcpStream>)> {
        let (sender, opened) = unbounded();
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        let event_loop = EventLoop {
            spec: spec.clone(),
            epoll,
            handle: Arc::new(Handle { wake, stopping: AtomicBool::new(false) }),
            opened,
            connections: HashMap::new(),
            next: 0,
            tally: ServerTally::default(),
            space: Space::default(),
        };
        Ok((event_loop, sender))
    }

    /// Answers until it is told to stop.
    fn run(mut self) -> Result<ServerTally> {
        let mut events = [EpollEvent::empty(); EVENTS];
        while !self.is_stopping() {
            let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                waited => waited.context("cannot wait for connections")?,
            };
            for event in &events[..count] {
                // A handler may take its time, and there may be many of them.
                if self.is_stopping() {
                    break;
                }
                match event.data() {
                    WAKE => self.take_in()?,
                    number => self.proceed(number),
                }
            }
        }
        for (_, connection) in self.connections {
            self.tally.merge(connection.end());
        }
        Ok(self.tally)
    }

    fn is_stopping(&self) -> bool {
        self.handle.stopping.load(Ordering::Acquire)
    }

    /// Takes in the connections that have been opened.
    fn take_in(&mut self) -> Result<()> {
        self.handle.wake.read().context("cannot take the event that wakes a loop")?;
        while let Ok(stream) = self.opened.try_recv() {
            let number = self.next;
            self.next += 1;
            match self.watch(stream, number) {
                Ok(connection) => drop(self.connections.insert(number, connection)),
                Err(error) => warn!("cannot serve a connection: {error}"),
            }
        }
        Ok(())
    }

    fn watch(&self, stream: TcpStream, number: u64) -> io::Result<Connection> {
        let connection = Connection::new(stream, &self.spec)?;
        let event = EpollEvent::new(connection.waits_for(), number);
        self.epoll.add(connection.stream(), event)?;
        Ok(connection)
    }

    #[inline]
    fn proceed(&mut self, number: u64) {
        let Entry::Occupied(mut entry) = self.connections.entry(number) else { return };
        let connection = entry.get_mut();
        let before = connection.waits_for();
        let proceeded = connection.proceed(&mut self.space, &self.handle.stopping);
        let watched = proceeded.and_then(|()| {
            let now = connection.waits_for();
            if now == before {
                return Ok(());
            }
            Ok(self.epoll.modify(connection.stream(), &mut EpollEvent::new(now, number))?)
        });
        if watched.is_err() {
            // The peer has gone, or spoke another protocol: either way it has ended. Closed, it
            // is no longer watched.
            self.tally.merge(entry.remove().end());
        }
    }
}

/// A loop that runs.
struct Running {
    handle: Arc<Handle>,
    thread: JoinHandle<Result<ServerTally>>,
}

/// The loops of a server; dropped, they stop.
struct Loops(Vec<Running>);

impl Loops {
    fn stop(&mut self) -> ServerTally {
        for running in &self.0 {
            running.handle.stopping.store(true, Ordering::Release);
            if let Err(error) = running.handle.wake.write(1) {
                // It could not be told more often, and has been told.
                warn!("cannot wake an event loop: {error}");
            }
        }
        let mut all = ServerTally::default();
        for running in self.0.drain(..) {
            match threads::join(running.thread) {
                Ok(tally) => all.merge(tally),
                // What the other loops counted still holds.
                Err(error) => warn!("{error:#}; what it counted is lost"),
            }
        }
        all
    }
}

impl Drop for Loops {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The server.
pub struct EventLoops {
    // Dropped first: no connection is given to a loop that has stopped.
    acceptor: Acceptor,
    loops: Loops,
}

impl EventLoops {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// Where the address cannot be bound, or a thread or a descriptor is lacking.
    pub fn start(system: &str, spec: &ServerSpec) -> Result<Self> {
        let mut loops = Loops(Vec::new());
        let mut ways = Vec::new();
        for number in 0..cpus::allowed() {
            let (event_loop, way) = EventLoop::new(spec).context("cannot make an event loop")?;
            let handle = Arc::clone(&event_loop.handle);
            ways.push((way, Arc::clone(&handle)));
            let thread = threads::start(&format!("event-loop-{number}"), || event_loop.run())?;
            loops.0.push(Running { handle, thread });
        }
        let acceptor = Acceptor::start(system, spec, move |stream| {
            ways.rotate_left(1);
            let (way, handle) = &ways[0];
            way.send(stream).context("its event loop has ended")?;
            handle.wake.write(1).context("cannot wake an event loop")?;
            Ok(())
        })?;
        Ok(EventLoops { acceptor, loops })
    }
}

impl Server for EventLoops {
    fn endpoint(&self) -> &Endpoint {
        self.acceptor.endpoint()
    }

    fn stop(mut self: Box<Self>) -> Result<ServerTally> {
        self.acceptor.stop()?;
        Ok(self.loops.stop())
    }
}
