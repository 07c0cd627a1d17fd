//! What the systems on the gRPC C-core share: threads, channels, servers, messages, errors.

mod channels;
mod direct;
mod stream;
mod unary;

pub use self::stream::Conversation;
pub use self::unary::Unary;

use std::ffi::CStr;
use std::io::{self, BufRead, Read};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use grpcio::{
    ChannelBuilder, EnvBuilder, Environment, GrpcSlice, Marshaller, MessageReader, Method,
    MethodType, ServerBuilder, ServerCredentials, Service,
};
use log::warn;

use super::{Server, cannot_listen};
use crate::measure::ServerTally;
use crate::message::{self, Rejected, Responder, Sequence};
use crate::os::cpus;
use crate::spec::{Endpoint, ServerSpec, Tuning};

/// How long a server that was stopped is given to drop its handlers by itself.
const HANDLER_DRAIN_TIME: Duration = Duration::from_millis(250);

/// How long it may take to do so when its queues are shut down.
const STOPPING: Duration = Duration::from_secs(2);

fn library() -> String {
    format!("gRPC C-core {}", core_version())
}

#[allow(unsafe_code)]
fn core_version() -> std::borrow::Cow<'static, str> {
    // SAFETY: grpc_version_string() returns a constant that ends with a null byte.
    unsafe { CStr::from_ptr(grpcio_sys::grpc_version_string()) }.to_string_lossy()
}

/// What costs the C-core time with every message, and serves nobody here: filters of which
/// none is in use, probes of the connection's bandwidth, and statistics.
const THROUGHPUT_CHANNEL_ARGS: [(&CStr, i32); 3] =
    [(c"grpc.minimal_stack", 1), (c"grpc.http2.bdp_probe", 0), (c"grpc.enable_channelz", 0)];

fn tuned(builder: ChannelBuilder, tuning: Tuning) -> ChannelBuilder {
    let spared: &[_] = if tuning == Tuning::Throughput { &THROUGHPUT_CHANNEL_ARGS } else { &[] };
    spared
        .iter()
        .fold(builder, |builder, (name, value)| builder.raw_cfg_int((*name).to_owned(), *value))
}

fn completion_queues(spec: &ServerSpec) -> usize {
    spec.completion_queues.map_or_else(cpus::allowed, Into::into)
}

fn environment(completion_queues: usize) -> Arc<Environment> {
    Arc::new(EnvBuilder::new().cq_count(completion_queues).name_prefix("grpc-cq").build())
}

fn length_limit(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

/// A method of `msg.Hello`. The bytes pass through as they are: they are encoded and decoded
/// where those of all systems are.
const fn method(ty: MethodType, name: &'static str) -> Method<Frame, Frame> {
    Method {
        ty,
        name,
        req_mar: Marshaller { ser: Frame::pack, de: Frame::unpack },
        resp_mar: Marshaller { ser: Frame::pack, de: Frame::unpack },
    }
}

/// A message as C-core has it; neither way is it copied more often than need be.
enum Frame {
    ToSend(GrpcSlice),
    Received(MessageReader),
}

impl Frame {
    fn to_send(bytes: &[u8]) -> Self {
        Frame::ToSend(GrpcSlice::from(bytes))
    }

    #[expect(clippy::unnecessary_wraps, reason = "the type is grpcio's")]
    fn pack(&self, into: &mut GrpcSlice) -> grpcio::Result<()> {
        if let Frame::ToSend(slice) = self {
            // Counts a reference, and copies nothing.
            *into = slice.clone();
        }
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "the type is grpcio's")]
    fn unpack(reader: MessageReader) -> grpcio::Result<Self> {
        Ok(Frame::Received(reader))
    }

    /// The bytes; `spare` is where they are put together if C-core has them in parts.
    fn bytes<'a>(&'a mut self, spare: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        match self {
            Frame::ToSend(slice) => Ok(slice.as_slice()),
            Frame::Received(reader) => {
                if reader.fill_buf()?.len() < reader.len() {
                    spare.clear();
                    reader.read_to_end(spare)?;
                    return Ok(spare);
                }
                reader.fill_buf()
            }
        }
    }
}

/// What answers, on the thread of a completion queue, and hands its tally back in the end.
struct Answerer {
    spec: ServerSpec,
    count: Arc<AtomicU64>,
    handed_back: Sender<ServerTally>,
    responder: Responder,
    spare: Vec<u8>,
    reply: Vec<u8>,
}

impl Answerer {
    fn new(spec: &ServerSpec, count: Arc<AtomicU64>, handed_back: Sender<ServerTally>) -> Self {
        let sequence = Sequence::Shared(Arc::clone(&count));
        Answerer {
            responder: Responder::new(spec, None, sequence),
            spec: spec.clone(),
            count,
            handed_back,
            spare: Vec::new(),
            reply: Vec::new(),
        }
    }

