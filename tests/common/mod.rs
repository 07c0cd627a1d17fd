//! What the integration tests share: the real binary, a server of it that is stopped whatever
//! happens, specs for the public API, and conditions to wait for.

// Each file of tests/ is a crate of its own, and uses a part of this.
#![allow(dead_code, unused_imports)]

pub mod bench;
mod known;
pub mod page;
pub mod raw;
pub mod rows;
pub mod scripted;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

pub use self::known::{Counts, Wire, known};
use echometer::spec::{Channels, ClientSpec, Driver, Endpoint, LoadSpec, ServerSpec};
use echometer::systems::{SYSTEMS, System};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take that is sure to happen: long, for machines that are busy.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A port on loopback that the kernel chooses.
pub const ANY_PORT: &str = "127.0.0.1:0";

/// The command, with nothing of the environment that changes what it says.
pub fn echometer() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_echometer"));
    command.env_remove("RUST_LOG").env_remove("GRPC_VERBOSITY").stdin(Stdio::null());
    command
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the command to its end.
pub fn run<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    finish(echometer().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()))
}

/// Runs any command to its end; -1 stands for one that a signal ended.
pub fn finish(command: &mut Command) -> Ran {
    Ran::from(command.output().unwrap())
}

impl From<std::process::Output> for Ran {
    fn from(output: std::process::Output) -> Self {
        Ran {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Asserts that it failed with `status` and one line that contains all of `telling`.
    pub fn assert_fails(&self, status: i32, telling: &[&str]) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "one line: {self:?}");
        let words = self.stderr.strip_prefix("echometer: ").unwrap_or_else(|| panic!("{self:?}"));
        assert!(!words.starts_with(char::is_uppercase), "{self:?}");
        assert!(!words.trim_end().ends_with('.'), "{self:?}");
        for word in telling {
            assert!(words.contains(word), "'{word}' is not in: {words}");
        }
        assert_eq!(self.stdout, "", "{self:?}");
    }
}

/// Waits until `condition` gives something; what is sure to happen needs no sleep.
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < end, "within {DEADLINE:?} it did not happen that {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A process that is killed and waited for when it is dropped.
pub struct Guard(pub Child);

impl Guard {
    pub fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits for its end, which is near.
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the process ends", || self.0.try_wait().unwrap())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Both fail for a process that has ended, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server of the real binary; it is killed if the test ends before it was stopped.
pub struct Served {
    pub process: Guard,
    pub address: String,
    directory: TempDir,
}

/// What a server left that was stopped.
#[derive(Debug)]
pub struct Stopped {
    pub status: ExitStatus,
    pub stderr: String,
    pub metrics: Value,
    /// From the signal to the end.
    pub took: Duration,
}

impl Served {
    pub fn start(system: &dyn System, extra: &[&str]) -> Self {
        Served::start_at(system, ANY_PORT, extra)
    }

    pub fn start_at(system: &dyn System, address: &str, extra: &[&str]) -> Self {
        Served::start_by(&mut echometer(), system, address, extra)
    }

    /// Starts it by a command that has been prepared.
    pub fn start_by(
        command: &mut Command,
        system: &dyn System,
        address: &str,
        extra: &[&str],
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let stderr = fs::File::create(directory.path().join("stderr")).unwrap();
        let mut child = command
            .args(["serve", system.name(), "--addr", address, "--metrics"])
            .arg(directory.path().join("metrics"))
            .args(extra)
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let process = Guard(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening ").expect("a line 'listening ADDR'");
        Served { process, address: address.to_owned(), directory }
    }

    pub fn endpoint(&self) -> Endpoint {
        self.address.parse().unwrap()
    }

    pub fn port(&self) -> u16 {
        self.address.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// Sends SIGTERM, and gathers what is left.
    pub fn stop(self) -> Stopped {
        self.stop_by(Signal::SIGTERM)
    }

    pub fn stop_by(self, signal: Signal) -> Stopped {
        self.process.signal(signal);
        self.end()
    }

    /// Waits for an end that has been brought about already.
    pub fn end(mut self) -> Stopped {
        let since = Instant::now();
        let status = self.process.wait();
        let took = since.elapsed();
        let read = |name| fs::read_to_string(self.directory.path().join(name)).unwrap();
        let (stderr, metrics) = (read("stderr"), read("metrics"));
        assert!(!metrics.is_empty(), "it left no metrics: {status}, {stderr}");
        Stopped { status, stderr, metrics: metrics_line(&metrics), took }
    }
}

/// The one line of a metrics file.
pub fn metrics_line(text: &str) -> Value {
    assert!(text.ends_with('\n') && text.lines().count() == 1, "one line: {text:?}");
    serde_json::from_str(text).unwrap()
}

/// A port on which nothing listens: it was free a moment ago.
pub fn nobody() -> String {
    let listener = std::net::TcpListener::bind(ANY_PORT).unwrap();
    listener.local_addr().unwrap().to_string()
}

/// A directory, and the path of a file in it.
pub fn file_in_new_directory(name: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    (directory, path)
}

pub fn server_spec() -> ServerSpec {
    ServerSpec { workers: 4.try_into().unwrap(), ..ServerSpec::named("server") }
}

pub fn client_spec(name: &str) -> ClientSpec {
    ClientSpec {
        name: name.to_owned(),
        timeout: DEADLINE,
        retries: 0,
        max_message: 2 << 20,
        channels: Channels::default(),
    }
}

/// So many clients for one second, who do not pause and do not try again.
pub fn load_spec(clients: usize) -> LoadSpec {
    LoadSpec {
        driver: Driver::Native,
        channels: Channels::default(),
        clients: clients.try_into().unwrap(),
        window: Duration::from_secs(1),
        warmup: Duration::ZERO,
        think: Duration::ZERO,
        pace: None,
        payload: 64,
        reply_payload: 0,
        timeout: DEADLINE,
        retries: 0,
    }
}

/// Does the same with every system, all at once: for tests that wait more than they work.
pub fn with_each_system(test: impl Fn(&'static dyn System) + Sync) {
    std::thread::scope(|scope| {
        for system in SYSTEMS {
            let test = &test;
            scope.spawn(move || test(*system));
        }
    });
}
