//! Findings about rows, sentence by sentence: each claims no more than the rows support, or says
//! what to measure instead.

mod common;

use common::rows::{around, bounded, invalid, modified, sentences, trials};
use echometer::results::Row;

fn server_bound(rows: Vec<Row>) -> Vec<Row> {
    bounded(rows, "server")
}

#[test]
fn the_fastest_system_is_named_with_its_ratio_and_crossover() {
    let rows = [
        around("a", 1, 10_000.0),
        around("b", 1, 12_000.0),
        around("a", 8, 60_000.0),
        around("b", 8, 40_000.0),
        around("a", 24, 90_000.0),
        around("b", 24, 36_000.0),
    ];
    let [fastest, crossover, saturation, bound] = &sentences(&server_bound(rows.concat()))[..]
    else {
        panic!()
    };
    // Half-width for three values 1 % apart: 4.302653 · 0.01 / √3 = 2.48 % of the mean.
    assert_eq!(
        fastest,
        "a is fastest: 90,000 ± 2,236 messages/s at 24 clients. a delivers 2.25 ± 0.00 times the \
         peak throughput of b, which is 40,000 messages/s at 8 clients; a is faster from 8 clients \
         on."
    );
    assert_eq!(crossover, "a overtakes b at about 2 clients (between 1 and 8 clients).");
    assert_eq!(
        saturation,
        "b delivers 40,000 ± 994 messages/s at 8 clients, 3.33 ± 0.00 times its throughput at 1 \
         client. More clients bring no significant gain; a gain of 0.0 % would have been detected. \
         At 24 clients, throughput falls to 36,000 ± 894 messages/s."
    );
    assert_eq!(bound, "At peak throughput, every server used all of its CPU time.");
}

#[test]
fn a_lead_is_claimed_everywhere_or_not_at_the_last_point() {
    let rows = [around("a", 1, 20_000.0), around("b", 1, 10_000.0)];
    let more = [around("a", 8, 60_000.0), around("b", 8, 30_000.0)];
    let end = [around("a", 24, 50_000.0), around("b", 24, 50_100.0)];
    let throughout = [rows.concat(), more.concat()].concat();
    assert_eq!(
        sentences(&throughout)[0],
        "a is fastest: 60,000 ± 1,490 messages/s at 8 clients. a delivers 2.00 ± 0.00 times the \
         peak throughput of b, which is 30,000 messages/s at 8 clients; a is faster at every point \
         where both can be ranked."
    );
    assert_eq!(
        sentences(&[throughout, end.concat()].concat())[0],
        "a is fastest: 60,000 ± 1,490 messages/s at 8 clients. a delivers 1.20 ± 0.00 times the \
         peak throughput of b, which is 50,100 messages/s at 24 clients; at 24 clients, the last \
         point that both have, a has no significant lead."
    );
}

#[test]
fn tied_systems_have_no_significant_difference() {
    let rows = [
        around("a", 8, 60_000.0),
        trials("b", 8, &[60_100.0, 59_500.0, 60_700.0]),
        around("c", 8, 30_000.0),
        around("a", 24, 50_000.0),
        around("b", 24, 40_000.0),
    ];
    // Half-widths of the logarithm of b/a: 4.302653 · 0.02 / √3 = 0.0497, or 5.1 %.
    assert_eq!(
        sentences(&rows[..3].concat()),
        ["b and a are fastest, with no significant difference: 60,100 ± 1,490 messages/s at 8 \
          clients and 60,000 ± 1,490 messages/s at 8 clients; a difference of 5.1 % would have \
          been detected. b delivers 2.00 ± 0.10 times the peak throughput of c, which is 30,000 \
          messages/s at 8 clients."]
    );
    let [tied, ..] = &sentences(&rows[..2].concat())[..] else { panic!() };
    assert!(tied.ends_with("; a difference of 5.1 % would have been detected."), "{tied}");
}

