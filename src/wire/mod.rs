//! The wires, spoken directly: one small codec each, which does no I/O.
//!
//! Bytes go in, events and bytes to send come out. A codec is one client's end of one
//! connection, with at most one request outstanding; what it is given may be cut anywhere.
//! After an error the connection is to be closed.

mod framed;
mod http2;
mod zmtp;

pub use framed::Framed;
pub use http2::Http2;
pub use zmtp::Zmtp;

use crate::message::EchoError;

/// What the bytes that came amount to.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The peer is ready for the first request.
    Ready,
    /// The reply to the request: a serialized message, not yet checked.
    Reply(&'a [u8]),
}

/// A client's end of a connection.
pub trait Codec: Send {
    /// Appends what is to be sent first, of its own accord, to `out`.
    fn open(&mut self, out: &mut Vec<u8>);

    /// Appends a request with this serialized message to `out`. Called after
    /// [`Event::Ready`], and then after each [`Event::Reply`].
    fn request(&mut self, message: &[u8], out: &mut Vec<u8>);

    /// Takes bytes from the front of `input`, and tells how many, and what they amount to; in
    /// between, it appends what the protocol has it answer to `out`. To be called again with
    /// what is left, until it takes nothing and tells nothing: it needs more bytes.
    ///
    /// # Errors
    ///
    /// Where the peer breaks the protocol, speaks another one, refuses the request, or says
    /// something longer than it may: in words that name what came.
    fn receive<'a>(
        &'a mut self,
        input: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<(usize, Option<Event<'a>>), EchoError>;
}

/// What came, for people: the first bytes, as text where they are.
fn shown(bytes: &[u8]) -> String {
    format!("'{}'", bytes[..bytes.len().min(24)].escape_ascii())
}

/// The error of a reply that is longer than was asked for.
fn too_long(length: u64, limit: usize) -> EchoError {
    EchoError::Malformed(format!("{length} bytes are over the limit of {limit}"))
}
