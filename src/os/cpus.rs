//! Which CPUs a process may run on.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// A set of CPUs, by their numbers, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cpus(Vec<usize>);

/// The CPUs that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CpuChoice {
    /// The server the first CPU, the clients the rest.
    #[default]
    Auto,
    /// All that this process may use.
    All,
    /// These.
    These(Cpus),
}

/// The CPUs of the two sides of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Those of the server.
    pub server: Cpus,
    /// Those of the clients.
    pub clients: Cpus,
}

/// On how many CPUs' worth of time the calling thread may run: its affinity, and the quota of its
/// control group.
pub fn allowed() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

impl Cpus {
    /// The CPUs that the process or thread `pid` may run on; 0 is the calling thread.
    ///
    /// # Errors
    ///
    /// Where the process has ended.
    pub fn of(pid: u32) -> Result<Self> {
        let set = sched_getaffinity(Pid::from_raw(pid.cast_signed()))
            .with_context(|| format!("cannot read the CPUs of process {pid}"))?;
        Ok(Cpus((0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).collect()))
    }

    /// Binds the calling thread, and what it starts from now on, to these CPUs.
    ///
    /// # Errors
    ///
    /// Where one of them is not there, or not allowed.
    pub fn bind_this_thread(&self) -> Result<()> {
        let mut set = CpuSet::new();
        let bound = self
            .0
            .iter()
            .try_for_each(|&cpu| set.set(cpu))
            .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
        bound.with_context(|| format!("cannot run on the CPUs {self}"))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Those of either.
    #[must_use]
    pub fn union(&self, other: &Cpus) -> Cpus {
        let mut all: Vec<_> = self.0.iter().chain(&other.0).copied().collect();
        all.sort_unstable();
        all.dedup();
        Cpus(all)
    }

    /// Those of both; `None` if there are none.
    pub fn shared_with(&self, other: &Cpus) -> Option<Cpus> {
        let shared: Vec<_> = self.0.iter().filter(|cpu| other.0.contains(cpu)).copied().collect();
        (!shared.is_empty()).then_some(Cpus(shared))
    }

    /// Their numbers, ascending.
    pub fn numbers(&self) -> &[usize] {
        &self.0
    }

    fn contains_all(&self, other: &Cpus) -> bool {
        other.0.iter().all(|cpu| self.0.contains(cpu))
    }
}

impl fmt::Display for Cpus {
    /// Writes runs as ranges, as the kernel does: `0,2-3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, run) in self.0.chunk_by(|a, b| a + 1 == *b).enumerate() {
            let comma = if i > 0 { "," } else { "" };
            match run {
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

    /// Reads a list such as `0,2-3`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' names no CPUs; write auto, all, or a list such as 0,2-3");
        let mut list = Vec::new();
        for part in text.split(',') {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let from: usize = from.parse().map_err(|_| wrong())?;
            let to: usize = to.parse().map_err(|_| wrong())?;
            if from > to || to >= CpuSet::count() {
                return Err(wrong());
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

    /// Reads `auto`, `all`, or a list such as `0,2-3`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(CpuChoice::Auto),
            "all" => Ok(CpuChoice::All),
            list => list.parse().map(CpuChoice::These),
        }
    }
}

impl fmt::Display for CpuChoice {
    /// Writes what [`CpuChoice::from_str`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CpuChoice::Auto => f.write_str("auto"),
            CpuChoice::All => f.write_str("all"),
            CpuChoice::These(cpus) => cpus.fmt(f),
        }
    }
}

impl Placement {
    /// Gives each side its CPUs, of those in `available`.
    ///
    /// # Errors
    ///
    /// Where one was asked for that is not available.
    pub fn choose(available: &Cpus, server: &CpuChoice, clients: &CpuChoice) -> Result<Self> {
        let (first, rest) = available.0.split_at(1.min(available.0.len()));
        let rest = if rest.is_empty() { first } else { rest };
        let choose = |choice: &CpuChoice, auto: &[usize]| match choice {
            CpuChoice::Auto => Ok(Cpus(auto.to_vec())),
            CpuChoice::All => Ok(available.clone()),
            CpuChoice::These(cpus) if available.contains_all(cpus) => Ok(cpus.clone()),
            CpuChoice::These(cpus) => {
                bail!("cannot run on the CPUs {cpus}: this process may use {available} only")
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
    fn lists_are_read_and_written_as_the_kernel_does() {
        for (text, cpus) in
            [("0", "0"), ("3,0-1,1", "0-1,3"), ("0,2-3", "0,2-3"), ("5,4,7", "4-5,7")]
        {
            let CpuChoice::These(list) = choice(text) else { panic!("{text} is a list") };
            assert_eq!(list.to_string(), cpus);
        }
        for text in ["", "x", "1-", "2-1", "0,,1", "-1", "99999999"] {
            assert!(text.parse::<CpuChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn cpus_of_both_sides_are_counted_once() {
        let cpus = |text: &str| text.parse::<Cpus>().unwrap();
        assert_eq!(cpus("0").union(&cpus("1-2")), cpus("0-2"));
        assert_eq!(cpus("0-1").union(&cpus("1-2")), cpus("0-2"));
        assert_eq!(cpus("0-1").shared_with(&cpus("1-2")), Some(cpus("1")));
        assert_eq!(cpus("0").shared_with(&cpus("1-2")), None);
    }

    #[test]
    fn by_default_the_server_has_the_first_cpu_and_the_clients_the_rest() {
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
        assert_eq!(error, "cannot run on the CPUs 3: this process may use 0-1 only");
    }
}
