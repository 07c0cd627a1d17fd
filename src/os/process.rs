//! The end of another process, as something to wait for.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// A descriptor that becomes readable when the process has ended, see `pidfd_open(2)`.
#[derive(Debug)]
pub struct ProcessEnd(OwnedFd);

impl ProcessEnd {
    /// The end of the process `pid`.
    ///
    /// # Errors
    ///
    /// Where there is no such process.
    pub fn of(pid: i32) -> Result<Self> {
        let pid = Pid::from_raw(pid).context("0 is not the id of a process")?;
        let fd = pidfd_open(pid, PidfdFlags::empty());
        Ok(ProcessEnd(
            fd.with_context(|| format!("cannot watch the process {}", pid.as_raw_nonzero()))?,
        ))
    }

    /// Waits for the end; `false` says that `timeout` passed before.
    ///
    /// # Errors
    ///
    /// Where poll(2) fails.
    pub fn wait(&self, timeout: Duration) -> Result<bool> {
        Ok(wait_for_any([self.0.as_fd()], Some(timeout))?.is_some())
    }
}

impl AsFd for ProcessEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits until one of the descriptors is readable, and says which: `None` after `timeout`.
///
/// # Errors
///
/// Where poll(2) fails.
pub fn wait_for_any<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    timeout: Option<Duration>,
) -> Result<Option<usize>> {
    let end = timeout.map(|timeout| std::time::Instant::now() + timeout);
    let mut fds = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    loop {
        // poll(2) counts in ms and up to 24 days: rounded up, and asked again.
        let left = end.map(|end| end.saturating_duration_since(std::time::Instant::now()));
        let wait = left.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut fds, wait) {
            Ok(0) if left.is_some_and(|left| left.is_zero()) => return Ok(None),
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => return Ok(fds.iter().position(|fd| fd.any().unwrap_or(false))),
            Err(error) => return Err(error).context("cannot wait"),
        }
    }
}
