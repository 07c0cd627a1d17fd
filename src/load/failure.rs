//! Counts and describes failed echoes, for both drivers.

use crate::measure::ErrorCounts;
use crate::message::{self, EchoError, Request};
use crate::systems::System;

/// Adds `error` to the counter of its kind.
pub fn record_error(error: &EchoError, counts: &mut ErrorCounts) {
    *match error {
        EchoError::Timeout(_) => &mut counts.timeouts,
        EchoError::Disconnected(_) => &mut counts.disconnects,
        EchoError::Refused(_) => &mut counts.refused,
        EchoError::Malformed(_) => &mut counts.malformed,
        EchoError::Stray { sent, acknowledged } if acknowledged.checked_add(1) == Some(*sent) => {
            &mut counts.repeats
        }
        EchoError::Stray { .. } => &mut counts.strays,
    } += 1;
}

/// Counts an attempt whose request was sent and failed with `error`.
pub fn record_sent_in_vain(error: &EchoError, counts: &mut ErrorCounts) {
    counts.possibly_answered += 1;
    counts.unanswered +=
        u64::from(matches!(error, EchoError::Timeout(_) | EchoError::Disconnected(_)));
}

/// Returns the error message for an echo that failed, with advice.
pub fn explain(
    system: &dyn System,
    endpoint: &dyn std::fmt::Display,
    request: &Request,
    error: &EchoError,
) -> String {
    let (system, sequence) = (system.name(), request.sequence());
    let advice = match error {
        // The handler's own refusal names the cause. Other refusals come from the framework and
        // are less specific.
        EchoError::Refused(reason) if reason.contains(message::MALFORMED) => String::new(),
        _ => format!(
            "; check that a {system} server listens there and that its limit (--max-message) \
             allows {} bytes",
            request.bytes().len()
        ),
    };
    format!("{system} at {endpoint} did not answer message {sequence}: {error}{advice}")
}
