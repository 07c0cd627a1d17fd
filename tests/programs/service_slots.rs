//! Request handlers with a known service rate: a fixed number of slots, each of which serves one
//! request at a time for a fixed service time.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How a slot spends the service time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceMode {
    Spin,
    Sleep,
}

/// All slots of a server.
pub struct ServiceSlots {
    mode: ServiceMode,
    service_time: Duration,
    queue: Mutex<Queue>,
    slot_released: Condvar,
}

/// Number of waiting requests, and the free slots.
struct Queue {
    waiting: usize,
    free: Vec<Slot>,
}

/// A free slot.
struct Slot {
    free_since: Instant,
    /// A request was waiting when the slot became free, so the slot has not been idle since.
    was_requested: bool,
}

impl ServiceSlots {
    pub fn new(count: usize, mode: ServiceMode, service_time: Duration) -> Self {
        let slot = || Slot { free_since: Instant::now(), was_requested: false };
        let queue = Queue { waiting: 0, free: (0..count).map(|_| slot()).collect() };
        ServiceSlots { mode, service_time, queue: Mutex::new(queue), slot_released: Condvar::new() }
    }

    /// Serves a request that arrived at `arrived`: waits for a slot, spends the service time, and
    /// writes the reply.
    ///
    /// A service ends at its scheduled time, not when the scheduler runs the thread, and the next
    /// service begins at that time. The time to write, to wake up and to switch threads is
    /// therefore part of the service, and the service rate is exact to the microsecond.
    pub fn serve<T>(&self, arrived: Instant, reply: impl FnOnce() -> T) -> T {
        let end = self.acquire(arrived) + self.service_time;
        match self.mode {
            ServiceMode::Sleep => {
                std::thread::sleep(end.saturating_duration_since(Instant::now()));
            }
            ServiceMode::Spin => {
                while Instant::now() < end {
                    std::hint::spin_loop();
                }
            }
        }
        let replied = reply();
        self.release(end);
        replied
    }

    /// Takes a slot and returns the time at which its service begins.
    fn acquire(&self, arrived: Instant) -> Instant {
        let mut queue = self.lock_queue();
        queue.waiting += 1;
        let mut queue = self
            .slot_released
            .wait_while(queue, |queue| queue.free.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        queue.waiting -= 1;
        let slot = queue.free.pop().expect("a slot is free");
        if slot.was_requested { slot.free_since } else { slot.free_since.max(arrived) }
    }

    fn release(&self, end: Instant) {
        let mut queue = self.lock_queue();
        let was_requested = queue.waiting > 0;
        queue.free.push(Slot { free_since: end, was_requested });
        self.slot_released.notify_one();
    }

    fn lock_queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
