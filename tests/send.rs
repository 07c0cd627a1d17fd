//! `send`: each reply on a line of its own, in order; and exit 1 if one is lacking.

mod common;

use common::{Counts, Served, known, nobody, run};
use echometer::systems::{SYSTEMS, System};

const IMPATIENT: [&str; 4] = ["--timeout", "300ms", "--retries", "0"];

/// What the n-th message of a lone client is answered, by a server with one worker.
fn nth_reply(system: &dyn System, n: usize) -> String {
    match known(system).0 {
        Counts::Worker => format!("reply msg #{n} from worker me-1"),
        Counts::Server | Counts::Connection => format!("reply msg #{n}"),
    }
}

#[test]
fn each_reply_is_printed_on_its_own_line_in_order() {
    for system in SYSTEMS {
        let server = Served::start(*system, &["--name", "me", "--workers", "1"]);
        let messages = ["one", "two words", "", "-", "äöü", "six"];
        let sent = run(["send", system.name(), "--addr", &server.address].iter().chain(&messages));
        let expected = (1..=messages.len()).map(|n| nth_reply(*system, n) + "\n");
        assert_eq!(sent.stdout, expected.collect::<String>());
        assert_eq!((sent.status, sent.stderr.as_str()), (0, ""));
        assert_eq!(server.stop().metrics["accesses"], 6);
    }
}

#[test]
fn messages_as_long_as_an_argument_may_be_are_answered() {
    for system in SYSTEMS {
        let server = Served::start(*system, &[]);
        let arguments = ["--addr", &server.address, "--name", "me"];
        // The kernel takes arguments of up to 128 KiB.
        let long = "x".repeat(120 << 10);
        let messages = [long.as_str(); 5];
        let verb = ["send", system.name()];
        let sent = run(verb.iter().chain(&arguments).chain(&messages));
        assert_eq!((sent.status, sent.stdout.lines().count()), (0, 5), "{}", sent.stderr);
    }
}

#[test]
fn it_fails_where_there_is_no_server() {
    for system in SYSTEMS {
        let address = nobody();
        let arguments = ["send", system.name(), "--addr", &address, "hello"];
        run(arguments.iter().chain(&IMPATIENT)).assert_fails(1, &[&address, "start one with"]);
    }
}

#[test]
fn it_fails_at_a_server_that_speaks_another_wire_which_goes_on() {
    common::with_each_system(|system| {
        let server = Served::start(system, &[]);
        for other in SYSTEMS.iter().filter(|other| known(**other).1 != known(system).1) {
            let arguments = ["send", other.name(), "--addr", &server.address, "hello"];
            let failed = run(arguments.iter().chain(&IMPATIENT));
            let question = format!("of the system {} run there", other.name());
            failed.assert_fails(1, &["message 1", &server.address, &question]);
        }
        let sent = run(["send", system.name(), "--addr", &server.address, "hello"]);
        assert_eq!(sent.status, 0, "{sent:?}");
        let stopped = server.stop();
        assert_eq!((stopped.status.code(), &stopped.metrics["accesses"]), (Some(0), &1.into()));
    });
}

#[test]
fn it_fails_at_the_message_that_is_too_large_after_printing_the_replies_before() {
    for system in SYSTEMS {
        let server = Served::start(*system, &["--max-message", "2KiB", "--workers", "1"]);
        let long = "x".repeat(4096);
        let arguments = ["send", system.name(), "--addr", &server.address, "one", &long, "three"];
        let failed = run(arguments.iter().chain(&IMPATIENT));
        assert_eq!((failed.status, failed.stdout.lines().count()), (1, 1), "{failed:?}");
        assert_eq!(failed.stderr.lines().count(), 1, "{failed:?}");
        let said = &failed.stderr;
        let tells = said.contains("limit") || said.contains("larger than max");
        assert!(said.contains("did not answer message 2") && tells, "{failed:?}");
        assert_eq!(server.stop().metrics["accesses"], 1);
    }
}
