//! Handlers of a known speed: a few desks, each of which serves one request at a time, for
//! exactly so long.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How a desk passes the time that a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    Spin,
    Sleep,
}

/// All desks of a server.
pub struct Desks {
    pass: Pass,
    service: Duration,
    hall: Mutex<Hall>,
    left: Condvar,
}

/// Who waits, and which desks are free.
struct Hall {
    waiting: usize,
    free: Vec<Desk>,
}

/// A desk that is free.
struct Desk {
    since: Instant,
    /// Somebody waited when it became free: it has not been idle since.
    wanted: bool,
}

impl Desks {
    pub fn new(count: usize, pass: Pass, service: Duration) -> Self {
        let desk = || Desk { since: Instant::now(), wanted: false };
        let hall = Hall { waiting: 0, free: (0..count).map(|_| desk()).collect() };
        Desks { pass, service, hall: Mutex::new(hall), left: Condvar::new() }
    }

    /// Serves one request that has `arrived`: waits for a desk, passes the time there, and
    /// answers.
    ///
    /// A service ends when it is due, not when the scheduler lets it, and the next begins
    /// there: what it takes to write, to wake up and to change threads is part of the service,
    /// and the speed is known to the microsecond.
    pub fn serve<T>(&self, arrived: Instant, answer: impl FnOnce() -> T) -> T {
        let due = self.sit_down(arrived) + self.service;
        match self.pass {
            Pass::Sleep => std::thread::sleep(due.saturating_duration_since(Instant::now())),
            Pass::Spin => {
                while Instant::now() < due {
                    std::hint::spin_loop();
                }
            }
        }
        let answered = answer();
        self.leave(due);
        answered
    }

    /// Takes a desk, and says when its service has begun.
    fn sit_down(&self, arrived: Instant) -> Instant {
        let mut hall = self.hall();
        hall.waiting += 1;
        let mut hall = self
            .left
            .wait_while(hall, |hall| hall.free.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        hall.waiting -= 1;
        let desk = hall.free.pop().expect("a desk is free");
        if desk.wanted { desk.since } else { desk.since.max(arrived) }
    }

    fn leave(&self, due: Instant) {
        let mut hall = self.hall();
        let wanted = hall.waiting > 0;
        hall.free.push(Desk { since: due, wanted });
        self.left.notify_one();
    }

    fn hall(&self) -> MutexGuard<'_, Hall> {
        self.hall.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
