//! `grpc`: `msg.Hello/Respond` as a unary call, on the gRPC C-core.
//!
//! ```text
//! channels --HTTP/2--> C-core [one thread per completion queue] --> handler, on that thread
//! ```

use std::sync::Arc;

use anyhow::Result;
use grpcio::{
    CallOption, Method, MethodType, RpcContext, RpcStatus, RpcStatusCode, ServiceBuilder, UnarySink,
};

use super::channels::Channel;
use super::direct::DirectServer;
use super::{GrpcServer, RawMessage, RequestHandler, completion_queues, library, method};
use crate::message::{self, EchoError, Reply, Request};
use crate::spec::{ClientSpec, Endpoint, ServerSpec, Tuning};
use crate::systems::{Client, Server, ServerOptions, System};
use crate::wire::{Codec, Http2};

const RESPOND: Method<RawMessage, RawMessage> = method(MethodType::Unary, "/msg.Hello/Respond");

pub struct Unary;

impl System for Unary {
    fn name(&self) -> &'static str {
        "grpc"
    }

    fn about(&self) -> &'static str {
        "gRPC unary calls, on the C-core"
    }

    fn serve(&self, spec: &ServerSpec) -> Result<Box<dyn Server>> {
        if spec.tuning == Tuning::Throughput {
            return Ok(Box::new(DirectServer::start(self.name(), RESPOND.name, spec)?));
        }
        let server = GrpcServer::start(self.name(), spec, |mut handler| {
            let call = move |context: RpcContext<'_>, request, sink| {
                handle_call(&mut handler, &context, request, sink);
            };
            ServiceBuilder::new().add_unary_handler(&RESPOND, call).build()
        })?;
        Ok(Box::new(server))
    }

    fn connect(&self, to: &Endpoint, who: &ClientSpec) -> Result<Box<dyn Client>> {
        Ok(Box::new(UnaryClient { channel: Channel::for_client(to, who)?, spec: who.clone() }))
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
        let (authority, timeout) = (to.to_string(), Some(who.timeout));
        Some(Box::new(Http2::unary(&authority, RESPOND.name, timeout, who.max_message)))
    }

    fn library(&self) -> Option<String> {
        Some(library())
    }
}

/// Answers one call. grpcio clones the handler for each completion queue.
fn handle_call(
    handler: &mut RequestHandler,
    context: &RpcContext<'_>,
    request: RawMessage,
    sink: UnarySink<RawMessage>,
) {
    let sending = match handler.answer(request) {
        Ok(reply) => sink.success(reply),
        Err(rejected) => sink
            .fail(RpcStatus::with_message(RpcStatusCode::INVALID_ARGUMENT, rejected.to_string())),
    };
    // Sending fails if the client has disconnected. That is not an error of the server.
    context.spawn(async move { drop(sending.await) });
}

struct UnaryClient {
    channel: Arc<Channel>,
    spec: ClientSpec,
}

impl Client for UnaryClient {
    fn echo(&mut self, request: &Request) -> Result<Reply, EchoError> {
        let deadline = CallOption::default().timeout(self.spec.timeout);
        let mut reply = self
            .channel
            .client
            .unary_call(&RESPOND, &RawMessage::to_send(request.bytes()), deadline)
            .map_err(|error| self.channel.echo_error(error, &self.spec))?;
        let mut scratch = Vec::new();
        let bytes = reply.bytes(&mut scratch).map_err(|e| EchoError::Malformed(e.to_string()))?;
        message::check(request, bytes)
    }
}
