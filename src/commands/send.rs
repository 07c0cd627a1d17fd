//! `send`: sends messages one by one, and prints each reply.

use anyhow::{Result, anyhow};

use super::{Ending, print};
use crate::load::{self, CancelToken, RetryingClient};
use crate::message;
use crate::spec::{ClientSpec, Endpoint};
use crate::systems::System;

/// What to send.
pub struct Send {
    /// The system that the server speaks.
    pub system: &'static dyn System,
    /// Where it listens.
    pub to: Endpoint,
    /// Who sends.
    pub who: ClientSpec,
    /// What.
    pub messages: Vec<String>,
}

impl Send {
    pub(super) fn run(self) -> Result<Ending> {
        let Send { system, to, who, messages } = self;
        load::reach(system, &to, who.timeout)?;
        let stop = CancelToken::default();
        let mut request = message::request(&who.name, String::new(), 0);
        let mut requester = RetryingClient::new(system, &to, who, &stop);
        for (i, text) in messages.into_iter().enumerate() {
            if i > 0 {
                request.advance();
            }
            request.set_text(text);
            let answered = requester.echo(&request);
            let reply = answered.map_err(|error| anyhow!(requester.explain(&request, &error)))?;
            print(&format!("{}\n", reply.message))?;
        }
        Ok(Ending::Done)
    }
}