#[test]
fn a_ratio_whose_interval_contains_one_is_a_tie() {
    // An unpaired test of the means would claim a difference: t = 14 / 3.27 at 2.6 degrees, p = 0.03.
    // The logarithms of 2.22, 1.36 and 1.60 are 0.526 ± 0.144: t = 3.66 at 2 degrees, p = 0.07.
    let rows = [
        trials("a", 8, &[40_000.0, 30_000.0, 32_000.0]),
        trials("b", 8, &[18_000.0, 22_000.0, 20_000.0]),
    ];
    let found = sentences(&rows.concat());
    assert!(found[0].starts_with("a and b are fastest, with no significant difference: "));
}

#[test]
fn wide_intervals_allow_no_claim_about_saturation() {
    let wide = |clients, mean: f64| trials("a", clients, &[mean, mean * 1.3, mean * 0.7]);
    assert_eq!(sentences(&[wide(1, 50_000.0), wide(8, 50_000.0)].concat()).len(), 1);
}

#[test]
fn the_baseline_is_reported_separately_and_not_ranked() {
    let rows = [around("base", 8, 90_000.0), around("a", 8, 60_000.0), around("b", 8, 30_000.0)];
    assert_eq!(
        sentences(&rows.concat()),
        [
            "a is fastest: 60,000 ± 1,490 messages/s at 8 clients. a delivers 2.00 ± 0.00 times \
             the peak throughput of b, which is 30,000 messages/s at 8 clients.",
            "The baseline, base, delivers 90,000 ± 2,236 messages/s at 8 clients, 1.50 ± 0.00 \
             times the throughput of a.",
        ]
    );
    let alone = sentences(&rows[..2].concat());
    assert!(alone[0].starts_with("The peak throughput of a is 60,000 "), "{alone:?}");
    assert!(alone[1].starts_with("The baseline, base, delivers 90,000 "), "{alone:?}");
    assert!(sentences(&rows[0])[0].starts_with("The peak throughput of base is 90,000 "));
}

#[test]
fn a_tuned_system_is_a_separate_curve() {
    let tuned = |rows| modified(rows, |row| row.tuning = Some("throughput".to_owned()));
    let rows = [around("a", 8, 60_000.0), tuned(around("a", 8, 90_000.0))];
    assert_eq!(
        sentences(&rows.concat()),
        [
            "a (tuned) is fastest: 90,000 ± 2,236 messages/s at 8 clients. a (tuned) delivers 1.50 ± \
          0.00 times the peak throughput of a, which is 60,000 messages/s at 8 clients."
        ]
    );
}

#[test]
fn fewer_than_three_trials_allow_no_claim() {
    let rows = [trials("a", 8, &[90_000.0]), trials("b", 8, &[30_000.0, 30_000.0])];
    assert_eq!(
        sentences(&rows.concat()),
        ["Too few trials for confidence intervals (at least 3 are needed), so no difference is \
          claimed. Peak throughput: a 90,000 messages/s at 8 clients and b 30,000 messages/s at 8 \
          clients. Run 5 trials (TRIALS=5 or --trials 5)."]
    );
    let rows = [around("a", 8, 90_000.0), around("b", 8, 45_000.0), trials("c", 8, &[1.0])];
    assert_eq!(
        sentences(&rows.concat()),
        ["a is fastest: 90,000 ± 2,236 messages/s at 8 clients. a delivers 2.00 ± 0.00 times the \
          peak throughput of b, which is 45,000 messages/s at 8 clients. There are too few trials \
          of c to claim a difference (at least 3 are needed). Run 5 trials (TRIALS=5 or --trials \
          5)."]
    );
}

#[test]
fn a_single_system_is_not_compared() {
    assert_eq!(
        sentences(&around("a", 8, 60_000.0)),
        ["The peak throughput of a is 60,000 ± 1,490 messages/s at 8 clients. Nothing else was \
          measured under the same conditions."]
    );
    assert_eq!(
        sentences(&trials("a", 1, &[60_000.0])),
        ["The peak throughput of a is 60,000 messages/s at 1 client. Nothing else was measured \
          under the same conditions. Too few trials for a confidence interval (at least 3 are \
          needed). Run 5 trials (TRIALS=5 or --trials 5)."]
    );
}

