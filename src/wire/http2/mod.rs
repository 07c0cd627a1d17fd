//! gRPC over HTTP/2, without TLS and with prior knowledge, as a client of unary calls, or of one
//! call that streams both ways.
//!
//! RFC 9113 (HTTP/2), RFC 7541 (HPACK), and
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>. A request is HEADERS and
//! DATA on a stream of its own; so is its reply, with HEADERS once more behind it: trailers,
//! which say whether it is one. In a conversation all of them are DATA on the first stream, and
//! HEADERS stand at its ends only.

mod flow;
mod frame;
mod headers;
mod reply;
mod request;
mod settings;
mod status;
mod upload;

use std::time::Duration;

use self::flow::{Receiving, Sending};
use self::frame::{Frame, breaks, error_name, kind_name};
use self::headers::{Blocks, Parts};
use self::reply::Reply;
use self::request::RequestBlock;
use self::status::Place;
use self::upload::Upload;
use super::{Codec, Event, shown};
use crate::message::EchoError;

/// What is asked on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    /// One request.
    Unary,
    /// All of them.
    Conversation,
}

/// A client of gRPC.
pub struct Http2 {
    call: Call,
    timeout: Option<Duration>,
    /// The server's SETTINGS came.
    settled: bool,
    /// The stream of the next request: odd ones are the client's.
    next_stream: u32,
    /// The stream of the request that is outstanding, or of the conversation.
    current: Option<u32>,
    /// Why there will be no next request.
    closing: Option<String>,
    request: RequestBlock,
    upload: Upload,
    sending: Sending,
    receiving: Receiving,
    blocks: Blocks,
    parts: Parts,
    reply: Reply,
}

/// What a frame brought about.
#[derive(Debug, Clone, Copy)]
enum Came {
    Ready,
    Reply,
}

impl Http2 {
    /// A client that calls `path` and reads replies of up to `max_message` bytes. `authority`
    /// is the server's address; with a `timeout`, the server is told when to give up.
    pub fn new(authority: &str, path: &str, timeout: Option<Duration>, max_message: usize) -> Self {
        Http2::calling(Call::Unary, authority, path, timeout, max_message)
    }

    /// A client that calls `path` once, and sends all of its requests as messages of this call.
    pub fn conversation(authority: &str, path: &str, max_message: usize) -> Self {
        Http2::calling(Call::Conversation, authority, path, None, max_message)
    }

    fn calling(
        call: Call,
        authority: &str,
        path: &str,
        timeout: Option<Duration>,
        max_message: usize,
    ) -> Self {
        Http2 {
            call,
            timeout,
            settled: false,
            next_stream: 1,
            current: None,
            closing: None,
            request: RequestBlock::new(authority, path, timeout),
            upload: Upload::new(call == Call::Unary),
            sending: Sending::new(),
            receiving: Receiving::new(max_message),
            blocks: Blocks::new(),
            parts: Parts::default(),
            reply: Reply::new(max_message),
        }
    }

