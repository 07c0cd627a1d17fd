//! `router`: a ZeroMQ ROUTER socket, a proxy, and a DEALER socket with a pool of workers.
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
        // Declared first, so dropped last: dropping the context waits until its sockets are closed.
        let context = zmq::Context::new()?;
        let (frontend, endpoint) = zmq::bind(&context, ::zmq::ROUTER, self.name(), spec)?;
        let (backend, backend_endpoint, directory) = bind_backend(&context, spec.backend)?;
        let mut server = RouterServer {
            endpoint,
            context: Arc::clone(&context),
            proxy: None,
            workers: Vec::new(),
            _directory: directory,
        };
        for number in 1..=spec.workers.get() {
            server.start_worker(number, &backend_endpoint, spec)?;
        }
        server.proxy = Some(threads::start("proxy", move || run_proxy(&frontend, &backend))?);
        Ok(Box::new(server))
    }

    fn connect(&self, to: &Endpoint, who: &ClientSpec) -> Result<Box<dyn Client>> {
        Ok(Box::new(zmq::ReqClient::connect(to, who)?))
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

/// Binds the DEALER socket. Returns it with its endpoint, and with the directory of an ipc socket,
/// which must be kept while the socket is in use.
fn bind_backend(
    context: &zmq::Context,
    backend: Backend,
) -> Result<(::zmq::Socket, String, Option<TempDir>)> {
    let dealer = context.socket(::zmq::DEALER)?;
    let directory = match backend {
        Backend::Inproc => None,
        // The directory is accessible only to this user: no other user can connect a worker.
        Backend::Ipc => Some(
            tempfile::Builder::new()
                .prefix("echometer-")
                .tempdir()
                .context("cannot create a directory for the ipc backend; is TMPDIR writable?")?,
        ),
    };
    let endpoint = match &directory {
        None => "inproc://workers".to_owned(),
        Some(directory) => format!("ipc://{}/workers", directory.path().display()),
    };
    dealer.bind(&endpoint).with_context(|| format!("cannot bind {endpoint}"))?;
    Ok((dealer, endpoint, directory))
}

/// Forwards messages between the two sockets until their context is shut down.
fn run_proxy(frontend: &::zmq::Socket, backend: &::zmq::Socket) -> Result<()> {
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
    /// Removed on drop. It is the last field because dropping `context` waits until the sockets are
    /// closed.
    _directory: Option<TempDir>,
}

impl RouterServer {
    fn start_worker(
        &mut self,
        number: usize,
        backend_endpoint: &str,
        spec: &ServerSpec,
    ) -> Result<()> {
        let socket = self.context.socket(::zmq::REP)?;
        socket
            .connect(backend_endpoint)
            .with_context(|| format!("cannot connect worker {number} to {backend_endpoint}"))?;
        let name = format!("{}-{number}", spec.name);
        let responder = Responder::new(spec, Some(name), Sequence::Own(0));
        let serve = move || zmq::serve_requests(&socket, responder, usize::MAX);
        self.workers.push(threads::start(&format!("worker-{number}"), serve)?);
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
        let mut total = ServerTally::default();
        for worker in self.workers.drain(..) {
            let tally = threads::join(worker)?;
            total.per_worker.push(tally.accesses);
            total.merge(tally);
        }
        Ok(total)
    }
}

impl Drop for RouterServer {
    fn drop(&mut self) {
        self.context.shut_down();
    }
}
