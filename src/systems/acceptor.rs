//! The thread that accepts connections, for servers whose library does not.

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

/// Thousands of clients may connect at once. The kernel caps the value at net.core.somaxconn.
const BACKLOG: i32 = 4096;

/// A listener and the thread that accepts its connections.
///
/// Dropping it stops it.
pub struct Acceptor {
    endpoint: Endpoint,
    listener: Arc<TcpListener>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Acceptor {
    /// Listens on the address of `spec`. Passes each connection, with Nagle's algorithm disabled,
    /// to `on_connection`.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound or the thread cannot be started.
    pub fn start(
        system: &str,
        spec: &ServerSpec,
        on_connection: impl FnMut(TcpStream) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        let address = spec.address.resolve()?;
        let listener = listen(address).map_err(|error| cannot_listen(system, address, &error))?;
        let endpoint = listener.local_addr()?.into();
        let (listener, stopping) = (Arc::new(listener), Arc::<AtomicBool>::default());
        let thread = threads::start("acceptor", {
            let (listener, stopping) = (Arc::clone(&listener), Arc::clone(&stopping));
            move || {
                accept(&listener, &stopping, on_connection);
                Ok(())
            }
        })?;
        Ok(Acceptor { endpoint, listener, stopping, thread: Some(thread) })
    }

    /// Returns the listening address, with the actual port.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Stops the thread. No connection is accepted after this has returned.
    ///
    /// # Errors
    ///
    /// If the thread cannot be woken, or if it panicked.
    pub fn stop(&mut self) -> Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.stopping.store(true, Ordering::Release);
        // shutdown(2) makes the blocked accept() fail. It works even if no file descriptor is left.
        SockRef::from(&*self.listener)
            .shutdown(Shutdown::Both)
            .context("cannot wake the acceptor thread")?;
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
    mut on_connection: impl FnMut(TcpStream) -> Result<()>,
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
                let configured = stream.set_nodelay(true).map_err(Into::into);
                if let Err(error) = configured.and_then(|()| on_connection(stream)) {
                    warn!("cannot serve the connection from {peer}: {error:#}");
                }
            }
            // The peer has already disconnected, or file descriptors have run out for now.
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    warn!("cannot accept a connection: {error}; retrying every 10 ms");
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
