//! The command line as clap defines it: commands, flags and their help texts.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Command, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

use super::{contender, help, values};
use crate::commands::Format;
use crate::os::cpus::CpuChoice;
use crate::os::network::NetworkKind;
use crate::spec::{Arrivals, Backend, Channels, Endpoint, SliceLength, Tuning, Work};
use crate::systems::System;

/// Measure which messaging pattern delivers more messages per second on your machines, from how
/// many clients on, and why
#[derive(Parser)]
#[command(name = "echometer", version, after_help = help::overview(), max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    pub command: CommandArgs,
}

#[derive(Subcommand)]
pub enum CommandArgs {
    /// Run a server
    ///
    /// Prints 'listening ADDR' on stdout as soon as the server accepts requests. The server stops
    /// on SIGINT, on SIGTERM, after --uptime, or when the process that started it exits. It then
    /// prints a summary on stderr.
    Serve(ServeArgs),
    /// Send messages one by one and print the replies
    ///
    /// Fails at the first message without a valid reply.
    Send(SendArgs),
    /// Measure one or more contenders under load
    ///
    /// A contender is a server under test: a system with its options, or any program that speaks
    /// the system's wire protocol. Unless --rate is set, each client sends its next request after
    /// the reply to the previous one (closed loop).
    ///
    /// A single contender is measured in one window of wall-clock time. Several contenders take
    /// turns in slices of 20 ms or more, in random order within each round. Drift and noisy
    /// neighbors therefore affect all contenders alike. Slices that steal or other processes
    /// disturbed are left out. Each contender gets one row, and each slice gets one line in
    /// slices.csv.
    Bench(Box<BenchArgs>),
    /// Create a report from measured rows: verdict, tables and figures
    ///
    /// Reads DIR/results.csv, and DIR/slices.csv if it exists. Prints the verdict and tables on
    /// stdout. Writes DIR/report.html, one file with all figures, and DIR/throughput.svg. A
    /// difference is claimed only if there are at least 5 slices or 3 trials.
    Report(ReportArgs),
    /// Compare two measurements, point by point
    ///
    /// Prints the change from A to B for each point that both have, with its 95 % confidence
    /// interval, and whether the change is significant, corrected for the number of points. A
    /// claim needs 3 trials per point on both sides. Measurements with different options are
    /// rejected.
    ///
    /// With --interleave, measures two builds of echometer against each other instead: their
    /// servers take turns in slices, so that drift of the machine affects both alike. The clients
    /// are those of this program. Prints the throughput of B over that of A for each contender.
    ///
    /// --fail-on-regression tests each ratio against the limit, with one-sided tests at 5 %. A
    /// point fails if its loss is significantly larger than the limit, corrected for the number of
    /// points, and passes if its loss is significantly smaller. Points and trials that A has and B
    /// lacks fail. If no point fails and one does not pass, the result is inconclusive.
    Compare(Box<CompareArgs>),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Write man pages for echometer and each command
    ///
    /// Creates DIR if it does not exist.
    Man(ManArgs),
}

#[derive(ClapArgs)]
#[command(after_help = help::serve())]
pub struct ServeArgs {
    /// System to serve
    #[arg(value_parser = values::system())]
    pub system: &'static dyn System,
    /// Address to listen on; port 0 selects a free port
    #[arg(short, long, value_name = "HOST:PORT", default_value = "127.0.0.1:4157")]
    pub addr: Endpoint,
    /// Run time of the server, as in 45s or 1m30s [default: unlimited]
    #[arg(short, long, value_name = "TIME", value_parser = values::positive_duration, allow_hyphen_values = true)]
    pub uptime: Option<Duration>,
    /// File to which the server appends one JSON line with its counts when it stops
    #[arg(short = 'o', long, visible_alias = "output", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub metrics: Option<PathBuf>,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Server options, shared by `serve` and `bench`.
#[derive(ClapArgs, Clone)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// Name of the server, which is the sender of its replies [default: host name]
    #[arg(short, long)]
    pub name: Option<String>,
    /// Number of worker threads, for systems with a worker pool
    #[arg(short, long, value_name = "N", default_value = "16", value_parser = values::positive_count, allow_hyphen_values = true)]
    pub workers: NonZeroUsize,
    /// Transport between proxy and workers, for systems with both
    #[arg(long, default_value_t, value_parser = values::one_of::<Backend>("backend"))]
    pub backend: Backend,
    /// Number of completion queues, for systems with completion queues [default: number of CPUs
    /// available to the server]
    #[arg(long, value_name = "N", value_parser = values::completion_queues, allow_hyphen_values = true)]
    pub completion_queues: Option<NonZeroUsize>,
    /// Settings of the library and its threads: the library's defaults, or tuned for throughput
    #[arg(long, default_value_t, value_parser = values::one_of::<Tuning>("tuning"))]
    pub tuning: Tuning,
    /// Simulated service time per request: none, spin:50us (uses CPU) or sleep:1ms (blocks)
    #[arg(long, value_name = "WORK", default_value_t)]
    pub work: Work,
    /// Maximum size of a request, and of a reply that a request may ask for, in bytes
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = values::positive_bytes, allow_hyphen_values = true)]
    pub max_message: usize,
}

