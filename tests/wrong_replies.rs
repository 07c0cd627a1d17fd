//! A server that handles one request in a hundred wrongly. Each kind of fault is counted in its
//! own column as often as it was injected, and a trial whose sums disagree is invalid.

mod common;

use std::time::Duration;

use common::scripted::{machine_lock, run_trial};
use common::{DEADLINE, load_spec};
use echometer::results::Row;
use echometer::spec::{Driver, LoadSpec};

const CLIENTS: u64 = 4;

/// Short for a client, but long for a server that replies correctly.
const SHORT_TIMEOUT: Duration = Duration::from_millis(150);

/// The row of a trial with the faults that were injected and those that the clients counted.
struct Outcome {
    row: Row,
    injected: u64,
    /// Counted faults: timeouts, repeats, strays, malformed.
    faults: [u64; 4],
}

fn run_behavior(behavior: &str, load: &LoadSpec) -> Outcome {
    let _lock = machine_lock();
    let row = run_trial(behavior, load);
    let measured = "the column has a value";
    let faults = [
        row.timeouts,
        row.repeats.expect(measured),
        row.strays.expect(measured),
        row.malformed.expect(measured),
    ];
    println!("{behavior}: {:?} injected, {faults:?}, {:?} gaps", row.server_malformed, row.gaps);
    println!("late {:?}, valid {}: {:?}", row.late, row.valid, row.invalid_reason);
    Outcome { injected: row.server_malformed.expect(measured), row, faults }
}

fn run_default_load(behavior: &str, timeout: Duration) -> Outcome {
    let clients = usize::try_from(CLIENTS).unwrap();
    let window = Duration::from_secs(2);
    let outcome = run_behavior(behavior, &LoadSpec { window, timeout, ..load_spec(clients) });
    assert!(outcome.injected > 3 * CLIENTS, "too few faults were injected: {:?}", outcome.row);
    // Some behaviors inject two faults per hundred requests, which leaves 98 echoes.
    assert!(
        outcome.row.messages >= 48 * outcome.injected,
        "too many faults were injected: {:?}",
        outcome.row
    );
    outcome
}

impl Outcome {
    /// Asserts these counts. Every fault is a failed echo and leaves a gap in the acknowledged
    /// sequences, unless it was among a client's last requests.
    fn assert_faults(&self, faults: [u64; 4]) {
        let (row, failed) = (&self.row, faults.iter().sum());
        assert_eq!(self.faults, faults, "timeouts, repeats, strays, malformed of {row:?}");
        assert_eq!(row.errors, failed, "{row:?}");
        let gaps = row.gaps.unwrap();
        assert!(gaps <= failed && gaps + CLIENTS >= failed, "{row:?}");
    }

    /// Asserts that the trial is invalid because the server counted `surplus` accesses too many.
    /// Each client with wrong replies allows one.
    fn assert_invalid_with_surplus(&self, surplus: u64) {
        self.assert_invalid(surplus, CLIENTS);
    }

    fn assert_invalid(&self, surplus: u64, allowed: u64) {
        let row = &self.row;
        let answered = row.server_accesses.unwrap();
        let completed = answered - surplus;
        let reason = format!(
            "the server answered {answered}, the clients completed {completed} (+{allowed} sent in vain)"
        );
        assert_eq!((row.valid, row.invalid_reason.as_ref()), (false, Some(&reason)), "{row:?}");
    }

    fn assert_valid(&self) {
        assert!(self.row.valid && self.row.invalid_reason.is_none(), "{:?}", self.row);
    }
}

/// The counts of such a server are those of one that answers too late.
#[test]
fn dropped_replies_are_timeouts_and_leave_the_trial_valid() {
    let outcome = run_default_load("drop", SHORT_TIMEOUT);
    outcome.assert_faults([outcome.injected, 0, 0, 0]);
    assert_eq!(outcome.row.late, Some(0));
    outcome.assert_valid();
}

#[test]
fn a_server_that_counts_more_answers_than_requests_invalidates_the_trial() {
    let outcome = run_default_load("count-twice", DEADLINE);
    outcome.assert_faults([0; 4]);
    outcome.assert_invalid(outcome.injected, 0);
}

#[test]
fn ignored_requests_are_timeouts_and_leave_the_trial_valid() {
    let outcome = run_default_load("ignore", SHORT_TIMEOUT);
    outcome.assert_faults([outcome.injected, 0, 0, 0]);
    assert_eq!(outcome.row.late, Some(0));
    outcome.assert_valid();
}

