//! The outcome of a call: its HTTP status and its gRPC status.
//!
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use std::fmt::Write;
use std::time::Duration;

use crate::message::EchoError;
use crate::wire::excerpt;

/// gRPC status codes that mean something other than a refusal.
const CANCELLED: u32 = 1;
const DEADLINE_EXCEEDED: u32 = 4;
const UNAVAILABLE: u32 = 14;

/// The header blocks of a response, in the terms of gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// The headers before the message.
    Headers,
    /// The trailers after the message.
    Trailers,
    /// Both in one block: a response without a message.
    TrailersOnly,
}

/// The fields of a header block that determine the outcome.
#[derive(Debug, Default)]
pub struct Fields {
    status: Option<Vec<u8>>,
    content_type: Option<Vec<u8>>,
    grpc_status: Option<Vec<u8>>,
    grpc_message: Vec<u8>,
}

impl Fields {
    /// Adds a field. If a name occurs twice, the first value counts.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        let field = match name {
            b":status" => &mut self.status,
            b"content-type" => &mut self.content_type,
            b"grpc-status" => &mut self.grpc_status,
            b"grpc-message" if self.grpc_message.is_empty() => {
                self.grpc_message = value.to_vec();
                return;
            }
            _ => return,
        };
        if field.is_none() {
            *field = Some(value.to_vec());
        }
    }

    /// Returns whether this is an informational response, for example 100 Continue or 103 Early
    /// Hints. The final response follows it.
    pub fn is_informational(&self) -> bool {
        matches!(self.status.as_deref(), Some([b'1', _, _]))
    }

    /// Checks that the block reports no error.
    pub fn check(&self, kind: BlockKind, timeout: Option<Duration>) -> Result<(), EchoError> {
        if kind != BlockKind::Trailers {
            self.check_http()?;
        }
        match &self.grpc_status {
            None if kind == BlockKind::Headers => Ok(()),
            None => Err(EchoError::Malformed("it ends without a grpc-status".to_owned())),
            Some(status) if status == b"0" => Ok(()),
            Some(status) => Err(self.status_error(status, timeout)),
        }
    }

    /// Checks the HTTP status, and the content type unless there is a gRPC status, which is more
    /// specific. A server without gRPC sends only the first two.
    fn check_http(&self) -> Result<(), EchoError> {
        let refused = |name: &str, value: &[u8]| {
            Err(EchoError::Refused(format!("{name} {}", excerpt(value))))
        };
        match (self.status.as_deref(), self.content_type.as_deref()) {
            (None, _) => Err(EchoError::Malformed("it has no HTTP status".to_owned())),
            (Some(b"200"), Some(kind)) if kind.starts_with(b"application/grpc") => Ok(()),
            (Some(b"200"), _) if self.grpc_status.is_some() => Ok(()),
            (Some(b"200"), None) => {
                Err(EchoError::Refused("HTTP status '200' without a content-type".to_owned()))
            }
            (Some(b"200"), Some(kind)) => refused("the response is not gRPC: content-type", kind),
            (Some(status), _) => refused("HTTP status", status),
        }
    }

    fn status_error(&self, status: &[u8], timeout: Option<Duration>) -> EchoError {
        let text = percent_decoded(&self.grpc_message);
        let number = std::str::from_utf8(status).ok().and_then(|status| status.parse().ok());
        let Some(code) = number else {
            return EchoError::Malformed(format!("its grpc-status is {}", excerpt(status)));
        };
        match (code, timeout) {
            // The server observed the deadline that the client sent.
            (DEADLINE_EXCEEDED, Some(timeout)) => EchoError::Timeout(timeout),
            // A server that stops cancels the calls that it has not answered.
            (UNAVAILABLE | CANCELLED, _) => {
                EchoError::Disconnected(format!("{}: {text}", code_name(code)))
            }
            _ => EchoError::Refused(format!("{}: {text}", code_name(code))),
        }
    }
}

fn code_name(code: u32) -> String {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let name = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    name.map_or_else(|| format!("grpc-status {code}"), |name| (*name).to_owned())
}

/// Decodes a grpc-message to one line of text. A `%` without two hexadecimal digits is kept.
fn percent_decoded(message: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(message.len());
    let mut rest = message;
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.first_chunk::<2>().filter(|_| first == b'%');
        let value = digits.and_then(|[high, low]| Some(hex(*high)? << 4 | hex(*low)?));
        bytes.push(value.unwrap_or(first));
        rest = value.and(tail.get(2..)).unwrap_or(tail);
    }
    let mut text = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(&bytes).chars() {
        if character.is_control() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}", character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::percent_decoded;

    #[test]
    fn percent_decoded_returns_one_line_for_any_bytes() {
        let decoded = |text: &str| percent_decoded(text.as_bytes());
        assert_eq!(decoded("50%25 of caf%c3%A9"), "50% of café");
        assert_eq!(decoded("a%0ab%%4g%f"), "a\\nb%%4g%f");
        assert_eq!(decoded("%ff"), "\u{fffd}");
    }
}
