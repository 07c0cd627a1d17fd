//! `grpc-stream`: the same echoes as messages of one bidirectional stream per client,
//! `msg.Hello/Converse`, on the gRPC C-core.
//!
//! ```text
//! streams --HTTP/2--> C-core [a thread per completion queue] --> a future per stream: receive,
//!                                                                answer, send, on that thread
//! ```

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};
use std::thread::{self, Thread};
use std::time::Instant;

use anyhow::Result;
use futures_util::{Sink, SinkExt, Stream, TryStreamExt};
use grpcio::{
    CallOption, ClientDuplexReceiver, ClientDuplexSender, DuplexSink, Method, MethodType,
    RequestStream, RpcContext, ServiceBuilder, WriteFlags,
};

use super::channels::Channel;
use super::{Answerer, Frame, GrpcServer, completion_queues, library, method};
use crate::message::{self, EchoError, Reply, Request};
use crate::spec::{ClientSpec, Endpoint, ServerSpec};
use crate::systems::{Client, Server, ServerOptions, System};
use crate::wire::{Codec, Http2};

const CONVERSE: Method<Frame, Frame> = method(MethodType::Duplex, "/msg.Hello/Converse");

pub struct Conversation;

impl System for Conversation {
    fn name(&self) -> &'static str {
        "grpc-stream"
    }

    fn about(&self) -> &'static str {
        "gRPC, one bidirectional stream per client, on the C-core"
    }

    fn serve(&self, spec: &ServerSpec) -> Result<Box<dyn Server>> {
        let server = GrpcServer::start(self.name(), spec, |answerer| {
            let handler = move |context: RpcContext<'_>, requests, replies| {
                let conversation = converse(answerer.clone(), requests, replies);
                // A client that has gone does not get its reply; that is its affair.
                context.spawn(async move { drop(conversation.await) });
            };
            ServiceBuilder::new().add_duplex_streaming_handler(&CONVERSE, handler).build()
        })?;
        Ok(Box::new(server))
    }

    fn connect(&self, to: &Endpoint, who: &ClientSpec) -> Result<Box<dyn Client>> {
        let channel = Channel::of(to, who)?;
        let (sender, receiver) =
            channel.client.duplex_streaming(&CONVERSE, CallOption::default())?;
        Ok(Box::new(StreamClient { sender, receiver, channel, who: who.clone() }))
    }

    fn server_options(&self, spec: &ServerSpec) -> ServerOptions {
        ServerOptions {
            completion_queues: Some(completion_queues(spec)),
            ..ServerOptions::default()
        }
    }

    fn has_channels(&self) -> bool {
        true
    }

    fn codec(&self, to: &Endpoint, who: &ClientSpec) -> Option<Box<dyn Codec>> {
        Some(Box::new(Http2::conversation(&to.to_string(), CONVERSE.name, who.max_message)))
    }

    fn library(&self) -> Option<String> {
        Some(library())
    }
}

/// Answers one client, message by message, until it closes its stream.
///
/// A stream ends with its first status, and so a request that cannot be answered gets a reply
/// that says so.
async fn converse(
    mut answerer: Answerer,
    mut requests: RequestStream<Frame>,
    mut replies: DuplexSink<Frame>,
) -> grpcio::Result<()> {
    while let Some(request) = requests.try_next().await? {
        let reply = answerer.answer(request).unwrap_or_else(|why| answerer.write_error_reply(why));
        // Only passed to C-core: that it was written is waited for with the next one.
        replies.feed((reply, WriteFlags::default())).await?;
    }
    replies.close().await
}

/// The ends of a stream come first, so that they are dropped before the channel.
struct StreamClient {
    sender: ClientDuplexSender<Frame>,
    receiver: ClientDuplexReceiver<Frame>,
    channel: Arc<Channel>,
    who: ClientSpec,
}

impl Client for StreamClient {
    fn echo(&mut self, request: &Request) -> Result<Reply, EchoError> {
        let mut unsent = Some(Frame::to_send(request.bytes()));
        let (sender, receiver) = (&mut self.sender, &mut self.receiver);
        let came = wait(Instant::now() + self.who.timeout, |context| {
            ready!(send(sender, &mut unsent, context));
            Pin::new(&mut *receiver).poll_next(context)
        });
        let mut reply = match came {
            None => return Err(EchoError::Timeout(self.who.timeout)),
            Some(None) => {
                return Err(EchoError::Disconnected("the server ended the stream".to_owned()));
            }
            Some(Some(reply)) => reply.map_err(|error| self.channel.explain(error, &self.who))?,
        };
        let mut spare = Vec::new();
        let bytes = reply.bytes(&mut spare).map_err(|e| EchoError::Malformed(e.to_string()))?;
        message::check(request, bytes)
    }

    fn has_late_reply(&mut self) -> bool {
        let look = |context: &mut Context<'_>| Pin::new(&mut self.receiver).poll_next(context);
        matches!(wait(Instant::now(), look), Some(Some(Ok(_))))
    }
}

/// Sends the message, once the last one was written. Why that fails, the receiver knows.
fn send(
    sender: &mut ClientDuplexSender<Frame>,
    unsent: &mut Option<Frame>,
    context: &mut Context<'_>,
) -> Poll<()> {
    if unsent.is_some() {
        let ready = ready!(Pin::new(&mut *sender).poll_ready(context));
        if let (Ok(()), Some(frame)) = (ready, unsent.take()) {
            let _ = Pin::new(sender).start_send((frame, WriteFlags::default()));
        }
    }
    Poll::Ready(())
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

thread_local! {
    /// What wakes this thread, made once.
    static WAKER: Waker = Waker::from(Arc::new(Unpark(thread::current())));
}

/// Blocks this thread until what it polls is there; `None`: it was not by the deadline.
fn wait<T>(deadline: Instant, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
    WAKER.with(|waker| {
        let mut context = Context::from_waker(waker);
        loop {
            if let Poll::Ready(value) = poll(&mut context) {
                return Some(value);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            if left.is_zero() {
                return None;
            }
            thread::park_timeout(left);
        }
    })
}
