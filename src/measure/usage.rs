//! What a process has used so far: CPU time, context switches, threads and memory.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::ClockId;
use nix::unistd::Pid;
use procfs::process::{Process, Task};

use super::role;

/// What was used until one instant, or between two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// User and system time, exactly.
    pub cpu: Duration,
    /// Of it, user time as the kernel tells it, in clock ticks.
    pub user_ticks: u64,
    /// Of it, system time as the kernel tells it, in clock ticks.
    pub system_ticks: u64,
    /// Context switches of threads that had to wait for something.
    pub voluntary: u64,
    /// Context switches of threads that would have gone on.
    pub involuntary: u64,
}

/// A thread at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadUsage {
    /// Its id.
    pub tid: i32,
    /// What it is for.
    pub role: String,
    /// What it has used.
    pub used: Counters,
}

/// A process at one instant.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// What it has used: CPU time of all its threads, those that have ended included, and
    /// context switches of those that live.
    pub used: Counters,
    /// Threads that live.
    pub thread_count: u64,
    /// What each of them has used, where that was asked for.
    pub threads: Vec<ThreadUsage>,
    /// The voluntary and involuntary context switches of each, by their ids.
    switches: BTreeMap<i32, (u64, u64)>,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
}

impl Usage {
    /// Reads what the process `pid` has used.
    ///
    /// The CPU time is that of the process's clock (`clock_getcpuclockid(3)`), in
    /// nanoseconds: /proc/PID/stat counts in ticks of 10 ms, from which only the shares of
    /// user and system time are taken. /proc/PID/status speaks of the main thread's context
    /// switches only, so that those of /proc/PID/task are summed up.
    ///
    /// # Errors
    ///
    /// Where the process has ended, or /proc is not readable.
    pub fn of(pid: u32) -> Result<Self> {
        Usage::read(pid, false)
    }

    /// The same with all of its threads, one by one: three files of /proc each.
    ///
    /// # Errors
    ///
    /// As [`Usage::of`].
    pub fn by_thread(pid: u32) -> Result<Self> {
        Usage::read(pid, true)
    }

    /// What was used since `earlier`.
    ///
    /// The context switches are those of threads that live: of one that has ended since, the
    /// kernel no longer tells them.
    pub fn since(&self, earlier: &Usage) -> Counters {
        let mut used = self.used.since(&earlier.used);
        (used.voluntary, used.involuntary) = (0, 0);
        for (tid, (voluntary, involuntary)) in &self.switches {
            let before = earlier.switches.get(tid).copied().unwrap_or_default();
            used.voluntary += voluntary.saturating_sub(before.0);
            used.involuntary += involuntary.saturating_sub(before.1);
        }
        used
    }

    /// Adds another process, as of a server that has several.
    pub fn add(&mut self, other: Usage) {
        self.used.add(&other.used);
        self.thread_count += other.thread_count;
        self.threads.extend(other.threads);
        self.switches.extend(other.switches);
        self.rss_bytes += other.rss_bytes;
    }

    fn read(pid: u32, by_thread: bool) -> Result<Self> {
        let read = || -> Result<Usage> {
            let pid = i32::try_from(pid)?;
            // The clocks first: they are what changes while the threads are being read.
            let cpu = ClockId::pid_cpu_clock_id(Pid::from_raw(pid))?.now()?;
            let process = Process::new(pid)?;
            let stat = process.stat()?;
            let mut usage = Usage::default();
            for task in process.tasks()?.flatten() {
                // A thread may end between the listing and the look.
                let Ok(mut used) = switches(&task) else { continue };
                usage.thread_count += 1;
                usage.used.voluntary += used.voluntary;
                usage.used.involuntary += used.involuntary;
                usage.switches.insert(task.tid, (used.voluntary, used.involuntary));
                if by_thread && let Ok(name) = times(&task, &mut used) {
                    let role = if task.tid == pid { "main" } else { role(&name) }.to_owned();
                    usage.threads.push(ThreadUsage { tid: task.tid, role, used });
                }
            }
            usage.used.cpu = cpu.into();
            (usage.used.user_ticks, usage.used.system_ticks) = (stat.utime, stat.stime);
            usage.rss_bytes = process.statm()?.resident * procfs::page_size();
            Ok(usage)
        };
        read().with_context(|| format!("cannot read what process {pid} used from /proc/{pid}"))
    }
}

/// The context switches of a thread.
fn switches(task: &Task) -> Result<Counters> {
    let status = task.status()?;
    Ok(Counters {
        voluntary: status.voluntary_ctxt_switches.unwrap_or(0),
        involuntary: status.nonvoluntary_ctxt_switches.unwrap_or(0),
        ..Counters::default()
    })
}

/// Adds the CPU times of a thread, and returns its name.
fn times(task: &Task, used: &mut Counters) -> Result<String> {
    let stat = task.stat()?;
    (used.user_ticks, used.system_ticks) = (stat.utime, stat.stime);
    used.cpu = Duration::from_nanos(task.schedstat()?.sum_exec_runtime);
    Ok(stat.comm)
}

impl Counters {
    /// What was used since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Counters) -> Counters {
        Counters {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            user_ticks: self.user_ticks.saturating_sub(earlier.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(earlier.system_ticks),
            voluntary: self.voluntary.saturating_sub(earlier.voluntary),
            involuntary: self.involuntary.saturating_sub(earlier.involuntary),
        }
    }

    /// Takes in what another thread used.
    pub fn add(&mut self, other: &Counters) {
        self.cpu += other.cpu;
        self.user_ticks += other.user_ticks;
        self.system_ticks += other.system_ticks;
        self.voluntary += other.voluntary;
        self.involuntary += other.involuntary;
    }

