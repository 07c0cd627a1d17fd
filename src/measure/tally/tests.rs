use super::*;

fn times(sent: Instant, received: Instant) -> EchoTimes {
    EchoTimes { due: None, sent, received }
}

#[test]
fn merged_server_tallies_span_the_answers_of_all_threads() {
    let start = Instant::now();
    let at = |s| start + Duration::from_secs(s);
    let mut one = ServerTally::default();
    one.record_answer("a", at(1));
    one.record_answer("b", at(3));
    let mut two = ServerTally::default();
    two.record_answer("b", at(2));
    two.record_answer("b", at(5));
    assert_eq!(one.service_time_us(), None);
    one.service_time = Duration::from_micros(50);
    two.service_time = Duration::from_micros(150);
    one.merge(two);
    one.merge(ServerTally::default());
    assert_eq!(one.service_time_us(), Some(50.0));
    assert_eq!((one.accesses, one.clients()), (4, 2));
    assert_eq!(one.duration(), Duration::from_secs(4));
    assert_eq!((one.throughput_per_s(), one.mean()), (1.0, 2.0));
}

#[test]
fn rates_are_zero_without_answers() {
    let empty = ServerTally::default();
    assert_eq!((empty.throughput_per_s(), empty.mean()), (0.0, 0.0));
}

#[test]
fn a_gap_is_a_failure_that_a_success_follows() {
    let now = Instant::now();
    let window = Window::after(now, Duration::ZERO, Duration::from_secs(1));
    let gaps = |outcomes: &str| {
        let mut tally = ClientTally { completed: 1, ..ClientTally::default() };
        for outcome in outcomes.chars() {
            match outcome {
                '+' => tally.record_success(
                    true,
                    times(now, now),
                    &window,
                    &mut Distributions::default(),
                ),
                _ => tally.record_failure("lost".to_owned()),
            }
        }
        tally.gaps()
    };
    assert_eq!(["", "+++", "--", "--+", "-+--", "-+-+--+-"].map(gaps), [0, 0, 0, 2, 1, 4]);
}

#[test]
fn a_slice_that_is_left_out_counts_only_in_completed() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let window = Window::after(start, Duration::ZERO, Duration::from_secs(1));
    let mut tally = ClientTally::default();
    let mut distributions = Distributions::default().sliced();
    for (rtt_ms, keep) in [(2, true), (50, false), (4, true)] {
        let times = times(at(100), at(100 + rtt_ms));
        tally.record_success(true, times, &window, &mut distributions);
        assert_eq!(tally.slice_messages(), 1);
        distributions.end_slice(keep);
        tally.end_slice(keep);
    }
    assert_eq!((tally.messages(), tally.completed), (2, 3));
    assert_eq!(tally.latency.maximum_ns(), Some(4_000_000));
    assert_eq!(tally.slice_messages(), 0);
    let longest = distributions.rtt.quantile_ns(1.0).unwrap();
    assert!((4_000_000..4_010_000).contains(&longest), "{longest}");
}

#[test]
fn only_replies_inside_the_window_count_as_messages() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let window = Window::after(start, Duration::from_millis(10), Duration::from_millis(10));
    let mut tally = ClientTally::default();
    for ms in [9, 11, 15, 19, 20] {
        let (sent, received) = (at(ms - 2), at(ms));
        tally.record_success(true, times(sent, received), &window, &mut Distributions::default());
    }
    assert_eq!(tally.reply_span, Some(ReplySpan { first: at(11), last: at(19) }));
    assert_eq!((tally.messages(), tally.completed), (3, 5));
}
