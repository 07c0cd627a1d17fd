//! Handlers that take time: that they take it, in every system alike, and no CPU time to wait.

mod common;

use std::num::NonZeroUsize;
use std::time::Duration;

use common::bench::bench;
use common::scripted::{Attempt, alone, assert_within};
use common::{Counts, known, run, server_spec};
use echometer::results::Row;
use echometer::spec::ServerSpec;
use echometer::systems::{SYSTEMS, System};

const CLIENTS: usize = 8;
const HANDLERS: usize = 2;

const WAIT: Duration = Duration::from_millis(20);
const SPIN: Duration = Duration::from_millis(2);

/// A second of clients enough for all handlers, of whom each system has two if it has any.
fn measure(system: &dyn System, work: &str) -> Row {
    let point = ["--spawn", "--driver", "lean", "--duration", "1s", "--warmup", "200ms"];
    let server = ["--clients=8", "--workers=2", "--completion-queues=2", "--work", work];
    let measured = bench(system.name(), &[&point[..], &server].concat());
    assert_eq!(measured.ran.status, 0, "{measured:?}");
    let row = measured.row().clone();
    assert!(row.valid && row.errors == 0, "{row:?}");
    assert_eq!(row.work.as_deref(), Some(work));
    row
}

/// How many requests a server has in its handlers at once.
fn handlers(system: &dyn System) -> usize {
    let two = NonZeroUsize::new(HANDLERS).unwrap();
    let spec = ServerSpec { workers: two, completion_queues: Some(two), ..server_spec() };
    let server_options = system.server_options(&spec);
    let alone = if known(system).0 == Counts::Connection { CLIENTS } else { 1 };
    server_options.workers.or(server_options.completion_queues).unwrap_or(alone)
}

#[test]
fn handlers_that_wait_carry_what_the_wait_allows_and_use_no_cpu_time() {
    let _alone = alone();
    for system in SYSTEMS {
        assert_within(0.05, &format!("{} waiting {WAIT:?}", system.name()), || {
            let row = measure(*system, "sleep:20ms");
            let used = row.server_cpu_us_per_msg.unwrap();
            assert!(used < 0.5 * WAIT.as_secs_f64() * 1e6, "{row:?}");
            let due = handlers(*system) as f64 / WAIT.as_secs_f64();
            Attempt { measured: row.throughput_per_s, due }
        });
    }
}

/// On one CPU no server does more, however many handlers it has, and whoever disturbs it.
#[test]
fn handlers_that_spin_use_their_time_and_no_server_does_more_than_its_cpu() {
    let _alone = alone();
    for system in SYSTEMS {
        let row = measure(*system, "spin:2ms");
        let (used, spin) = (row.server_cpu_us_per_msg.unwrap(), SPIN.as_secs_f64() * 1e6);
        assert!(used > 0.97 * spin, "{}: {used}: {row:?}", system.name());
        let most = 1.0 / SPIN.as_secs_f64();
        assert!(row.throughput_per_s < 1.03 * most, "{}: {row:?}", system.name());
    }
    assert_within(0.1, "the first system, spinning", || {
        let row = measure(SYSTEMS[0], "spin:2ms");
        Attempt { measured: row.throughput_per_s, due: 1.0 / SPIN.as_secs_f64() }
    });
}

#[test]
fn what_is_no_work_is_refused_with_what_would_be_one() {
    let ran = run(["serve", SYSTEMS[0].name(), "--work", "nap:1ms"]);
    ran.assert_fails(2, &["'nap:1ms' is no work", "spin:50us or sleep:1ms"]);
}
