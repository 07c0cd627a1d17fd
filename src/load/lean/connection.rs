//! One connection: a nonblocking socket, the codec of its wire protocol, and buffered data.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::message::EchoError;
use crate::wire::{Codec, Event};

/// Maximum number of consecutive reads from one socket, 64 KiB each. A server that sends without
/// end could otherwise occupy its client's thread.
const MAX_READS: usize = 16;

/// Maximum size in bytes of unsent answers to PINGs and other control frames, for a server that
/// does not read.
const MAX_UNSENT_ANSWERS: usize = 1024 * 1024;

/// A connection of one client.
pub struct Connection {
    stream: TcpStream,
    codec: Box<dyn Codec>,
    connected: bool,
    /// Received bytes that are not a whole event yet or that the next request will process.
    input: Vec<u8>,
    /// Bytes to send, including those already written.
    output: Vec<u8>,
    /// Number of bytes of `output` already written.
    written: usize,
    /// End of the request in `output`.
    request_end: usize,
    /// Maximum number of unsent bytes in `output`.
    output_limit: usize,
    /// Whether the socket may have input for which epoll reports no new event.
    may_have_input: bool,
    /// Whether the server has closed its side.
    peer_closed: bool,
}

/// The next step of a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Wait for the peer.
    Pending,
    /// The first request may be sent.
    Ready,
    /// The reply has arrived; `true`: it names the request that it answers.
    Replied(bool),
    /// More input is available. To be read after other connections had their turn; see
    /// [`Connection::request_read`].
    ReadAgain,
}

/// Checks a reply; see [`message::verify`](crate::message::verify).
pub type Check<'a> = &'a mut dyn FnMut(&[u8]) -> Result<bool, EchoError>;

