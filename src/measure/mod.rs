//! What is counted, and how: tallies of single threads, latencies, and what processes use.
//!
//! Nothing here starts a thread, and no file is read but those of /proc.

mod agreement;
mod bound;
mod disturbance;
mod fairness;
mod faults;
mod latency;
mod machine;
mod processes;
mod role;
mod tally;
mod totals;
mod usage;
mod window;

pub use agreement::{TOLERANCE, disagreement, is_rate_kept, littles_law};
pub use bound::{Bound, DISTURBED, Side, busy, share};
pub use disturbance::{DISTURBED_SHARE, Loss};
pub use fairness::Fairness;
pub use faults::Faults;
pub use latency::{Moments, Percentiles};
pub use machine::{CpuShares, CpuTimes};
pub use processes::{Activity, Processes, Tree, cpu_time};
pub use role::role;
pub use tally::{ClientTally, Distributions, PlayerTally, ServerTally, Times};
pub use totals::Totals;
pub use usage::{Counters, RoleUsage, ThreadUsage, Usage, by_role};
pub use window::{View, Window};