#[test]
fn client_bound_points_are_not_ranked_and_advice_is_given() {
    let rows = [
        bounded(around("a", 8, 90_000.0), "client"),
        server_bound(around("b", 8, 45_000.0)),
        server_bound(around("c", 8, 15_000.0)),
    ];
    assert_eq!(
        sentences(&rows.concat()),
        [
            "Among the ranked servers, b is fastest: 45,000 ± 1,118 messages/s at 8 clients. b \
             delivers 3.00 ± 0.00 times the peak throughput of c, which is 15,000 messages/s at 8 \
             clients.",
            "a (90,000 messages/s at 8 clients) is not ranked: the clients had no CPU time left, \
             so this is the speed of the clients, and the server may be faster. Use clients that \
             cost less CPU time (--driver lean or DRIVER=lean), give the clients more CPUs \
             (--client-cpus), or run them on other machines.",
            "At peak throughput, the servers of b and c used all of their CPU time.",
        ]
    );
    let alone = sentences(&rows[..2].concat());
    assert_eq!(alone[0], "Only b can be ranked: 45,000 ± 1,118 messages/s at 8 clients.");
    let lean = modified(rows[0].clone(), |row| row.driver = "lean".to_owned());
    assert_eq!(
        sentences(&lean),
        ["a (90,000 messages/s at 8 clients) is not ranked: the clients had no CPU time left, so \
          this is the speed of the clients, and the server may be faster. Give the clients more \
          CPUs (--client-cpus), or run them on other machines."]
    );
}

#[test]
fn points_whose_clients_had_or_may_have_had_no_cpu_time_left_are_not_ranked() {
    let on_separate_cpus = |label, rate, bound| {
        modified(bounded(around(label, 8, rate), bound), |row| {
            row.server_cpus = Some("0".to_owned());
            row.client_cpus = "1-3".to_owned();
        })
    };
    let b = on_separate_cpus("b", 45_000.0, "server");
    let host = on_separate_cpus("a", 90_000.0, "host");
    let found = sentences(&[host.clone(), b.clone()].concat());
    assert_eq!(found[0], "Only b can be ranked: 45,000 ± 1,118 messages/s at 8 clients.");
    assert_eq!(
        found[1],
        "a (90,000 messages/s at 8 clients) is not ranked: the clients had no CPU time left \
         either, so the server may be faster. Give the clients more CPUs (--client-cpus)."
    );
    let unclear = on_separate_cpus("c", 80_000.0, "unclear");
    let found = sentences(&[host, unclear, b].concat());
    assert_eq!(
        found[1],
        "a (90,000 messages/s at 8 clients) and c (80,000 messages/s at 8 clients) are not ranked: \
         the clients had no CPU time left either, or may have had none, so the servers may be \
         faster. Give the clients more CPUs (--client-cpus), or raise --duration: the windows are \
         short."
    );
}

#[test]
fn with_shared_channels_the_lean_driver_is_not_recommended() {
    let rows = bounded(around("a", 8, 90_000.0), "client");
    let rows = modified(rows, |row| row.channels = Some("shared".to_owned()));
    let found = sentences(&rows);
    assert!(found[0].contains("a (90,000 messages/s at 8 clients) is not ranked"));
    let advice = "Give the clients more CPUs (--client-cpus), or run them on other machines.";
    assert!(found[0].ends_with(advice), "{found:?}");
}

