//! Numbers as they stand in rows: per message, and rounded.

use std::time::Duration;

/// Digits beyond what was measured only make files longer.
pub fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

/// A count per message; `None` without messages.
pub fn per(count: u64, messages: f64) -> Option<f64> {
    (messages > 0.0).then(|| rounded(count as f64 / messages, 4))
}

/// A time per message, in us; `None` without messages.
pub fn us_per(time: Option<Duration>, messages: f64) -> Option<f64> {
    time.filter(|_| messages > 0.0).map(|time| rounded(time.as_secs_f64() * 1e6 / messages, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_and_not_cut() {
        assert_eq!(rounded(1.23456, 3), 1.235);
        assert_eq!(rounded(-0.0004, 3), 0.0);
    }

    #[test]
    fn what_was_used_is_divided_by_the_messages() {
        assert_eq!(us_per(Some(Duration::from_millis(250)), 1000.0), Some(250.0));
        assert_eq!(per(50, 1000.0), Some(0.05));
        assert_eq!((us_per(Some(Duration::ZERO), 0.0), per(1, 0.0)), (None, None));
        assert_eq!(us_per(None, 1.0), None);
    }
}
