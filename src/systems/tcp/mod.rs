//! `tcp`: the baseline, which shows the cost of the frameworks. A message is preceded by its length
//! in 4 bytes, big-endian. The server has one thread per connection; tuned, one event loop per CPU.

mod connection;
mod event_loop;
mod per_connection;

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result};

use self::event_loop::EventLoopServer;
use self::per_connection::PerConnectionServer;
use super::{Client, Server, System};
use crate::message::{self, EchoError, Reply, Request};
use crate::spec::{ClientSpec, Endpoint, ServerSpec, Tuning};
use crate::wire::{Codec, Framed};

/// Size of the length that precedes each message, in bytes.
const HEADER_LEN: usize = 4;

pub struct Tcp;

impl System for Tcp {
    fn name(&self) -> &'static str {
        "tcp"
    }

    fn about(&self) -> &'static str {
        "the baseline: plain TCP, one thread per connection (tuned: one event loop per CPU)"
    }

    fn serve(&self, spec: &ServerSpec) -> Result<Box<dyn Server>> {
        Ok(match spec.tuning {
            Tuning::Default => Box::new(PerConnectionServer::start(self.name(), spec)?),
            Tuning::Throughput => Box::new(EventLoopServer::start(self.name(), spec)?),
        })
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
            spec: who.clone(),
        }))
    }

    fn codec(&self, _to: &Endpoint, who: &ClientSpec) -> Option<Box<dyn Codec>> {
        Some(Box::new(Framed::new(who.max_message)))
    }
}

fn read_length(reader: &mut impl Read) -> io::Result<usize> {
    let mut header = [0; HEADER_LEN];
    reader.read_exact(&mut header)?;
    Ok(u32::from_be_bytes(header) as usize)
}

/// Reads `length` bytes into `body`, which grows with the bytes received, not by the announced
/// length.
fn read_body(reader: &mut impl Read, length: usize, body: &mut Vec<u8>) -> io::Result<()> {
    body.clear();
    if reader.by_ref().take(length as u64).read_to_end(body)? < length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Writes length and bytes to `frame`, so that one call sends them in one segment.
fn encode_frame(bytes: &[u8], frame: &mut Vec<u8>) -> io::Result<()> {
    let length =
        u32::try_from(bytes.len()).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
    frame.clear();
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(bytes);
    Ok(())
}

struct TcpClient {
    stream: BufReader<TcpStream>,
    frame: Vec<u8>,
    spec: ClientSpec,
}

impl TcpClient {
    fn round_trip(&mut self, request: &Request) -> io::Result<()> {
        encode_frame(request.bytes(), &mut self.frame)?;
        self.stream.get_mut().write_all(&self.frame)?;
        let length = read_length(&mut self.stream)?;
        if length > self.spec.max_message {
            let reason = format!("{length} bytes are over the limit of {}", self.spec.max_message);
            return Err(io::Error::new(ErrorKind::InvalidData, reason));
        }
        read_body(&mut self.stream, length, &mut self.frame)
    }
}

impl Client for TcpClient {
    fn echo(&mut self, request: &Request) -> Result<Reply, EchoError> {
        match self.round_trip(request) {
            Ok(()) => message::check(request, &self.frame),
            Err(error) => Err(match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                    EchoError::Timeout(self.spec.timeout)
                }
                ErrorKind::InvalidData => EchoError::Malformed(error.to_string()),
                ErrorKind::UnexpectedEof => {
                    EchoError::Disconnected("the server closed the connection".to_owned())
                }
                _ => EchoError::Disconnected(error.to_string()),
            }),
        }
    }

    fn has_late_reply(&mut self) -> bool {
        let stream = self.stream.get_ref();
        // The first byte is enough: the connection has only one unanswered request.
        let peeked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
        matches!(peeked, Ok(1..)) || !self.stream.buffer().is_empty()
    }
}
