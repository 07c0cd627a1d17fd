//! JSON Lines with the keys of older tools, one object a line; further keys stand beside them.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

use crate::measure::{ClientTally, Moments, ServerTally};
use crate::systems::ServerOptions;

/// A file to which objects are appended, one a line.
#[derive(Debug)]
pub struct JsonLines {
    path: PathBuf,
    file: File,
}

impl JsonLines {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|error| {
            let path = path.display();
            anyhow!("cannot append to {path}: {error}; is there such a directory, and yours?")
        })?;
        Ok(JsonLines { path: path.to_owned(), file })
    }

    /// Appends one line for each object, all in one write.
    ///
    /// # Errors
    ///
    /// Where they cannot be written, as on a full disk.
    pub fn append<T: Serialize>(&mut self, objects: &[T]) -> Result<()> {
        let mut text = Vec::new();
        for object in objects {
            serde_json::to_writer(&mut text, object)?;
            text.push(b'\n');
        }
        self.file
            .write_all(&text)
            .with_context(|| format!("cannot append to {}", self.path.display()))
    }
}

/// What a server leaves when it stops.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerLine {
    /// Requests answered.
    pub accesses: u64,
    /// Clients, told apart by their names.
    pub clients: usize,
    /// From the first answer to the last, as in `29.985296067s`.
    pub duration: String,
    /// Accesses per client.
    pub mean: f64,
    /// The system.
    pub server: String,
    /// Accesses per second of the duration.
    pub throughput: f64,
    /// The server's name.
    pub name: String,
    /// Requests that could only be answered by saying so.
    pub malformed: u64,
    /// Worker threads; null where the system has none.
    pub workers: Option<usize>,
    /// What each of them answered.
    pub per_worker: Vec<u64>,
    /// What lies between proxy and workers; null where the system has neither.
    pub backend: Option<String>,
    /// Completion queues; null where the system has none.
    pub completion_queues: Option<usize>,
}

impl ServerLine {
    /// What the server `name` of `system` counted.
    pub fn new(
        system: &str,
        name: &str,
        server_options: ServerOptions,
        tally: &ServerTally,
    ) -> Self {
        ServerLine {
            accesses: tally.accesses,
            clients: tally.clients(),
            duration: seconds(tally.duration()),
            mean: tally.mean(),
            server: system.to_owned(),
            throughput: tally.throughput_per_s(),
            name: name.to_owned(),
            malformed: tally.malformed,
            workers: server_options.workers,
            per_worker: tally.per_worker.clone(),
            backend: server_options.backend.map(|backend| backend.to_string()),
            completion_queues: server_options.completion_queues,
        }
    }
}

/// Seconds and their fraction without trailing zeros, as Go writes a `Duration`.
fn seconds(duration: Duration) -> String {
    let nanos = format!("{:09}", duration.subsec_nanos());
    match nanos.trim_end_matches('0') {
        "" => format!("{}s", duration.as_secs()),
        fraction => format!("{}.{fraction}s", duration.as_secs()),
    }
}

/// What one client counted in the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientLine {
    /// The client's name.
    pub name: String,
    /// Clients of the trial.
    pub n_clients: usize,
    /// Echoes that ended inside the window.
    pub messages: u64,
    /// The sum of their round-trip times.
    #[serde(rename = "latency (nsec)")]
    pub latency_ns: u64,
    /// Messages over the length of the window.
    #[serde(rename = "throughput (msg/sec)")]
    pub throughput_per_s: f64,
    /// Their distribution.
    #[serde(rename = "latency distribution")]
    pub latency: Distribution,
    /// The system.
    pub system: String,
    /// The contender's label.
    #[serde(default)]
    pub label: String,
    /// The run that the trial is part of.
    pub run_id: String,
    /// The pass that the trial is part of.
    pub trial: u32,
    /// Echoes that failed, over the whole trial.
    pub errors: u64,
    /// Waits that ended without a reply, over the whole trial.
    pub timeouts: u64,
}

/// A distribution of latencies, in ns; 0 throughout without samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// The longest.
    pub maximum: u64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The shortest.
    pub minimum: u64,
    /// `maximum - minimum`.
    pub range: u64,
    /// How many there are.
    pub samples: u64,
    /// The square root of the variance.
    pub stddev: f64,
    /// Their sum.
    pub total: u64,
    /// The unbiased sample variance, in ns².
    pub variance: f64,
}

impl From<&Moments> for Distribution {
    fn from(latency: &Moments) -> Self {
        let variance = latency.variance_ns2().unwrap_or(0.0);
        let (minimum, maximum) =
            (latency.minimum_ns().unwrap_or(0), latency.maximum_ns().unwrap_or(0));
        Distribution {
            maximum,
            mean: latency.mean_ns().unwrap_or(0.0),
            minimum,
            range: maximum - minimum,
            samples: latency.samples(),
            stddev: variance.sqrt(),
            total: u64::try_from(latency.total_ns()).unwrap_or(u64::MAX),
            variance,
        }
    }
}

impl ClientLine {
    /// What `tally` holds of the trial that `row` tells of.
    pub fn new(row: &super::Row, tally: &ClientTally) -> Self {
        let latency = Distribution::from(&tally.latency);
        let seconds = row.window_s;
        ClientLine {
            name: tally.name.clone(),
            n_clients: row.clients,
            messages: tally.messages(),
            latency_ns: latency.total,
            throughput_per_s: if seconds > 0.0 { tally.messages() as f64 / seconds } else { 0.0 },
            latency,
            system: row.system.clone(),
            label: row.label.clone(),
            run_id: row.run_id.clone(),
            trial: row.trial,
            errors: tally.errors,
            timeouts: tally.faults.timeouts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_the_older_tools_wrote_them() {
        let written = |ns| seconds(Duration::from_nanos(ns));
        assert_eq!(written(29_985_296_067), "29.985296067s");
        assert_eq!(written(30_032_083_920), "30.03208392s");
        assert_eq!(written(90_000_000_000), "90s");
        assert_eq!(written(0), "0s");
    }
}
