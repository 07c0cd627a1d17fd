//! A server whose speed and whose lies are known. It is started as `echometer serve` is, over
//! the wire of plain TCP, so that whole trials can be run against it; its name is its manner.
//!
//! Lies are told of the requests 100, 200, ... of each client. What it leaves as `malformed`
//! is how many it has told.

mod desks;

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
use echometer::os::process::{ProcessEnd, wait_for_any};
use echometer::os::threads;
use echometer::results::{JsonLines, ServerLine};
use echometer::spec::{Endpoint, ServerSpec};
use echometer::systems::ServerOptions;
use protobuf::Message;
use signal_hook::consts::SIGTERM;
use signal_hook::low_level::pipe;

use self::desks::{Desks, Pass};

/// Of how many requests of a client one is lied about.
const ONE_IN: u64 = 100;

/// A number that goes on and does not: no message of protobuf.
const RUBBISH: &[u8] = &[0xff; 4];

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// As it should.
    Honest,
    /// At one desk, which spins.
    Spin(Duration),
    /// At as many desks as there are workers, which sleep.
    Wait(Duration),
    /// As it should, while another thread uses up the CPU.
    Burn,
    /// Counts a request as answered, and does not answer it.
    Drop,
    /// Neither counts nor answers a request.
    Deaf,
    /// Answers twice.
    Double,
    /// Answers a request with what belongs to the next, and the next with what belonged to it.
    Reorder,
    /// Answers after so long.
    Late(Duration),
    /// Answers with the sequence of another client.
    Other,
    /// Answers with what is no message.
    Rubbish,
}

impl Manner {
    fn read(text: &str) -> Result<Self> {
        let (name, time) = text.split_once(':').unwrap_or((text, "0s"));
        let time = humantime::parse_duration(time)?;
        let all = [
            ("honest", Manner::Honest),
            ("spin", Manner::Spin(time)),
            ("wait", Manner::Wait(time)),
            ("burn", Manner::Burn),
            ("drop", Manner::Drop),
            ("deaf", Manner::Deaf),
            ("double", Manner::Double),
            ("reorder", Manner::Reorder),
            ("late", Manner::Late(time)),
            ("other", Manner::Other),
            ("rubbish", Manner::Rubbish),
        ];
        let found = all.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, manner)| manner).with_context(|| format!("'{text}' is no manner"))
    }

    /// Whether this request is lied about.
    fn lies_about(self, sequence: u64) -> bool {
        match self {
            Manner::Honest | Manner::Spin(_) | Manner::Wait(_) | Manner::Burn => false,
            Manner::Reorder => {
                sequence > ONE_IN && sequence % ONE_IN == 1 || sequence.is_multiple_of(ONE_IN)
            }
            _ => sequence.is_multiple_of(ONE_IN),
        }
    }
}

/// The value of a flag, as `--flag=value` or `--flag value`. Others are not looked at.
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
    let manner = Manner::read(&flag("--name")?)?;
    let mut metrics = JsonLines::open(Path::new(&flag("--metrics")?))?;
    let address: Endpoint = flag("--addr")?.parse().map_err(|error: String| anyhow!(error))?;
    let server = Arc::new(Server::new(manner, flag("--workers")?.parse()?));
    let (stop, signals) = UnixStream::pair()?;
    pipe::register(SIGTERM, signals)?;
    // It must not outlive the test that started it, however that ends.
    let parent = ProcessEnd::of(nix::unistd::getppid().as_raw())?;
    let listener = TcpListener::bind(address.resolve()?)?;
    println!("listening {}", listener.local_addr()?);
    if manner == Manner::Burn {
        threads::start("burn", || {
            loop {
                std::hint::spin_loop();
            }
        })?;
    }
    let accepting = Arc::clone(&server);
    threads::start("acceptor", move || accepting.accept(&listener))?;
    wait_for_any([stop.as_fd(), parent.as_fd()], None)?;
    // The other threads end with the process; what they counted is behind locks.
    metrics.append(&[server.line()])
}

