//! A server in any language: a process started from a command.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
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
use crate::os::process::ProcessEnd;
use crate::spec::{ClientSpec, Endpoint, ExecSpec, LoadSpec};
use crate::systems::System;

/// How long the process may take to end after SIGTERM, before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// How long to wait for the first echo before trying again on a new connection.
const FIRST_ECHO_TIMEOUT: Duration = Duration::from_millis(500);

/// How long a connection to an address of this machine may take.
const NEARBY: Duration = Duration::from_secs(1);

/// The pause between two attempts.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// How many lines of its standard error an error shows.
const SHOWN_LINES: usize = 5;

/// A process in a process group of its own. Dropped, the whole group is ended.
#[derive(Debug)]
pub struct ExecProcess {
    child: Child,
    endpoint: Endpoint,
    command: String,
    /// Holds the standard error of the process.
    directory: TempDir,
    /// The process has been waited for, and the kernel may use its id again.
    reaped: bool,
}

impl ExecProcess {
    /// Starts the command without a shell, and waits until an echo succeeds. The process inherits
    /// the CPUs of the calling thread.
    ///
    /// # Errors
    ///
    /// Where it cannot be started, ends, or does not answer in time: with its standard error.
    pub fn start(
        system: &'static dyn System,
        spec: &ExecSpec,
        load: &LoadSpec,
        stop: &CancelToken,
    ) -> Result<Self> {
        let endpoint = spec.address.clone().map_or_else(free_port, Ok)?;
        // It could share the port with the new process, and answer in its place.
        if spec.address.is_some()
            && TcpStream::connect_timeout(&endpoint.resolve()?, NEARBY).is_ok()
        {
            bail!("something listens on {endpoint} already; stop it, or choose another addr=");
        }
        let words = substitute(&spec.command, &endpoint);
        let (program, arguments) = words.split_first().context("the command is empty")?;
        let command = shlex::try_join(words.iter().map(String::as_str))?;
        let directory = tempfile::Builder::new()
            .prefix("echometer-")
            .tempdir()
            .context("cannot make a directory for the server's output; is TMPDIR writable?")?;
        let stderr = fs::File::create(directory.path().join("stderr.txt"))?;
        let mut starting = Command::new(program);
        starting.args(arguments).stdin(Stdio::null()).stdout(stderr.try_clone()?).stderr(stderr);
        // A Ctrl-C in the terminal is for the clients, which then stop the server.
        starting.process_group(0);
        end_with_this_process(&mut starting);
        let child =
            starting.spawn().with_context(|| format!("cannot start the command '{command}'"))?;
        let mut process = ExecProcess { child, endpoint, command, directory, reaped: false };
        process.wait_until_ready(system, load, spec.ready_timeout, stop)?;
        Ok(process)
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The process id, which is that of its process group, too.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended. Then the rest of its process group is ended, too.
    pub fn has_ended(&mut self) -> bool {
        if !self.reaped && !matches!(self.child.try_wait(), Ok(None)) {
            self.reaped = true;
            self.kill_group();
        }
        self.reaped
    }

    /// Ends the process group: SIGTERM, and SIGKILL for what is left after 2 s.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if self.has_ended() {
            return;
        }
        let group = Pid::from_raw(self.child.id().cast_signed());
        if killpg(group, Signal::SIGTERM).is_ok() {
            let end = ProcessEnd::of(group.as_raw());
            let _ = end.and_then(|end| end.wait(STOP_TIMEOUT));
        }
        // Until the process is waited for, its id names no other group.
        self.kill_group();
        let _ = self.child.wait();
        self.reaped = true;
    }

    /// Kills what is left of the process group; fails where nothing is.
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
        let until = Instant::now() + timeout;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let echo = first_echo(system, &self.endpoint, load, left);
            if self.has_ended() {
                let words = self.last_words();
                bail!("the command '{}' {words}", self.command);
            }
            let Err(error) = echo else { return Ok(()) };
            if stop.is_set() {
                bail!("stopped while waiting for the command '{}'", self.command);
            }
            if Instant::now() >= until {
                bail!(
                    "the command '{}' did not answer as {} on {} within {timeout:?} (--ready-timeout): {error}{}",
                    self.command,
                    system.name(),
                    self.endpoint,
                    self.last_output()
                );
            }
            thread::sleep(RETRY_PAUSE);
        }
    }

    /// How it ended, and what it printed; for a process that has ended.
    pub fn last_words(&mut self) -> String {
        let status = self.child.wait().map_or_else(|error| error.to_string(), status_text);
        format!("ended with {status}{}", self.last_output())
    }

    /// The last lines that it printed.
    fn last_output(&self) -> String {
        let text = fs::read(self.directory.path().join("stderr.txt")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines: Vec<_> = lines.collect();
        if lines.is_empty() {
            return "; it printed nothing".to_owned();
        }
        let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        format!("; it printed: {}", last.join(" | "))
    }
}

impl Drop for ExecProcess {
    fn drop(&mut self) {
        self.end();
    }
}

/// One echo on a connection of its own.
fn first_echo(
    system: &'static dyn System,
    endpoint: &Endpoint,
    load: &LoadSpec,
    left: Duration,
) -> Result<(), EchoError> {
    let who = ClientSpec {
        name: "echometer".to_owned(),
        timeout: FIRST_ECHO_TIMEOUT.min(left).max(RETRY_PAUSE),
        retries: 0,
        max_message: (load.reply_payload as usize).max(1 << 20) + 4096,
        channels: load.channels,
    };
    let stop = CancelToken::default();
    let request = first_request(load, &who.name);
    RetryingClient::new(system, endpoint, who, &stop).echo(&request).map(drop)
}

/// A port of loopback that is free now. Another process may take it before the server does; then
/// the server fails, and says so.
fn free_port() -> Result<Endpoint> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)));
    let listener = listener.context("cannot find a free port on loopback")?;
    Ok(listener.local_addr()?.into())
}

/// Puts the address where the command names it.
fn substitute(command: &[String], endpoint: &Endpoint) -> Vec<String> {
    let (address, host, port) =
        (endpoint.to_string(), endpoint.host().to_owned(), endpoint.port().to_string());
    let word = |word: &String| {
        word.replace("{addr}", &address).replace("{host}", &host).replace("{port}", &port)
    };
    command.iter().map(word).collect()
}

/// Lets the kernel end the process if this one is killed.
fn end_with_this_process(command: &mut Command) {
    // SAFETY: between fork and exec, the closure makes a single system call, which is
    // async-signal-safe, and takes no memory.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(|| set_pdeathsig(Signal::SIGTERM).map_err(Into::into));
    }
}

fn status_text(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_put_wherever_the_command_names_it() {
        let command = ["a", "{addr}", "--port={port}", "{host}:{port}"].map(str::to_owned);
        let endpoint = "[::1]:7".parse().unwrap();
        let words = substitute(&command, &endpoint);
        assert_eq!(words, ["a", "[::1]:7", "--port=7", "::1:7"]);
    }
}
