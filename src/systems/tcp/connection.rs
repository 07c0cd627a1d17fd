//! One connection of an event loop: a non-blocking socket with its pending input and output.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::epoll::EpollFlags;

use super::{HEADER_LEN, encode_frame};
use crate::measure::ServerTally;
use crate::message::{self, Responder, Sequence};
use crate::spec::ServerSpec;

/// Maximum number of bytes per read.
const READ_SIZE: usize = 64 * 1024;

/// Number of messages that one connection gets answered before the other connections have their
/// turn: one read may return thousands of messages.
const MESSAGES_PER_TURN: usize = 16;

/// Buffers that all connections of a thread share.
pub struct Buffers {
    input: Box<[u8]>,
    reply: Vec<u8>,
    frame: Vec<u8>,
}

impl Default for Buffers {
    fn default() -> Self {
        Buffers { input: vec![0; READ_SIZE].into(), reply: Vec::new(), frame: Vec::new() }
    }
}

/// A connection.
///
/// epoll is level-triggered: it reports a socket again for as long as it is ready. A connection
/// therefore reads once per event, and no peer can monopolize the thread.
pub struct Connection {
    stream: TcpStream,
    responder: Responder,
    /// Received bytes that are an incomplete message, or that follow a reply that is not yet sent.
    input: Vec<u8>,
    /// Number of bytes still to be discarded of a request that is too long.
    to_skip: usize,
    /// Bytes that the socket has not accepted. Until it does, the connection reads nothing: a peer
    /// that does not read its replies gets no more of them.
    output: Vec<u8>,
    /// `input` may hold a complete message, to be answered in the next turn.
    may_hold_message: bool,
}

impl Connection {
    /// Wraps an accepted socket.
    ///
    /// # Errors
    ///
    /// If the socket cannot be made non-blocking.
    pub fn new(stream: TcpStream, spec: &ServerSpec) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Connection {
            stream,
            responder: Responder::new(spec, None, Sequence::Own(0)),
            input: Vec::new(),
            to_skip: 0,
            output: Vec::new(),
            may_hold_message: false,
        })
    }

    /// Returns the socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Returns the socket event that the connection waits for. A connection with more messages to
    /// answer waits for EPOLLOUT: that event comes at once, but after those of all other ready
    /// connections.
    pub fn interest(&self) -> EpollFlags {
        if self.has_pending() { EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN }
    }

    fn has_pending(&self) -> bool {
        self.may_hold_message || !self.output.is_empty()
    }

    /// Closes the connection and returns its tally.
    pub fn into_tally(mut self) -> ServerTally {
        self.responder.take_tally()
    }

    /// Handles the event that [`Connection::interest`] asked for.
    ///
    /// # Errors
    ///
    /// If the peer has closed the connection or the socket failed.
    #[inline]
    pub fn handle_ready(&mut self, buffers: &mut Buffers, stopping: &AtomicBool) -> io::Result<()> {
        if self.has_pending() {
            self.resume(buffers, stopping)
        } else {
            self.read(buffers, stopping)
        }
    }

    #[inline]
    fn read(&mut self, buffers: &mut Buffers, stopping: &AtomicBool) -> io::Result<()> {
        let length = match self.stream.read(&mut buffers.input) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => length,
            Err(error) => return ignore_transient(error),
        };
        if self.input.is_empty() {
            // Taken out of `buffers` so that `answer` can borrow the other buffers.
            let input = std::mem::take(&mut buffers.input);
            let consumed = self.answer(&input[..length], buffers, stopping);
            if let Ok(consumed) = consumed {
                self.input.extend_from_slice(&input[consumed..length]);
            }
            buffers.input = input;
            consumed.map(drop)
        } else {
            self.input.extend_from_slice(&buffers.input[..length]);
            self.answer_pending(buffers, stopping)
        }
    }

    /// Sends pending output, then answers pending input. epoll does not report that input again:
    /// it has already been read from the socket.
    #[cold]
    fn resume(&mut self, buffers: &mut Buffers, stopping: &AtomicBool) -> io::Result<()> {
        if !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(length) => drop(self.output.drain(..length)),
                Err(error) => return ignore_transient(error),
            }
        }
        if self.output.is_empty() { self.answer_pending(buffers, stopping) } else { Ok(()) }
    }

    fn answer_pending(&mut self, buffers: &mut Buffers, stopping: &AtomicBool) -> io::Result<()> {
        let mut input = std::mem::take(&mut self.input);
        let consumed = self.answer(&input, buffers, stopping)?;
        input.drain(..consumed);
        self.input = input;
        Ok(())
    }

    /// Answers messages from the front of `input` while the socket accepts the replies. Returns the
    /// number of bytes consumed.
    #[inline]
    fn answer(
        &mut self,
        input: &[u8],
        buffers: &mut Buffers,
        stopping: &AtomicBool,
    ) -> io::Result<usize> {
        let mut rest = input;
        let mut answered = 0;
        while self.output.is_empty() && !stopping.load(Ordering::Relaxed) {
            if answered == MESSAGES_PER_TURN {
                self.may_hold_message = !rest.is_empty();
                return Ok(input.len() - rest.len());
            }
            answered += 1;
            let skipped = self.to_skip.min(rest.len());
            self.to_skip -= skipped;
            rest = &rest[skipped..];
            let Some((header, after_header)) = rest.split_first_chunk::<HEADER_LEN>() else {
                break;
            };
            let length = u32::from_be_bytes(*header) as usize;
            let outcome = if let Some(rejected) = self.responder.reject_if_too_long(length) {
                self.to_skip = length;
                rest = after_header;
                Err(rejected)
            } else {
                let Some((request, after_request)) = after_header.split_at_checked(length) else {
                    break;
                };
                rest = after_request;
                message::respond(&mut self.responder, request, &mut buffers.reply)
            };
            if let Err(rejected) = outcome {
                self.responder.write_error_reply(rejected, &mut buffers.reply);
            }
            encode_frame(&buffers.reply, &mut buffers.frame)?;
            self.write(&buffers.frame)?;
        }
        self.may_hold_message = false;
        Ok(input.len() - rest.len())
    }

    /// Writes a frame. The bytes that the socket does not accept become pending output.
    #[inline]
    fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let mut written = 0;
        while written < frame.len() {
            match self.stream.write(&frame[written..]) {
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.output.extend_from_slice(&frame[written..]);
        Ok(())
    }
}

/// Returns `Ok` for an error after which the call is to be repeated; otherwise the error.
#[cold]
fn ignore_transient(error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}
