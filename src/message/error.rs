//! Why echoes fail. On its own, since the codecs and their fuzz targets need no more.

use std::time::Duration;

/// Why an echo did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EchoError {
    /// No reply came within the timeout.
    #[error("no reply within {}", humantime::format_duration(*.0))]
    Timeout(Duration),
    /// The connection could not be made, or broke.
    #[error("{0}")]
    Disconnected(String),
    /// The server answered that it will not answer.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The reply is not a `BasicMessage`.
    #[error("the reply is malformed: {0}")]
    Malformed(String),
    /// The reply answers another request.
    #[error("the reply acknowledges request {acknowledged}, not {sent}")]
    Stray {
        /// The sequence of the request just sent.
        sent: u64,
        /// The sequence that the reply names.
        acknowledged: u64,
    },
}
