//! What is said of rows, sentence by sentence: no more than they show, and what to do where
//! they do not show it.

mod common;

use common::rows::{around, bounded, invalid, said, trials, with};
use echometer::results::Row;

fn server(rows: Vec<Row>) -> Vec<Row> {
    bounded(rows, "server")
}

#[test]
fn who_carries_most_by_how_much_and_from_how_many_clients_on() {
    let rows = [
        around("a", 1, 10_000.0),
        around("b", 1, 12_000.0),
        around("a", 8, 60_000.0),
        around("b", 8, 40_000.0),
        around("a", 24, 90_000.0),
        around("b", 24, 36_000.0),
    ];
    let [most, overtakes, level, bound] = &said(&server(rows.concat()))[..] else { panic!() };
    // Half the width of three values 1 % apart: 4.302653 · 0.01 / √3 = 2.48 % of the mean.
    assert_eq!(
        most,
        "a carries most: 90,000 ± 2,236 messages/s at 24 clients. a carries 2.25 ± 0.00 times \
         what b does at most (40,000, at 8 clients), and more from 8 clients on."
    );
    assert_eq!(overtakes, "a overtakes b from about 2 clients on (between 1 and 8 clients).");
    assert_eq!(
        level,
        "b: 8 clients carry 3.33 ± 0.00 times what 1 client does (40,000 ± 994 messages/s), and \
         no gain beyond can be claimed; 24 clients carry less, 36,000 ± 894 messages/s."
    );
    assert_eq!(
        bound,
        "At the highest point of every curve, the server's CPUs were full: it carries no more on \
         these CPUs as it is set."
    );
}

#[test]
fn a_leader_everywhere_and_one_that_does_not_lead_at_the_end() {
    let rows = [around("a", 1, 20_000.0), around("b", 1, 10_000.0)];
    let more = [around("a", 8, 60_000.0), around("b", 8, 30_000.0)];
    let end = [around("a", 24, 50_000.0), around("b", 24, 50_100.0)];
    let throughout = [rows.concat(), more.concat()].concat();
    assert_eq!(
        said(&throughout)[0],
        "a carries most: 60,000 ± 1,490 messages/s at 8 clients. a carries 2.00 ± 0.00 times what \
         b does at most (30,000, at 8 clients), and more wherever both may be ranked."
    );
    assert_eq!(
        said(&[throughout, end.concat()].concat())[0],
        "a carries most: 60,000 ± 1,490 messages/s at 8 clients. a carries 1.20 ± 0.00 times what \
         b does at most (50,100, at 24 clients); at 24 clients, the most that both have, no lead \
         is claimed."
    );
}

#[test]
fn tied_ones_are_not_told_apart() {
    let rows = [
        around("a", 8, 60_000.0),
        around("b", 8, 60_100.0),
        around("c", 8, 30_000.0),
        around("a", 24, 50_000.0),
        around("b", 24, 40_000.0),
    ];
    assert_eq!(
        said(&rows[..3].concat()),
        ["b and a carry most, and may not be told apart: 60,100 ± 1,493 messages/s at 8 clients \
          and 60,000 ± 1,490 messages/s at 8 clients. b carries 2.00 ± 0.00 times what c does at \
          most (30,000, at 8 clients)."]
    );
    let [tied, ..] = &said(&rows[..2].concat())[..] else { panic!() };
    assert!(tied.ends_with("messages/s at 8 clients."), "{tied}");
}

#[test]
fn a_factor_whose_interval_holds_one_is_no_lead() {
    // Welch: t = 14 / 3.27 at 2.6 degrees, p = 0.03. But 2.22, 1.36 and 1.60 are 1.73 ± 1.10.
    let rows = [
        trials("a", 8, &[40_000.0, 30_000.0, 32_000.0]),
        trials("b", 8, &[18_000.0, 22_000.0, 20_000.0]),
    ];
    assert!(said(&rows.concat())[0].starts_with("a and b carry most, and may not be told apart"));
}

