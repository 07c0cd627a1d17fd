//! Totals of one contender over its slices.

use std::time::Duration;

use crate::measure::{
    Counters, Loss, RoleUsage, Usage, busiest_thread, by_role, share, summed_idle_resolution,
};
use crate::results::SliceRow;

/// Totals of one contender over its slices.
#[derive(Debug, Default)]
pub struct SliceTotals {
    /// Length of a slice.
    pub slice: Duration,
    /// Number of slices that count.
    pub kept: usize,
    /// Number of disturbed slices, which do not count.
    pub left_out: usize,
    /// Summed length of the kept windows.
    pub window: Duration,
    /// CPU time of the server in the kept windows; `None` if its process is unknown.
    pub server_cpu: Option<Duration>,
    /// CPU time of the clients in the kept windows.
    pub client_cpu: Duration,
    /// Resource usage of the client process in the kept slices, lead-ins included.
    pub client: Counters,
    /// Echoes in the kept slices, lead-ins included.
    pub client_completed: u64,
    /// Usage of the server before the first slice.
    pub first: Option<Usage>,
    /// Usage of the server after the last slice.
    pub last: Option<Usage>,
    /// Echoes between `first` and `last`.
    pub completed: u64,
    /// Idle and lost time of the server's CPUs.
    pub server_cpus: CpuTotals,
    /// Idle and lost time of the clients' CPUs.
    pub client_cpus: CpuTotals,
    /// CPU time of the server while other contenders were loaded.
    pub unloaded_cpu: Duration,
    /// Time in which other contenders were loaded.
    pub unloaded: Duration,
    /// Whether the server exited before it was stopped.
    pub server_exited: bool,
    /// The first error from reading /proc.
    pub read_error: Option<String>,
    /// The slices, in the order in which they were measured.
    pub rows: Vec<SliceRow>,
}

/// Idle and lost time of one side's CPUs, summed over the kept slices.
#[derive(Debug, Default, Clone, Copy)]
pub struct CpuTotals {
    /// Number of kept slices.
    slices: u32,
    /// Number of CPUs.
    cpus: usize,
    /// Time between the samples.
    span: Duration,
    /// Idle time between the samples, summed over the CPUs, as the next two fields.
    idle: Duration,
    /// Time between the samples in which no requests were sent, so that the CPUs were idle.
    unloaded: Duration,
    /// Time in which requests were sent.
    loaded: Duration,
    stolen_s: f64,
    others_s: f64,
}

impl CpuTotals {
    /// Adds a slice. `span` is the time between the samples; requests were sent during `loaded`.
    pub fn add(&mut self, cpus: usize, [span, loaded]: [Duration; 2], idle: Duration, loss: Loss) {
        let count = u32::try_from(cpus).unwrap_or(u32::MAX);
        self.slices += 1;
        self.cpus = cpus;
        self.span += span;
        self.idle += idle;
        self.unloaded += span.saturating_sub(loaded) * count;
        self.loaded += loaded * count;
        self.stolen_s += loss.stolen * span.as_secs_f64();
        self.others_s += loss.others * span.as_secs_f64();
    }

    /// Returns the share of the loaded time in which the CPUs were idle; `None` if unknown.
    ///
    /// The kernel counts idle time in ticks, so only the sum over many slices is meaningful.
    pub fn idle_share(&self) -> Option<f64> {
        let idle = self.idle.saturating_sub(self.unloaded);
        (!self.loaded.is_zero()).then(|| share(idle, self.loaded).min(1.0))
    }

    /// Returns the resolution of [`CpuTotals::idle_share`].
    pub fn idle_resolution(&self) -> f64 {
        summed_idle_resolution(self.slices, self.cpus, self.loaded)
    }

    /// Returns the mean loss, weighted by the time between samples.
    pub fn mean_loss(&self) -> Loss {
        let span = self.span.as_secs_f64();
        let mean = |seconds: f64| if span > 0.0 { seconds / span } else { 0.0 };
        Loss { stolen: mean(self.stolen_s), others: mean(self.others_s) }
    }
}

impl SliceTotals {
    /// Returns the usage of the server between `first` and `last` by thread role.
    pub fn roles(&self) -> Vec<RoleUsage> {
        match (&self.first, &self.last) {
            (Some(first), Some(last)) => by_role(&first.threads, &last.threads),
            _ => Vec::new(),
        }
    }

    /// Returns the busiest thread's share of the CPU time that the server used.
    pub fn busiest_thread(&self) -> Option<f64> {
        busiest_thread(self.first.as_ref()?, self.last.as_ref()?)
    }

    /// Returns the share of one CPU that the server used while other contenders were loaded.
    pub fn unloaded_cpu_share(&self) -> f64 {
        share(self.unloaded_cpu, self.unloaded)
    }
}
