//! Shared code of the systems on the gRPC C-core: threads, channels, servers, messages, errors.

mod channels;
mod direct;
mod stream;
mod unary;

pub use self::stream::Streaming;
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

/// How long a stopped server may take to release its handlers by itself.
const HANDLER_DRAIN_TIME: Duration = Duration::from_millis(250);

/// How long the C-core may take to shut a server down, or to release its handlers after its queues
/// have been shut down.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

fn library() -> String {
    format!("gRPC C-core {}", core_version())
}

#[allow(unsafe_code)]
fn core_version() -> std::borrow::Cow<'static, str> {
    // SAFETY: grpc_version_string() returns a constant that ends with a null byte.
    unsafe { CStr::from_ptr(grpcio_sys::grpc_version_string()) }.to_string_lossy()
}

/// Channel arguments that disable features of the C-core which cost time for every message and are
/// not used here: optional filters, probes of the connection's bandwidth, and statistics.
const THROUGHPUT_CHANNEL_ARGS: [(&CStr, i32); 3] =
    [(c"grpc.minimal_stack", 1), (c"grpc.http2.bdp_probe", 0), (c"grpc.enable_channelz", 0)];

fn with_tuning(builder: ChannelBuilder, tuning: Tuning) -> ChannelBuilder {
    let arguments: &[_] = if tuning == Tuning::Throughput { &THROUGHPUT_CHANNEL_ARGS } else { &[] };
    arguments
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

/// Describes a method of `msg.Hello`. grpcio passes the bytes through: [`crate::message`] encodes
/// and decodes them, as for all systems.
const fn method(ty: MethodType, name: &'static str) -> Method<RawMessage, RawMessage> {
    Method {
        ty,
        name,
        req_mar: Marshaller { ser: RawMessage::pack, de: RawMessage::unpack },
        resp_mar: Marshaller { ser: RawMessage::pack, de: RawMessage::unpack },
    }
}

/// A serialized message in the C-core's buffers, which avoids copies in both directions.
enum RawMessage {
    ToSend(GrpcSlice),
    Received(MessageReader),
}

impl RawMessage {
    fn to_send(bytes: &[u8]) -> Self {
        RawMessage::ToSend(GrpcSlice::from(bytes))
    }

    #[expect(clippy::unnecessary_wraps, reason = "the type is grpcio's")]
    fn pack(&self, into: &mut GrpcSlice) -> grpcio::Result<()> {
        if let RawMessage::ToSend(slice) = self {
            // Adds a reference; does not copy the bytes.
            *into = slice.clone();
        }
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "the type is grpcio's")]
    fn unpack(reader: MessageReader) -> grpcio::Result<Self> {
        Ok(RawMessage::Received(reader))
    }

    /// Returns the bytes. They are copied to `scratch` if the C-core holds them in several slices.
    fn bytes<'a>(&'a mut self, scratch: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        match self {
            RawMessage::ToSend(slice) => Ok(slice.as_slice()),
            RawMessage::Received(reader) => {
                if reader.fill_buf()?.len() < reader.len() {
                    scratch.clear();
                    reader.read_to_end(scratch)?;
                    return Ok(scratch);
                }
                reader.fill_buf()
            }
        }
    }
}

/// Answers requests on the thread of a completion queue. Sends its tally when it is dropped.
struct RequestHandler {
    spec: ServerSpec,
    last_sequence: Arc<AtomicU64>,
    tally_sender: Sender<ServerTally>,
    responder: Responder,
    scratch: Vec<u8>,
    reply: Vec<u8>,
}

impl RequestHandler {
    fn new(
        spec: &ServerSpec,
        last_sequence: Arc<AtomicU64>,
        tally_sender: Sender<ServerTally>,
    ) -> Self {
        let sequence = Sequence::Shared(Arc::clone(&last_sequence));
        RequestHandler {
            responder: Responder::new(spec, None, sequence),
            spec: spec.clone(),
            last_sequence,
            tally_sender,
            scratch: Vec::new(),
            reply: Vec::new(),
        }
    }

    fn answer(&mut self, mut request: RawMessage) -> Result<RawMessage, Rejected> {
        match request.bytes(&mut self.scratch) {
            // C-core checks the length too, unless `grpc.minimal_stack` is set.
            Ok(bytes) => match self.responder.reject_if_too_long(bytes.len()) {
                Some(rejected) => Err(rejected),
                None => message::respond(&mut self.responder, bytes, &mut self.reply)
                    .map(|()| RawMessage::to_send(&self.reply)),
            },
            Err(error) => Err(self.responder.reject(&error.to_string())),
        }
    }

