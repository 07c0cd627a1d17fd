//! The time that the CPUs of this machine spent idle, in interrupts and stolen.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::os::cpus::Cpus;

/// The counters of all CPUs at one instant, by CPU number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuTimes(BTreeMap<usize, Ticks>);

/// The counters of one CPU, in clock ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ticks {
    idle: u64,
    /// Time spent on interrupts, which belongs to no process.
    interrupts: u64,
    /// Time that the hypervisor gave to other virtual machines.
    steal: u64,
    total: u64,
}

/// How a set of CPUs spent the time between two instants, as shares of their time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CpuShares {
    /// Idle.
    pub idle: f64,
    /// Handling interrupts.
    pub interrupts: f64,
    /// Steal: given to other virtual machines by the hypervisor.
    pub stolen: f64,
}

impl CpuTimes {
    /// Reads /proc/stat.
    ///
    /// # Errors
    ///
    /// Returns an error if /proc/stat is not readable.
    pub fn now() -> Result<Self> {
        const STAT: &str = "/proc/stat";
        let text = std::fs::read_to_string(STAT).with_context(|| format!("cannot read {STAT}"))?;
        Ok(CpuTimes::parse(&text))
    }

    /// Parses lines such as `cpu0 10 0 5 100 1 2 3 4 0 0`; see `proc_stat(5)`.
    pub fn parse(text: &str) -> Self {
        let cpu = |line: &str| {
            let (name, counts) = line.strip_prefix("cpu")?.split_once(' ')?;
            let counts: Vec<u64> = counts.split(' ').map_while(|n| n.parse().ok()).collect();
            let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = counts[..] else {
                return None;
            };
            let (idle, interrupts) = (idle + iowait, irq + softirq);
            let total = user + nice + system + idle + interrupts + steal;
            Some((name.parse().ok()?, Ticks { idle, interrupts, steal, total }))
        };
        CpuTimes(text.lines().filter_map(cpu).collect())
    }

    /// Returns how `cpus` spent the time since `earlier`; `None` if a CPU is not listed, or if no
    /// time has passed.
    pub fn since(&self, earlier: &CpuTimes, cpus: &Cpus) -> Option<CpuShares> {
        let ticks = self.ticks_since(earlier, cpus)?;
        let share = |part: u64| part as f64 / ticks.total as f64;
        (ticks.total > 0).then(|| CpuShares {
            idle: share(ticks.idle),
            interrupts: share(ticks.interrupts),
            stolen: share(ticks.steal),
        })
    }

    /// Returns the steal of `cpus` since `earlier`, summed over the CPUs. The resolution is one
    /// clock tick. `None` if a CPU is not listed.
    pub fn stolen_since(&self, earlier: &CpuTimes, cpus: &Cpus) -> Option<Duration> {
        Some(ticks_to_duration(self.ticks_since(earlier, cpus)?.steal))
    }

    /// Returns the idle time of `cpus` since `earlier`, in the same way as
    /// [`CpuTimes::stolen_since`].
    pub fn idle_since(&self, earlier: &CpuTimes, cpus: &Cpus) -> Option<Duration> {
        Some(ticks_to_duration(self.ticks_since(earlier, cpus)?.idle))
    }

    fn ticks_since(&self, earlier: &CpuTimes, cpus: &Cpus) -> Option<Ticks> {
        let mut sum = Ticks::default();
        for cpu in cpus.numbers() {
            let (now, then) = (self.0.get(cpu)?, earlier.0.get(cpu)?);
            sum.idle += now.idle.saturating_sub(then.idle);
            sum.interrupts += now.interrupts.saturating_sub(then.interrupts);
            sum.steal += now.steal.saturating_sub(then.steal);
            sum.total += now.total.saturating_sub(then.total);
        }
        Some(sum)
    }
}

fn ticks_to_duration(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / procfs::ticks_per_second() as f64)
}

impl CpuShares {
    /// Returns the share that other processes used if this side used the share `busy`.
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
    fn shares_refer_to_the_total_time_of_the_cpus() {
        let (before, after) = (CpuTimes::parse(BEFORE), CpuTimes::parse(AFTER));
        // CPU 0: 50 user + 20 system + 20 idle + 5 interrupts = 95 ticks; no steal.
        let zero = after.since(&before, &cpus("0")).unwrap();
        assert_eq!((zero.idle, zero.interrupts, zero.stolen), (20.0 / 95.0, 5.0 / 95.0, 0.0));
        assert!((zero.others(0.5) - (70.0 / 95.0 - 0.5)).abs() < 1e-12);
        assert_eq!(zero.others(0.99), 0.0);
        // CPU 3: 100 of 100 ticks idle.
        let both = after.since(&before, &cpus("0,3")).unwrap();
        assert_eq!((both.idle, both.interrupts), (120.0 / 195.0, 5.0 / 195.0));
    }

    #[test]
    fn steal_and_interrupts_are_separate_shares() {
        let stolen = AFTER.replace("cpu0 60 0 25 120 1 5 2 2", "cpu0 60 0 25 120 1 5 2 42");
        let (before, after) = (CpuTimes::parse(BEFORE), CpuTimes::parse(&stolen));
        let shares = after.since(&before, &cpus("0")).unwrap();
        // 40 of 135 ticks.
        assert_eq!((shares.stolen, shares.interrupts), (40.0 / 135.0, 5.0 / 135.0));
        assert_eq!(after.stolen_since(&before, &cpus("0,3")), Some(ticks_to_duration(40)));
        assert_eq!(after.idle_since(&before, &cpus("3")), Some(ticks_to_duration(100)));
        assert_eq!(after.stolen_since(&before, &cpus("1")), None);
    }

    #[test]
    fn shares_are_none_for_unlisted_cpus_and_empty_spans() {
        let times = CpuTimes::parse(BEFORE);
        assert_eq!(times.since(&times, &cpus("1")), None);
        assert_eq!(times.since(&times, &cpus("0")), None, "no time has passed");
        assert_eq!(CpuTimes::parse("cpu0 1 2\n").since(&times, &cpus("0")), None);
    }

    #[test]
    fn proc_stat_lists_the_cpus_of_this_process() {
        let available = Cpus::of(0).unwrap();
        let before = CpuTimes::now().unwrap();
        let shares = std::iter::repeat_with(|| CpuTimes::now().unwrap().since(&before, &available));
        let shares = shares.flatten().next().unwrap();
        assert!((0.0..=1.0).contains(&shares.idle), "{shares:?}");
    }
}
