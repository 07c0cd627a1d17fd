//! Resource usage of a server's threads by role: the rows of `threads.csv`.

use serde::{Deserialize, Serialize};

use super::Row;
use crate::measure::RoleUsage;

/// The threads of one role in one trial. `run_id` and `started_at` identify the trial's row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ThreadRow {
    /// Identifier of the run.
    pub run_id: String,
    /// When the trial started.
    pub started_at: String,
    /// Number of the pass over all points, from 1.
    pub trial: u32,
    /// Whether the trial is valid.
    pub valid: bool,
    /// The system under test.
    pub system: String,
    /// Number of concurrent clients.
    pub clients: usize,
    /// Echoes between the two readings of the threads.
    pub messages: f64,
    /// Role of the threads.
    pub role: String,
    /// Number of threads of this role.
    pub threads: u64,
    /// CPU time (user and system) per message.
    pub cpu_us_per_msg: Option<f64>,
    /// User time per message.
    pub user_us_per_msg: Option<f64>,
    /// System time per message.
    pub system_us_per_msg: Option<f64>,
    /// Voluntary context switches per message: the thread had to wait.
    pub voluntary_switches_per_msg: Option<f64>,
    /// Involuntary context switches per message: the thread was preempted.
    pub involuntary_switches_per_msg: Option<f64>,
    /// Label of the contender; empty in rows of an older version.
    #[serde(default)]
    pub label: String,
}

impl ThreadRow {
    /// Creates the row for one role in the trial of `row`. `messages` is the number of echoes
    /// between the two readings of the threads.
    pub fn new(row: &Row, role: &RoleUsage, messages: f64) -> Self {
        let used = &role.used;
        ThreadRow {
            run_id: row.run_id.clone(),
            started_at: row.started_at.clone(),
            trial: row.trial,
            valid: row.valid,
            system: row.system.clone(),
            clients: row.clients,
            messages: super::rounded(messages, 1),
            role: role.role.clone(),
            threads: role.threads,
            cpu_us_per_msg: super::us_per_message(Some(used.cpu), messages),
            user_us_per_msg: super::us_per_message(used.user(), messages),
            system_us_per_msg: super::us_per_message(used.system(), messages),
            voluntary_switches_per_msg: super::per_message(used.voluntary, messages),
            involuntary_switches_per_msg: super::per_message(used.involuntary, messages),
            label: row.label.clone(),
        }
    }
}
