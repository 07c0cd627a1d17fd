//! `grpc-stream`: echoes as messages of one bidirectional stream per client,
//! `msg.Hello/Converse`, on the gRPC C-core.
//!
//! ```text
//! streams --HTTP/2--> C-core [one thread per completion queue] --> one future per stream: receive,
//!                                                                  answer, send, on that thread
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
use super::{GrpcServer, RawMessage, RequestHandler, completion_queues, library, method};
use crate::message::{self, EchoError, Reply, Request};
use crate::spec::{ClientSpec, Endpoint, ServerSpec};
use crate::systems::{Client, Server, ServerOptions, System};
use crate::wire::{Codec, Http2};

const CONVERSE: Method<RawMessage, RawMessage> = method(MethodType::Duplex, "/msg.Hello/Converse");

pub struct Streaming;

impl System for Streaming {
    fn name(&self) -> &'static str {
        "grpc-stream"
    }

    fn about(&self) -> &'static str {
        "gRPC, one bidirectional stream per client, on the C-core"
    }

    fn serve(&self, spec: &ServerSpec) -> Result<Box<dyn Server>> {
        let server = GrpcServer::start(self.name(), spec, |handler| {
            let call = move |context: RpcContext<'_>, requests, replies| {
                let stream = serve_stream(handler.clone(), requests, replies);
                // Sending fails if the client has disconnected. That is not an error of the server.
                context.spawn(async move { drop(stream.await) });
            };
            ServiceBuilder::new().add_duplex_streaming_handler(&CONVERSE, call).build()
        })?;
        Ok(Box::new(server))
    }

    fn connect(&self, to: &Endpoint, who: &ClientSpec) -> Result<Box<dyn Client>> {
        let channel = Channel::for_client(to, who)?;
        let (sender, receiver) =
            channel.client.duplex_streaming(&CONVERSE, CallOption::default())?;
        Ok(Box::new(StreamClient { sender, receiver, channel, spec: who.clone() }))
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
        Some(Box::new(Http2::streaming(&to.to_string(), CONVERSE.name, who.max_message)))
    }

    fn library(&self) -> Option<String> {
        Some(library())
    }
}

/// Answers the requests of one stream until the client closes it.
///
/// An error status would end the stream, so an invalid request gets an error reply instead.
async fn serve_stream(
    mut handler: RequestHandler,
    mut requests: RequestStream<RawMessage>,
    mut replies: DuplexSink<RawMessage>,
) -> grpcio::Result<()> {
    while let Some(request) = requests.try_next().await? {
        let reply =
            handler.answer(request).unwrap_or_else(|rejected| handler.write_error_reply(rejected));
        // Passes the reply to C-core. The next `feed` waits until it has been written.
        replies.feed((reply, WriteFlags::default())).await?;
    }
    replies.close().await
}

/// `sender` and `receiver` are declared first so that they are dropped before the channel.
struct StreamClient {
    sender: ClientDuplexSender<RawMessage>,
    receiver: ClientDuplexReceiver<RawMessage>,
    channel: Arc<Channel>,
    spec: ClientSpec,
}

impl Client for StreamClient {
    fn echo(&mut self, request: &Request) -> Result<Reply, EchoError> {
        let mut unsent = Some(RawMessage::to_send(request.bytes()));
        let (sender, receiver) = (&mut self.sender, &mut self.receiver);
        let outcome = poll_until(Instant::now() + self.spec.timeout, |context| {
            ready!(send(sender, &mut unsent, context));
            Pin::new(&mut *receiver).poll_next(context)
        });
        let mut reply = match outcome {
            None => return Err(EchoError::Timeout(self.spec.timeout)),
            Some(None) => {
                return Err(EchoError::Disconnected("the server ended the stream".to_owned()));
            }
            Some(Some(reply)) => {
                reply.map_err(|error| self.channel.echo_error(error, &self.spec))?
            }
        };
        let mut scratch = Vec::new();
        let bytes = reply.bytes(&mut scratch).map_err(|e| EchoError::Malformed(e.to_string()))?;
        message::check(request, bytes)
    }

    fn has_late_reply(&mut self) -> bool {
        let poll = |context: &mut Context<'_>| Pin::new(&mut self.receiver).poll_next(context);
        matches!(poll_until(Instant::now(), poll), Some(Some(Ok(_))))
    }
}

/// Sends the message once the previous one has been written. Ignores errors: the receiver returns
/// the reason.
fn send(
    sender: &mut ClientDuplexSender<RawMessage>,
    unsent: &mut Option<RawMessage>,
    context: &mut Context<'_>,
) -> Poll<()> {
    if unsent.is_some() {
        let ready = ready!(Pin::new(&mut *sender).poll_ready(context));
        if let (Ok(()), Some(message)) = (ready, unsent.take()) {
            let _ = Pin::new(sender).start_send((message, WriteFlags::default()));
        }
    }
    Poll::Ready(())
}

/// A waker that unparks a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

thread_local! {
    /// The waker of this thread.
    static WAKER: Waker = Waker::from(Arc::new(Unpark(thread::current())));
}

/// Blocks this thread until `poll` is ready. Returns `None` at the deadline.
fn poll_until<T>(
    deadline: Instant,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
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
