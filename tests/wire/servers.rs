//! The codecs against the servers that they were made for.

use std::io::{Read, Write};
use std::net::TcpStream;

use echometer::message::{self, EchoError, Reply, Request};
use echometer::spec::{ServerSpec, Tuning};
use echometer::systems::{SYSTEMS, Server, System};
use echometer::wire::{Codec, Event, Framed, Http2, Zmtp};

use crate::common::{Counts, DEADLINE, Wire, known, server_spec, with_each_system};
use crate::h2::{HEADERS, frames, literal};

const MAX: usize = 1 << 20;
const PATH: &str = "/msg.Hello/Respond";
const CONVERSE: &str = "/msg.Hello/Converse";

/// A client that blocks.
struct Blocking {
    codec: Box<dyn Codec>,
    stream: TcpStream,
    input: Vec<u8>,
    out: Vec<u8>,
    /// All that came.
    heard: Vec<u8>,
}

impl Blocking {
    fn connect(server: &dyn Server, codec: Box<dyn Codec>) -> Self {
        let stream = TcpStream::connect(server.endpoint().resolve().unwrap()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let (input, out, heard) = (Vec::new(), Vec::new(), Vec::new());
        let mut client = Blocking { codec, stream, input, out, heard };
        client.codec.open(&mut client.out);
        client.until(|event| matches!(event, Event::Ready).then_some(())).unwrap();
        client
    }

    fn echo(&mut self, request: &Request) -> Result<Reply, EchoError> {
        self.ask(request, |reply| message::check(request, reply))
    }

    /// Sends a request, and makes of the reply what `made` does.
    fn ask<T>(
        &mut self,
        request: &Request,
        made: impl Fn(&[u8]) -> Result<T, EchoError>,
    ) -> Result<T, EchoError> {
        self.codec.request(request.bytes(), &mut self.out);
        self.until(|event| match event {
            Event::Reply(reply) => Some(made(reply)),
            Event::Ready => None,
        })?
    }

    /// Sends and reads until `wanted` finds in an event what it looks for.
    fn until<T>(&mut self, wanted: impl Fn(Event<'_>) -> Option<T>) -> Result<T, EchoError> {
        loop {
            let (taken, event) = self.codec.receive(&self.input, &mut self.out)?;
            let idle = event.is_none() && taken == 0;
            let found = event.and_then(&wanted);
            self.input.drain(..taken);
            if found.is_some() || idle {
                self.stream.write_all(&self.out).map_err(|error| closed(&error))?;
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
                self.heard.extend_from_slice(&part[..length]);
                Ok(())
            }
            Err(error) => Err(closed(&error)),
        }
    }
}

fn closed(error: &std::io::Error) -> EchoError {
    EchoError::Disconnected(error.to_string())
}

fn codec(system: &dyn System, authority: &str) -> Box<dyn Codec> {
    match known(system).1 {
        Wire::ZeroMq => Box::new(Zmtp::new(MAX)),
        Wire::Grpc => Box::new(Http2::new(authority, PATH, Some(DEADLINE), MAX)),
        Wire::GrpcStream => Box::new(Http2::conversation(authority, CONVERSE, MAX)),
        Wire::Framed => Box::new(Framed::new(MAX)),
    }
}

fn grpc() -> &'static dyn System {
    *SYSTEMS.iter().find(|system| known(**system).1 == Wire::Grpc).unwrap()
}

#[test]
fn every_server_answers_every_request() {
    with_each_system(|system| {
        let server = system.serve(&server_spec()).unwrap();
        let codec = codec(system, &server.endpoint().to_string());
        let mut client = Blocking::connect(&*server, codec);
        let mut request = message::request("client", String::new(), 0);
        let one_count = known(system).0 != Counts::Worker;
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
fn a_request_and_its_reply_take_no_memory() {
    with_each_system(|system| {
        let server = system.serve(&server_spec()).unwrap();
        let codec = codec(system, &server.endpoint().to_string());
        let mut client = Blocking::connect(&*server, codec);
        client.heard.reserve(1 << 20);
        let mut request = message::request("client", "x".repeat(64), 0);
        let mut echo = || {
            request.advance();
            let sent = request.sequence();
            assert_eq!(client.ask(&request, |reply| message::verify(sent, reply)), Ok(true));
        };
        // By then the buffers are as large as they need to be, and a sequence of as many bytes
        // follows.
        (0..200).for_each(|_| echo());
        let taken = allocation_counter::measure(|| (0..100).for_each(|_| echo()));
        assert_eq!(taken.count_total, 0, "{}", system.name());
        server.stop().unwrap();
    });
}

#[test]
fn a_grpc_server_says_why_it_refuses() {
    for tuning in [Tuning::Default, Tuning::Throughput] {
        let server = grpc().serve(&ServerSpec { tuning, ..server_spec() }).unwrap();
        let refused = |path: &str, text: &str, reply_bytes| {
            let codec = Http2::new("here", path, None, MAX);
            let request = message::request("client", text.to_owned(), reply_bytes);
            let error = Blocking::connect(&*server, Box::new(codec)).echo(&request).unwrap_err();
            assert!(matches!(error, EchoError::Refused(_)), "{error}");
            error.to_string()
        };
        let said = refused(PATH, "", 2 << 20);
        assert!(said.contains("INVALID_ARGUMENT: malformed request: a reply of 2097152"), "{said}");
        let said = refused("/msg.Hello/Nothing", "", 0);
        assert!(said.contains("UNIMPLEMENTED: "), "{said}");
        let said = refused(PATH, &"x".repeat(2 << 20), 0);
        assert!(said.contains("RESOURCE_EXHAUSTED: "), "{said}");
    }
}

/// What the codec's way around HPACK rests on.
#[test]
fn a_grpc_server_that_has_been_heard_says_the_same_few_bytes_again() {
    let server = grpc().serve(&server_spec()).unwrap();
    let mut client = Blocking::connect(&*server, codec(grpc(), "here"));
    let request = message::request("client", "text".to_owned(), 0);
    (0..10).for_each(|_| drop(client.echo(&request).unwrap()));
    let frames = frames(&client.heard);
    let blocks = frames.iter().filter(|frame| frame.kind == HEADERS).map(|frame| &frame.payload);
    let blocks: Vec<_> = blocks.collect();
    let again = [b"\x88\xc0\xbf".to_vec(), [b"\xbe", &literal("grpc-message", "")[..]].concat()];
    assert_eq!(blocks.len(), 20);
    for (n, block) in blocks.iter().enumerate().skip(2) {
        assert_eq!(**block, again[n % 2]);
    }
}

#[test]
fn a_grpc_server_that_stops_has_gone() {
    let server = grpc().serve(&server_spec()).unwrap();
    let mut client = Blocking::connect(&*server, codec(grpc(), "here"));
    let request = message::request("client", "text".to_owned(), 0);
    client.echo(&request).unwrap();
    server.stop().unwrap();
    let error = client.echo(&request).unwrap_err();
    assert!(matches!(error, EchoError::Disconnected(_)), "{error}");
}

#[test]
fn servers_of_another_wire_are_told_apart() {
    let other = |system: &&&dyn System| known(**system).1 == Wire::ZeroMq;
    let server = SYSTEMS.iter().find(other).unwrap().serve(&server_spec()).unwrap();
    let mut stream = TcpStream::connect(server.endpoint().resolve().unwrap()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut codec = Http2::new("here", PATH, None, MAX);
    let mut said = [0; 10];
    stream.read_exact(&mut said).unwrap();
    let error = codec.receive(&said, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("does not speak HTTP/2; it said '\\xff"), "{error}");
}
