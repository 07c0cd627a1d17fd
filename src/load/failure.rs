//! What becomes of an echo that failed: a count, and a sentence.

use crate::measure::ErrorCounts;
use crate::message::{self, EchoError, Request};
use crate::systems::System;

/// Counts what went wrong.
pub fn count(error: &EchoError, faults: &mut ErrorCounts) {
    *match error {
        EchoError::Timeout(_) => &mut faults.timeouts,
        EchoError::Disconnected(_) => &mut faults.disconnects,
        EchoError::Refused(_) => &mut faults.refused,
        EchoError::Malformed(_) => &mut faults.malformed,
        EchoError::Stray { sent, acknowledged } if acknowledged.checked_add(1) == Some(*sent) => {
            &mut faults.repeats
        }
        EchoError::Stray { .. } => &mut faults.strays,
    } += 1;
}

/// Says of a request that was not answered what was asked of whom, and what to look at.
pub fn explain(
    system: &dyn System,
    to: &dyn std::fmt::Display,
    request: &Request,
    error: &EchoError,
) -> String {
    let (system, number) = (system.name(), request.sequence());
    let advice = match error {
        // Its handler has said what is wrong; what refuses on the way to it says too little.
        EchoError::Refused(said) if said.contains(message::MALFORMED) => String::new(),
        _ => format!(
            "; does a server of the system {system} run there, and are {} bytes within its limit, --max-message?",
            request.bytes().len()
        ),
    };
    format!("{system} at {to} did not answer message {number}: {error}{advice}")
}