impl ServerArgs {
    /// Makes the server flags of `bench` conflict with --addr: they cannot change a server that
    /// is already running.
    pub fn conflict_with_addr(bench: Command) -> Command {
        let server = ServerArgs::augment_args(Command::new("server"));
        server.get_arguments().fold(bench, |bench, argument| {
            bench.mut_arg(argument.get_id(), |argument| argument.conflicts_with("addr"))
        })
    }
}

/// Timeout and retries of a client.
#[derive(ClapArgs)]
pub struct RetryArgs {
    /// Time limit for a connection, and for each reply
    #[arg(short, long, value_name = "TIME", default_value = "5s", value_parser = values::positive_duration, allow_hyphen_values = true)]
    pub timeout: Duration,
    /// Retries per request, each on a new connection
    #[arg(short, long, value_name = "N", default_value = "3")]
    pub retries: u32,
}

#[derive(ClapArgs)]
#[command(after_help = help::send())]
pub struct SendArgs {
    /// System of the server
    #[arg(value_parser = values::system())]
    pub system: &'static dyn System,
    /// Address of the server
    #[arg(short, long, value_name = "HOST:PORT", default_value = "127.0.0.1:4157")]
    pub addr: Endpoint,
    /// Name of the client, which is the sender of its requests [default: host name and process
    /// ID]
    #[arg(short, long)]
    pub name: Option<String>,
    #[command(flatten)]
    pub retry: RetryArgs,
    /// Maximum size of a reply, in bytes
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = values::positive_bytes, allow_hyphen_values = true)]
    pub max_message: usize,
    /// Messages to send
    #[arg(required = true, value_name = "MESSAGE")]
    pub messages: Vec<String>,
}

