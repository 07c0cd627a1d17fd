//! Flags as they are typed, turned into what the verbs are asked to do. Nothing else knows clap.

mod args;
mod contender;
mod derived;
mod help;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use self::args::{
    Args, BenchArgs, CommandArgs, CompareArgs, ManArgs, ReportArgs, SendArgs, ServeArgs, ServerArgs,
};
use crate::commands::{Bench, Command, Compare, Completions, Man, Repeat, Report, Send, Serve};
use crate::load;
use crate::os::host;
use crate::spec::{
    Channels, ClientSpec, Driver, Endpoint, Invalid, LoadSpec, Pace, ServerSpec, SliceLength,
    Target, TrialSpec,
};

/// What a command line asks for.
pub enum Parsed {
    /// To do something.
    Do(Command),
    /// To be told something, which it has been: a help text, or the version.
    Told,
}

/// Reads a command line, the program's name first.
///
/// # Errors
///
/// Where it is wrong: one line that says what is, and what would be right.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, Invalid> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let parsed = definition().try_get_matches_from(&arguments);
    match parsed.and_then(|matches| Args::from_arg_matches(&matches)) {
        Ok(args) => Ok(Parsed::Do(match args.verb {
            CommandArgs::Serve(args) => Command::Serve(serve(args)),
            CommandArgs::Send(args) => Command::Send(send(args)),
            CommandArgs::Bench(args) => {
                Command::Bench(Box::new(bench(*args, as_typed(&arguments))?))
            }
            CommandArgs::Report(args) => Command::Report(report(args)),
            CommandArgs::Compare(args) => Command::Compare(compare(args)),
            CommandArgs::Completions(args) => Command::Completions(Completions {
                script: derived::completions(args.shell, definition()),
            }),
            CommandArgs::Man(args) => Command::Man(man(args)),
        })),
        Err(error)
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
        {
            // To stdout, in colours where that is a terminal. If nobody reads, nobody asked.
            let _ = error.print();
            Ok(Parsed::Told)
        }
        Err(error) => Err(Invalid(one_line(&error))),
    }
}

/// The command line, as clap knows it.
fn definition() -> clap::Command {
    Args::command().mut_subcommand("bench", ServerArgs::only_with_spawn)
}

/// A command line that can be pasted into a shell.
fn as_typed(arguments: &[OsString]) -> String {
    let words: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    // It fails for a null byte, which no argument has.
    shlex::try_join(words.iter().map(AsRef::as_ref)).unwrap_or_else(|_| words.join(" "))
}

/// clap explains an error in a paragraph; of that, what is wrong and what would be right.
fn one_line(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "no verb given; try 'echometer --help'".to_owned();
    }
    let text = error.render().to_string();
    let telling = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let telling: Vec<_> = telling
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .collect();
    let line = telling.join(" ");
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
    let who = ClientSpec {
        name: args.name.unwrap_or_else(|| format!("{}-{}", host::name(), std::process::id())),
        timeout: args.patience.timeout,
        retries: args.patience.retries,
        max_message: args.max_message,
        channels: Channels::default(),
    };
    Send { system: args.system, to: args.addr, who, messages: args.messages }
}

fn bench(args: BenchArgs, command: String) -> Result<Bench, Invalid> {
    let load = load_spec(&args)?;
    let common = contender::Common {
        server: &args.server,
        server_cpus: &args.server_cpus,
        addr: args.addr.as_ref(),
        spawn: args.spawn,
        ready_timeout: args.ready_timeout,
    };
    let contenders = contender::all(&args.contenders, &common)?;
    for contender in &contenders {
        if let Target::Spawn { server, .. } = &contender.target {
            check_sizes(&load, server.max_message)?;
        }
    }
    if args.hgrm.is_some() && contenders.len() > 1 {
        return Err(Invalid("--hgrm is for a single contender".to_owned()));
    }
    let spec = TrialSpec {
        slice: slice(&args)?,
        seed: args.seed.unwrap_or_else(new_seed),
        load,
        client_cpus: args.client_cpus,
        run_id: args.run_id.unwrap_or_else(new_run_id),
        trial: args.trial,
    };
    Ok(Bench {
        contenders,
        spec,
        repeat: args.until.map_or(Repeat::Times(args.trials), Repeat::Until),
        csv: args.csv,
        results: args.results,
        hgrm: args.hgrm,
        command,
        whole_run: args.run_command,
        quiet: args.quiet,
    })
}

fn load_spec(args: &BenchArgs) -> Result<LoadSpec, Invalid> {
    Ok(LoadSpec {
        driver: driver(args)?,
        channels: args.channels,
        clients: args.clients,
        window: args.duration,
        warmup: args.warmup,
        think: args.think,
        pace: args.rate.map(|per_s| Pace { per_s, arrivals: args.arrivals }),
        payload: args.payload,
        reply_payload: args.reply_payload,
        timeout: args.patience.timeout,
        retries: args.patience.retries,
    })
}

