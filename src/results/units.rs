//! Numbers in rows: rounded, and divided by the number of messages.

use std::time::Duration;

/// Rounds to `digits` decimal places, so that files contain no digits beyond the precision of the
/// measurement.
pub fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

/// Returns a count per message; `None` without messages.
pub fn per_message(count: u64, messages: f64) -> Option<f64> {
    (messages > 0.0).then(|| rounded(count as f64 / messages, 4))
}

/// Returns a time per message in us; `None` without messages.
pub fn us_per_message(time: Option<Duration>, messages: f64) -> Option<f64> {
    time.filter(|_| messages > 0.0).map(|time| rounded(time.as_secs_f64() * 1e6 / messages, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_to_nearest() {
        assert_eq!(rounded(1.23456, 3), 1.235);
        assert_eq!(rounded(-0.0004, 3), 0.0);
    }

    #[test]
    fn counts_and_times_are_divided_by_the_messages() {
        assert_eq!(us_per_message(Some(Duration::from_millis(250)), 1000.0), Some(250.0));
        assert_eq!(per_message(50, 1000.0), Some(0.05));
        assert_eq!((us_per_message(Some(Duration::ZERO), 0.0), per_message(1, 0.0)), (None, None));
        assert_eq!(us_per_message(None, 1.0), None);
    }
}
