//! What is counted, and how: tallies of single threads, latencies, and what processes use.
//!
//! Nothing here starts a thread, and no file is read but those of /proc.

mod bound;
mod latency;
mod tally;
mod usage;
mod window;

pub use bound::{Bound, busy};
pub use latency::Latency;
pub use tally::{ClientTally, ServerTally};
pub use usage::{Usage, UsageDelta};
pub use window::Window;
