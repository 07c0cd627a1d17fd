//! Consistency checks on the counts of a trial: pure functions.

/// Largest deviation from 1 that is accepted in [`littles_law`].
pub const LITTLES_LAW_TOLERANCE: f64 = 0.02;

/// Describes the mismatch between the counts of server and clients; `None` if they agree.
///
/// Both counts cover the whole trial. The server answered all echoes that the clients completed. It
/// may also have answered every request that was `sent_in_vain`, although too late, or on a
/// connection that broke. A server that claims more answers than it was asked for is wrong, not slow.
pub fn count_mismatch(answered: u64, completed: u64, sent_in_vain: u64) -> Option<String> {
    let agree = (completed..=completed.saturating_add(sent_in_vain)).contains(&answered);
    (!agree).then(|| {
        format!(
            "the server answered {answered}, the clients completed {completed} \
             (+{sent_in_vain} sent in vain)"
        )
    })
}

/// Returns L = λW (Little's law) divided by the number of clients: 1 if the law holds.
///
/// In a closed loop, L is the number of clients, because each client is either waiting for a
/// reply or pausing. So throughput times (mean round trip + mean pause) equals the number of
/// clients, apart from time that belongs to no counted round trip or pause: the ends of the window
/// (a stall at its close, above all), echoes that failed, and, with the native driver, delays
/// between the end of an echo and the clock reading before the next one.
///
/// The lean driver uses one clock reading as the end of an echo and as the begin of the next one, so
/// that nothing lies between them. A driver that lacks CPU time makes the round trips longer and
/// keeps the product: this function cannot detect it. See [`DriverLag`](super::DriverLag).
///
/// Source: J. D. C. Little, "A Proof for the Queuing Formula: L = λW", Operations Research 9(3),
/// 1961.
///
/// ```
/// use echometer::measure::littles_law;
/// // 8 clients with a round trip of 1.5 ms and a pause of 0.5 ms: 4,000 echoes per second.
/// assert_eq!(littles_law(4000.0, 1500.0, 500.0, 8), 1.0);
/// ```
pub fn littles_law(throughput_per_s: f64, rtt_us: f64, pause_us: f64, clients: usize) -> f64 {
    throughput_per_s * (rtt_us + pause_us) / 1e6 / clients as f64
}

/// Largest deviation from the offered load, as a share, at which the rate counts as kept.
const RATE_TOLERANCE: f64 = 0.01;

/// Returns whether the clients kept their schedule: the number of replies in the window differs
/// from the number of requests that were due in it by at most 1 % plus one request per client,
/// which may be in flight at either end, but no more than three times the square root of the number
/// due: with very many clients, few of them have a request in flight.
///
/// Fewer replies mean that the backlog grew. More mean that it shrank: the window began with
/// requests of the warm-up, and their latency is not that of the rate.
///
/// ```
/// use echometer::measure::is_schedule_kept;
/// // 10,000 requests were due for 24 clients: 100 + 24 may be missing or in surplus.
/// let kept = |answered| is_schedule_kept(10_000, answered, 24);
/// assert!(kept(9_876) && kept(10_124));
/// assert!(!kept(9_875) && !kept(10_125));
/// // With 1,000 clients, 100 + 3 * sqrt(10,000) may be missing.
/// assert!(is_schedule_kept(10_000, 9_600, 1_000) && !is_schedule_kept(10_000, 9_599, 1_000));
/// ```
pub fn is_schedule_kept(due: u64, answered: u64, clients: usize) -> bool {
    let (deviation, due) = (due.abs_diff(answered) as f64, due as f64);
    deviation <= RATE_TOLERANCE * due + (clients as f64).min(3.0 * due.sqrt())
}

/// Returns whether the clients kept the offered rate, for rows that lack the exact number of
/// requests due: it deviates by at most 1 %, plus an allowance for chance.
///
/// The number of random (Poisson) arrivals has a standard deviation of its square root; the
/// allowance is three times that. With constant arrivals, one request may fall outside each end
/// of the window, so the allowance is two requests.
///
/// ```
/// use echometer::measure::is_rate_kept;
/// // 40,000 requests are due in 2 s: 99 % are 39,600, less 3 * sqrt(40,000) = 600.
/// let random = |sent_per_s| is_rate_kept(20_000.0, sent_per_s, 2.0, true);
/// assert!(random(19_500.0) && !random(19_499.0));
/// assert!(random(20_500.0) && !random(20_501.0));
/// // 100 requests are due in 1 s: 99 % are 99, less 2.
/// let constant = |sent_per_s| is_rate_kept(100.0, sent_per_s, 1.0, false);
/// assert!(constant(97.0) && !constant(96.0));
/// ```
pub fn is_rate_kept(rate_per_s: f64, sent_per_s: f64, window_s: f64, is_poisson: bool) -> bool {
    let due = rate_per_s * window_s;
    let allowance = if is_poisson { 3.0 * due.sqrt() } else { 2.0 };
    // Without a known window, there is no allowance.
    let allowance_per_s = if window_s > 0.0 { allowance / window_s } else { 0.0 };
    (sent_per_s - rate_per_s).abs() <= RATE_TOLERANCE * rate_per_s + allowance_per_s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_may_differ_by_the_requests_sent_in_vain() {
        assert_eq!(count_mismatch(100, 100, 0), None);
        assert_eq!(count_mismatch(102, 100, 2), None);
        assert_eq!(
            count_mismatch(103, 100, 2).unwrap(),
            "the server answered 103, the clients completed 100 (+2 sent in vain)"
        );
        assert!(count_mismatch(99, 100, 2).is_some());
    }

    #[test]
    fn delayed_clients_reduce_littles_law_below_one() {
        // 10 clients with a round trip of 1 ms: the law requires 10,000/s; 9,000/s were counted.
        assert_eq!(littles_law(9000.0, 1000.0, 0.0, 10), 0.9);
    }
}