impl Connection {
    /// Starts to connect.
    ///
    /// # Errors
    ///
    /// If no socket is available or it cannot be registered.
    pub fn open(
        address: SocketAddr,
        mut codec: Box<dyn Codec>,
        registry: &Registry,
        token: Token,
    ) -> Result<Self, EchoError> {
        let mut stream = TcpStream::connect(address).map_err(|error| disconnected(&error))?;
        let interests = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, token, interests).map_err(|error| disconnected(&error))?;
        let mut output = Vec::new();
        codec.open(&mut output);
        let output_limit = output.len() + MAX_UNSENT_ANSWERS;
        Ok(Connection {
            stream,
            codec,
            connected: false,
            input: Vec::new(),
            output,
            written: 0,
            request_end: 0,
            output_limit,
            may_have_input: true,
            peer_closed: false,
        })
    }

    /// Records that the server has closed its side. Input before the end may still be unread.
    #[cold]
    pub fn set_peer_closed(&mut self) {
        self.peer_closed = true;
    }

    /// Requests another event for input that epoll has already reported: it is edge-triggered and
    /// reports the same input only once.
    ///
    /// # Errors
    ///
    /// If the kernel refuses.
    #[cold]
    pub fn request_read(&mut self, registry: &Registry, token: Token) -> Result<Step, EchoError> {
        let interests = Interest::READABLE | Interest::WRITABLE;
        let result = registry.reregister(&mut self.stream, token, interests);
        result.map(|()| Step::Pending).map_err(|error| disconnected(&error))
    }

    /// Removes the socket from epoll, but does not close it.
    pub fn deregister(&mut self, registry: &Registry) {
        // Fails only if the socket is not registered.
        let _ = registry.deregister(&mut self.stream);
    }

    /// Sends a request, as far as the socket accepts it. The rest is sent by
    /// [`Connection::on_ready`].
    #[inline]
    pub fn request(&mut self, message: &[u8], check: Check<'_>) -> Result<Step, EchoError> {
        if self.peer_closed {
            return Err(closed_by_server());
        }
        if self.written > 0 {
            self.output.drain(..std::mem::take(&mut self.written));
        }
        let before = self.output.len();
        self.codec.request(message, &mut self.output);
        self.request_end = self.output.len();
        let nothing_to_send = self.request_end == before;
        // Twice the message: HTTP/2 may split it into frames with their own headers.
        self.output_limit = 2 * message.len() + MAX_UNSENT_ANSWERS;
        self.flush()?;
        // Processes input that arrived before the request, or the reason why nothing was sent.
        let step = if self.input.is_empty() && !nothing_to_send {
            Step::Pending
        } else {
            self.process(&[], check)?
        };
        Ok(if step == Step::Pending && self.may_have_input { Step::ReadAgain } else { step })
    }

    /// Finishes connecting, sends pending output and reads, as far as the socket is ready. All
    /// connections of a thread share `read_buffer`.
    #[inline]
    pub fn on_ready(
        &mut self,
        read_buffer: &mut [u8],
        check: Check<'_>,
    ) -> Result<Step, EchoError> {
        if !self.connected {
            if !self.finish_connecting()? {
                return Ok(Step::Pending);
            }
            self.flush()?;
            // In some wire protocols, the client sends first.
            let step = self.process(&[], check)?;
            if step != Step::Pending {
                return Ok(step);
            }
        }
        if self.written < self.output.len() {
            self.flush()?;
        }
        for _ in 0..MAX_READS {
            let length = match self.stream.read(read_buffer) {
                Ok(0) => return Err(closed_by_server()),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.may_have_input = false;
                    return Ok(Step::Pending);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(disconnected(&error)),
            };
            // A read that did not fill the buffer has emptied the socket, see `epoll(7)`. But epoll
            // may have reported the end of the stream together with the last bytes.
            self.may_have_input = length == read_buffer.len() || self.peer_closed;
            let step = self.process(&read_buffer[..length], check)?;
            if step != Step::Pending || !self.may_have_input {
                return Ok(step);
            }
        }
        Ok(Step::ReadAgain)
    }

    /// Processes data after a reply, if no request follows immediately.
    pub fn check_after_reply(
        &mut self,
        read_buffer: &mut [u8],
        check: Check<'_>,
    ) -> Result<Step, EchoError> {
        if !self.input.is_empty() {
            let step = self.process(&[], check)?;
            if step != Step::Pending {
                return Ok(step);
            }
        }
        if self.peer_closed { self.on_ready(read_buffer, check) } else { Ok(Step::Pending) }
    }

    /// Whether the reply to a request that timed out has arrived since.
    pub fn has_late_reply(&mut self, read_buffer: &mut [u8]) -> bool {
        let step = self.on_ready(read_buffer, &mut |_| Ok(true));
        matches!(step, Ok(Step::Replied(_)))
    }

    /// Returns whether the connection is established.
    fn finish_connecting(&mut self) -> Result<bool, EchoError> {
        if let Ok(Some(error)) | Err(error) = self.stream.take_error() {
            return Err(disconnected(&error));
        }
        match self.stream.peer_addr() {
            Ok(_) => {
                self.connected = true;
                self.stream.set_nodelay(true).map_err(|error| disconnected(&error))?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(disconnected(&error)),
        }
    }

    #[inline]
    fn flush(&mut self) -> Result<(), EchoError> {
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(length) => self.written += length,
                // epoll reports when the socket is writable again.
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(disconnected(&error)),
            }
        }
        self.output.clear();
        (self.written, self.request_end) = (0, 0);
        Ok(())
    }

    /// Processes received bytes up to the first reply, and keeps the rest in `input`.
    #[inline]
    fn process(&mut self, bytes: &[u8], check: Check<'_>) -> Result<Step, EchoError> {
        let (step, rest) = if self.input.is_empty() {
            let (step, consumed) = decode(&mut *self.codec, bytes, &mut self.output, check)?;
            (step, &bytes[consumed..])
        } else {
            self.input.extend_from_slice(bytes);
            let (step, consumed) = decode(&mut *self.codec, &self.input, &mut self.output, check)?;
            self.input.drain(..consumed);
            (step, &[][..])
        };
        self.input.extend_from_slice(rest);
        if self.written < self.request_end && matches!(step, Step::Replied(_)) {
            let reason = "it arrived before the request was completely sent".to_owned();
            return Err(EchoError::Malformed(reason));
        }
        if self.written < self.output.len() {
            self.flush()?;
            if self.output.len() - self.written > self.output_limit {
                let reason = "the server does not read the answers to its control frames";
                return Err(EchoError::Disconnected(reason.to_owned()));
            }
        }
        Ok(step)
    }
}

/// Decodes bytes up to the first event. Returns the step and the number of bytes consumed.
#[inline]
fn decode(
    codec: &mut dyn Codec,
    bytes: &[u8],
    out: &mut Vec<u8>,
    check: Check<'_>,
) -> Result<(Step, usize), EchoError> {
    let mut consumed = 0;
    loop {
        let (length, event) = codec.receive(&bytes[consumed..], out)?;
        consumed += length;
        match event {
            Some(Event::Ready) => return Ok((Step::Ready, consumed)),
            Some(Event::Reply(reply)) => return Ok((Step::Replied(check(reply)?), consumed)),
            None if length == 0 => return Ok((Step::Pending, consumed)),
            None => {}
        }
    }
}

fn closed_by_server() -> EchoError {
    EchoError::Disconnected("the server closed the connection".to_owned())
}

fn disconnected(error: &std::io::Error) -> EchoError {
    EchoError::Disconnected(error.to_string())
}
