//! Resource usage of a process: CPU time, context switches, threads and memory.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::time::ClockId;
use nix::unistd::Pid;
use procfs::process::{Process, Task};

/// CPU time and context switches, either up to one instant or between two instants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// User and system time, with nanosecond resolution.
    pub cpu: Duration,
    /// User time as reported by the kernel, in clock ticks.
    pub user_ticks: u64,
    /// System time as reported by the kernel, in clock ticks.
    pub system_ticks: u64,
    /// Voluntary context switches: the thread had to wait.
    pub voluntary: u64,
    /// Involuntary context switches: the thread was preempted.
    pub involuntary: u64,
}

/// The usage of a thread at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadUsage {
    /// Thread id.
    pub tid: i32,
    /// Role of the thread, see [`role`]; `main` for the main thread.
    pub role: String,
    /// Its counters.
    pub used: Counters,
}

/// The usage of a process at one instant.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// CPU time of all threads, including those that have ended, and context switches of the live
    /// threads.
    pub used: Counters,
    /// Number of live threads.
    pub thread_count: u64,
    /// Usage of each live thread; empty unless read by [`Usage::with_threads`].
    pub threads: Vec<ThreadUsage>,
    /// Voluntary and involuntary context switches of each live thread, by thread id.
    switches: BTreeMap<i32, (u64, u64)>,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    /// When the CPU clock was read.
    pub read_at: Option<Instant>,
}

impl Usage {
    /// Reads the usage of the process `pid`.
    ///
    /// The CPU time comes from the CPU clock of the process (`clock_getcpuclockid(3)`), in
    /// nanoseconds. /proc/PID/stat counts in ticks of 10 ms; only the ratio of user to system time
    /// is taken from it. /proc/PID/status covers the context switches of the main thread only, so
    /// those of all threads in /proc/PID/task are summed.
    ///
    /// # Errors
    ///
    /// Returns an error if the process has ended, or if /proc is not readable.
    pub fn read(pid: u32) -> Result<Self> {
        Usage::read_process(pid, false)
    }

    /// Reads the usage of the process `pid` and of each of its threads, from three files per
    /// thread.
    ///
    /// # Errors
    ///
    /// As [`Usage::read`].
    pub fn with_threads(pid: u32) -> Result<Self> {
        Usage::read_process(pid, true)
    }

    /// Returns the usage since `earlier`.
    ///
    /// The context switches are those of live threads, because the kernel does not report the
    /// counts of a thread that has ended.
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

    /// Adds the usage of another process of the same server.
    pub fn add(&mut self, other: Usage) {
        self.used.add(&other.used);
        self.thread_count += other.thread_count;
        self.threads.extend(other.threads);
        self.switches.extend(other.switches);
        self.rss_bytes += other.rss_bytes;
    }

    fn read_process(pid: u32, with_threads: bool) -> Result<Self> {
        let read = || -> Result<Usage> {
            let pid = i32::try_from(pid)?;
            // The CPU clock is read first, because it advances while the threads are read.
            let cpu = ClockId::pid_cpu_clock_id(Pid::from_raw(pid))?.now()?;
            let read_at = Some(Instant::now());
            let process = Process::new(pid)?;
            let stat = process.stat()?;
            let mut usage = Usage { read_at, ..Usage::default() };
            for task in process.tasks()?.flatten() {
                // A thread may end after it was listed.
                let Ok(mut used) = read_switches(&task) else { continue };
                usage.thread_count += 1;
                usage.used.voluntary += used.voluntary;
                usage.used.involuntary += used.involuntary;
                usage.switches.insert(task.tid, (used.voluntary, used.involuntary));
                if with_threads && let Ok(name) = read_times(&task, &mut used) {
                    let role = if task.tid == pid { "main" } else { role(&name) }.to_owned();
                    usage.threads.push(ThreadUsage { tid: task.tid, role, used });
                }
            }
            usage.used.cpu = cpu.into();
            (usage.used.user_ticks, usage.used.system_ticks) = (stat.utime, stat.stime);
            usage.rss_bytes = process.statm()?.resident * procfs::page_size();
            Ok(usage)
        };
        read().with_context(|| format!("cannot read the usage of process {pid} from /proc/{pid}"))
    }
}

/// Reads the context switches of a thread.
fn read_switches(task: &Task) -> Result<Counters> {
    let status = task.status()?;
    Ok(Counters {
        voluntary: status.voluntary_ctxt_switches.unwrap_or(0),
        involuntary: status.nonvoluntary_ctxt_switches.unwrap_or(0),
        ..Counters::default()
    })
}

