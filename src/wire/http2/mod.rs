//! A client of gRPC over HTTP/2, without TLS and with prior knowledge: unary calls, or one
//! bidirectional streaming call.
//!
//! RFC 9113 (HTTP/2), RFC 7541 (HPACK), and
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>. A unary request is HEADERS and
//! DATA on a new stream. Its reply is HEADERS, DATA and a second HEADERS frame with the trailers,
//! which contain the status. In a streaming call, all requests and replies are DATA on the first
//! stream, and there are HEADERS only at its start and its end.

mod flow;
mod frame;
mod headers;
mod reply;
mod request;
mod settings;
mod status;
mod upload;

use std::time::Duration;

use self::flow::{ReceiveWindows, SendWindows};
use self::frame::{Frame, error_name, kind_name, violation};
use self::headers::{BlockAssembler, BlockDecoder};
use self::reply::Reply;
use self::request::RequestBlock;
use self::status::BlockKind;
use self::upload::Upload;
use super::{Codec, Event, excerpt};
use crate::message::EchoError;

/// The kind of call, which determines how many requests share a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    /// Each request has its own stream.
    Unary,
    /// All requests share one stream.
    Streaming,
}

/// A gRPC client.
pub struct Http2 {
    call: Call,
    timeout: Option<Duration>,
    /// Whether the server's SETTINGS have been received.
    is_ready: bool,
    /// The stream of the next request. Streams of a client have odd numbers.
    next_stream: u32,
    /// The stream of the outstanding request or of the streaming call.
    current: Option<u32>,
    /// Set if no further stream can be opened: the reason.
    closing: Option<String>,
    request: RequestBlock,
    upload: Upload,
    sending: SendWindows,
    receiving: ReceiveWindows,
    decoder: BlockDecoder,
    assembler: BlockAssembler,
    reply: Reply,
}

/// An event that a frame completes: [`Event`] without its data.
#[derive(Debug, Clone, Copy)]
enum EventKind {
    Ready,
    Reply,
}

impl Http2 {
    /// Creates a client of the unary method `path` that accepts replies of up to `max_message`
    /// bytes. `authority` is the server's address. Requests carry the `timeout`, if there is one,
    /// as their deadline.
    pub fn unary(
        authority: &str,
        path: &str,
        timeout: Option<Duration>,
        max_message: usize,
    ) -> Self {
        Http2::new(Call::Unary, authority, path, timeout, max_message)
    }

    /// Creates a client that calls `path` once and sends all requests as messages of this call.
    pub fn streaming(authority: &str, path: &str, max_message: usize) -> Self {
        Http2::new(Call::Streaming, authority, path, None, max_message)
    }

    fn new(
        call: Call,
        authority: &str,
        path: &str,
        timeout: Option<Duration>,
        max_message: usize,
    ) -> Self {
        Http2 {
            call,
            timeout,
            is_ready: false,
            next_stream: 1,
            current: None,
            closing: None,
            request: RequestBlock::new(authority, path, timeout),
            upload: Upload::new(call == Call::Unary),
            sending: SendWindows::new(),
            receiving: ReceiveWindows::new(max_message),
            decoder: BlockDecoder::new(),
            assembler: BlockAssembler::default(),
            reply: Reply::new(max_message),
        }
    }