#[test]
fn where_intervals_are_wide_nothing_is_said_of_where_it_levels() {
    let wide = |clients, mean: f64| trials("a", clients, &[mean, mean * 1.3, mean * 0.7]);
    assert_eq!(said(&[wide(1, 50_000.0), wide(8, 50_000.0)].concat()).len(), 1);
}

#[test]
fn the_baseline_is_told_beside_the_others_and_not_ranked_with_them() {
    let rows = [around("base", 8, 90_000.0), around("a", 8, 60_000.0), around("b", 8, 30_000.0)];
    assert_eq!(
        said(&rows.concat()),
        [
            "a carries most: 60,000 ± 1,490 messages/s at 8 clients. a carries 2.00 ± 0.00 times \
             what b does at most (30,000, at 8 clients).",
            "The baseline, base, carries 90,000 ± 2,236 messages/s at 8 clients, 1.50 ± 0.00 times \
             what a does.",
        ]
    );
    let alone = said(&rows[..2].concat());
    assert!(alone[0].starts_with("a carries at most 60,000 "), "{alone:?}");
    assert!(alone[1].starts_with("The baseline, base, carries 90,000 "), "{alone:?}");
    assert!(said(&rows[0])[0].starts_with("base carries at most 90,000 "));
}

#[test]
fn tuning_is_a_curve_of_its_own() {
    let tuned = |rows| with(rows, |row| row.tuning = Some("throughput".to_owned()));
    let rows = [around("a", 8, 60_000.0), tuned(around("a", 8, 90_000.0))];
    assert_eq!(
        said(&rows.concat()),
        ["a (tuned) carries most: 90,000 ± 2,236 messages/s at 8 clients. a (tuned) carries 1.50 \
          ± 0.00 times what a does at most (60,000, at 8 clients)."]
    );
}

#[test]
fn of_fewer_than_three_trials_no_difference_is_claimed() {
    let rows = [trials("a", 8, &[90_000.0]), trials("b", 8, &[30_000.0, 30_000.0])];
    assert_eq!(
        said(&rows.concat()),
        ["Fewer than 3 trials have no interval, and no difference is claimed. The means at their \
          highest points: a 90,000 messages/s at 8 clients and b 30,000 messages/s at 8 clients. \
          Measure with TRIALS=5, or --trials 5."]
    );
    let rows = [around("a", 8, 90_000.0), around("b", 8, 45_000.0), trials("c", 8, &[1.0])];
    assert_eq!(
        said(&rows.concat()),
        ["a carries most: 90,000 ± 2,236 messages/s at 8 clients. a carries 2.00 ± 0.00 times \
          what b does at most (45,000, at 8 clients). Of c nothing is claimed: fewer than 3 \
          trials were measured. Measure with TRIALS=5, or --trials 5."]
    );
}

#[test]
fn one_system_alone_is_compared_with_nothing() {
    assert_eq!(
        said(&around("a", 8, 60_000.0)),
        ["a carries at most 60,000 ± 1,490 messages/s at 8 clients. Nothing else was measured \
          under the same conditions."]
    );
    assert_eq!(
        said(&trials("a", 1, &[60_000.0])),
        ["a carries at most 60,000 messages/s at 1 client. Nothing else was measured under the \
          same conditions. Fewer than 3 trials have no interval. Measure with TRIALS=5, or \
          --trials 5."]
    );
}

#[test]
fn what_the_clients_bounded_is_not_ranked_and_what_to_do_is_said() {
    let rows = [
        bounded(around("a", 8, 90_000.0), "client"),
        server(around("b", 8, 45_000.0)),
        server(around("c", 8, 15_000.0)),
    ];
    assert_eq!(
        said(&rows.concat()),
        [
            "Of the servers that may be ranked, b carries most: 45,000 ± 1,118 messages/s at 8 \
             clients. b carries 3.00 ± 0.00 times what c does at most (15,000, at 8 clients).",
            "a (90,000 messages/s at 8 clients) is not ranked: the clients had no CPU time left, \
             so that this is how fast they are, and its server could carry more. Measure with \
             --driver lean (DRIVER=lean), whose clients cost less, or with more CPUs for the \
             clients (--client-cpus), or from machines of their own.",
            "At the highest point of b and c, the server's CPUs were full: it carries no more on \
             these CPUs as it is set.",
        ]
    );
    let alone = said(&rows[..2].concat());
    assert_eq!(alone[0], "Only b may be ranked: 45,000 ± 1,118 messages/s at 8 clients.");
    let lean = with(rows[0].clone(), |row| row.driver = "lean".to_owned());
    assert_eq!(
        said(&lean),
        ["a (90,000 messages/s at 8 clients) is not ranked: the clients had no CPU time left, so \
          that this is how fast they are, and its server could carry more. Measure with more CPUs \
          for the clients (--client-cpus), or from machines of their own."]
    );
}

