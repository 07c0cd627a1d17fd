//! The CPU time of all processes on this machine, to detect processes that disturb a measurement.
//!
//! /proc/stat counts in ticks of 10 ms, half of a slice. The CPU clock of a process counts in
//! nanoseconds, and two system calls read it. Therefore the clocks of all processes are read.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::ClockId;
use nix::unistd::Pid;

use crate::os::cpus::Cpus;

/// A process and its descendants, measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessTree {
    /// The process id of the root.
    pub root: u32,
    /// Whether the root leads a process group. If so, all members of the group belong to the tree.
    pub leads_group: bool,
}

/// All processes that are visible in /proc.
///
/// Kernel threads do not count as other processes, because they also process the packets of this
/// measurement. Processes outside of this process's PID namespace are not visible.
#[derive(Debug)]
pub struct Processes {
    trees: Vec<ProcessTree>,
    /// The processes at the last sample, by process id.
    known: HashMap<i32, ProcessState>,
}

#[derive(Debug, Clone, Copy)]
struct ProcessState {
    owner: Owner,
    cpu: Duration,
}

/// The owner of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// This process.
    This,
    /// The tree with this index.
    Tree(usize),
    Kernel,
    Other,
}

/// CPU time used between two samples.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Activity {
    /// CPU time of each tree.
    pub trees: Vec<Duration>,
    /// CPU number and CPU time of each other process that used 50 us or more. The number is that
    /// of the CPU on which the process ran last.
    pub others: Vec<(usize, Duration)>,
}

impl Activity {
    /// Returns the CPU time that other processes used on `cpus`.
    pub fn others_on(&self, cpus: &Cpus) -> Duration {
        let on = self.others.iter().filter(|(cpu, _)| cpus.numbers().contains(cpu));
        on.map(|(_, used)| *used).sum()
    }
}

/// A process that used less CPU time than this is ignored, because attributing its time to a CPU
/// requires reading another file.
const MIN_ATTRIBUTED: Duration = Duration::from_micros(50);

impl Processes {
    /// Takes the first sample. All processes outside of `trees`, except this one and kernel
    /// threads, are other processes.
    ///
    /// # Errors
    ///
    /// Returns an error if /proc is not readable.
    pub fn new(trees: Vec<ProcessTree>) -> Result<Self> {
        let mut processes = Processes { trees, known: HashMap::new() };
        processes.sample()?;
        Ok(processes)
    }

    /// Returns the CPU time used since the last sample. If a process has ended since, its CPU time
    /// after the last sample is unknown and not included.
    ///
    /// # Errors
    ///
    /// Returns an error if /proc is not readable.
    pub fn sample(&mut self) -> Result<Activity> {
        let mut activity =
            Activity { trees: vec![Duration::ZERO; self.trees.len()], others: Vec::new() };
        let mut seen = HashMap::with_capacity(self.known.len() + 8);
        for entry in fs::read_dir("/proc").context("cannot list /proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // A process may end after it was listed.
            let Some(cpu) = process_cpu_time(pid) else { continue };
            let before = self.known.get(&pid).filter(|known| known.cpu <= cpu).copied();
            let owner = before.map_or_else(|| self.owner(pid, &seen), |known| known.owner);
            let used = cpu.saturating_sub(before.map_or(Duration::ZERO, |known| known.cpu));
            match owner {
                Owner::Tree(index) => activity.trees[index] += used,
                Owner::Other if used >= MIN_ATTRIBUTED => {
                    activity.others.extend(Stat::of(pid).map(|stat| (stat.cpu, used)));
                }
                Owner::Other | Owner::This | Owner::Kernel => {}
            }
            seen.insert(pid, ProcessState { owner, cpu });
        }
        self.known = seen;
        Ok(activity)
    }

    /// Returns the process ids of a tree at the last sample.
    pub fn pids_of(&self, tree: usize) -> Vec<u32> {
        let members = self.known.iter().filter(|(_, known)| known.owner == Owner::Tree(tree));
        let mut pids: Vec<_> = members.map(|(pid, _)| pid.cast_unsigned()).collect();
        pids.sort_unstable();
        pids
    }

