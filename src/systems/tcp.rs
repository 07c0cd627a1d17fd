//! `tcp`: the baseline, which shows what the frameworks cost. A thread per connection, and
//! before each message its length in 4 bytes, big-endian.
//!
//! ```text
//! clients --tcp--> [acceptor thread] --> one thread per connection: read, answer, write
//! ```

use std::collections::HashMap;
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use log::warn;

use super::acceptor::Acceptor;
use super::{Client, Server, System};
use crate::measure::ServerTally;
use crate::message::{self, EchoError, Reply, Request, Responder, Sequence};
use crate::spec::{ClientSpec, Endpoint, ServerSpec};
use crate::threads;
use crate::wire::{Codec, Framed};

/// The bytes of the length that stands before each message.
const HEADER: usize = 4;

pub struct Tcp;

impl System for Tcp {
    fn name(&self) -> &'static str {
        "tcp"
    }

    fn about(&self) -> &'static str {
        "the baseline: plain TCP, a thread per connection"
    }

    fn serve(&self, spec: &ServerSpec) -> Result<Box<dyn Server>> {
        let shared = Arc::new(Shared { spec: spec.clone(), connections: Mutex::default() });
        let acceptor = Acceptor::start(self.name(), spec, {
            let shared = Arc::clone(&shared);
            move |stream| shared.open(stream)
        })?;
        Ok(Box::new(TcpServer { acceptor, shared }))
    }

    fn connect(&self, to: &Endpoint, who: &ClientSpec) -> Result<Box<dyn Client>> {
        let address = to.resolve()?;
        let stream = TcpStream::connect_timeout(&address, who.timeout)
            .with_context(|| format!("cannot connect to {to}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(who.timeout))?;
        stream.set_write_timeout(Some(who.timeout))?;
        Ok(Box::new(TcpClient {
            stream: BufReader::new(stream),
            frame: Vec::new(),
            who: who.clone(),
        }))
    }

    fn codec(&self, _to: &Endpoint, who: &ClientSpec) -> Option<Box<dyn Codec>> {
        Some(Box::new(Framed::new(who.max_message)))
    }
}

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
            responder.apologise(rejected, &mut reply);
        }
        write_frame(&mut writer, &reply, &mut frame)?;
        if !fits {
            // The next message begins behind this one, of which nothing is kept.
            io::copy(&mut reader.by_ref().take(length as u64), &mut io::sink())?;
        }
    }
}

fn read_length(reader: &mut impl Read) -> io::Result<usize> {
    let mut header = [0; HEADER];
    reader.read_exact(&mut header)?;
    Ok(u32::from_be_bytes(header) as usize)
}

/// Reads `length` bytes into `body`, which grows with what comes and not by what was said.
fn read_body(reader: &mut impl Read, length: usize, body: &mut Vec<u8>) -> io::Result<()> {
    body.clear();
    if reader.by_ref().take(length as u64).read_to_end(body)? < length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Writes length and bytes with one call, so that they leave in one segment.
fn write_frame(writer: &mut impl Write, bytes: &[u8], frame: &mut Vec<u8>) -> io::Result<()> {
    let length =
        u32::try_from(bytes.len()).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
    frame.clear();
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(bytes);
    writer.write_all(frame)
}

struct TcpServer {
    acceptor: Acceptor,
    shared: Arc<Shared>,
}

impl TcpServer {
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

impl Server for TcpServer {
    fn endpoint(&self) -> &Endpoint {
        self.acceptor.endpoint()
    }

    fn stop(mut self: Box<Self>) -> Result<ServerTally> {
        self.shut_down()?;
        Ok(std::mem::take(&mut self.shared.connections().tally))
    }
}

impl Drop for TcpServer {
    fn drop(&mut self) {
        if let Err(error) = self.shut_down() {
            warn!("{error:#}");
        }
    }
}

struct TcpClient {
    stream: BufReader<TcpStream>,
    frame: Vec<u8>,
    who: ClientSpec,
}

impl TcpClient {
    fn round_trip(&mut self, request: &Request) -> io::Result<()> {
        write_frame(self.stream.get_mut(), request.bytes(), &mut self.frame)?;
        let length = read_length(&mut self.stream)?;
        if length > self.who.max_message {
            let what = format!("{length} bytes are over the limit of {}", self.who.max_message);
            return Err(io::Error::new(ErrorKind::InvalidData, what));
        }
        read_body(&mut self.stream, length, &mut self.frame)
    }
}

impl Client for TcpClient {
    fn echo(&mut self, request: &Request) -> Result<Reply, EchoError> {
        match self.round_trip(request) {
            Ok(()) => message::check(request, &self.frame),
            Err(error) => Err(match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => EchoError::Timeout(self.who.timeout),
                ErrorKind::InvalidData => EchoError::Malformed(error.to_string()),
                ErrorKind::UnexpectedEof => {
                    EchoError::Disconnected("the server closed the connection".to_owned())
                }
                _ => EchoError::Disconnected(error.to_string()),
            }),
        }
    }

    fn came_late(&mut self) -> bool {
        let stream = self.stream.get_ref();
        // Of its first byte on: what it answers was asked for with the connection.
        let peeked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
        matches!(peeked, Ok(1..)) || !self.stream.buffer().is_empty()
    }
}
