//! What a process has used so far: CPU time, context switches, threads and memory.

use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::ClockId;
use nix::unistd::Pid;
use procfs::process::Process;

/// The counters of a process at one instant.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time of all its threads, those that have ended included.
    pub cpu: Duration,
    /// Context switches of the threads that live, voluntary or not.
    pub switches: u64,
    /// Threads that live.
    pub threads: u64,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
}

/// What a process used between two instants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UsageDelta {
    /// User and system time.
    pub cpu: Duration,
    /// Context switches, voluntary or not.
    pub switches: u64,
}

impl Usage {
    /// Reads the counters of the process `pid`.
    ///
    /// The CPU time is that of the process's clock (`clock_getcpuclockid(3)`), in
    /// nanoseconds: /proc/PID/stat counts in ticks of 10 ms. Of the others, /proc/PID/status
    /// speaks of the main thread only, so that /proc/PID/task is summed up.
    ///
    /// # Errors
    ///
    /// Where the process has ended, or /proc is not readable.
    pub fn of(pid: u32) -> Result<Self> {
        let read = || -> Result<Usage> {
            let pid = i32::try_from(pid)?;
            // The clock first: it is what changes while the threads are being read.
            let cpu = ClockId::pid_cpu_clock_id(Pid::from_raw(pid))?.now()?;
            let process = Process::new(pid)?;
            let mut usage = Usage { cpu: cpu.into(), ..Usage::default() };
            for task in process.tasks()?.flatten() {
                // A thread may end between the listing and the look.
                let Ok(status) = task.status() else { continue };
                usage.threads += 1;
                usage.switches += status.voluntary_ctxt_switches.unwrap_or(0)
                    + status.nonvoluntary_ctxt_switches.unwrap_or(0);
            }
            usage.rss_bytes = process.statm()?.resident * procfs::page_size();
            Ok(usage)
        };
        read().with_context(|| format!("cannot read what process {pid} used from /proc/{pid}"))
    }

    /// What was used since `earlier`.
    pub fn since(&self, earlier: &Usage) -> UsageDelta {
        UsageDelta {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            switches: self.switches.saturating_sub(earlier.switches),
        }
    }
}

impl UsageDelta {
    /// CPU time per message, in us; `None` without messages.
    pub fn cpu_us_per(&self, messages: f64) -> Option<f64> {
        (messages > 0.0).then(|| self.cpu.as_secs_f64() * 1e6 / messages)
    }

    /// Context switches per message; `None` without messages.
    pub fn switches_per(&self, messages: f64) -> Option<f64> {
        (messages > 0.0).then(|| self.switches as f64 / messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_divided_by_the_messages() {
        let before = Usage { cpu: Duration::from_millis(100), switches: 10, ..Usage::default() };
        let after = Usage { cpu: Duration::from_millis(350), switches: 60, ..Usage::default() };
        let used = after.since(&before);
        assert_eq!(used, UsageDelta { cpu: Duration::from_millis(250), switches: 50 });
        assert_eq!(used.cpu_us_per(1000.0), Some(250.0));
        assert_eq!(used.switches_per(1000.0), Some(0.05));
        assert_eq!((used.cpu_us_per(0.0), used.switches_per(0.0)), (None, None));
    }

    #[test]
    fn this_process_uses_cpu_and_has_threads_and_memory() {
        let pid = std::process::id();
        let before = Usage::of(pid).unwrap();
        while Usage::of(pid).unwrap().cpu == before.cpu {}
        let after = Usage::of(pid).unwrap();
        assert!(after.since(&before).cpu < Duration::from_secs(60));
        assert!(after.threads >= 1 && after.rss_bytes > 100_000);
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error_that_names_it() {
        let error = Usage::of(999_999_999).unwrap_err();
        assert!(format!("{error:#}").contains("process 999999999"));
    }
}
