//! What may be said of a difference.

use super::Difference;

/// Whether two throughputs differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They do: Welch's p is under 0.05.
    Differs,
    /// Nothing may be claimed.
    Tie,
    /// There are fewer than 3 trials of one of them.
    TooFew,
}

impl Verdict {
    /// Of a difference, where there is enough to tell one.
    pub fn of(difference: Option<Difference>) -> Self {
        match difference {
            Some(difference) if difference.is_significant() => Verdict::Differs,
            Some(_) => Verdict::Tie,
            None => Verdict::TooFew,
        }
    }
}
