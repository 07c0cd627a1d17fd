//! The unary server on the C-core itself, as it is tuned for throughput.
//!
//! ```text
//! channels --HTTP/2--> C-core [a thread per completion queue] --> handler, on that thread
//! ```
//!
//! grpcio asks C-core for a call, then for its message, then for its close, then sends the
//! reply, and polls a future in between: four events of a completion queue for each echo. Here
//! the method is registered, so that a call comes with its message, and all that is left is one
//! batch: two events, and no future. Calls that have come together are answered together: the
//! code that reads and the code that writes are each more than a CPU's cache of instructions holds.

mod core;
mod slot;

use std::ffi::CString;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, bail};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use grpcio_sys::grpc_status_code;

use self::core::{Core, Next};
use self::slot::{Event, Method, Slot};
use super::{STOPPING, completion_queues};
use crate::measure::ServerTally;
use crate::message::{self, Responder, Sequence};
use crate::spec::{Endpoint, ServerSpec};
use crate::systems::Server;
use crate::threads;

/// How many calls of one completion queue may be under way: those that are sent need a moment
/// to be off. More than that wait in C-core.
const SLOTS: usize = 256;

/// How many calls are taken in, at most, before they are answered. None waits for another that
/// has not come yet.
const TOGETHER: usize = 16;

/// The thread of one completion queue.
struct Worker {
    core: Arc<Core>,
    queue: usize,
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
        let mut slots: Vec<_> = methods.map(Slot::new).collect();
        for slot in &mut slots {
            // SAFETY: the slots are boxed, and dropped after the queue has ended.
            unsafe { self.core.request(self.queue, slot) };
        }
        let mut came = Vec::with_capacity(TOGETHER);
        loop {
            // Waits for one call, and then takes what has come with it.
            match self.core.next(self.queue, came.is_empty()) {
                Next::Ended { tag, succeeded } => {
                    // SAFETY: a tag is the address of one of the slots, and nobody else has it
                    // until the slot goes to C-core again.
                    let slot = unsafe { &mut *tag.cast::<Slot>() };
                    match slot.event(succeeded) {
                        Event::Came => came.push(slot),
                        // SAFETY: as above.
                        Event::Finished => unsafe { self.core.request(self.queue, slot) },
                        Event::Over => {}
                    }
                    if came.len() < TOGETHER {
                        continue;
                    }
                }
                Next::Nothing => {}
                Next::ShutDown => {
                    came.drain(..).for_each(|slot| self.answer(slot));
                    self.core.end_queue(self.queue);
                    break;
                }
                Next::End => break,
            }
            came.drain(..).for_each(|slot| self.answer(slot));
        }
        self.drain();
        self.responder.take_tally()
    }

    /// Takes what is left in a queue that has ended, on which nothing may be begun: C-core would
    /// abort the process.
    fn drain(&self) {
        loop {
            match self.core.next(self.queue, true) {
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

    #[inline]
    fn answer(&mut self, slot: &mut Slot) {
        if !slot.is_known() {
            let why = "the one method here is msg.Hello/Respond";
            return slot.refuse(grpc_status_code::GRPC_STATUS_UNIMPLEMENTED, why);
        }
        let outcome = if let Some(bytes) = slot.request_bytes(&mut self.spare) {
            // C-core would look at the length, but for its minimal stack.
            if let Some(why) = self.responder.reject_if_long(bytes.len()) {
                Err((grpc_status_code::GRPC_STATUS_RESOURCE_EXHAUSTED, why))
            } else {
                message::respond(&mut self.responder, bytes, &mut self.reply)
                    .map_err(|why| (grpc_status_code::GRPC_STATUS_INVALID_ARGUMENT, why))
            }
        } else {
            let why = self.responder.reject("the call has no message");
            Err((grpc_status_code::GRPC_STATUS_INVALID_ARGUMENT, why))
        };
        match outcome {
            Ok(()) => slot.answer(&self.reply),
            Err((status, why)) => slot.refuse(status, &why.to_string()),
        }
    }
}

/// The server.
pub struct Direct {
    endpoint: Endpoint,
    core: Option<Arc<Core>>,
    threads: Vec<JoinHandle<Result<ServerTally>>>,
    /// Nothing comes from it; it is disconnected when all threads have ended.
    ended: Receiver<()>,
}

impl Direct {
    /// Starts a server of `method`, at an address that is free.
    ///
    /// # Errors
    ///
    /// Where C-core cannot listen there, or a thread cannot be started.
    pub fn start(method: &str, address: SocketAddr, spec: &ServerSpec) -> Result<Self> {
        let queues = completion_queues(spec);
        let core = Arc::new(Core::new(&CString::new(method)?, queues, spec.max_message)?);
        let port = core.listen(address).with_context(|| format!("cannot listen on {address}"))?;
        let (at_work, ended) = bounded(0);
        let endpoint = SocketAddr::new(address.ip(), port).into();
        let mut server =
            Direct { endpoint, core: Some(Arc::clone(&core)), threads: Vec::new(), ended };
        let count = Arc::<AtomicU64>::default();
        for queue in 0..queues {
            let worker = Worker {
                core: Arc::clone(&core),
                queue,
                responder: Responder::new(spec, None, Sequence::Shared(Arc::clone(&count))),
                spare: Vec::new(),
                reply: Vec::new(),
                _at_work: at_work.clone(),
            };
            server.threads.push(threads::start(&format!("grpc-cq-{queue}"), || Ok(worker.run()))?);
        }
        Ok(server)
    }

    /// Shuts the server down, which tells the threads to end their queues.
    fn shut_down(&mut self) -> Result<ServerTally> {
        let mut all = ServerTally::default();
        let Some(core) = self.core.take() else { return Ok(all) };
        core.shut_down();
        if self.ended.recv_timeout(STOPPING) == Err(RecvTimeoutError::Timeout) {
            // Its threads go on, and so it must not be destroyed.
            std::mem::forget(core);
            bail!("C-core has not shut its server down within {} s", STOPPING.as_secs());
        }
        for thread in self.threads.drain(..) {
            all.merge(threads::join(thread)?);
        }
        Ok(all)
    }
}

impl Server for Direct {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn stop(mut self: Box<Self>) -> Result<ServerTally> {
        self.shut_down()
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        // Who drops it does not ask how it went.
        let _ = self.shut_down();
    }
}