#[test]
fn the_bound_at_peak_throughput_is_explained() {
    let of = |bound| {
        let idle_clients = |row: &mut Row| row.client_cpus_idle = Some(0.5);
        sentences(&modified(bounded(around("a", 8, 60_000.0), bound), idle_clients)).remove(1)
    };
    assert_eq!(
        of("thread"),
        "At the peak of a, one thread of the server used all of a CPU while CPUs were idle. More \
         CPUs for the server bring nothing; more threads may."
    );
    assert_eq!(
        of("unclear"),
        "At the peak of a, it is unclear whether the server had CPU time left, because the \
         windows are short. Raise --duration."
    );
    assert_eq!(
        of("host"),
        "At the peak of a, server and clients together used all of their CPU time. With CPUs of \
         its own, the server may be faster."
    );
    assert_eq!(
        of("latency"),
        "At the peak of a, neither side used all of its CPU time: the clients waited for replies \
         or paused, or one thread was the limit. More clients may increase throughput."
    );
    let mut mixed = bounded(around("a", 8, 60_000.0), "latency");
    mixed[0].bound = Some("server".to_owned());
    assert_eq!(
        sentences(&mixed)[1],
        "At the peak of a, the bound differed between trials; each row has its own."
    );
}

#[test]
fn excluded_and_disturbed_rows_are_reported() {
    let mut rows = [around("a", 1, 9000.0), around("a", 8, 60_000.0)].concat();
    rows[4].server_cpus_others = Some(0.5);
    let bad = |reason| invalid(Row { throughput_per_s: 1e9, ..rows[0].clone() }, reason);
    let bad = [bad("interrupted"), bad("both sides disagree"), bad("interrupted")];
    assert_eq!(
        sentences(&[&rows[..], &bad].concat()),
        [
            "The peak throughput of a is 9,000 ± 224 messages/s at 1 client. Nothing else was \
             measured under the same conditions.",
            "Steal or other processes disturbed some points, which are therefore not ranked: a at \
             8 clients. Stop other processes and measure again.",
            "3 of 9 trials are invalid and left out of every mean: interrupted (2) and both sides \
             disagree (1).",
        ]
    );
    assert_eq!(
        sentences(&bad[..1]),
        ["1 of 1 trials is invalid and left out of every mean: interrupted (1)."]
    );
}

#[test]
fn service_times_report_both_ends_and_the_crossover() {
    let work = |rows, work: &str| modified(rows, |row| row.work = Some(work.to_owned()));
    let rows = [
        work(around("a", 24, 90_000.0), "none"),
        work(around("b", 24, 45_000.0), "none"),
        work(around("a", 24, 40_000.0), "sleep:10us"),
        work(around("b", 24, 20_000.0), "sleep:10us"),
        work(around("a", 24, 5000.0), "sleep:100us"),
        work(around("b", 24, 10_000.0), "sleep:100us"),
        work(around("a", 24, 900.0), "spin:1ms"),
        work(trials("b", 24, &[901.0, 892.0, 910.0]), "spin:1ms"),
    ];
    assert_eq!(
        sentences(&rows.concat()),
        [
            "Without work, a is fastest: 90,000 ± 2,236 messages/s. a delivers 2.00 ± 0.00 times \
             the throughput of b, which is 45,000 messages/s.",
            "At a service time of 100 us, b (sleep) is fastest: 10,000 ± 248 messages/s. b (sleep) \
             delivers 2.00 ± 0.00 times the throughput of a (sleep), which is 5,000 messages/s.",
            // 25 and 50 us per message at 10 us, 200 and 100 us at 100 us: a fifth of the way.
            "b (sleep) overtakes a (sleep) at a service time of about 28 us (between 10 and 100 \
             us).",
            "At a service time of 1,000 us, b (spin) and a (spin) are fastest, with no significant \
             difference: 901 ± 22 messages/s and 900 ± 22 messages/s; a difference of 5.1 % would have \
             been detected.",
        ]
    );
}