    #[inline]
    fn take(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<Option<Came>, EchoError> {
        self.parts.check(frame)?;
        match frame.kind {
            frame::DATA => return self.data(frame, out),
            frame::HEADERS | frame::CONTINUATION => return self.headers(frame, out),
            frame::RST_STREAM => self.reset(frame)?,
            frame::SETTINGS => return self.settings(frame, out),
            frame::PING => ping(frame, out)?,
            frame::GOAWAY => self.go_away(frame)?,
            frame::WINDOW_UPDATE => self.window_update(frame, out)?,
            frame::PUSH_PROMISE => return Err(breaks("PUSH_PROMISE, which we do not allow")),
            // PRIORITY, and what came after the RFC, are to be ignored (section 5.5).
            _ => {}
        }
        Ok(None)
    }

    /// Whether a frame belongs to the request that is outstanding, and not to an earlier one.
    #[inline]
    fn is_current(&self, frame: &Frame<'_>) -> Result<bool, EchoError> {
        if self.current == Some(frame.stream) {
            return Ok(true);
        }
        if frame.stream % 2 == 1 && frame.stream < self.next_stream {
            return Ok(false);
        }
        let (name, stream) = (kind_name(frame.kind), frame.stream);
        Err(breaks(format_args!("{name} on the stream {stream}, which we have not opened")))
    }

    /// As [`Http2::is_current`], for what may not come on a stream that has ended.
    #[inline]
    fn check_current(&self, frame: &Frame<'_>) -> Result<(), EchoError> {
        if self.is_current(frame)? {
            return Ok(());
        }
        let (name, stream) = (kind_name(frame.kind), frame.stream);
        Err(breaks(format_args!("{name} on the stream {stream}, which has ended")))
    }

    #[inline]
    fn data(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<Option<Came>, EchoError> {
        self.check_current(frame)?;
        // Other streams end before they use up a window of their own.
        let stream = (self.call == Call::Conversation).then_some(frame.stream);
        self.receiving.came(frame.payload.len(), stream, out)?;
        if !self.reply.begun {
            return Err(breaks("DATA before the response's HEADERS"));
        }
        let content = frame.content()?;
        if self.call == Call::Conversation && !content.is_empty() {
            self.reply.forget_whole();
        }
        self.reply.add(content)?;
        if frame.has(frame::END_STREAM) {
            return Err(EchoError::Malformed("it ends without a grpc-status".to_owned()));
        }
        let whole = self.call == Call::Conversation && !content.is_empty() && self.reply.is_whole();
        if whole && self.upload.is_under_way() {
            return Err(EchoError::Malformed(
                "it came before all of the request had gone".to_owned(),
            ));
        }
        Ok(whole.then_some(Came::Reply))
    }

    fn headers(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<Option<Came>, EchoError> {
        self.check_current(frame)?;
        let whole = frame.kind == frame::HEADERS && frame.has(frame::END_HEADERS);
        let part = if frame.kind == frame::HEADERS { frame.content()? } else { frame.payload };
        if whole {
            return self.block(part, frame.has(frame::END_STREAM), out);
        }
        let Some((block, ends)) = self.parts.add(frame, part)? else { return Ok(None) };
        let came = self.block(&block, ends, out);
        self.parts.give_back(block);
        came
    }

    /// A header block that is complete: of the response, or its trailers.
    #[inline]
    fn block(
        &mut self,
        block: &[u8],
        ends: bool,
        out: &mut Vec<u8>,
    ) -> Result<Option<Came>, EchoError> {
        let place = match (self.reply.begun, ends) {
            (false, false) => Place::Head,
            (false, true) => Place::Only,
            (true, true) => Place::Trailers,
            (true, false) => return Err(breaks("trailers that do not end the stream")),
        };
        if !self.blocks.knows(block, place) {
            let fields = self.blocks.read(block)?;
            if place == Place::Head && fields.informs() {
                return Ok(None);
            }
            fields.check(place, self.timeout)?;
            self.blocks.keep(block, place);
        }
        if place == Place::Head {
            self.reply.begun = true;
            return Ok(None);
        }
        if self.call == Call::Conversation {
            return Err(EchoError::Disconnected("the server ended the stream".to_owned()));
        }
        self.reply.check()?;
        self.end(out);
        Ok(Some(Came::Reply))
    }

    /// The reply is complete. Nothing waits for the rest of a request that was answered early.
    fn end(&mut self, out: &mut Vec<u8>) {
        let stream = self.current.take();
        self.sending.end_stream();
        if let Some(stream) = stream.filter(|_| self.upload.forget()) {
            frame::number(frame::RST_STREAM, stream, frame::CANCEL, out);
        }
    }

    fn reset(&mut self, frame: &Frame<'_>) -> Result<(), EchoError> {
        let code = u32::from_be_bytes(frame.exactly()?);
        if self.is_current(frame)? {
            return Err(EchoError::Disconnected(format!(
                "the server reset the request: {}",
                error_name(code)
            )));
        }
        Ok(())
    }

    fn settings(
        &mut self,
        frame: &Frame<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Came>, EchoError> {
        if settings::acknowledges(frame)? {
            return Ok(None);
        }
        settings::apply(frame, &mut self.request, &mut self.sending)?;
        frame::begin(frame::SETTINGS, frame::ACK, 0, 0, out);
        self.send_rest(out);
        let first = !std::mem::replace(&mut self.settled, true);
        Ok(first.then_some(Came::Ready))
    }

    fn go_away(&mut self, frame: &Frame<'_>) -> Result<(), EchoError> {
        let head = frame.payload.split_first_chunk::<8>().filter(|_| frame.stream == 0);
        let Some((&[a, b, c, d, code @ ..], text)) = head else {
            let (length, stream) = (frame.payload.len(), frame.stream);
            return Err(breaks(format_args!("GOAWAY of {length} bytes on the stream {stream}")));
        };
        let last = u32::from_be_bytes([a, b, c, d]) & frame::MOST;
        let mut why = format!("the server goes away: {}", error_name(u32::from_be_bytes(code)));
        if !text.is_empty() {
            why = format!("{why}, {}", shown(text));
        }
        if self.current.is_none_or(|stream| stream > last) {
            return Err(EchoError::Disconnected(why));
        }
        self.closing = Some(why);
        Ok(())
    }

    fn window_update(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), EchoError> {
        let increment = frame.exactly()?;
        if frame.stream == 0 {
            self.sending.widen_connection(increment)?;
        } else if self.is_current(frame)? {
            self.sending.widen_stream(increment)?;
        }
        self.send_rest(out);
        Ok(())
    }

    /// Sends what the windows have come to allow.
    fn send_rest(&mut self, out: &mut Vec<u8>) {
        if let Some(stream) = self.current {
            self.upload.go_on(stream, &mut self.sending, out);
        }
    }
}

impl Codec for Http2 {
    fn open(&mut self, out: &mut Vec<u8>) {
        settings::open(&self.receiving, out);
    }

    /// After the last stream there is, and on a connection that the server closes, no stream is
    /// opened: [`Http2::receive`] says why.
    #[inline]
    fn request(&mut self, message: &[u8], out: &mut Vec<u8>) {
        if let (Call::Conversation, Some(stream)) = (self.call, self.current) {
            return self.upload.begin(message, stream, &mut self.sending, out);
        }
        if self.closing.is_some() {
            return;
        }
        let stream = self.next_stream;
        self.current = Some(stream);
        self.next_stream += 2;
        if self.next_stream > frame::MOST {
            self.closing = Some("the connection has used all of its streams".to_owned());
        }
        self.reply.clear();
        upload::send_block(self.request.next(), stream, self.sending.longest(), out);
        self.upload.begin(message, stream, &mut self.sending, out);
    }

    /// The whole of a frame has to be in `input` before it is taken: 16393 bytes at most.
    #[inline]
    fn receive<'a>(
        &'a mut self,
        input: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<(usize, Option<Event<'a>>), EchoError> {
        if !self.settled {
            settings::check_greeting(input)?;
        }
        if let (None, Some(why)) = (self.current, &self.closing) {
            return Err(EchoError::Disconnected(why.clone()));
        }
        let mut rest = input;
        while let Some((frame, behind)) = frame::read(rest)? {
            rest = behind;
            let event = match self.take(&frame, out)? {
                None => continue,
                Some(Came::Ready) => Event::Ready,
                Some(Came::Reply) => Event::Reply(self.reply.message()),
            };
            return Ok((input.len() - rest.len(), Some(event)));
        }
        Ok((input.len() - rest.len(), None))
    }
}

fn ping(frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), EchoError> {
    let content: [u8; 8] = frame.exactly()?;
    if frame.stream != 0 {
        return Err(breaks(format_args!("PING on the stream {}", frame.stream)));
    }
    if !frame.has(frame::ACK) {
        frame::begin(frame::PING, frame::ACK, 0, content.len(), out);
        out.extend_from_slice(&content);
    }
    Ok(())
}
