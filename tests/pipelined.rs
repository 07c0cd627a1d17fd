//! Peers of the baseline that do not wait for one reply before they send the next request. None of
//! our clients does, and a server that knows where each message ends need not care.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use common::raw::{framed, read_framed, text};
use common::{DEADLINE, Served, Wire, client_spec, known};
use echometer::message::{self, BasicMessage};
use echometer::spec::ClientSpec;
use echometer::systems::{SYSTEMS, System};
use procfs::process::Process;
use protobuf::Message;

/// A connection that sends and reads what it likes.
struct Peer(TcpStream);

impl Peer {
    fn connect(server: &Served) -> Self {
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
        text(&read_framed(&mut self.0).unwrap()).unwrap()
    }
}

fn request(reply_bytes: u32) -> Vec<u8> {
    let request = BasicMessage { reply_bytes, ..BasicMessage::default() };
    framed(&request.write_to_bytes().unwrap())
}

/// Runs `test` against each server of this wire, as it comes and as it is tuned.
fn with_servers(flags: &[&str], test: impl Fn(&'static dyn System, &Served)) {
    for system in SYSTEMS.iter().filter(|system| known(**system).1 == Wire::Framed) {
        for tuning in ["default", "throughput"] {
            let server = Served::start(*system, &[&["--tuning", tuning], flags].concat());
            test(*system, &server);
            let stopped = server.stop();
            assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
        }
    }
}

#[test]
fn a_request_may_be_cut_anywhere_behind_another() {
    with_servers(&[], |_, server| {
        let mut peer = Peer::connect(server);
        let (whole, cut) = (request(0), request(100));
        let mut count = 0;
        for at in 0..=cut.len() {
            let (first, rest) = cut.split_at(at);
            // They leave together: with the reply to the one, the part of the other has been read.
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
fn what_is_too_long_is_passed_over_wherever_it_is_cut() {
    const LIMIT: usize = 64;
    with_servers(&["--max-message", "64"], |_, server| {
        let long = framed(&[0xff; 2 * LIMIT]);
        for at in [0, 1, 4, 5, LIMIT, long.len() - 1, long.len()] {
            let mut peer = Peer::connect(server);
            let (first, rest) = long.split_at(at);
            peer.send(&[&request(0), first].concat());
            assert_eq!(peer.reply(), "reply msg #1");
            peer.send(&[rest, &request(0), &request(0)].concat());
            let apology = peer.reply();
            assert!(apology.contains("128 bytes are over the limit of 64"), "{apology}");
            assert_eq!([peer.reply(), peer.reply()], ["reply msg #2", "reply msg #3"]);
        }
    });
}

/// The resident memory of a server, in bytes.
fn memory(server: &Served) -> u64 {
    let statm = Process::new(server.process.pid()).unwrap().statm().unwrap();
    statm.resident * procfs::page_size()
}

/// Asserts that further clients are served, each `times` over and within a second. They are so many
/// that, whatever a server shares its connections among, one of them is where the others are.
fn assert_others_are_served(system: &dyn System, server: &Served, times: usize) {
    let who = ClientSpec { timeout: Duration::from_secs(1), ..client_spec("other") };
    let connect = |_| system.connect(&server.endpoint(), &who).unwrap();
    let count = thread::available_parallelism().unwrap().get() + 1;
    let mut clients: Vec<_> = (0..count).map(connect).collect();
    let mut wanted = message::request("other", "hello".to_owned(), 0);
    for client in &mut clients {
        for _ in 0..times {
            assert!(client.echo(&wanted).unwrap().verified);
            wanted.advance();
        }
    }
}

#[test]
fn who_does_not_read_gets_no_further_replies_and_is_in_nobodys_way() {
    const REQUESTS: usize = 250;
    // Sixteen, the most that are answered in a turn, are more than a socket takes.
    const REPLY: usize = 512 * 1024;
    with_servers(&["--max-message", "512KiB"], |system, server| {
        let before = memory(server);
        let mut silent = Peer::connect(server);
        let requests = request(u32::try_from(REPLY).unwrap()).repeat(REQUESTS);
        let too_long = framed(&vec![0xff; REPLY + 1]);
        silent.send(&[requests.as_slice(), &too_long, &request(0)].concat());
        assert_others_are_served(system, server, 100);
        let grown = memory(server).saturating_sub(before);
        assert!(grown < (REQUESTS * REPLY / 4) as u64, "{grown} bytes are kept for it");
        for number in 1..=REQUESTS {
            let reply = silent.reply();
            assert_eq!(reply.len(), REPLY);
            assert!(reply.starts_with(&format!("reply msg #{number}.")), "{number}");
        }
        let apology = silent.reply();
        assert!(apology.contains("over the limit"), "{apology}");
        assert_eq!(silent.reply(), format!("reply msg #{}", REQUESTS + 1));
    });
}

/// They take three seconds where they are answered one after the other, and nothing in between.
#[test]
fn who_asks_for_much_at_once_has_others_served_meanwhile() {
    const REQUESTS: usize = 3000;
    with_servers(&["--work", "sleep:1ms"], |system, server| {
        let mut greedy = Peer::connect(server);
        greedy.send(&request(0).repeat(REQUESTS));
        assert_eq!(greedy.reply(), "reply msg #1");
        assert_others_are_served(system, server, 1);
    });
}

#[test]
fn who_has_said_all_still_gets_the_replies() {
    const REQUESTS: usize = 50;
    const REPLY: u32 = 256 * 1024;
    with_servers(&[], |_, server| {
        let mut peer = Peer::connect(server);
        peer.send(&request(REPLY).repeat(REQUESTS));
        peer.0.shutdown(std::net::Shutdown::Write).unwrap();
        for _ in 0..REQUESTS {
            assert_eq!(peer.reply().len(), REPLY as usize);
        }
        assert_eq!(peer.0.read(&mut [0]).unwrap(), 0, "it is closed behind the last");
    });
}
