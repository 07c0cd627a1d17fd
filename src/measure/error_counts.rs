//! Failed requests, counted by kind.

/// Number of requests without a correct reply, by kind. Retries are included. The counts cover
/// the whole trial.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCounts {
    /// Requests without a reply within the timeout.
    pub timeouts: u64,
    /// Timed-out requests whose reply arrived later.
    pub late: u64,
    /// Replies that acknowledged the previous request again.
    pub repeats: u64,
    /// Replies that acknowledged any other request, of this client or of another one.
    pub strays: u64,
    /// Replies that could not be decoded.
    pub malformed: u64,
    /// Replies in which the server refused the request.
    pub refused: u64,
    /// Connections that could not be established, or that broke.
    pub disconnects: u64,
    /// Failed requests that the server may have answered: all except those whose connection could
    /// not be established.
    pub possibly_answered: u64,
    /// Of these, requests that ended without any reply in time: by a timeout or a broken connection.
    /// The server may have answered each of them.
    pub unanswered: u64,
}

impl ErrorCounts {
    /// Number of requests of one client that the server may have answered in addition to the
    /// completed echoes: each request without a reply in time. A wrong reply has already used up
    /// the answer to its request, so wrong replies allow one more only: if all failed requests had
    /// one, the last answer may still have been under way.
    pub fn sent_in_vain(&self) -> u64 {
        self.unanswered.max(self.possibly_answered.min(1))
    }

    /// Adds the counts of another client.
    pub fn merge(&mut self, other: &ErrorCounts) {
        self.timeouts += other.timeouts;
        self.late += other.late;
        self.repeats += other.repeats;
        self.strays += other.strays;
        self.malformed += other.malformed;
        self.refused += other.refused;
        self.disconnects += other.disconnects;
        self.possibly_answered += other.possibly_answered;
        self.unanswered += other.unanswered;
    }
}