    /// The same in proportion: what was used for a part of the messages.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Counters {
        // Counts stay far below 2^53.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let scale = |count: u64| (count as f64 * factor).round() as u64;
        Counters {
            cpu: self.cpu.mul_f64(factor),
            user_ticks: self.user_ticks,
            system_ticks: self.system_ticks,
            voluntary: scale(self.voluntary),
            involuntary: scale(self.involuntary),
        }
    }

    /// User time; `None` where no tick tells its share.
    pub fn user(&self) -> Option<Duration> {
        let ticks = self.user_ticks + self.system_ticks;
        (ticks > 0).then(|| self.cpu.mul_f64(self.user_ticks as f64 / ticks as f64))
    }

    /// System time; `None` where no tick tells its share.
    pub fn system(&self) -> Option<Duration> {
        self.user().map(|user| self.cpu.saturating_sub(user))
    }

    /// Context switches, voluntary or not.
    pub fn switches(&self) -> u64 {
        self.voluntary + self.involuntary
    }
}

/// What threads of one role used between two instants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleUsage {
    /// The role.
    pub role: String,
    /// How many threads of it there were at the later instant.
    pub threads: u64,
    /// What they used.
    pub used: Counters,
}

/// What the threads of each role used between two looks at a process, by their roles.
///
/// A thread that has come since counts from nothing, and one that has gone is not known.
pub fn by_role(earlier: &[ThreadUsage], later: &[ThreadUsage]) -> Vec<RoleUsage> {
    let mut roles: Vec<RoleUsage> = Vec::new();
    for thread in later {
        let before = earlier.iter().find(|other| other.tid == thread.tid);
        let used = before.map_or(thread.used, |before| thread.used.since(&before.used));
        let role = &thread.role;
        let at = roles.iter().position(|known| known.role == *role).unwrap_or_else(|| {
            let used = Counters::default();
            roles.push(RoleUsage { role: role.clone(), threads: 0, used });
            roles.len() - 1
        });
        roles[at].threads += 1;
        roles[at].used.add(&used);
    }
    roles.sort_by(|a, b| a.role.cmp(&b.role));
    roles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(ms: u64, ticks: (u64, u64), switches: (u64, u64)) -> Counters {
        Counters {
            cpu: Duration::from_millis(ms),
            user_ticks: ticks.0,
            system_ticks: ticks.1,
            voluntary: switches.0,
            involuntary: switches.1,
        }
    }

    #[test]
    fn the_ticks_share_out_what_the_clock_tells() {
        let used = counters(350, (40, 60), (70, 7)).since(&counters(100, (30, 30), (10, 5)));
        // 10 of 40 ticks of 250 ms.
        assert_eq!(used.user(), Some(Duration::from_micros(62_500)));
        assert_eq!(used.system(), Some(Duration::from_micros(187_500)));
        assert_eq!((used.voluntary, used.involuntary, used.switches()), (60, 2, 62));
        assert_eq!(counters(9, (0, 0), (0, 0)).user(), None);
    }

    #[test]
    fn threads_of_one_role_are_added_up_and_new_ones_count_from_nothing() {
        let thread = |tid, role: &str, used| ThreadUsage { tid, role: role.to_owned(), used };
        let before = [
            thread(1, "worker", counters(10, (1, 0), (5, 0))),
            thread(2, "proxy", counters(20, (1, 1), (6, 1))),
            thread(9, "gone", counters(99, (9, 9), (9, 9))),
        ];
        let after = [
            thread(1, "worker", counters(40, (2, 2), (9, 2))),
            thread(2, "proxy", counters(25, (1, 1), (8, 1))),
            thread(3, "worker", counters(2, (0, 1), (1, 0))),
        ];
        let role = |role: &str, threads, used| RoleUsage { role: role.to_owned(), threads, used };
        assert_eq!(
            by_role(&before, &after),
            [
                role("proxy", 1, counters(5, (0, 0), (2, 0))),
                role("worker", 2, counters(32, (1, 3), (5, 2))),
            ]
        );
    }

    #[test]
    fn a_thread_that_ends_takes_no_switches_from_the_others() {
        let at = |switches: &[(i32, (u64, u64))]| Usage {
            used: counters(
                5,
                (0, 0),
                switches.iter().fold((0, 0), |(v, i), (_, s)| (v + s.0, i + s.1)),
            ),
            switches: switches.iter().copied().collect(),
            ..Usage::default()
        };
        let (before, after) = (at(&[(1, (100, 10)), (2, (5, 1))]), at(&[(2, (9, 2)), (3, (2, 0))]));
        let used = after.since(&before);
        assert_eq!((used.voluntary, used.involuntary), (4 + 2, 1));
    }

    #[test]
    fn this_process_uses_cpu_and_has_threads_and_memory() {
        let pid = std::process::id();
        let before = Usage::of(pid).unwrap();
        while Usage::of(pid).unwrap().used.cpu == before.used.cpu {}
        let after = Usage::by_thread(pid).unwrap();
        assert!(after.used.since(&before.used).cpu < Duration::from_secs(60));
        assert!(after.thread_count >= 1 && after.rss_bytes > 100_000);
        assert!(after.threads.iter().any(|thread| thread.role == "main"), "{after:?}");
        assert!(before.threads.is_empty());
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error_that_names_it() {
        let error = Usage::of(999_999_999).unwrap_err();
        assert!(format!("{error:#}").contains("process 999999999"));
    }
}