    #[inline]
    fn handle_frame(
        &mut self,
        frame: &Frame<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<EventKind>, EchoError> {
        self.assembler.check(frame)?;
        match frame.kind {
            frame::DATA => return self.handle_data(frame, out),
            frame::HEADERS | frame::CONTINUATION => return self.handle_headers(frame, out),
            frame::RST_STREAM => self.handle_reset(frame)?,
            frame::SETTINGS => return self.handle_settings(frame, out),
            frame::PING => handle_ping(frame, out)?,
            frame::GOAWAY => self.handle_goaway(frame)?,
            frame::WINDOW_UPDATE => self.handle_window_update(frame, out)?,
            frame::PUSH_PROMISE => {
                return Err(violation("PUSH_PROMISE, which the client has disabled"));
            }
            // PRIORITY and unknown types must be ignored (section 5.5).
            _ => {}
        }
        Ok(None)
    }

    /// Returns whether a frame belongs to the current stream, not to an earlier one.
    #[inline]
    fn is_current(&self, frame: &Frame<'_>) -> Result<bool, EchoError> {
        if self.current == Some(frame.stream) {
            return Ok(true);
        }
        if frame.stream % 2 == 1 && frame.stream < self.next_stream {
            return Ok(false);
        }
        let (name, stream) = (kind_name(frame.kind), frame.stream);
        Err(violation(format_args!("{name} on stream {stream}, which the client has not opened")))
    }

    /// Checks that a frame belongs to the current stream: its type is not valid on an earlier one.
    #[inline]
    fn check_current(&self, frame: &Frame<'_>) -> Result<(), EchoError> {
        if self.is_current(frame)? {
            return Ok(());
        }
        let (name, stream) = (kind_name(frame.kind), frame.stream);
        Err(violation(format_args!("{name} on stream {stream}, which has ended")))
    }

    #[inline]
    fn handle_data(
        &mut self,
        frame: &Frame<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<EventKind>, EchoError> {
        self.check_current(frame)?;
        // The stream of a unary call ends before its window is used up.
        let stream = (self.call == Call::Streaming).then_some(frame.stream);
        self.receiving.count(frame.payload.len(), stream, out)?;
        if !self.reply.has_headers {
            return Err(violation("DATA before the response's HEADERS"));
        }
        let content = frame.content()?;
        if self.call == Call::Streaming && !content.is_empty() {
            self.reply.clear_if_complete();
        }
        self.reply.add(content)?;
        if frame.has(frame::END_STREAM) {
            return Err(EchoError::Malformed("it ends without a grpc-status".to_owned()));
        }
        let complete =
            self.call == Call::Streaming && !content.is_empty() && self.reply.is_complete();
        if complete && self.upload.is_pending() {
            return Err(EchoError::Malformed(
                "it arrived before the request was completely sent".to_owned(),
            ));
        }
        Ok(complete.then_some(EventKind::Reply))
    }

    fn handle_headers(
        &mut self,
        frame: &Frame<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<EventKind>, EchoError> {
        self.check_current(frame)?;
        let complete = frame.kind == frame::HEADERS && frame.has(frame::END_HEADERS);
        let fragment = if frame.kind == frame::HEADERS { frame.content()? } else { frame.payload };
        if complete {
            return self.handle_block(fragment, frame.has(frame::END_STREAM), out);
        }
        let Some((block, ends_stream)) = self.assembler.add(frame, fragment)? else {
            return Ok(None);
        };
        let event = self.handle_block(&block, ends_stream, out);
        self.assembler.recycle(block);
        event
    }

    /// Handles a complete header block: the headers or the trailers of the response.
    #[inline]
    fn handle_block(
        &mut self,
        block: &[u8],
        ends_stream: bool,
        out: &mut Vec<u8>,
    ) -> Result<Option<EventKind>, EchoError> {
        let kind = match (self.reply.has_headers, ends_stream) {
            (false, false) => BlockKind::Headers,
            (false, true) => BlockKind::TrailersOnly,
            (true, true) => BlockKind::Trailers,
            (true, false) => return Err(violation("trailers that do not end the stream")),
        };
        if !self.decoder.is_cached(block, kind) {
            let fields = self.decoder.decode(block)?;
            if kind == BlockKind::Headers && fields.is_informational() {
                return Ok(None);
            }
            fields.check(kind, self.timeout)?;
            self.decoder.cache(block, kind);
        }
        if kind == BlockKind::Headers {
            self.reply.has_headers = true;
            return Ok(None);
        }
        if self.call == Call::Streaming {
            return Err(EchoError::Disconnected("the server ended the stream".to_owned()));
        }
        self.reply.check()?;
        self.end_request(out);
        Ok(Some(EventKind::Reply))
    }

    /// Ends the request after its reply. If the reply arrived early, cancels the rest of the
    /// request.
    fn end_request(&mut self, out: &mut Vec<u8>) {
        let stream = self.current.take();
        self.sending.end_stream();
        if let Some(stream) = stream.filter(|_| self.upload.discard_rest()) {
            frame::push_u32(frame::RST_STREAM, stream, frame::CANCEL, out);
        }
    }

    fn handle_reset(&mut self, frame: &Frame<'_>) -> Result<(), EchoError> {
        let code = u32::from_be_bytes(frame.fixed_payload()?);
        if self.is_current(frame)? {
            return Err(EchoError::Disconnected(format!(
                "the server reset the request: {}",
                error_name(code)
            )));
        }
        Ok(())
    }

    fn handle_settings(
        &mut self,
        frame: &Frame<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<EventKind>, EchoError> {
        if settings::is_acknowledgment(frame)? {
            return Ok(None);
        }
        settings::apply(frame, &mut self.request, &mut self.sending)?;
        frame::push_header(frame::SETTINGS, frame::ACK, 0, 0, out);
        self.send_rest(out);
        let is_first = !std::mem::replace(&mut self.is_ready, true);
        Ok(is_first.then_some(EventKind::Ready))
    }

    fn handle_goaway(&mut self, frame: &Frame<'_>) -> Result<(), EchoError> {
        let head = frame.payload.split_first_chunk::<8>().filter(|_| frame.stream == 0);
        let Some((&[a, b, c, d, code @ ..], text)) = head else {
            let (length, stream) = (frame.payload.len(), frame.stream);
            return Err(violation(format_args!("GOAWAY of {length} bytes on stream {stream}")));
        };
        let last = u32::from_be_bytes([a, b, c, d]) & frame::MAX_31_BIT;
        let mut reason =
            format!("the server sent GOAWAY: {}", error_name(u32::from_be_bytes(code)));
        if !text.is_empty() {
            reason = format!("{reason}, {}", excerpt(text));
        }
        if self.current.is_none_or(|stream| stream > last) {
            return Err(EchoError::Disconnected(reason));
        }
        self.closing = Some(reason);
        Ok(())
    }

    fn handle_window_update(
        &mut self,
        frame: &Frame<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), EchoError> {
        let increment = frame.fixed_payload()?;
        if frame.stream == 0 {
            self.sending.grow_connection(increment)?;
        } else if self.is_current(frame)? {
            self.sending.grow_stream(increment)?;
        }
        self.send_rest(out);
        Ok(())
    }

    /// Sends as much of the pending request as the windows allow.
    fn send_rest(&mut self, out: &mut Vec<u8>) {
        if let Some(stream) = self.current {
            self.upload.resume(stream, &mut self.sending, out);
        }
    }
}

impl Codec for Http2 {
    fn open(&mut self, out: &mut Vec<u8>) {
        settings::open(&self.receiving, out);
    }

    /// Opens no stream if the stream identifiers are used up or the server is closing the
    /// connection: [`Http2::receive`] then returns the reason.
    #[inline]
    fn request(&mut self, message: &[u8], out: &mut Vec<u8>) {
        if let (Call::Streaming, Some(stream)) = (self.call, self.current) {
            return self.upload.start(message, stream, &mut self.sending, out);
        }
        if self.closing.is_some() {
            return;
        }
        let stream = self.next_stream;
        self.current = Some(stream);
        self.next_stream += 2;
        if self.next_stream > frame::MAX_31_BIT {
            self.closing = Some("the connection has used all stream identifiers".to_owned());
        }
        self.reply.clear();
        upload::send_block(self.request.next(), stream, self.sending.max_payload(), out);
        self.upload.start(message, stream, &mut self.sending, out);
    }

    /// Consumes a frame only when it is complete, which takes at most 16,393 bytes.
    #[inline]
    fn receive<'a>(
        &'a mut self,
        input: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<(usize, Option<Event<'a>>), EchoError> {
        if !self.is_ready {
            settings::check_first_bytes(input)?;
        }
        if let (None, Some(reason)) = (self.current, &self.closing) {
            return Err(EchoError::Disconnected(reason.clone()));
        }
        let mut rest = input;
        while let Some((frame, tail)) = frame::parse(rest)? {
            rest = tail;
            let event = match self.handle_frame(&frame, out)? {
                None => continue,
                Some(EventKind::Ready) => Event::Ready,
                Some(EventKind::Reply) => Event::Reply(self.reply.message()),
            };
            return Ok((input.len() - rest.len(), Some(event)));
        }
        Ok((input.len() - rest.len(), None))
    }
}

fn handle_ping(frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), EchoError> {
    let content: [u8; 8] = frame.fixed_payload()?;
    if frame.stream != 0 {
        return Err(violation(format_args!("PING on stream {}", frame.stream)));
    }
    if !frame.has(frame::ACK) {
        frame::push_header(frame::PING, frame::ACK, 0, content.len(), out);
        out.extend_from_slice(&content);
    }
    Ok(())
}
