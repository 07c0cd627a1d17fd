//! The command line: parses flags with clap and converts them into validated commands.
//!
//! No other module depends on clap.

mod args;
mod contender;
mod help;
mod interleave;
mod run;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};
use clap_complete::Shell;

use self::args::{
    Args, BenchArgs, CommandArgs, CompareArgs, ManArgs, ReportArgs, SendArgs, ServeArgs, ServerArgs,
};
pub use self::run::main;
use crate::commands::{Bench, Command, Compare, Completions, Man, Repeat, Report, Send, Serve};
use crate::load;
use crate::os::host;
use crate::os::network::{Network, NetworkKind};
use crate::spec::{
    Channels, ClientSpec, Driver, Endpoint, LoadSpec, OpenLoop, ServerSpec, SliceLength, Target,
    TrialSpec, UsageError,
};
use crate::trial::Contender;

/// The result of parsing a command line.
pub enum Parsed {
    /// A command to run.
    Run(Command),
    /// A help text or the version, which has been printed.
    Printed,
}

/// Parses a command line. The first argument is the name of the program.
///
/// # Errors
///
/// If the command line is invalid. The error is one line that describes the problem and a valid
/// alternative.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, UsageError> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let parsed = definition().try_get_matches_from(&arguments);
    match parsed.and_then(|matches| Args::from_arg_matches(&matches)) {
        Ok(args) => Ok(Parsed::Run(match args.command {
            CommandArgs::Serve(args) => Command::Serve(serve(args)),
            CommandArgs::Send(args) => Command::Send(send(args)),
            CommandArgs::Bench(args) => {
                Command::Bench(Box::new(bench(*args, shell_command(&arguments))?))
            }
            CommandArgs::Report(args) => Command::Report(report(args)),
            CommandArgs::Compare(args) if args.interleave => {
                let command = shell_command(&arguments);
                Command::Interleave(Box::new(interleave::interleave(*args, command)?))
            }
            CommandArgs::Compare(args) => Command::Compare(compare(*args)),
            CommandArgs::Completions(args) => Command::Completions(Completions {
                script: completion_script(args.shell, definition()),
            }),
            CommandArgs::Man(args) => Command::Man(man(args)),
        })),
        Err(error)
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
        {
            // A closed stdout is not an error.
            let _ = error.print();
            Ok(Parsed::Printed)
        }
        Err(error) => Err(UsageError(one_line_error(&error))),
    }
}

/// Returns clap's definition of the command line.
fn definition() -> clap::Command {
    Args::command().mut_subcommand("bench", ServerArgs::conflict_with_addr)
}

/// Quotes a command line so that it can be pasted into a shell.
fn shell_command(arguments: &[OsString]) -> String {
    let words: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    // Quoting fails only for a null byte, which an argument cannot contain.
    shlex::try_join(words.iter().map(AsRef::as_ref)).unwrap_or_else(|_| words.join(" "))
}

/// Shortens clap's error, which has several paragraphs, to one line without the usage.
fn one_line_error(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "no command given; try 'echometer --help'".to_owned();
    }
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<_> = lines
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .collect();
    let line = lines.join(" ");
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    format!("{line}; try 'echometer --help'")
}

fn serve(args: ServeArgs) -> Serve {
    Serve {
        system: args.system,
        spec: server_spec(args.addr, args.server),
        uptime: args.uptime,
        metrics: args.metrics,
    }
}

fn server_spec(address: Endpoint, args: ServerArgs) -> ServerSpec {
    ServerSpec {
        address,
        name: args.name.unwrap_or_else(host::name),
        workers: args.workers,
        backend: args.backend,
        completion_queues: args.completion_queues,
        tuning: args.tuning,
        work: args.work,
        max_message: args.max_message,
    }
}

fn send(args: SendArgs) -> Send {
    let client = ClientSpec {
        name: args.name.unwrap_or_else(|| format!("{}-{}", host::name(), std::process::id())),
        timeout: args.retry.timeout,
        retries: args.retry.retries,
        max_message: args.max_message,
        channels: Channels::default(),
    };
    Send { system: args.system, address: args.addr, client, messages: args.messages }
}

fn bench(args: BenchArgs, command: String) -> Result<Bench, UsageError> {
    let seed = args.seed.unwrap_or_else(new_seed);
    let load = load_spec(&args, seed)?;
    let flags = contender::SharedFlags {
        server: &args.server,
        server_cpus: &args.server_cpus,
        network: args.network,
        addr: args.addr.as_ref(),
        spawn: args.spawn,
        ready_timeout: args.ready_timeout,
    };
    let contenders = contender::resolve_all(&args.contenders, &flags)?;
    for contender in &contenders {
        if let Target::Spawn { server, .. } = &contender.target {
            check_message_sizes(&load, server.max_message)?;
        }
    }
    check_network(args.network, &contenders)?;
    if args.hgrm.is_some() && contenders.len() > 1 {
        return Err(UsageError(
            "--hgrm needs a single contender; measure each contender with a file of its own"
                .to_owned(),
        ));
    }
    let spec = TrialSpec {
        slice: slice(&args)?,
        seed,
        load,
        client_cpus: args.client_cpus,
        // The network that is asked for is created when the command runs.
        network: Network::default(),
        run_id: args.run_id.unwrap_or_else(new_run_id),
        trial: args.trial,
    };
    Ok(Bench {
        contenders,
        spec,
        network: args.network,
        repeat: args.until.map_or(Repeat::Fixed(args.trials), Repeat::UntilPrecise),
        csv: args.csv,
        results: args.results,
        hgrm: args.hgrm,
        command,
        run_command: args.run_command,
        quiet: args.quiet,
    })
}

