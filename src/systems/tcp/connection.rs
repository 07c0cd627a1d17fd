//! One connection of an event loop: a socket that never blocks, and what is on the way.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::epoll::EpollFlags;

use super::{HEADER, put_frame};
use crate::measure::ServerTally;
use crate::message::{self, Responder, Sequence};
use crate::spec::ServerSpec;

/// How many bytes are read at once.
const READ: usize = 64 * 1024;

/// How many messages of one connection are answered before it is the others' turn: one read may bring
/// thousands.
const MESSAGES_PER_YIELD: usize = 16;

/// What all connections of a thread read and write with.
pub struct Space {
    input: Box<[u8]>,
    reply: Vec<u8>,
    frame: Vec<u8>,
}

impl Default for Space {
    fn default() -> Self {
        Space { input: vec![0; READ].into(), reply: Vec::new(), frame: Vec::new() }
    }
}

/// A connection. What epoll tells of once, it tells of again as long as that is so: so a connection
/// reads once each time, and no peer keeps the thread for itself.
pub struct Connection {
    stream: TcpStream,
    responder: Responder,
    /// What came, and is no whole message yet or comes behind a reply that could not go.
    input: Vec<u8>,
    /// How many bytes are yet to come of a message that is too long.
    skipping: usize,
    /// What the socket has not taken. Meanwhile nothing is read: who does not read its replies
    /// gets no further ones.
    output: Vec<u8>,
    /// There may be a whole message in the input, for the next turn.
    more: bool,
}

impl Connection {
    /// A connection that has been accepted.
    ///
    /// # Errors
    ///
    /// Where the socket cannot be kept from blocking.
    pub fn new(stream: TcpStream, spec: &ServerSpec) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Connection {
            stream,
            responder: Responder::new(spec, None, Sequence::Own(0)),
            input: Vec::new(),
            skipping: 0,
            output: Vec::new(),
            more: false,
        })
    }

    /// Its socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// What of its socket it waits for. One that has more to answer waits until it can be sent, which
    /// is at once, but behind all others that are ready.
    pub fn waits_for(&self) -> EpollFlags {
        if self.is_busy() { EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN }
    }

    fn is_busy(&self) -> bool {
        self.more || !self.output.is_empty()
    }

    /// Closes it, and tells what it counted.
    pub fn end(mut self) -> ServerTally {
        self.responder.take_tally()
    }

    /// Does what the socket is ready for.
    ///
    /// # Errors
    ///
    /// Where the peer has closed the connection, or the socket failed.
    #[inline]
    pub fn proceed(&mut self, space: &mut Space, stopping: &AtomicBool) -> io::Result<()> {
        if self.is_busy() { self.go_on(space, stopping) } else { self.read(space, stopping) }
    }

    #[inline]
    fn read(&mut self, space: &mut Space, stopping: &AtomicBool) -> io::Result<()> {
        let length = match self.stream.read(&mut space.input) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => length,
            Err(error) => return passing(error),
        };
        if self.input.is_empty() {
            // The input is lent from the space while the rest of it is used.
            let input = std::mem::take(&mut space.input);
            let taken = self.answer(&input[..length], space, stopping);
            if let Ok(taken) = taken {
                self.input.extend_from_slice(&input[taken..length]);
            }
            space.input = input;
            taken.map(drop)
        } else {
            self.input.extend_from_slice(&space.input[..length]);
            self.answer_kept(space, stopping)
        }
    }

    /// Sends what the socket did not take, and answers what came meanwhile: it has been read already,
    /// and epoll tells of it no more.
    #[cold]
    fn go_on(&mut self, space: &mut Space, stopping: &AtomicBool) -> io::Result<()> {
        if !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(length) => drop(self.output.drain(..length)),
                Err(error) => return passing(error),
            }
        }
        if self.output.is_empty() { self.answer_kept(space, stopping) } else { Ok(()) }
    }

    fn answer_kept(&mut self, space: &mut Space, stopping: &AtomicBool) -> io::Result<()> {
        let mut input = std::mem::take(&mut self.input);
        let taken = self.answer(&input, space, stopping)?;
        input.drain(..taken);
        self.input = input;
        Ok(())
    }

    /// Answers the first messages of `input`, as long as the replies can go: how many bytes that took.
    #[inline]
    fn answer(
        &mut self,
        input: &[u8],
        space: &mut Space,
        stopping: &AtomicBool,
    ) -> io::Result<usize> {
        let mut rest = input;
        let mut answered = 0;
        while self.output.is_empty() && !stopping.load(Ordering::Relaxed) {
            if answered == MESSAGES_PER_YIELD {
                self.more = !rest.is_empty();
                return Ok(input.len() - rest.len());
            }
            answered += 1;
            let skipped = self.skipping.min(rest.len());
            self.skipping -= skipped;
            rest = &rest[skipped..];
            let Some((header, behind)) = rest.split_first_chunk::<HEADER>() else { break };
            let length = u32::from_be_bytes(*header) as usize;
            let outcome = if let Some(rejected) = self.responder.reject_if_long(length) {
                self.skipping = length;
                rest = behind;
                Err(rejected)
            } else {
                let Some((request, behind)) = behind.split_at_checked(length) else { break };
                rest = behind;
                message::respond(&mut self.responder, request, &mut space.reply)
            };
            if let Err(rejected) = outcome {
                self.responder.write_error_reply(rejected, &mut space.reply);
            }
            put_frame(&space.reply, &mut space.frame)?;
            self.write(&space.frame)?;
        }
        self.more = false;
        Ok(input.len() - rest.len())
    }

    /// Writes a frame, and keeps of it what the socket does not take.
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

/// Nothing, where it is to be tried again; else the error.
#[cold]
fn passing(error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}
