//! A server that lies of one request in a hundred: each kind of lie is counted under its own
//! name, as often as it was told, and the trial does not hold where the sums do not.

mod common;

use std::time::Duration;

use common::scripted::{alone, trial_of};
use common::{DEADLINE, load_spec};
use echometer::results::Row;
use echometer::spec::LoadSpec;

const CLIENTS: u64 = 4;

/// Short for a client to wait, and long for a server that means to answer.
const IMPATIENT: Duration = Duration::from_millis(150);

/// What a server told, and what its clients say of it.
struct Heard {
    row: Row,
    lies: u64,
    /// The faults in their order: timeouts, repeats, strays, malformed.
    faults: [u64; 4],
}

fn listen_to(manner: &str, load: &LoadSpec) -> Heard {
    let _alone = alone();
    let row = trial_of(manner, load);
    let known = "the row knows";
    let faults = [
        row.timeouts,
        row.repeats.expect(known),
        row.strays.expect(known),
        row.malformed.expect(known),
    ];
    println!("{manner}: {:?} lies, {faults:?}, {:?} gaps", row.server_malformed, row.gaps);
    println!("late {:?}, valid {}: {:?}", row.late, row.valid, row.invalid_reason);
    Heard { lies: row.server_malformed.expect(known), row, faults }
}

fn listen(manner: &str, timeout: Duration) -> Heard {
    let clients = usize::try_from(CLIENTS).unwrap();
    let window = Duration::from_secs(2);
    let heard = listen_to(manner, &LoadSpec { window, timeout, ..load_spec(clients) });
    assert!(heard.lies > 3 * CLIENTS, "too few lies to tell: {:?}", heard.row);
    // Some tell two at a time: of a hundred requests, 98 are then echoes.
    assert!(heard.row.messages >= 48 * heard.lies, "too many lies: {:?}", heard.row);
    heard
}

impl Heard {
    /// Every fault is an echo that failed, and a request that was not acknowledged before a
    /// later one was; unless it was among a client's last.
    fn assert_failed(&self, faults: [u64; 4]) {
        let (row, failed) = (&self.row, faults.iter().sum());
        assert_eq!(self.faults, faults, "timeouts, repeats, strays, malformed of {row:?}");
        assert_eq!(row.errors, failed, "{row:?}");
        let gaps = row.gaps.unwrap();
        assert!(gaps <= failed && gaps + CLIENTS >= failed, "{row:?}");
    }

    /// The server counts answers for which no client has an echo: so many too many.
    fn assert_invalid_by(&self, surplus: u64) {
        let row = &self.row;
        let answered = row.server_accesses.unwrap();
        let completed = answered - surplus;
        let reason = format!(
            "the server answered {answered}, the clients completed {completed} (+{CLIENTS} in flight)"
        );
        assert_eq!((row.valid, row.invalid_reason.as_ref()), (false, Some(&reason)), "{row:?}");
    }

    fn assert_valid(&self) {
        assert!(self.row.valid && self.row.invalid_reason.is_none(), "{:?}", self.row);
    }
}

#[test]
fn answers_that_are_dropped_are_timeouts_and_do_not_add_up() {
    let heard = listen("drop", IMPATIENT);
    heard.assert_failed([heard.lies, 0, 0, 0]);
    assert_eq!(heard.row.late, Some(0));
    heard.assert_invalid_by(heard.lies);
}

#[test]
fn requests_that_are_dropped_are_timeouts_and_add_up() {
    let heard = listen("deaf", IMPATIENT);
    heard.assert_failed([heard.lies, 0, 0, 0]);
    assert_eq!(heard.row.late, Some(0));
    heard.assert_valid();
}

#[test]
fn one_answer_that_is_dropped_may_have_been_in_flight() {
    // A pause of 5 ms leaves time for fewer than 200 requests, and for more than 100.
    let (window, think) = (Duration::from_millis(900), Duration::from_millis(5));
    let load = LoadSpec { window, think, timeout: IMPATIENT, ..load_spec(1) };
    let heard = listen_to("drop", &load);
    assert_eq!((heard.lies, heard.faults), (1, [1, 0, 0, 0]), "{:?}", heard.row);
    assert_eq!((heard.row.errors, heard.row.gaps), (1, Some(1)));
    heard.assert_valid();
}

#[test]
fn answers_that_come_twice_are_repeats() {
    let heard = listen("double", DEADLINE);
    // It is the next request of that client that hears the second; its last has none.
    let [_, repeats, ..] = heard.faults;
    assert!((heard.lies - CLIENTS..=heard.lies).contains(&repeats), "{:?}", heard.row);
    heard.assert_failed([0, repeats, 0, 0]);
    heard.assert_invalid_by(repeats);
}

#[test]
fn one_client_counts_repeats_as_one_does_by_hand() {
    let heard = listen_to("double", &load_spec(1));
    // All requests were answered, from 1 to this one; 101, 201, ... heard what came twice.
    let requests = heard.row.server_accesses.unwrap();
    assert!(requests > 1000, "{:?}", heard.row);
    assert_eq!((heard.lies, heard.faults[1]), (requests / 100, (requests - 1) / 100));
    assert_eq!(heard.row.errors, heard.faults[1]);
}

#[test]
fn answers_out_of_order_are_a_stray_and_a_repeat() {
    let heard = listen("reorder", DEADLINE);
    // First the answer to the next request, then the one to the request before.
    let [_, repeats, strays, _] = heard.faults;
    assert!((repeats..=repeats + CLIENTS).contains(&strays), "{:?}", heard.row);
    assert_eq!(strays + repeats, heard.lies);
    heard.assert_failed([0, repeats, strays, 0]);
    heard.assert_invalid_by(heard.lies);
}

#[test]
fn answers_that_come_late_are_timeouts_and_are_seen_to_come() {
    let heard = listen("late:200ms", IMPATIENT);
    heard.assert_failed([heard.lies, 0, 0, 0]);
    // A client does not stay to see the last of them come.
    let late = heard.row.late.unwrap();
    assert!((heard.lies - CLIENTS..=heard.lies).contains(&late), "{:?}", heard.row);
    heard.assert_invalid_by(heard.lies);
}

#[test]
fn answers_of_another_clients_sequence_are_strays() {
    let heard = listen("other", DEADLINE);
    heard.assert_failed([0, 0, heard.lies, 0]);
    heard.assert_invalid_by(heard.lies);
}

#[test]
fn answers_that_are_no_message_are_malformed() {
    let heard = listen("rubbish", DEADLINE);
    heard.assert_failed([0, 0, 0, heard.lies]);
    heard.assert_invalid_by(heard.lies);
}

#[test]
fn of_a_server_that_does_not_lie_nothing_is_counted() {
    let clients = usize::try_from(CLIENTS).unwrap();
    let heard = listen_to("honest", &load_spec(clients));
    assert_eq!((heard.lies, heard.faults, heard.row.late), (0, [0; 4], Some(0)));
    assert_eq!((heard.row.errors, heard.row.gaps), (0, Some(0)));
    heard.assert_valid();
}
