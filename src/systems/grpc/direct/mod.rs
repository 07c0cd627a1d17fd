//! The unary server tuned for throughput, which calls the C-core without grpcio.
//!
//! ```text
//!                 [acceptor thread]
//!                         |
//! channels --HTTP/2--> C-core servers [one thread each] --> handler, on that thread
//! ```
//!
//! grpcio requests a call, then its message, then its close, then sends the reply, and polls a
//! future in between: four events of a completion queue per echo. Here the method is registered, so
//! a call arrives with its message, and one batch does the rest: two events and no future. Calls
//! that arrive together are answered together: the code that reads and the code that writes each
//! exceed the CPU's instruction cache.
//!
//! Connections are accepted here and handed over to C-core, which then runs no filter that
//! identifies the caller. All completion queues of a C-core server poll each connection that was
//! handed over, so each queue has a server of its own.

mod core;
mod slot;

use std::ffi::CString;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;

use anyhow::{Result, bail};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use grpcio_sys::grpc_status_code;

use self::core::{Core, QueueEvent};
use self::slot::{Method, Slot, SlotEvent};
use super::{SHUTDOWN_TIMEOUT, completion_queues};
use crate::measure::ServerTally;
use crate::message::{self, Rejected, Responder, Sequence};
use crate::os::threads;
use crate::spec::{Endpoint, ServerSpec};
use crate::systems::Server;
use crate::systems::acceptor::Acceptor;

/// Maximum number of calls in progress per C-core server. A call is in progress until its reply has
/// been sent; further calls wait in C-core.
const SLOTS: usize = 256;

/// Maximum number of calls that are received before they are answered. No call waits for one that
/// has not arrived.
const MAX_BATCH: usize = 16;

/// The thread of one C-core server.
struct Worker {
    core: Arc<Core>,
    responder: Responder,
    scratch: Vec<u8>,
    reply: Vec<u8>,
    /// Dropped when the thread ends: the last drop disconnects `Workers::all_ended`.
    _running: Sender<()>,
}

#[allow(unsafe_code)]
impl Worker {
    /// Answers calls until the server shuts down.
    fn run(mut self) -> ServerTally {
        let unregistered = std::iter::once(Method::Unregistered);
        let methods =
            std::iter::repeat_n(Method::Registered(self.core.method), SLOTS).chain(unregistered);
        // C-core holds the addresses of the slots until the queue has shut down. They must not be
        // dropped before, not even if this thread panics.
        let mut slots = ManuallyDrop::new(methods.map(Slot::new).collect::<Vec<_>>());
        for slot in slots.iter_mut() {
            // SAFETY: the slots are boxed, and dropped after the queue has shut down.
            unsafe { self.core.request(slot) };
        }
        let mut calls = Vec::with_capacity(MAX_BATCH);
        loop {
            // Waits for the first call, then takes those that have arrived with it.
            match self.core.next_event(calls.is_empty()) {
                QueueEvent::Completed { tag, succeeded } => {
                    // SAFETY: the tag is the address of a slot, and there is no other reference to
                    // that slot until it is passed to C-core again.
                    unsafe {
                        let slot = &mut *tag.cast::<Slot>();
                        match slot.event(succeeded) {
                            SlotEvent::CallArrived => calls.push(slot),
                            SlotEvent::CallEnded => self.core.request(slot),
                            SlotEvent::ServerShutDown => {}
                        }
                    }
                    if calls.len() < MAX_BATCH {
                        continue;
                    }
                }
                QueueEvent::Empty => {}
                QueueEvent::ServerShutDown | QueueEvent::QueueShutDown => break,
            }
            self.answer_all(&mut calls);
        }
        self.answer_all(&mut calls);
        self.core.shut_down_queue();
        self.drain_queue();
        drop(ManuallyDrop::into_inner(slots));
        self.responder.take_tally()
    }

    /// Takes the remaining events of a queue that is shutting down. Starts no operation on it:
    /// C-core would abort the process.
    fn drain_queue(&self) {
        loop {
            match self.core.next_event(true) {
                // SAFETY: as in `run`.
                QueueEvent::Completed { tag, succeeded } => unsafe {
                    let slot = &mut *tag.cast::<Slot>();
                    if let SlotEvent::CallArrived = slot.event(succeeded) {
                        slot.clear();
                    }
                },
                QueueEvent::ServerShutDown | QueueEvent::Empty => {}
                QueueEvent::QueueShutDown => return,
            }
        }
    }

    /// Answers the calls and removes them from the list.
    #[inline]
    fn answer_all(&mut self, calls: &mut Vec<&mut Slot>) {
        for slot in calls.drain(..) {
            let outcome = self.respond(slot);
            // SAFETY: the slot holds a call that has not been answered.
            unsafe {
                match outcome {
                    Ok(()) => slot.send_reply(&self.reply),
                    Err((status, reason)) => slot.send_error(status, &reason),
                }
            }
        }
    }