#[derive(ClapArgs)]
#[command(after_help = help::bench())]
#[command(group = clap::ArgGroup::new("target").args(["addr", "spawn"]))]
pub struct BenchArgs {
    /// Server under test: SYSTEM[,KEY=VALUE]...
    ///
    /// Keys: label (name in rows and reports); the server flags without dashes (name, workers,
    /// backend, completion-queues, tuning, work, max-message); addr=HOST:PORT (a server that is
    /// already running); pid=N (its process ID on this machine, to measure its CPU time, threads
    /// and memory); exec=COMMAND (starts a server written in any language). exec must be the last
    /// key. In COMMAND, {addr}, {host} and {port} are replaced by the address to listen on.
    #[arg(value_name = "CONTENDER", required = true, value_parser = contender::ValueParser, hide_possible_values = true)]
    pub contenders: Vec<contender::ContenderArg>,
    /// Address of a running server to measure
    #[arg(short, long, value_name = "HOST:PORT")]
    pub addr: Option<Endpoint>,
    /// Start each server as a child process on a free port, for one trial
    #[arg(long)]
    pub spawn: bool,
    /// Time limit for an exec= server to answer its first request
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::positive_duration, allow_hyphen_values = true)]
    pub ready_timeout: Duration,

    /// Number of concurrent clients, each with one outstanding request
    #[arg(short, long, value_name = "N", default_value = "1", value_parser = values::positive_count, allow_hyphen_values = true)]
    pub clients: NonZeroUsize,
    /// Measured time per contender and trial
    #[arg(short, long, value_name = "TIME", default_value = "30s", value_parser = values::positive_duration, allow_hyphen_values = true)]
    pub duration: Duration,
    /// Time under load before the measured time, per contender and trial
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = values::duration, allow_hyphen_values = true)]
    pub warmup: Duration,
    /// Slice length: auto (20 ms or 25 round trips, whichever is longer) or a time; also slices a
    /// single contender [default: auto for several contenders]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with = "rate")]
    pub slice: Option<SliceLength>,
    /// Seed for the random order of contenders and for the send times of --rate; it increases by 1
    /// with each trial [default: random]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Think time: pause of each client between a reply and its next request, as in 300us
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = values::duration, allow_hyphen_values = true)]
    pub think: Duration,
    /// Offered load in requests per second, summed over all clients (open loop). Latency is
    /// measured from each request's scheduled send time [default: closed loop]
    #[arg(long, value_name = "PER_S", value_parser = values::rate, allow_hyphen_values = true, conflicts_with = "think")]
    pub rate: Option<f64>,
    /// Distribution of the send times of --rate: constant intervals, or a Poisson process
    #[arg(long, default_value_t, value_parser = values::one_of::<Arrivals>("arrival process"), requires = "rate")]
    pub arrivals: Arrivals,
    /// Size of the request text, in bytes
    #[arg(long, value_name = "BYTES", default_value = "64", value_parser = values::payload, allow_hyphen_values = true)]
    pub payload: usize,
    /// Size to which the reply text is padded, in bytes; 0 means no padding
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = values::reply_bytes, allow_hyphen_values = true)]
    pub reply_payload: u32,
    #[command(flatten)]
    pub retry: RetryArgs,
    /// Client implementation: native (the framework's client, one thread per client) or lean
    /// (speaks the wire protocol itself, many clients per thread)
    #[arg(long, value_name = "DRIVER", default_value = "native", value_parser = ["native", "lean"])]
    pub driver: String,
    /// Number of threads of the lean driver [default: one per client CPU]
    #[arg(long, value_name = "N", value_parser = values::positive_count, allow_hyphen_values = true)]
    pub threads: Option<NonZeroUsize>,
    /// Channels of the native clients, for systems with channels: one per client, or one shared
    /// by all
    #[arg(long, default_value_t, value_parser = values::one_of::<Channels>("channel mode"))]
    pub channels: Channels,

    /// CPUs of the server: auto (the first), all, or a list such as 0,2-3
    #[arg(long, value_name = "CPUS", default_value = "auto", conflicts_with = "addr")]
    pub server_cpus: CpuChoice,
    /// CPUs of the clients: auto (all but the first; all if the servers are already running), all,
    /// or a list
    #[arg(long, value_name = "CPUS", default_value = "auto")]
    pub client_cpus: CpuChoice,
    /// Network between the clients and the servers that bench starts: loopback, or veth (a veth
    /// pair between two network namespaces; needs root)
    #[arg(long, default_value_t, value_parser = values::one_of::<NetworkKind>("network"), conflicts_with = "addr")]
    pub network: NetworkKind,

    /// Number of trials; each starts new servers and writes one row per contender
    #[arg(long, value_name = "N", default_value = "1", value_parser = values::positive_count, allow_hyphen_values = true)]
    pub trials: NonZeroUsize,
    /// Repeat until the 95 % confidence interval is within ±PERCENT of the mean (5 to 20 trials)
    #[arg(long, value_name = "PERCENT", value_parser = values::percent, allow_hyphen_values = true, conflicts_with = "trials")]
    pub until: Option<f64>,

    /// CSV file to which rows are appended, or - for stdout; threads.csv, slices.csv, histograms.csv
    /// and run.json are written to the same directory
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub csv: Option<PathBuf>,
    /// File to which one JSON line per client is appended
    #[arg(short = 'o', long, visible_alias = "output", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub results: Option<PathBuf>,
    /// File for latency percentiles in HdrHistogram's plot format; existing content is replaced
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub hgrm: Option<PathBuf>,
    /// ID of the run that the rows belong to [default: generated]
    #[arg(long, value_name = "ID")]
    pub run_id: Option<String>,
    /// Command that repeats the whole run, recorded in run.json [default: this command line]
    #[arg(long, value_name = "COMMAND")]
    pub run_command: Option<String>,
    /// Trial number of the first row: the number of its pass over all points
    #[arg(long, value_name = "N", default_value = "1")]
    pub trial: u32,
    /// Suppress the summary and minor warnings
    #[arg(short, long)]
    pub quiet: bool,

    #[command(flatten)]
    pub server: ServerArgs,
}

