//! Channels to servers: one per client, or one shared by all clients of this process.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use anyhow::Result;
use grpcio::{ChannelBuilder, Client, Environment, RpcStatusCode};

use super::{environment, length_limit};
use crate::message::EchoError;
use crate::os::cpus;
use crate::spec::{Channels, ClientSpec, Endpoint};

/// The completion queues of all clients of this process: one per CPU that it may run on.
static CLIENT_ENVIRONMENT: LazyLock<Arc<Environment>> =
    LazyLock::new(|| environment(cpus::allowed()));

/// The shared channels, one per server. A channel is dropped with its last client.
static SHARED: Mutex<Vec<Weak<Channel>>> = Mutex::new(Vec::new());

/// A connection to a server.
pub struct Channel {
    pub client: Client,
    to: SocketAddr,
    max_message: usize,
    /// Set after a failure. New clients then get a new channel.
    broken: AtomicBool,
}

impl Channel {
    /// Returns the channel for a client: a new one or a shared one.
    pub fn for_client(to: &Endpoint, spec: &ClientSpec) -> Result<Arc<Self>> {
        let to = to.resolve()?;
        if spec.channels == Channels::PerClient {
            return Ok(Arc::new(Channel::open(to, spec)));
        }
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|channel| channel.strong_count() > 0);
        let mut channels = shared.iter().filter_map(Weak::upgrade);
        if let Some(channel) = channels.find(|channel| channel.is_usable_for(to, spec)) {
            return Ok(channel);
        }
        let channel = Arc::new(Channel::open(to, spec));
        shared.push(Arc::downgrade(&channel));
        Ok(channel)
    }

    fn is_usable_for(&self, to: SocketAddr, spec: &ClientSpec) -> bool {
        (self.to, self.max_message) == (to, spec.max_message)
            && !self.broken.load(Ordering::Relaxed)
    }

    fn open(to: SocketAddr, spec: &ClientSpec) -> Self {
        let channel = ChannelBuilder::new(Arc::clone(&CLIENT_ENVIRONMENT))
            // Otherwise channels to one address share a connection and its locks.
            .use_local_subchannel_pool(true)
            // `crate::load` retries, in the same way for all systems. C-core's retries keep a copy
            // of every request for a second attempt, which takes an eighth of the client's CPU
            // time.
            .enable_retry(false)
            .max_receive_message_len(length_limit(spec.max_message))
            .connect(&to.to_string());
        let (client, max_message) = (Client::new(channel), spec.max_message);
        Channel { client, to, max_message, broken: AtomicBool::new(false) }
    }

    /// Converts the error of a failed call. Marks the channel as broken if the connection failed.
    pub fn echo_error(&self, error: grpcio::Error, spec: &ClientSpec) -> EchoError {
        let disconnected = |reason| {
            // A new channel connects at once; C-core reconnects this one on its own schedule.
            self.broken.store(true, Ordering::Relaxed);
            EchoError::Disconnected(reason)
        };
        let grpcio::Error::RpcFailure(status) = error else {
            return disconnected(error.to_string());
        };
        match status.code() {
            RpcStatusCode::DEADLINE_EXCEEDED => EchoError::Timeout(spec.timeout),
            // A server that stops cancels the calls that it has not answered.
            RpcStatusCode::UNAVAILABLE | RpcStatusCode::CANCELLED => {
                disconnected(status.message().to_owned())
            }
            code => EchoError::Refused(format!("{code}: {}", status.message())),
        }
    }
}
