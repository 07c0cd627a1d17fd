//! Waits for other processes to exit, with pidfds.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// A file descriptor that becomes readable when its process exits, see `pidfd_open(2)`.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// Opens a pidfd for the process `pid`.
    ///
    /// # Errors
    ///
    /// If there is no such process.
    pub fn open(pid: i32) -> Result<Self> {
        let pid = Pid::from_raw(pid).context("cannot watch process 0: it is not a process ID")?;
        let fd = pidfd_open(pid, PidfdFlags::empty());
        Ok(PidFd(fd.with_context(|| format!("cannot watch process {}", pid.as_raw_nonzero()))?))
    }

    /// Waits until the process exits. Returns `false` after `timeout`.
    ///
    /// # Errors
    ///
    /// If poll(2) fails.
    pub fn wait(&self, timeout: Duration) -> Result<bool> {
        Ok(wait_until_readable([self.0.as_fd()], Some(timeout))?.is_some())
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits until one of the file descriptors is readable, and returns its index. Returns `None`
/// after `timeout`.
///
/// # Errors
///
/// If poll(2) fails.
pub fn wait_until_readable<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    timeout: Option<Duration>,
) -> Result<Option<usize>> {
    let end = timeout.map(|timeout| std::time::Instant::now() + timeout);
    let mut fds = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    loop {
        // The timeout of poll(2) is in ms and at most 24 days. So the time left is rounded up,
        // and longer timeouts take several calls.
        let left = end.map(|end| end.saturating_duration_since(std::time::Instant::now()));
        let wait = left.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut fds, wait) {
            Ok(0) if left.is_some_and(|left| left.is_zero()) => return Ok(None),
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => return Ok(fds.iter().position(|fd| fd.any().unwrap_or(false))),
            Err(error) => return Err(error).context("cannot wait for file descriptors"),
        }
    }
}
