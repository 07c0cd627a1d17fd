//! What CPUs of this machine did, whoever had them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::cpus::Cpus;

/// The counters of every CPU at one instant, by its number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuTimes(BTreeMap<usize, Times>);

/// Of one CPU, in clock ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Times {
    idle: u64,
    /// For the kernel itself, or for the hypervisor: nobody's in particular.
    interrupts: u64,
    all: u64,
}

/// What some CPUs did between two instants, as shares of what they had to give.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CpuShares {
    /// Nothing.
    pub idle: f64,
    /// Interrupts, and what the hypervisor kept for others.
    pub interrupts: f64,
}

impl CpuTimes {
    /// Reads /proc/stat.
    ///
    /// # Errors
    ///
    /// Where it is not readable.
    pub fn now() -> Result<Self> {
        const STAT: &str = "/proc/stat";
        let text = std::fs::read_to_string(STAT).with_context(|| format!("cannot read {STAT}"))?;
        Ok(CpuTimes::parse(&text))
    }

    /// Reads lines such as `cpu0 10 0 5 100 1 2 3 4 0 0`, see `proc_stat(5)`.
    fn parse(text: &str) -> Self {
        let cpu = |line: &str| {
            let (name, counts) = line.strip_prefix("cpu")?.split_once(' ')?;
            let counts: Vec<u64> = counts.split(' ').map_while(|n| n.parse().ok()).collect();
            let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = counts[..] else {
                return None;
            };
            let (idle, interrupts) = (idle + iowait, irq + softirq + steal);
            let all = user + nice + system + idle + interrupts;
            Some((name.parse().ok()?, Times { idle, interrupts, all }))
        };
        CpuTimes(text.lines().filter_map(cpu).collect())
    }

    /// What `cpus` did since `earlier`; `None` where they are not listed.
    pub fn since(&self, earlier: &CpuTimes, cpus: &Cpus) -> Option<CpuShares> {
        let (mut idle, mut interrupts, mut all) = (0, 0, 0);
        for cpu in cpus.numbers() {
            let (now, then) = (self.0.get(cpu)?, earlier.0.get(cpu)?);
            idle += now.idle.saturating_sub(then.idle);
            interrupts += now.interrupts.saturating_sub(then.interrupts);
            all += now.all.saturating_sub(then.all);
        }
        let share = |ticks: u64| ticks as f64 / all as f64;
        (all > 0).then(|| CpuShares { idle: share(idle), interrupts: share(interrupts) })
    }
}

impl CpuShares {
    /// What was left to others, if `busy` is the share that is accounted for.
    pub fn others(&self, busy: f64) -> f64 {
        (1.0 - self.idle - self.interrupts - busy).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "cpu  30 0 10 200 2 0 4 4 0 0\n\
                          cpu0 10 0 5 100 1 0 2 2 0 0\n\
                          cpu3 20 0 5 100 1 0 2 2 0 0\nintr 1 2 3\n";
    const AFTER: &str = "cpu  130 0 60 290 3 5 9 4 0 0\n\
                         cpu0 60 0 25 120 1 5 2 2 0 0\n\
                         cpu3 20 0 5 198 3 0 2 2 0 0\nintr 9 9 9\n";

    fn cpus(text: &str) -> Cpus {
        text.parse().unwrap()
    }

    #[test]
    fn shares_are_of_what_the_cpus_had_to_give() {
        let (before, after) = (CpuTimes::parse(BEFORE), CpuTimes::parse(AFTER));
        // CPU 0: 50 user, 20 system, 20 idle, 5 interrupts, of 95.
        let zero = after.since(&before, &cpus("0")).unwrap();
        assert_eq!((zero.idle, zero.interrupts), (20.0 / 95.0, 5.0 / 95.0));
        assert!((zero.others(0.5) - (70.0 / 95.0 - 0.5)).abs() < 1e-12);
        assert_eq!(zero.others(0.99), 0.0);
        // CPU 3: 100 idle, of 100.
        let both = after.since(&before, &cpus("0,3")).unwrap();
        assert_eq!((both.idle, both.interrupts), (120.0 / 195.0, 5.0 / 195.0));
    }

    #[test]
    fn of_cpus_that_are_not_listed_nothing_is_known() {
        let times = CpuTimes::parse(BEFORE);
        assert_eq!(times.since(&times, &cpus("1")), None);
        assert_eq!(times.since(&times, &cpus("0")), None, "no time has passed");
        assert_eq!(CpuTimes::parse("cpu0 1 2\n").since(&times, &cpus("0")), None);
    }

    #[test]
    fn this_machine_lists_the_cpus_that_this_process_may_use() {
        let available = Cpus::of(0).unwrap();
        let before = CpuTimes::now().unwrap();
        let shares = std::iter::repeat_with(|| CpuTimes::now().unwrap().since(&before, &available));
        let shares = shares.flatten().next().unwrap();
        assert!((0.0..=1.0).contains(&shares.idle), "{shares:?}");
    }
}
