//! One connection: a socket that never blocks, the codec of its wire, and what is on the way.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::message::EchoError;
use crate::wire::{Codec, Event};

/// How often a socket is read from, 64 KiB each time, before it is the others' turn: a server
/// that never ends would keep its client's thread for itself.
const READS: usize = 16;

/// How many bytes of answers, to PINGs and the like, may wait for a server that does not read.
const MOST_ANSWERS: usize = 1024 * 1024;

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
    /// Where in it the request ends.
    request_end: usize,
    /// How much may wait in it.
    most: usize,
    /// There may be something to read of which epoll has told already.
    unread: bool,
    /// The server will say no more than is there to be read.
    ended: bool,
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
    /// There is more to read, once the others had their turn: [`Connection::again`].
    More,
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
        let most = output.len() + MOST_ANSWERS;
        let input = Vec::new();
        Ok(Connection {
            stream,
            codec,
            connected: false,
            input,
            output,
            written: 0,
            request_end: 0,
            most,
            unread: true,
            ended: false,
        })
    }

    /// The server has closed its side: behind what is left to be read is the end.
    #[cold]
    pub fn ends(&mut self) {
        self.ended = true;
    }

    /// Asks to be told again that there is something to read: of what was there already, epoll
    /// tells once.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    #[cold]
    pub fn again(&mut self, registry: &Registry, token: Token) -> Result<Step, EchoError> {
        let interests = Interest::READABLE | Interest::WRITABLE;
        let told = registry.reregister(&mut self.stream, token, interests);
        told.map(|()| Step::Nothing).map_err(|error| lost(&error))
    }

    /// Takes no part in what happens any more, but is not closed yet.
    pub fn leave(&mut self, registry: &Registry) {
        // A socket that is not registered has left already.
        let _ = registry.deregister(&mut self.stream);
    }

    /// Sends a request, or as much of it as the socket takes; the rest follows.
    #[inline]
    pub fn request(&mut self, message: &[u8], check: Check<'_>) -> Result<Step, EchoError> {
        if self.ended {
            return Err(closed());
        }
        if self.written > 0 {
            self.output.drain(..std::mem::take(&mut self.written));
        }
        let before = self.output.len();
        self.codec.request(message, &mut self.output);
        self.request_end = self.output.len();
        let silent = self.request_end == before;
        // The whole of it, which HTTP/2 may send in parts, with their headers.
        self.most = 2 * message.len() + MOST_ANSWERS;
        self.flush()?;
        // What came before it was asked for, if anything did; or why nothing is sent.
        let step = if self.input.is_empty() && !silent {
            Step::Nothing
        } else {
            self.take_in(&[], check)?
        };
        Ok(if step == Step::Nothing && self.unread { Step::More } else { step })
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
        for _ in 0..READS {
            let length = match self.stream.read(space) {
                Ok(0) => return Err(closed()),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unread = false;
                    return Ok(Step::Nothing);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(lost(&error)),
            };
            // A socket that gave less than there was space for has no more, see `epoll(7)`; but
            // of its end, epoll may have told together with the last bytes.
            self.unread = length == space.len() || self.ended;
            let step = self.take_in(&space[..length], check)?;
            if step != Step::Nothing || !self.unread {
                return Ok(step);
            }
        }
        Ok(Step::More)
    }

    /// Looks at what came behind a reply, if anything did: where no request follows at once.
    pub fn behind(&mut self, space: &mut [u8], check: Check<'_>) -> Result<Step, EchoError> {
        if !self.input.is_empty() {
            let step = self.take_in(&[], check)?;
            if step != Step::Nothing {
                return Ok(step);
            }
        }
        if self.ended { self.proceed(space, check) } else { Ok(Step::Nothing) }
    }

    /// Whether the reply to a request that timed out has come by now.
    pub fn has_late_reply(&mut self, space: &mut [u8]) -> bool {
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
        (self.written, self.request_end) = (0, 0);
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
        if self.written < self.request_end && matches!(step, Step::Replied(_)) {
            let why = "it came before all of the request had gone".to_owned();
            return Err(EchoError::Malformed(why));
        }
        if self.written < self.output.len() {
            self.flush()?;
            if self.output.len() - self.written > self.most {
                let why = "the server asks for answers and does not read them".to_owned();
                return Err(EchoError::Disconnected(why));
            }
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

fn closed() -> EchoError {
    EchoError::Disconnected("the server closed the connection".to_owned())
}

fn lost(error: &std::io::Error) -> EchoError {
    EchoError::Disconnected(error.to_string())
}
