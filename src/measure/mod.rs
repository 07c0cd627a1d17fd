//! Counters and clocks: tallies of single threads, latencies, and the resource usage of processes.
//!
//! This module starts no thread and reads no files except those in /proc.

mod bound;
mod busiest_thread;
mod consistency;
mod cpu_times;
mod disturbance;
mod driver_lag;
mod error_counts;
mod fairness;
mod in_flight;
mod latency;
mod paced;
mod processes;
mod tally;
mod totals;
mod usage;
mod window;

pub use bound::{Bound, TRIAL_OTHERS_LIMIT, Utilization, busy, share};
pub use busiest_thread::busiest_thread;
pub use consistency::{
    LITTLES_LAW_TOLERANCE, count_mismatch, is_rate_kept, is_schedule_kept, littles_law,
};
pub use cpu_times::{CpuShares, CpuTimes, idle_resolution, summed_idle_resolution};
pub use disturbance::{DISTURBED_SHARE, Loss};
pub use driver_lag::DriverLag;
pub use error_counts::ErrorCounts;
pub use fairness::Fairness;
pub use in_flight::InFlight;
pub use latency::{LatencyHistogram, Moments};
pub use paced::{DueTimes, PacedCounts};
pub use processes::{Activity, ProcessTree, Processes, cpu_time};
pub use tally::{ClientTally, ClientThreadTally, Distributions, EchoTimes, ServerTally};
pub use totals::Totals;
pub use usage::{Counters, RoleUsage, ThreadUsage, Usage, by_role, role};
pub use window::{ReplySpan, Window};