    /// Determines the owner of a process that did not exist at the last sample. /proc lists parents
    /// before their children, unless process ids have wrapped around.
    fn owner(&self, pid: i32, seen: &HashMap<i32, ProcessState>) -> Owner {
        /// The process id of the kernel thread that starts all other kernel threads.
        const KTHREADD: i32 = 2;
        if pid.cast_unsigned() == std::process::id() {
            return Owner::This;
        }
        let Some(stat) = Stat::of(pid) else { return Owner::Other };
        let is_in = |tree: &ProcessTree| {
            let root = tree.root.cast_signed();
            pid == root || stat.parent == root || (tree.leads_group && stat.group == root)
        };
        if let Some(index) = self.trees.iter().position(is_in) {
            return Owner::Tree(index);
        }
        if pid == KTHREADD || stat.parent == KTHREADD {
            return Owner::Kernel;
        }
        let parent = seen.get(&stat.parent).or_else(|| self.known.get(&stat.parent));
        match parent.map(|parent| parent.owner) {
            Some(Owner::Tree(index)) => Owner::Tree(index),
            _ => Owner::Other,
        }
    }
}

/// Returns the CPU time of the process `pid` and its threads so far; `None` if it has ended.
fn process_cpu_time(pid: i32) -> Option<Duration> {
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(pid)).ok()?;
    Some(clock.now().ok()?.into())
}

/// Returns the sum of the CPU times of `pids` so far; processes that have ended are left out.
pub fn cpu_time(pids: &[u32]) -> Duration {
    pids.iter().filter_map(|pid| process_cpu_time(pid.cast_signed())).sum()
}

/// Fields of /proc/PID/stat; see `proc_pid_stat(5)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: i32,
    group: i32,
    cpu: usize,
}

impl Stat {
    fn of(pid: i32) -> Option<Self> {
        Stat::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The second field is the process name in parentheses, which may contain any characters.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // `fields` starts with the third field of the line.
        let field = |number: usize| fields.get(number - 3)?.parse::<i32>().ok();
        Some(Stat { parent: field(4)?, group: field(5)?, cpu: usize::try_from(field(39)?).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    #[test]
    fn stat_is_parsed_if_the_process_name_contains_parentheses() {
        let rest = (6..39).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        let text = format!("7 (a) b (c) S 3 5 {rest} 1 0 0\n");
        assert_eq!(Stat::parse(&text), Some(Stat { parent: 3, group: 5, cpu: 1 }));
        assert_eq!(Stat::parse("7 (a) S 3"), None);
        assert_eq!(Stat::parse(""), None);
    }

    /// A shell with a child process that spins until it is killed.
    struct Spinner(Child);

    impl Spinner {
        fn start() -> Self {
            use std::os::unix::process::CommandExt;
            let mut command = Command::new("sh");
            command.args(["-c", "sh -c 'while :; do :; done'; true"]).process_group(0);
            Spinner(command.stdin(Stdio::null()).spawn().unwrap())
        }

        fn tree(&self) -> ProcessTree {
            ProcessTree { root: self.0.id(), leads_group: true }
        }
    }

    impl Drop for Spinner {
        fn drop(&mut self) {
            let group = Pid::from_raw(self.0.id().cast_signed());
            let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_child_process_belongs_to_the_tree_of_its_parent() {
        let spinner = Spinner::start();
        let mut processes = Processes::new(vec![spinner.tree()]).unwrap();
        let mut used = Duration::ZERO;
        while used < Duration::from_millis(20) || processes.pids_of(0).len() < 2 {
            used += processes.sample().unwrap().trees[0];
        }
        let pids = processes.pids_of(0);
        assert!(pids.contains(&spinner.0.id()), "{pids:?}");
        assert!(cpu_time(&pids) >= Duration::from_millis(20));
    }

    #[test]
    fn a_process_outside_of_all_trees_is_attributed_to_its_cpu() {
        let mut processes = Processes::new(Vec::new()).unwrap();
        let _spinner = Spinner::start();
        let all = Cpus::of(0).unwrap();
        let mut used = Duration::ZERO;
        while used < Duration::from_millis(20) {
            let activity = processes.sample().unwrap();
            used += activity.others_on(&all);
            assert!(activity.others.iter().all(|(_, used)| *used >= MIN_ATTRIBUTED));
        }
    }
}
