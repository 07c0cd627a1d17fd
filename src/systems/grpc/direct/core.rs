//! The C-core's server and its completion queues.

use std::ffi::{CStr, CString, c_int, c_void};
use std::net::SocketAddr;
use std::ptr;

use anyhow::{Result, anyhow, bail};
use grpcio_sys::{
    gpr_clock_type, grpc_arg, grpc_arg_grpc_arg_value, grpc_arg_type, grpc_channel_args,
    grpc_completion_queue, grpc_completion_type, grpc_server,
    grpc_server_register_method_payload_handling,
};

use super::super::{SPARED, length_limit};
use super::slot::Slot;

/// What comes out of a completion queue.
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

/// A server of C-core and its completion queues, which all of its threads use.
///
/// Destroyed when it is dropped, by when it must have been shut down and its queues be empty.
pub struct Core {
    server: *mut grpc_server,
    queues: Vec<*mut grpc_completion_queue>,
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
    /// A server with one method and so many queues, which listens nowhere yet.
    pub fn new(method: &CStr, queues: usize, max_message: usize) -> Result<Self> {
        let more = [
            (c"grpc.so_reuseport", 0),
            (c"grpc.max_receive_message_length", length_limit(max_message)),
        ];
        let mut arguments: Vec<_> =
            SPARED.iter().chain(&more).map(|(key, value)| argument(key, *value)).collect();
        let arguments =
            grpc_channel_args { num_args: arguments.len(), args: arguments.as_mut_ptr() };
        let reading =
            grpc_server_register_method_payload_handling::GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER;
        // SAFETY: the library is initialised first. The arguments live during the call that
        // copies them, as does the method's name.
        unsafe {
            grpcio_sys::grpc_init();
            let server = grpcio_sys::grpc_server_create(&raw const arguments, ptr::null_mut());
            let method = grpcio_sys::grpc_server_register_method(
                server,
                method.as_ptr(),
                ptr::null(),
                reading,
                0,
            );
            let mut core = Core { server, queues: Vec::new(), method };
            for _ in 0..queues {
                let queue = grpcio_sys::grpc_completion_queue_create_for_next(ptr::null_mut());
                grpcio_sys::grpc_server_register_completion_queue(server, queue, ptr::null_mut());
                core.queues.push(queue);
            }
            if method.is_null() {
                bail!("C-core does not take the method");
            }
            Ok(core)
        }
    }

    /// Listens on an address, and starts; returns the port.
    pub fn listen(&self, address: SocketAddr) -> Result<u16> {
        let text = CString::new(address.to_string())?;
        // SAFETY: the server lives, and counts a reference to the credentials.
        let port = unsafe {
            let insecure = grpcio_sys::grpc_insecure_server_credentials_create();
            let port = grpcio_sys::grpc_server_add_http2_port(self.server, text.as_ptr(), insecure);
            grpcio_sys::grpc_server_credentials_release(insecure);
            if port > 0 {
                grpcio_sys::grpc_server_start(self.server);
            }
            port
        };
        u16::try_from(port)
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| anyhow!("C-core refuses it"))
    }

    /// Asks for a call, for a slot of a queue that has not ended.
    ///
    /// # Safety
    ///
    /// The slot stays where it is, and is not used, until the queue tells of it.
    pub unsafe fn request(&self, queue: usize, slot: &mut Slot) {
        // SAFETY: server and queue live; the rest is the caller's promise.
        unsafe { slot.request(self.server, self.queues[queue]) }
    }

    /// Takes no more calls, and ends those that there are. When that is done, each queue tells
    /// of it.
    pub fn shut_down(&self) {
        // SAFETY: server and queues live.
        unsafe {
            for queue in &self.queues {
                grpcio_sys::grpc_server_shutdown_and_notify(self.server, *queue, ptr::null_mut());
            }
            grpcio_sys::grpc_server_cancel_all_calls(self.server);
        }
    }

    /// Takes from a queue, which only one thread may do. `waits`: until there is something.
    #[inline]
    pub fn next(&self, queue: usize, waits: bool) -> Next {
        // SAFETY: the queue lives.
        let event = unsafe {
            let clock = gpr_clock_type::GPR_CLOCK_MONOTONIC;
            let until = if waits {
                grpcio_sys::gpr_inf_future(clock)
            } else {
                grpcio_sys::gpr_inf_past(clock)
            };
            grpcio_sys::grpc_completion_queue_next(self.queues[queue], until, ptr::null_mut())
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

    /// Ends a queue, which the thread must do that takes from it: nothing is begun on it after.
    pub fn end_queue(&self, queue: usize) {
        // SAFETY: the queue lives.
        unsafe { grpcio_sys::grpc_completion_queue_shutdown(self.queues[queue]) };
    }
}

impl Drop for Core {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: see the type.
        unsafe {
            grpcio_sys::grpc_server_destroy(self.server);
            self.queues.iter().for_each(|queue| grpcio_sys::grpc_completion_queue_destroy(*queue));
            grpcio_sys::grpc_shutdown();
        }
    }
}

fn argument(key: &CStr, value: c_int) -> grpc_arg {
    let value = grpc_arg_grpc_arg_value { integer: value };
    grpc_arg { type_: grpc_arg_type::GRPC_ARG_INTEGER, key: key.as_ptr().cast_mut(), value }
}
