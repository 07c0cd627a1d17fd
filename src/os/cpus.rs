//! CPU affinity: the CPUs on which a process may run.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// A set of CPUs: their numbers, ascending and without duplicates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cpus(Vec<usize>);

/// The CPUs requested for one side of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CpuChoice {
    /// The first CPU for the server, the other CPUs for the clients.
    #[default]
    Auto,
    /// All CPUs that this process may use.
    All,
    /// A list of CPUs.
    List(Cpus),
}

/// The CPUs of the two sides of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The server's CPUs.
    pub server: Cpus,
    /// The clients' CPUs.
    pub clients: Cpus,
}

/// Returns the number of CPUs available to the calling thread. It is limited by its affinity and
/// by the quota of its control group.
pub fn allowed() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

impl Cpus {
    /// Returns the CPUs on which the process or thread `pid` may run; 0 is the calling thread.
    ///
    /// # Errors
    ///
    /// If the process has ended.
    pub fn of(pid: u32) -> Result<Self> {
        let set = sched_getaffinity(Pid::from_raw(pid.cast_signed()))
            .with_context(|| format!("cannot read the CPU affinity of process {pid}"))?;
        Ok(Cpus((0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).collect()))
    }

    /// Binds the calling thread to these CPUs. Threads and processes that it starts later inherit
    /// the binding.
    ///
    /// # Errors
    ///
    /// If a CPU does not exist or is not allowed.
    pub fn bind_this_thread(&self) -> Result<()> {
        let mut set = CpuSet::new();
        let bound = self
            .0
            .iter()
            .try_for_each(|&cpu| set.set(cpu))
            .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
        bound.with_context(|| format!("cannot run on CPUs {self}"))
    }

    /// Returns the number of CPUs.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the CPUs that are in either set.
    #[must_use]
    pub fn union(&self, other: &Cpus) -> Cpus {
        let mut all: Vec<_> = self.0.iter().chain(&other.0).copied().collect();
        all.sort_unstable();
        all.dedup();
        Cpus(all)
    }

    /// Returns the CPUs that are in both sets; `None` if there are none.
    pub fn intersection(&self, other: &Cpus) -> Option<Cpus> {
        let common: Vec<_> = self.0.iter().filter(|cpu| other.0.contains(cpu)).copied().collect();
        (!common.is_empty()).then_some(Cpus(common))
    }

    /// Returns the CPU numbers, ascending.
    pub fn numbers(&self) -> &[usize] {
        &self.0
    }

    fn contains_all(&self, other: &Cpus) -> bool {
        other.0.iter().all(|cpu| self.0.contains(cpu))
    }
}

impl fmt::Display for Cpus {
    /// Writes consecutive CPUs as ranges, like the kernel: `0,2-3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.0.chunk_by(|a, b| a + 1 == *b).enumerate() {
            let comma = if i > 0 { "," } else { "" };
            match range {
                [only] => write!(f, "{comma}{only}")?,
                [first, .., last] => write!(f, "{comma}{first}-{last}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

impl FromStr for Cpus {
    type Err = String;

    /// Parses a list such as `0,2-3`.
    fn from_str(text: &str) -> Result<Self, String> {
        let error =
            || format!("'{text}' is not a list of CPUs; use auto, all, or a list as in 0,2-3");
        let mut list = Vec::new();
        for part in text.split(',') {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let from: usize = from.parse().map_err(|_| error())?;
            let to: usize = to.parse().map_err(|_| error())?;
            if from > to || to >= CpuSet::count() {
                return Err(error());
            }
            list.extend(from..=to);
        }
        list.sort_unstable();
        list.dedup();
        Ok(Cpus(list))
    }
}

impl FromStr for CpuChoice {
    type Err = String;

    /// Parses `auto`, `all`, or a list such as `0,2-3`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(CpuChoice::Auto),
            "all" => Ok(CpuChoice::All),
            list => list.parse().map(CpuChoice::List),
        }
    }
}

impl fmt::Display for CpuChoice {
    /// Writes the form that [`CpuChoice::from_str`] parses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CpuChoice::Auto => f.write_str("auto"),
            CpuChoice::All => f.write_str("all"),
            CpuChoice::List(cpus) => cpus.fmt(f),
        }
    }
}

impl Placement {
    /// Chooses the CPUs of both sides from the `available` CPUs.
    ///
    /// # Errors
    ///
    /// If a requested CPU is not available.
    pub fn choose(available: &Cpus, server: &CpuChoice, clients: &CpuChoice) -> Result<Self> {
        let (first, rest) = available.0.split_at(1.min(available.0.len()));
        let rest = if rest.is_empty() { first } else { rest };
        let choose = |choice: &CpuChoice, auto: &[usize]| match choice {
            CpuChoice::Auto => Ok(Cpus(auto.to_vec())),
            CpuChoice::All => Ok(available.clone()),
            CpuChoice::List(cpus) if available.contains_all(cpus) => Ok(cpus.clone()),
            CpuChoice::List(cpus) => {
                bail!("cannot run on CPUs {cpus}: this process may use only CPUs {available}")
            }
        };
        Ok(Placement { server: choose(server, first)?, clients: choose(clients, rest)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(text: &str) -> CpuChoice {
        text.parse().unwrap()
    }

    #[test]
    fn cpu_lists_are_displayed_in_kernel_format() {
        for (text, cpus) in
            [("0", "0"), ("3,0-1,1", "0-1,3"), ("0,2-3", "0,2-3"), ("5,4,7", "4-5,7")]
        {
            let CpuChoice::List(list) = choice(text) else { panic!("{text} is a list") };
            assert_eq!(list.to_string(), cpus);
        }
        for text in ["", "x", "1-", "2-1", "0,,1", "-1", "99999999"] {
            assert!(text.parse::<CpuChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn union_and_intersection_contain_each_cpu_once() {
        let cpus = |text: &str| text.parse::<Cpus>().unwrap();
        assert_eq!(cpus("0").union(&cpus("1-2")), cpus("0-2"));
        assert_eq!(cpus("0-1").union(&cpus("1-2")), cpus("0-2"));
        assert_eq!(cpus("0-1").intersection(&cpus("1-2")), Some(cpus("1")));
        assert_eq!(cpus("0").intersection(&cpus("1-2")), None);
    }

    #[test]
    fn auto_gives_the_server_the_first_cpu_and_the_clients_the_rest() {
        let choose = |available: &[usize], server, clients| {
            Placement::choose(&Cpus(available.to_vec()), &choice(server), &choice(clients))
                .map(|p| (p.server.to_string(), p.clients.to_string()))
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(choose(&[0, 1, 2, 3], "auto", "auto").unwrap(), pair("0", "1-3"));
        assert_eq!(choose(&[2, 5], "auto", "auto").unwrap(), pair("2", "5"));
        assert_eq!(choose(&[0], "auto", "auto").unwrap(), pair("0", "0"));
        assert_eq!(choose(&[0, 1], "all", "1").unwrap(), pair("0-1", "1"));
        let error = choose(&[0, 1], "3", "auto").unwrap_err().to_string();
        assert_eq!(error, "cannot run on CPUs 3: this process may use only CPUs 0-1");
    }
}
