//! The common suite: what every system must do, through the public API. `tests/echo.rs` runs it
//! for all systems of the registry, `tests/new_system/` for one that is not part of the program.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use echometer::message::{self, Reply};
use echometer::spec::{Endpoint, ServerSpec};
use echometer::systems::System;

use super::{SequenceScope, client_spec, server_spec};

const CLIENTS: [usize; 3] = [1, 8, 64];
const ECHOES: usize = 25;

/// The replies to one client, which sends requests with the sequences 1 to `ECHOES`.
fn replies_to_client(system: &dyn System, to: &Endpoint, name: &str) -> Vec<Reply> {
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

/// The replies to concurrent clients, one vector per client.
fn replies_to_clients(
    system: &'static dyn System,
    to: &Endpoint,
    clients: usize,
) -> Vec<Vec<Reply>> {
    let start = |index| {
        let to = to.clone();
        thread::spawn(move || replies_to_client(system, &to, &format!("client-{index}")))
    };
    let threads: Vec<_> = (0..clients).map(start).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// Asserts that the sequences are 1, 2, ... in any order, without gap or duplicate.
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

fn assert_sequences(scope: SequenceScope, replies: &[Vec<Reply>]) {
    match scope {
        SequenceScope::Server => assert_each_once(replies.iter().flatten()),
        SequenceScope::Worker => by_worker(replies).into_values().for_each(assert_each_once),
        SequenceScope::Connection => replies.iter().for_each(assert_each_once),
    }
}

/// Every sequence is echoed exactly once, and the server counts its accesses and clients.
pub fn echoes_every_sequence_exactly_once(system: &'static dyn System, scope: SequenceScope) {
    for clients in CLIENTS {
        let server = system.serve(&server_spec()).unwrap();
        let replies = replies_to_clients(system, server.endpoint(), clients);
        let tally = server.stop().unwrap();
        assert!(replies.iter().flatten().all(|reply| reply.verified));
        assert_sequences(scope, &replies);
        let counted = (tally.accesses, tally.clients(), tally.malformed);
        let sent = ((clients * ECHOES) as u64, clients, 0);
        assert_eq!(counted, sent, "{} with {clients} clients", system.name());
    }
}

/// Replies contain their number, and the name of their worker if the system has workers.
pub fn replies_contain_their_number(system: &'static dyn System, scope: SequenceScope) {
    let server = system.serve(&server_spec()).unwrap();
    for reply in replies_to_client(system, server.endpoint(), "client") {
        let expected = format!("reply msg #{}", reply.sequence);
        let rest = reply.message.strip_prefix(&expected).unwrap();
        match scope {
            SequenceScope::Worker => {
                let number = rest.strip_prefix(" from worker server-").unwrap();
                assert!((1..=4).contains(&number.parse().unwrap()), "{}", reply.message);
            }
            _ => assert_eq!(rest, ""),
        }
    }
}

/// The counts of the workers add up to the accesses.
pub fn counts_of_workers_add_up(system: &'static dyn System, scope: SequenceScope) {
    if scope != SequenceScope::Worker {
        return;
    }
    let server = system.serve(&server_spec()).unwrap();
    let replies = replies_to_clients(system, server.endpoint(), 8);
    let tally = server.stop().unwrap();
    assert_eq!(tally.per_worker.iter().sum::<u64>(), tally.accesses);
    let names = (1..=4).map(|number| format!("server-{number}"));
    let workers = by_worker(&replies);
    let answered = |name: String| workers.get(name.as_str()).map_or(0, |all| all.len() as u64);
    assert_eq!(names.map(answered).collect::<Vec<_>>(), tally.per_worker);
}

/// The server echoes with `--backend ipc`, which systems without a backend ignore.
pub fn echoes_with_the_ipc_backend(system: &'static dyn System, scope: SequenceScope) {
    let spec = ServerSpec { backend: "ipc".parse().unwrap(), ..server_spec() };
    let server = system.serve(&spec).unwrap();
    let replies = replies_to_clients(system, server.endpoint(), 8);
    assert_sequences(scope, &replies);
    assert_eq!(server.stop().unwrap().accesses, 8 * ECHOES as u64);
}

/// Replies are padded to the requested size.
pub fn pads_replies_to_the_requested_size(system: &'static dyn System, _: SequenceScope) {
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

/// The server stops within a second although clients are connected.
pub fn stops_within_a_second_with_clients_connected(system: &'static dyn System, _: SequenceScope) {
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

/// The port is free again when the server was stopped or dropped.
pub fn frees_its_port_when_stopped_or_dropped(system: &'static dyn System, _: SequenceScope) {
    let first = system.serve(&server_spec()).unwrap();
    let spec = ServerSpec { address: first.endpoint().clone(), ..server_spec() };
    replies_to_client(system, first.endpoint(), "client");
    drop(first);
    let second = system.serve(&spec).unwrap();
    assert_eq!(second.endpoint(), &spec.address);
    replies_to_client(system, second.endpoint(), "client");
    assert_eq!(second.stop().unwrap().accesses, ECHOES as u64);
    assert_eq!(system.serve(&spec).unwrap().stop().unwrap().accesses, 0);
}

/// A server whose port is taken, by any system, is rejected with an error that names the address.
pub fn rejects_a_port_in_use(system: &'static dyn System, _: SequenceScope) {
    let first = system.serve(&server_spec()).unwrap();
    let spec = ServerSpec { address: first.endpoint().clone(), ..server_spec() };
    for other in echometer::systems::SYSTEMS {
        let error = other.serve(&spec).err().expect("the port is taken").to_string();
        assert!(error.contains(&spec.address.to_string()), "{error}");
    }
    replies_to_client(system, first.endpoint(), "client");
}

/// Runs `check` for every system of the registry.
pub fn for_all_systems(check: fn(&'static dyn System, SequenceScope)) {
    for system in echometer::systems::SYSTEMS {
        check(*system, super::sequence_scope(*system));
    }
}
