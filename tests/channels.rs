//! Clients on a channel each, and on one for all of them.

mod common;

use common::bench::{bench, connections_to};
use common::{client_spec, server_spec};
use echometer::message;
use echometer::spec::{Channels, ClientSpec, ServerSpec};
use echometer::systems::{Client, SYSTEMS, Server, System};

const CLIENTS: usize = 4;

fn with_channels() -> impl Iterator<Item = &'static dyn System> {
    SYSTEMS.iter().copied().filter(|system| system.has_channels())
}

fn serve(system: &dyn System, spec: &ServerSpec) -> (Box<dyn Server>, u16) {
    let server = system.serve(spec).unwrap();
    let port = server.endpoint().resolve().unwrap().port();
    (server, port)
}

/// So many clients, each of which has echoed.
fn clients(system: &dyn System, server: &dyn Server, channels: Channels) -> Vec<Box<dyn Client>> {
    let connect = |number| {
        let who = ClientSpec { channels, ..client_spec(&format!("client-{number}")) };
        let mut client = system.connect(server.endpoint(), &who).unwrap();
        let request = message::request(&who.name, "hello".to_owned(), 0);
        assert!(client.echo(&request).unwrap().verified);
        client
    };
    (0..CLIENTS).map(connect).collect()
}

#[test]
fn clients_that_share_a_channel_have_one_connection_and_others_one_each() {
    for system in with_channels() {
        for (channels, connections) in [(Channels::Shared, 1), (Channels::PerClient, CLIENTS)] {
            let (server, port) = serve(system, &server_spec());
            let clients = clients(system, &*server, channels);
            assert_eq!(connections_to(port), connections, "{} {channels}", system.name());
            drop(clients);
            let tally = server.stop().unwrap();
            assert_eq!((tally.accesses, tally.clients()), (4, CLIENTS), "{channels}");
        }
    }
}

#[test]
fn a_shared_channel_whose_server_has_gone_is_not_used_again() {
    for system in with_channels() {
        let (server, _) = serve(system, &server_spec());
        let address = server.endpoint().clone();
        let mut left = clients(system, &*server, Channels::Shared);
        server.stop().unwrap();
        let request = message::request("client-0", "hello".to_owned(), 0);
        assert!(left[0].echo(&request).is_err(), "{}", system.name());
        // At the same address, while others still have the old channel.
        let (server, _) = serve(system, &ServerSpec { address, ..server_spec() });
        let again = clients(system, &*server, Channels::Shared);
        drop((left, again));
        assert_eq!(server.stop().unwrap().accesses, 4);
    }
}

#[test]
fn rows_say_who_has_a_channel_where_there_are_any() {
    for system in SYSTEMS {
        for (driver, channels) in
            [("native", "shared"), ("native", "per-client"), ("lean", "per-client")]
        {
            let load = ["--spawn", "--clients=3", "--duration=100ms", "--warmup=20ms"];
            let choice = ["--driver", driver, "--channels", channels];
            let measured = bench(system.name(), &[&load[..], &choice].concat());
            assert_eq!(measured.ran.status, 0, "{measured:?}");
            let row = measured.row();
            assert!(row.valid && row.verified, "{row:?}");
            assert_eq!(row.channels.as_deref(), system.has_channels().then_some(channels));
        }
    }
}
