//! A child process that runs a command of the user: a server in any language.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::load::{CancelToken, RetryingClient, first_request};
use crate::message::EchoError;
use crate::os::network::Network;
use crate::os::process::PidFd;
use crate::spec::{ClientSpec, Endpoint, ExecSpec, LoadSpec};
use crate::systems::System;

/// Time for the process to exit after SIGTERM, before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Timeout of one attempt at the first echo. Each attempt uses a new connection.
const FIRST_ECHO_TIMEOUT: Duration = Duration::from_millis(500);

/// Timeout of the connection that checks whether the address is in use.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Pause between two attempts.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// Number of output lines in an error.
const MAX_OUTPUT_LINES: usize = 5;

/// A process that leads its own process group. Dropping it terminates the whole group.
#[derive(Debug)]
pub struct ExecProcess {
    child: Child,
    endpoint: Endpoint,
    command: String,
    /// Contains the output of the process.
    directory: TempDir,
    /// Whether the process has been waited for. If so, the kernel may reuse its id.
    reaped: bool,
}

impl ExecProcess {
    /// Starts the command without a shell, and waits until an echo succeeds. The process inherits
    /// the CPUs of the calling thread, and is on the server side of `network`.
    ///
    /// # Errors
    ///
    /// Returns an error if the process cannot be started, exits, or does not answer in time. The
    /// error contains the last lines of its output.
    pub fn start(
        system: &'static dyn System,
        spec: &ExecSpec,
        load: &LoadSpec,
        network: &Network,
        stop: &CancelToken,
    ) -> Result<Self> {
        let endpoint = spec.address.clone().map_or_else(|| free_port(network), Ok)?;
        // A process that already listens there could share the port and answer instead.
        if spec.address.is_some()
            && TcpStream::connect_timeout(&endpoint.resolve()?, CONNECT_TIMEOUT).is_ok()
        {
            bail!("another process already listens on {endpoint}; stop it, or change addr=");
        }
        let argv = substitute(&spec.command, &endpoint);
        let (program, arguments) = argv.split_first().context("the command is empty")?;
        let command = shlex::try_join(argv.iter().map(String::as_str))?;
        let directory = tempfile::Builder::new()
            .prefix("echometer-")
            .tempdir()
            .context("cannot create a directory for the server's output; is TMPDIR writable?")?;
        let output = fs::File::create(output_path(&directory))?;
        let mut builder = Command::new(program);
        builder.args(arguments).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        // Ctrl-C in the terminal must reach only the clients, which then stop the server.
        builder.process_group(0);
        terminate_with_parent(&mut builder);
        let child = network
            .on_server_side(|| Ok(builder.spawn()?))
            .with_context(|| format!("cannot start the command '{command}'"))?;
        let mut process = ExecProcess { child, endpoint, command, directory, reaped: false };
        process.wait_until_ready(system, load, spec.ready_timeout, stop)?;
        Ok(process)
    }

    /// The address on which the server listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The process id, which is also the id of the process group.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process has exited. If so, this kills the rest of its process group.
    pub fn has_exited(&mut self) -> bool {
        if !self.reaped && !matches!(self.child.try_wait(), Ok(None)) {
            self.reaped = true;
            self.kill_group();
        }
        self.reaped
    }

    /// Sends SIGTERM to the process group. Kills the remaining processes as soon as the leader
    /// has exited, and after 2 s at the latest.
    pub fn stop(mut self) {
        self.terminate();
    }

    fn terminate(&mut self) {
        if self.has_exited() {
            return;
        }
        let group = Pid::from_raw(self.child.id().cast_signed());
        if killpg(group, Signal::SIGTERM).is_ok() {
            let process = PidFd::open(group.as_raw());
            let _ = process.and_then(|process| process.wait(STOP_TIMEOUT));
        }
        // The kernel does not reuse the id before the process is waited for.
        self.kill_group();
        let _ = self.child.wait();
        self.reaped = true;
    }

