//! Accepting connections, for the servers that do so themselves.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use log::warn;
use socket2::{Domain, SockRef, Socket, Type};

use super::cannot_listen;
use crate::os::threads;
use crate::spec::{Endpoint, ServerSpec};

/// A thousand clients may come at once; the kernel bounds it with net.core.somaxconn.
const BACKLOG: i32 = 4096;

/// A listener, and the thread that accepts what comes to it.
///
/// Dropped, it stops.
pub struct Acceptor {
    endpoint: Endpoint,
    listener: Arc<TcpListener>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Acceptor {
    /// Listens on the address of `spec`, and gives each connection, without Nagle's delay, to
    /// `open`.
    ///
    /// # Errors
    ///
    /// Where the address cannot be bound, or the thread cannot be started.
    pub fn start(
        system: &str,
        spec: &ServerSpec,
        open: impl FnMut(TcpStream) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        let address = spec.address.resolve()?;
        let listener = listen(address).map_err(|error| cannot_listen(system, address, &error))?;
        let endpoint = listener.local_addr()?.into();
        let (listener, stopping) = (Arc::new(listener), Arc::<AtomicBool>::default());
        let thread = threads::start("acceptor", {
            let (listener, stopping) = (Arc::clone(&listener), Arc::clone(&stopping));
            move || {
                accept(&listener, &stopping, open);
                Ok(())
            }
        })?;
        Ok(Acceptor { endpoint, listener, stopping, thread: Some(thread) })
    }

    /// Where it listens, with the port that it really has.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Ends it: no connection is opened after this has returned.
    ///
    /// # Errors
    ///
    /// Where the thread cannot be woken, or panicked.
    pub fn stop(&mut self) -> Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.stopping.store(true, Ordering::Release);
        // It sleeps in accept(), which then fails. Needs no descriptor: there may be none left.
        SockRef::from(&*self.listener)
            .shutdown(Shutdown::Both)
            .context("cannot wake the thread that accepts connections")?;
        threads::join(thread)
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            warn!("{error:#}");
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn accept(
    listener: &TcpListener,
    stopping: &AtomicBool,
    mut open: impl FnMut(TcpStream) -> Result<()>,
) {
    let mut failing = false;
    loop {
        let accepted = listener.accept();
        if stopping.load(Ordering::Acquire) {
            return;
        }
        match accepted {
            Ok((stream, peer)) => {
                failing = false;
                let opened = stream.set_nodelay(true).map_err(Into::into);
                if let Err(error) = opened.and_then(|()| open(stream)) {
                    warn!("cannot serve the connection from {peer}: {error:#}");
                }
            }
            // The peer has gone already, or descriptors are lacking for a while.
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    warn!("cannot accept a connection, and goes on trying: {error}");
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
