//! What the issue says of each system, where systems differ.

use echometer::systems::System;

/// Where a system takes the sequence of its replies from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    Server,
    Worker,
    Connection,
}

/// How a system's messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    ZeroMq,
    Grpc,
    GrpcStream,
    Framed,
}

/// The one place where the tests know systems apart: what the issue says of each.
pub fn known(system: &dyn System) -> (Counts, Wire) {
    match system.name() {
        "rep" => (Counts::Server, Wire::ZeroMq),
        "router" => (Counts::Worker, Wire::ZeroMq),
        "grpc" => (Counts::Server, Wire::Grpc),
        "grpc-stream" => (Counts::Server, Wire::GrpcStream),
        "tcp" => (Counts::Connection, Wire::Framed),
        other => panic!("say in tests/common what is known of the system {other}"),
    }
}