    /// Writes the reply to a call to `self.reply`, or returns an error status with its reason.
    #[inline]
    fn respond(&mut self, slot: &mut Slot) -> Result<(), (grpc_status_code::Type, String)> {
        if self.core.is_shutting_down() {
            // The handler may be slow, and many calls may be left.
            let reason = "the server is shutting down";
            return Err((grpc_status_code::GRPC_STATUS_UNAVAILABLE, reason.to_owned()));
        }
        if !slot.is_registered() {
            let reason = "unknown method; the server implements only msg.Hello/Respond";
            return Err((grpc_status_code::GRPC_STATUS_UNIMPLEMENTED, reason.to_owned()));
        }
        let invalid = |rejected: Rejected| {
            (grpc_status_code::GRPC_STATUS_INVALID_ARGUMENT, rejected.to_string())
        };
        let Some(bytes) = slot.request_bytes(&mut self.scratch) else {
            return Err(invalid(self.responder.reject("the call has no message")));
        };
        // C-core does not check the length if `grpc.minimal_stack` is set.
        if let Some(rejected) = self.responder.reject_if_too_long(bytes.len()) {
            return Err((grpc_status_code::GRPC_STATUS_RESOURCE_EXHAUSTED, rejected.to_string()));
        }
        message::respond(&mut self.responder, bytes, &mut self.reply).map_err(invalid)
    }
}

/// The C-core servers and their threads.
struct Workers {
    cores: Vec<Arc<Core>>,
    threads: Vec<JoinHandle<Result<ServerTally>>>,
    /// Receives no message. It is disconnected when all threads have ended.
    all_ended: Receiver<()>,
}

impl Workers {
    fn start(method: &str, spec: &ServerSpec) -> Result<Self> {
        let method = CString::new(method)?;
        let (running, all_ended) = bounded(0);
        let mut workers = Workers { cores: Vec::new(), threads: Vec::new(), all_ended };
        // Declared after `workers`, so that it is dropped before them if a thread cannot be
        // started: dropping `workers` waits until every sender is dropped.
        let running = running;
        let last_sequence = Arc::<AtomicU64>::default();
        for number in 0..completion_queues(spec) {
            let core = Arc::new(Core::new(&method, spec.max_message));
            let worker = Worker {
                core: Arc::clone(&core),
                responder: Responder::new(spec, None, Sequence::Shared(Arc::clone(&last_sequence))),
                scratch: Vec::new(),
                reply: Vec::new(),
                _running: running.clone(),
            };
            let thread = threads::start(&format!("grpc-cq-{number}"), || Ok(worker.run()))?;
            workers.threads.push(thread);
            workers.cores.push(core);
        }
        Ok(workers)
    }

    /// Shuts the servers down and joins the threads, each of which shuts its queue down.
    fn shut_down(&mut self) -> Result<ServerTally> {
        let cores = std::mem::take(&mut self.cores);
        let threads = std::mem::take(&mut self.threads);
        if threads.is_empty() {
            return Ok(ServerTally::default());
        }
        for core in &cores {
            core.shut_down();
        }
        if self.all_ended.recv_timeout(SHUTDOWN_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
            // The threads still use the servers, which therefore must not be destroyed.
            std::mem::forget(cores);
            bail!("C-core did not shut its servers down within {} s", SHUTDOWN_TIMEOUT.as_secs());
        }
        let mut total = ServerTally::default();
        for thread in threads {
            total.merge(threads::join(thread)?);
        }
        Ok(total)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // An error cannot be returned from `drop`.
        let _ = self.shut_down();
    }
}

/// A unary server that calls the C-core without grpcio.
pub struct DirectServer {
    // Dropped first: no connection is handed to a server that has shut down.
    acceptor: Acceptor,
    workers: Workers,
}

impl DirectServer {
    /// Starts a server with one method.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound or a thread cannot be started.
    pub fn start(system: &str, method: &str, spec: &ServerSpec) -> Result<Self> {
        let workers = Workers::start(method, spec)?;
        let mut cores = workers.cores.clone().into_iter().cycle();
        let acceptor = Acceptor::start(system, spec, move |stream| {
            cores.next().map_or(Ok(()), |core| core.add_connection(stream))
        })?;
        Ok(DirectServer { acceptor, workers })
    }
}

impl Server for DirectServer {
    fn endpoint(&self) -> &Endpoint {
        self.acceptor.endpoint()
    }

    fn stop(mut self: Box<Self>) -> Result<ServerTally> {
        self.acceptor.stop()?;
        self.workers.shut_down()
    }
}
