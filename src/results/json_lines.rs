//! JSON Lines with the keys of the older tools and additional keys; one object per line.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

use super::csv_file::CHECK_PATH;
use crate::measure::{ClientTally, Moments, ServerTally};
use crate::systems::ServerOptions;

/// A file to which objects are appended, one per line.
#[derive(Debug)]
pub struct JsonLines {
    path: PathBuf,
    file: File,
}

impl JsonLines {
    /// Opens the file, or creates it if it does not exist.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|error| {
            let path = path.display();
            anyhow!("cannot append to {path}: {error}; {CHECK_PATH}")
        })?;
        Ok(JsonLines { path: path.to_owned(), file })
    }

    /// Appends one line for each object, all lines in one write.
    ///
    /// # Errors
    ///
    /// Returns an error if the lines cannot be written, for example because the disk is full.
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

/// The summary that a server writes when it stops.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerLine {
    /// Number of requests answered.
    pub accesses: u64,
    /// Number of clients, distinguished by name.
    pub clients: usize,
    /// Time from the first answer to the last, for example `29.985296067s`.
    pub duration: String,
    /// Mean number of accesses per client.
    pub mean: f64,
    /// Name of the system.
    pub server: String,
    /// `accesses / duration`, per second.
    pub throughput: f64,
    /// Name of the server.
    pub name: String,
    /// Malformed requests, which were answered with an error.
    pub malformed: u64,
    /// Number of worker threads; null if the system has none.
    pub workers: Option<usize>,
    /// Requests answered by each worker, ordered by worker name; empty without workers.
    pub per_worker: Vec<u64>,
    /// Transport between proxy and workers; null if the system has none.
    pub backend: Option<String>,
    /// Number of completion queues; null if the system has none.
    pub completion_queues: Option<usize>,
    /// Mean simulated service time per request in us, as measured; null without `--work`.
    #[serde(default)]
    pub service_time_us: Option<f64>,
}

impl ServerLine {
    /// Creates the summary of the server `name` of `system`.
    pub fn new(
        system: &str,
        name: &str,
        server_options: ServerOptions,
        tally: &ServerTally,
    ) -> Self {
        ServerLine {
            accesses: tally.accesses,
            clients: tally.clients(),
            duration: go_duration(tally.duration()),
            mean: tally.mean(),
            server: system.to_owned(),
            throughput: tally.throughput_per_s(),
            name: name.to_owned(),
            malformed: tally.malformed,
            workers: server_options.workers,
            per_worker: tally.per_worker.clone(),
            backend: server_options.backend.map(|backend| backend.to_string()),
            completion_queues: server_options.completion_queues,
            service_time_us: tally.service_time_us(),
        }
    }
}

/// Formats seconds without trailing zeros in the fraction, as Go's `Duration` does.
fn go_duration(duration: Duration) -> String {
    let nanos = format!("{:09}", duration.subsec_nanos());
    match nanos.trim_end_matches('0') {
        "" => format!("{}s", duration.as_secs()),
        fraction => format!("{}.{fraction}s", duration.as_secs()),
    }
}

/// The results of one client in one trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientLine {
    /// Name of the client.
    pub name: String,
    /// Number of clients in the trial.
    pub n_clients: usize,
    /// Echoes whose reply arrived inside the window.
    pub messages: u64,
    /// Sum of their round-trip times in ns.
    #[serde(rename = "latency (nsec)")]
    pub latency_ns: u64,
    /// `messages` divided by the length of the window in seconds.
    #[serde(rename = "throughput (msg/sec)")]
    pub throughput_per_s: f64,
    /// Distribution of their round-trip times.
    #[serde(rename = "latency distribution")]
    pub latency: Distribution,
    /// Name of the system.
    pub system: String,
    /// Label of the contender.
    #[serde(default)]
    pub label: String,
    /// Identifier of the run.
    pub run_id: String,
    /// Number of the pass over all points, from 1.
    pub trial: u32,
    /// Echoes that failed after all retries, over the whole trial.
    pub errors: u64,
    /// Requests without a reply within the timeout, over the whole trial.
    pub timeouts: u64,
}

/// A distribution of latencies in ns. All fields are 0 without samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Longest latency.
    pub maximum: u64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Shortest latency.
    pub minimum: u64,
    /// `maximum - minimum`.
    pub range: u64,
    /// Number of latencies.
    pub samples: u64,
    /// Standard deviation: the square root of `variance`.
    pub stddev: f64,
    /// Sum of the latencies.
    pub total: u64,
    /// Unbiased sample variance in ns².
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
    /// Creates the results of one client, from its tally and the row of its trial.
    pub fn new(row: &super::Row, tally: &ClientTally) -> Self {
        let latency = Distribution::from(&tally.latency);
        let window_s = row.window_s;
        ClientLine {
            name: tally.name.clone(),
            n_clients: row.clients,
            messages: tally.messages(),
            latency_ns: latency.total,
            throughput_per_s: if window_s > 0.0 { tally.messages() as f64 / window_s } else { 0.0 },
            latency,
            system: row.system.clone(),
            label: row.label.clone(),
            run_id: row.run_id.clone(),
            trial: row.trial,
            errors: tally.errors,
            timeouts: tally.error_counts.timeouts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_format_of_the_older_tools() {
        let format = |ns| go_duration(Duration::from_nanos(ns));
        assert_eq!(format(29_985_296_067), "29.985296067s");
        assert_eq!(format(30_032_083_920), "30.03208392s");
        assert_eq!(format(90_000_000_000), "90s");
        assert_eq!(format(0), "0s");
    }
}