#[test]
fn one_dropped_reply_may_have_been_in_flight() {
    // With a think time of 5 ms, one client sends between 100 and 200 requests.
    let (window, think) = (Duration::from_millis(900), Duration::from_millis(5));
    let load = LoadSpec { window, think, timeout: SHORT_TIMEOUT, ..load_spec(1) };
    let outcome = run_behavior("drop", &load);
    assert_eq!((outcome.injected, outcome.faults), (1, [1, 0, 0, 0]), "{:?}", outcome.row);
    assert_eq!((outcome.row.errors, outcome.row.gaps), (1, Some(1)));
    outcome.assert_valid();
}

#[test]
fn duplicate_replies_are_repeats() {
    let outcome = run_default_load("duplicate", DEADLINE);
    // The client's next request receives the duplicate. After its last request there is none.
    let [_, repeats, ..] = outcome.faults;
    assert!(
        (outcome.injected - CLIENTS..=outcome.injected).contains(&repeats),
        "{:?}",
        outcome.row
    );
    outcome.assert_faults([0, repeats, 0, 0]);
    outcome.assert_invalid_with_surplus(repeats);
}

#[test]
fn the_repeats_of_one_client_equal_a_hand_calculation() {
    let outcome = run_behavior("duplicate", &load_spec(1));
    // All requests from 1 to this one were answered; 101, 201, ... received a duplicate.
    let requests = outcome.row.server_accesses.unwrap();
    assert!(requests > 1000, "{:?}", outcome.row);
    assert_eq!((outcome.injected, outcome.faults[1]), (requests / 100, (requests - 1) / 100));
    assert_eq!(outcome.row.errors, outcome.faults[1]);
}

#[test]
fn swapped_replies_are_a_stray_and_a_repeat() {
    let outcome = run_default_load("reorder", DEADLINE);
    // First the reply to the next request arrives, then the reply to the previous request.
    let [_, repeats, strays, _] = outcome.faults;
    assert!((repeats..=repeats + CLIENTS).contains(&strays), "{:?}", outcome.row);
    assert_eq!(strays + repeats, outcome.injected);
    outcome.assert_faults([0, repeats, strays, 0]);
    outcome.assert_invalid_with_surplus(outcome.injected);
}

#[test]
fn late_replies_are_timeouts_and_are_counted_as_late() {
    let outcome = run_default_load("late:200ms", SHORT_TIMEOUT);
    outcome.assert_faults([outcome.injected, 0, 0, 0]);
    // A client does not wait for the last late reply.
    let late = outcome.row.late.unwrap();
    assert!((outcome.injected - CLIENTS..=outcome.injected).contains(&late), "{:?}", outcome.row);
    outcome.assert_valid();
}

#[test]
fn a_slow_server_may_answer_every_attempt_of_a_retried_request() {
    const ATTEMPTS: u64 = 3;
    for driver in [Driver::Native, Driver::Lean { threads: None }] {
        let load = LoadSpec {
            window: Duration::from_secs(2),
            timeout: SHORT_TIMEOUT,
            retries: 2,
            driver,
            ..load_spec(usize::try_from(CLIENTS).unwrap())
        };
        let outcome = run_behavior("late:200ms", &load);
        // The window may close before the last retries of each client.
        let [timeouts, ..] = outcome.faults;
        assert_eq!(outcome.faults, [outcome.injected, 0, 0, 0], "{:?}", outcome.row);
        assert!(outcome.row.errors >= 2 * CLIENTS, "{:?}", outcome.row);
        let retried = ATTEMPTS * outcome.row.errors..=ATTEMPTS * (outcome.row.errors + CLIENTS);
        assert!(retried.contains(&timeouts), "{:?}", outcome.row);
        outcome.assert_valid();
    }
}

#[test]
fn replies_with_another_clients_sequence_are_strays() {
    let outcome = run_default_load("other-client", DEADLINE);
    outcome.assert_faults([0, 0, outcome.injected, 0]);
    outcome.assert_invalid_with_surplus(outcome.injected);
}

#[test]
fn replies_with_invalid_protobuf_are_malformed() {
    let outcome = run_default_load("invalid", DEADLINE);
    outcome.assert_faults([0, 0, 0, outcome.injected]);
    outcome.assert_invalid_with_surplus(outcome.injected);
}

#[test]
fn a_correct_server_causes_no_faults() {
    let clients = usize::try_from(CLIENTS).unwrap();
    let outcome = run_behavior("correct", &load_spec(clients));
    assert_eq!((outcome.injected, outcome.faults, outcome.row.late), (0, [0; 4], Some(0)));
    assert_eq!((outcome.row.errors, outcome.row.gaps), (0, Some(0)));
    outcome.assert_valid();
}