/// Several contenders take turns, unless requests are due at a given rate.
fn slice(args: &BenchArgs) -> Result<Option<SliceLength>, Invalid> {
    if args.rate.is_some() || (args.slice.is_none() && args.contenders.len() == 1) {
        return Ok(None);
    }
    let slice = args.slice.unwrap_or_default();
    slice.check(args.duration).map_err(Invalid)?;
    Ok(Some(slice))
}

/// A short number, so that it can be typed again.
fn new_seed() -> u64 {
    fastrand::u64(..1_000_000_000)
}

fn driver(args: &BenchArgs) -> Result<Driver, Invalid> {
    match (args.driver.as_str(), args.threads) {
        ("lean", _) if args.channels == Channels::Shared => Err(Invalid(
            "--channels shared is for --driver native: a lean client is a connection of its own"
                .to_owned(),
        )),
        ("lean", threads) => Ok(Driver::Lean { threads }),
        (_, None) => Ok(Driver::Native),
        (_, Some(_)) => Err(Invalid(
            "--threads is for --driver lean: the native driver has a thread for each client"
                .to_owned(),
        )),
    }
}

/// A server that we start ourselves is not sent what it would refuse.
fn check_sizes(load: &LoadSpec, max_message: usize) -> Result<(), Invalid> {
    // Not made where it alone is too long already.
    let request = if load.payload > max_message {
        load.payload
    } else {
        load::first_request(load, &host::name()).bytes().len()
    };
    for (what, size) in [("--payload", request), ("--reply-payload", load.reply_payload as usize)] {
        if size > max_message {
            return Err(Invalid(format!(
                "{what} makes messages of {size} bytes, and the server takes {max_message}; raise --max-message"
            )));
        }
    }
    Ok(())
}

fn this_program() -> Result<PathBuf, String> {
    std::env::current_exe()
        .map_err(|error| format!("cannot find this program, to start it as a server: {error}"))
}

/// When it was made, and by which process: no two runs of a machine have the same.
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
    Man { directory: args.directory, pages: derived::man_pages(definition()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(line: &str) -> Result<Parsed, Invalid> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_server_is_passed_on_as_it_was_asked_for() {
        let line = "echometer serve router -a 127.0.0.1:0 -n a -w 3 --backend ipc \
                    --completion-queues 2 --tuning throughput --work spin:50us --max-message 2KiB";
        let Ok(Parsed::Do(Command::Serve(asked))) = parse_words(line) else { panic!("{line}") };
        let words = ["echometer", "serve", "router"].map(String::from).into_iter();
        let again = parse(words.chain(asked.spec.arguments()).map(OsString::from));
        let Ok(Parsed::Do(Command::Serve(again))) = again else { panic!("{:?}", asked.spec) };
        assert_eq!(asked.spec, again.spec);
        assert_eq!(asked.spec.max_message, 2048);
    }

    #[test]
    fn a_server_is_by_default_what_the_library_says() {
        let Ok(Parsed::Do(Command::Serve(asked))) = parse_words("echometer serve rep -n a") else {
            panic!("it is right")
        };
        let address = asked.spec.address.clone();
        assert_eq!(asked.spec, ServerSpec { address, ..ServerSpec::named("a") });
    }

    #[test]
    fn errors_are_one_line_that_says_what_would_be_right() {
        for (line, telling) in [
            ("echometer", "no verb given"),
            ("echometer serve", "SYSTEM"),
            ("echometer serve rap", "did you mean 'rep'?"),
            ("echometer bench rep --spawn --clients 0", "at least 1"),
            ("echometer bench rep --spawn -d -1s", "'-1s' is no duration"),
            ("echometer bench rep --spawn -d 0", "must be longer than 0"),
            ("echometer bench rep --spawn -d abc", "'abc' is no duration"),
            ("echometer bench rep", "--spawn"),
            ("echometer bench rep --spawn --addr 127.0.0.1:1", "cannot be used with"),
            ("echometer bench rep --spawn --payload 2MiB", "raise --max-message"),
            ("echometer bench rep --addr 127.0.0.1:1 --workers 2", "cannot be used with"),
            ("echometer serve rep --addr here", "HOST:PORT"),
            ("echometer serve rep --work much", "spin:50us or sleep:1ms"),
            ("echometer serve rep --work sleep:1h", "sleep:1s is the most"),
            ("echometer bench rep --addr 127.0.0.1:1 --work none", "cannot be used with"),
            ("echometer bench rep --spawn --channels one", "per-client or shared"),
            ("echometer bench rep --spawn --driver lean --channels shared", "--driver native"),
            ("echometer bench rep --spawn --until 0%", "'0%' is no share"),
            ("echometer bench rep --spawn --until 2% --trials 3", "cannot be used with"),
            ("echometer report", "DIR"),
            ("echometer compare a", "DIR_B"),
            ("echometer completions csh", "possible values: bash, elvish, fish, powershell, zsh"),
            ("echometer man", "DIR"),
            ("echometer compare a b --fail-on-regression much", "'much' is no share"),
        ] {
            let Err(Invalid(error)) = parse_words(line) else { panic!("{line} is right") };
            assert!(error.contains(telling), "{line}: {error}");
            assert!(!error.contains('\n') && !error.starts_with("error"), "{line}: {error}");
        }
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
