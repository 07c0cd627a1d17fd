//! The default server: one blocking thread per connection.
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

use super::{encode_frame, read_body, read_length};
use crate::measure::ServerTally;
use crate::message::{self, Responder, Sequence};
use crate::os::threads;
use crate::spec::{Endpoint, ServerSpec};
use crate::systems::Server;
use crate::systems::acceptor::Acceptor;

/// State shared by the threads of a server. The message path does not use it: a connection is
/// added when it opens, and removed, with its tally merged, when it ends.
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
    /// A poisoned lock is usable: no panic while it is held can leave the data inconsistent.
    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(self: &Arc<Self>, stream: TcpStream) -> Result<()> {
        let stream = Arc::new(stream);
        // Held while the thread starts: the thread cannot be removed before it has been added.
        let mut connections = self.connections();
        connections.opened += 1;
        let id = connections.opened;
        let thread = threads::start("connection", {
            let (shared, stream) = (Arc::clone(self), Arc::clone(&stream));
            move || shared.serve(id, &stream)
        })?;
        connections.open.insert(id, (stream, Some(thread)));
        Ok(())
    }

    fn serve(&self, id: u64, stream: &TcpStream) {
        let mut responder = Responder::new(&self.spec, None, Sequence::Own(0));
        // An error means that the peer disconnected or uses another protocol. The connection ends
        // either way.
        let _ = serve_connection(stream, &mut responder);
        let _ = stream.shutdown(Shutdown::Both);
        let mut connections = self.connections();
        connections.tally.merge(responder.take_tally());
        connections.open.remove(&id);
    }
}

/// Reads, answers and writes until the peer closes the connection.
fn serve_connection(stream: &TcpStream, responder: &mut Responder) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    let (mut request, mut reply, mut frame) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let length = read_length(&mut reader)?;
        let too_long = responder.reject_if_too_long(length);
        let fits = too_long.is_none();
        let outcome = if let Some(rejected) = too_long {
            Err(rejected)
        } else {
            read_body(&mut reader, length, &mut request)?;
            message::respond(responder, &request, &mut reply)
        };
        if let Err(rejected) = outcome {
            responder.write_error_reply(rejected, &mut reply);
        }
        encode_frame(&reply, &mut frame)?;
        writer.write_all(&frame)?;
        if !fits {
            // Discards the request, to reach the start of the next one.
            io::copy(&mut reader.by_ref().take(length as u64), &mut io::sink())?;
        }
    }
}

/// A server with one thread per connection.
pub struct PerConnectionServer {
    acceptor: Acceptor,
    shared: Arc<Shared>,
}

impl PerConnectionServer {
    /// Starts the server.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound or the acceptor thread cannot be started.
    pub fn start(system: &str, spec: &ServerSpec) -> Result<Self> {
        let shared = Arc::new(Shared { spec: spec.clone(), connections: Mutex::default() });
        let acceptor = Acceptor::start(system, spec, {
            let shared = Arc::clone(&shared);
            move |stream| shared.open(stream)
        })?;
        Ok(PerConnectionServer { acceptor, shared })
    }

    /// Stops the acceptor first, so that no connection is added after all have been shut down.
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
            // A panic has already been printed, and the tallies of the other threads are valid.
            let _ = thread.join();
        }
        Ok(())
    }
}

impl Server for PerConnectionServer {
    fn endpoint(&self) -> &Endpoint {
        self.acceptor.endpoint()
    }

    fn stop(mut self: Box<Self>) -> Result<ServerTally> {
        self.shut_down()?;
        Ok(std::mem::take(&mut self.shared.connections().tally))
    }
}

impl Drop for PerConnectionServer {
    fn drop(&mut self) {
        if let Err(error) = self.shut_down() {
            warn!("{error:#}");
        }
    }
}
