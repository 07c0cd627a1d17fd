//! The time that the CPUs of this machine spent idle, in interrupts and stolen.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

use super::share;
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
}

/// How a set of CPUs spent the time between two instants, as shares of the wall-clock time.
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
            let [_user, _nice, _system, idle, iowait, irq, softirq, steal, ..] = counts[..] else {
                return None;
            };
            let (idle, interrupts) = (idle + iowait, irq + softirq);
            Some((name.parse().ok()?, Ticks { idle, interrupts, steal }))
        };
        CpuTimes(text.lines().filter_map(cpu).collect())
    }

    /// Returns how `cpus` spent the time since `earlier`, which was read `span` before; `None` if a
    /// CPU is not listed, or if no time has passed.
    ///
    /// The kernel loses ticks, so the sum of all counters can be less than the time that has
    /// passed. The shares therefore refer to the wall clock. They are at most 1.
    pub fn since(&self, earlier: &CpuTimes, cpus: &Cpus, span: Duration) -> Option<CpuShares> {
        let ticks = self.ticks_since(earlier, cpus)?;
        let available_s = span.as_secs_f64() * cpus.count() as f64;
        let share = |part: u64| (ticks_to_duration(part).as_secs_f64() / available_s).min(1.0);
        (available_s > 0.0).then(|| CpuShares {
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
        }
        Some(sum)
    }
}

fn ticks_to_duration(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / procfs::ticks_per_second() as f64)
}

/// Returns the resolution of an idle share over one span: its maximum error.
///
/// The kernel measures idle time in microseconds and reports whole ticks, so the difference of two
/// readings is off by less than one tick per CPU.
pub fn idle_resolution(span: Duration) -> f64 {
    share(ticks_to_duration(1), span)
}

/// Returns the resolution of an idle share over `spans` separate spans, in which `cpus` CPUs had
/// the time `available` together: twice the standard deviation of its error, which covers more
/// than 95 %.
///
/// The errors of the readings are independent and uniform within one tick. The difference of two
/// of them has a triangular distribution with a variance of 1/6 tick², and the variances add up.
pub fn summed_idle_resolution(spans: u32, cpus: usize, available: Duration) -> f64 {
    let deviation_in_ticks = (f64::from(spans) * cpus as f64 / 6.0).sqrt();
    2.0 * deviation_in_ticks * share(ticks_to_duration(1), available)
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

    /// 100 ticks.
    fn second() -> Duration {
        ticks_to_duration(100)
    }

    #[test]
    fn shares_refer_to_the_wall_clock_even_if_ticks_are_lost() {
        let (before, after) = (CpuTimes::parse(BEFORE), CpuTimes::parse(AFTER));
        // CPU 0: 50 user + 20 system + 20 idle + 5 interrupts = 95 ticks of 100; no steal.
        let zero = after.since(&before, &cpus("0"), second()).unwrap();
        assert_eq!((zero.idle, zero.interrupts, zero.stolen), (0.2, 0.05, 0.0));
        assert!((zero.others(0.5) - 0.25).abs() < 1e-12);
        assert_eq!(zero.others(0.99), 0.0);
        // CPU 3: 100 of 100 ticks idle.
        let both = after.since(&before, &cpus("0,3"), second()).unwrap();
        assert_eq!((both.idle, both.interrupts), (0.6, 0.025));
        let late = after.since(&before, &cpus("3"), second() / 2).unwrap();
        assert_eq!(late.idle, 1.0);
    }

    #[test]
    fn busy_and_idle_exceed_one_by_the_resolution_at_most() {
        // A window of 40 ticks of which the process used 36. The CPU was idle for 4 ticks, from
        // 0.1 ticks before a tick to 0.1 ticks after one, and 7 busy ticks were lost. Shares of
        // the summed ticks would add up to 36 / 40 + 5 / 34 = 1.05.
        let (before, after) = ("cpu0 0 0 0 0 0 0 0 0 0 0", "cpu0 29 0 0 5 0 0 0 0 0 0");
        let window = ticks_to_duration(40);
        let shares =
            CpuTimes::parse(after).since(&CpuTimes::parse(before), &cpus("0"), window).unwrap();
        let resolution = idle_resolution(window);
        assert_eq!(shares.idle, 0.125);
        assert!((resolution - 0.025).abs() < 1e-12, "{resolution}");
        assert!(36.0 / 40.0 + shares.idle <= 1.0 + resolution + 1e-12);
    }

    #[test]
    fn resolution_of_summed_spans_covers_95_percent_of_simulated_errors() {
        let mut rng = fastrand::Rng::with_seed(17);
        for (spans, cpus) in [(1_u32, 1_usize), (30, 1), (100, 3)] {
            let available = ticks_to_duration(3 * u64::from(spans) * cpus as u64);
            let ticks = f64::from(spans) * cpus as f64 * 3.0;
            let resolution = summed_idle_resolution(spans, cpus, available);
            let mut covered = 0;
            for _ in 0..2000 {
                // The idle counter's fraction of a tick when a span begins, and its idle time.
                let error_of_one = |_| {
                    let (begin, idle) = (rng.f64(), 2.0 * rng.f64());
                    (begin + idle).floor() - begin.floor() - idle
                };
                let error: f64 = (0..spans as usize * cpus).map(error_of_one).sum();
                covered += usize::from((error / ticks).abs() <= resolution);
            }
            assert!(covered >= 1900, "{spans} spans: {covered} of 2000");
        }
        // 2 x sqrt(24 / 6) = 4 ticks of 24 x 5 ticks.
        let exact = summed_idle_resolution(24, 1, ticks_to_duration(120));
        assert!((exact - 4.0 / 120.0).abs() < 1e-12, "{exact}");
    }

    #[test]
    fn steal_and_interrupts_are_separate_shares() {
        let stolen = AFTER.replace("cpu0 60 0 25 120 1 5 2 2", "cpu0 60 0 25 120 1 5 2 42");
        let (before, after) = (CpuTimes::parse(BEFORE), CpuTimes::parse(&stolen));
        let shares = after.since(&before, &cpus("0"), second() * 2).unwrap();
        // 40 of 200 ticks.
        assert_eq!((shares.stolen, shares.interrupts), (0.2, 0.025));
        assert_eq!(after.stolen_since(&before, &cpus("0,3")), Some(ticks_to_duration(40)));
        assert_eq!(after.idle_since(&before, &cpus("3")), Some(ticks_to_duration(100)));
        assert_eq!(after.stolen_since(&before, &cpus("1")), None);
    }

    #[test]
    fn shares_are_none_for_unlisted_cpus_and_empty_spans() {
        let times = CpuTimes::parse(BEFORE);
        assert_eq!(times.since(&times, &cpus("1"), second()), None);
        assert_eq!(times.since(&times, &cpus("0"), Duration::ZERO), None, "no time has passed");
        assert_eq!(CpuTimes::parse("cpu0 1 2\n").since(&times, &cpus("0"), second()), None);
    }

    #[test]
    fn proc_stat_lists_the_cpus_of_this_process() {
        let available = Cpus::of(0).unwrap();
        let before = CpuTimes::now().unwrap();
        let shares = CpuTimes::now().unwrap().since(&before, &available, second()).unwrap();
        assert!((0.0..=1.0).contains(&shares.idle), "{shares:?}");
    }
}
