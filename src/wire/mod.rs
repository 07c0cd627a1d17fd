//! The wire protocols of the systems: one sans-I/O client codec each.
//!
//! Bytes go in; events and bytes to send come out. A codec is the client end of one connection,
//! with at most one outstanding request. Its input may be split at any byte. Close the connection
//! after an error.

mod framed;
mod http2;
mod zmtp;

pub use framed::Framed;
pub use http2::Http2;
pub use zmtp::Zmtp;

use crate::message::EchoError;

/// An event that received bytes complete.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The peer is ready for the first request.
    Ready,
    /// The reply to the request: a serialized message, not yet checked.
    Reply(&'a [u8]),
}

/// The client end of a connection.
pub trait Codec: Send {
    /// Appends the bytes that a client sends first to `out`.
    fn open(&mut self, out: &mut Vec<u8>);

    /// Appends a request with this serialized message to `out`. Called after [`Event::Ready`] and
    /// then after each [`Event::Reply`].
    fn request(&mut self, message: &[u8], out: &mut Vec<u8>);

    /// Consumes bytes from the front of `input`. Returns the number of bytes consumed, and the
    /// event if they complete one. Appends the responses that the protocol requires to `out`.
    ///
    /// Call it again with the rest of the input until it consumes no bytes and returns no event: it
    /// then needs more bytes.
    ///
    /// # Errors
    ///
    /// If the peer violates the protocol, uses another one, rejects the request, or exceeds a
    /// length limit. The message describes the bytes received.
    fn receive<'a>(
        &'a mut self,
        input: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<(usize, Option<Event<'a>>), EchoError>;
}

/// Returns the first 24 bytes in quotes, with escapes for those that are not printable ASCII.
fn excerpt(bytes: &[u8]) -> String {
    format!("'{}'", bytes[..bytes.len().min(24)].escape_ascii())
}

/// Returns the error for a reply that is longer than the limit.
fn too_long(length: u64, limit: usize) -> EchoError {
    EchoError::Malformed(format!("{length} bytes are over the limit of {limit}"))
}
