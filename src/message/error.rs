//! Reasons why an echo fails. In its own file because the fuzz targets of the codecs include it.

use std::time::Duration;

/// The reason why an echo failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EchoError {
    /// No reply came within the timeout.
    #[error("no reply within {}", humantime::format_duration(*.0))]
    Timeout(Duration),
    /// The connection could not be established, or it broke.
    #[error("{0}")]
    Disconnected(String),
    /// The server rejected the request.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The reply is not a `BasicMessage`.
    #[error("the reply is malformed: {0}")]
    Malformed(String),
    /// The reply answers another request.
    #[error("the reply acknowledges request {acknowledged}, not {sent}")]
    Stray {
        /// The sequence of the last request.
        sent: u64,
        /// The sequence in the reply.
        acknowledged: u64,
    },
}
