//! Detects slices that steal or other processes disturbed.

use std::time::Duration;

use super::{Activity, CpuTimes, busy};
use crate::os::cpus::Cpus;

/// A slice is disturbed if steal or other processes took this share or more of one side's CPUs.
/// An unsliced trial is disturbed if steal took this share.
pub const DISTURBED_SHARE: f64 = 0.02;

/// CPU time that one side lost, as shares of the time of its CPUs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Loss {
    /// Steal: lost to other virtual machines.
    pub stolen: f64,
    /// Lost to other processes.
    pub others: f64,
}

impl Loss {
    /// Returns the loss of `cpus` within `span`, from the counters before and after it.
    ///
    /// `activity` is `None` if other processes cannot be distinguished from the servers.
    ///
    /// ```
    /// use std::time::Duration;
    /// use echometer::measure::{CpuTimes, Loss};
    /// // 1 tick of 10 ms was stolen from CPU 0 within 28 ms.
    /// let before = CpuTimes::parse("cpu0 50 0 20 100 0 0 0 7 0 0\n");
    /// let after = CpuTimes::parse("cpu0 51 0 20 101 0 0 0 8 0 0\n");
    /// let (cpus, span) = ("0".parse().unwrap(), Duration::from_millis(28));
    /// let loss = Loss::between([&before, &after], None, &cpus, span);
    /// assert_eq!(loss.stolen, 10.0 / 28.0);
    /// assert!(loss.is_disturbing());
    /// ```
    pub fn between(
        [before, after]: [&CpuTimes; 2],
        activity: Option<&Activity>,
        cpus: &Cpus,
        span: Duration,
    ) -> Self {
        let share = |time: Duration| busy(time, span, cpus.count()).unwrap_or(0.0);
        Loss {
            stolen: after.stolen_since(before, cpus).map_or(0.0, share),
            others: activity.map_or(0.0, |activity| share(activity.others_on(cpus))),
        }
    }

    /// Whether a slice with this loss is left out. The decision never depends on throughput.
    pub fn is_disturbing(&self) -> bool {
        self.stolen.max(self.others) >= DISTURBED_SHARE
    }

    /// Returns the maximum of each component.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Loss { stolen: self.stolen.max(other.stolen), others: self.others.max(other.others) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_millis(40);

    fn cpus(text: &str) -> Cpus {
        text.parse().unwrap()
    }

    fn times(steal: [u64; 2]) -> CpuTimes {
        let line = |(cpu, steal)| format!("cpu{cpu} 10 0 10 10 0 0 0 {steal} 0 0\n");
        CpuTimes::parse(&steal.into_iter().enumerate().map(line).collect::<String>())
    }

    #[test]
    fn steal_is_a_share_of_the_given_cpus() {
        let (before, after) = (times([5, 5]), times([5, 7]));
        let loss = |list| Loss::between([&before, &after], None, &cpus(list), SPAN);
        assert_eq!((loss("0").stolen, loss("1").stolen, loss("0-1").stolen), (0.0, 0.5, 0.25));
        assert!(!loss("0").is_disturbing() && loss("1").is_disturbing());
        // The loss of a CPU that is not listed is unknown and counts as 0.
        assert_eq!(loss("9"), Loss::default());
    }

    #[test]
    fn other_processes_disturb_a_slice_from_two_percent_on() {
        let used = |us| {
            let activity =
                Activity { others: vec![(1, Duration::from_micros(us))], ..Activity::default() };
            let times = times([0, 0]);
            let loss = |list| Loss::between([&times, &times], Some(&activity), &cpus(list), SPAN);
            [loss("0"), loss("1")].map(|loss| loss.is_disturbing())
        };
        assert_eq!((used(799), used(800)), ([false, false], [false, true]));
    }

    #[test]
    fn max_is_taken_for_each_component() {
        let one = Loss { stolen: 0.1, others: 0.0 };
        let other = Loss { stolen: 0.0, others: 0.3 };
        assert_eq!(one.max(other), Loss { stolen: 0.1, others: 0.3 });
    }
}
