//! How evenly something was shared out.

/// How evenly the messages were shared out among clients, or among workers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fairness {
    /// Jain's index: 1 where all had the same, 1/n where one had all.
    pub jain: f64,
    /// The share of the one that had least, of all messages.
    pub slowest: f64,
    /// The share of the one that had most.
    pub fastest: f64,
}

impl Fairness {
    /// Of the counts of each; `None` where nobody had anything.
    ///
    /// The index is (Σx)² / (n · Σx²), from R. Jain, D. Chiu and W. Hawe, "A Quantitative
    /// Measure of Fairness and Discrimination for Resource Allocation in Shared Computer
    /// Systems", DEC Research Report TR-301, 1984.
    ///
    /// ```
    /// use echometer::measure::Fairness;
    /// // (1 + 2 + 3)² / (3 · (1 + 4 + 9)) = 36 / 42
    /// let fairness = Fairness::of(&[1, 2, 3]).unwrap();
    /// assert!((fairness.jain - 36.0 / 42.0).abs() < 1e-12);
    /// assert_eq!((fairness.slowest, fairness.fastest), (1.0 / 6.0, 0.5));
    /// ```
    pub fn of(counts: &[u64]) -> Option<Self> {
        let sum: f64 = counts.iter().map(|&count| count as f64).sum();
        let squares: f64 = counts.iter().map(|&count| (count as f64).powi(2)).sum();
        let share = |count: Option<&u64>| count.map_or(0.0, |&count| count as f64 / sum);
        (sum > 0.0).then(|| Fairness {
            jain: sum * sum / (counts.len() as f64 * squares),
            slowest: share(counts.iter().min()),
            fastest: share(counts.iter().max()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_for_all_is_fair_and_all_for_one_is_not() {
        let all = Fairness::of(&[7, 7, 7, 7]).unwrap();
        assert_eq!((all.jain, all.slowest, all.fastest), (1.0, 0.25, 0.25));
        let one = Fairness::of(&[0, 0, 0, 9]).unwrap();
        assert_eq!((one.jain, one.slowest, one.fastest), (0.25, 0.0, 1.0));
    }

    #[test]
    fn nothing_to_share_out_is_neither() {
        assert_eq!(Fairness::of(&[]), None);
        assert_eq!(Fairness::of(&[0, 0]), None);
    }
}
