//! The codecs against the real servers.

use std::io::{Read, Write};
use std::net::TcpStream;

use echometer::message::{self, EchoError, Reply, Request};
use echometer::spec::{ServerSpec, Tuning};
use echometer::systems::{SYSTEMS, Server, System};
use echometer::wire::{Codec, Event, Framed, Http2, Zmtp};

use crate::common::{
    DEADLINE, SequenceScope, Wire, for_each_system, sequence_scope, server_spec, wire_of,
};
use crate::h2::{HEADERS, literal, parse_frames};

const MAX: usize = 1 << 20;
const PATH: &str = "/msg.Hello/Respond";
const CONVERSE: &str = "/msg.Hello/Converse";

/// A blocking client.
struct BlockingClient {
    codec: Box<dyn Codec>,
    stream: TcpStream,
    input: Vec<u8>,
    out: Vec<u8>,
    /// All received bytes.
    received: Vec<u8>,
}

impl BlockingClient {
    fn connect(server: &dyn Server, codec: Box<dyn Codec>) -> Self {
        let stream = TcpStream::connect(server.endpoint().resolve().unwrap()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let (input, out, received) = (Vec::new(), Vec::new(), Vec::new());
        let mut client = BlockingClient { codec, stream, input, out, received };
        client.codec.open(&mut client.out);
        client.process_until(|event| matches!(event, Event::Ready).then_some(())).unwrap();
        client
    }

    fn echo(&mut self, request: &Request) -> Result<Reply, EchoError> {
        self.exchange(request, |reply| message::check(request, reply))
    }

    /// Sends a request and returns the result of `parse` on the reply.
    fn exchange<T>(
        &mut self,
        request: &Request,
        parse: impl Fn(&[u8]) -> Result<T, EchoError>,
    ) -> Result<T, EchoError> {
        self.codec.request(request.bytes(), &mut self.out);
        self.process_until(|event| match event {
            Event::Reply(reply) => Some(parse(reply)),
            Event::Ready => None,
        })?
    }

    /// Sends and reads until `select` returns a value for an event.
    fn process_until<T>(
        &mut self,
        select: impl Fn(Event<'_>) -> Option<T>,
    ) -> Result<T, EchoError> {
        loop {
            let (taken, event) = self.codec.receive(&self.input, &mut self.out)?;
            let idle = event.is_none() && taken == 0;
            let found = event.and_then(&select);
            self.input.drain(..taken);
            if found.is_some() || idle {
                self.stream.write_all(&self.out).map_err(|error| disconnected(&error))?;
                self.out.clear();
            }
            if let Some(found) = found {
                return Ok(found);
            }
            if idle {
                self.read()?;
            }
        }
    }

    fn read(&mut self) -> Result<(), EchoError> {
        let mut part = [0; 1 << 14];
        match self.stream.read(&mut part) {
            Ok(0) => Err(EchoError::Disconnected("the server closed".to_owned())),
            Ok(length) => {
                self.input.extend_from_slice(&part[..length]);
                self.received.extend_from_slice(&part[..length]);
                Ok(())
            }
            Err(error) => Err(disconnected(&error)),
        }
    }
}

fn disconnected(error: &std::io::Error) -> EchoError {
    EchoError::Disconnected(error.to_string())
}

fn codec(system: &dyn System, authority: &str) -> Box<dyn Codec> {
    match wire_of(system) {
        Wire::ZeroMq => Box::new(Zmtp::new(MAX)),
        Wire::Grpc => Box::new(Http2::unary(authority, PATH, Some(DEADLINE), MAX)),
        Wire::GrpcStream => Box::new(Http2::streaming(authority, CONVERSE, MAX)),
        Wire::Framed => Box::new(Framed::new(MAX)),
    }
}

fn grpc() -> &'static dyn System {
    *SYSTEMS.iter().find(|system| wire_of(**system) == Wire::Grpc).unwrap()
}

#[test]
fn every_server_answers_every_request() {
    for_each_system(|system| {
        let server = system.serve(&server_spec()).unwrap();
        let codec = codec(system, &server.endpoint().to_string());
        let mut client = BlockingClient::connect(&*server, codec);
        let mut request = message::request("client", String::new(), 0);
        let one_count = sequence_scope(system) != SequenceScope::Worker;
        let mut echoes = 0;
        for (length, reply_bytes) in [(0, 0), (64, 0), (100_000, 0), (64, 300_000)] {
            let text = "x".repeat(length);
            let sequence = request.sequence();
            request = message::request("client", text, reply_bytes);
            (1..sequence).for_each(|_| request.advance());
            for _ in 0..200 {
                request.advance();
                let reply = client.echo(&request).unwrap();
                echoes += 1;
                assert!(reply.verified && reply.message.len() >= reply_bytes as usize);
                if one_count {
                    assert_eq!(reply.sequence, echoes, "{}", system.name());
                }
            }
        }
        let tally = server.stop().unwrap();
        assert_eq!((tally.accesses, tally.malformed), (800, 0));
    });
}

#[test]
fn a_request_and_its_reply_allocate_no_memory() {
    for_each_system(|system| {
        let server = system.serve(&server_spec()).unwrap();
        let codec = codec(system, &server.endpoint().to_string());
        let mut client = BlockingClient::connect(&*server, codec);
        client.received.reserve(1 << 20);
        let mut request = message::request("client", "x".repeat(64), 0);
        let mut echo = || {
            request.advance();
            let sent = request.sequence();
            assert_eq!(client.exchange(&request, |reply| message::verify(sent, reply)), Ok(true));
        };
        // By then, the buffers have reached their size, and the following sequences have as many
        // bytes.
        (0..200).for_each(|_| echo());
        let taken = allocation_counter::measure(|| (0..100).for_each(|_| echo()));
        assert_eq!(taken.count_total, 0, "{}", system.name());
        server.stop().unwrap();
    });
}

#[test]
fn a_grpc_server_rejects_requests_with_a_reason() {
    for tuning in [Tuning::Default, Tuning::Throughput] {
        let server = grpc().serve(&ServerSpec { tuning, ..server_spec() }).unwrap();
        let rejected = |path: &str, text: &str, reply_bytes| {
            let codec = Http2::unary("here", path, None, MAX);
            let request = message::request("client", text.to_owned(), reply_bytes);
            let error =
                BlockingClient::connect(&*server, Box::new(codec)).echo(&request).unwrap_err();
            assert!(matches!(error, EchoError::Refused(_)), "{error}");
            error.to_string()
        };
        let error = rejected(PATH, "", 2 << 20);
        assert!(
            error.contains("INVALID_ARGUMENT: malformed request: a reply of 2097152"),
            "{error}"
        );
        let error = rejected("/msg.Hello/Nothing", "", 0);
        assert!(error.contains("UNIMPLEMENTED: "), "{error}");
        let error = rejected(PATH, &"x".repeat(2 << 20), 0);
        assert!(error.contains("RESOURCE_EXHAUSTED: "), "{error}");
    }
}

/// The codec's shortcut around HPACK relies on this.
#[test]
fn a_grpc_server_repeats_the_same_short_header_blocks() {
    let server = grpc().serve(&server_spec()).unwrap();
    let mut client = BlockingClient::connect(&*server, codec(grpc(), "here"));
    let request = message::request("client", "text".to_owned(), 0);
    (0..10).for_each(|_| drop(client.echo(&request).unwrap()));
    let frames = parse_frames(&client.received);
    let blocks = frames.iter().filter(|frame| frame.kind == HEADERS).map(|frame| &frame.payload);
    let blocks: Vec<_> = blocks.collect();
    let repeated = [b"\x88\xc0\xbf".to_vec(), [b"\xbe", &literal("grpc-message", "")[..]].concat()];
    assert_eq!(blocks.len(), 20);
    for (n, block) in blocks.iter().enumerate().skip(2) {
        assert_eq!(**block, repeated[n % 2]);
    }
}

#[test]
fn a_stopped_grpc_server_is_a_lost_connection() {
    let server = grpc().serve(&server_spec()).unwrap();
    let mut client = BlockingClient::connect(&*server, codec(grpc(), "here"));
    let request = message::request("client", "text".to_owned(), 0);
    client.echo(&request).unwrap();
    server.stop().unwrap();
    let error = client.echo(&request).unwrap_err();
    assert!(matches!(error, EchoError::Disconnected(_)), "{error}");
}

#[test]
fn a_server_of_another_wire_is_recognized() {
    let other = |system: &&&dyn System| wire_of(**system) == Wire::ZeroMq;
    let server = SYSTEMS.iter().find(other).unwrap().serve(&server_spec()).unwrap();
    let mut stream = TcpStream::connect(server.endpoint().resolve().unwrap()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut codec = Http2::unary("here", PATH, None, MAX);
    let mut input = [0; 10];
    stream.read_exact(&mut input).unwrap();
    let error = codec.receive(&input, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("does not speak HTTP/2; it sent '\\xff"), "{error}");
}
