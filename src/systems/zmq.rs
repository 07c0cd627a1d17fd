//! What the systems over ZeroMQ share: the context, the options of sockets, and the
//! receive-answer-send loop of a REP socket, its client, the REQ socket.

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

/// Sockets that one context may have: 65,535 is the most that libzmq allows.
const MAX_SOCKETS: i32 = 65_535;

/// How long a closing socket goes on sending what it has, in ms.
const LINGER_MS: i32 = 200;

/// The library, with its version. If it lacks eventfd, that is part of the version.
pub fn library() -> String {
    let (major, minor, patch) = zmq::version();
    let suffix = if eventfd::is_used() { "" } else { eventfd::SUFFIX };
    format!("libzmq {major}.{minor}.{patch}{suffix}")
}

/// A libzmq context.
///
/// `zmq::Context` cannot set `ZMQ_MAX_SOCKETS`, nor be shut down while sockets are in use, so
/// that this one is made with the C functions. Sockets hold no reference to it: whoever
/// keeps one keeps the context too, and drops it later.
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
    /// A context for as many sockets as libzmq allows.
    ///
    /// # Errors
    ///
    /// Where memory or descriptors are lacking.
    pub fn new() -> Result<Arc<Self>> {
        // SAFETY: the call has no precondition.
        let context = NonNull::new(unsafe { zmq_sys::zmq_ctx_new() })
            .ok_or_else(|| last_error().context("cannot make a ZeroMQ context"))?;
        let context = Context(context);
        context.set("ZMQ_MAX_SOCKETS", zmq_sys::ZMQ_MAX_SOCKETS.cast_signed(), MAX_SOCKETS)?;
        Ok(Arc::new(context))
    }

    fn set(&self, name: &str, option: i32, value: i32) -> Result<()> {
        // SAFETY: the pointer is that of a context that lives.
        match unsafe { zmq_sys::zmq_ctx_set(self.0.as_ptr(), option, value) } {
            0 => Ok(()),
            _ => Err(last_error().context(format!("cannot set {name}"))),
        }
    }

    /// Makes a socket.
    ///
    /// # Errors
    ///
    /// Where descriptors are lacking, or the context was shut down.
    pub fn socket(&self, kind: SocketType) -> Result<Socket> {
        // SAFETY: the pointer is that of a context that lives.
        let socket = unsafe { zmq_sys::zmq_socket(self.0.as_ptr(), kind as i32) };
        if socket.is_null() {
            return Err(last_error().context("cannot make a ZeroMQ socket"));
        }
        // SAFETY: the socket is new, and nobody else has it.
        let socket = unsafe { Socket::from_raw(socket) };
        socket.set_linger(LINGER_MS)?;
        Ok(socket)
    }

    /// Makes every call that blocks on a socket of this context return ETERM, now and later.
    pub fn shut_down(&self) {
        // SAFETY: the pointer is that of a context that lives. The call fails only for others.
        unsafe { zmq_sys::zmq_ctx_shutdown(self.0.as_ptr()) };
    }
}

impl Drop for Context {
    /// Waits until all sockets are closed and have sent what they had, or lingered.
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: the context is terminated once, here. EINTR asks for another call.
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

/// A socket that is bound to the address of a server, and where that is.
///
/// # Errors
///
/// Where the address does not resolve, or cannot be bound.
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
    // Longer requests end their connection before they take memory.
    socket.set_maxmsgsize(i64::try_from(spec.max_message)?)?;
    // A thousand clients may come at once; the kernel bounds it with net.core.somaxconn.
    socket.set_backlog(4096)?;
    socket.bind(&format!("tcp://{address}")).map_err(|error| {
        cannot_listen(system, address, &io::Error::from_raw_os_error(error.to_raw()))
    })?;
    let bound = last_endpoint(&socket)?;
    let bound: SocketAddr = bound
        .strip_prefix("tcp://")
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| anyhow!("libzmq says that it is bound to {bound}, which is no address"))?;
    Ok((socket, bound.into()))
}

