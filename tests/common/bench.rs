//! A `bench` of the real binary, to its end or while it runs.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use echometer::results::{self, Row};
use procfs::net::TcpState;
use procfs::process::{Process, all_processes};
use tempfile::TempDir;

use super::{Guard, Ran, echometer, eventually, file_in_new_directory};

/// A bench that runs, or has ended.
pub struct Bench {
    pub process: Guard,
    directory: TempDir,
}

/// What a bench left.
#[derive(Debug)]
pub struct Measured {
    pub ran: Ran,
    pub rows: Vec<Row>,
}

impl Measured {
    /// The row, of which there is one.
    pub fn row(&self) -> &Row {
        assert_eq!(self.rows.len(), 1, "{self:?}");
        &self.rows[0]
    }
}

impl Bench {
    /// Starts `bench SYSTEM ...` with a CSV file of its own.
    pub fn start(system: &str, extra: &[&str]) -> Self {
        Bench::start_by(&mut echometer(), system, extra)
    }

    /// Starts it by a command that has been prepared.
    pub fn start_by(command: &mut Command, system: &str, extra: &[&str]) -> Self {
        let (directory, csv) = file_in_new_directory("results.csv");
        command.args(["bench", system]).args(extra).arg("--csv").arg(csv);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Bench { process: Guard(command.spawn().unwrap()), directory }
    }

    /// Waits until the client `index` is inside the loop: it has waited for many replies.
    pub fn until_echoing(&self, index: usize) {
        let pid = self.process.pid();
        eventually(&format!("client {index} is echoing"), || {
            let thread = thread(pid, &format!("client-{index}"))?;
            (thread.status().ok()?.voluntary_ctxt_switches? > 100).then_some(())
        });
    }

    /// How many rows it has written. They are not read, since one may be half there.
    pub fn finished(&self) -> usize {
        let text = std::fs::read_to_string(self.directory.path().join("results.csv"));
        text.map_or(0, |text| text.matches('\n').count().saturating_sub(1))
    }

    /// The process that it has started.
    pub fn server_pid(&self) -> i32 {
        let parent = self.process.pid();
        eventually("the server is there", || child_of(parent))
    }

    /// Waits for its end.
    pub fn end(mut self) -> Measured {
        let status = self.process.wait();
        let [mut stdout, mut stderr] = [Vec::new(), Vec::new()];
        let child = &mut self.process.0;
        std::io::Read::read_to_end(child.stdout.as_mut().unwrap(), &mut stdout).unwrap();
        std::io::Read::read_to_end(child.stderr.as_mut().unwrap(), &mut stderr).unwrap();
        let ran = Ran::from(Output { status, stdout, stderr });
        let rows = rows(&self.directory.path().join("results.csv"));
        rows.iter().filter(|row| row.valid).for_each(assert_obeys_or_says_so);
        Measured { ran, rows }
    }
}

/// Runs `bench SYSTEM ...` to its end.
pub fn bench(system: &str, extra: &[&str]) -> Measured {
    Bench::start(system, extra).end()
}

/// The rows of a file that may lack.
pub fn rows(path: &Path) -> Vec<Row> {
    if path.exists() { results::read_rows(path).unwrap() } else { Vec::new() }
}

/// Whether the clients were either on their way or pausing, all the time: what is measured is
/// then all that there was.
pub fn obeys_littles_law(row: &Row) -> bool {
    row.littles_law.is_some_and(|law| (law - 1.0).abs() <= 0.02)
}

/// A row that does not add up by Little's law has to say so.
pub fn assert_obeys_or_says_so(row: &Row) {
    let notes = row.notes.as_deref().unwrap_or_default();
    assert!(obeys_littles_law(row) != notes.contains("Little's law"), "{row:?}");
}

/// Whether there is such a process, other than one that has ended and is not waited for.
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

/// Connections to the port that are established, as their clients see them. Some frameworks
/// speak IPv4 through sockets of IPv6. What changes while it is read, the kernel may list twice.
pub fn connections_to(port: u16) -> usize {
    let all = [procfs::net::tcp().unwrap(), procfs::net::tcp6().unwrap_or_default()].concat();
    let open = all.iter().filter(|entry| entry.state == TcpState::Established);
    let there = open.filter(|entry| entry.remote_address.port() == port);
    there.map(|entry| entry.local_address).collect::<HashSet<_>>().len()
}
