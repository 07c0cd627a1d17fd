//! Runs `echometer bench` as a child process, to completion or up to an event in the test.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use echometer::results::{self, Row};
use procfs::net::TcpState;
use procfs::process::{Process, all_processes};
use tempfile::TempDir;

use super::{CommandOutput, Guard, echometer, eventually, file_in_new_directory};

/// A `bench` process that is running or has exited.
pub struct Bench {
    pub process: Guard,
    directory: TempDir,
}

/// Output and rows of a finished bench.
#[derive(Debug)]
pub struct BenchResult {
    pub output: CommandOutput,
    pub rows: Vec<Row>,
}

impl BenchResult {
    /// The only row.
    pub fn row(&self) -> &Row {
        assert_eq!(self.rows.len(), 1, "{self:?}");
        &self.rows[0]
    }
}

impl Bench {
    /// Starts `bench SYSTEM ...` with a new CSV file.
    pub fn start(system: &str, extra: &[&str]) -> Self {
        Bench::start_by(&mut echometer(), system, extra)
    }

    /// Starts the bench through a prepared command.
    pub fn start_by(command: &mut Command, system: &str, extra: &[&str]) -> Self {
        let (directory, csv) = file_in_new_directory("results.csv");
        command.args(["bench", system]).args(extra).arg("--csv").arg(csv);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Bench { process: Guard(command.spawn().unwrap()), directory }
    }

    /// Waits until client `index` is in its loop, indicated by more than 100 context switches.
    pub fn wait_until_echoing(&self, index: usize) {
        let pid = self.process.pid();
        eventually(&format!("client {index} echoes"), || {
            let thread = thread(pid, &format!("client-{index}"))?;
            (thread.status().ok()?.voluntary_ctxt_switches? > 100).then_some(())
        });
    }

    /// Number of rows written so far. They are not parsed because the last may be incomplete.
    pub fn written_rows(&self) -> usize {
        let text = std::fs::read_to_string(self.directory.path().join("results.csv"));
        text.map_or(0, |text| text.matches('\n').count().saturating_sub(1))
    }

    /// Process ID of the server that the bench spawned.
    pub fn server_pid(&self) -> i32 {
        let parent = self.process.pid();
        eventually("the bench has spawned the server", || child_of(parent))
    }

    /// Waits until the bench exits. Every valid row must obey Little's law or have a note.
    pub fn wait(mut self) -> BenchResult {
        let status = self.process.wait();
        let [mut stdout, mut stderr] = [Vec::new(), Vec::new()];
        let child = &mut self.process.0;
        std::io::Read::read_to_end(child.stdout.as_mut().unwrap(), &mut stdout).unwrap();
        std::io::Read::read_to_end(child.stderr.as_mut().unwrap(), &mut stderr).unwrap();
        let output = CommandOutput::from(Output { status, stdout, stderr });
        let rows = rows(&self.directory.path().join("results.csv"));
        rows.iter().filter(|row| row.valid).for_each(assert_littles_law_or_note);
        BenchResult { output, rows }
    }
}

/// Runs `bench SYSTEM ...` until it exits.
pub fn bench(system: &str, extra: &[&str]) -> BenchResult {
    Bench::start(system, extra).wait()
}

/// The rows of a CSV file, or none if the file does not exist.
pub fn rows(path: &Path) -> Vec<Row> {
    if path.exists() { results::read_rows(path).unwrap() } else { Vec::new() }
}

/// Whether throughput x (mean round trip + mean pause) / clients is within 2 % of 1, that is,
/// whether the measured round trips and pauses account for all of the clients' time.
pub fn obeys_littles_law(row: &Row) -> bool {
    row.littles_law.is_some_and(|law| (law - 1.0).abs() <= 0.02)
}

/// Asserts that a row has a note about Little's law exactly if it violates the law.
pub fn assert_littles_law_or_note(row: &Row) {
    let notes = row.notes.as_deref().unwrap_or_default();
    assert!(obeys_littles_law(row) != notes.contains("Little's law"), "{row:?}");
}

/// Whether the process exists and is not a zombie.
pub fn is_alive(pid: i32) -> bool {
    let stat = Process::new(pid).and_then(|process| process.stat());
    stat.is_ok_and(|stat| stat.state != 'Z')
}

fn thread(pid: i32, name: &str) -> Option<procfs::process::Task> {
    let mut tasks = Process::new(pid).ok()?.tasks().ok()?.flatten();
    tasks.find(|task| task.stat().is_ok_and(|stat| stat.comm == name))
}

fn child_of(parent: i32) -> Option<i32> {
    let mut stats = all_processes().ok()?.flatten().filter_map(|process| process.stat().ok());
    stats.find(|stat| stat.ppid == parent).map(|stat| stat.pid)
}

/// Number of established connections to the port, counted by client address. Some frameworks
/// use IPv4 through IPv6 sockets. The kernel may list an entry twice if the table changes while
/// it is read.
pub fn connections_to(port: u16) -> usize {
    let all = [procfs::net::tcp().unwrap(), procfs::net::tcp6().unwrap_or_default()].concat();
    let open = all.iter().filter(|entry| entry.state == TcpState::Established);
    let to_port = open.filter(|entry| entry.remote_address.port() == port);
    to_port.map(|entry| entry.local_address).collect::<HashSet<_>>().len()
}
