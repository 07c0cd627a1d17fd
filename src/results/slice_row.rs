//! The slices of a trial: the rows of `slices.csv`.

use serde::{Deserialize, Serialize};

/// One slice of one contender. `run_id`, `trial`, `label` and `clients` name the trial's row; of
/// several such rows, it is the last that started before the slice.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SliceRow {
    /// The run that the trial is part of.
    pub run_id: String,
    /// The pass over all points that the trial is part of, from 1.
    pub trial: u32,
    /// The round, from 1. A slice that was disturbed is followed by another one in its round.
    pub round: u32,
    /// The contender.
    pub label: String,
    /// Concurrent clients.
    pub clients: usize,
    /// When the window opened, in us since 1970-01-01 UTC.
    pub started_at_us: u64,
    /// The length of the window.
    pub window_us: f64,
    /// Echoes whose reply arrived in the window.
    pub messages: u64,
    /// CPU time of the server in the window; empty where its process is not known.
    pub server_cpu_us: Option<f64>,
    /// CPU time of the clients' process in the window.
    pub client_cpu_us: f64,
    /// Steal as a share of the CPUs, of the side that lost more.
    pub stolen: f64,
    /// CPU time of other processes as a share of the CPUs, of the side that lost more.
    pub others: f64,
    /// Whether the slice counts.
    pub kept: bool,
}

impl SliceRow {
    /// The name of the file, next to the rows.
    pub const FILE: &'static str = "slices.csv";
}
