//! The least that an echo server can do: one thread, epoll, and the request sent back as it
//! came. What the tcp server carries over what this carries is printed for each of its tunings.
//!
//! ```text
//! cargo bench --bench bare_epoll
//! ```
//!
//! All take turns, in PASSES passes, under the lean driver with CLIENTS clients, each trial with
//! a fresh server; the bare one is this program again, started as `echometer serve` is.

mod common;

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow};
use echometer::measure::ServerTally;
use echometer::results::{JsonLines, ServerLine};
use echometer::spec::{Driver, Tuning};
use echometer::systems::{self, ServerOptions};
use mio::net::{TcpListener, TcpStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);
const SIGNAL: Token = Token(usize::MAX - 1);

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().collect();
    if arguments.get(1).is_some_and(|verb| verb == "serve") {
        return serve(&arguments);
    }
    if common::asked_by_cargo() {
        return Ok(());
    }
    let (passes, clients) = (common::setting("PASSES", 6)?, common::setting("CLIENTS", 24)?);
    let tcp = systems::find("tcp").map_err(|error| anyhow!(error))?;
    let load = common::load(Driver::Lean { threads: None }, clients, Duration::from_secs(1))?;
    let echometer = PathBuf::from(env!("CARGO_BIN_EXE_echometer"));
    let servers = [
        (echometer.clone(), Tuning::Default),
        (echometer, Tuning::Throughput),
        (std::env::current_exe()?, Tuning::Default),
    ];
    let (mut default_ratios, mut tuned_ratios) = (Vec::new(), Vec::new());
    for pass in 0..passes {
        let mut carried = [0.0; 3];
        for turn in 0..3 {
            // In six passes, all orders that there are.
            let n = if pass % 2 == 0 { (pass + turn) % 3 } else { (pass + 3 - turn) % 3 };
            carried[n] = common::throughput(tcp, servers[n].clone(), load.clone())?;
        }
        let [default, tuned, bare] = carried;
        let (default_ratio, tuned_ratio) = (default / bare, tuned / bare);
        eprintln!(
            "{default:.0}/s tcp, {tuned:.0}/s tuned, {bare:.0}/s bare: {default_ratio:.3}, {tuned_ratio:.3}"
        );
        default_ratios.push(default_ratio);
        tuned_ratios.push(tuned_ratio);
    }
    println!("default {:.4}", common::median(default_ratios));
    println!("throughput {:.4}", common::median(tuned_ratios));
    Ok(())
}

/// Plays `echometer serve tcp`, and sends back what comes.
fn serve(arguments: &[String]) -> Result<()> {
    let metrics = arguments.iter().skip_while(|argument| *argument != "--metrics").nth(1);
    let mut metrics = metrics.map(|path| JsonLines::open(path.as_ref())).transpose()?;
    let (signals, told) = std::os::unix::net::UnixStream::pair()?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGTERM, told)?;
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&signals);
    poll.registry().register(&mut SourceFd(&fd), SIGNAL, Interest::READABLE)?;
    println!("listening {}", listener.local_addr()?);
    let answered = echo(&mut poll, &listener)?;
    let mut line =
        ServerLine::new("tcp", "bare", ServerOptions::default(), &ServerTally::default());
    line.accesses = answered;
    metrics.as_mut().map_or(Ok(()), |metrics| metrics.append(&[line]))
}

/// Sends back what comes until it is told to stop: how many times.
fn echo(poll: &mut Poll, listener: &TcpListener) -> Result<u64> {
    let (mut streams, mut opened, mut answered) = (HashMap::<usize, TcpStream>::new(), 0, 0);
    let mut events = Events::with_capacity(1024);
    let mut space = vec![0; 64 * 1024];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            match event.token() {
                SIGNAL => return Ok(answered),
                LISTENER => {
                    while let Ok((mut stream, _)) = listener.accept() {
                        stream.set_nodelay(true)?;
                        poll.registry().register(&mut stream, Token(opened), Interest::READABLE)?;
                        streams.insert(opened, stream);
                        opened += 1;
                    }
                }
                Token(number) => {
                    let Some(stream) = streams.get_mut(&number) else { continue };
                    match stream.read(&mut space) {
                        // A message of this size comes in one piece, and leaves in one.
                        Ok(length) if length > 0 => {
                            stream.write_all(&space[..length])?;
                            answered += 1;
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        _ => drop(streams.remove(&number)),
                    }
                }
            }
        }
    }
}
