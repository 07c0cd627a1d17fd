//! Threads with a name, whose failure is an error of who joins them.

use std::thread::{Builder, JoinHandle};

use anyhow::{Context, Result, anyhow};

/// Starts a thread; `/proc/PID/task/TID/comm` shows the first 15 bytes of its name.
///
/// # Errors
///
/// Where the system has no more threads to give.
pub fn start<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(work).with_context(|| cannot_start(name))
}

/// What to say where a thread could not be started.
pub fn cannot_start(name: &str) -> String {
    format!("cannot start the thread {name}; raise the limit with 'ulimit -u', or ask for fewer")
}

/// Waits for a thread, and passes on what it returned.
///
/// # Errors
///
/// Those of the thread, and its panic.
pub fn join<T>(thread: JoinHandle<Result<T>>) -> Result<T> {
    let name = thread.thread().name().unwrap_or("without a name").to_owned();
    thread.join().map_err(|_| anyhow!("the thread {name} panicked; this is a bug in echometer"))?
}
