//! Slices of a trial: the rows of `slices.csv`.

use serde::{Deserialize, Serialize};

/// One slice of one contender.
///
/// `run_id`, `trial`, `label` and `clients` identify the trial's row. If several rows match, the
/// slice belongs to the last one that started before it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SliceRow {
    /// Identifier of the run.
    pub run_id: String,
    /// Number of the pass over all points, from 1.
    pub trial: u32,
    /// Number of the round, from 1. A disturbed slice is repeated in the same round.
    pub round: u32,
    /// Label of the contender.
    pub label: String,
    /// Number of concurrent clients.
    pub clients: usize,
    /// When the window opened, in us since 1970-01-01 UTC.
    pub started_at_us: u64,
    /// Length of the window.
    pub window_us: f64,
    /// Echoes whose reply arrived inside the window.
    pub messages: u64,
    /// CPU time of the server in the window; empty if its process is unknown.
    pub server_cpu_us: Option<f64>,
    /// CPU time of the clients' process in the window.
    pub client_cpu_us: f64,
    /// Steal as a share of one side's CPUs; the larger value of the two sides.
    pub stolen: f64,
    /// CPU time of other processes as a share of one side's CPUs; the larger value of the two
    /// sides.
    pub others: f64,
    /// Whether the slice counts. Disturbed slices do not.
    pub kept: bool,
}

impl SliceRow {
    /// Name of the file, in the directory of `results.csv`.
    pub const FILE_NAME: &'static str = "slices.csv";
}