fn load_spec(args: &BenchArgs, seed: u64) -> Result<LoadSpec, UsageError> {
    Ok(LoadSpec {
        driver: driver(args)?,
        channels: args.channels,
        clients: args.clients,
        window: args.duration,
        warmup: args.warmup,
        think: args.think,
        open_loop: args.rate.map(|rate_per_s| OpenLoop {
            rate_per_s,
            arrivals: args.arrivals,
            seed,
        }),
        payload: args.payload,
        reply_payload: args.reply_payload,
        timeout: args.retry.timeout,
        retries: args.retry.retries,
    })
}

/// Returns the slice length; `None` for a single contender or an open loop, which are measured in
/// one window.
fn slice(args: &BenchArgs) -> Result<Option<SliceLength>, UsageError> {
    if args.rate.is_some() || (args.slice.is_none() && args.contenders.len() == 1) {
        return Ok(None);
    }
    let slice = args.slice.unwrap_or_default();
    slice.check(args.duration).map_err(UsageError)?;
    Ok(Some(slice))
}

/// Returns a seed of at most 9 digits, so that it is easy to retype.
fn new_seed() -> u64 {
    fastrand::u64(..1_000_000_000)
}

fn driver(args: &BenchArgs) -> Result<Driver, UsageError> {
    match (args.driver.as_str(), args.threads) {
        ("lean", _) if args.channels == Channels::Shared => Err(UsageError(
            "--channels shared needs --driver native: each lean client has its own connection"
                .to_owned(),
        )),
        ("lean", threads) => Ok(Driver::Lean { threads }),
        (_, None) => Ok(Driver::Native),
        (_, Some(_)) => Err(UsageError(
            "--threads needs --driver lean: the native driver uses one thread per client"
                .to_owned(),
        )),
    }
}

/// Checks that bench starts all servers, if they are to run in a namespace.
fn check_network(network: NetworkKind, contenders: &[Contender]) -> Result<(), UsageError> {
    let has_address = |contender: &&Contender| match &contender.target {
        Target::Running { .. } => true,
        Target::Spawn { .. } => false,
        Target::Exec(exec) => exec.address.is_some(),
    };
    match contenders.iter().find(has_address) {
        Some(contender) if network != NetworkKind::Loopback => Err(UsageError(format!(
            "{}: --network {network} gives each server an address, so addr= cannot be used; \
             remove addr=, and use --spawn or exec= to start the server",
            contender.name()
        ))),
        _ => Ok(()),
    }
}

/// Checks that a spawned server accepts the requests and replies of this load.
fn check_message_sizes(load: &LoadSpec, max_message: usize) -> Result<(), UsageError> {
    // A payload that exceeds the limit alone is not allocated.
    let request = if load.payload > max_message {
        load.payload
    } else {
        load::first_request(load, &host::name()).bytes().len()
    };
    for (flag, size) in [("--payload", request), ("--reply-payload", load.reply_payload as usize)] {
        if size > max_message {
            return Err(UsageError(format!(
                "{flag} makes messages of {size} bytes, but the server accepts at most \
                 {max_message}; raise --max-message"
            )));
        }
    }
    Ok(())
}

fn current_program() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| {
        format!(
            "cannot find the echometer executable to start as a server: {error}; use exec=COMMAND"
        )
    })
}

/// Returns the current time and process ID, which are unique on one machine.
fn new_run_id() -> String {
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
    format!("{now}-{}", std::process::id())
}

fn report(args: ReportArgs) -> Report {
    Report { directory: args.directory, reference: args.reference, format: args.format }
}

fn compare(args: CompareArgs) -> Compare {
    Compare {
        a: args.a,
        b: args.b,
        fail_on_regression: args.fail_on_regression,
        anyway: args.anyway,
    }
}

fn man(args: ManArgs) -> Man {
    Man { directory: args.directory, pages: man_pages(definition()) }
}

fn completion_script(shell: Shell, mut command: clap::Command) -> String {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Returns the man pages of the program and of each command, with their file names.
fn man_pages(program: clap::Command) -> Vec<(String, Vec<u8>)> {
    // `man echometer-help` would repeat `man echometer`.
    let mut program = program.disable_help_subcommand(true);
    program.build();
    std::iter::once(&program).chain(program.get_subcommands()).map(man_page).collect()
}

fn man_page(command: &clap::Command) -> (String, Vec<u8>) {
    let man = clap_mangen::Man::new(command.clone()).manual("echometer");
    let mut text = Vec::new();
    // Writing to a Vec cannot fail.
    let _ = man.render(&mut text);
    (man.get_filename(), text)
}

#[cfg(test)]
mod tests;
