//! Compares the tcp server with a minimal echo server: one thread, epoll, and replies that are a
//! copy of the request. Prints the throughput ratio for each tuning of the tcp server.
//!
//! ```text
//! cargo bench --bench bare_epoll
//! ```
//!
//! The servers take turns in PASSES passes (default: 6). Each trial starts a new server and loads
//! it with CLIENTS clients (default: 24) of the lean driver. The minimal server is this program,
//! started in the same way as `echometer serve`.

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
    if arguments.get(1).is_some_and(|command| command == "serve") {
        return serve(&arguments);
    }
    if common::is_test_run() {
        return Ok(());
    }
    let (passes, clients) = (common::env_or("PASSES", 6)?, common::env_or("CLIENTS", 24)?);
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
        let mut throughputs = [0.0; 3];
        for turn in 0..3 {
            // Six passes cover all six orders.
            let n = if pass % 2 == 0 { (pass + turn) % 3 } else { (pass + 3 - turn) % 3 };
            throughputs[n] = common::throughput(tcp, servers[n].clone(), load.clone())?;
        }
        let [default, tuned, bare] = throughputs;
        let (default_ratio, tuned_ratio) = (default / bare, tuned / bare);
        eprintln!(
            "tcp {default:.0}/s ({default_ratio:.3}), tuned {tuned:.0}/s ({tuned_ratio:.3}), \
             minimal {bare:.0}/s"
        );
        default_ratios.push(default_ratio);
        tuned_ratios.push(tuned_ratio);
    }
    println!("default {:.4}", common::median(default_ratios));
    println!("throughput {:.4}", common::median(tuned_ratios));
    Ok(())
}

/// Runs the minimal server with the interface of `echometer serve tcp`.
fn serve(arguments: &[String]) -> Result<()> {
    let metrics = arguments.iter().skip_while(|argument| *argument != "--metrics").nth(1);
    let mut metrics = metrics.map(|path| JsonLines::open(path.as_ref())).transpose()?;
    let (signals, signal_writer) = std::os::unix::net::UnixStream::pair()?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGTERM, signal_writer)?;
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&signals);
    poll.registry().register(&mut SourceFd(&fd), SIGNAL, Interest::READABLE)?;
    println!("listening {}", listener.local_addr()?);
    let accesses = echo(&mut poll, &listener)?;
    let mut line =
        ServerLine::new("tcp", "bare", ServerOptions::default(), &ServerTally::default());
    line.accesses = accesses;
    metrics.as_mut().map_or(Ok(()), |metrics| metrics.append(&[line]))
}

/// Sends back each request until SIGTERM. Returns the number of requests.
fn echo(poll: &mut Poll, listener: &TcpListener) -> Result<u64> {
    let (mut streams, mut next_id, mut accesses) = (HashMap::<usize, TcpStream>::new(), 0, 0);
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            match event.token() {
                SIGNAL => return Ok(accesses),
                LISTENER => {
                    while let Ok((mut stream, _)) = listener.accept() {
                        stream.set_nodelay(true)?;
                        poll.registry().register(
                            &mut stream,
                            Token(next_id),
                            Interest::READABLE,
                        )?;
                        streams.insert(next_id, stream);
                        next_id += 1;
                    }
                }
                Token(id) => {
                    let Some(stream) = streams.get_mut(&id) else { continue };
                    match stream.read(&mut buffer) {
                        // A message of this size arrives in one piece and is sent in one piece.
                        Ok(length) if length > 0 => {
                            stream.write_all(&buffer[..length])?;
                            accesses += 1;
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        _ => drop(streams.remove(&id)),
                    }
                }
            }
        }
    }
}
