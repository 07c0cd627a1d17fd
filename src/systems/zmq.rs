//! Shared code of the ZeroMQ systems: the context, socket options, the serving loop of a REP
//! socket, and the client, a REQ socket.

use std::ffi::c_void;
use std::io;
use std::net::SocketAddr;
use std::ptr::NonNull;
use std::sync::{Arc, LazyLock};
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use zmq::{Message, Socket, SocketType};

use super::{Client, cannot_listen, eventfd};
use crate::measure::ServerTally;
use crate::message::{self, EchoError, Reply, Request, Responder};
use crate::spec::{ClientSpec, Endpoint, ServerSpec};

/// File descriptors of a REQ socket: its connection, and the two ends of its mailbox.
pub const DESCRIPTORS_PER_CLIENT: u64 = 3;

/// Maximum number of sockets of a context: 65,535 is the upper limit of libzmq.
const MAX_SOCKETS: i32 = 65_535;

/// How long a closed socket continues to send its queued messages, in ms.
const LINGER_MS: i32 = 200;

/// Returns the library and its version, with a suffix if it lacks eventfd.
pub fn library() -> String {
    let (major, minor, patch) = zmq::version();
    let suffix = if eventfd::is_used() { "" } else { eventfd::SUFFIX };
    format!("libzmq {major}.{minor}.{patch}{suffix}")
}

/// A libzmq context.
///
/// `zmq::Context` can neither set `ZMQ_MAX_SOCKETS` nor be shut down while sockets are in use, so
/// this type calls the C functions. Sockets hold no reference to the context: the owner of a
/// socket must keep the context and drop it after the socket.
pub struct Context(NonNull<c_void>);

// SAFETY: zmq_ctx_new(3): "a 0MQ context is thread safe and may be shared among as many
// application threads as necessary, without any additional locking".
#[allow(unsafe_code)]
unsafe impl Send for Context {}
#[allow(unsafe_code)]
// SAFETY: as above.
unsafe impl Sync for Context {}

#[allow(unsafe_code)]
impl Context {
    /// Creates a context for as many sockets as libzmq allows.
    ///
    /// # Errors
    ///
    /// If memory or file descriptors run out.
    pub fn new() -> Result<Arc<Self>> {
        // SAFETY: the call has no precondition.
        let context = NonNull::new(unsafe { zmq_sys::zmq_ctx_new() })
            .ok_or_else(|| last_error().context("cannot create a ZeroMQ context"))?;
        let context = Context(context);
        context.set("ZMQ_MAX_SOCKETS", zmq_sys::ZMQ_MAX_SOCKETS.cast_signed(), MAX_SOCKETS)?;
        Ok(Arc::new(context))
    }

    fn set(&self, name: &str, option: i32, value: i32) -> Result<()> {
        // SAFETY: the pointer is a live context.
        match unsafe { zmq_sys::zmq_ctx_set(self.0.as_ptr(), option, value) } {
            0 => Ok(()),
            _ => Err(last_error().context(format!("cannot set {name} to {value}"))),
        }
    }

    /// Creates a socket.
    ///
    /// # Errors
    ///
    /// If file descriptors run out or the context was shut down.
    pub fn socket(&self, kind: SocketType) -> Result<Socket> {
        // SAFETY: the pointer is a live context.
        let socket = unsafe { zmq_sys::zmq_socket(self.0.as_ptr(), kind as i32) };
        if socket.is_null() {
            return Err(last_error().context("cannot create a ZeroMQ socket"));
        }
        // SAFETY: the socket is new, and this is the only pointer to it.
        let socket = unsafe { Socket::from_raw(socket) };
        socket.set_linger(LINGER_MS)?;
        Ok(socket)
    }

    /// Makes every current and future blocking call on a socket of this context return ETERM.
    pub fn shut_down(&self) {
        // SAFETY: the pointer is a live context, the only precondition of the call.
        unsafe { zmq_sys::zmq_ctx_shutdown(self.0.as_ptr()) };
    }
}

impl Drop for Context {
    /// Waits until all sockets are closed and their queues are sent or the linger time is over.
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: the context is terminated only here. After EINTR the call must be repeated.
        while unsafe { zmq_sys::zmq_ctx_term(self.0.as_ptr()) } == -1
            && last_errno() == zmq::Error::EINTR
        {}
    }
}

#[allow(unsafe_code)]
fn last_errno() -> zmq::Error {
    // SAFETY: the call has no precondition.
    zmq::Error::from_raw(unsafe { zmq_sys::zmq_errno() })
}

fn last_error() -> anyhow::Error {
    last_errno().into()
}

