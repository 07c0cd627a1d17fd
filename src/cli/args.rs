//! The command line as clap reads it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Command, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

use super::{contender, help, values};
use crate::commands::Format;
use crate::os::cpus::CpuChoice;
use crate::spec::{Arrivals, Backend, Channels, Endpoint, SliceLength, Tuning, Work};
use crate::systems::System;

/// Which messaging pattern carries more messages per second on your machines, from how
/// many clients on, and why?
#[derive(Parser)]
#[command(name = "echometer", version, after_help = help::overview(), max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    pub verb: CommandArgs,
}

#[derive(Subcommand)]
pub enum CommandArgs {
    /// Run a server until it is told to stop
    ///
    /// It prints 'listening ADDR' on stdout as soon as it accepts requests. It stops on
    /// SIGINT, SIGTERM, the end of --uptime, or the end of the process that started it; then
    /// it prints a summary on stderr.
    Serve(ServeArgs),
    /// Send messages one by one, and print the replies
    ///
    /// Fails at the first message that is not answered.
    Send(SendArgs),
    /// Measure one or more contenders with a number of clients
    ///
    /// A contender is a server under test: a system with its options, or any program that speaks
    /// the system's wire protocol. Every client sends its next request after the reply to the
    /// last one.
    ///
    /// A single contender is measured in one window of wall-clock time. Several contenders take
    /// turns in slices of 20 ms, in rounds of random order, so that drift and noisy neighbors
    /// affect all of them alike; slices that steal or other processes disturbed are left out. Each
    /// contender gets one row, and every slice one line in slices.csv.
    Bench(Box<BenchArgs>),
    /// Turn the rows of a directory into a verdict, tables and a page
    ///
    /// Reads DIR/results.csv, and DIR/slices.csv if it is there; prints the verdict and tables on
    /// stdout; writes DIR/report.html, one file with all figures, and DIR/throughput.svg.
    /// Differences are claimed from 5 slices or 3 trials on.
    Report(ReportArgs),
    /// Show what changed from one measurement to another
    ///
    /// Prints each point that both have, the change from A to B with its 95 % interval, and
    /// whether it is significant, corrected for the number of points. Both need 3 trials per
    /// point. Refuses to compare what was measured with different options.
    Compare(CompareArgs),
    /// Print a script that makes a shell complete verbs, flags and names
    Completions(CompletionsArgs),
    /// Write man pages of the command and of each verb
    ///
    /// They go to the directory DIR, which is made if it is not there.
    Man(ManArgs),
}

#[derive(ClapArgs)]
#[command(after_help = help::serve())]
pub struct ServeArgs {
    /// The system to serve
    #[arg(value_parser = values::system())]
    pub system: &'static dyn System,
    /// Where to listen; port 0 asks for a free one
    #[arg(short, long, value_name = "HOST:PORT", default_value = "127.0.0.1:4157")]
    pub addr: Endpoint,
    /// Stop after this time, as in 45s or 1m30s [default: never]
    #[arg(short, long, value_name = "TIME", value_parser = values::some_time, allow_hyphen_values = true)]
    pub uptime: Option<Duration>,
    /// Append one JSON line to this file at the end
    #[arg(short = 'o', long, visible_alias = "output", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub metrics: Option<PathBuf>,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// What a server is, whoever starts it.
#[derive(ClapArgs, Clone)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// The server's name, the sender of its replies [default: this host's name]
    #[arg(short, long)]
    pub name: Option<String>,
    /// Worker threads, for a system that has them
    #[arg(short, long, value_name = "N", default_value = "16", value_parser = values::count, allow_hyphen_values = true)]
    pub workers: NonZeroUsize,
    /// What lies between proxy and workers, for a system that has both
    #[arg(long, default_value_t, value_parser = values::one_of::<Backend>("backend"))]
    pub backend: Backend,
    /// Completion queues, for a system that has them [default: the CPUs it may run on]
    #[arg(long, value_name = "N", value_parser = values::queues, allow_hyphen_values = true)]
    pub completion_queues: Option<NonZeroUsize>,
    /// How the library and the threads are set: as they come, or for many messages
    #[arg(long, default_value_t, value_parser = values::one_of::<Tuning>("tuning"))]
    pub tuning: Tuning,
    /// What the handler does with each request beside answering it: none; spin:50us, which uses
    /// CPU time; or sleep:1ms, which waits
    #[arg(long, value_name = "WORK", default_value_t)]
    pub work: Work,
    /// The largest request that is read, and the largest reply that may be asked for
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = values::some_bytes, allow_hyphen_values = true)]
    pub max_message: usize,
}

