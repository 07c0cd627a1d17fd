//! A child process that runs `echometer serve`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::os::network::Network;
use crate::os::process::PidFd;
use crate::results::ServerLine;
use crate::spec::{Endpoint, ServerSpec};

/// Time for the server to stop after SIGTERM, before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The same for a server whose counts are not needed.
const DROP_TIMEOUT: Duration = Duration::from_secs(3);

/// A running `echometer serve`. Dropping it terminates the process.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    endpoint: Endpoint,
    /// Contains the metrics and the standard error of the server.
    directory: TempDir,
}

/// The output of a server that has stopped without an error.
#[derive(Debug)]
pub struct ServerReport {
    /// The server's metrics.
    pub metrics: ServerLine,
    /// The server's warnings, without duplicates.
    pub warnings: Vec<String>,
}

impl ServerProcess {
    /// Starts `program serve SYSTEM ...` and waits until it accepts requests. The process inherits
    /// the CPUs of the calling thread, and is on the server side of `network`.
    ///
    /// # Errors
    ///
    /// Returns an error if the process cannot be started, or exits before it listens. The error
    /// contains the last line that it printed.
    pub fn spawn(
        program: &Path,
        system: &str,
        spec: &ServerSpec,
        network: &Network,
    ) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("echometer-")
            .tempdir()
            .context("cannot create a directory for the server's metrics; is TMPDIR writable?")?;
        let stderr = fs::File::create(stderr_path(&directory))?;
        let mut command = Command::new(program);
        command
            .args(["serve", system])
            .args(spec.arguments())
            .arg("--metrics")
            .arg(metrics_path(&directory))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            // Ctrl-C in the terminal must reach only the clients, which then stop the server.
            .process_group(0);
        let mut child = network
            .on_server_side(|| Ok(command.spawn()?))
            .with_context(|| format!("cannot start the server {}", program.display()))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        if let Some(Ok(endpoint)) = line.trim_end().strip_prefix("listening ").map(str::parse) {
            return Ok(ServerProcess { child, endpoint, directory });
        }
        let _ = child.kill();
        let _ = child.wait();
        bail!("the server did not start: {}", last_stderr_line(&directory))
    }

    /// The address on which the server listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process has exited, for any reason.
    pub fn has_exited(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends SIGTERM, unless the process has exited. Returns whether it exits within `timeout`.
    fn terminate(&mut self, timeout: Duration) -> Result<bool> {
        if self.has_exited() {
            return Ok(true);
        }
        let pid = self.child.id().cast_signed();
        kill(Pid::from_raw(pid), Signal::SIGTERM).context("cannot stop the server")?;
        PidFd::open(pid)?.wait(timeout)
    }

    /// Stops the server, waits until it exits, and reads its metrics and warnings.
    ///
    /// # Errors
    ///
    /// Returns an error if the server fails, does not exit in time, or writes no metrics.
    pub fn stop(mut self) -> Result<ServerReport> {
        if !self.terminate(STOP_TIMEOUT)? {
            bail!("the server did not stop within {STOP_TIMEOUT:?}, and was killed");
        }
        let status = self.child.wait().context("cannot wait for the server")?;
        if !status.success() {
            bail!("the server failed with {status}: {}", last_stderr_line(&self.directory));
        }
        let text = fs::read_to_string(metrics_path(&self.directory))?;
        let metrics = serde_json::from_str(&text)
            .map_err(|error| anyhow!("cannot read the server's metrics: {error}"))?;
        Ok(ServerReport { metrics, warnings: warnings(&read_stderr(&self.directory)) })
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // On SIGTERM, the server removes its own files.
        let _ = self.terminate(DROP_TIMEOUT);
        // Both calls fail if the process has exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn metrics_path(directory: &TempDir) -> PathBuf {
    directory.path().join("metrics.jsonl")
}

fn stderr_path(directory: &TempDir) -> PathBuf {
    directory.path().join("stderr.txt")
}

fn read_stderr(directory: &TempDir) -> String {
    fs::read_to_string(stderr_path(directory)).unwrap_or_default()
}

/// Returns the warnings of echometer's own log in `stderr`, without duplicates.
fn warnings(stderr: &str) -> Vec<String> {
    let mut warnings: Vec<String> = Vec::new();
    for warning in stderr.lines().filter_map(|line| line.strip_prefix("[WARN ] ")) {
        if !warnings.iter().any(|known| known == warning) {
            warnings.push(warning.to_owned());
        }
    }
    warnings
}

fn last_stderr_line(directory: &TempDir) -> String {
    let text = read_stderr(directory);
    let line = text.lines().rfind(|line| !line.trim().is_empty());
    let line = line.unwrap_or("it printed nothing");
    line.strip_prefix("echometer: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_warnings_are_reported_once() {
        let stderr = "[WARN ] cannot set SCHED_BATCH: no\nE1125 of a library\n[WARN ] other\n\
                      [WARN ] cannot set SCHED_BATCH: no\nrep: 3 accesses\n";
        assert_eq!(warnings(stderr), ["cannot set SCHED_BATCH: no", "other"]);
        assert!(warnings("").is_empty());
    }
}
