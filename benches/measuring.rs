//! What measuring costs: the throughput of a whole trial, with all that it looks at, over that
//! of clients that only count.
//!
//! ```text
//! cargo bench --bench measuring
//! ```
//!
//! Both kinds of clients take turns against fresh servers of one system, in pairs, and the
//! median of the pairs' ratios is printed. PAIRS, CLIENTS, SECONDS and SYSTEM change the rest.

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
    if common::asked_by_cargo() {
        return Ok(());
    }
    // An even number: what comes second may be the faster, and each comes second as often.
    let (pairs, clients) = (common::setting("PAIRS", 10)?, common::setting("CLIENTS", 24)?);
    let window = Duration::from_secs(common::setting("SECONDS", 1)?);
    let name = std::env::var("SYSTEM").unwrap_or_else(|_| "tcp".to_owned());
    let system = systems::find(&name).map_err(|error| anyhow!(error))?;
    let load = common::load(Driver::Native, clients, window)?;
    let measured = || common::throughput(system, (program(), Tuning::Default), load.clone());
    let counted = || counted(system, &load);
    let mut ratios = Vec::new();
    for pair in 0..pairs {
        let (measured, counted) = in_turn(pair, measured, counted)?;
        eprintln!("{measured:.0}/s measured, {counted:.0}/s counted: {:.3}", measured / counted);
        ratios.push(measured / counted);
    }
    println!("{:.4}", common::median(ratios));
    Ok(())
}

/// Both, one after the other; each comes first in every other pair.
fn in_turn(
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

/// The throughput of the same clients without clocks, histograms, checks of /proc: they count.
fn counted(system: &'static dyn System, load: &LoadSpec) -> Result<f64> {
    let available = Cpus::of(0)?;
    let placement = Placement::choose(&available, &CpuChoice::Auto, &CpuChoice::Auto)?;
    placement.server.bind_this_thread()?;
    let server = Served::start(system)?;
    placement.clients.bind_this_thread()?;
    let rate = count(system, &server.endpoint, load);
    available.bind_this_thread()?;
    rate
}

fn count(system: &'static dyn System, to: &Endpoint, spec: &LoadSpec) -> Result<f64> {
    let (opening, closing) = (CancelToken::default(), CancelToken::default());
    let ready = Barrier::new(spec.clients.get() + 1);
    let client = |index: usize| -> Result<(u64, u64)> {
        let who = ClientSpec {
            name: format!("counting-{index}"),
            timeout: spec.timeout,
            retries: 0,
            max_message: 1 << 20,
            channels: spec.channels,
        };
        let mut request = first_request(spec, &who.name);
        let mut client = system.connect(to, &who)?;
        client.echo(&request)?;
        ready.wait();
        let mut echo = |until: &CancelToken| -> Result<u64> {
            let mut count = 0;
            while !until.is_set() {
                request.advance();
                client.echo(&request)?;
                count += 1;
            }
            Ok(count)
        };
        Ok((echo(&opening)?, echo(&closing)?))
    };
    thread::scope(|scope| {
        let client = &client;
        let threads: Vec<_> =
            (0..spec.clients.get()).map(|index| scope.spawn(move || client(index))).collect();
        ready.wait();
        thread::sleep(spec.warmup);
        opening.set();
        let since = Instant::now();
        thread::sleep(spec.window);
        closing.set();
        let length = since.elapsed();
        let mut echoes = 0;
        for thread in threads {
            echoes += thread.join().map_err(|_| anyhow!("a client panicked"))??.1;
        }
        Ok(echoes as f64 / length.as_secs_f64())
    })
}

/// A server that ends when it is dropped.
struct Served {
    process: Child,
    endpoint: Endpoint,
}

impl Served {
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
        Ok(Served { process, endpoint })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