impl ServerArgs {
    /// A server that runs already is what it is.
    pub fn only_with_spawn(bench: Command) -> Command {
        let server = ServerArgs::augment_args(Command::new("server"));
        server.get_arguments().fold(bench, |bench, argument| {
            bench.mut_arg(argument.get_id(), |argument| argument.conflicts_with("addr"))
        })
    }
}

/// How long a client waits, and how often it tries.
#[derive(ClapArgs)]
pub struct RetryArgs {
    /// How long to wait for a reply
    #[arg(short, long, value_name = "TIME", default_value = "5s", value_parser = values::some_time, allow_hyphen_values = true)]
    pub timeout: Duration,
    /// How often to send again, on a new connection, before an echo has failed
    #[arg(short, long, value_name = "N", default_value = "3")]
    pub retries: u32,
}

#[derive(ClapArgs)]
#[command(after_help = help::send())]
pub struct SendArgs {
    /// The system that the server speaks
    #[arg(value_parser = values::system())]
    pub system: &'static dyn System,
    /// Where the server listens
    #[arg(short, long, value_name = "HOST:PORT", default_value = "127.0.0.1:4157")]
    pub addr: Endpoint,
    /// The client's name [default: made of this host's name]
    #[arg(short, long)]
    pub name: Option<String>,
    #[command(flatten)]
    pub patience: RetryArgs,
    /// The largest reply that is read
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = values::some_bytes, allow_hyphen_values = true)]
    pub max_message: usize,
    /// What to send
    #[arg(required = true, value_name = "MESSAGE")]
    pub messages: Vec<String>,
}

