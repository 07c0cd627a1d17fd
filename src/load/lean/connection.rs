//! One connection: a socket that never blocks, the codec of its wire, and what is on the way.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::message::EchoError;
use crate::wire::{Codec, Event};

/// A connection of one client.
pub struct Connection {
    stream: TcpStream,
    codec: Box<dyn Codec>,
    connected: bool,
    /// What came and is no whole event yet, or is left for the next request.
    input: Vec<u8>,
    /// What is to be sent.
    output: Vec<u8>,
    /// How much of it has been.
    written: usize,
}

/// How far a connection has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// It waits for the peer.
    Nothing,
    /// The first request may be sent.
    Ready,
    /// The reply has come; `true`: it named the request that it answers.
    Replied(bool),
}

/// What a reply is to be checked by.
pub type Check<'a> = &'a mut dyn FnMut(&[u8]) -> Result<bool, EchoError>;

impl Connection {
    /// Begins to connect.
    ///
    /// # Errors
    ///
    /// Where the system has no socket to give.
    pub fn open(
        to: SocketAddr,
        mut codec: Box<dyn Codec>,
        registry: &Registry,
        token: Token,
    ) -> Result<Self, EchoError> {
        let mut stream = TcpStream::connect(to).map_err(|error| lost(&error))?;
        let interests = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, token, interests).map_err(|error| lost(&error))?;
        let mut output = Vec::new();
        codec.open(&mut output);
        Ok(Connection { stream, codec, connected: false, input: Vec::new(), output, written: 0 })
    }

    /// Takes no part in what happens any more, but is not closed yet.
    pub fn leave(&mut self, registry: &Registry) {
        // A socket that is not registered has left already.
        let _ = registry.deregister(&mut self.stream);
    }

    /// Sends a request, or as much of it as the socket takes; the rest follows.
    #[inline]
    pub fn request(&mut self, message: &[u8], check: Check<'_>) -> Result<Step, EchoError> {
        self.codec.request(message, &mut self.output);
        self.flush()?;
        // What came before it was asked for, if anything did.
        if self.input.is_empty() { Ok(Step::Nothing) } else { self.take_in(&[], check) }
    }

    /// Does what the socket is ready for. `space` is where it reads to, for all connections of
    /// a thread.
    #[inline]
    pub fn proceed(&mut self, space: &mut [u8], check: Check<'_>) -> Result<Step, EchoError> {
        if !self.connected {
            if !self.has_connected()? {
                return Ok(Step::Nothing);
            }
            self.flush()?;
            // There are wires on which nothing is waited for.
            let step = self.take_in(&[], check)?;
            if step != Step::Nothing {
                return Ok(step);
            }
        }
        if self.written < self.output.len() {
            self.flush()?;
        }
        loop {
            let length = match self.stream.read(space) {
                Ok(0) => {
                    let why = "the server closed the connection".to_owned();
                    return Err(EchoError::Disconnected(why));
                }
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Step::Nothing),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(lost(&error)),
            };
            let step = self.take_in(&space[..length], check)?;
            // A socket that gave less than there was space for has no more, see `epoll(7)`.
            if step != Step::Nothing || length < space.len() {
                return Ok(step);
            }
        }
    }

    /// Whether the reply to a request that timed out has come by now.
    pub fn came_late(&mut self, space: &mut [u8]) -> bool {
        let step = self.proceed(space, &mut |_| Ok(true));
        matches!(step, Ok(Step::Replied(_)))
    }

    fn has_connected(&mut self) -> Result<bool, EchoError> {
        if let Ok(Some(error)) | Err(error) = self.stream.take_error() {
            return Err(lost(&error));
        }
        match self.stream.peer_addr() {
            Ok(_) => {
                self.connected = true;
                self.stream.set_nodelay(true).map_err(|error| lost(&error))?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(lost(&error)),
        }
    }

    #[inline]
    fn flush(&mut self) -> Result<(), EchoError> {
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(length) => self.written += length,
                // The socket says when it takes more.
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(lost(&error)),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }

    /// Takes in what came, up to the first reply; keeps what is left.
    #[inline]
    fn take_in(&mut self, bytes: &[u8], check: Check<'_>) -> Result<Step, EchoError> {
        let (step, left) = if self.input.is_empty() {
            let (step, taken) = events(&mut *self.codec, bytes, &mut self.output, check)?;
            (step, &bytes[taken..])
        } else {
            self.input.extend_from_slice(bytes);
            let (step, taken) = events(&mut *self.codec, &self.input, &mut self.output, check)?;
            self.input.drain(..taken);
            (step, &[][..])
        };
        self.input.extend_from_slice(left);
        if self.written < self.output.len() {
            self.flush()?;
        }
        Ok(step)
    }
}

/// What bytes amount to, up to the first event, and how many of them that took.
#[inline]
fn events(
    codec: &mut dyn Codec,
    bytes: &[u8],
    out: &mut Vec<u8>,
    check: Check<'_>,
) -> Result<(Step, usize), EchoError> {
    let mut taken = 0;
    loop {
        let (length, event) = codec.receive(&bytes[taken..], out)?;
        taken += length;
        match event {
            Some(Event::Ready) => return Ok((Step::Ready, taken)),
            Some(Event::Reply(reply)) => return Ok((Step::Replied(check(reply)?), taken)),
            None if length == 0 => return Ok((Step::Nothing, taken)),
            None => {}
        }
    }
}

fn lost(error: &std::io::Error) -> EchoError {
    EchoError::Disconnected(error.to_string())
}
