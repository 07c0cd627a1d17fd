//! `send`: sends messages one by one and prints the replies.

use anyhow::{Result, anyhow};

use super::{Outcome, print};
use crate::load::{self, CancelToken, RetryingClient};
use crate::message;
use crate::spec::{ClientSpec, Endpoint};
use crate::systems::System;

/// Options of `send`.
pub struct Send {
    /// The system of the server.
    pub system: &'static dyn System,
    /// The address of the server.
    pub address: Endpoint,
    /// The client.
    pub client: ClientSpec,
    /// The messages to send.
    pub messages: Vec<String>,
}

impl Send {
    pub(super) fn run(self) -> Result<Outcome> {
        let Send { system, address, client: spec, messages } = self;
        load::check_reachable(system, &address, spec.timeout)?;
        let cancel = CancelToken::default();
        let mut request = message::request(&spec.name, String::new(), 0);
        let mut client = RetryingClient::new(system, &address, spec, &cancel);
        for (i, text) in messages.into_iter().enumerate() {
            if i > 0 {
                request.advance();
            }
            request.set_text(text);
            let result = client.echo(&request);
            let reply = result.map_err(|error| anyhow!(client.explain(&request, &error)))?;
            print(&format!("{}\n", reply.message))?;
        }
        Ok(Outcome::Done)
    }
}
