//! What the benchmarks of whole trials share.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Result, anyhow};
use echometer::load::CancelToken;
use echometer::os::cpus::CpuChoice;
use echometer::spec::{Channels, Driver, LoadSpec, ServerSpec, Target, TrialSpec, Tuning};
use echometer::systems::System;
use echometer::trial::{self, Contender};

/// Whether cargo asks what it would ask a harness of its own.
pub fn asked_by_cargo() -> bool {
    std::env::args().any(|argument| argument == "--test" || argument == "--list")
}

/// A number of the environment.
pub fn setting<T: FromStr>(name: &str, default: T) -> Result<T> {
    let Ok(text) = std::env::var(name) else { return Ok(default) };
    text.parse().map_err(|_| anyhow!("{name}={text} is no number"))
}

/// Clients in a closed loop, with the experiment's messages.
pub fn load(driver: Driver, clients: usize, window: Duration) -> Result<LoadSpec> {
    Ok(LoadSpec {
        driver,
        channels: Channels::default(),
        clients: clients.try_into()?,
        window,
        warmup: Duration::from_millis(300),
        think: Duration::ZERO,
        pace: None,
        payload: 64,
        reply_payload: 0,
        timeout: Duration::from_secs(5),
        retries: 0,
    })
}

/// The throughput of a trial against a fresh server of `program`, which is set so.
pub fn throughput(
    system: &'static dyn System,
    (program, tuning): (PathBuf, Tuning),
    load: LoadSpec,
) -> Result<f64> {
    let server = ServerSpec { tuning, ..ServerSpec::named("server") };
    let target = Target::Spawn { program, server, cpus: CpuChoice::Auto };
    let contender = Contender { label: system.name().to_owned(), system, target };
    let spec = TrialSpec {
        load,
        slice: None,
        seed: 1,
        client_cpus: CpuChoice::Auto,
        run_id: "bench".to_owned(),
        trial: 1,
    };
    Ok(trial::run(&contender, &spec, &CancelToken::default(), None)?.row.throughput_per_s)
}

/// The value in the middle, or between the two that are there.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (lower, upper) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    f64::midpoint(lower, upper)
}
