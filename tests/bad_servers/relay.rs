//! A relay between clients and a real server, which does harm to some connections.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, Scope};
use std::time::Duration;

use crate::common::{ANY_PORT, Wire};
use crate::harm::{Harm, Moment, Then, asks};

/// How often those who wait look whether it is over.
const LOOK: Duration = Duration::from_millis(20);

/// Which harm the connection of this number meets, from 0: the first one is a probe.
pub type Choice = dyn Fn(usize) -> Option<Harm> + Send + Sync;

/// A relay, stopped and joined when it is dropped.
pub struct Relay {
    pub address: String,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    to: SocketAddr,
    wire: Wire,
    choice: Box<Choice>,
    connections: AtomicUsize,
    struck: AtomicUsize,
    stop: AtomicBool,
}

impl Relay {
    pub fn start(
        to: &str,
        wire: Wire,
        choice: impl Fn(usize) -> Option<Harm> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(ANY_PORT).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            to: to.parse().unwrap(),
            wire,
            choice: Box::new(choice),
            connections: AtomicUsize::new(0),
            struck: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let for_acceptor = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || for_acceptor.accept(&listener));
        Relay { address, shared, acceptor: Some(acceptor) }
    }

    /// How many connections there were, the probe included.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How often it did harm.
    pub fn struck(&self) -> usize {
        self.shared.struck.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect(&self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let ended = acceptor.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the relay panicked");
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
                let harm = (self.choice)(number);
                scope.spawn(move || self.relay(scope, client, harm));
            }
        });
    }

    fn relay<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        client: TcpStream,
        harm: Option<Harm>,
    ) {
        let Ok(server) = TcpStream::connect(self.to) else { return };
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(LOOK)).unwrap();
            stream.set_write_timeout(Some(LOOK)).unwrap();
        }
        let state = Mutex::new(State::Good);
        let relayed = Arc::new(Relayed { shared: self, client, server, harm, state });
        if harm.is_some_and(|harm| harm.at == 0) {
            *relayed.state.lock().unwrap() = State::Struck;
            relayed.strike(0, &[]);
        }
        let down = Arc::clone(&relayed);
        scope.spawn(move || down.server_to_client());
        relayed.client_to_server();
    }

    /// Reads until there is something, or it is over: then there is nothing.
    fn read<'a>(&self, mut stream: &TcpStream, space: &'a mut [u8]) -> &'a [u8] {
        loop {
            match stream.read(space) {
                Ok(length) => return &space[..length],
                Err(error) if is_wait(&error) && !self.stop.load(Ordering::SeqCst) => {}
                Err(_) => return &[],
            }
        }
    }

    /// Writes all of it, unless it is over, or the other side is.
    fn write(&self, mut stream: &TcpStream, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match stream.write(bytes) {
                Ok(length) => bytes = &bytes[length..],
                Err(error) if is_wait(&error) && !self.stop.load(Ordering::SeqCst) => {}
                Err(_) => return false,
            }
        }
        true
    }
}

fn is_wait(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// How far a connection is with its harm.
#[derive(Clone, Copy)]
enum State {
    Good,
    /// It comes behind the reply on this stream.
    Due(u32),
    /// What the server says does not reach the client any more.
    Struck,
}

struct Relayed<'a> {
    shared: &'a Shared,
    client: TcpStream,
    server: TcpStream,
    harm: Option<Harm>,
    state: Mutex<State>,
}

impl Relayed<'_> {
    fn client_to_server(&self) {
        let (mut space, mut requests) = (vec![0; 1 << 16], 0);
        loop {
            let said = self.shared.read(&self.client, &mut space);
            if said.is_empty() {
                break;
            }
            if self.is_good()
                && let Some(stream) = asks(self.shared.wire, said)
            {
                requests += 1;
                self.asked(requests, stream);
            }
            // What is asked of a bad server, the good one does not hear.
            if self.is_good() && !self.shared.write(&self.server, said) {
                break;
            }
        }
        // So that the other direction ends too.
        let _ = self.server.shutdown(Shutdown::Both);
        let _ = self.client.shutdown(Shutdown::Both);
    }

    fn is_good(&self) -> bool {
        !matches!(*self.state.lock().unwrap(), State::Struck)
    }

    /// The request of this number is about to be passed on.
    fn asked(&self, number: u32, stream: u32) {
        let Some(harm) = self.harm.filter(|harm| harm.at == number) else { return };
        let mut state = self.state.lock().unwrap();
        if harm.moment == Moment::Behind {
            *state = State::Due(stream);
            return;
        }
        if harm.then != Then::GoOn {
            *state = State::Struck;
        }
        self.strike(stream, &[]);
    }

    fn server_to_client(&self) {
        let mut space = vec![0; 1 << 16];
        loop {
            let said = self.shared.read(&self.server, &mut space);
            if said.is_empty() {
                break;
            }
            let mut state = self.state.lock().unwrap();
            if matches!(*state, State::Struck) {
                continue;
            }
            if !self.shared.write(&self.client, said) {
                break;
            }
            if let State::Due(stream) = *state {
                *state = State::Good;
                self.strike(stream, said);
            }
        }
    }

    fn strike(&self, stream: u32, reply: &[u8]) {
        let Some(harm) = self.harm else { return };
        self.shared.struck.fetch_add(1, Ordering::SeqCst);
        let bytes = (harm.bytes)(stream, reply);
        match harm.then {
            Then::GoOn | Then::Silence => drop(self.shared.write(&self.client, &bytes)),
            Then::Close => {
                self.shared.write(&self.client, &bytes);
                let _ = self.client.shutdown(Shutdown::Write);
            }
            Then::Again => {
                let many = bytes.repeat((1 << 16) / bytes.len());
                while self.shared.write(&self.client, &many) {}
            }
        }
    }
}