    /// Kills the remaining processes of the group. The system call fails if there are none.
    fn kill_group(&self) {
        let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL);
    }

    fn wait_until_ready(
        &mut self,
        system: &'static dyn System,
        load: &LoadSpec,
        timeout: Duration,
        stop: &CancelToken,
    ) -> Result<()> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let echo = first_echo(system, &self.endpoint, load, left);
            if self.has_exited() {
                let summary = self.exit_summary();
                bail!("the command '{}' exited during startup: {summary}", self.command);
            }
            let Err(error) = echo else { return Ok(()) };
            if stop.is_set() {
                bail!("stopped while waiting for the command '{}'", self.command);
            }
            if Instant::now() >= deadline {
                bail!(
                    "the command '{}' did not answer as {} on {} within {timeout:?} \
                     (--ready-timeout): {error}{}",
                    self.command,
                    system.name(),
                    self.endpoint,
                    self.last_output()
                );
            }
            thread::sleep(RETRY_PAUSE);
        }
    }

    /// Waits for the process, and returns its exit status and the last lines of its output.
    pub fn exit_summary(&mut self) -> String {
        let status = self.child.wait().map_or_else(|error| error.to_string(), status_text);
        format!("{status}{}", self.last_output())
    }

    /// Returns the last lines of the output.
    fn last_output(&self) -> String {
        let text = fs::read(output_path(&self.directory)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines: Vec<_> = lines.collect();
        if lines.is_empty() {
            return "; it printed nothing".to_owned();
        }
        let last = &lines[lines.len().saturating_sub(MAX_OUTPUT_LINES)..];
        format!("; it printed: {}", last.join(" | "))
    }
}

impl Drop for ExecProcess {
    fn drop(&mut self) {
        self.terminate();
    }
}

/// Sends one echo on a new connection.
fn first_echo(
    system: &'static dyn System,
    endpoint: &Endpoint,
    load: &LoadSpec,
    left: Duration,
) -> Result<(), EchoError> {
    let client = ClientSpec {
        name: "echometer".to_owned(),
        timeout: FIRST_ECHO_TIMEOUT.min(left).max(RETRY_PAUSE),
        retries: 0,
        max_message: (load.reply_payload as usize).max(1 << 20) + 4096,
        channels: load.channels,
    };
    let stop = CancelToken::default();
    let request = first_request(load, &client.name);
    RetryingClient::new(system, endpoint, client, &stop).echo(&request).map(drop)
}

/// Returns a port on the server side of the network that is free at the moment. If another process
/// takes it before the server does, the server fails.
fn free_port(network: &Network) -> Result<Endpoint> {
    let address = SocketAddr::from((network.kind().server_address(), 0));
    let listener = network.on_server_side(|| Ok(TcpListener::bind(address)?));
    let listener =
        listener.with_context(|| format!("cannot find a free port on {}", address.ip()))?;
    Ok(listener.local_addr()?.into())
}

/// Replaces the placeholders `{addr}`, `{host}` and `{port}`.
fn substitute(command: &[String], endpoint: &Endpoint) -> Vec<String> {
    let (address, host, port) =
        (endpoint.to_string(), endpoint.host().to_owned(), endpoint.port().to_string());
    let replace = |argument: &String| {
        argument.replace("{addr}", &address).replace("{host}", &host).replace("{port}", &port)
    };
    command.iter().map(replace).collect()
}

/// Makes the kernel send SIGTERM to the process when this process dies.
fn terminate_with_parent(command: &mut Command) {
    // SAFETY: between fork and exec, the closure makes a single system call. The call is
    // async-signal-safe and allocates no memory.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(|| set_pdeathsig(Signal::SIGTERM).map_err(Into::into));
    }
}

fn output_path(directory: &TempDir) -> PathBuf {
    directory.path().join("stderr.txt")
}

fn status_text(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_replaced_by_the_address() {
        let command = ["a", "{addr}", "--port={port}", "{host}:{port}"].map(str::to_owned);
        let endpoint = "[::1]:7".parse().unwrap();
        let argv = substitute(&command, &endpoint);
        assert_eq!(argv, ["a", "[::1]:7", "--port=7", "::1:7"]);
    }
}
