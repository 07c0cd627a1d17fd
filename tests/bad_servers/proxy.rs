//! A proxy between clients and a real server that injects faults into some connections.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, Scope};
use std::time::Duration;

use crate::common::{ANY_PORT, Wire};
use crate::faults::{Fault, FollowUp, Timing, request_stream};

/// Interval at which blocked reads and writes check whether the proxy is stopping.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Selects the fault of a connection by its number. Connection 0 is the client's probe.
pub type FaultSelector = dyn Fn(usize) -> Option<Fault> + Send + Sync;

/// The proxy. It is stopped and its threads are joined on drop.
pub struct FaultProxy {
    pub address: String,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    to: SocketAddr,
    wire: Wire,
    select: Box<FaultSelector>,
    connections: AtomicUsize,
    injected: AtomicUsize,
    stop: AtomicBool,
}

impl FaultProxy {
    pub fn start(
        to: &str,
        wire: Wire,
        select: impl Fn(usize) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(ANY_PORT).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            to: to.parse().unwrap(),
            wire,
            select: Box::new(select),
            connections: AtomicUsize::new(0),
            injected: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let for_acceptor = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || for_acceptor.accept(&listener));
        FaultProxy { address, shared, acceptor: Some(acceptor) }
    }

    /// Number of connections so far, including the probe.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Number of injected faults.
    pub fn injected(&self) -> usize {
        self.shared.injected.load(Ordering::SeqCst)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect(&self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let ended = acceptor.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the proxy panicked");
        }
    }
}

impl Shared {
    fn accept(&self, listener: &TcpListener) {
        std::thread::scope(|scope| {
            for client in listener.incoming().map_while(Result::ok) {
                if self.stop.load(Ordering::SeqCst) {
                    return;
                }
                let number = self.connections.fetch_add(1, Ordering::SeqCst);
                let fault = (self.select)(number);
                scope.spawn(move || self.forward(scope, client, fault));
            }
        });
    }

    fn forward<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        client: TcpStream,
        fault: Option<Fault>,
    ) {
        let Ok(server) = TcpStream::connect(self.to) else { return };
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(POLL_INTERVAL)).unwrap();
            stream.set_write_timeout(Some(POLL_INTERVAL)).unwrap();
        }
        let phase = Mutex::new(Phase::Forwarding);
        let connection = Arc::new(Connection { shared: self, client, server, fault, phase });
        if fault.is_some_and(|fault| fault.at == 0) {
            *connection.phase.lock().unwrap() = Phase::Detached;
            connection.inject(0, &[]);
        }
        let down = Arc::clone(&connection);
        scope.spawn(move || down.server_to_client());
        connection.client_to_server();
    }

    /// Waits for data. Returns an empty slice if the connection or the proxy ended.
    fn read<'a>(&self, mut stream: &TcpStream, buffer: &'a mut [u8]) -> &'a [u8] {
        loop {
            match stream.read(buffer) {
                Ok(length) => return &buffer[..length],
                Err(error) if is_timeout(&error) && !self.stop.load(Ordering::SeqCst) => {}
                Err(_) => return &[],
            }
        }
    }

    /// Writes all bytes. Returns false if the connection or the proxy ended first.
    fn write(&self, mut stream: &TcpStream, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match stream.write(bytes) {
                Ok(length) => bytes = &bytes[length..],
                Err(error) if is_timeout(&error) && !self.stop.load(Ordering::SeqCst) => {}
                Err(_) => return false,
            }
        }
        true
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Progress of a connection towards its fault.
#[derive(Clone, Copy)]
enum Phase {
    Forwarding,
    /// The fault follows the reply on this stream.
    AfterReply(u32),
    /// Nothing is forwarded in either direction any more.
    Detached,
}

struct Connection<'a> {
    shared: &'a Shared,
    client: TcpStream,
    server: TcpStream,
    fault: Option<Fault>,
    phase: Mutex<Phase>,
}

impl Connection<'_> {
    fn client_to_server(&self) {
        let (mut buffer, mut requests) = (vec![0; 1 << 16], 0);
        loop {
            let bytes = self.shared.read(&self.client, &mut buffer);
            if bytes.is_empty() {
                break;
            }
            if self.is_forwarding()
                && let Some(stream) = request_stream(self.shared.wire, bytes)
            {
                requests += 1;
                self.on_request(requests, stream);
            }
            // Once the fault has been injected, the real server must not receive requests.
            if self.is_forwarding() && !self.shared.write(&self.server, bytes) {
                break;
            }
        }
        // Ends the thread of the other direction, too.
        let _ = self.server.shutdown(Shutdown::Both);
        let _ = self.client.shutdown(Shutdown::Both);
    }

    fn is_forwarding(&self) -> bool {
        !matches!(*self.phase.lock().unwrap(), Phase::Detached)
    }

    /// Called before the request with this number is forwarded.
    fn on_request(&self, number: u32, stream: u32) {
        let Some(fault) = self.fault.filter(|fault| fault.at == number) else { return };
        let mut phase = self.phase.lock().unwrap();
        if fault.timing == Timing::After {
            *phase = Phase::AfterReply(stream);
            return;
        }
        if fault.follow_up != FollowUp::Continue {
            *phase = Phase::Detached;
        }
        self.inject(stream, &[]);
    }

    fn server_to_client(&self) {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let bytes = self.shared.read(&self.server, &mut buffer);
            if bytes.is_empty() {
                break;
            }
            let mut phase = self.phase.lock().unwrap();
            if matches!(*phase, Phase::Detached) {
                continue;
            }
            if !self.shared.write(&self.client, bytes) {
                break;
            }
            if let Phase::AfterReply(stream) = *phase {
                *phase = Phase::Forwarding;
                self.inject(stream, bytes);
            }
        }
    }

    fn inject(&self, stream: u32, reply: &[u8]) {
        let Some(fault) = self.fault else { return };
        self.shared.injected.fetch_add(1, Ordering::SeqCst);
        let bytes = (fault.bytes)(stream, reply);
        match fault.follow_up {
            FollowUp::Continue | FollowUp::Silence => drop(self.shared.write(&self.client, &bytes)),
            FollowUp::Close => {
                self.shared.write(&self.client, &bytes);
                let _ = self.client.shutdown(Shutdown::Write);
            }
            FollowUp::Flood => {
                let many = bytes.repeat((1 << 16) / bytes.len());
                while self.shared.write(&self.client, &many) {}
            }
        }
    }
}
