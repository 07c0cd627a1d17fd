//! Little's law on real trials: clients = throughput x (mean round trip + mean pause).

mod common;

use common::bench::{bench, obeys_littles_law};
use echometer::measure::littles_law;
use echometer::results::Row;
use echometer::systems::SYSTEMS;

const CLIENTS: [&str; 3] = ["1", "8", "24"];
const THINK: [&str; 2] = ["0", "2ms"];

/// Little's law, computed from columns of the row.
fn law_from_columns(row: &Row) -> f64 {
    let pause_us = row.pause_mean_us.unwrap_or(0.0);
    littles_law(row.throughput_per_s, row.rtt_mean_us.unwrap(), pause_us, row.clients)
}

#[test]
fn littles_law_holds_or_the_row_has_a_note() {
    let points = SYSTEMS.iter().flat_map(|system| {
        CLIENTS.iter().flat_map(|n| THINK.map(|think| (system.name(), *n, think)))
    });
    let (mut count, mut violations) = (0, Vec::new());
    for (system, clients, think) in points {
        let load = ["--spawn", "--clients", clients, "--think", think];
        let window = ["--duration", "1s", "--warmup", "200ms"];
        // `bench` also asserts that each valid row obeys the law or has a note.
        let measured = bench(system, &[&load[..], &window].concat());
        let row = measured.row();
        assert!(row.valid, "{measured:?}");
        let law = row.littles_law.unwrap();
        println!("{system}, {clients} clients, think {think}: {law}");
        assert!((law - law_from_columns(row)).abs() < 0.001, "{row:?}");
        assert_eq!(row.pause_mean_us.is_some(), think != "0", "{row:?}");
        count += 1;
        if !obeys_littles_law(row) {
            violations.push((system, clients, think, law));
        }
    }
    // Other processes on this machine may cause a few violations.
    assert!(violations.len() * 6 <= count, "{} of {count}: {violations:?}", violations.len());
}
