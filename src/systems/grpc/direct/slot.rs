//! A slot: the state of one C-core call, from its request to its end. Slots are reused.
//!
//! ```text
//! request --> [C-core] --> CallArrived --> finish --> [C-core] --> CallEnded --> request ...
//! ```
//!
//! C-core writes to fields of the slot, and the address of the slot is its tag in the completion
//! queue: a slot must not move while C-core uses it.

use std::ffi::{c_int, c_void};
use std::ptr;

use grpcio_sys::{
    gpr_clock_type, gpr_timespec, grpc_byte_buffer, grpc_byte_buffer_reader, grpc_call,
    grpc_call_details, grpc_call_error, grpc_completion_queue, grpc_metadata_array, grpc_op,
    grpc_op_type, grpc_server, grpc_slice, grpc_status_code,
};

/// The method whose calls a slot receives.
#[derive(Clone, Copy)]
pub enum Method {
    /// The registered method: its calls arrive with their message.
    Registered(*mut c_void),
    /// Any other method.
    Unregistered,
}

/// The operation that C-core performs for a slot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// C-core waits for a call.
    Requested,
    /// C-core sends the reply or the error, and ends the call.
    Finishing,
}

/// The meaning of a completed operation.
pub enum SlotEvent {
    /// A call has arrived.
    CallArrived,
    /// The call has ended, successfully or not: the slot can request another one.
    CallEnded,
    /// The server shuts down: no call will arrive.
    ServerShutDown,
}

/// The state of one call.
pub struct Slot {
    method: Method,
    state: State,
    call: *mut grpc_call,
    deadline: gpr_timespec,
    details: grpc_call_details,
    metadata: grpc_metadata_array,
    /// The request; null if the call has no message.
    payload: *mut grpc_byte_buffer,
    /// The reply until it has been sent; otherwise null.
    reply: *mut grpc_byte_buffer,
    cancelled: c_int,
}

#[allow(unsafe_code)]
impl Slot {
    /// Creates a slot for calls of `method`.
    pub fn new(method: Method) -> Box<Self> {
        let deadline =
            gpr_timespec { tv_sec: 0, tv_nsec: 0, clock_type: gpr_clock_type::GPR_CLOCK_REALTIME };
        // SAFETY: these structs consist of integers and of pointers that may be null.
        let (details, metadata) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        Box::new(Slot {
            method,
            state: State::Requested,
            call: ptr::null_mut(),
            deadline,
            details,
            metadata,
            payload: ptr::null_mut(),
            reply: ptr::null_mut(),
            cancelled: 0,
        })
    }

    /// Requests the next call. `queue` returns the event.
    ///
    /// # Safety
    ///
    /// Until that event, server, queue and slot stay alive, and the slot is not moved.
    pub unsafe fn request(&mut self, server: *mut grpc_server, queue: *mut grpc_completion_queue) {
        self.state = State::Requested;
        let tag = ptr::from_mut(self).cast();
        // SAFETY: the caller ensures that the fields that C-core writes to stay alive.
        let error = unsafe {
            grpcio_sys::grpc_metadata_array_init(&raw mut self.metadata);
            match self.method {
                Method::Registered(method) => grpcio_sys::grpc_server_request_registered_call(
                    server,
                    method,
                    &raw mut self.call,
                    &raw mut self.deadline,
                    &raw mut self.metadata,
                    &raw mut self.payload,
                    queue,
                    queue,
                    tag,
                ),
                Method::Unregistered => {
                    grpcio_sys::grpc_call_details_init(&raw mut self.details);
                    grpcio_sys::grpc_server_request_call(
                        server,
                        &raw mut self.call,
                        &raw mut self.details,
                        &raw mut self.metadata,
                        queue,
                        queue,
                        tag,
                    )
                }
            }
        };
        // Possible errors: a queue of another server, a missing argument.
        assert_eq!(error, grpc_call_error::GRPC_CALL_OK, "C-core rejected a slot");
    }

    /// Interprets the event that the queue has returned for this slot.
    ///
    /// # Safety
    ///
    /// The queue has just returned an event for this slot.
    pub unsafe fn event(&mut self, succeeded: bool) -> SlotEvent {
        match self.state {
            State::Requested if succeeded => SlotEvent::CallArrived,
            State::Requested => SlotEvent::ServerShutDown,
            State::Finishing => {
                // SAFETY: the call has ended.
                unsafe { self.clear() };
                SlotEvent::CallEnded
            }
        }
    }

    /// Returns whether the slot receives calls of the registered method.
    pub fn is_registered(&self) -> bool {
        matches!(self.method, Method::Registered(_))
    }

