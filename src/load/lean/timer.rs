//! When a thread wakes although no socket is ready: pauses end, and the clock is to be looked at.
//!
//! A timer of its own, and no timeout of epoll's: that is in ms, where a pause may be 300 us; and
//! the kernel sets one up and takes it back in each wait that sleeps.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Instant;

use anyhow::{Context, Result};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// The token of the timer among those of the clients.
pub const TIMER: Token = Token(usize::MAX);

/// A timer that wakes its thread through epoll, see `timerfd_create(2)`.
pub struct Timer {
    timer: TimerFd,
    set_to: Option<Instant>,
}

/// The pauses that have not ended, the one that ends first on top.
#[derive(Default)]
pub struct Pauses(BinaryHeap<Reverse<(Instant, usize)>>);

impl Timer {
    /// A timer that is not set.
    ///
    /// # Errors
    ///
    /// Where descriptors are lacking.
    pub fn new(registry: &Registry) -> Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)
            .context("cannot make a timer")?;
        let fd = timer.as_fd().as_raw_fd();
        registry
            .register(&mut SourceFd(&fd), TIMER, Interest::READABLE)
            .context("cannot wait for a timer")?;
        Ok(Timer { timer, set_to: None })
    }

    /// It has woken the thread: whatever it was set to, it may be set to again.
    pub fn expired(&mut self) {
        self.set_to = None;
    }

    /// Sets it, if that is something new.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    #[inline]
    pub fn set(&mut self, to: Instant) -> Result<()> {
        if self.set_to == Some(to) {
            return Ok(());
        }
        // Zero would unset it.
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
    /// The pause of a client ends at `until`.
    pub fn add(&mut self, until: Instant, client: usize) {
        self.0.push(Reverse((until, client)));
    }

    /// When the next one ends.
    pub fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((until, _))| *until)
    }

    /// A client whose pause has ended by `now`.
    pub fn pop(&mut self, now: Instant) -> Option<usize> {
        self.next().filter(|until| *until <= now)?;
        self.0.pop().map(|Reverse((_, client))| client)
    }
}
