//! SIGINT and SIGTERM, as something to wait for or to look at.

use std::os::unix::net::UnixStream;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::pipe;

use crate::load::CancelToken;

const CANNOT: &str = "cannot handle signals";

/// A stream that becomes readable with the first signal.
pub fn stream() -> Result<UnixStream> {
    let (stream, signals) = UnixStream::pair().context(CANNOT)?;
    for signal in [SIGINT, SIGTERM] {
        pipe::register(signal, signals.try_clone()?).context(CANNOT)?;
    }
    Ok(stream)
}

/// Two flags that the first signal sets: `stop`, which others may set too, and the one that
/// is returned. The second signal ends the process at once.
pub fn set(stop: &CancelToken) -> Result<CancelToken> {
    let interrupted = CancelToken::default();
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset.
        flag::register_conditional_shutdown(signal, 130, interrupted.flag()).context(CANNOT)?;
        flag::register(signal, interrupted.flag()).context(CANNOT)?;
        flag::register(signal, stop.flag()).context(CANNOT)?;
    }
    Ok(interrupted)
}
