//! Helpers of the integration tests: processes of the built binary that are killed when dropped,
//! specs for the public API, and conditions to wait for.

// Each file of tests/ is a separate crate and uses only some of these items.
#![allow(dead_code, unused_imports)]

pub mod bench;
pub mod page;
pub mod raw;
pub mod rows;
pub mod scripted;
pub mod suite;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use echometer::spec::{Channels, ClientSpec, Driver, Endpoint, LoadSpec, ServerSpec};
use echometer::systems::{SYSTEMS, System};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Time limit for events that are certain to happen. It is long because machines may be busy.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A loopback address with a port that the kernel chooses.
pub const ANY_PORT: &str = "127.0.0.1:0";

/// The echometer command without the environment variables that change its output.
pub fn echometer() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_echometer"));
    command.env_remove("RUST_LOG").env_remove("GRPC_VERBOSITY").stdin(Stdio::null());
    command
}

/// Exit status and output of a command.
#[derive(Debug)]
pub struct CommandOutput {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs echometer with these arguments until it exits.
pub fn run<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> CommandOutput {
    run_command(echometer().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()))
}

/// Runs a command until it exits. The status is -1 if a signal ended the command.
pub fn run_command(command: &mut Command) -> CommandOutput {
    CommandOutput::from(command.output().unwrap())
}

impl From<std::process::Output> for CommandOutput {
    fn from(output: std::process::Output) -> Self {
        CommandOutput {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl CommandOutput {
    /// Asserts that the command failed with `status` and one line that contains all `fragments`.
    pub fn assert_fails(&self, status: i32, fragments: &[&str]) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "not exactly one line: {self:?}");
        let message = self.stderr.strip_prefix("echometer: ").unwrap_or_else(|| panic!("{self:?}"));
        assert!(!message.starts_with(char::is_uppercase), "{self:?}");
        assert!(!message.trim_end().ends_with('.'), "{self:?}");
        for fragment in fragments {
            assert!(message.contains(fragment), "'{fragment}' is not in: {message}");
        }
        assert_eq!(self.stdout, "", "{self:?}");
    }
}

/// Waits until `condition` returns a value. `event` describes it in the timeout message.
pub fn eventually<T>(event: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < end, "timed out after {DEADLINE:?}: {event}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A child process that is killed and reaped on drop.
pub struct Guard(pub Child);

impl Guard {
    pub fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits until the process exits, at most [`DEADLINE`].
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the process ends", || self.0.try_wait().unwrap())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Both calls fail if the process has already exited, which is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An `echometer serve` process. It is killed if the test ends before the server was stopped.
pub struct ServerProcess {
    pub process: Guard,
    pub address: String,
    directory: TempDir,
}

/// Exit status, output and metrics of a stopped server.
#[derive(Debug)]
pub struct StoppedServer {
    pub status: ExitStatus,
    pub stderr: String,
    pub metrics: Value,
    /// Time from the signal to the exit.
    pub took: Duration,
}

impl ServerProcess {
    pub fn start(system: &dyn System, extra: &[&str]) -> Self {
        ServerProcess::start_at(system, ANY_PORT, extra)
    }

    pub fn start_at(system: &dyn System, address: &str, extra: &[&str]) -> Self {
        ServerProcess::start_by(&mut echometer(), system, address, extra)
    }

    /// Starts the server through a prepared command.
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
        ServerProcess { process, address: address.to_owned(), directory }
    }

    pub fn endpoint(&self) -> Endpoint {
        self.address.parse().unwrap()
    }

    pub fn port(&self) -> u16 {
        self.address.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// Sends SIGTERM, waits for the exit, and collects output and metrics.
    pub fn stop(self) -> StoppedServer {
        self.stop_with(Signal::SIGTERM)
    }

    pub fn stop_with(self, signal: Signal) -> StoppedServer {
        self.process.signal(signal);
        self.wait()
    }

    /// Waits for a server that is already stopping, and collects output and metrics.
    pub fn wait(mut self) -> StoppedServer {
        let since = Instant::now();
        let status = self.process.wait();
        let took = since.elapsed();
        let read = |name| fs::read_to_string(self.directory.path().join(name)).unwrap();
        let (stderr, metrics) = (read("stderr"), read("metrics"));
        assert!(!metrics.is_empty(), "the server wrote no metrics: {status}, {stderr}");
        StoppedServer { status, stderr, metrics: metrics_line(&metrics), took }
    }
}

/// The only line of a metrics file.
pub fn metrics_line(text: &str) -> Value {
    assert!(text.ends_with('\n') && text.lines().count() == 1, "not exactly one line: {text:?}");
    serde_json::from_str(text).unwrap()
}

/// A loopback address on which nothing listens: the port was free a moment ago.
pub fn unused_address() -> String {
    let listener = std::net::TcpListener::bind(ANY_PORT).unwrap();
    listener.local_addr().unwrap().to_string()
}

/// A new temporary directory and the path of a file in it. The file is not created.
pub fn file_in_new_directory(name: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    (directory, path)
}

/// Scope of the sequence numbers in a system's replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceScope {
    Server,
    Worker,
    Connection,
}

/// Wire protocol of a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    ZeroMq,
    Grpc,
    GrpcStream,
    Framed,
}

/// The sequence scope that a system promises.
pub fn sequence_scope(system: &dyn System) -> SequenceScope {
    properties(system).0
}

/// The wire protocol that a system speaks.
pub fn wire_of(system: &dyn System) -> Wire {
    properties(system).1
}

/// The only place where the tests distinguish systems by name.
fn properties(system: &dyn System) -> (SequenceScope, Wire) {
    match system.name() {
        "rep" => (SequenceScope::Server, Wire::ZeroMq),
        "router" => (SequenceScope::Worker, Wire::ZeroMq),
        "grpc" => (SequenceScope::Server, Wire::Grpc),
        "grpc-stream" => (SequenceScope::Server, Wire::GrpcStream),
        "tcp" => (SequenceScope::Connection, Wire::Framed),
        other => panic!("add the system {other} to properties() in tests/common/mod.rs"),
    }
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

/// A load of `clients` clients for one second, without think time and without retries.
pub fn load_spec(clients: usize) -> LoadSpec {
    LoadSpec {
        driver: Driver::Native,
        channels: Channels::default(),
        clients: clients.try_into().unwrap(),
        window: Duration::from_secs(1),
        warmup: Duration::ZERO,
        think: Duration::ZERO,
        open_loop: None,
        payload: 64,
        reply_payload: 0,
        timeout: DEADLINE,
        retries: 0,
    }
}

/// Runs `test` with every system in parallel, for tests that mostly wait.
pub fn for_each_system(test: impl Fn(&'static dyn System) + Sync) {
    std::thread::scope(|scope| {
        for system in SYSTEMS {
            let test = &test;
            scope.spawn(move || test(*system));
        }
    });
}
