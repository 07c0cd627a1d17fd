//! `echometer send`: prints each reply on its own line in order, and exits with 1 on an error.

mod common;

use common::{SequenceScope, ServerProcess, run, sequence_scope, unused_address, wire_of};
use echometer::systems::{SYSTEMS, System};

const SHORT_TIMEOUT: [&str; 4] = ["--timeout", "300ms", "--retries", "0"];

/// The reply of a server with one worker to the n-th message of its only client.
fn nth_reply(system: &dyn System, n: usize) -> String {
    match sequence_scope(system) {
        SequenceScope::Worker => format!("reply msg #{n} from worker me-1"),
        SequenceScope::Server | SequenceScope::Connection => format!("reply msg #{n}"),
    }
}

#[test]
fn each_reply_is_printed_on_its_own_line_in_order() {
    for system in SYSTEMS {
        let server = ServerProcess::start(*system, &["--name", "me", "--workers", "1"]);
        let messages = ["one", "two words", "", "-", "äöü", "six"];
        let sent = run(["send", system.name(), "--addr", &server.address].iter().chain(&messages));
        let expected = (1..=messages.len()).map(|n| nth_reply(*system, n) + "\n");
        assert_eq!(sent.stdout, expected.collect::<String>());
        assert_eq!((sent.status, sent.stderr.as_str()), (0, ""));
        assert_eq!(server.stop().metrics["accesses"], 6);
    }
}

#[test]
fn messages_of_the_maximum_argument_length_are_answered() {
    for system in SYSTEMS {
        let server = ServerProcess::start(*system, &[]);
        let arguments = ["--addr", &server.address, "--name", "me"];
        // The kernel limits an argument to 128 KiB.
        let long = "x".repeat(120 << 10);
        let messages = [long.as_str(); 5];
        let command = ["send", system.name()];
        let sent = run(command.iter().chain(&arguments).chain(&messages));
        assert_eq!((sent.status, sent.stdout.lines().count()), (0, 5), "{}", sent.stderr);
    }
}

#[test]
fn send_fails_without_a_server() {
    for system in SYSTEMS {
        let address = unused_address();
        let arguments = ["send", system.name(), "--addr", &address, "hello"];
        run(arguments.iter().chain(&SHORT_TIMEOUT))
            .assert_fails(1, &[&address, "start a server with"]);
    }
}

#[test]
fn send_fails_at_a_server_with_another_wire_which_continues() {
    common::for_each_system(|system| {
        let server = ServerProcess::start(system, &[]);
        for other in SYSTEMS.iter().filter(|other| wire_of(**other) != wire_of(system)) {
            let arguments = ["send", other.name(), "--addr", &server.address, "hello"];
            let failed = run(arguments.iter().chain(&SHORT_TIMEOUT));
            let question = format!("check that a {} server listens there", other.name());
            failed.assert_fails(1, &["message 1", &server.address, &question]);
        }
        let sent = run(["send", system.name(), "--addr", &server.address, "hello"]);
        assert_eq!(sent.status, 0, "{sent:?}");
        let stopped = server.stop();
        assert_eq!((stopped.status.code(), &stopped.metrics["accesses"]), (Some(0), &1.into()));
    });
}

#[test]
fn send_fails_at_the_first_oversized_message_after_printing_earlier_replies() {
    for system in SYSTEMS {
        let server = ServerProcess::start(*system, &["--max-message", "2KiB", "--workers", "1"]);
        let long = "x".repeat(4096);
        let arguments = ["send", system.name(), "--addr", &server.address, "one", &long, "three"];
        let failed = run(arguments.iter().chain(&SHORT_TIMEOUT));
        assert_eq!((failed.status, failed.stdout.lines().count()), (1, 1), "{failed:?}");
        assert_eq!(failed.stderr.lines().count(), 1, "{failed:?}");
        let error = &failed.stderr;
        let names_the_cause = error.contains("limit") || error.contains("larger than max");
        assert!(error.contains("did not answer message 2") && names_the_cause, "{failed:?}");
        assert_eq!(server.stop().metrics["accesses"], 1);
    }
}
