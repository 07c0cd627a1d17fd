//! Flow control in both directions (RFC 9113, section 5.2).

use super::frame::{DEFAULT_MAX_PAYLOAD, MAX_31_BIT, WINDOW_UPDATE, push_u32, violation};
use crate::message::EchoError;

/// Initial size of a window in bytes, in both directions.
const INITIAL_WINDOW: u32 = 65_535;

/// The windows for sending, in bytes.
#[derive(Debug)]
pub struct SendWindows {
    connection: i64,
    /// Window of the current stream, or of the next one. Negative if the server has reduced it
    /// below the number of bytes already sent.
    stream: i64,
    /// Window of a new stream.
    initial: u32,
    /// Maximum payload of a frame that the server accepts.
    max_payload: usize,
}

impl SendWindows {
    pub fn new() -> Self {
        let window = i64::from(INITIAL_WINDOW);
        SendWindows {
            connection: window,
            stream: window,
            initial: INITIAL_WINDOW,
            max_payload: DEFAULT_MAX_PAYLOAD,
        }
    }

    /// Resets the stream window for the next stream.
    #[inline]
    pub fn end_stream(&mut self) {
        self.stream = i64::from(self.initial);
    }

    /// Maximum number of bytes of the next DATA frame.
    #[inline]
    pub fn allowed(&self) -> usize {
        let allowed = self.connection.min(self.stream).max(0);
        usize::try_from(allowed).unwrap_or(usize::MAX).min(self.max_payload)
    }

    /// Maximum payload of any frame.
    pub fn max_payload(&self) -> usize {
        self.max_payload
    }

    #[inline]
    pub fn sent(&mut self, bytes: usize) {
        // At most `allowed`, which was converted from an i64.
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.connection = self.connection.saturating_sub(bytes);
        self.stream = self.stream.saturating_sub(bytes);
    }

    /// Applies a `WINDOW_UPDATE` of the connection.
    pub fn grow_connection(&mut self, increment: [u8; 4]) -> Result<(), EchoError> {
        grow(&mut self.connection, increment, "the connection")
    }

    /// Applies a `WINDOW_UPDATE` of the current stream.
    pub fn grow_stream(&mut self, increment: [u8; 4]) -> Result<(), EchoError> {
        grow(&mut self.stream, increment, "a stream")
    }

    /// Applies `SETTINGS_INITIAL_WINDOW_SIZE`, which also adjusts the current stream (section
    /// 6.9.2).
    pub fn set_initial(&mut self, initial: u32) -> Result<(), EchoError> {
        if initial > MAX_31_BIT {
            return Err(violation(format_args!("SETTINGS_INITIAL_WINDOW_SIZE {initial}")));
        }
        self.stream += i64::from(initial) - i64::from(self.initial);
        self.initial = initial;
        check_limit(self.stream, "a stream")
    }

    /// Applies `SETTINGS_MAX_FRAME_SIZE`.
    pub fn set_max_payload(&mut self, size: u32) -> Result<(), EchoError> {
        let valid =
            usize::try_from(size).ok().filter(|size| (DEFAULT_MAX_PAYLOAD..1 << 24).contains(size));
        self.max_payload =
            valid.ok_or_else(|| violation(format_args!("SETTINGS_MAX_FRAME_SIZE {size}")))?;
        Ok(())
    }
}

fn grow(window: &mut i64, increment: [u8; 4], owner: &str) -> Result<(), EchoError> {
    // The first bit is reserved and must be ignored.
    let increment = u32::from_be_bytes(increment) & MAX_31_BIT;
    if increment == 0 {
        return Err(violation(format_args!("WINDOW_UPDATE of {owner} by 0")));
    }
    *window += i64::from(increment);
    check_limit(*window, owner)
}

fn check_limit(window: i64, owner: &str) -> Result<(), EchoError> {
    if window > i64::from(MAX_31_BIT) {
        return Err(violation(format_args!("a window of {owner} that overflows: {window} bytes")));
    }
    Ok(())
}

/// The windows for receiving, in bytes.
#[derive(Debug)]
pub struct ReceiveWindows {
    /// Window of the connection and of each stream, initially and after each update.
    window: u32,
    /// Number of bytes received since the last update.
    used: u32,
}

impl ReceiveWindows {
    /// Creates windows large enough for replies of up to `max_message` bytes without a pause.
    pub fn new(max_message: usize) -> Self {
        // Half of the window may be used before an update, and padding counts. A large window costs
        // no memory: the limit on replies bounds that.
        let max_message = u32::try_from(max_message).unwrap_or(MAX_31_BIT);
        let window = max_message.saturating_add(INITIAL_WINDOW).saturating_mul(4).min(MAX_31_BIT);
        ReceiveWindows { window, used: 0 }
    }

    /// Initial window of a stream.
    pub fn stream(&self) -> u32 {
        self.window
    }

    /// Appends the `WINDOW_UPDATE` that makes the window of the connection as large as that of a
    /// stream.
    pub fn open(&self, out: &mut Vec<u8>) {
        push_u32(WINDOW_UPDATE, 0, self.window - INITIAL_WINDOW, out);
    }

    /// Counts the bytes of received DATA, with padding. Appends an update when half of the window
    /// is used, that is, once in many small replies. The update is for the connection, and for
    /// `stream` if all replies arrive on that stream.
    #[inline]
    pub fn count(
        &mut self,
        bytes: usize,
        stream: Option<u32>,
        out: &mut Vec<u8>,
    ) -> Result<(), EchoError> {
        let used = u32::try_from(bytes).ok().and_then(|bytes| self.used.checked_add(bytes));
        let valid = used.filter(|used| *used <= self.window);
        self.used = valid.ok_or_else(|| violation("DATA beyond the window of the connection"))?;
        if self.used > self.window / 2 {
            for stream in std::iter::once(0).chain(stream) {
                push_u32(WINDOW_UPDATE, stream, self.used, out);
            }
            self.used = 0;
        }
        Ok(())
    }
}
