//! What is counted, and how: tallies of single threads, latencies, and what processes use.
//!
//! Nothing here starts a thread, and no file is read but those of /proc.

mod bound;
mod consistency;
mod cpu_times;
mod disturbance;
mod error_counts;
mod fairness;
mod latency;
mod processes;
mod role;
mod tally;
mod totals;
mod usage;
mod window;

pub use bound::{Bound, DISTURBED, Side, busy, share};
pub use consistency::{TOLERANCE, disagreement, is_rate_kept, littles_law};
pub use cpu_times::{CpuShares, CpuTimes};
pub use disturbance::{DISTURBED_SHARE, Loss};
pub use error_counts::ErrorCounts;
pub use fairness::Fairness;
pub use latency::{Moments, Percentiles};
pub use processes::{Activity, Processes, Tree, cpu_time};
pub use role::role;
pub use tally::{ClientTally, Distributions, PlayerTally, ServerTally, Times};
pub use totals::Totals;
pub use usage::{Counters, RoleUsage, ThreadUsage, Usage, by_role};
pub use window::{View, Window};
