//! What CPUs of this machine did, whoever had them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::os::cpus::Cpus;

/// The counters of every CPU at one instant, by its number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuTimes(BTreeMap<usize, Times>);

/// Of one CPU, in clock ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Times {
    idle: u64,
    /// Handling interrupts: no process's in particular.
    interrupts: u64,
    /// Given to other virtual machines by the hypervisor.
    steal: u64,
    all: u64,
}

/// What some CPUs did between two instants, as shares of what they had to give.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CpuShares {
    /// Nothing.
    pub idle: f64,
    /// Interrupts.
    pub interrupts: f64,
    /// Steal: the hypervisor gave this share to other virtual machines.
    pub stolen: f64,
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
    pub fn parse(text: &str) -> Self {
        let cpu = |line: &str| {
            let (name, counts) = line.strip_prefix("cpu")?.split_once(' ')?;
            let counts: Vec<u64> = counts.split(' ').map_while(|n| n.parse().ok()).collect();
            let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = counts[..] else {
                return None;
            };
            let (idle, interrupts) = (idle + iowait, irq + softirq);
            let all = user + nice + system + idle + interrupts + steal;
            Some((name.parse().ok()?, Times { idle, interrupts, steal, all }))
        };
        CpuTimes(text.lines().filter_map(cpu).collect())
    }

    /// What `cpus` did since `earlier`; `None` where they are not listed.
    pub fn since(&self, earlier: &CpuTimes, cpus: &Cpus) -> Option<CpuShares> {
        let ticks = self.ticks_since(earlier, cpus)?;
        let share = |part: u64| part as f64 / ticks.all as f64;
        (ticks.all > 0).then(|| CpuShares {
            idle: share(ticks.idle),
            interrupts: share(ticks.interrupts),
            stolen: share(ticks.steal),
        })
    }

    /// Time that the hypervisor took from `cpus` since `earlier`, summed over them, in steps of
    /// one clock tick; `None` where they are not listed.
    pub fn stolen_since(&self, earlier: &CpuTimes, cpus: &Cpus) -> Option<Duration> {
        Some(time(self.ticks_since(earlier, cpus)?.steal))
    }

    /// Time in which `cpus` were idle since `earlier`, as for [`CpuTimes::stolen_since`].
    pub fn idle_since(&self, earlier: &CpuTimes, cpus: &Cpus) -> Option<Duration> {
        Some(time(self.ticks_since(earlier, cpus)?.idle))
    }

    fn ticks_since(&self, earlier: &CpuTimes, cpus: &Cpus) -> Option<Times> {
        let mut sum = Times::default();
        for cpu in cpus.numbers() {
            let (now, then) = (self.0.get(cpu)?, earlier.0.get(cpu)?);
            sum.idle += now.idle.saturating_sub(then.idle);
            sum.interrupts += now.interrupts.saturating_sub(then.interrupts);
            sum.steal += now.steal.saturating_sub(then.steal);
            sum.all += now.all.saturating_sub(then.all);
        }
        Some(sum)
    }
}

fn time(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / procfs::ticks_per_second() as f64)
}

impl CpuShares {
    /// The share that other processes used, if this side used `busy`.
    pub fn others(&self, busy: f64) -> f64 {
        (1.0 - self.idle - self.interrupts - self.stolen - busy).max(0.0)
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
        // CPU 0: 50 user, 20 system, 20 idle, 5 interrupts, of 95; nothing was stolen.
        let zero = after.since(&before, &cpus("0")).unwrap();
        assert_eq!((zero.idle, zero.interrupts, zero.stolen), (20.0 / 95.0, 5.0 / 95.0, 0.0));
        assert!((zero.others(0.5) - (70.0 / 95.0 - 0.5)).abs() < 1e-12);
        assert_eq!(zero.others(0.99), 0.0);
        // CPU 3: 100 idle, of 100.
        let both = after.since(&before, &cpus("0,3")).unwrap();
        assert_eq!((both.idle, both.interrupts), (120.0 / 195.0, 5.0 / 195.0));
    }

    #[test]
    fn steal_is_kept_apart_from_interrupts() {
        let stolen = AFTER.replace("cpu0 60 0 25 120 1 5 2 2", "cpu0 60 0 25 120 1 5 2 42");
        let (before, after) = (CpuTimes::parse(BEFORE), CpuTimes::parse(&stolen));
        let shares = after.since(&before, &cpus("0")).unwrap();
        // 40 of 135 ticks.
        assert_eq!((shares.stolen, shares.interrupts), (40.0 / 135.0, 5.0 / 135.0));
        let ticks = |count: u64| time(count);
        assert_eq!(after.stolen_since(&before, &cpus("0,3")), Some(ticks(40)));
        assert_eq!(after.idle_since(&before, &cpus("3")), Some(ticks(100)));
        assert_eq!(after.stolen_since(&before, &cpus("1")), None);
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