/// Binds a new socket to the address of `spec`. Returns the socket and its actual endpoint.
///
/// # Errors
///
/// If the address cannot be resolved or bound.
pub fn bind(
    context: &Context,
    kind: SocketType,
    system: &str,
    spec: &ServerSpec,
) -> Result<(Socket, Endpoint)> {
    let address = spec.address.resolve()?;
    let socket = context.socket(kind)?;
    eventfd::warn_if_not_used_by(&socket);
    socket.set_ipv6(address.is_ipv6())?;
    // libzmq closes the connection of a longer request before it allocates memory for it.
    socket.set_maxmsgsize(i64::try_from(spec.max_message)?)?;
    // Thousands of clients may connect at once. The kernel caps the value at net.core.somaxconn.
    socket.set_backlog(4096)?;
    socket.bind(&format!("tcp://{address}")).map_err(|error| {
        cannot_listen(system, address, &io::Error::from_raw_os_error(error.to_raw()))
    })?;
    let bound = last_endpoint(&socket)?;
    let bound: SocketAddr = bound
        .strip_prefix("tcp://")
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| anyhow!("cannot parse '{bound}', the endpoint that libzmq bound"))?;
    Ok((socket, bound.into()))
}

/// Returns the last endpoint that the socket was bound to, in the notation of libzmq.
///
/// # Errors
///
/// If libzmq fails, or if the endpoint is not UTF-8.
pub fn last_endpoint(socket: &Socket) -> Result<String> {
    socket
        .get_last_endpoint()?
        .map_err(|_| anyhow!("cannot read the endpoint that libzmq bound: it is not UTF-8"))
}

/// Receives, answers and sends on a REP socket until its context is shut down. The thread yields
/// the CPU after every `messages_per_yield` messages; `usize::MAX` means never.
///
/// # Errors
///
/// If libzmq fails for any reason other than the shutdown.
pub fn serve_requests(
    socket: &Socket,
    mut responder: Responder,
    messages_per_yield: usize,
) -> Result<ServerTally> {
    let mut request = Message::new();
    let mut reply = Vec::new();
    loop {
        for _ in 0..messages_per_yield {
            match serve_one(socket, &mut responder, &mut request, &mut reply) {
                Ok(()) | Err(zmq::Error::EINTR) => {}
                Err(zmq::Error::ETERM) => return Ok(responder.take_tally()),
                Err(error) => return Err(error).context("cannot serve a REP socket"),
            }
        }
        thread::yield_now();
    }
}

#[inline]
fn serve_one(
    socket: &Socket,
    responder: &mut Responder,
    request: &mut Message,
    reply: &mut Vec<u8>,
) -> zmq::Result<()> {
    socket.recv(request, 0)?;
    let outcome = if request.get_more() {
        let extra = receive_rest(socket)?;
        Err(responder.reject(&format!("expected 1 frame, got {}", 1 + extra)))
    } else {
        message::respond(responder, request, reply)
    };
    // A REP socket must send a reply before it can receive again.
    if let Err(rejected) = outcome {
        responder.write_error_reply(rejected, reply);
    }
    // zmq_send copies the bytes, so the buffer can be reused for the next reply.
    socket.send(reply.as_slice(), 0)
}

/// Receives the remaining frames of a message and returns their number.
fn receive_rest(socket: &Socket) -> zmq::Result<usize> {
    let mut frames = 0;
    let mut frame = Message::new();
    loop {
        socket.recv(&mut frame, 0)?;
        frames += 1;
        if !frame.get_more() {
            return Ok(frames);
        }
    }
}

/// The context of all clients of this process. It lives as long as the process.
static CLIENT_CONTEXT: LazyLock<Result<Arc<Context>>> = LazyLock::new(Context::new);

/// A client: a REQ socket.
pub struct ReqClient {
    socket: Socket,
    reply: Message,
    spec: ClientSpec,
}

impl ReqClient {
    /// Creates a REQ socket. libzmq connects it in the background.
    ///
    /// # Errors
    ///
    /// If the address cannot be resolved or the socket cannot be created.
    pub fn connect(to: &Endpoint, spec: &ClientSpec) -> Result<Self> {
        let context = CLIENT_CONTEXT.as_ref().map_err(|error| anyhow!("{error:#}"))?;
        let address = to.resolve()?;
        let socket = context.socket(zmq::REQ)?;
        socket.set_linger(0)?;
        socket.set_ipv6(address.is_ipv6())?;
        socket.set_maxmsgsize(i64::try_from(spec.max_message)?)?;
        let timeout_ms = i32::try_from(spec.timeout.as_millis().max(1)).unwrap_or(i32::MAX);
        socket.set_rcvtimeo(timeout_ms)?;
        socket.set_sndtimeo(timeout_ms)?;
        socket.connect(&format!("tcp://{address}"))?;
        Ok(ReqClient { socket, reply: Message::new(), spec: spec.clone() })
    }

    fn round_trip(&mut self, request: &Request) -> zmq::Result<()> {
        self.socket.send(request.bytes(), 0)?;
        self.socket.recv(&mut self.reply, 0)
    }
}

impl Client for ReqClient {
    fn echo(&mut self, request: &Request) -> Result<Reply, EchoError> {
        match self.round_trip(request) {
            Ok(()) if self.reply.get_more() => {
                Err(EchoError::Malformed("it has more than one frame".to_owned()))
            }
            Ok(()) => message::check(request, &self.reply),
            Err(zmq::Error::EAGAIN) => Err(EchoError::Timeout(self.spec.timeout)),
            Err(error) => Err(EchoError::Disconnected(format!("ZeroMQ error: {error}"))),
        }
    }

    fn has_late_reply(&mut self) -> bool {
        self.socket.recv(&mut self.reply, zmq::DONTWAIT).is_ok()
    }
}
