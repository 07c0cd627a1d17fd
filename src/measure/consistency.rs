//! Whether the numbers of a trial agree with each other: pure functions of counts.

/// How far from 1 a quotient may be that should be 1.
pub const TOLERANCE: f64 = 0.02;

/// Why the counts of the two sides do not agree; `None` if they do.
///
/// Over the whole trial, the server answered what the clients completed, and what was in
/// flight when they stopped: at most one request of each client whose reply did not come, or
/// was wrong. `open` is the number of these clients.
pub fn disagreement(answered: u64, completed: u64, open: u64) -> Option<String> {
    let agree = (completed..=completed + open).contains(&answered);
    (!agree).then(|| {
        format!(
            "the server answered {answered}, the clients completed {completed} (+{open} in flight)"
        )
    })
}

/// Little's law, L = λW, over the number of clients: 1 where it holds.
///
/// Of a closed loop, L is known: each client is either on its round trip or pausing. So the
/// mean time of both, times the echoes per second, makes the number of clients. Where it
/// makes less, clients were kept from doing either: by their own CPU, most likely.
///
/// From J. D. C. Little, "A Proof for the Queuing Formula: L = λW", Operations Research 9(3),
/// 1961.
///
/// ```
/// use echometer::measure::littles_law;
/// // 8 clients, each 1.5 ms under way and 0.5 ms away: 4,000 echoes per second.
/// assert_eq!(littles_law(4000.0, 1500.0, 500.0, 8), 1.0);
/// ```
pub fn littles_law(throughput_per_s: f64, rtt_us: f64, pause_us: f64, clients: usize) -> f64 {
    throughput_per_s * (rtt_us + pause_us) / 1e6 / clients as f64
}

/// Of a rate, the share that has to be sent for it to be kept.
const KEPT: f64 = 0.99;

/// Whether a rate was kept, both in requests per second, in a window of so many seconds.
///
/// Arrivals at random are so many, give or take the root of their number: three times that is
/// not held against anyone. Of arrivals at equal distances, one may lie beyond each end of the
/// window.
///
/// ```
/// use echometer::measure::is_rate_kept;
/// // Of 40,000 requests in 2 s, 39,600 less 600.
/// let at_random = |sent_per_s| is_rate_kept(20_000.0, sent_per_s, 2.0, true);
/// assert!(at_random(19_500.0) && !at_random(19_499.0));
/// // Of 100 in 1 s, 99 less 2.
/// let even = |sent_per_s| is_rate_kept(100.0, sent_per_s, 1.0, false);
/// assert!(even(97.0) && !even(96.0));
/// ```
pub fn is_rate_kept(rate_per_s: f64, sent_per_s: f64, window_s: f64, at_random: bool) -> bool {
    let due = rate_per_s * window_s;
    let chance = if at_random { 3.0 * due.sqrt() } else { 2.0 };
    // Of a window that is not known, nothing is left to chance.
    let chance_per_s = if window_s > 0.0 { chance / window_s } else { 0.0 };
    sent_per_s >= KEPT * rate_per_s - chance_per_s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree_up_to_one_request_in_flight_per_client() {
        assert_eq!(disagreement(100, 100, 0), None);
        assert_eq!(disagreement(102, 100, 2), None);
        assert_eq!(
            disagreement(103, 100, 2).unwrap(),
            "the server answered 103, the clients completed 100 (+2 in flight)"
        );
        assert!(disagreement(99, 100, 2).is_some());
    }

    #[test]
    fn clients_that_were_kept_from_echoing_are_missing() {
        // 10 clients, 1 ms a round trip: 10,000/s would be the law, 9,000 were seen.
        assert_eq!(littles_law(9000.0, 1000.0, 0.0, 10), 0.9);
    }
}