#[test]
fn workers_report_from_which_count_there_is_no_gain() {
    let workers = |rows, workers| modified(rows, |row| row.workers = Some(workers));
    let rows = [
        workers(around("a", 24, 30_000.0), 1),
        workers(around("a", 24, 45_000.0), 4),
        workers(trials("a", 24, &[45_100.0, 44_649.0, 45_551.0]), 16),
        around("b", 24, 90_000.0),
    ];
    assert_eq!(
        sentences(&rows.concat()),
        [
            "The peak throughput of a is 45,100 ± 1,120 messages/s with 16 workers. Nothing else \
             was measured under the same conditions.",
            "a delivers 45,000 ± 1,118 messages/s with 4 workers, 1.50 ± 0.00 times its throughput \
             with 1 worker. More workers bring no significant gain; a gain of 5.1 % would have been \
             detected.",
            "Rows of b without workers are on no curve.",
        ]
    );
    let fewer = [workers(around("a", 24, 45_000.0), 1), workers(around("a", 24, 30_000.0), 4)];
    assert_eq!(
        sentences(&fewer.concat())[1],
        "a delivers 45,000 ± 1,118 messages/s with 1 worker. More workers bring no significant \
         gain; a gain of 0.0 % would have been detected. With 4 workers, throughput falls to \
         30,000 ± 745 messages/s."
    );
}

#[test]
fn payloads_report_both_ends_in_messages_and_in_bytes() {
    let payload = |rows, bytes: u32| {
        modified(rows, |row| (row.payload_bytes, row.reply_bytes) = (bytes as usize, bytes))
    };
    let rows = [
        payload(around("a", 24, 65_536.0), 16),
        payload(around("a", 24, 1000.0), 1 << 20),
        payload(around("b", 24, 32_768.0), 16),
        payload(around("b", 24, 2000.0), 1 << 20),
    ];
    let [small, large, crossover, a, ..] = &sentences(&rows.concat())[..] else { panic!() };
    assert_eq!(
        small,
        "At a payload of 16 B, a is fastest: 65,536 ± 1,628 messages/s. a delivers 2.00 ± 0.00 \
         times the throughput of b, which is 32,768 messages/s."
    );
    assert!(large.starts_with("At a payload of 1 MiB, b is fastest: 2,000 "), "{large}");
    // The midpoint of 16 B and 1 MiB on a logarithmic scale: 16 · 256.
    assert_eq!(crossover, "b overtakes a at a payload of about 4 KiB (between 16 B and 1 MiB).");
    assert_eq!(
        a,
        "a delivers 65,536 ± 1,628 messages/s (2.0 MiB/s) at a payload of 16 B and 1,000 ± 25 \
         messages/s (2,000 MiB/s) at a payload of 1 MiB."
    );
}

#[test]
fn think_times_report_both_ends() {
    let think = |rows, us| modified(rows, |row| row.think_us = us);
    let rows = [think(around("a", 24, 60_000.0), 0.0), think(around("a", 24, 20_000.0), 1000.0)];
    assert_eq!(
        sentences(&rows.concat())[1],
        "a delivers 60,000 ± 1,490 messages/s without think time and 20,000 ± 497 messages/s at a \
         think time of 1,000 us."
    );
}

#[test]
fn systems_are_compared_under_the_same_conditions_only() {
    let lean = modified(around("a", 8, 90_000.0), |row| row.driver = "lean".to_owned());
    let found = sentences(&[lean, around("b", 8, 30_000.0)].concat());
    let alone = "Nothing else was measured under the same conditions.";
    assert!(found.iter().all(|sentence| sentence.ends_with(alone)), "{found:?}");
}

#[test]
fn systems_from_different_runs_have_a_ratio_of_means() {
    let own = |rows, run: &str| modified(rows, |row| row.run_id = run.to_owned());
    let rows = [own(around("a", 8, 60_000.0), "x"), own(around("b", 8, 30_000.0), "y")];
    let first = sentences(&rows.concat()).remove(0);
    let lead = "a delivers about 2.00 times the peak throughput of b, which is 30,000 ";
    assert!(first.contains(lead), "{first}");
}
