//! Named threads whose errors and panics are returned by [`join`].

use std::thread::{Builder, JoinHandle};

use anyhow::{Context, Result, anyhow};

/// Starts a thread. `/proc/PID/task/TID/comm` contains the first 15 bytes of its name.
///
/// # Errors
///
/// If the system's limit of threads is reached.
pub fn start<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(work).with_context(|| start_error(name))
}

/// Sets the scheduling policy of the calling thread, and of threads that it starts later, to
/// `SCHED_BATCH`: when the kernel wakes them, they do not preempt the running thread. A thread
/// that drains a queue then drains it completely, and is notified once for about ten messages.
/// See `sched(7)`.
///
/// If the kernel refuses, the policy is unchanged.
pub fn use_batch_scheduling() {
    // SAFETY: the parameter is a struct of plain numbers that lives during the call, and 0 is
    // the calling thread.
    #[allow(unsafe_code)]
    let status = unsafe {
        let parameter = libc::sched_param { sched_priority: 0 };
        libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameter)
    };
    if status != 0 {
        log::warn!("cannot set SCHED_BATCH: {}", std::io::Error::last_os_error());
    }
}

/// Returns the error message for a thread that could not be started.
pub fn start_error(name: &str) -> String {
    format!("cannot start thread {name}; raise the limit with 'ulimit -u', or use fewer threads")
}

/// Waits for a thread, and returns its result.
///
/// # Errors
///
/// The error of the thread, or its panic.
pub fn join<T>(thread: JoinHandle<Result<T>>) -> Result<T> {
    let name = thread.thread().name().unwrap_or("(unnamed)").to_owned();
    thread.join().map_err(|_| anyhow!("thread {name} panicked; this is a bug in echometer"))?
}
