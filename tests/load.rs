//! The load through the public API: what it tells the one who looks on.

mod common;

use common::{load_spec, server_spec};
use echometer::load::{self, Observer, Stop};
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
        load::run(*system, server.endpoint(), &spec, &Stop::default(), &mut notes).unwrap();
        // Some ten are due; a machine that is busy may leave out a few.
        assert!(notes.ticks.len() >= 4, "{}: {:?}", system.name(), notes.ticks);
        assert!(notes.ticks.is_sorted() && notes.ticks.last() > Some(&0), "{:?}", notes.ticks);
        assert_eq!((notes.opened, notes.closed), (1, 1));
        server.stop().unwrap();
    }
}
