//! Channels to servers: one for each client, or one for all clients of this process.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use anyhow::Result;
use grpcio::{ChannelBuilder, Client, Environment, RpcStatusCode};

use super::{environment, length_limit};
use crate::message::EchoError;
use crate::os::cpus;
use crate::spec::{Channels, ClientSpec, Endpoint};

/// The completion queues of all clients of this process: one for each CPU it may run on.
static CLIENTS: LazyLock<Arc<Environment>> = LazyLock::new(|| environment(cpus::allowed()));

/// The channels that clients share, one for each server, as long as one of them has it.
static SHARED: Mutex<Vec<Weak<Channel>>> = Mutex::new(Vec::new());

/// A connection to a server.
pub struct Channel {
    pub client: Client,
    to: SocketAddr,
    max_message: usize,
    /// Whoever connects anew gets another one.
    broken: AtomicBool,
}

impl Channel {
    /// The one that this client is to have.
    pub fn of(to: &Endpoint, who: &ClientSpec) -> Result<Arc<Self>> {
        let to = to.resolve()?;
        if who.channels == Channels::PerClient {
            return Ok(Arc::new(Channel::open(to, who)));
        }
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|channel| channel.strong_count() > 0);
        let mut all = shared.iter().filter_map(Weak::upgrade);
        if let Some(channel) = all.find(|channel| channel.fits(to, who)) {
            return Ok(channel);
        }
        let channel = Arc::new(Channel::open(to, who));
        shared.push(Arc::downgrade(&channel));
        Ok(channel)
    }

    fn fits(&self, to: SocketAddr, who: &ClientSpec) -> bool {
        (self.to, self.max_message) == (to, who.max_message) && !self.broken.load(Ordering::Relaxed)
    }

    fn open(to: SocketAddr, who: &ClientSpec) -> Self {
        let channel = ChannelBuilder::new(Arc::clone(&CLIENTS))
            // Else channels to one address share a connection, and its locks.
            .use_local_subchannel_pool(true)
            // The requester's retries are the policy of all systems. Those of C-core keep a
            // copy of every request for a second attempt: an eighth of the client's CPU time.
            .enable_retry(false)
            .max_receive_message_len(length_limit(who.max_message))
            .connect(&to.to_string());
        let (client, max_message) = (Client::new(channel), who.max_message);
        Channel { client, to, max_message, broken: AtomicBool::new(false) }
    }

    /// What a call that failed means for the echo that it carried.
    pub fn explain(&self, error: grpcio::Error, who: &ClientSpec) -> EchoError {
        let disconnected = |why| {
            // C-core would come back to it by a schedule of its own.
            self.broken.store(true, Ordering::Relaxed);
            EchoError::Disconnected(why)
        };
        let grpcio::Error::RpcFailure(status) = error else {
            return disconnected(error.to_string());
        };
        match status.code() {
            RpcStatusCode::DEADLINE_EXCEEDED => EchoError::Timeout(who.timeout),
            // A server that stops cancels what it has not answered.
            RpcStatusCode::UNAVAILABLE | RpcStatusCode::CANCELLED => {
                disconnected(status.message().to_owned())
            }
            code => EchoError::Refused(format!("{code}: {}", status.message())),
        }
    }
}