/// Reads the CPU times of a thread into `used`, and returns the thread's name.
fn read_times(task: &Task, used: &mut Counters) -> Result<String> {
    let stat = task.stat()?;
    (used.user_ticks, used.system_ticks) = (stat.utime, stat.stime);
    used.cpu = Duration::from_nanos(task.schedstat()?.sum_exec_runtime);
    Ok(stat.comm)
}

impl Counters {
    /// Returns the difference to `earlier`.
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

    /// Adds the counters of another thread or process.
    pub fn add(&mut self, other: &Counters) {
        self.cpu += other.cpu;
        self.user_ticks += other.user_ticks;
        self.system_ticks += other.system_ticks;
        self.voluntary += other.voluntary;
        self.involuntary += other.involuntary;
    }

    /// Scales CPU time and context switches, for a part of the messages. The ticks are not scaled,
    /// because only their ratio is used.
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

    /// User time; `None` if no tick was counted.
    pub fn user(&self) -> Option<Duration> {
        let ticks = self.user_ticks + self.system_ticks;
        (ticks > 0).then(|| self.cpu.mul_f64(self.user_ticks as f64 / ticks as f64))
    }

    /// System time; `None` if no tick was counted.
    pub fn system(&self) -> Option<Duration> {
        self.user().map(|user| self.cpu.saturating_sub(user))
    }

    /// Number of context switches, voluntary and involuntary.
    pub fn switches(&self) -> u64 {
        self.voluntary + self.involuntary
    }
}

/// The usage of all threads of one role between two instants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleUsage {
    /// Role of the threads.
    pub role: String,
    /// Number of threads at the later instant.
    pub threads: u64,
    /// Sum of their counters.
    pub used: Counters,
}

/// Returns the usage of each role between two readings of a process, sorted by role.
///
/// A thread that started in between counts from zero. A thread that ended in between is not
/// included.
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

/// Name prefixes of threads that libraries start, and the roles of these threads.
///
/// The kernel truncates thread names to 15 bytes.
const LIBRARY_ROLES: [(&str, &str); 6] = [
    ("ZMQbg/IO", "io"),
    ("ZMQbg/Reaper", "reaper"),
    ("grpc-cq", "completion-queue"),
    ("grpc_global_tim", "timer"),
    ("default-executo", "executor"),
    ("resolver-execut", "resolver"),
];

/// Returns the role of a thread with the given name in /proc: the name without its number, which
/// all threads of a kind share.
///
/// ```
/// use echometer::measure::role;
/// assert_eq!(["worker-3", "worker-12", "proxy"].map(role), ["worker", "worker", "proxy"]);
/// ```
pub fn role(name: &str) -> &str {
    let library = LIBRARY_ROLES.iter().find(|(prefix, _)| name.starts_with(prefix));
    library.map_or_else(
        || name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['-', '/', ' ']),
        |(_, role)| role,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_a_kind_have_the_same_role() {
        for (name, expected) in [
            ("handler", "handler"),
            ("connection", "connection"),
            ("client-999", "client"),
            ("ZMQbg/IO/0", "io"),
            ("ZMQbg/Reaper", "reaper"),
            ("grpc-cq-1", "completion-queue"),
            ("event_engine", "event_engine"),
            ("42", ""),
        ] {
            assert_eq!(role(name), expected, "{name}");
        }
    }

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
    fn cpu_time_is_divided_in_the_ratio_of_user_to_system_ticks() {
        let used = counters(350, (40, 60), (70, 7)).since(&counters(100, (30, 30), (10, 5)));
        // 10 of 40 ticks are user time; the CPU clock advanced by 250 ms.
        assert_eq!(used.user(), Some(Duration::from_micros(62_500)));
        assert_eq!(used.system(), Some(Duration::from_micros(187_500)));
        assert_eq!((used.voluntary, used.involuntary, used.switches()), (60, 2, 62));
        assert_eq!(counters(9, (0, 0), (0, 0)).user(), None);
    }

    #[test]
    fn threads_of_one_role_are_summed_and_new_threads_count_from_zero() {
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
    fn a_thread_that_ended_does_not_reduce_the_switches_of_the_others() {
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
    fn usage_of_this_process_has_cpu_time_threads_and_memory() {
        let pid = std::process::id();
        let before = Usage::read(pid).unwrap();
        while Usage::read(pid).unwrap().used.cpu == before.used.cpu {}
        let after = Usage::with_threads(pid).unwrap();
        assert!(after.used.since(&before.used).cpu < Duration::from_secs(60));
        assert!(after.thread_count >= 1 && after.rss_bytes > 100_000);
        assert!(after.threads.iter().any(|thread| thread.role == "main"), "{after:?}");
        assert!(before.threads.is_empty());
    }

    #[test]
    fn reading_a_missing_process_fails_with_its_pid() {
        let error = Usage::read(999_999_999).unwrap_err();
        assert!(format!("{error:#}").contains("process 999999999"));
    }
}
