//! The flag that ends a load early.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Interval at which a sleeping thread checks the flag.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Ends a load before its window closes. Set by an interrupt or when a server has ended.
#[derive(Debug, Default, Clone)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Ends the load.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Resets the token for another load.
    pub fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether the load should end. All clients read a single cache line, which is not written
    /// while they run.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sleeps until `until`, and returns early if the token is set: canceling does not have to wait
    /// for the end of the pause.
    pub fn sleep_until(&self, until: Instant) {
        while !self.is_set() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(CHECK_INTERVAL));
        }
    }

    /// Returns the flag itself, for a signal handler.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}
