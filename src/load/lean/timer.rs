//! Wakes a thread while no socket is ready: when a pause ends and when deadlines must be checked.
//!
//! A timer file descriptor replaces the timeout of epoll. That timeout has a resolution of 1 ms,
//! and a pause may be 300 us. The kernel would also set up and cancel a timer in each wait that
//! sleeps.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Instant;

use anyhow::{Context, Result};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// The timer's token. The tokens of clients are their indexes in the thread.
const TIMER_TOKEN: Token = Token(usize::MAX);

/// A timer that wakes its thread through epoll; see `timerfd_create(2)`.
pub struct Timer {
    timer: TimerFd,
    /// The expiration time; `None`: not armed.
    set_to: Option<Instant>,
}

/// The ends of the current pauses, earliest first.
#[derive(Default)]
pub struct Pauses(BinaryHeap<Reverse<(Instant, usize)>>);

impl Timer {
    /// Creates a timer that is not armed.
    ///
    /// # Errors
    ///
    /// If no file descriptor is available.
    pub fn new(registry: &Registry) -> Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)
            .context("cannot create a timer")?;
        let fd = timer.as_fd().as_raw_fd();
        registry
            .register(&mut SourceFd(&fd), TIMER_TOKEN, Interest::READABLE)
            .context("cannot register a timer with epoll")?;
        Ok(Timer { timer, set_to: None })
    }

    /// Records that the timer has expired, so that the next [`Timer::set`] arms it again.
    pub fn expired(&mut self) {
        self.set_to = None;
    }

    /// Arms the timer, unless it is already set to this time.
    ///
    /// # Errors
    ///
    /// If the kernel refuses.
    #[inline]
    pub fn set(&mut self, to: Instant) -> Result<()> {
        if self.set_to == Some(to) {
            return Ok(());
        }
        // Zero would disarm it.
        let left =
            to.saturating_duration_since(Instant::now()).max(std::time::Duration::from_nanos(1));
        self.timer
            .set(Expiration::OneShot(left.into()), TimerSetTimeFlags::empty())
            .context("cannot set a timer")?;
        self.set_to = Some(to);
        Ok(())
    }
}

impl Pauses {
    /// Adds a pause of `client` that ends at `until`.
    pub fn add(&mut self, until: Instant, client: usize) {
        self.0.push(Reverse((until, client)));
    }

    /// Returns when the next pause ends.
    pub fn next_end(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((until, _))| *until)
    }

    /// Removes a pause that has ended by `now`, and returns its client.
    pub fn pop(&mut self, now: Instant) -> Option<usize> {
        self.next_end().filter(|until| *until <= now)?;
        self.0.pop().map(|Reverse((_, client))| client)
    }
}
