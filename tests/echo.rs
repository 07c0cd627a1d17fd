//! Through the public API: every system echoes every sequence exactly once, counts what it
//! answered, and stops.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use common::{Counts, client_spec, known, server_spec};
use echometer::message::{self, Reply};
use echometer::spec::{Endpoint, ServerSpec};
use echometer::systems::{SYSTEMS, System};

const CLIENTS: [usize; 3] = [1, 8, 64];
const ECHOES: usize = 25;

/// The replies to one client, which sends `ECHOES` requests with the sequences from 1 on.
fn converse(system: &dyn System, to: &Endpoint, name: &str) -> Vec<Reply> {
    let mut client = system.connect(to, &client_spec(name)).unwrap();
    let mut request = message::request(name, "hello".to_owned(), 0);
    let mut replies = Vec::new();
    for sequence in 1..=ECHOES as u64 {
        assert_eq!(request.sequence(), sequence);
        replies.push(client.echo(&request).unwrap());
        request.advance();
    }
    replies
}

/// The replies to many clients at once, one vector for each.
fn crowd(system: &'static dyn System, to: &Endpoint, clients: usize) -> Vec<Vec<Reply>> {
    let start = |index| {
        let to = to.clone();
        thread::spawn(move || converse(system, &to, &format!("client-{index}")))
    };
    let threads: Vec<_> = (0..clients).map(start).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// Asserts that the sequences are 1, 2, .. to their number, in any order.
fn assert_each_once<'a>(replies: impl IntoIterator<Item = &'a Reply>) {
    let sequences: Vec<_> = replies.into_iter().map(|reply| reply.sequence).collect();
    let set: BTreeSet<_> = sequences.iter().copied().collect();
    assert_eq!(set, (1..=sequences.len() as u64).collect());
}

fn by_worker(replies: &[Vec<Reply>]) -> BTreeMap<&str, Vec<&Reply>> {
    let mut workers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for reply in replies.iter().flatten() {
        let (_, worker) = reply.message.split_once(" from worker ").expect("a worker's name");
        workers.entry(worker).or_default().push(reply);
    }
    workers
}

fn assert_sequences(counts: Counts, replies: &[Vec<Reply>]) {
    match counts {
        Counts::Server => assert_each_once(replies.iter().flatten()),
        Counts::Worker => by_worker(replies).into_values().for_each(assert_each_once),
        Counts::Connection => replies.iter().for_each(assert_each_once),
    }
}

#[test]
fn every_system_echoes_every_sequence_exactly_once() {
    for system in SYSTEMS {
        for clients in CLIENTS {
            let server = system.serve(&server_spec()).unwrap();
            let replies = crowd(*system, server.endpoint(), clients);
            let tally = server.stop().unwrap();
            assert!(replies.iter().flatten().all(|reply| reply.verified));
            assert_sequences(known(*system).0, &replies);
            let counted = (tally.accesses, tally.clients(), tally.malformed);
            let sent = ((clients * ECHOES) as u64, clients, 0);
            assert_eq!(counted, sent, "{} with {clients} clients", system.name());
        }
    }
}

#[test]
fn replies_say_their_number_and_where_there_are_workers_the_worker() {
    for system in SYSTEMS {
        let server = system.serve(&server_spec()).unwrap();
        for reply in converse(*system, server.endpoint(), "client") {
            let expected = format!("reply msg #{}", reply.sequence);
            let rest = reply.message.strip_prefix(&expected).unwrap();
            match known(*system).0 {
                Counts::Worker => {
                    let number = rest.strip_prefix(" from worker server-").unwrap();
                    assert!((1..=4).contains(&number.parse().unwrap()), "{}", reply.message);
                }
                _ => assert_eq!(rest, ""),
            }
        }
    }
}

#[test]
fn what_the_workers_answered_adds_up() {
    for system in SYSTEMS.iter().filter(|system| known(**system).0 == Counts::Worker) {
        let server = system.serve(&server_spec()).unwrap();
        let replies = crowd(*system, server.endpoint(), 8);
        let tally = server.stop().unwrap();
        assert_eq!(tally.per_worker.iter().sum::<u64>(), tally.accesses);
        let names = (1..=4).map(|number| format!("server-{number}"));
        let workers = by_worker(&replies);
        let answered = |name: String| workers.get(name.as_str()).map_or(0, |all| all.len() as u64);
        assert_eq!(names.map(answered).collect::<Vec<_>>(), tally.per_worker);
    }
}

#[test]
fn every_backend_echoes() {
    for system in SYSTEMS {
        let spec = ServerSpec { backend: "ipc".parse().unwrap(), ..server_spec() };
        let server = system.serve(&spec).unwrap();
        let replies = crowd(*system, server.endpoint(), 8);
        assert_sequences(known(*system).0, &replies);
        assert_eq!(server.stop().unwrap().accesses, 8 * ECHOES as u64);
    }
}

#[test]
fn a_reply_is_padded_to_what_the_request_asks_for() {
    for system in SYSTEMS {
        let server = system.serve(&server_spec()).unwrap();
        let mut client = system.connect(server.endpoint(), &client_spec("client")).unwrap();
        for size in [1_u32, 100, 70_000, 1 << 20] {
            let request = message::request("client", "hello".to_owned(), size);
            let reply = client.echo(&request).unwrap();
            assert!(reply.message.starts_with("reply msg #"));
            let natural = reply.message.trim_end_matches('.').len();
            assert_eq!(reply.message.len(), natural.max(size as usize), "{}", system.name());
        }
    }
}

#[test]
fn a_server_stops_within_a_second_with_clients_connected() {
    for system in SYSTEMS {
        let server = system.serve(&server_spec()).unwrap();
        let mut clients = Vec::new();
        for index in 0..8 {
            let name = format!("client-{index}");
            let mut client = system.connect(server.endpoint(), &client_spec(&name)).unwrap();
            client.echo(&message::request(&name, String::new(), 0)).unwrap();
            clients.push(client);
        }
        let since = Instant::now();
        assert_eq!(server.stop().unwrap().accesses, 8);
        let took = since.elapsed();
        assert!(took < Duration::from_secs(1), "{} took {took:?}", system.name());
    }
}

#[test]
fn the_port_of_a_server_is_free_again_when_it_is_stopped_or_dropped() {
    for system in SYSTEMS {
        let first = system.serve(&server_spec()).unwrap();
        let spec = ServerSpec { address: first.endpoint().clone(), ..server_spec() };
        converse(*system, first.endpoint(), "client");
        drop(first);
        let second = system.serve(&spec).unwrap();
        assert_eq!(second.endpoint(), &spec.address);
        converse(*system, second.endpoint(), "client");
        assert_eq!(second.stop().unwrap().accesses, ECHOES as u64);
        assert_eq!(system.serve(&spec).unwrap().stop().unwrap().accesses, 0);
    }
}

#[test]
fn a_second_server_on_the_same_port_is_refused() {
    for system in SYSTEMS {
        let first = system.serve(&server_spec()).unwrap();
        let spec = ServerSpec { address: first.endpoint().clone(), ..server_spec() };
        for other in SYSTEMS {
            let error = other.serve(&spec).err().expect("the port is taken").to_string();
            assert!(error.contains(&spec.address.to_string()), "{error}");
        }
        converse(*system, first.endpoint(), "client");
    }
}