#[test]
fn where_channels_are_shared_other_clients_are_no_way_out() {
    let rows = bounded(around("a", 8, 90_000.0), "client");
    let rows = with(rows, |row| row.channels = Some("shared".to_owned()));
    let told = said(&rows);
    assert!(told[0].contains("a (90,000 messages/s at 8 clients) is not ranked"));
    let advice = "Measure with more CPUs for the clients (--client-cpus), or from machines of \
                  their own.";
    assert!(told[0].ends_with(advice), "{told:?}");
}

#[test]
fn what_bounded_the_highest_points_and_what_that_means() {
    let of = |bound| said(&bounded(around("a", 8, 60_000.0), bound)).remove(1);
    assert_eq!(
        of("host"),
        "At the highest point of a, the CPUs of both sides were full, or those that they share: \
         with CPUs of its own, the server may carry more."
    );
    assert_eq!(
        of("latency"),
        "At the highest point of a, neither side's CPUs were full: the clients waited for \
         replies, or paused, or one thread was the limit; more clients may bring more."
    );
    let mut mixed = bounded(around("a", 8, 60_000.0), "latency");
    mixed[0].bound = Some("server".to_owned());
    assert_eq!(
        said(&mixed)[1],
        "At the highest point of a, the bound was not the same in all trials; the rows have that \
         of each."
    );
}

#[test]
fn what_is_left_out_or_disturbed_is_said() {
    let mut rows = [around("a", 1, 9000.0), around("a", 8, 60_000.0)].concat();
    rows[4].server_cpus_others = Some(0.5);
    let bad = |reason| invalid(Row { throughput_per_s: 1e9, ..rows[0].clone() }, reason);
    let bad = [bad("interrupted"), bad("both sides disagree"), bad("interrupted")];
    assert_eq!(
        said(&[&rows[..], &bad].concat()),
        [
            "a carries at most 9,000 ± 224 messages/s at 1 client. Nothing else was measured under \
             the same conditions.",
            "Other processes used the CPUs at some points, which rank no server: a at 8 clients. \
             Stop these processes, and measure again.",
            "3 of 9 trials do not hold, and are in no mean: interrupted (2) and both sides \
             disagree (1).",
        ]
    );
    assert_eq!(
        said(&bad[..1]),
        ["1 of 1 trials does not hold, and is in no mean: interrupted (1)."]
    );
}

#[test]
fn of_service_times_both_ends_are_told_and_where_one_overtakes() {
    let work = |rows, work: &str| with(rows, |row| row.work = Some(work.to_owned()));
    let rows = [
        work(around("a", 24, 90_000.0), "none"),
        work(around("b", 24, 45_000.0), "none"),
        work(around("a", 24, 40_000.0), "sleep:10us"),
        work(around("b", 24, 20_000.0), "sleep:10us"),
        work(around("a", 24, 5000.0), "sleep:100us"),
        work(around("b", 24, 10_000.0), "sleep:100us"),
        work(around("a", 24, 900.0), "spin:1ms"),
        work(around("b", 24, 901.0), "spin:1ms"),
    ];
    assert_eq!(
        said(&rows.concat()),
        [
            "Without work, a carries most: 90,000 ± 2,236 messages/s. a carries 2.00 ± 0.00 times \
             what b does (45,000).",
            "At a service time of 100 us, b (sleep) carries most: 10,000 ± 248 messages/s. b \
             (sleep) carries 2.00 ± 0.00 times what a (sleep) does (5,000).",
            "b (sleep) overtakes a (sleep) from a service time of about 32 us on (between 10 and \
             100 us).",
            "At a service time of 1,000 us, b (spin) and a (spin) carry most, and may not be told \
             apart: 901 ± 22 messages/s and 900 ± 22 messages/s.",
        ]
    );
}

