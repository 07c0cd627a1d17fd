//! The common suite (`tests/common/suite.rs`) for every system of the registry.

mod common;

use common::suite::{self, for_all_systems};

#[test]
fn every_sequence_is_echoed_exactly_once() {
    for_all_systems(suite::echoes_every_sequence_exactly_once);
}

#[test]
fn replies_contain_their_number_and_the_name_of_their_worker() {
    for_all_systems(suite::replies_contain_their_number);
}

#[test]
fn the_counts_of_the_workers_add_up() {
    for_all_systems(suite::counts_of_workers_add_up);
}

#[test]
fn the_ipc_backend_echoes() {
    for_all_systems(suite::echoes_with_the_ipc_backend);
}

#[test]
fn a_reply_is_padded_to_the_requested_size() {
    for_all_systems(suite::pads_replies_to_the_requested_size);
}

#[test]
fn a_server_stops_within_a_second_with_clients_connected() {
    for_all_systems(suite::stops_within_a_second_with_clients_connected);
}

#[test]
fn a_stopped_or_dropped_server_frees_its_port() {
    for_all_systems(suite::frees_its_port_when_stopped_or_dropped);
}

#[test]
fn a_port_in_use_is_rejected() {
    for_all_systems(suite::rejects_a_port_in_use);
}