/// Where the socket was last bound, as libzmq writes it.
///
/// # Errors
///
/// Where libzmq cannot tell.
pub fn last_endpoint(socket: &Socket) -> Result<String> {
    socket.get_last_endpoint()?.map_err(|_| anyhow!("libzmq names an endpoint that is no text"))
}

/// Receives, answers and sends on a REP socket until its context is shut down. After `turn`
/// messages, another thread that waits for the CPU may have it; `usize::MAX`: never.
///
/// # Errors
///
/// Where libzmq fails for another reason than that.
pub fn answer(socket: &Socket, mut responder: Responder, turn: usize) -> Result<ServerTally> {
    let mut request = Message::new();
    let mut reply = Vec::new();
    loop {
        for _ in 0..turn {
            match answer_one(socket, &mut responder, &mut request, &mut reply) {
                Ok(()) | Err(zmq::Error::EINTR) => {}
                Err(zmq::Error::ETERM) => return Ok(responder.take_tally()),
                Err(error) => return Err(error).context("a REP socket failed"),
            }
        }
        thread::yield_now();
    }
}

#[inline]
fn answer_one(
    socket: &Socket,
    responder: &mut Responder,
    request: &mut Message,
    reply: &mut Vec<u8>,
) -> zmq::Result<()> {
    socket.recv(request, 0)?;
    let outcome = if request.get_more() {
        let extra = receive_rest(socket)?;
        Err(responder.reject(&format!("there are {extra} more frames than one")))
    } else {
        message::respond(responder, request, reply)
    };
    // A REP socket must answer before it receives again.
    if let Err(rejected) = outcome {
        responder.write_error_reply(rejected, reply);
    }
    // zmq_send copies what it is given, so that the buffer serves the next reply too.
    socket.send(reply.as_slice(), 0)
}

/// Receives the frames that are left of a message, and says how many there were.
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

/// The context of all clients of this process; it lives as long as the process does.
static CLIENTS: LazyLock<Result<Arc<Context>>> = LazyLock::new(Context::new);

/// A client: a REQ socket.
pub struct Req {
    socket: Socket,
    reply: Message,
    who: ClientSpec,
}

impl Req {
    /// Connects a REQ socket; libzmq does so in the background.
    ///
    /// # Errors
    ///
    /// Where the address does not resolve, or the socket cannot be made.
    pub fn connect(to: &Endpoint, who: &ClientSpec) -> Result<Self> {
        let context = CLIENTS.as_ref().map_err(|error| anyhow!("{error:#}"))?;
        let address = to.resolve()?;
        let socket = context.socket(zmq::REQ)?;
        socket.set_linger(0)?;
        socket.set_ipv6(address.is_ipv6())?;
        socket.set_maxmsgsize(i64::try_from(who.max_message)?)?;
        let timeout_ms = i32::try_from(who.timeout.as_millis().max(1)).unwrap_or(i32::MAX);
        socket.set_rcvtimeo(timeout_ms)?;
        socket.set_sndtimeo(timeout_ms)?;
        socket.connect(&format!("tcp://{address}"))?;
        Ok(Req { socket, reply: Message::new(), who: who.clone() })
    }

    fn round_trip(&mut self, request: &Request) -> zmq::Result<()> {
        self.socket.send(request.bytes(), 0)?;
        self.socket.recv(&mut self.reply, 0)
    }
}

impl Client for Req {
    fn echo(&mut self, request: &Request) -> Result<Reply, EchoError> {
        match self.round_trip(request) {
            Ok(()) if self.reply.get_more() => {
                Err(EchoError::Malformed("it has more than one frame".to_owned()))
            }
            Ok(()) => message::check(request, &self.reply),
            Err(zmq::Error::EAGAIN) => Err(EchoError::Timeout(self.who.timeout)),
            Err(error) => Err(EchoError::Disconnected(format!("ZeroMQ says: {error}"))),
        }
    }

    fn has_late_reply(&mut self) -> bool {
        self.socket.recv(&mut self.reply, zmq::DONTWAIT).is_ok()
    }
}
