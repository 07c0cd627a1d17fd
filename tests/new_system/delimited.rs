//! A system that is not part of the program: TCP with protobuf's delimited format, in which each
//! message follows its length as a varint (see `CodedOutputStream` in protobuf's documentation).
//! One thread per connection answers.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use echometer::measure::ServerTally;
use echometer::message::{self, EchoError, Reply, Request, Responder, Sequence};
use echometer::spec::{ClientSpec, Endpoint, ServerSpec};
use echometer::systems::{Client, Server, System};
use protobuf::{CodedInputStream, CodedOutputStream};

pub struct Delimited;

impl System for Delimited {
    fn name(&self) -> &'static str {
        "delimited"
    }

    fn about(&self) -> &'static str {
        "TCP with protobuf's delimited format, a thread per connection"
    }

    fn serve(&self, spec: &ServerSpec) -> Result<Box<dyn Server>> {
        let listener = TcpListener::bind(spec.address.resolve()?)
            .with_context(|| format!("cannot listen on {} as {}", spec.address, self.name()))?;
        let endpoint = listener.local_addr()?.into();
        let shared = Arc::new(Shared { spec: spec.clone(), ..Shared::default() });
        let acceptor = thread::Builder::new().name("acceptor".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        })?;
        Ok(Box::new(DelimitedServer { endpoint, shared, acceptor: Some(acceptor) }))
    }

    fn connect(&self, to: &Endpoint, spec: &ClientSpec) -> Result<Box<dyn Client>> {
        let stream = TcpStream::connect_timeout(&to.resolve()?, spec.timeout)
            .with_context(|| format!("cannot connect to {to}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(spec.timeout))?;
        let (buffer, spec) = (Vec::new(), spec.clone());
        Ok(Box::new(DelimitedClient { stream: BufReader::new(stream), buffer, spec }))
    }
}

/// Data of all threads. The message path does not touch the locks.
struct Shared {
    spec: ServerSpec,
    stopping: AtomicBool,
    connections: Mutex<Vec<(TcpStream, JoinHandle<ServerTally>)>>,
}

impl Default for Shared {
    fn default() -> Self {
        Shared {
            spec: ServerSpec::named("server"),
            stopping: AtomicBool::new(false),
            connections: Mutex::default(),
        }
    }
}

/// Starts a thread for each connection until the server stops.
fn accept(listener: &TcpListener, shared: &Shared) {
    for stream in listener.incoming().map_while(Result::ok) {
        if shared.stopping.load(Ordering::Acquire) {
            return;
        }
        let responder = Responder::new(&shared.spec, None, Sequence::Own(0));
        let max_message = shared.spec.max_message;
        let Ok(copy) = stream.try_clone() else { continue };
        let thread = thread::Builder::new()
            .name("connection".to_owned())
            .spawn(move || answer(&copy, responder, max_message));
        if let Ok(thread) = thread {
            shared.connections.lock().unwrap().push((stream, thread));
        }
    }
}

/// Answers until the peer closes the connection or violates the protocol.
fn answer(stream: &TcpStream, mut responder: Responder, max_message: usize) -> ServerTally {
    let mut reader = BufReader::new(stream);
    let (mut request, mut reply) = (Vec::new(), Vec::new());
    let _ = stream.set_nodelay(true);
    while let Ok(()) = read_message(&mut reader, max_message, &mut request) {
        if let Err(rejected) = message::respond(&mut responder, &request, &mut reply) {
            responder.write_error_reply(rejected, &mut reply);
        }
        if write_message(stream, &reply).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
    responder.take_tally()
}

/// Reads one message of at most `max` bytes into `message`.
fn read_message(reader: &mut impl Read, max: usize, message: &mut Vec<u8>) -> io::Result<()> {
    let mut varint = [0; 5];
    for length in 1..=varint.len() {
        reader.read_exact(&mut varint[length - 1..length])?;
        if varint[length - 1] < 0x80 {
            let size = CodedInputStream::from_bytes(&varint[..length]).read_raw_varint32()?;
            if size as usize > max {
                break;
            }
            message.clear();
            return match reader.take(size.into()).read_to_end(message)? {
                read if read == size as usize => Ok(()),
                _ => Err(ErrorKind::UnexpectedEof.into()),
            };
        }
    }
    Err(ErrorKind::InvalidData.into())
}

/// Writes length and message in one call.
fn write_message(mut stream: &TcpStream, message: &[u8]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(message.len() + 5);
    {
        let mut output = CodedOutputStream::vec(&mut frame);
        output.write_bytes_no_tag(message)?;
        output.flush()?;
    }
    stream.write_all(&frame)
}

struct DelimitedServer {
    endpoint: Endpoint,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl DelimitedServer {
    /// Stops accepting, then closes all connections: a connection accepted meanwhile is closed,
    /// too.
    fn shut_down(&mut self) -> ServerTally {
        self.shared.stopping.store(true, Ordering::Release);
        if let Some(acceptor) = self.acceptor.take() {
            // accept(2) returns for this connection.
            let _ = self.endpoint.resolve().map(TcpStream::connect);
            let _ = acceptor.join();
        }
        let mut tally = ServerTally::default();
        for (stream, thread) in self.shared.connections.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
            tally.merge(thread.join().unwrap_or_default());
        }
        tally
    }
}

impl Server for DelimitedServer {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn stop(mut self: Box<Self>) -> Result<ServerTally> {
        Ok(self.shut_down())
    }
}

impl Drop for DelimitedServer {
    fn drop(&mut self) {
        self.shut_down();
    }
}

struct DelimitedClient {
    stream: BufReader<TcpStream>,
    buffer: Vec<u8>,
    spec: ClientSpec,
}

impl DelimitedClient {
    fn round_trip(&mut self, request: &Request) -> io::Result<()> {
        write_message(self.stream.get_ref(), request.bytes())?;
        read_message(&mut self.stream, self.spec.max_message, &mut self.buffer)
    }
}

impl Client for DelimitedClient {
    fn echo(&mut self, request: &Request) -> Result<Reply, EchoError> {
        match self.round_trip(request) {
            Ok(()) => message::check(request, &self.buffer),
            Err(error) => Err(match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                    EchoError::Timeout(self.spec.timeout)
                }
                ErrorKind::InvalidData => EchoError::Malformed(error.to_string()),
                _ => EchoError::Disconnected(error.to_string()),
            }),
        }
    }
}
