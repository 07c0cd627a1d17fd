//! gRPC channels: one per client, or one shared by all clients.

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

/// [`CLIENTS`] clients, each of which has completed one echo.
fn clients(system: &dyn System, server: &dyn Server, channels: Channels) -> Vec<Box<dyn Client>> {
    let connect = |number| {
        let spec = ClientSpec { channels, ..client_spec(&format!("client-{number}")) };
        let mut client = system.connect(server.endpoint(), &spec).unwrap();
        let request = message::request(&spec.name, "hello".to_owned(), 0);
        assert!(client.echo(&request).unwrap().verified);
        client
    };
    (0..CLIENTS).map(connect).collect()
}

#[test]
fn a_shared_channel_has_one_connection_and_a_channel_per_client_has_one_each() {
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
fn a_shared_channel_of_a_stopped_server_is_not_reused() {
    for system in with_channels() {
        let (server, _) = serve(system, &server_spec());
        let address = server.endpoint().clone();
        let mut old_clients = clients(system, &*server, Channels::Shared);
        server.stop().unwrap();
        let request = message::request("client-0", "hello".to_owned(), 0);
        assert!(old_clients[0].echo(&request).is_err(), "{}", system.name());
        // A new server at the same address, while the old clients still hold the old channel.
        let (server, _) = serve(system, &ServerSpec { address, ..server_spec() });
        let new_clients = clients(system, &*server, Channels::Shared);
        drop((old_clients, new_clients));
        assert_eq!(server.stop().unwrap().accesses, 4);
    }
}

#[test]
fn rows_record_the_channel_option_of_systems_that_have_channels() {
    for system in SYSTEMS {
        for (driver, channels) in
            [("native", "shared"), ("native", "per-client"), ("lean", "per-client")]
        {
            let load = ["--spawn", "--clients=3", "--duration=100ms", "--warmup=20ms"];
            let choice = ["--driver", driver, "--channels", channels];
            let measured = bench(system.name(), &[&load[..], &choice].concat());
            assert_eq!(measured.output.status, 0, "{measured:?}");
            let row = measured.row();
            assert!(row.valid && row.verified, "{row:?}");
            assert_eq!(row.channels.as_deref(), system.has_channels().then_some(channels));
        }
    }
}