struct Server {
    manner: Manner,
    desks: Option<Desks>,
    /// Of each connection, open or closed.
    responders: Mutex<Vec<Arc<Mutex<Responder>>>>,
    /// The last sequence of each client.
    seen: Mutex<HashMap<String, u64>>,
    lies: AtomicU64,
}

impl Server {
    fn new(manner: Manner, workers: usize) -> Self {
        let desks = match manner {
            Manner::Spin(service) => Some(Desks::new(1, Pass::Spin, service)),
            Manner::Wait(service) => Some(Desks::new(workers, Pass::Sleep, service)),
            _ => None,
        };
        let (responders, seen) = (Mutex::default(), Mutex::default());
        Server { manner, desks, responders, seen, lies: AtomicU64::new(0) }
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) -> Result<()> {
        for stream in listener.incoming() {
            let (server, stream) = (Arc::clone(self), stream?);
            // Ends when the client has gone, which is as it should be.
            threads::start("connection", move || server.converse(stream))?;
        }
        Ok(())
    }

    fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let responder = Responder::new(&ServerSpec::named("scripted"), None, Sequence::Own(0));
        let responder = Arc::new(Mutex::new(responder));
        lock(&self.responders).push(Arc::clone(&responder));
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            let request = read_frame(&mut reader)?;
            let arrived = Instant::now();
            let replies = self.answer(&request, &mut lock(&responder));
            match &self.desks {
                Some(desks) => desks.serve(arrived, || stream.write_all(&replies)),
                None => stream.write_all(&replies),
            }?;
        }
    }

    /// What to write in answer to a request: none, one or two frames.
    fn answer(&self, request: &[u8], responder: &mut Responder) -> Vec<u8> {
        let asked = BasicMessage::parse_from_bytes(request).expect("clients send messages");
        let others = self.others_sequence(&asked);
        let lies = self.manner.lies_about(asked.sequence);
        self.lies.fetch_add(u64::from(lies), Ordering::Relaxed);
        if lies && self.manner == Manner::Deaf {
            return Vec::new();
        }
        let mut reply = Vec::new();
        respond(responder, request, &mut reply).expect("requests of tests can be answered");
        if !lies {
            return framed(&reply);
        }
        match self.manner {
            Manner::Drop => Vec::new(),
            Manner::Double => framed(&reply).repeat(2),
            Manner::Reorder if asked.sequence.is_multiple_of(ONE_IN) => {
                framed(&acknowledging(&reply, asked.sequence + 1))
            }
            Manner::Reorder => framed(&acknowledging(&reply, asked.sequence - 1)),
            Manner::Late(by) => {
                std::thread::sleep(by);
                framed(&reply)
            }
            Manner::Other => framed(&acknowledging(&reply, others.expect("there is another"))),
            Manner::Rubbish => framed(RUBBISH),
            _ => framed(&reply),
        }
    }

    /// A sequence that another client has sent, and that cannot be taken for one that this
    /// client has just sent: for two clients in step the last one could.
    fn others_sequence(&self, asked: &BasicMessage) -> Option<u64> {
        let mut seen = lock(&self.seen);
        seen.insert(asked.sender.clone(), asked.sequence);
        let (_, last) = seen.iter().find(|(sender, _)| **sender != asked.sender)?;
        Some(if last.abs_diff(asked.sequence) < 2 {
            asked.sequence.saturating_sub(2)
        } else {
            *last
        })
    }

    fn line(&self) -> ServerLine {
        let mut all = ServerTally::default();
        for responder in lock(&self.responders).iter() {
            all.merge(lock(responder).take_tally());
        }
        all.malformed = self.lies.load(Ordering::Relaxed);
        ServerLine::new("scripted", &format!("{:?}", self.manner), ServerOptions::default(), &all)
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
