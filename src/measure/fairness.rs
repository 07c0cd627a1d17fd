//! Fairness: how evenly messages are distributed among clients or workers.

/// The distribution of messages among clients or workers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fairness {
    /// Jain's index: 1 if all counts are equal, 1/n if one client or worker has all messages.
    pub jain: f64,
    /// Smallest count as a share of all messages.
    pub slowest: f64,
    /// Largest count as a share of all messages.
    pub fastest: f64,
}

impl Fairness {
    /// Computes the fairness of one count per client or worker; `None` if all counts are 0.
    ///
    /// The index is (Σx)² / (n · Σx²), from R. Jain, D. Chiu and W. Hawe, "A Quantitative
    /// Measure of Fairness and Discrimination for Resource Allocation in Shared Computer
    /// Systems", DEC Research Report TR-301, 1984.
    ///
    /// ```
    /// use echometer::measure::Fairness;
    /// // (1 + 2 + 3)² / (3 · (1 + 4 + 9)) = 36 / 42
    /// let fairness = Fairness::from_counts(&[1, 2, 3]).unwrap();
    /// assert!((fairness.jain - 36.0 / 42.0).abs() < 1e-12);
    /// assert_eq!((fairness.slowest, fairness.fastest), (1.0 / 6.0, 0.5));
    /// ```
    pub fn from_counts(counts: &[u64]) -> Option<Self> {
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
    fn jains_index_is_one_for_equal_counts_and_one_nth_for_a_single_recipient() {
        let equal = Fairness::from_counts(&[7, 7, 7, 7]).unwrap();
        assert_eq!((equal.jain, equal.slowest, equal.fastest), (1.0, 0.25, 0.25));
        let single = Fairness::from_counts(&[0, 0, 0, 9]).unwrap();
        assert_eq!((single.jain, single.slowest, single.fastest), (0.25, 0.0, 1.0));
    }

    #[test]
    fn fairness_is_none_without_messages() {
        assert_eq!(Fairness::from_counts(&[]), None);
        assert_eq!(Fairness::from_counts(&[0, 0]), None);
    }
}
