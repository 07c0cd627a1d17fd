//! What a server says of a call: HTTP's status, and gRPC's.
//!
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use std::fmt::Write;
use std::time::Duration;

use crate::message::EchoError;
use crate::wire::shown;

/// Codes that mean more than a refusal.
const CANCELLED: u32 = 1;
const DEADLINE_EXCEEDED: u32 = 4;
const UNAVAILABLE: u32 = 14;

/// What stands where in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before the message.
    Head,
    /// Behind it.
    Trailers,
    /// Both in one: an answer without a message.
    Only,
}

/// Those fields of a header block that matter.
#[derive(Debug, Default)]
pub struct Fields {
    status: Option<Vec<u8>>,
    content_type: Option<Vec<u8>>,
    grpc_status: Option<Vec<u8>>,
    grpc_message: Vec<u8>,
}

impl Fields {
    /// Takes a field in. What is said twice counts as it was said first.
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

    /// Whether more is to come before the answer: 100 Continue, 103 Early Hints.
    pub fn informs(&self) -> bool {
        matches!(self.status.as_deref(), Some([b'1', _, _]))
    }

    /// Makes sure that a call went well as far as this block, which stands in `place`, says.
    pub fn check(&self, place: Place, timeout: Option<Duration>) -> Result<(), EchoError> {
        if place != Place::Trailers {
            self.check_head()?;
        }
        match &self.grpc_status {
            None if place == Place::Head => Ok(()),
            None => Err(EchoError::Malformed("it ends without a grpc-status".to_owned())),
            Some(status) if status == b"0" => Ok(()),
            Some(status) => Err(self.refusal(status, timeout)),
        }
    }

    /// HTTP's part of it. What speaks no gRPC says only this, and gRPC's status says more.
    fn check_head(&self) -> Result<(), EchoError> {
        let refused = |what: &str, said: &[u8]| {
            let said = shown(said);
            Err(EchoError::Refused(format!("{what} {said}")))
        };
        match (self.status.as_deref(), self.content_type.as_deref()) {
            (None, _) => Err(EchoError::Malformed("it has no HTTP status".to_owned())),
            (Some(b"200"), Some(kind)) if kind.starts_with(b"application/grpc") => Ok(()),
            (Some(b"200"), _) if self.grpc_status.is_some() => Ok(()),
            (Some(b"200"), None) => {
                refused("it answers without a content-type, HTTP status", b"200")
            }
            (Some(b"200"), Some(kind)) => refused("it answers with the content-type", kind),
            (Some(status), _) => refused("HTTP status", status),
        }
    }

    fn refusal(&self, status: &[u8], timeout: Option<Duration>) -> EchoError {
        let text = percent_decoded(&self.grpc_message);
        let number = std::str::from_utf8(status).ok().and_then(|status| status.parse().ok());
        let Some(code) = number else {
            return EchoError::Malformed(format!("its grpc-status is {}", shown(status)));
        };
        match (code, timeout) {
            // The server gave up at the time that it was told.
            (DEADLINE_EXCEEDED, Some(timeout)) => EchoError::Timeout(timeout),
            // A server that stops cancels what it has not answered.
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

/// The text of a grpc-message, in one line: a `%` that no two digits follow stands for itself.
fn percent_decoded(message: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(message.len());
    let mut rest = message;
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.first_chunk::<2>().filter(|_| first == b'%');
        let value = digits.and_then(|[high, low]| Some(hex(*high)? << 4 | hex(*low)?));
        bytes.push(value.unwrap_or(first));
        rest = value.and(behind.get(2..)).unwrap_or(behind);
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
    fn messages_are_decoded_and_stay_in_one_line() {
        let decoded = |text: &str| percent_decoded(text.as_bytes());
        assert_eq!(decoded("50%25 of caf%c3%A9"), "50% of café");
        assert_eq!(decoded("a%0ab%%4g%f"), "a\\nb%%4g%f");
        assert_eq!(decoded("%ff"), "\u{fffd}");
    }
}
