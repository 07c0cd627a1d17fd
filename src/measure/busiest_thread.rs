//! The busiest thread of a server: one thread that uses a whole CPU limits a server on several CPUs.

use std::time::Duration;

use super::{Usage, share};

/// Returns the busiest thread's share of the CPU time that the process used between two readings
/// with [`Usage::with_threads`]; `None` if the process used none.
///
/// A thread that started in between counts from zero. A thread that ended in between is unknown, so
/// the busiest thread may have used more.
pub fn busiest_thread(earlier: &Usage, later: &Usage) -> Option<f64> {
    let used = |thread: &super::ThreadUsage| {
        let before = earlier.threads.iter().find(|other| other.tid == thread.tid);
        before.map_or(thread.used.cpu, |before| thread.used.since(&before.used).cpu)
    };
    let all = later.used.since(&earlier.used).cpu;
    let busiest: Duration = later.threads.iter().map(used).max()?;
    // The clocks of the threads are read a moment after that of the process.
    (!all.is_zero()).then(|| share(busiest, all).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Counters, ThreadUsage};

    fn cpu(ms: u64) -> Counters {
        Counters { cpu: Duration::from_millis(ms), ..Counters::default() }
    }

    /// The usage of a process that has used `ms`, and of its threads: their ids and CPU times.
    fn usage(ms: u64, threads: &[(i32, u64)]) -> Usage {
        let thread =
            |&(tid, ms): &(i32, u64)| ThreadUsage { tid, role: String::new(), used: cpu(ms) };
        let mut usage = Usage::default();
        usage.used = cpu(ms);
        usage.threads = threads.iter().map(thread).collect();
        usage
    }

    #[test]
    fn busiest_thread_is_the_one_that_used_most_between_the_readings() {
        let before = usage(1000, &[(1, 900), (2, 100)]);
        // Thread 1 used 100 ms, thread 2 used 700 ms, and thread 3 is new.
        let after = usage(2000, &[(1, 1000), (2, 800), (3, 200)]);
        assert_eq!(busiest_thread(&before, &after), Some(0.7));
        // Thread 3 has the highest count, but not since the first reading.
        let after = usage(2000, &[(3, 750), (1, 901)]);
        assert_eq!(busiest_thread(&before, &after), Some(0.75));
    }

    #[test]
    fn share_is_unknown_without_cpu_time_or_threads_and_at_most_one() {
        let before = usage(10, &[(1, 10)]);
        assert_eq!(busiest_thread(&before, &before), None);
        assert_eq!(busiest_thread(&before, &usage(20, &[])), None);
        assert_eq!(busiest_thread(&before, &usage(20, &[(1, 21)])), Some(1.0));
    }
}
