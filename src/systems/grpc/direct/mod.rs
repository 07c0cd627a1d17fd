//! The unary server on the C-core itself, as it is tuned for throughput.
//!
//! ```text
//!                 [acceptor thread]
//!                         |
//! channels --HTTP/2--> C-core's servers [a thread for each] --> handler, on that thread
//! ```
//!
//! grpcio asks C-core for a call, then for its message, then for its close, then sends the
//! reply, and polls a future in between: four events of a completion queue for each echo. Here
//! the method is registered, so that a call comes with its message, and all that is left is one
//! batch: two events, and no future. Calls that have come together are answered together: the
//! code that reads and the code that writes are each more than a CPU's cache of instructions holds.
//!
//! Connections are accepted here and handed over: C-core then has no filter that looks at who a
//! caller is. As it lets all completion queues of a server watch a connection that it was handed,
//! each queue has a server of its own.

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

use self::core::{Core, Next};
use self::slot::{Event, Method, Slot};
use super::{STOPPING, completion_queues};
use crate::measure::ServerTally;
use crate::message::{self, Rejected, Responder, Sequence};
use crate::os::threads;
use crate::spec::{Endpoint, ServerSpec};
use crate::systems::Server;
use crate::systems::acceptor::Acceptor;

/// How many calls of one server may be under way: those that are sent need a moment
/// to be off. More than that wait in C-core.
const SLOTS: usize = 256;

/// How many calls are taken in, at most, before they are answered. None waits for another that
/// has not come yet.
const MAX_BATCH: usize = 16;

/// The thread of one of C-core's servers.
struct Worker {
    core: Arc<Core>,
    responder: Responder,
    spare: Vec<u8>,
    reply: Vec<u8>,
    /// Says by its end that the thread is at its own.
    _at_work: Sender<()>,
}

#[allow(unsafe_code)]
impl Worker {
    /// Answers until the queue ends.
    fn run(mut self) -> ServerTally {
        // C-core has their addresses until the queue has ended.
        let unknown = std::iter::once(Method::Unknown);
        let methods = std::iter::repeat_n(Method::Known(self.core.method), SLOTS).chain(unknown);
        // Should this thread panic, C-core still has them: they must not be dropped then.
        let mut slots = ManuallyDrop::new(methods.map(Slot::new).collect::<Vec<_>>());
        for slot in slots.iter_mut() {
            // SAFETY: the slots are boxed, and dropped after the queue has ended.
            unsafe { self.core.request(slot) };
        }
        let mut came = Vec::with_capacity(MAX_BATCH);
        loop {
            // Waits for one call, and then takes what has come with it.
            match self.core.next(came.is_empty()) {
                Next::Ended { tag, succeeded } => {
                    // SAFETY: a tag is the address of one of the slots, and nobody else has it
                    // until the slot goes to C-core again.
                    unsafe {
                        let slot = &mut *tag.cast::<Slot>();
                        match slot.event(succeeded) {
                            Event::Came => came.push(slot),
                            Event::Finished => self.core.request(slot),
                            Event::Over => {}
                        }
                    }
                    if came.len() < MAX_BATCH {
                        continue;
                    }
                }
                Next::Nothing => {}
                Next::ShutDown | Next::End => break,
            }
            self.answer_all(&mut came);
        }
        self.answer_all(&mut came);
        self.core.end_queue();
        self.drain();
        drop(ManuallyDrop::into_inner(slots));
        self.responder.take_tally()
    }

    /// Takes what is left in a queue that has ended, on which nothing may be begun: C-core would
    /// abort the process.
    fn drain(&self) {
        loop {
            match self.core.next(true) {
                // SAFETY: as in `run`.
                Next::Ended { tag, succeeded } => unsafe {
                    let slot = &mut *tag.cast::<Slot>();
                    if let Event::Came = slot.event(succeeded) {
                        slot.clear();
                    }
                },
                Next::ShutDown | Next::Nothing => {}
                Next::End => return,
            }
        }
    }

    /// Answers calls that have come.
    #[inline]
    fn answer_all(&mut self, came: &mut Vec<&mut Slot>) {
        for slot in came.drain(..) {
            let outcome = self.outcome(slot);
            // SAFETY: its call has come, and is answered once.
            unsafe {
                match outcome {
                    Ok(()) => slot.answer(&self.reply),
                    Err((status, why)) => slot.refuse(status, &why),
                }
            }
        }
    }

