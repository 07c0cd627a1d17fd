//! The load through the public API: what it tells the one who looks on, and that it ends.

mod common;

use std::time::{Duration, Instant};

use common::{load_spec, server_spec};
use echometer::load::{self, CancelToken, Observer};
use echometer::spec::{Arrivals, Driver, LoadSpec, Pace};
use echometer::systems::SYSTEMS;

/// Notes what it is told.
#[derive(Default)]
struct Notes {
    ticks: Vec<u64>,
    opened: usize,
    closed: usize,
}

impl Observer for Notes {
    fn wants_progress(&self) -> bool {
        true
    }

    fn opened(&mut self) {
        self.opened += 1;
    }

    fn closed(&mut self) {
        self.closed += 1;
    }

    fn tick(&mut self, completed: u64) {
        self.ticks.push(completed);
    }
}

#[test]
fn progress_is_told_all_the_time_however_many_clients_report() {
    let spec = load_spec(40);
    for system in SYSTEMS {
        let server = system.serve(&server_spec()).unwrap();
        let mut notes = Notes::default();
        load::run(*system, server.endpoint(), &spec, &CancelToken::default(), &mut notes).unwrap();
        // Some ten are due; a machine that is busy may leave out a few.
        assert!(notes.ticks.len() >= 4, "{}: {:?}", system.name(), notes.ticks);
        assert!(notes.ticks.is_sorted() && notes.ticks.last() > Some(&0), "{:?}", notes.ticks);
        assert_eq!((notes.opened, notes.closed), (1, 1));
        server.stop().unwrap();
    }
}

/// Stops a server, or the load, when the window opens.
struct AtTheOpening<F>(Option<F>);

impl<F: FnOnce()> Observer for AtTheOpening<F> {
    fn opened(&mut self) {
        self.0.take().into_iter().for_each(|act| act());
    }
}

const DRIVERS: [Driver; 2] = [Driver::Native, Driver::Lean { threads: None }];

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(120);

/// Loads in which every client pauses for longer than that, as they are told to.
fn with_long_pauses(driver: Driver) -> [LoadSpec; 2] {
    let pace = Some(Pace { per_s: 0.01, arrivals: Arrivals::Constant });
    let spec = LoadSpec { driver, ..load_spec(3) };
    [LoadSpec { think: LONG, ..spec.clone() }, LoadSpec { pace, ..spec }]
}

#[test]
fn a_pause_holds_up_neither_the_close_nor_who_stops_the_load() {
    let system = SYSTEMS[0];
    let server = system.serve(&server_spec()).unwrap();
    let begun = Instant::now();
    for spec in DRIVERS.into_iter().flat_map(with_long_pauses) {
        let mut nobody = AtTheOpening(None::<fn()>);
        let short = LoadSpec { window: Duration::from_millis(200), ..spec.clone() };
        load::run(system, server.endpoint(), &short, &CancelToken::default(), &mut nobody).unwrap();

        let stop = CancelToken::default();
        let mut stopper = AtTheOpening(Some(|| stop.set()));
        let long = LoadSpec { window: LONG, ..spec };
        load::run(system, server.endpoint(), &long, &stop, &mut stopper).unwrap();
    }
    assert!(begun.elapsed() < LONG);
    server.stop().unwrap();
}

#[test]
fn what_cannot_be_tried_again_before_the_close_is_neither_done_nor_failed() {
    for driver in DRIVERS {
        for system in SYSTEMS {
            let server = system.serve(&server_spec()).unwrap();
            let to = server.endpoint().clone();
            let window = Duration::from_millis(700);
            // Pauses of 50 ms and twice as much each time: more than a minute.
            let timeout = Duration::from_millis(200);
            let spec = LoadSpec { driver, window, timeout, retries: 12, ..load_spec(3) };
            let mut killer = AtTheOpening(Some(|| drop(server.stop().unwrap())));
            let begun = Instant::now();
            let outcome =
                load::run(*system, &to, &spec, &CancelToken::default(), &mut killer).unwrap();
            assert!(begun.elapsed() < LONG);
            for client in outcome.tallies {
                let faults = client.faults.disconnects + client.faults.timeouts;
                assert!(faults > 1 && !client.gave_up, "{client:?}");
                assert_eq!(client.errors, 0, "{}: {client:?}", system.name());
            }
        }
    }
}
