//! Helpers of the benchmarks that run whole trials.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Result, anyhow};
use echometer::load::CancelToken;
use echometer::os::cpus::CpuChoice;
use echometer::os::network::Network;
use echometer::spec::{Channels, Driver, LoadSpec, ServerSpec, Target, TrialSpec, Tuning};
use echometer::systems::System;
use echometer::trial::{self, Contender};

/// Whether cargo started the benchmark to test it or to list its tests.
pub fn is_test_run() -> bool {
    std::env::args().any(|argument| argument == "--test" || argument == "--list")
}

/// Reads a number from the environment.
pub fn env_or<T: FromStr>(name: &str, default: T) -> Result<T> {
    let Ok(text) = std::env::var(name) else { return Ok(default) };
    text.parse().map_err(|_| anyhow!("{name}={text} is not a number"))
}

/// Closed-loop clients with the payload of the experiments.
pub fn load(driver: Driver, clients: usize, window: Duration) -> Result<LoadSpec> {
    Ok(LoadSpec {
        driver,
        channels: Channels::default(),
        clients: clients.try_into()?,
        window,
        warmup: Duration::from_millis(300),
        think: Duration::ZERO,
        open_loop: None,
        payload: 64,
        reply_payload: 0,
        timeout: Duration::from_secs(5),
        retries: 0,
    })
}

/// Runs a trial with a new server of `program`, and returns its throughput.
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
        network: Network::default(),
        run_id: "bench".to_owned(),
        trial: 1,
    };
    Ok(trial::run(&contender, &spec, &CancelToken::default(), None)?.row.throughput_per_s)
}

/// Returns the median: the middle value, or the mean of the two middle values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (lower, upper) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    f64::midpoint(lower, upper)
}