    /// Makes the reply to a call, or says why there is none.
    #[inline]
    fn outcome(&mut self, slot: &mut Slot) -> Result<(), (grpc_status_code::Type, String)> {
        if self.core.is_shutting_down() {
            // The handler may take its time, and there may be many of them.
            return Err((grpc_status_code::GRPC_STATUS_UNAVAILABLE, "the server stops".into()));
        }
        if !slot.is_known() {
            let why = "the one method here is msg.Hello/Respond";
            return Err((grpc_status_code::GRPC_STATUS_UNIMPLEMENTED, why.to_owned()));
        }
        let invalid =
            |why: Rejected| (grpc_status_code::GRPC_STATUS_INVALID_ARGUMENT, why.to_string());
        let Some(bytes) = slot.request_bytes(&mut self.spare) else {
            return Err(invalid(self.responder.reject("the call has no message")));
        };
        // C-core would look at the length, but for its minimal stack.
        if let Some(why) = self.responder.reject_if_long(bytes.len()) {
            return Err((grpc_status_code::GRPC_STATUS_RESOURCE_EXHAUSTED, why.to_string()));
        }
        message::respond(&mut self.responder, bytes, &mut self.reply).map_err(invalid)
    }
}

/// C-core's servers, and their threads.
struct Workers {
    cores: Vec<Arc<Core>>,
    threads: Vec<JoinHandle<Result<ServerTally>>>,
    /// Nothing comes from it; it is disconnected when all threads have ended.
    ended: Receiver<()>,
}

impl Workers {
    fn start(method: &str, spec: &ServerSpec) -> Result<Self> {
        let method = CString::new(method)?;
        let (at_work, ended) = bounded(0);
        let mut workers = Workers { cores: Vec::new(), threads: Vec::new(), ended };
        // Dropped before the workers are, if a thread cannot be started.
        let at_work = at_work;
        let count = Arc::<AtomicU64>::default();
        for number in 0..completion_queues(spec) {
            let core = Arc::new(Core::new(&method, spec.max_message));
            let worker = Worker {
                core: Arc::clone(&core),
                responder: Responder::new(spec, None, Sequence::Shared(Arc::clone(&count))),
                spare: Vec::new(),
                reply: Vec::new(),
                _at_work: at_work.clone(),
            };
            let thread = threads::start(&format!("grpc-cq-{number}"), || Ok(worker.run()))?;
            workers.threads.push(thread);
            workers.cores.push(core);
        }
        Ok(workers)
    }

    /// Shuts the servers down, which tells the threads to end their queues.
    fn shut_down(&mut self) -> Result<ServerTally> {
        let cores = std::mem::take(&mut self.cores);
        let threads = std::mem::take(&mut self.threads);
        if threads.is_empty() {
            return Ok(ServerTally::default());
        }
        for core in &cores {
            core.shut_down();
        }
        if self.ended.recv_timeout(STOPPING) == Err(RecvTimeoutError::Timeout) {
            // Their threads go on, and so they must not be destroyed.
            std::mem::forget(cores);
            bail!("C-core has not shut its servers down within {} s", STOPPING.as_secs());
        }
        let mut all = ServerTally::default();
        for thread in threads {
            all.merge(threads::join(thread)?);
        }
        Ok(all)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // Who drops them does not ask how it went.
        let _ = self.shut_down();
    }
}

/// The server.
pub struct Direct {
    // Dropped first: no connection is handed to a server that has shut down.
    acceptor: Acceptor,
    workers: Workers,
}

impl Direct {
    /// Starts a server of `method`.
    ///
    /// # Errors
    ///
    /// Where the address cannot be bound, or a thread cannot be started.
    pub fn start(system: &str, method: &str, spec: &ServerSpec) -> Result<Self> {
        let workers = Workers::start(method, spec)?;
        let mut turns = workers.cores.clone().into_iter().cycle();
        let acceptor = Acceptor::start(system, spec, move |stream| {
            turns.next().map_or(Ok(()), |core| core.take(stream))
        })?;
        Ok(Direct { acceptor, workers })
    }
}

impl Server for Direct {
    fn endpoint(&self) -> &Endpoint {
        self.acceptor.endpoint()
    }

    fn stop(mut self: Box<Self>) -> Result<ServerTally> {
        self.acceptor.stop()?;
        self.workers.shut_down()
    }
}
