//! A slot: the place of one call of the C-core, from asking for it to its end.
//!
//! ```text
//! request --> [C-core] --> came --> finish --> [C-core] --> finished --> request ...
//! ```
//!
//! What C-core is to write into stands in the slot, whose address is the tag by which a
//! completion queue tells of it: a slot must not move while C-core has it.

use std::ffi::{c_int, c_void};
use std::ptr;

use grpcio_sys::{
    gpr_clock_type, gpr_timespec, grpc_byte_buffer, grpc_byte_buffer_reader, grpc_call,
    grpc_call_details, grpc_call_error, grpc_completion_queue, grpc_metadata_array, grpc_op,
    grpc_op_type, grpc_server, grpc_slice, grpc_status_code,
};

/// Whose calls a slot takes.
#[derive(Clone, Copy)]
pub enum Method {
    /// Those of the method that was registered: they come with their message.
    Known(*mut c_void),
    /// All others.
    Unknown,
}

/// What C-core has a slot for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// To put a call into it.
    Waiting,
    /// To send what its call was answered, and to end the call.
    Answering,
}

/// What has happened to a slot.
pub enum Event {
    /// A call has come.
    Came,
    /// Its call has ended, well or not: it can take another.
    Finished,
    /// No call will come any more: the server shuts down.
    Over,
}

pub struct Slot {
    method: Method,
    state: State,
    call: *mut grpc_call,
    deadline: gpr_timespec,
    details: grpc_call_details,
    metadata: grpc_metadata_array,
    /// The request; null for a call without.
    payload: *mut grpc_byte_buffer,
    /// The reply, until it has been sent.
    reply: *mut grpc_byte_buffer,
    cancelled: c_int,
}

#[allow(unsafe_code)]
impl Slot {
    /// A slot for calls of `method`.
    pub fn new(method: Method) -> Box<Self> {
        let deadline =
            gpr_timespec { tv_sec: 0, tv_nsec: 0, clock_type: gpr_clock_type::GPR_CLOCK_REALTIME };
        // SAFETY: all of these are structs of plain numbers and of pointers that may be null.
        let (details, metadata) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        Box::new(Slot {
            method,
            state: State::Waiting,
            call: ptr::null_mut(),
            deadline,
            details,
            metadata,
            payload: ptr::null_mut(),
            reply: ptr::null_mut(),
            cancelled: 0,
        })
    }

