//! Clients in another language talk to each server.

mod common;

use std::process::Command;

use common::{Served, finish};
use echometer::systems::SYSTEMS;

/// Python with the packages of `tests/python/requirements.txt`.
fn python() -> Command {
    let path = std::env::var_os("ECHOMETER_PYTHON");
    Command::new(path.expect("scripts/test.sh sets ECHOMETER_PYTHON to a Python with the packages"))
}

#[test]
#[ignore = "needs packages from PyPI; scripts/test.sh installs them, and runs this too"]
fn a_client_in_python_is_answered_by_every_server() {
    for system in SYSTEMS {
        let server = Served::start(*system, &[]);
        let client = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/echo.py");
        let proto = concat!(env!("CARGO_MANIFEST_DIR"), "/proto/message.proto");
        let ran = finish(python().args([client, proto, system.name(), &server.address, "50"]));
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{}", system.name());
        let metrics = server.stop().metrics;
        assert_eq!((&metrics["accesses"], &metrics["clients"]), (&51.into(), &2.into()));
    }
}
