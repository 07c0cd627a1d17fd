//! A server of the C-core with its completion queue.

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

/// What comes out of the completion queue.
pub enum Next {
    /// What was begun with this tag has ended, well or not.
    Ended { tag: *mut c_void, succeeded: bool },
    /// The server has shut down.
    ShutDown,
    /// Nothing has come.
    Nothing,
    /// Nothing will come any more.
    End,
}

/// A server of C-core and its completion queue.
///
/// Destroyed when it is dropped, by when it must have been shut down and its queue be empty.
pub struct Core {
    server: *mut grpc_server,
    queue: *mut grpc_completion_queue,
    insecure: *mut grpc_server_credentials,
    shutting_down: AtomicBool,
    /// The method that is registered.
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
    /// A server with one method, which has no connection yet.
    pub fn new(method: &CStr, max_message: usize) -> Self {
        let longest = [(c"grpc.max_receive_message_length", length_limit(max_message))];
        let mut arguments: Vec<_> = THROUGHPUT_CHANNEL_ARGS
            .iter()
            .chain(&longest)
            .map(|(key, value)| argument(key, *value))
            .collect();
        let arguments =
            grpc_channel_args { num_args: arguments.len(), args: arguments.as_mut_ptr() };
        let reading =
            grpc_server_register_method_payload_handling::GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER;
        // SAFETY: the library is initialised first. The arguments live during the call that
        // copies them, as does the method's name.
        unsafe {
            grpcio_sys::grpc_init();
            let server = grpcio_sys::grpc_server_create(&raw const arguments, ptr::null_mut());
            let queue = grpcio_sys::grpc_completion_queue_create_for_next(ptr::null_mut());
            grpcio_sys::grpc_server_register_completion_queue(server, queue, ptr::null_mut());
            let method = grpcio_sys::grpc_server_register_method(
                server,
                method.as_ptr(),
                ptr::null(),
                reading,
                0,
            );
            assert!(!method.is_null(), "C-core takes the method");
            grpcio_sys::grpc_server_start(server);
            let insecure = grpcio_sys::grpc_insecure_server_credentials_create();
            Core { server, queue, insecure, shutting_down: AtomicBool::new(false), method }
        }
    }

    /// Serves a connection that was accepted, from now until its end.
    pub fn take(&self, stream: TcpStream) -> Result<()> {
        stream.set_nonblocking(true).context("cannot hand it to C-core")?;
        // SAFETY: the server lives, and C-core closes the descriptor.
        unsafe {
            let fd = stream.into_raw_fd();
            grpcio_sys::grpc_server_add_channel_from_fd(self.server, fd, self.insecure);
        }
        Ok(())
    }

    /// Asks for a call, for a slot, while the queue has not ended.
    ///
    /// # Safety
    ///
    /// The slot stays where it is, and is not used, until the queue tells of it.
    pub unsafe fn request(&self, slot: &mut Slot) {
        // SAFETY: server and queue live; the rest is the caller's promise.
        unsafe { slot.request(self.server, self.queue) }
    }

    /// Takes no more calls, and ends those that there are. When that is done, the queue tells
    /// of it.
    pub fn shut_down(&self) {
        self.shutting_down.store(true, Ordering::Relaxed);
        // SAFETY: server and queue live.
        unsafe {
            grpcio_sys::grpc_server_shutdown_and_notify(self.server, self.queue, ptr::null_mut());
            grpcio_sys::grpc_server_cancel_all_calls(self.server);
        }
    }

    /// Whether [`Core::shut_down`] was called.
    pub fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::Relaxed)
    }

    /// Takes from the queue, which only one thread may do. `waits`: until there is something.
    #[inline]
    pub fn next(&self, waits: bool) -> Next {
        // SAFETY: the queue lives.
        let event = unsafe {
            let clock = gpr_clock_type::GPR_CLOCK_MONOTONIC;
            let until = if waits {
                grpcio_sys::gpr_inf_future(clock)
            } else {
                grpcio_sys::gpr_inf_past(clock)
            };
            grpcio_sys::grpc_completion_queue_next(self.queue, until, ptr::null_mut())
        };
        match event.type_ {
            grpc_completion_type::GRPC_QUEUE_SHUTDOWN => Next::End,
            grpc_completion_type::GRPC_QUEUE_TIMEOUT => Next::Nothing,
            grpc_completion_type::GRPC_OP_COMPLETE if event.tag.is_null() => Next::ShutDown,
            grpc_completion_type::GRPC_OP_COMPLETE => {
                Next::Ended { tag: event.tag, succeeded: event.success != 0 }
            }
        }
    }

    /// Ends the queue, which the thread must do that takes from it: nothing is begun on it after.
    pub fn end_queue(&self) {
        // SAFETY: the queue lives.
        unsafe { grpcio_sys::grpc_completion_queue_shutdown(self.queue) };
    }
}

impl Drop for Core {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: see the type.
        unsafe {
            grpcio_sys::grpc_server_destroy(self.server);
            grpcio_sys::grpc_completion_queue_destroy(self.queue);
            grpcio_sys::grpc_server_credentials_release(self.insecure);
            grpcio_sys::grpc_shutdown();
        }
    }
}

fn argument(key: &CStr, value: c_int) -> grpc_arg {
    let value = grpc_arg_grpc_arg_value { integer: value };
    grpc_arg { type_: grpc_arg_type::GRPC_ARG_INTEGER, key: key.as_ptr().cast_mut(), value }
}
