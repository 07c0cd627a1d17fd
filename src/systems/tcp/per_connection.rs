//! The server as anyone would write it first: a thread per connection, which blocks.
//!
//! ```text
//! clients --tcp--> [acceptor thread] --> one thread per connection: read, answer, write
//! ```

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::Result;
use log::warn;

use super::{put_frame, read_body, read_length};
use crate::measure::ServerTally;
use crate::message::{self, Responder, Sequence};
use crate::os::threads;
use crate::spec::{Endpoint, ServerSpec};
use crate::systems::Server;
use crate::systems::acceptor::Acceptor;

/// What the threads of a server share. No message touches it: a connection is entered when
/// it opens, and taken out, its tally merged, when it has ended.
struct Shared {
    spec: ServerSpec,
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    opened: u64,
    open: HashMap<u64, (Arc<TcpStream>, Option<JoinHandle<()>>)>,
    tally: ServerTally,
}

impl Shared {
    /// The lock is held only for moves of what it guards: a panic cannot leave that in halves.
    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(self: &Arc<Self>, stream: TcpStream) -> Result<()> {
        let stream = Arc::new(stream);
        // Held while the thread starts, so that it cannot end before it has been entered.
        let mut connections = self.connections();
        connections.opened += 1;
        let number = connections.opened;
        let thread = threads::start("connection", {
            let (shared, stream) = (Arc::clone(self), Arc::clone(&stream));
            move || shared.serve(number, &stream)
        })?;
        connections.open.insert(number, (stream, Some(thread)));
        Ok(())
    }

    fn serve(&self, number: u64, stream: &TcpStream) {
        let mut responder = Responder::new(&self.spec, None, Sequence::Own(0));
        // The peer has gone, or spoke another protocol: either way the connection has ended.
        let _ = answer(stream, &mut responder);
        let _ = stream.shutdown(Shutdown::Both);
        let mut connections = self.connections();
        connections.tally.merge(responder.take_tally());
        connections.open.remove(&number);
    }
}

/// Reads, answers and writes until the peer closes the connection.
fn answer(stream: &TcpStream, responder: &mut Responder) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    let (mut request, mut reply, mut frame) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let length = read_length(&mut reader)?;
        let long = responder.reject_if_long(length);
        let fits = long.is_none();
        let outcome = if let Some(rejected) = long {
            Err(rejected)
        } else {
            read_body(&mut reader, length, &mut request)?;
            message::respond(responder, &request, &mut reply)
        };
        if let Err(rejected) = outcome {
            responder.write_error_reply(rejected, &mut reply);
        }
        put_frame(&reply, &mut frame)?;
        writer.write_all(&frame)?;
        if !fits {
            // The next message begins behind this one, of which nothing is kept.
            io::copy(&mut reader.by_ref().take(length as u64), &mut io::sink())?;
        }
    }
}

/// The server.
pub struct PerConnection {
    acceptor: Acceptor,
    shared: Arc<Shared>,
}

impl PerConnection {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// Where the address cannot be bound, or the thread of the acceptor cannot be started.
    pub fn start(system: &str, spec: &ServerSpec) -> Result<Self> {
        let shared = Arc::new(Shared { spec: spec.clone(), connections: Mutex::default() });
        let acceptor = Acceptor::start(system, spec, {
            let shared = Arc::clone(&shared);
            move |stream| shared.open(stream)
        })?;
        Ok(PerConnection { acceptor, shared })
    }

    /// Ends the acceptor first, so that no connection comes after the last was ended.
    fn shut_down(&mut self) -> Result<()> {
        self.acceptor.stop()?;
        let threads: Vec<_> = {
            let mut connections = self.shared.connections();
            connections
                .open
                .values_mut()
                .filter_map(|(stream, thread)| {
                    let _ = stream.shutdown(Shutdown::Both);
                    thread.take()
                })
                .collect()
        };
        for thread in threads {
            // A panic has been printed; what the other threads counted still holds.
            let _ = thread.join();
        }
        Ok(())
    }
}

impl Server for PerConnection {
    fn endpoint(&self) -> &Endpoint {
        self.acceptor.endpoint()
    }

    fn stop(mut self: Box<Self>) -> Result<ServerTally> {
        self.shut_down()?;
        Ok(std::mem::take(&mut self.shared.connections().tally))
    }
}

impl Drop for PerConnection {
    fn drop(&mut self) {
        if let Err(error) = self.shut_down() {
            warn!("{error:#}");
        }
    }
}