#[test]
fn of_workers_it_is_told_from_how_many_on_nothing_is_gained() {
    let workers = |rows, workers| with(rows, |row| row.workers = Some(workers));
    let rows = [
        workers(around("a", 24, 30_000.0), 1),
        workers(around("a", 24, 45_000.0), 4),
        workers(around("a", 24, 45_100.0), 16),
        around("b", 24, 90_000.0),
    ];
    assert_eq!(
        said(&rows.concat()),
        [
            "a carries at most 45,100 ± 1,120 messages/s with 16 workers. Nothing else was measured \
             under the same conditions.",
            "a: 4 workers carry 1.50 ± 0.00 times what 1 worker does (45,000 ± 1,118 messages/s), \
             and no gain beyond can be claimed.",
            "Rows of b without workers are on no curve.",
        ]
    );
    let fewer = [workers(around("a", 24, 45_000.0), 1), workers(around("a", 24, 30_000.0), 4)];
    assert_eq!(
        said(&fewer.concat())[1],
        "a: no gain over 1 worker can be claimed (45,000 ± 1,118 messages/s); 4 workers carry \
         less, 30,000 ± 745 messages/s."
    );
}

#[test]
fn of_payloads_both_ends_are_told_in_messages_and_in_bytes() {
    let payload = |rows, bytes: u32| {
        with(rows, |row| (row.payload_bytes, row.reply_bytes) = (bytes as usize, bytes))
    };
    let rows = [
        payload(around("a", 24, 65_536.0), 16),
        payload(around("a", 24, 1000.0), 1 << 20),
        payload(around("b", 24, 32_768.0), 16),
        payload(around("b", 24, 2000.0), 1 << 20),
    ];
    let [small, large, overtakes, a, ..] = &said(&rows.concat())[..] else { panic!() };
    assert_eq!(
        small,
        "At a payload of 16 B, a carries most: 65,536 ± 1,628 messages/s. a carries 2.00 ± 0.00 \
         times what b does (32,768)."
    );
    assert!(large.starts_with("At a payload of 1 MiB, b carries most: 2,000 "), "{large}");
    // Half way between 16 B and 1 MiB over logarithms: 16 · 256.
    assert_eq!(
        overtakes,
        "b overtakes a from a payload of about 4 KiB on (between 16 B and 1 MiB)."
    );
    assert_eq!(
        a,
        "a carries 65,536 ± 1,628 messages/s (2.0 MiB/s) at a payload of 16 B, and 1,000 ± 25 \
         messages/s (2,000 MiB/s) at a payload of 1 MiB."
    );
}

#[test]
fn of_think_times_both_ends_are_told() {
    let think = |rows, us| with(rows, |row| row.think_us = us);
    let rows = [think(around("a", 24, 60_000.0), 0.0), think(around("a", 24, 20_000.0), 1000.0)];
    assert_eq!(
        said(&rows.concat())[1],
        "a carries 60,000 ± 1,490 messages/s without think time, and 20,000 ± 497 messages/s at a \
         think time of 1,000 us."
    );
}

#[test]
fn systems_are_compared_under_the_same_conditions_only() {
    let lean = with(around("a", 8, 90_000.0), |row| row.driver = "lean".to_owned());
    let said = said(&[lean, around("b", 8, 30_000.0)].concat());
    let alone = "Nothing else was measured under the same conditions.";
    assert!(said.iter().all(|sentence| sentence.ends_with(alone)), "{said:?}");
}

#[test]
fn what_was_measured_in_runs_of_their_own_has_a_ratio_of_means() {
    let own = |rows, run: &str| with(rows, |row| row.run_id = run.to_owned());
    let rows = [own(around("a", 8, 60_000.0), "x"), own(around("b", 8, 30_000.0), "y")];
    let most = said(&rows.concat()).remove(0);
    assert!(most.contains("a carries about 2.00 times what b does at most (30,000"), "{most}");
}