#[derive(ClapArgs)]
#[command(after_help = help::report())]
pub struct ReportArgs {
    /// Directory that contains results.csv; the report is written to it
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub directory: PathBuf,
    /// CSV file of another measurement, drawn as dotted lines; columns: system, clients,
    /// `throughput_per_s`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub reference: Option<PathBuf>,
    /// Output format: html (a page, and tables on stdout), md (Markdown, and figures as files) or
    /// json (one object on stdout, described by docs/report.schema.json)
    #[arg(long, default_value_t, value_parser = values::one_of::<Format>("format"))]
    pub format: Format,
}

#[derive(ClapArgs)]
#[command(after_help = help::compare(), override_usage = "echometer compare [OPTIONS] <DIR_A> <DIR_B>\n       \
    echometer compare --interleave [OPTIONS] <PROGRAM_A> <PROGRAM_B> [CONTENDER]...")]
pub struct CompareArgs {
    /// Directory of the first measurement; with --interleave, the first program
    #[arg(value_name = "DIR_A", value_hint = ValueHint::AnyPath)]
    pub a: PathBuf,
    /// Directory of the second measurement; with --interleave, the second program
    #[arg(value_name = "DIR_B", value_hint = ValueHint::AnyPath)]
    pub b: PathBuf,
    /// Exit with status 1 if a point lost significantly more than PERCENT of its throughput, and
    /// with status 3 if more trials are needed to decide
    #[arg(long, value_name = "PERCENT", value_parser = values::percent, allow_hyphen_values = true)]
    pub fail_on_regression: Option<f64>,
    /// Compare measurements with different options, too
    #[arg(long, conflicts_with = "interleave")]
    pub anyway: bool,

    /// Measure two builds of echometer against each other: the arguments are two programs
    #[arg(long, help_heading = INTERLEAVE)]
    pub interleave: bool,
    /// System to measure in both builds: SYSTEM[,KEY=VALUE]... with the keys label and the server
    /// flags of serve without dashes [default: all systems but the baseline]
    #[arg(value_name = "CONTENDER", value_parser = contender::ValueParser, hide_possible_values = true, requires = "interleave", help_heading = INTERLEAVE)]
    pub contenders: Vec<contender::ContenderArg>,
    /// Number of concurrent clients of each contender (lean driver)
    #[arg(short, long, value_name = "N", default_value = "24", value_parser = values::positive_count, allow_hyphen_values = true, requires = "interleave", help_heading = INTERLEAVE)]
    pub clients: NonZeroUsize,
    /// Measured time per contender, build and trial
    #[arg(short, long, value_name = "TIME", default_value = "4s", value_parser = values::positive_duration, allow_hyphen_values = true, requires = "interleave", help_heading = INTERLEAVE)]
    pub duration: Duration,
    /// Number of trials; each starts new servers
    #[arg(long, value_name = "N", default_value = "3", value_parser = values::positive_count, allow_hyphen_values = true, requires = "interleave", help_heading = INTERLEAVE)]
    pub trials: NonZeroUsize,
    /// CSV file to which rows are appended; threads.csv, slices.csv and run.json are written to the
    /// same directory [default: the rows are discarded]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "interleave", help_heading = INTERLEAVE)]
    pub csv: Option<PathBuf>,
}

/// Heading of the options of `compare --interleave`.
const INTERLEAVE: &str = "Options of --interleave";

#[derive(ClapArgs)]
#[command(after_help = help::completions())]
pub struct CompletionsArgs {
    /// Shell to complete commands for
    pub shell: Shell,
}

#[derive(ClapArgs)]
#[command(after_help = help::man())]
pub struct ManArgs {
    /// Output directory; man(1) finds pages in a directory named man1
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub directory: PathBuf,
}
