//! A server with a known service rate or with known faults. It accepts the flags of
//! `echometer serve` and speaks the wire protocol of plain TCP, so that trials can run against
//! it. Its `--name` selects its behavior.
//!
//! Faults are injected at requests 100, 200, ... of each client. The metric `malformed` is the
//! number of injected faults.

mod service_slots;

use std::collections::HashMap;
use std::env;
use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use echometer::measure::ServerTally;
use echometer::message::{BasicMessage, Responder, Sequence, respond};
use echometer::os::process::{PidFd, wait_until_readable};
use echometer::os::threads;
use echometer::results::{JsonLines, ServerLine};
use echometer::spec::{Endpoint, ServerSpec};
use echometer::systems::ServerOptions;
use protobuf::Message;
use signal_hook::consts::SIGTERM;
use signal_hook::low_level::pipe;

use self::service_slots::{ServiceMode, ServiceSlots};

/// Requests of a client per injected fault.
const FAULT_INTERVAL: u64 = 100;

/// An unterminated varint, which is invalid protobuf.
const INVALID_PROTOBUF: &[u8] = &[0xff; 4];

/// How the server replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behavior {
    /// Correct replies.
    Correct,
    /// One slot, which spins for this service time.
    Spin(Duration),
    /// One slot per worker, each of which sleeps for this service time.
    Sleep(Duration),
    /// Correct replies while another thread spins.
    Burn,
    /// Counts the request but sends no reply.
    Drop,
    /// Ignores the request: neither counts it nor replies.
    Ignore,
    /// Sends the reply twice.
    Duplicate,
    /// Swaps the replies to this request and the next one.
    Reorder,
    /// Delays the reply by this time.
    Late(Duration),
    /// Sends one correct reply but counts the request twice.
    CountTwice,
    /// Acknowledges the sequence of another client.
    OtherClient,
    /// Replies with invalid protobuf.
    Invalid,
}

impl Behavior {
    fn parse(text: &str) -> Result<Self> {
        let (name, time) = text.split_once(':').unwrap_or((text, "0s"));
        let time = humantime::parse_duration(time)?;
        let all = [
            ("correct", Behavior::Correct),
            ("spin", Behavior::Spin(time)),
            ("sleep", Behavior::Sleep(time)),
            ("burn", Behavior::Burn),
            ("drop", Behavior::Drop),
            ("ignore", Behavior::Ignore),
            ("duplicate", Behavior::Duplicate),
            ("reorder", Behavior::Reorder),
            ("late", Behavior::Late(time)),
            ("count-twice", Behavior::CountTwice),
            ("other-client", Behavior::OtherClient),
            ("invalid", Behavior::Invalid),
        ];
        let found = all.into_iter().find(|(known, _)| *known == name);
        found
            .map(|(_, behavior)| behavior)
            .with_context(|| format!("there is no behavior '{text}'"))
    }

    /// Whether a fault is injected at this request.
    fn injects_fault_at(self, sequence: u64) -> bool {
        match self {
            Behavior::Correct | Behavior::Spin(_) | Behavior::Sleep(_) | Behavior::Burn => false,
            Behavior::Reorder => {
                sequence > FAULT_INTERVAL && sequence % FAULT_INTERVAL == 1
                    || sequence.is_multiple_of(FAULT_INTERVAL)
            }
            _ => sequence.is_multiple_of(FAULT_INTERVAL),
        }
    }
}

/// The value of a flag, given as `--flag=value` or `--flag value`. Other flags are ignored.
fn flag(name: &str) -> Result<String> {
    let mut arguments = env::args();
    let value = arguments.find_map(|argument| match argument.strip_prefix(name)? {
        "" => Some(None),
        rest => rest.strip_prefix('=').map(|value| Some(value.to_owned())),
    });
    value
        .and_then(|value| value.or_else(|| arguments.next()))
        .with_context(|| format!("{name} is missing"))
}

fn main() -> Result<()> {
    let behavior = Behavior::parse(&flag("--name")?)?;
    let mut metrics = JsonLines::open(Path::new(&flag("--metrics")?))?;
    let address: Endpoint = flag("--addr")?.parse().map_err(|error: String| anyhow!(error))?;
    let server = Arc::new(Server::new(behavior, flag("--workers")?.parse()?));
    let (stop, signals) = UnixStream::pair()?;
    pipe::register(SIGTERM, signals)?;
    // The server must not outlive the test that started it, even if the test is killed.
    let parent = PidFd::open(nix::unistd::getppid().as_raw())?;
    let listener = TcpListener::bind(address.resolve()?)?;
    println!("listening {}", listener.local_addr()?);
    if behavior == Behavior::Burn {
        threads::start("burn", || {
            loop {
                std::hint::spin_loop();
            }
        })?;
    }
    let accepting = Arc::clone(&server);
    threads::start("acceptor", move || accepting.accept(&listener))?;
    wait_until_readable([stop.as_fd(), parent.as_fd()], None)?;
    // The other threads end with the process. Their counters are behind locks.
    metrics.append(&[server.metrics_line()])
}

