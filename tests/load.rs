//! The load through the public API: it reports progress to its observer, and it ends on time.

mod common;

use std::time::{Duration, Instant};

use common::{load_spec, server_spec};
use echometer::load::{self, CancelToken, Observer};
use echometer::spec::{Arrivals, Driver, LoadSpec, OpenLoop};
use echometer::systems::SYSTEMS;

/// Records the calls.
#[derive(Default)]
struct Recorder {
    ticks: Vec<u64>,
    opened: usize,
    closed: usize,
}

impl Observer for Recorder {
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
fn progress_is_reported_regularly_with_many_clients() {
    let spec = load_spec(40);
    for system in SYSTEMS {
        let server = system.serve(&server_spec()).unwrap();
        let mut recorder = Recorder::default();
        load::run(*system, server.endpoint(), &spec, &CancelToken::default(), &mut recorder)
            .unwrap();
        // About ten ticks are expected. A busy machine may skip a few.
        assert!(recorder.ticks.len() >= 4, "{}: {:?}", system.name(), recorder.ticks);
        assert!(
            recorder.ticks.is_sorted() && recorder.ticks.last() > Some(&0),
            "{:?}",
            recorder.ticks
        );
        assert_eq!((recorder.opened, recorder.closed), (1, 1));
        server.stop().unwrap();
    }
}

/// Calls the function when the window opens, for example to stop the server or the load.
struct CallWhenOpened<F>(Option<F>);

impl<F: FnOnce()> Observer for CallWhenOpened<F> {
    fn opened(&mut self) {
        self.0.take().into_iter().for_each(|call| call());
    }
}

const DRIVERS: [Driver; 2] = [Driver::Native, Driver::Lean { threads: None }];

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(120);

/// Loads in which every client pauses for longer than any test: one by think time, one by rate.
fn with_long_pauses(driver: Driver) -> [LoadSpec; 2] {
    let open_loop = Some(OpenLoop { rate_per_s: 0.01, arrivals: Arrivals::Constant, seed: 1 });
    let spec = LoadSpec { driver, ..load_spec(3) };
    [LoadSpec { think: LONG, ..spec.clone() }, LoadSpec { open_loop, ..spec }]
}

#[test]
fn a_pause_delays_neither_the_end_of_the_window_nor_a_cancellation() {
    let system = SYSTEMS[0];
    let server = system.serve(&server_spec()).unwrap();
    let start = Instant::now();
    for spec in DRIVERS.into_iter().flat_map(with_long_pauses) {
        let mut observer = CallWhenOpened(None::<fn()>);
        let short = LoadSpec { window: Duration::from_millis(200), ..spec.clone() };
        load::run(system, server.endpoint(), &short, &CancelToken::default(), &mut observer)
            .unwrap();

        let stop = CancelToken::default();
        let mut observer = CallWhenOpened(Some(|| stop.set()));
        let long = LoadSpec { window: LONG, ..spec };
        load::run(system, server.endpoint(), &long, &stop, &mut observer).unwrap();
    }
    assert!(start.elapsed() < LONG);
    server.stop().unwrap();
}

#[test]
fn a_retry_due_after_the_window_counts_neither_as_success_nor_as_error() {
    for driver in DRIVERS {
        for system in SYSTEMS {
            let server = system.serve(&server_spec()).unwrap();
            let to = server.endpoint().clone();
            let window = Duration::from_millis(700);
            // The pauses between retries start at 50 ms and double: more than a minute in total.
            let timeout = Duration::from_millis(200);
            let spec = LoadSpec { driver, window, timeout, retries: 12, ..load_spec(3) };
            let mut observer = CallWhenOpened(Some(|| drop(server.stop().unwrap())));
            let start = Instant::now();
            let outcome =
                load::run(*system, &to, &spec, &CancelToken::default(), &mut observer).unwrap();
            assert!(start.elapsed() < LONG);
            for client in outcome.tallies {
                let faults = client.error_counts.disconnects + client.error_counts.timeouts;
                assert!(faults > 1 && !client.gave_up, "{client:?}");
                assert_eq!(client.errors, 0, "{}: {client:?}", system.name());
            }
        }
    }
}