#[derive(ClapArgs)]
#[command(after_help = help::bench())]
#[command(group = clap::ArgGroup::new("target").args(["addr", "spawn"]))]
pub struct BenchArgs {
    /// SYSTEM[,KEY=VALUE]...: a system and its options
    ///
    /// Keys: label, the contender's name in rows and reports; the server flags without dashes
    /// (name, workers, backend, completion-queues, tuning, work, max-message); addr=HOST:PORT, a
    /// server that is running already; pid=N, its process on this machine, to measure its CPU
    /// time, threads and memory; exec=COMMAND, which starts a server in any language. exec must
    /// come last. In COMMAND, {addr}, {host} and {port} stand for the address to listen on.
    #[arg(value_name = "CONTENDER", required = true, value_parser = contender::Parser, hide_possible_values = true)]
    pub contenders: Vec<contender::Typed>,
    /// Measure the server that is running there
    #[arg(short, long, value_name = "HOST:PORT")]
    pub addr: Option<Endpoint>,
    /// Start each server on a free port for the length of the trial
    #[arg(long)]
    pub spawn: bool,
    /// Time for a server of exec= to answer its first request
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::some_time, allow_hyphen_values = true)]
    pub ready_timeout: Duration,

    /// Concurrent clients, each with one request outstanding
    #[arg(short, long, value_name = "N", default_value = "1", value_parser = values::count, allow_hyphen_values = true)]
    pub clients: NonZeroUsize,
    /// Counted time of each contender
    #[arg(short, long, value_name = "TIME", default_value = "30s", value_parser = values::some_time, allow_hyphen_values = true)]
    pub duration: Duration,
    /// Time under load before counting begins; of each contender, if there are several
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = values::duration, allow_hyphen_values = true)]
    pub warmup: Duration,
    /// Length of a slice: auto (20 ms or 25 round trips, whichever is longer), or a time; also
    /// slices a single contender [default: auto for several contenders]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with = "rate")]
    pub slice: Option<SliceLength>,
    /// Seed of the random order of contenders [default: a new one]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Each client's pause between a reply and its next request, as in 300us
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = values::duration, allow_hyphen_values = true)]
    pub think: Duration,
    /// So many requests per second, of all clients together, due whether or not the last was
    /// answered; latency is then measured from when they were due [default: none]
    #[arg(long, value_name = "PER_S", value_parser = values::rate, allow_hyphen_values = true, conflicts_with = "think")]
    pub rate: Option<f64>,
    /// When requests of a --rate are due
    #[arg(long, default_value_t, value_parser = values::one_of::<Arrivals>("kind of arrivals"), requires = "rate")]
    pub arrivals: Arrivals,
    /// The size of the request's text
    #[arg(long, value_name = "BYTES", default_value = "64", value_parser = values::payload, allow_hyphen_values = true)]
    pub payload: usize,
    /// The size to which the reply's text is padded; 0: not padded
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = values::reply_bytes, allow_hyphen_values = true)]
    pub reply_payload: u32,
    #[command(flatten)]
    pub patience: RetryArgs,
    /// What plays the clients: native, the framework's own, a thread each; or lean, the wire
    /// spoken directly, many on a thread
    #[arg(long, value_name = "DRIVER", default_value = "native", value_parser = ["native", "lean"])]
    pub driver: String,
    /// Threads of the lean driver [default: one for each CPU of the clients]
    #[arg(long, value_name = "N", value_parser = values::count, allow_hyphen_values = true)]
    pub threads: Option<NonZeroUsize>,
    /// Channels of the native clients, for a system that has them: one for each, or one for all
    #[arg(long, default_value_t, value_parser = values::one_of::<Channels>("choice of channels"))]
    pub channels: Channels,

    /// CPUs of the server: auto (the first), all, or a list such as 0,2-3
    #[arg(long, value_name = "CPUS", default_value = "auto", conflicts_with = "addr")]
    pub server_cpus: CpuChoice,
    /// CPUs of the clients: auto (those that the server does not have), all, or a list
    #[arg(long, value_name = "CPUS", default_value = "auto")]
    pub client_cpus: CpuChoice,

    /// Number of trials; each starts new servers and writes one row per contender
    #[arg(long, value_name = "N", default_value = "1", value_parser = values::count, allow_hyphen_values = true)]
    pub trials: NonZeroUsize,
    /// Repeat until the 95 % confidence interval is within ±PERCENT of the mean (5 to 20 trials)
    #[arg(long, value_name = "PERCENT", value_parser = values::percent, allow_hyphen_values = true, conflicts_with = "trials")]
    pub until: Option<f64>,

    /// Append the rows to this file; - is stdout. threads.csv, slices.csv and run.json are written
    /// next to it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub csv: Option<PathBuf>,
    /// Append one JSON line per client to this file
    #[arg(short = 'o', long, visible_alias = "output", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub results: Option<PathBuf>,
    /// Write the percentiles of latency to this file, as HdrHistogram's plotters read them
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub hgrm: Option<PathBuf>,
    /// The run that the row is part of [default: a new one]
    #[arg(long, value_name = "ID")]
    pub run_id: Option<String>,
    /// The command that makes the whole run, for run.json [default: this one]
    #[arg(long, value_name = "COMMAND")]
    pub run_command: Option<String>,
    /// The pass over all points that the first row is part of
    #[arg(long, value_name = "N", default_value = "1")]
    pub trial: u32,
    /// Print no summary, and of warnings only those that the row is not to be read without
    #[arg(short, long)]
    pub quiet: bool,

    #[command(flatten)]
    pub server: ServerArgs,
}

#[derive(ClapArgs)]
#[command(after_help = help::report())]
pub struct ReportArgs {
    /// The directory that holds results.csv; the report is written there
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub directory: PathBuf,
    /// Draw the points of this CSV file too, dotted; its columns: system, clients,
    /// `throughput_per_s`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub reference: Option<PathBuf>,
    /// Output format: html (a page, and tables on stdout), md (Markdown), or json (one object on
    /// stdout, described by docs/report.schema.json)
    #[arg(long, default_value_t, value_parser = values::one_of::<Format>("format"))]
    pub format: Format,
}

#[derive(ClapArgs)]
#[command(after_help = help::compare())]
pub struct CompareArgs {
    /// The directory of the first measurement
    #[arg(value_name = "DIR_A", value_hint = ValueHint::DirPath)]
    pub a: PathBuf,
    /// The directory of the second measurement
    #[arg(value_name = "DIR_B", value_hint = ValueHint::DirPath)]
    pub b: PathBuf,
    /// Exit with status 1 where a point lost more than this, and not by chance
    #[arg(long, value_name = "PERCENT", value_parser = values::percent, allow_hyphen_values = true)]
    pub fail_on_regression: Option<f64>,
    /// Compare even what was measured with different options
    #[arg(long)]
    pub anyway: bool,
}

#[derive(ClapArgs)]
#[command(after_help = help::completions())]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

#[derive(ClapArgs)]
#[command(after_help = help::man())]
pub struct ManArgs {
    /// Where to write them; `man` finds them in a directory called man1
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub directory: PathBuf,
}
