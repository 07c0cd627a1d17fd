//! Handlers with a service time: every system spends it, and sleeping uses no CPU time.

mod common;

use std::num::NonZeroUsize;
use std::time::Duration;

use common::bench::bench;
use common::scripted::{Attempt, assert_within, machine_lock};
use common::{SequenceScope, run, sequence_scope, server_spec};
use echometer::results::Row;
use echometer::spec::ServerSpec;
use echometer::systems::{SYSTEMS, System};

const CLIENTS: usize = 8;
const HANDLERS: usize = 2;

const SLEEP: Duration = Duration::from_millis(20);
const SPIN: Duration = Duration::from_millis(2);

/// One second of load with enough clients for all handlers.
fn measure(system: &dyn System, work: &str) -> Row {
    let point = ["--spawn", "--driver", "lean", "--duration", "1s", "--warmup", "200ms"];
    let server = ["--clients=8", "--workers=2", "--completion-queues=2", "--work", work];
    let measured = bench(system.name(), &[&point[..], &server].concat());
    assert_eq!(measured.output.status, 0, "{measured:?}");
    let row = measured.row().clone();
    assert!(row.valid && row.errors == 0, "{row:?}");
    assert_eq!(row.work.as_deref(), Some(work));
    row
}

/// Number of requests that a server handles concurrently.
fn handlers(system: &dyn System) -> usize {
    let two = NonZeroUsize::new(HANDLERS).unwrap();
    let spec = ServerSpec { workers: two, completion_queues: Some(two), ..server_spec() };
    let server_options = system.server_options(&spec);
    let default = if sequence_scope(system) == SequenceScope::Connection { CLIENTS } else { 1 };
    server_options.workers.or(server_options.completion_queues).unwrap_or(default)
}

#[test]
fn sleeping_handlers_reach_their_service_rate_and_use_no_cpu_time() {
    let _lock = machine_lock();
    for system in SYSTEMS {
        assert_within(0.05, &format!("{} sleeping {SLEEP:?}", system.name()), || {
            let row = measure(*system, "sleep:20ms");
            let used = row.server_cpu_us_per_msg.unwrap();
            assert!(used < 0.5 * SLEEP.as_secs_f64() * 1e6, "{row:?}");
            // The row has the mean sleep of the handlers, not the requested one.
            let slept = row.service_time_us.unwrap();
            assert!(slept > 0.9 * SLEEP.as_secs_f64() * 1e6, "{slept}: {row:?}");
            let expected = handlers(*system) as f64 / SLEEP.as_secs_f64();
            Attempt { measured: row.throughput_per_s, expected }
        });
    }
}

/// On one CPU, no number of handlers exceeds this throughput, whether disturbed or not.
#[test]
fn spinning_handlers_use_their_service_time_and_never_exceed_one_cpu() {
    let _lock = machine_lock();
    for system in SYSTEMS {
        let row = measure(*system, "spin:2ms");
        let (used, spin) = (row.server_cpu_us_per_msg.unwrap(), SPIN.as_secs_f64() * 1e6);
        assert!(used > 0.97 * spin, "{}: {used}: {row:?}", system.name());
        let spent = row.service_time_us.unwrap();
        assert!(spent > 0.97 * spin && spent < 1.03 * used, "{}: {spent}: {row:?}", system.name());
        let limit = 1.0 / SPIN.as_secs_f64();
        assert!(row.throughput_per_s < 1.03 * limit, "{}: {row:?}", system.name());
    }
    assert_within(0.1, "the first system, spinning", || {
        let row = measure(SYSTEMS[0], "spin:2ms");
        Attempt { measured: row.throughput_per_s, expected: 1.0 / SPIN.as_secs_f64() }
    });
}

#[test]
fn invalid_work_is_rejected_with_an_example() {
    let output = run(["serve", SYSTEMS[0].name(), "--work", "nap:1ms"]);
    output.assert_fails(2, &["'nap:1ms' is not a valid work", "spin:50us or sleep:1ms"]);
}
