//! Samples the resource usage of both sides when the window opens and when it closes.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::load::{CancelToken, Observer};
use crate::measure::{Counters, CpuTimes, RoleUsage, Usage, busiest_thread, by_role, cpu_time};

use super::Progress;
use super::server::Server;

/// The samples of a window. A value is `None` if /proc could not be read.
#[derive(Debug, Default)]
pub struct ProcessSamples {
    /// The client process.
    pub clients: Ends<Usage>,
    /// The server's processes, if known.
    pub server: Ends<Usage>,
    /// The CPUs of this machine, and the time at which they were read.
    pub cpus: Ends<(Instant, CpuTimes)>,
    /// Time of the opening sample. It is late if CPUs are scarce.
    pub opened_at: Option<Instant>,
    /// Whether the server exited before it was stopped.
    pub server_exited: bool,
    /// The first error from reading /proc.
    pub read_error: Option<String>,
}

/// Samples at the two ends of the window.
#[derive(Debug)]
pub struct Ends<T> {
    /// When the window opens.
    pub open: Option<T>,
    /// When the window closes.
    pub close: Option<T>,
}

// A derived implementation would require `T: Default`.
impl<T> Default for Ends<T> {
    fn default() -> Self {
        Ends { open: None, close: None }
    }
}

impl Ends<Usage> {
    /// Returns the usage between the two samples, if both exist.
    pub fn used(&self) -> Option<Counters> {
        Some(self.close.as_ref()?.since(self.open.as_ref()?))
    }

    /// Returns the wall-clock time between the readings of the CPU clock, if both exist.
    pub fn span(&self) -> Option<Duration> {
        let [open, close] = [&self.open, &self.close].map(|end| end.as_ref()?.read_at);
        Some(close?.saturating_duration_since(open?))
    }

    /// Returns the busiest thread's share of the CPU time between the two samples.
    pub fn busiest_thread(&self) -> Option<f64> {
        busiest_thread(self.open.as_ref()?, self.close.as_ref()?)
    }

    /// Returns the usage between the two samples by thread role.
    pub fn roles(&self) -> Vec<RoleUsage> {
        match (&self.open, &self.close) {
            (Some(open), Some(close)) => by_role(&open.threads, &close.threads),
            _ => Vec::new(),
        }
    }
}

/// Takes the samples, and stops the clients if their server exits.
pub struct ProcessSampler<'a, 'p> {
    server: &'a mut Server,
    stop: &'a CancelToken,
    progress: Progress<'p>,
    samples: ProcessSamples,
}

/// A sample at one end of the window.
struct Sample {
    cpus: Option<(Instant, CpuTimes)>,
    clients: Option<Usage>,
    server: Option<Usage>,
}

impl<'a, 'p> ProcessSampler<'a, 'p> {
    pub fn new(server: &'a mut Server, stop: &'a CancelToken, progress: Progress<'p>) -> Self {
        ProcessSampler { server, stop, progress, samples: ProcessSamples::default() }
    }

    /// Checks the server a last time, and returns the samples.
    pub fn finish(mut self) -> ProcessSamples {
        self.check_server();
        self.samples
    }

    fn check_server(&mut self) {
        if self.server.has_exited() {
            self.samples.server_exited = true;
        }
    }

    fn sample(&mut self) -> Sample {
        let cpus = self.record_error(CpuTimes::now()).map(|cpus| (Instant::now(), cpus));
        let this = std::process::id();
        // Reading the threads of many connections takes long, so both CPU clocks are read before
        // the clients' threads.
        let (client_cpu, read_at) = (cpu_time(&[this]), Some(Instant::now()));
        let server = self.server.usage().and_then(|usage| self.record_error(usage));
        let mut clients = self.record_error(Usage::read(this));
        if let Some(clients) = &mut clients {
            (clients.used.cpu, clients.read_at) = (client_cpu, read_at);
        }
        Sample { cpus, clients, server }
    }

    fn record_error<T>(&mut self, read: Result<T>) -> Option<T> {
        read.inspect_err(|error| {
            self.samples.read_error.get_or_insert_with(|| format!("{error:#}"));
        })
        .ok()
    }
}

impl Observer for ProcessSampler<'_, '_> {
    fn wants_progress(&self) -> bool {
        self.progress.is_some()
    }

    fn opened(&mut self) {
        self.samples.opened_at = Some(Instant::now());
        let Sample { cpus, clients, server } = self.sample();
        self.samples.cpus.open = cpus;
        self.samples.clients.open = clients;
        self.samples.server.open = server;
    }

    fn closed(&mut self) {
        let Sample { cpus, clients, server } = self.sample();
        self.samples.cpus.close = cpus;
        self.samples.clients.close = clients;
        self.samples.server.close = server;
    }

    fn tick(&mut self, completed: u64) {
        self.check_server();
        if self.samples.server_exited {
            self.stop.set();
        }
        if let Some(progress) = &mut self.progress {
            progress(completed);
        }
    }
}