    /// Returns a reply that contains the reason for the rejection.
    fn write_error_reply(&mut self, rejected: Rejected) -> RawMessage {
        self.responder.write_error_reply(rejected, &mut self.reply);
        RawMessage::to_send(&self.reply)
    }
}

impl Clone for RequestHandler {
    fn clone(&self) -> Self {
        RequestHandler::new(&self.spec, Arc::clone(&self.last_sequence), self.tally_sender.clone())
    }
}

impl Drop for RequestHandler {
    fn drop(&mut self) {
        // The send fails if the receiver has been dropped; the tally is then not needed.
        let _ = self.tally_sender.send(self.responder.take_tally());
    }
}

/// Resolves the address of a server and checks that it can be bound: C-core does not return the
/// reason why it cannot bind an address, but prints it.
fn resolve_free_address(system: &str, spec: &ServerSpec) -> Result<SocketAddr> {
    let address = spec.address.resolve()?;
    TcpListener::bind(address).map_err(|error| cannot_listen(system, address, &error))?;
    Ok(address)
}

struct GrpcServer {
    endpoint: Endpoint,
    server: Option<grpcio::Server>,
    tallies: Receiver<ServerTally>,
    /// The sequence of the last reply.
    last_sequence: Arc<AtomicU64>,
    /// Keeps the completion queues open while handlers may be running: C-core aborts the process
    /// if a call is started on a queue that has been shut down.
    environment: Option<Arc<Environment>>,
}

impl GrpcServer {
    /// Starts the server of `system`, with the service that `make_service` returns for a handler.
    fn start(
        system: &str,
        spec: &ServerSpec,
        make_service: impl FnOnce(RequestHandler) -> Service,
    ) -> Result<Self> {
        let address = resolve_free_address(system, spec)?;
        let environment = environment(completion_queues(spec));
        let arguments = with_tuning(ChannelBuilder::new(Arc::clone(&environment)), spec.tuning)
            // Otherwise the kernel allows a second server on the same port.
            .reuse_port(false)
            .max_receive_message_len(length_limit(spec.max_message))
            .build_args();
        let (tally_sender, tallies) = unbounded();
        let last_sequence = Arc::<AtomicU64>::default();
        let handler = RequestHandler::new(spec, Arc::clone(&last_sequence), tally_sender);
        let mut server = ServerBuilder::new(Arc::clone(&environment))
            .channel_args(arguments)
            .register_service(make_service(handler))
            .build()
            .context("cannot create a gRPC server")?;
        let port = server
            .add_listening_port(address.to_string(), ServerCredentials::insecure())
            .map_err(|error| anyhow!("cannot listen on {address} for {system}: {error}"))?;
        server.start();
        let endpoint = SocketAddr::new(address.ip(), port).into();
        let (server, environment) = (Some(server), Some(environment));
        Ok(GrpcServer { endpoint, server, tallies, last_sequence, environment })
    }

    /// Shuts the server down and waits for it. The threads of the completion queues then drop the
    /// handlers, and each handler sends its tally. The channel is disconnected after the last one.
    fn shut_down(&mut self) -> ServerTally {
        let mut total = ServerTally::default();
        drop(self.server.take());
        // C-core sometimes keeps one request slot, and with it an idle handler, until its queue is
        // shut down. No handler is running by then.
        let complete = self.collect_tallies(&mut total, HANDLER_DRAIN_TIME);
        drop(self.environment.take());
        if !complete && !self.collect_tallies(&mut total, SHUTDOWN_TIMEOUT) {
            // In rare cases C-core keeps the handler even then. Its tally is lost, but not the
            // number of replies: their sequence is server-wide.
            warn!("C-core did not release a handler; its clients may be missing from the count");
            total.accesses = self.last_sequence.load(Ordering::Relaxed);
        }
        total
    }

    /// Merges tallies until the last handler is dropped. Returns `false` if none arrives within
    /// `timeout`.
    fn collect_tallies(&self, total: &mut ServerTally, timeout: Duration) -> bool {
        loop {
            match self.tallies.recv_timeout(timeout) {
                Ok(tally) => total.merge(tally),
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
