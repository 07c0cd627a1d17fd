//! `rep`: one thread receives, answers and sends on a ZeroMQ REP socket.
//!
//! ```text
//! REQ clients --tcp--> [I/O thread of libzmq] --> REP socket [handler thread]
//! ```

use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Result;

use super::{Client, Server, System, zmq};
use crate::measure::ServerTally;
use crate::message::{Responder, Sequence};
use crate::os::threads;
use crate::spec::{ClientSpec, Endpoint, ServerSpec, Tuning};
use crate::wire::{Codec, Zmtp};

/// Number of messages that the tuned handler answers before it yields to libzmq's I/O thread.
/// Without yields, the I/O thread reads and the handler answers for as long as the scheduler
/// allows: with thousands of clients, the memory of a message has left the CPU's cache when it is
/// needed again.
const MESSAGES_PER_YIELD: usize = 64;

pub struct Rep;

impl System for Rep {
    fn name(&self) -> &'static str {
        "rep"
    }

    fn about(&self) -> &'static str {
        "ZeroMQ REQ/REP: one thread answers all clients"
    }

    fn serve(&self, spec: &ServerSpec) -> Result<Box<dyn Server>> {
        let context = zmq::Context::new()?;
        let (socket, endpoint) = zmq::bind(&context, ::zmq::REP, self.name(), spec)?;
        let responder = Responder::new(spec, None, Sequence::Own(0));
        let messages_per_yield = match spec.tuning {
            Tuning::Default => usize::MAX,
            Tuning::Throughput => MESSAGES_PER_YIELD,
        };
        let serve = move || zmq::serve_requests(&socket, responder, messages_per_yield);
        let thread = threads::start("handler", serve)?;
        Ok(Box::new(RepServer { endpoint, context, thread: Some(thread) }))
    }

    fn connect(&self, to: &Endpoint, who: &ClientSpec) -> Result<Box<dyn Client>> {
        Ok(Box::new(zmq::ReqClient::connect(to, who)?))
    }

    fn codec(&self, _to: &Endpoint, who: &ClientSpec) -> Option<Box<dyn Codec>> {
        Some(Box::new(Zmtp::new(who.max_message)))
    }

    fn library(&self) -> Option<String> {
        Some(zmq::library())
    }

    fn descriptors_per_client(&self) -> u64 {
        zmq::DESCRIPTORS_PER_CLIENT
    }
}

struct RepServer {
    endpoint: Endpoint,
    context: Arc<zmq::Context>,
    thread: Option<JoinHandle<Result<ServerTally>>>,
}

impl Server for RepServer {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn stop(mut self: Box<Self>) -> Result<ServerTally> {
        self.context.shut_down();
        self.thread.take().map_or_else(|| Ok(ServerTally::default()), threads::join)
    }
}

impl Drop for RepServer {
    fn drop(&mut self) {
        // The thread returns and closes its socket. Dropping the context waits for that.
        self.context.shut_down();
    }
}
