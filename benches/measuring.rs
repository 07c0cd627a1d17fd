//! Cost of measuring: the throughput of a trial divided by the throughput of clients that only
//! count echoes.
//!
//! ```text
//! cargo bench --bench measuring
//! ```
//!
//! Both kinds of clients take turns in PAIRS pairs (default: 10), each with a new server. The
//! benchmark prints the median of the pairs' ratios. CLIENTS (default: 24), SECONDS (default: 1)
//! and SYSTEM (default: tcp) set the number of clients, the window and the system.

mod common;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use echometer::load::{CancelToken, first_request};
use echometer::os::cpus::{CpuChoice, Cpus, Placement};
use echometer::spec::{ClientSpec, Driver, Endpoint, LoadSpec, Tuning};
use echometer::systems::{self, System};

fn main() -> Result<()> {
    if common::is_test_run() {
        return Ok(());
    }
    // The second trial of a pair may be faster. In an even number of pairs, each kind of client is
    // second equally often.
    let (pairs, clients) = (common::env_or("PAIRS", 10)?, common::env_or("CLIENTS", 24)?);
    let window = Duration::from_secs(common::env_or("SECONDS", 1)?);
    let name = std::env::var("SYSTEM").unwrap_or_else(|_| "tcp".to_owned());
    let system = systems::find(&name).map_err(|error| anyhow!(error))?;
    let load = common::load(Driver::Native, clients, window)?;
    let measured = || common::throughput(system, (program(), Tuning::Default), load.clone());
    let counted = || counting_throughput(system, &load);
    let mut ratios = Vec::new();
    for pair in 0..pairs {
        let (measured, counted) = run_alternately(pair, measured, counted)?;
        eprintln!("{measured:.0}/s measured, {counted:.0}/s counted: {:.3}", measured / counted);
        ratios.push(measured / counted);
    }
    println!("{:.4}", common::median(ratios));
    Ok(())
}

/// Runs both, `a` first in even pairs and `b` first in odd pairs.
fn run_alternately(
    pair: usize,
    a: impl FnOnce() -> Result<f64>,
    b: impl FnOnce() -> Result<f64>,
) -> Result<(f64, f64)> {
    if pair.is_multiple_of(2) {
        let a = a()?;
        Ok((a, b()?))
    } else {
        let b = b()?;
        Ok((a()?, b))
    }
}

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_echometer").into()
}

/// Returns the throughput of clients without clocks, histograms, and reads of /proc.
fn counting_throughput(system: &'static dyn System, load: &LoadSpec) -> Result<f64> {
    let available = Cpus::of(0)?;
    let placement = Placement::choose(&available, &CpuChoice::Auto, &CpuChoice::Auto)?;
    placement.server.bind_this_thread()?;
    let server = ServerProcess::start(system)?;
    placement.clients.bind_this_thread()?;
    let throughput = count_echoes(system, &server.endpoint, load);
    available.bind_this_thread()?;
    throughput
}

fn count_echoes(system: &'static dyn System, to: &Endpoint, spec: &LoadSpec) -> Result<f64> {
    let (opened, closed) = (CancelToken::default(), CancelToken::default());
    let ready = Barrier::new(spec.clients.get() + 1);
    let client = |index: usize| -> Result<(u64, u64)> {
        let client_spec = ClientSpec {
            name: format!("counting-{index}"),
            timeout: spec.timeout,
            retries: 0,
            max_message: 1 << 20,
            channels: spec.channels,
        };
        let mut request = first_request(spec, &client_spec.name);
        let connected = system.connect(to, &client_spec).and_then(|mut client| {
            client.echo(&request)?;
            Ok(client)
        });
        // A client that failed must not keep the others waiting.
        ready.wait();
        let mut client = connected?;
        let mut echo_until = |stop: &CancelToken| -> Result<u64> {
            let mut count = 0;
            while !stop.is_set() {
                request.advance();
                client.echo(&request)?;
                count += 1;
            }
            Ok(count)
        };
        Ok((echo_until(&opened)?, echo_until(&closed)?))
    };
    thread::scope(|scope| {
        let client = &client;
        let threads: Vec<_> =
            (0..spec.clients.get()).map(|index| scope.spawn(move || client(index))).collect();
        ready.wait();
        thread::sleep(spec.warmup);
        opened.set();
        let start = Instant::now();
        thread::sleep(spec.window);
        closed.set();
        let window = start.elapsed();
        let mut echoes = 0;
        for thread in threads {
            echoes += thread.join().map_err(|_| anyhow!("a client panicked"))??.1;
        }
        Ok(echoes as f64 / window.as_secs_f64())
    })
}

/// A server that is killed when dropped.
struct ServerProcess {
    process: Child,
    endpoint: Endpoint,
}

impl ServerProcess {
    fn start(system: &dyn System) -> Result<Self> {
        let mut process = Command::new(program())
            .args(["serve", system.name(), "--addr", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let address = line.trim_end().strip_prefix("listening ").unwrap_or_default();
        let endpoint = address.parse().map_err(|error: String| anyhow!(error))?;
        Ok(ServerProcess { process, endpoint })
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
