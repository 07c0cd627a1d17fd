//! The server of a trial: a child process that runs `echometer serve`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::os::process::ProcessEnd;
use crate::results::ServerLine;
use crate::spec::{Endpoint, ServerSpec};

/// How long a server may take to stop before it is killed.
const STOPPING: Duration = Duration::from_secs(10);

/// How long a server that nobody asks what it counted may take to tidy up.
const TIDYING: Duration = Duration::from_secs(3);

/// A server that runs in a process of its own. Dropped, it is ended.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    endpoint: Endpoint,
    /// Holds what the server writes: its metrics, and what it says to people.
    directory: TempDir,
}

impl ServerProcess {
    /// Starts `program serve SYSTEM ...`, and returns once it accepts requests. It inherits
    /// the CPUs of the calling thread.
    ///
    /// # Errors
    ///
    /// Where it cannot be started, or ends instead of listening: with its own words.
    pub fn spawn(program: &Path, system: &str, spec: &ServerSpec) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("echometer-")
            .tempdir()
            .context("cannot make a directory for the server's metrics; is TMPDIR writable?")?;
        let said = fs::File::create(stderr(&directory))?;
        let mut child = Command::new(program)
            .args(["serve", system])
            .args(spec.arguments())
            .arg("--metrics")
            .arg(metrics(&directory))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(said)
            // A Ctrl-C in the terminal is for the clients, which then stop the server.
            .process_group(0)
            .spawn()
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
        bail!("the server did not start: {}", last_words(&directory))
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended, of its own accord or by someone else's.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Tells it to stop, if it has not, and says whether it did so in time.
    fn ends_when_asked(&mut self, patience: Duration) -> Result<bool> {
        if self.has_ended() {
            return Ok(true);
        }
        let pid = self.child.id().cast_signed();
        kill(Pid::from_raw(pid), Signal::SIGTERM).context("cannot stop the server")?;
        ProcessEnd::of(pid)?.wait(patience)
    }

    /// Tells it to stop, waits for its end, and reads what it counted.
    ///
    /// # Errors
    ///
    /// Where it ended badly, or not in time, or left no metrics.
    pub fn stop(mut self) -> Result<Stopped> {
        if !self.ends_when_asked(STOPPING)? {
            bail!("the server did not stop within {STOPPING:?}, and was killed");
        }
        let status = self.child.wait().context("cannot wait for the server")?;
        if !status.success() {
            bail!("the server ended with {status}: {}", last_words(&self.directory));
        }
        let text = fs::read_to_string(metrics(&self.directory))?;
        let counted = serde_json::from_str(&text)
            .map_err(|error| anyhow!("the server left no metrics: {error}"))?;
        Ok(Stopped { counted, warnings: warnings(&said(&self.directory)) })
    }
}

/// What a server left that has stopped as it should.
#[derive(Debug)]
pub struct Stopped {
    /// What it counted.
    pub counted: ServerLine,
    /// What it warned of, each thing once.
    pub warnings: Vec<String>,
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It has files of its own, which it removes when it is asked to stop.
        let _ = self.ends_when_asked(TIDYING);
        // Both fail for a process that has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn metrics(directory: &TempDir) -> std::path::PathBuf {
    directory.path().join("metrics.jsonl")
}

fn stderr(directory: &TempDir) -> std::path::PathBuf {
    directory.path().join("stderr.txt")
}

/// What the server printed for people.
fn said(directory: &TempDir) -> String {
    fs::read_to_string(stderr(directory)).unwrap_or_default()
}

/// The warnings in it, of the program's own log.
fn warnings(said: &str) -> Vec<String> {
    let mut warnings: Vec<String> = Vec::new();
    for warning in said.lines().filter_map(|line| line.strip_prefix("[WARN ] ")) {
        if !warnings.iter().any(|known| known == warning) {
            warnings.push(warning.to_owned());
        }
    }
    warnings
}

/// The last line of it.
fn last_words(directory: &TempDir) -> String {
    let text = said(directory);
    let line = text.lines().rfind(|line| !line.trim().is_empty());
    let line = line.unwrap_or("it said nothing");
    line.strip_prefix("echometer: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_of_the_log_are_told_once_each() {
        let said = "[WARN ] cannot set SCHED_BATCH: no\nE1125 of a library\n[WARN ] other\n\
                    [WARN ] cannot set SCHED_BATCH: no\nrep: 3 accesses\n";
        assert_eq!(warnings(said), ["cannot set SCHED_BATCH: no", "other"]);
        assert!(warnings("").is_empty());
    }
}