    /// Returns the bytes of the request; `None` if the call has no message. The bytes are copied to
    /// `scratch` if C-core holds them in several slices.
    pub fn request_bytes<'a>(&'a mut self, scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        if self.payload.is_null() {
            return None;
        }
        // SAFETY: the slot owns the payload and its slices until it is cleared. The first call
        // initializes the reader, which is not used if that fails.
        unsafe {
            let mut reader: grpc_byte_buffer_reader = std::mem::zeroed();
            if grpcio_sys::grpc_byte_buffer_reader_init(&raw mut reader, self.payload) == 0 {
                return None;
            }
            let length = grpcio_sys::grpc_byte_buffer_length(self.payload);
            let mut slice = ptr::null_mut::<grpc_slice>();
            let peeked = grpcio_sys::grpc_byte_buffer_reader_peek(&raw mut reader, &raw mut slice);
            let mut bytes: &[u8] = if peeked == 0 { &[] } else { bytes_of(&*slice) };
            if bytes.len() < length {
                scratch.clear();
                scratch.extend_from_slice(bytes);
                while grpcio_sys::grpc_byte_buffer_reader_peek(&raw mut reader, &raw mut slice) != 0
                {
                    scratch.extend_from_slice(bytes_of(&*slice));
                }
                bytes = scratch;
            }
            grpcio_sys::grpc_byte_buffer_reader_destroy(&raw mut reader);
            Some(bytes)
        }
    }

    /// Sends the reply and ends the call in one batch, which C-core writes at once.
    ///
    /// # Safety
    ///
    /// The slot holds a call that has not been answered. See also [`Slot::request`].
    pub unsafe fn send_reply(&mut self, reply: &[u8]) {
        // SAFETY: C-core copies the bytes, and the buffer holds a reference to the slice.
        self.reply = unsafe {
            let mut slice =
                grpcio_sys::grpc_slice_from_copied_buffer(reply.as_ptr().cast(), reply.len());
            let buffer = grpcio_sys::grpc_raw_byte_buffer_create(&raw mut slice, 1);
            grpcio_sys::grpc_slice_unref(slice);
            buffer
        };
        let mut message = operation(grpc_op_type::GRPC_OP_SEND_MESSAGE);
        message.data.send_message.send_message = self.reply;
        // SAFETY: the caller ensures the same conditions.
        unsafe { self.finish(grpc_status_code::GRPC_STATUS_OK, None, Some(message)) };
    }

    /// Ends the call with an error status and its reason.
    ///
    /// # Safety
    ///
    /// As for [`Slot::send_reply`].
    pub unsafe fn send_error(&mut self, status: grpc_status_code::Type, reason: &str) {
        // SAFETY: the caller ensures the same conditions.
        unsafe { self.finish(status, Some(reason), None) };
    }

    unsafe fn finish(
        &mut self,
        status: grpc_status_code::Type,
        reason: Option<&str>,
        message: Option<grpc_op>,
    ) {
        self.state = State::Finishing;
        // SAFETY: C-core copies the bytes.
        let mut details = reason.map(|reason| unsafe {
            grpcio_sys::grpc_slice_from_copied_buffer(reason.as_ptr().cast(), reason.len())
        });
        let mut end = operation(grpc_op_type::GRPC_OP_SEND_STATUS_FROM_SERVER);
        end.data.send_status_from_server.status = status;
        // Null means no details.
        end.data.send_status_from_server.status_details =
            details.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        let mut close = operation(grpc_op_type::GRPC_OP_RECV_CLOSE_ON_SERVER);
        close.data.recv_close_on_server.cancelled = &raw mut self.cancelled;
        let begin = operation(grpc_op_type::GRPC_OP_SEND_INITIAL_METADATA);
        let count = 3 + usize::from(message.is_some());
        let operations = [begin, end, close, message.unwrap_or(begin)];
        let tag: *mut c_void = ptr::from_mut(self).cast();
        // SAFETY: the slot owns the call until it is cleared, and all data that the operations
        // point to, except for the details, which C-core does not keep.
        let error = unsafe {
            let error = grpcio_sys::grpc_call_start_batch(
                self.call,
                operations.as_ptr(),
                count,
                tag,
                ptr::null_mut(),
            );
            if let Some(details) = details {
                grpcio_sys::grpc_slice_unref(details);
            }
            error
        };
        // Possible errors: a second reply, an operation that is only for clients.
        assert_eq!(error, grpc_call_error::GRPC_CALL_OK, "C-core rejected a reply");
    }

    /// Releases the call and its data.
    ///
    /// # Safety
    ///
    /// The slot holds a call, and C-core no longer uses the slot.
    pub unsafe fn clear(&mut self) {
        // SAFETY: each pointer is null or owned by the slot, and C-core no longer uses it.
        unsafe {
            for buffer in [&mut self.payload, &mut self.reply] {
                if !buffer.is_null() {
                    grpcio_sys::grpc_byte_buffer_destroy(*buffer);
                    *buffer = ptr::null_mut();
                }
            }
            if !self.is_registered() {
                grpcio_sys::grpc_call_details_destroy(&raw mut self.details);
            }
            grpcio_sys::grpc_metadata_array_destroy(&raw mut self.metadata);
            grpcio_sys::grpc_call_unref(self.call);
            self.call = ptr::null_mut();
        }
    }
}

#[allow(unsafe_code)]
fn operation(op: grpc_op_type) -> grpc_op {
    // SAFETY: zeros mean no metadata, no compression and no flags.
    let data = unsafe { std::mem::zeroed() };
    grpc_op { op, flags: 0, reserved: ptr::null_mut(), data }
}

/// Returns the bytes of a slice. A short slice stores them inline.
#[allow(unsafe_code)]
unsafe fn bytes_of(slice: &grpc_slice) -> &[u8] {
    // SAFETY: a slice without a reference count is inline.
    unsafe {
        if slice.refcount.is_null() {
            let inlined = &slice.data.inlined;
            &inlined.bytes[..usize::from(inlined.length)]
        } else {
            let counted = &slice.data.refcounted;
            std::slice::from_raw_parts(counted.bytes, counted.length)
        }
    }
}