    /// Asks for a call. Its event will come from `queue`.
    ///
    /// # Safety
    ///
    /// Server and queue live until that event has come, and so does the slot, at this address.
    pub unsafe fn request(&mut self, server: *mut grpc_server, queue: *mut grpc_completion_queue) {
        self.state = State::Waiting;
        let tag = ptr::from_mut(self).cast();
        // SAFETY: what is written into lives as long as the caller promises.
        let error = unsafe {
            grpcio_sys::grpc_metadata_array_init(&raw mut self.metadata);
            match self.method {
                Method::Known(method) => grpcio_sys::grpc_server_request_registered_call(
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
                Method::Unknown => {
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
        // It refuses a queue that is not the server's, and a slot that misses something.
        assert_eq!(error, grpc_call_error::GRPC_CALL_OK, "C-core takes a slot");
    }

    /// What the event of a slot means; `succeeded` is what the queue says of it.
    ///
    /// # Safety
    ///
    /// A queue has just told of the slot.
    pub unsafe fn event(&mut self, succeeded: bool) -> Event {
        match self.state {
            State::Waiting if succeeded => Event::Came,
            State::Waiting => Event::Over,
            State::Answering => {
                // SAFETY: the event is that the call has ended.
                unsafe { self.clear() };
                Event::Finished
            }
        }
    }

    /// Whether its call is one of the method that was registered.
    pub fn is_known(&self) -> bool {
        matches!(self.method, Method::Known(_))
    }

    /// The request's bytes; `spare` is where they are put together if C-core has them in parts.
    /// `None` where the call has none.
    pub fn request_bytes<'a>(&'a mut self, spare: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        if self.payload.is_null() {
            return None;
        }
        // SAFETY: the payload is the slot's, and is there until the slot is cleared, as are the
        // slices in it. The reader is initialised by the first call, and not used if that fails.
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
                spare.clear();
                spare.extend_from_slice(bytes);
                while grpcio_sys::grpc_byte_buffer_reader_peek(&raw mut reader, &raw mut slice) != 0
                {
                    spare.extend_from_slice(bytes_of(&*slice));
                }
                bytes = spare;
            }
            grpcio_sys::grpc_byte_buffer_reader_destroy(&raw mut reader);
            Some(bytes)
        }
    }

    /// Answers the call with a message, and ends it: all in one batch, which C-core writes at once.
    ///
    /// # Safety
    ///
    /// A call has come, and has not been answered; the slot is as for [`Slot::request`].
    pub unsafe fn answer(&mut self, reply: &[u8]) {
        // SAFETY: C-core copies the bytes, and the buffer counts a reference to the slice.
        self.reply = unsafe {
            let mut slice =
                grpcio_sys::grpc_slice_from_copied_buffer(reply.as_ptr().cast(), reply.len());
            let buffer = grpcio_sys::grpc_raw_byte_buffer_create(&raw mut slice, 1);
            grpcio_sys::grpc_slice_unref(slice);
            buffer
        };
        let mut message = operation(grpc_op_type::GRPC_OP_SEND_MESSAGE);
        message.data.send_message.send_message = self.reply;
        // SAFETY: the caller's promise.
        unsafe { self.finish(grpc_status_code::GRPC_STATUS_OK, None, Some(message)) };
    }

    /// Ends the call with a status that says why there is no message.
    ///
    /// # Safety
    ///
    /// As [`Slot::answer`].
    pub unsafe fn refuse(&mut self, status: grpc_status_code::Type, why: &str) {
        // SAFETY: the caller's promise.
        unsafe { self.finish(status, Some(why), None) };
    }

    unsafe fn finish(
        &mut self,
        status: grpc_status_code::Type,
        why: Option<&str>,
        message: Option<grpc_op>,
    ) {
        self.state = State::Answering;
        // SAFETY: C-core copies the bytes. It takes null for no details.
        let mut details = why.map(|why| unsafe {
            grpcio_sys::grpc_slice_from_copied_buffer(why.as_ptr().cast(), why.len())
        });
        let mut end = operation(grpc_op_type::GRPC_OP_SEND_STATUS_FROM_SERVER);
        end.data.send_status_from_server.status = status;
        end.data.send_status_from_server.status_details =
            details.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        let mut close = operation(grpc_op_type::GRPC_OP_RECV_CLOSE_ON_SERVER);
        close.data.recv_close_on_server.cancelled = &raw mut self.cancelled;
        let begin = operation(grpc_op_type::GRPC_OP_SEND_INITIAL_METADATA);
        let count = 3 + usize::from(message.is_some());
        let all = [begin, end, close, message.unwrap_or(begin)];
        let tag: *mut c_void = ptr::from_mut(self).cast();
        // SAFETY: the call is this slot's, and lives until it is cleared; so does all that the
        // operations point to, but for the details, which C-core does not keep.
        let error = unsafe {
            let error = grpcio_sys::grpc_call_start_batch(
                self.call,
                all.as_ptr(),
                count,
                tag,
                ptr::null_mut(),
            );
            if let Some(details) = details {
                grpcio_sys::grpc_slice_unref(details);
            }
            error
        };
        // It refuses what is sent twice, or by a client.
        assert_eq!(error, grpc_call_error::GRPC_CALL_OK, "C-core takes a reply");
    }

    /// Gives back what the slot has of its call, and with it the call.
    ///
    /// # Safety
    ///
    /// A call has come, and C-core has done with it.
    pub unsafe fn clear(&mut self) {
        // SAFETY: each is the slot's, or null, and C-core has done with them.
        unsafe {
            for buffer in [&mut self.payload, &mut self.reply] {
                if !buffer.is_null() {
                    grpcio_sys::grpc_byte_buffer_destroy(*buffer);
                    *buffer = ptr::null_mut();
                }
            }
            if !self.is_known() {
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
    // SAFETY: zeros are no metadata, no compression and no flags.
    let data = unsafe { std::mem::zeroed() };
    grpc_op { op, flags: 0, reserved: ptr::null_mut(), data }
}

/// The bytes of a slice: short ones stand in the slice itself.
#[allow(unsafe_code)]
unsafe fn bytes_of(slice: &grpc_slice) -> &[u8] {
    // SAFETY: the reference count says which of the two the slice is.
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