    fn answer(&mut self, mut request: Frame) -> Result<Frame, Rejected> {
        match request.bytes(&mut self.spare) {
            // C-core looks at the length too, but for its minimal stack.
            Ok(bytes) => match self.responder.reject_if_long(bytes.len()) {
                Some(rejected) => Err(rejected),
                None => message::respond(&mut self.responder, bytes, &mut self.reply)
                    .map(|()| Frame::to_send(&self.reply)),
            },
            Err(error) => Err(self.responder.reject(&error.to_string())),
        }
    }

    /// The reply that says why there is none.
    fn write_error_reply(&mut self, rejected: Rejected) -> Frame {
        self.responder.write_error_reply(rejected, &mut self.reply);
        Frame::to_send(&self.reply)
    }
}

impl Clone for Answerer {
    fn clone(&self) -> Self {
        Answerer::new(&self.spec, Arc::clone(&self.count), self.handed_back.clone())
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        // Nobody listens where the server was dropped and not stopped.
        let _ = self.handed_back.send(self.responder.take_tally());
    }
}

/// The address of a server, which nobody listens on. C-core does not return why it cannot bind
/// one: it prints it.
fn free_address(system: &str, spec: &ServerSpec) -> Result<SocketAddr> {
    let address = spec.address.resolve()?;
    TcpListener::bind(address).map_err(|error| cannot_listen(system, address, &error))?;
    Ok(address)
}

struct GrpcServer {
    endpoint: Endpoint,
    server: Option<grpcio::Server>,
    tallies: Receiver<ServerTally>,
    /// The sequence of the last reply.
    count: Arc<AtomicU64>,
    /// Keeps the completion queues open while handlers may be at work: C-core aborts the
    /// process if a request is taken up on a queue that has been shut down.
    environment: Option<Arc<Environment>>,
}

impl GrpcServer {
    /// Starts the server of `system`, with the service that `serving` makes of what answers.
    fn start(
        system: &str,
        spec: &ServerSpec,
        serving: impl FnOnce(Answerer) -> Service,
    ) -> Result<Self> {
        let address = free_address(system, spec)?;
        let environment = environment(completion_queues(spec));
        let arguments = tuned(ChannelBuilder::new(Arc::clone(&environment)), spec.tuning)
            // Else the kernel lets a second server listen on the same port.
            .reuse_port(false)
            .max_receive_message_len(length_limit(spec.max_message))
            .build_args();
        let (handed_back, tallies) = unbounded();
        let count = Arc::<AtomicU64>::default();
        let answerer = Answerer::new(spec, Arc::clone(&count), handed_back);
        let mut server = ServerBuilder::new(Arc::clone(&environment))
            .channel_args(arguments)
            .register_service(serving(answerer))
            .build()
            .context("cannot make a gRPC server")?;
        let port = server
            .add_listening_port(address.to_string(), ServerCredentials::insecure())
            .map_err(|error| anyhow!("cannot listen on {address} as {system}: {error}"))?;
        server.start();
        let endpoint = SocketAddr::new(address.ip(), port).into();
        let (server, environment) = (Some(server), Some(environment));
        Ok(GrpcServer { endpoint, server, tallies, count, environment })
    }

    /// Shuts down, and waits for it. The threads of the completion queues then drop the
    /// handlers, each of which hands its tally back; the channel ends with the last one.
    fn shut_down(&mut self) -> ServerTally {
        let mut all = ServerTally::default();
        drop(self.server.take());
        // Now and then C-core keeps one request slot, and with it a handler that nothing will
        // come to, until its queue is shut down: by then, none is at work any more.
        let ended = self.gather(&mut all, HANDLER_DRAIN_TIME);
        drop(self.environment.take());
        if !ended && !self.gather(&mut all, STOPPING) {
            // Rarely, not even then: what that handler counted by itself is lost, but not the
            // replies, which are numbered over all of the server.
            warn!("C-core kept a handler; its clients may be missing in what was counted");
            all.accesses = self.count.load(Ordering::Relaxed);
        }
        all
    }

    /// Takes in tallies until the last handler is gone; `false`: none came for `patience`.
    fn gather(&self, all: &mut ServerTally, patience: Duration) -> bool {
        loop {
            match self.tallies.recv_timeout(patience) {
                Ok(tally) => all.merge(tally),
                Err(error) => return error == RecvTimeoutError::Disconnected,
            }
        }
    }
}

impl Server for GrpcServer {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn stop(mut self: Box<Self>) -> Result<ServerTally> {
        Ok(self.shut_down())
    }
}

impl Drop for GrpcServer {
    fn drop(&mut self) {
        self.shut_down();
    }
}
