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

/// Asks the kernel not to let this thread, and those that it starts from now on, interrupt
/// another when they are woken: who drains a queue then drains it to its end, and is told of
/// ten messages at once. See `SCHED_BATCH` in `sched(7)`.
///
/// Where the kernel refuses, the threads are as they were.
pub fn wake_without_haste() {
    // SAFETY: the parameter is a struct of plain numbers that lives during the call, and 0 is
    // the calling thread.
    #[allow(unsafe_code)]
    let refused = unsafe {
        let parameter = libc::sched_param { sched_priority: 0 };
        libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameter)
    };
    if refused != 0 {
        log::warn!("cannot set SCHED_BATCH: {}", std::io::Error::last_os_error());
    }
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
