//! Flow control: who may send how much (RFC 9113, section 5.2).

use super::frame::{LONGEST, MOST, WINDOW_UPDATE, breaks, number};
use crate::message::EchoError;

/// What either side may send before it is told otherwise.
const INITIAL: u32 = 65_535;

/// How far we may send.
#[derive(Debug)]
pub struct Sending {
    connection: i64,
    /// Of the stream of now, or the next one. Below zero, where the server took back what it had allowed.
    stream: i64,
    /// Of a new stream.
    initial: u32,
    /// The longest payload that the server takes.
    longest: usize,
}

impl Sending {
    pub fn new() -> Self {
        let initial = i64::from(INITIAL);
        Sending { connection: initial, stream: initial, initial: INITIAL, longest: LONGEST }
    }

    /// From now on it is about the next stream.
    #[inline]
    pub fn end_stream(&mut self) {
        self.stream = i64::from(self.initial);
    }

    /// How many bytes the next DATA may have.
    #[inline]
    pub fn allowed(&self) -> usize {
        let allowed = self.connection.min(self.stream).max(0);
        usize::try_from(allowed).unwrap_or(usize::MAX).min(self.longest)
    }

    /// The longest payload of any frame.
    pub fn longest(&self) -> usize {
        self.longest
    }

    #[inline]
    pub fn sent(&mut self, bytes: usize) {
        // No more than `allowed`, which came from an i64.
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.connection = self.connection.saturating_sub(bytes);
        self.stream = self.stream.saturating_sub(bytes);
    }

    /// `WINDOW_UPDATE` of the connection.
    pub fn widen_connection(&mut self, increment: [u8; 4]) -> Result<(), EchoError> {
        widen(&mut self.connection, increment, "the connection")
    }

    /// `WINDOW_UPDATE` of the stream of now.
    pub fn widen_stream(&mut self, increment: [u8; 4]) -> Result<(), EchoError> {
        widen(&mut self.stream, increment, "a stream")
    }

    /// `SETTINGS_INITIAL_WINDOW_SIZE`: it moves the stream of now, too (section 6.9.2).
    pub fn set_initial(&mut self, initial: u32) -> Result<(), EchoError> {
        if initial > MOST {
            return Err(breaks(format_args!("SETTINGS_INITIAL_WINDOW_SIZE {initial}")));
        }
        self.stream += i64::from(initial) - i64::from(self.initial);
        self.initial = initial;
        within(self.stream, "a stream")
    }

    /// `SETTINGS_MAX_FRAME_SIZE`.
    pub fn set_longest(&mut self, longest: u32) -> Result<(), EchoError> {
        let known = usize::try_from(longest).ok();
        let fits = known.filter(|longest| (LONGEST..1 << 24).contains(longest));
        self.longest =
            fits.ok_or_else(|| breaks(format_args!("SETTINGS_MAX_FRAME_SIZE {longest}")))?;
        Ok(())
    }
}

fn widen(window: &mut i64, increment: [u8; 4], whose: &str) -> Result<(), EchoError> {
    // The first bit is reserved, and to be ignored.
    let increment = u32::from_be_bytes(increment) & MOST;
    if increment == 0 {
        return Err(breaks(format_args!("WINDOW_UPDATE of {whose} by 0")));
    }
    *window += i64::from(increment);
    within(*window, whose)
}

fn within(window: i64, whose: &str) -> Result<(), EchoError> {
    if window > i64::from(MOST) {
        return Err(breaks(format_args!("a window of {whose} that overflows: {window} bytes")));
    }
    Ok(())
}

/// How far the server may send.
#[derive(Debug)]
pub struct Receiving {
    /// What the connection begins with, and what it is brought back to.
    window: u32,
    /// What came since the server was last told.
    used: u32,
}

impl Receiving {
    /// Windows through which replies of up to `max_message` bytes come without a stop.
    pub fn new(max_message: usize) -> Self {
        // Half of it may be used before the server is told, and padding counts. It costs no
        // memory: what a reply may have is bounded by its own length.
        let most = u32::try_from(max_message).unwrap_or(MOST);
        let window = most.saturating_add(INITIAL).saturating_mul(4).min(MOST);
        Receiving { window, used: 0 }
    }

    /// What a stream begins with.
    pub fn stream(&self) -> u32 {
        self.window
    }

    /// Appends the `WINDOW_UPDATE` that makes the connection's window as large as a stream's.
    pub fn open(&self, out: &mut Vec<u8>) {
        number(WINDOW_UPDATE, 0, self.window - INITIAL, out);
    }

    /// Counts DATA that came, with its padding. The window is told about when half of it was
    /// used, and so once in many small replies: that of the connection, and that of the `stream`
    /// on which all of them come, where they do.
    #[inline]
    pub fn came(
        &mut self,
        bytes: usize,
        stream: Option<u32>,
        out: &mut Vec<u8>,
    ) -> Result<(), EchoError> {
        let used = u32::try_from(bytes).ok().and_then(|bytes| self.used.checked_add(bytes));
        let within = used.filter(|used| *used <= self.window);
        self.used = within.ok_or_else(|| breaks("DATA beyond the window of the connection"))?;
        if self.used > self.window / 2 {
            for whose in std::iter::once(0).chain(stream) {
                number(WINDOW_UPDATE, whose, self.used, out);
            }
            self.used = 0;
        }
        Ok(())
    }
}
