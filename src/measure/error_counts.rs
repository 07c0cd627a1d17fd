//! What went wrong with single requests, each kind under its own name.

/// Counts of requests that were sent and not answered as they should be, retries included,
/// over the whole trial.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCounts {
    /// Waits that ended without a reply.
    pub timeouts: u64,
    /// Of these, replies that came all the same, when nobody waited for them any more.
    pub late: u64,
    /// Replies that answered the request before once more.
    pub repeats: u64,
    /// Replies that answered yet another request, of this client or of another.
    pub strays: u64,
    /// Replies that are no message.
    pub malformed: u64,
    /// Replies that say that the server will not answer.
    pub refused: u64,
    /// Connections that could not be made, or broke.
    pub disconnects: u64,
    /// Of all these, requests that went to a server which may have answered them: all but
    /// the connections that could not be made.
    pub sent: u64,
}

impl ErrorCounts {
    /// Takes in what another client counted.
    pub fn merge(&mut self, other: &ErrorCounts) {
        self.timeouts += other.timeouts;
        self.late += other.late;
        self.repeats += other.repeats;
        self.strays += other.strays;
        self.malformed += other.malformed;
        self.refused += other.refused;
        self.disconnects += other.disconnects;
        self.sent += other.sent;
    }
}
