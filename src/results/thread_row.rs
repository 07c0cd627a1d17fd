//! What the threads of a server used, role by role: the rows of `threads.csv`.

use serde::{Deserialize, Serialize};

use super::Row;
use crate::measure::RoleUsage;

/// The threads of one role in one trial. `run_id` and `started_at` name the trial's row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ThreadRow {
    /// The run that the trial is part of.
    pub run_id: String,
    /// When the trial started.
    pub started_at: String,
    /// Its pass.
    pub trial: u32,
    /// Whether it holds.
    pub valid: bool,
    /// The system.
    pub system: String,
    /// Concurrent clients.
    pub clients: usize,
    /// Echoes in the part of the window in which the threads were looked at.
    pub messages: f64,
    /// What the threads are for.
    pub role: String,
    /// How many there are.
    pub threads: u64,
    /// Their user and system time, per message.
    pub cpu_us_per_msg: Option<f64>,
    /// Of it, user time.
    pub user_us_per_msg: Option<f64>,
    /// Of it, system time.
    pub system_us_per_msg: Option<f64>,
    /// Their context switches because they had to wait, per message.
    pub voluntary_switches_per_msg: Option<f64>,
    /// Their context switches though they would have gone on, per message.
    pub involuntary_switches_per_msg: Option<f64>,
    /// The contender's label; empty in rows of an older version.
    #[serde(default)]
    pub label: String,
}

impl ThreadRow {
    /// What the threads of a role used in the trial that `row` tells of.
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
            cpu_us_per_msg: super::us_per(Some(used.cpu), messages),
            user_us_per_msg: super::us_per(used.user(), messages),
            system_us_per_msg: super::us_per(used.system(), messages),
            voluntary_switches_per_msg: super::per(used.voluntary, messages),
            involuntary_switches_per_msg: super::per(used.involuntary, messages),
            label: row.label.clone(),
        }
    }
}
