//! Clients of the baseline that send further requests before the first reply. echometer's own
//! clients never do so, but the servers support it because requests are length-prefixed.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use common::raw::{framed, message_text, read_framed};
use common::{DEADLINE, ServerProcess, Wire, client_spec, wire_of};
use echometer::message::{self, BasicMessage};
use echometer::spec::ClientSpec;
use echometer::systems::{SYSTEMS, System};
use procfs::process::Process;
use protobuf::Message;

/// A connection that sends and reads without restriction.
struct Peer(TcpStream);

impl Peer {
    fn connect(server: &ServerProcess) -> Self {
        let stream = TcpStream::connect(&server.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Peer(stream)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// The text of the next reply.
    fn reply(&mut self) -> String {
        message_text(&read_framed(&mut self.0).unwrap()).unwrap()
    }
}

fn request(reply_bytes: u32) -> Vec<u8> {
    let request = BasicMessage { reply_bytes, ..BasicMessage::default() };
    framed(&request.write_to_bytes().unwrap())
}

/// Runs `test` against each server of this wire with both tunings.
fn for_each_server(flags: &[&str], test: impl Fn(&'static dyn System, &ServerProcess)) {
    for system in SYSTEMS.iter().filter(|system| wire_of(**system) == Wire::Framed) {
        for tuning in ["default", "throughput"] {
            let server = ServerProcess::start(*system, &[&["--tuning", tuning], flags].concat());
            test(*system, &server);
            let stopped = server.stop();
            assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
        }
    }
}

#[test]
fn a_request_may_be_split_anywhere_after_another_request() {
    for_each_server(&[], |_, server| {
        let mut peer = Peer::connect(server);
        let (whole, cut) = (request(0), request(100));
        let mut count = 0;
        for at in 0..=cut.len() {
            let (first, rest) = cut.split_at(at);
            // Sent together: the reply to the first request shows that the part was read, too.
            peer.send(&[&whole, first].concat());
            assert_eq!(peer.reply(), format!("reply msg #{}", count + 1), "cut at {at}");
            peer.send(rest);
            let padded = format!("{:.<100}", format!("reply msg #{}", count + 2));
            assert_eq!(peer.reply(), padded, "cut at {at}");
            count += 2;
        }
    });
}

#[test]
fn an_oversized_request_is_skipped_wherever_it_is_split() {
    const LIMIT: usize = 64;
    for_each_server(&["--max-message", "64"], |_, server| {
        let long = framed(&[0xff; 2 * LIMIT]);
        for at in [0, 1, 4, 5, LIMIT, long.len() - 1, long.len()] {
            let mut peer = Peer::connect(server);
            let (first, rest) = long.split_at(at);
            peer.send(&[&request(0), first].concat());
            assert_eq!(peer.reply(), "reply msg #1");
            peer.send(&[rest, &request(0), &request(0)].concat());
            let error = peer.reply();
            assert!(error.contains("128 bytes are over the limit of 64"), "{error}");
            assert_eq!([peer.reply(), peer.reply()], ["reply msg #2", "reply msg #3"]);
        }
    });
}

/// Resident memory of a server in bytes.
fn memory(server: &ServerProcess) -> u64 {
    let statm = Process::new(server.process.pid()).unwrap().statm().unwrap();
    statm.resident * procfs::page_size()
}

/// Asserts that other clients complete `times` echoes each, with a timeout of one second. There is
/// one more client than CPUs, so that at least one of them shares a thread with the connection
/// under test.
fn assert_others_are_served(system: &dyn System, server: &ServerProcess, times: usize) {
    let spec = ClientSpec { timeout: Duration::from_secs(1), ..client_spec("other") };
    let connect = |_| system.connect(&server.endpoint(), &spec).unwrap();
    let count = thread::available_parallelism().unwrap().get() + 1;
    let mut clients: Vec<_> = (0..count).map(connect).collect();
    let mut request = message::request("other", "hello".to_owned(), 0);
    for client in &mut clients {
        for _ in 0..times {
            assert!(client.echo(&request).unwrap().verified);
            request.advance();
        }
    }
}

#[test]
fn a_client_that_does_not_read_neither_blocks_others_nor_grows_memory() {
    const REQUESTS: usize = 250;
    // Sixteen of them, the maximum per turn, exceed the socket buffers.
    const REPLY: usize = 512 * 1024;
    for_each_server(&["--max-message", "512KiB"], |system, server| {
        let before = memory(server);
        let mut silent = Peer::connect(server);
        let requests = request(u32::try_from(REPLY).unwrap()).repeat(REQUESTS);
        let too_long = framed(&vec![0xff; REPLY + 1]);
        silent.send(&[requests.as_slice(), &too_long, &request(0)].concat());
        assert_others_are_served(system, server, 100);
        let grown = memory(server).saturating_sub(before);
        assert!(grown < (REQUESTS * REPLY / 4) as u64, "{grown} bytes are buffered for it");
        for number in 1..=REQUESTS {
            let reply = silent.reply();
            assert_eq!(reply.len(), REPLY);
            assert!(reply.starts_with(&format!("reply msg #{number}.")), "{number}");
        }
        let error = silent.reply();
        assert!(error.contains("over the limit"), "{error}");
        assert_eq!(silent.reply(), format!("reply msg #{}", REQUESTS + 1));
    });
}

/// The requests would take three seconds if they were answered without interruption.
#[test]
fn many_pipelined_requests_do_not_block_other_clients() {
    const REQUESTS: usize = 3000;
    for_each_server(&["--work", "sleep:1ms"], |system, server| {
        let mut greedy = Peer::connect(server);
        greedy.send(&request(0).repeat(REQUESTS));
        assert_eq!(greedy.reply(), "reply msg #1");
        assert_others_are_served(system, server, 1);
    });
}

#[test]
fn a_client_that_shuts_down_its_writing_side_gets_all_replies() {
    const REQUESTS: usize = 50;
    const REPLY: u32 = 256 * 1024;
    for_each_server(&[], |_, server| {
        let mut peer = Peer::connect(server);
        peer.send(&request(REPLY).repeat(REQUESTS));
        peer.0.shutdown(std::net::Shutdown::Write).unwrap();
        for _ in 0..REQUESTS {
            assert_eq!(peer.reply().len(), REPLY as usize);
        }
        assert_eq!(
            peer.0.read(&mut [0]).unwrap(),
            0,
            "the server closes the connection after the last reply"
        );
    });
}
