//! The one object that says whether it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by an interrupt, or when a server has gone; then a load ends before its time.
#[derive(Debug, Default, Clone)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
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

    /// The flag itself, for a signal handler.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}
