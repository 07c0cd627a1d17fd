//! A C-core server with its completion queue.

use std::ffi::{CStr, c_int, c_void};
use std::net::TcpStream;
use std::os::fd::IntoRawFd as _;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use grpcio_sys::{
    gpr_clock_type, grpc_arg, grpc_arg_grpc_arg_value, grpc_arg_type, grpc_channel_args,
    grpc_completion_queue, grpc_completion_type, grpc_server, grpc_server_credentials,
    grpc_server_register_method_payload_handling,
};

use super::super::{THROUGHPUT_CHANNEL_ARGS, length_limit};
use super::slot::Slot;

/// The result of a read from the completion queue.
pub enum QueueEvent {
    /// The operation with this tag has completed.
    Completed { tag: *mut c_void, succeeded: bool },
    /// The server has shut down.
    ServerShutDown,
    /// The queue is empty.
    Empty,
    /// The queue has shut down and is empty: this is its last event.
    QueueShutDown,
}

/// A C-core server and its completion queue.
///
/// Dropping it destroys both: before that, the server must have shut down, and the queue must have
/// returned its last event.
pub struct Core {
    server: *mut grpc_server,
    queue: *mut grpc_completion_queue,
    credentials: *mut grpc_server_credentials,
    shutting_down: AtomicBool,
    /// The registered method.
    pub method: *mut c_void,
}

// SAFETY: C-core's functions may be called from any thread.
#[allow(unsafe_code)]
unsafe impl Send for Core {}
#[allow(unsafe_code)]
// SAFETY: as above.
unsafe impl Sync for Core {}

#[allow(unsafe_code)]
impl Core {
    /// Creates a server with one method and no connection.
    pub fn new(method: &CStr, max_message: usize) -> Self {
        let length_argument = [(c"grpc.max_receive_message_length", length_limit(max_message))];
        let mut arguments: Vec<_> = THROUGHPUT_CHANNEL_ARGS
            .iter()
            .chain(&length_argument)
            .map(|(key, value)| argument(key, *value))
            .collect();
        let arguments =
            grpc_channel_args { num_args: arguments.len(), args: arguments.as_mut_ptr() };
        let payload_handling =
            grpc_server_register_method_payload_handling::GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER;
        // SAFETY: the library is initialized first. The arguments and the name of the method live
        // during the calls that copy them.
        unsafe {
            grpcio_sys::grpc_init();
            let server = grpcio_sys::grpc_server_create(&raw const arguments, ptr::null_mut());
            let queue = grpcio_sys::grpc_completion_queue_create_for_next(ptr::null_mut());
            grpcio_sys::grpc_server_register_completion_queue(server, queue, ptr::null_mut());
            let method = grpcio_sys::grpc_server_register_method(
                server,
                method.as_ptr(),
                ptr::null(),
                payload_handling,
                0,
            );
            assert!(!method.is_null(), "C-core rejected the method");
            grpcio_sys::grpc_server_start(server);
            let credentials = grpcio_sys::grpc_insecure_server_credentials_create();
            Core { server, queue, credentials, shutting_down: AtomicBool::new(false), method }
        }
    }

    /// Hands an accepted connection over to the server.
    pub fn add_connection(&self, stream: TcpStream) -> Result<()> {
        stream.set_nonblocking(true).context("cannot make the socket non-blocking")?;
        // SAFETY: the server is alive. C-core owns the file descriptor and closes it.
        unsafe {
            let fd = stream.into_raw_fd();
            grpcio_sys::grpc_server_add_channel_from_fd(self.server, fd, self.credentials);
        }
        Ok(())
    }

    /// Requests the next call for `slot`.
    ///
    /// # Safety
    ///
    /// The queue has not been shut down. The slot is neither moved nor used until the queue returns
    /// its event.
    pub unsafe fn request(&self, slot: &mut Slot) {
        // SAFETY: server and queue are alive. The caller ensures the rest.
        unsafe { slot.request(self.server, self.queue) }
    }

    /// Starts the shutdown: the server accepts no more calls and cancels the current ones. The
    /// queue returns [`QueueEvent::ServerShutDown`] when that is done.
    pub fn shut_down(&self) {
        self.shutting_down.store(true, Ordering::Relaxed);
        // SAFETY: server and queue are alive.
        unsafe {
            grpcio_sys::grpc_server_shutdown_and_notify(self.server, self.queue, ptr::null_mut());
            grpcio_sys::grpc_server_cancel_all_calls(self.server);
        }
    }

    /// Returns whether [`Core::shut_down`] was called.
    pub fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::Relaxed)
    }

    /// Returns the next event of the queue. If `wait` is set, blocks until there is one. Only one
    /// thread may call this.
    #[inline]
    pub fn next_event(&self, wait: bool) -> QueueEvent {
        // SAFETY: the queue is alive.
        let event = unsafe {
            let clock = gpr_clock_type::GPR_CLOCK_MONOTONIC;
            let deadline = if wait {
                grpcio_sys::gpr_inf_future(clock)
            } else {
                grpcio_sys::gpr_inf_past(clock)
            };
            grpcio_sys::grpc_completion_queue_next(self.queue, deadline, ptr::null_mut())
        };
        match event.type_ {
            grpc_completion_type::GRPC_QUEUE_SHUTDOWN => QueueEvent::QueueShutDown,
            grpc_completion_type::GRPC_QUEUE_TIMEOUT => QueueEvent::Empty,
            grpc_completion_type::GRPC_OP_COMPLETE if event.tag.is_null() => {
                QueueEvent::ServerShutDown
            }
            grpc_completion_type::GRPC_OP_COMPLETE => {
                QueueEvent::Completed { tag: event.tag, succeeded: event.success != 0 }
            }
        }
    }

    /// Shuts the queue down. Only the thread that reads the queue may call this: no operation may
    /// be started on it afterwards.
    pub fn shut_down_queue(&self) {
        // SAFETY: the queue is alive.
        unsafe { grpcio_sys::grpc_completion_queue_shutdown(self.queue) };
    }
}

impl Drop for Core {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: see the documentation of the type.
        unsafe {
            grpcio_sys::grpc_server_destroy(self.server);
            grpcio_sys::grpc_completion_queue_destroy(self.queue);
            grpcio_sys::grpc_server_credentials_release(self.credentials);
            grpcio_sys::grpc_shutdown();
        }
    }
}

fn argument(key: &CStr, value: c_int) -> grpc_arg {
    let value = grpc_arg_grpc_arg_value { integer: value };
    grpc_arg { type_: grpc_arg_type::GRPC_ARG_INTEGER, key: key.as_ptr().cast_mut(), value }
}
