//! What measuring costs: the throughput of a whole trial, with all that it looks at, over that
//! of clients that only count.
//!
//! ```text
//! cargo bench --bench measuring
//! ```
//!
//! Both kinds of clients take turns against fresh servers of one system, in pairs, and the
//! median of the pairs' ratios is printed. PAIRS, CLIENTS, SECONDS and SYSTEM change the rest.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use echometer::cpus::{CpuChoice, Cpus, Placement};
use echometer::load::{Stop, first_request};
use echometer::spec::{
    Backend, ClientSpec, Driver, Endpoint, LoadSpec, ServerSpec, Target, TrialSpec, Tuning,
};
use echometer::systems::{self, System};
use echometer::trial;

const WARMUP: Duration = Duration::from_millis(300);

fn main() -> Result<()> {
    // What cargo's own harness would be asked.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return Ok(());
    }
    let (pairs, clients) = (setting("PAIRS", 9)?, setting("CLIENTS", 24)?);
    let window = Duration::from_secs(setting("SECONDS", 1)?);
    let name = std::env::var("SYSTEM").unwrap_or_else(|_| "tcp".to_owned());
    let system = systems::find(&name).map_err(|error| anyhow!(error))?;
    let clients = usize::try_from(clients)?;
    let mut ratios = Vec::new();
    for pair in 0..pairs {
        // Each comes first in every other pair.
        let (measured, counted) = if pair % 2 == 0 {
            let measured = measured(system, clients, window)?;
            (measured, counted(system, clients, window)?)
        } else {
            let counted = counted(system, clients, window)?;
            (measured(system, clients, window)?, counted)
        };
        eprintln!("{measured:.0}/s measured, {counted:.0}/s counted: {:.3}", measured / counted);
        ratios.push(measured / counted);
    }
    ratios.sort_by(f64::total_cmp);
    println!("{:.4}", ratios[ratios.len() / 2]);
    Ok(())
}

fn setting(name: &str, default: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name}={text} is no number")),
        Err(_) => Ok(default),
    }
}

fn load(clients: usize, window: Duration) -> Result<LoadSpec> {
    Ok(LoadSpec {
        driver: Driver::Native,
        clients: clients.try_into()?,
        window,
        warmup: WARMUP,
        think: Duration::ZERO,
        pace: None,
        payload: 64,
        reply_payload: 0,
        timeout: Duration::from_secs(5),
        retries: 0,
    })
}

/// The throughput of a trial.
fn measured(system: &'static dyn System, clients: usize, window: Duration) -> Result<f64> {
    let server = ServerSpec {
        address: "127.0.0.1:0".parse().map_err(|error: String| anyhow!(error))?,
        name: "server".to_owned(),
        workers: 16.try_into()?,
        backend: Backend::default(),
        completion_queues: None,
        tuning: Tuning::default(),
        max_message: 1 << 20,
    };
    let spec = TrialSpec {
        target: Target::Spawn { program: program(), server, cpus: CpuChoice::Auto },
        load: load(clients, window)?,
        client_cpus: CpuChoice::Auto,
        run_id: "cost".to_owned(),
        trial: 1,
    };
    Ok(trial::run(system, &spec, &Stop::default(), None)?.row.throughput_per_s)
}

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_echometer").into()
}

/// The throughput of the same clients without clocks, histograms, checks of /proc: they count.
fn counted(system: &'static dyn System, clients: usize, window: Duration) -> Result<f64> {
    let available = Cpus::of(0)?;
    let placement = Placement::choose(&available, &CpuChoice::Auto, &CpuChoice::Auto)?;
    placement.server.bind_this_thread()?;
    let server = Served::start(system)?;
    placement.clients.bind_this_thread()?;
    let rate = count(system, &server.endpoint, &load(clients, window)?);
    available.bind_this_thread()?;
    rate
}

fn count(system: &'static dyn System, to: &Endpoint, spec: &LoadSpec) -> Result<f64> {
    let (opening, closing) = (Stop::default(), Stop::default());
    let ready = Barrier::new(spec.clients.get() + 1);
    let client = |index: usize| -> Result<(u64, u64)> {
        let who = ClientSpec {
            name: format!("counting-{index}"),
            timeout: spec.timeout,
            retries: 0,
            max_message: 1 << 20,
        };
        let mut request = first_request(spec, &who.name);
        let mut client = system.connect(to, &who)?;
        client.echo(&request)?;
        ready.wait();
        let mut echo = |until: &Stop| -> Result<u64> {
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