struct Server {
    behavior: Behavior,
    slots: Option<ServiceSlots>,
    /// One per connection, open or closed.
    responders: Mutex<Vec<Arc<Mutex<Responder>>>>,
    /// Last sequence of each client.
    seen: Mutex<HashMap<String, u64>>,
    faults: AtomicU64,
}

impl Server {
    fn new(behavior: Behavior, workers: usize) -> Self {
        let slots = match behavior {
            Behavior::Spin(service) => Some(ServiceSlots::new(1, ServiceMode::Spin, service)),
            Behavior::Sleep(service) => {
                Some(ServiceSlots::new(workers, ServiceMode::Sleep, service))
            }
            _ => None,
        };
        let (responders, seen) = (Mutex::default(), Mutex::default());
        Server { behavior, slots, responders, seen, faults: AtomicU64::new(0) }
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) -> Result<()> {
        for stream in listener.incoming() {
            let (server, stream) = (Arc::clone(self), stream?);
            // The thread ends with an error when the client disconnects, which is expected.
            threads::start("connection", move || server.serve_connection(stream))?;
        }
        Ok(())
    }

    fn serve_connection(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let responder = Responder::new(&ServerSpec::named("scripted"), None, Sequence::Own(0));
        let responder = Arc::new(Mutex::new(responder));
        lock(&self.responders).push(Arc::clone(&responder));
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            let request = read_frame(&mut reader)?;
            let arrived = Instant::now();
            let replies = self.replies_to(&request, &mut lock(&responder));
            match &self.slots {
                Some(slots) => slots.serve(arrived, || stream.write_all(&replies)),
                None => stream.write_all(&replies),
            }?;
        }
    }

    /// The frames to write in reply to a request: zero, one or two.
    fn replies_to(&self, request: &[u8], responder: &mut Responder) -> Vec<u8> {
        let message = BasicMessage::parse_from_bytes(request).expect("clients send messages");
        let others = self.others_sequence(&message);
        let is_faulty = self.behavior.injects_fault_at(message.sequence);
        self.faults.fetch_add(u64::from(is_faulty), Ordering::Relaxed);
        if is_faulty && self.behavior == Behavior::Ignore {
            return Vec::new();
        }
        let mut reply = Vec::new();
        respond(responder, request, &mut reply).expect("the tests' requests are valid");
        if !is_faulty {
            return framed(&reply);
        }
        match self.behavior {
            Behavior::Drop => Vec::new(),
            Behavior::Duplicate => framed(&reply).repeat(2),
            Behavior::CountTwice => {
                let mut unsent = Vec::new();
                respond(responder, request, &mut unsent).expect("it was answered before");
                framed(&reply)
            }
            Behavior::Reorder if message.sequence.is_multiple_of(FAULT_INTERVAL) => {
                framed(&acknowledging(&reply, message.sequence + 1))
            }
            Behavior::Reorder => framed(&acknowledging(&reply, message.sequence - 1)),
            Behavior::Late(by) => {
                std::thread::sleep(by);
                framed(&reply)
            }
            Behavior::OtherClient => {
                framed(&acknowledging(&reply, others.expect("there is another client")))
            }
            Behavior::Invalid => framed(INVALID_PROTOBUF),
            _ => framed(&reply),
        }
    }

    /// A sequence that another client has sent and that differs by at least 2 from this client's
    /// own, so that it cannot be mistaken for a recent request of this client.
    fn others_sequence(&self, message: &BasicMessage) -> Option<u64> {
        let mut seen = lock(&self.seen);
        seen.insert(message.sender.clone(), message.sequence);
        let (_, last) = seen.iter().find(|(sender, _)| **sender != message.sender)?;
        Some(if last.abs_diff(message.sequence) < 2 {
            message.sequence.saturating_sub(2)
        } else {
            *last
        })
    }

    fn metrics_line(&self) -> ServerLine {
        let mut all = ServerTally::default();
        for responder in lock(&self.responders).iter() {
            all.merge(lock(responder).take_tally());
        }
        all.malformed = self.faults.load(Ordering::Relaxed);
        ServerLine::new("scripted", &format!("{:?}", self.behavior), ServerOptions::default(), &all)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn acknowledging(reply: &[u8], sequence: u64) -> Vec<u8> {
    let mut reply = BasicMessage::parse_from_bytes(reply).expect("a reply is a message");
    reply.acknowledges = sequence;
    reply.write_to_bytes().expect("a message encodes into memory")
}

fn read_frame(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    reader.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    reader.read_exact(&mut body)?;
    Ok(body)
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("a short message");
    [&length.to_be_bytes(), bytes].concat()
}
