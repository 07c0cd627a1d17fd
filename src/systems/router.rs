//! `router`: a ZeroMQ ROUTER in front, a proxy, and a pool of workers behind a DEALER.
//!
//! ```text
//! REQ clients --tcp--> ROUTER [proxy thread] DEALER --inproc or ipc--> REP, one per worker
//! ```

use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::{Client, Server, ServerOptions, System, zmq};
use crate::measure::ServerTally;
use crate::message::{Responder, Sequence};
use crate::os::threads;
use crate::spec::{Backend, ClientSpec, Endpoint, ServerSpec};
use crate::wire::{Codec, Zmtp};

pub struct Router;

impl System for Router {
    fn name(&self) -> &'static str {
        "router"
    }

    fn about(&self) -> &'static str {
        "ZeroMQ REQ to ROUTER, a proxy, and DEALER to a pool of REP workers"
    }

    fn serve(&self, spec: &ServerSpec) -> Result<Box<dyn Server>> {
        // Declared first, dropped last: the context waits for its sockets to be closed.
        let context = zmq::Context::new()?;
        let (frontend, endpoint) = zmq::bind(&context, ::zmq::ROUTER, self.name(), spec)?;
        let (backend, meeting_point, directory) = bind_backend(&context, spec.backend)?;
        let mut server = RouterServer {
            endpoint,
            context: Arc::clone(&context),
            proxy: None,
            workers: Vec::new(),
            _directory: directory,
        };
        for number in 1..=spec.workers.get() {
            server.start_worker(number, &meeting_point, spec)?;
        }
        server.proxy = Some(threads::start("proxy", move || relay(&frontend, &backend))?);
        Ok(Box::new(server))
    }

    fn connect(&self, to: &Endpoint, who: &ClientSpec) -> Result<Box<dyn Client>> {
        Ok(Box::new(zmq::Req::connect(to, who)?))
    }

    fn server_options(&self, spec: &ServerSpec) -> ServerOptions {
        ServerOptions {
            workers: Some(spec.workers.get()),
            backend: Some(spec.backend),
            ..ServerOptions::default()
        }
    }

    fn codec(&self, _to: &Endpoint, who: &ClientSpec) -> Option<Box<dyn Codec>> {
        Some(Box::new(Zmtp::new(who.max_message)))
    }

    fn library(&self) -> Option<String> {
        Some(zmq::library())
    }

    fn descriptors_per_client(&self) -> u64 {
        zmq::DESCRIPTORS_PER_CLIENT
    }
}

/// The DEALER socket, where the workers find it, and the directory that is to be kept for it.
fn bind_backend(
    context: &zmq::Context,
    backend: Backend,
) -> Result<(::zmq::Socket, String, Option<TempDir>)> {
    let dealer = context.socket(::zmq::DEALER)?;
    let directory = match backend {
        Backend::Inproc => None,
        // A directory of its own, for this user only: nobody else connects to it as a worker.
        Backend::Ipc => Some(
            tempfile::Builder::new()
                .prefix("echometer-")
                .tempdir()
                .context("cannot make a directory for the ipc backend; is TMPDIR writable?")?,
        ),
    };
    let meeting_point = match &directory {
        None => "inproc://workers".to_owned(),
        Some(directory) => format!("ipc://{}/workers", directory.path().display()),
    };
    dealer.bind(&meeting_point).with_context(|| format!("cannot bind {meeting_point}"))?;
    Ok((dealer, meeting_point, directory))
}

/// Passes messages between the two sockets until their context is shut down.
fn relay(frontend: &::zmq::Socket, backend: &::zmq::Socket) -> Result<()> {
    loop {
        match ::zmq::proxy(frontend, backend) {
            Ok(()) | Err(::zmq::Error::EINTR) => {}
            Err(::zmq::Error::ETERM) => return Ok(()),
            Err(error) => return Err(error).context("the proxy failed"),
        }
    }
}

struct RouterServer {
    endpoint: Endpoint,
    context: Arc<zmq::Context>,
    proxy: Option<JoinHandle<Result<()>>>,
    workers: Vec<JoinHandle<Result<ServerTally>>>,
    /// Removed when the server has stopped; the last field, so that the sockets are gone.
    _directory: Option<TempDir>,
}

impl RouterServer {
    fn start_worker(
        &mut self,
        number: usize,
        meeting_point: &str,
        spec: &ServerSpec,
    ) -> Result<()> {
        let socket = self.context.socket(::zmq::REP)?;
        socket.connect(meeting_point).with_context(|| format!("cannot reach {meeting_point}"))?;
        let name = format!("{}-{number}", spec.name);
        let responder = Responder::new(spec, Some(name), Sequence::Own(0));
        let work = move || zmq::answer(&socket, responder, usize::MAX);
        self.workers.push(threads::start(&format!("worker-{number}"), work)?);
        Ok(())
    }
}

impl Server for RouterServer {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn stop(mut self: Box<Self>) -> Result<ServerTally> {
        self.context.shut_down();
        self.proxy.take().map_or(Ok(()), threads::join)?;
        let mut all = ServerTally::default();
        for worker in self.workers.drain(..) {
            let tally = threads::join(worker)?;
            all.per_worker.push(tally.accesses);
            all.merge(tally);
        }
        Ok(all)
    }
}

impl Drop for RouterServer {
    fn drop(&mut self) {
        self.context.shut_down();
    }
}
