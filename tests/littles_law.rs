//! Little's law on real trials: clients = throughput x (mean round trip + mean pause).

mod common;

use common::bench::{bench, obeys_littles_law};
use echometer::measure::littles_law;
use echometer::results::Row;
use echometer::systems::SYSTEMS;

const CLIENTS: [&str; 3] = ["1", "8", "24"];
const THINK: [&str; 2] = ["0", "2ms"];

/// The law, from the columns that anyone can read.
fn law_of(row: &Row) -> f64 {
    let away_us = row.pause_mean_us.unwrap_or(0.0);
    littles_law(row.throughput_per_s, row.rtt_mean_us.unwrap(), away_us, row.clients)
}

#[test]
fn the_law_holds_on_real_trials_and_a_row_for_which_it_does_not_says_so() {
    let points = SYSTEMS.iter().flat_map(|system| {
        CLIENTS.iter().flat_map(|n| THINK.map(|think| (system.name(), *n, think)))
    });
    let (mut all, mut broken) = (0, Vec::new());
    for (system, clients, think) in points {
        let load = ["--spawn", "--clients", clients, "--think", think];
        let window = ["--duration", "1s", "--warmup", "200ms"];
        // It asserts of each valid row that the law holds, or that the row says so.
        let measured = bench(system, &[&load[..], &window].concat());
        let row = measured.row();
        assert!(row.valid, "{measured:?}");
        let law = row.littles_law.unwrap();
        println!("{system}, {clients} clients, think {think}: {law}");
        assert!((law - law_of(row)).abs() < 0.001, "{row:?}");
        assert_eq!(row.pause_mean_us.is_some(), think != "0", "{row:?}");
        all += 1;
        if !obeys_littles_law(row) {
            broken.push((system, clients, think, law));
        }
    }
    // Other processes on this machine may keep a few of them from it.
    assert!(broken.len() * 6 <= all, "{} of {all}: {broken:?}", broken.len());
}
