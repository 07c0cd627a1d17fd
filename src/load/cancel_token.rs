//! The one object that says whether it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long who sleeps does not look.
const LOOK: Duration = Duration::from_millis(50);

/// Set by an interrupt, or when a server has gone; then a load ends before its time.
#[derive(Debug, Default, Clone)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Ends the load.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Makes ready for another load.
    pub fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether it is over. All clients read one line of cache that nobody writes meanwhile.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sleeps until `until`, or until it is set: who sets it waits for nobody's pause.
    pub fn sleep_until(&self, until: Instant) {
        while !self.is_set() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(LOOK));
        }
    }

    /// The flag itself, for a signal handler.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}
