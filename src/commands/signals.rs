//! Handlers for SIGINT and SIGTERM.

use std::os::unix::net::UnixStream;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::pipe;

use crate::load::CancelToken;

const ERROR: &str = "cannot handle signals";

/// Returns a stream that becomes readable with the first signal.
pub fn stream() -> Result<UnixStream> {
    let (stream, signals) = UnixStream::pair().context(ERROR)?;
    for signal in [SIGINT, SIGTERM] {
        pipe::register(signal, signals.try_clone()?).context(ERROR)?;
    }
    Ok(stream)
}

/// Makes the first signal set `cancel` and the returned token. Only signals set the returned
/// token. The second signal ends the process immediately.
pub fn cancel_on_signal(cancel: &CancelToken) -> Result<CancelToken> {
    let interrupted = CancelToken::default();
    for signal in [SIGINT, SIGTERM] {
        // Registered before the handler that sets the token, so that the first signal does not
        // end the process.
        flag::register_conditional_shutdown(signal, 130, interrupted.flag()).context(ERROR)?;
        flag::register(signal, interrupted.flag()).context(ERROR)?;
        flag::register(signal, cancel.flag()).context(ERROR)?;
    }
    Ok(interrupted)
}
