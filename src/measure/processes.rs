//! The CPU time of all processes on this machine, so that those that are not part of a
//! measurement are noticed.
//!
//! /proc/stat counts in ticks of 10 ms, half of a slice. A process's CPU clock counts in
//! nanoseconds and costs two system calls to read, so the clocks of all processes are read instead.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::ClockId;
use nix::unistd::Pid;

use crate::os::cpus::Cpus;

/// A process and its descendants, measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tree {
    /// The process id of the first.
    pub root: u32,
    /// Whether it leads a process group: all members of the group belong to the tree.
    pub leads_group: bool,
}

/// All processes that are visible in /proc.
///
/// Kernel threads are not counted as other processes: they do this measurement's network
/// processing, too. Processes outside of this process's PID namespace are not visible.
#[derive(Debug)]
pub struct Processes {
    trees: Vec<Tree>,
    known: HashMap<i32, Known>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    owner: Owner,
    cpu: Duration,
}

/// Whose process it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// This process.
    This,
    /// The tree with this index.
    Tree(usize),
    Kernel,
    Other,
}

/// The CPU time used between two looks.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Activity {
    /// By each tree.
    pub trees: Vec<Duration>,
    /// By each other process that used any, with the CPU on which it ran last.
    pub others: Vec<(usize, Duration)>,
}

impl Activity {
    /// The CPU time of other processes on these CPUs.
    pub fn others_on(&self, cpus: &Cpus) -> Duration {
        let on = self.others.iter().filter(|(cpu, _)| cpus.numbers().contains(cpu));
        on.map(|(_, used)| *used).sum()
    }
}

/// Less CPU time than this is not attributed to a CPU: it takes one more file to read.
const NOTICED: Duration = Duration::from_micros(50);

impl Processes {
    /// Begins to watch; the trees' processes and this one are not others.
    ///
    /// # Errors
    ///
    /// Where /proc is not readable.
    pub fn watch(trees: Vec<Tree>) -> Result<Self> {
        let mut processes = Processes { trees, known: HashMap::new() };
        processes.look()?;
        Ok(processes)
    }

    /// The CPU time used since the last look. Of a process that has ended since, what it used
    /// after the last look is not known.
    ///
    /// # Errors
    ///
    /// Where /proc is not readable.
    pub fn look(&mut self) -> Result<Activity> {
        let mut activity =
            Activity { trees: vec![Duration::ZERO; self.trees.len()], others: Vec::new() };
        let mut seen = HashMap::with_capacity(self.known.len() + 8);
        for entry in fs::read_dir("/proc").context("cannot list /proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // A process may end between the listing and the look.
            let Some(cpu) = cpu_of(pid) else { continue };
            let before = self.known.get(&pid).filter(|known| known.cpu <= cpu).copied();
            let owner = before.map_or_else(|| self.owner(pid, &seen), |known| known.owner);
            let used = cpu.saturating_sub(before.map_or(Duration::ZERO, |known| known.cpu));
            match owner {
                Owner::Tree(index) => activity.trees[index] += used,
                Owner::Other if used >= NOTICED => {
                    activity.others.extend(Stat::of(pid).map(|stat| (stat.cpu, used)));
                }
                Owner::Other | Owner::This | Owner::Kernel => {}
            }
            seen.insert(pid, Known { owner, cpu });
        }
        self.known = seen;
        Ok(activity)
    }

    /// The process ids of a tree, as of the last look.
    pub fn pids_of(&self, tree: usize) -> Vec<u32> {
        let members = self.known.iter().filter(|(_, known)| known.owner == Owner::Tree(tree));
        let mut pids: Vec<_> = members.map(|(pid, _)| pid.cast_unsigned()).collect();
        pids.sort_unstable();
        pids
    }

    /// Whose process it is that was not there at the last look. Parents come before their
    /// children in /proc, but where process ids have wrapped around.
    fn owner(&self, pid: i32, seen: &HashMap<i32, Known>) -> Owner {
        /// The kernel thread that starts all others.
        const KTHREADD: i32 = 2;
        if pid.cast_unsigned() == std::process::id() {
            return Owner::This;
        }
        let Some(stat) = Stat::of(pid) else { return Owner::Other };
        let is_in = |tree: &Tree| {
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

/// The CPU time of the process `pid` and its threads so far; `None` if it has ended.
fn cpu_of(pid: i32) -> Option<Duration> {
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(pid)).ok()?;
    Some(clock.now().ok()?.into())
}

/// The CPU time of several processes so far; those that have ended are left out.
pub fn cpu_time(pids: &[u32]) -> Duration {
    pids.iter().filter_map(|pid| cpu_of(pid.cast_signed())).sum()
}

/// What /proc/PID/stat says, see `proc_pid_stat(5)`.
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

    /// The second field is the name in parentheses, and may hold anything.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // The third field of the line is the first one here.
        let field = |number: usize| fields.get(number - 3)?.parse::<i32>().ok();
        Some(Stat { parent: field(4)?, group: field(5)?, cpu: usize::try_from(field(39)?).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let rest = (6..39).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        let text = format!("7 (a) b (c) S 3 5 {rest} 1 0 0\n");
        assert_eq!(Stat::parse(&text), Some(Stat { parent: 3, group: 5, cpu: 1 }));
        assert_eq!(Stat::parse("7 (a) S 3"), None);
        assert_eq!(Stat::parse(""), None);
    }

    /// A shell that spins in a child process until it is killed.
    struct Spinner(Child);

    impl Spinner {
        fn start() -> Self {
            use std::os::unix::process::CommandExt;
            let mut command = Command::new("sh");
            command.args(["-c", "sh -c 'while :; do :; done'; true"]).process_group(0);
            Spinner(command.stdin(Stdio::null()).spawn().unwrap())
        }

        fn tree(&self) -> Tree {
            Tree { root: self.0.id(), leads_group: true }
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
    fn a_child_of_a_tree_belongs_to_it_and_is_no_other_process() {
        let spinner = Spinner::start();
        let mut processes = Processes::watch(vec![spinner.tree()]).unwrap();
        let mut used = Duration::ZERO;
        while used < Duration::from_millis(20) || processes.pids_of(0).len() < 2 {
            used += processes.look().unwrap().trees[0];
        }
        let pids = processes.pids_of(0);
        assert!(pids.contains(&spinner.0.id()), "{pids:?}");
        assert!(cpu_time(&pids) >= Duration::from_millis(20));
    }

    #[test]
    fn a_process_that_belongs_to_no_tree_is_noticed_on_its_cpu() {
        let mut processes = Processes::watch(Vec::new()).unwrap();
        let _spinner = Spinner::start();
        let all = Cpus::of(0).unwrap();
        let mut used = Duration::ZERO;
        while used < Duration::from_millis(20) {
            let activity = processes.look().unwrap();
            used += activity.others_on(&all);
            assert!(activity.others.iter().all(|(_, used)| *used >= NOTICED));
        }
    }
}
