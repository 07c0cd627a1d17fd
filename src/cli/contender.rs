//! Parses contenders of the form `SYSTEM[,KEY=VALUE]...`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, ArgMatches, Args as _, Command, FromArgMatches};

use super::args::ServerArgs;
use super::{current_program, server_spec};
use crate::os::cpus::CpuChoice;
use crate::os::network::NetworkKind;
use crate::spec::{Endpoint, ExecSpec, Target, UsageError};
use crate::systems::{self, SYSTEMS, System};
use crate::trial::Contender;

/// A contender argument whose system and keys are known, but whose values are not parsed yet.
#[derive(Clone)]
pub struct ContenderArg {
    system: &'static dyn System,
    text: String,
    keys: Vec<(String, String)>,
}

/// Flags of `bench` that apply to all contenders.
pub struct SharedFlags<'a> {
    pub server: &'a ServerArgs,
    pub server_cpus: &'a CpuChoice,
    pub network: NetworkKind,
    /// Address of a server that is already running.
    pub addr: Option<&'a Endpoint>,
    pub spawn: bool,
    pub ready_timeout: Duration,
}

/// Keys that are not server flags.
const KEYS: [&str; 4] = ["label", "addr", "pid", "exec"];

/// Maximum length of a label in characters; longer labels are truncated.
const MAX_LABEL_CHARS: usize = 200;

/// Parses a contender, and lists the systems for shell completion.
#[derive(Clone)]
pub struct ValueParser;

impl TypedValueParser for ValueParser {
    type Value = ContenderArg;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<ContenderArg, clap::Error> {
        ContenderArg::parse.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(SYSTEMS.iter().map(|system| PossibleValue::new(system.name()))))
    }
}

impl ContenderArg {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, mut rest) = text.split_once(',').unwrap_or((text, ""));
        let system = systems::find(name)?;
        let mut keys = Vec::new();
        while !rest.is_empty() {
            // A command may contain commas, so exec= extends to the end of the argument.
            let end = if rest.starts_with("exec=") { None } else { rest.find(',') };
            let pair = &rest[..end.unwrap_or(rest.len())];
            rest = end.map_or("", |end| &rest[end + 1..]);
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("'{pair}' is not KEY=VALUE; use {name},KEY=VALUE"))?;
            check_key(key)?;
            if keys.iter().any(|(known, _)| known == key) {
                return Err(format!("key '{key}' is given twice in '{text}'; remove one"));
            }
            keys.push((key.to_owned(), value.to_owned()));
        }
        Ok(ContenderArg { system, text: text.to_owned(), keys })
    }

    fn key(&self, key: &str) -> Option<&str> {
        self.keys.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// Returns the keys that are server flags.
    fn server_flags(&self) -> impl Iterator<Item = &(String, String)> {
        self.keys.iter().filter(|(key, _)| !KEYS.contains(&key.as_str()))
    }

    /// Returns the contender. The shared flags apply unless it has its own key.
    pub fn resolve(&self, flags: &SharedFlags<'_>) -> Result<Contender, UsageError> {
        let error = |reason: String| UsageError(format!("contender '{}': {reason}", self.text));
        let label = self.label().map_err(error)?;
        let target = self.target(flags).map_err(error)?;
        Ok(Contender { label, system: self.system, target })
    }

    fn label(&self) -> Result<String, String> {
        let label = self.key("label").unwrap_or(&self.text);
        if label.is_empty() || label.chars().any(char::is_control) {
            return Err("the label is empty or contains control characters; use label=NAME with \
                        at least one character and no control characters"
                .into());
        }
        Ok(label.chars().take(MAX_LABEL_CHARS).collect())
    }

    fn target(&self, flags: &SharedFlags<'_>) -> Result<Target, String> {
        let address = self.key("addr").map(str::parse::<Endpoint>).transpose()?;
        let pid = self.key("pid").map(pid).transpose()?;
        let exec = self.key("exec");
        let is_running = exec.is_none() && (address.is_some() || flags.addr.is_some());
        if pid.is_some() && !is_running {
            return Err("pid= needs a server that is already running; add addr=HOST:PORT".into());
        }
        let server_flag = self.server_flags().next();
        if let Some((key, _)) = server_flag.filter(|_| is_running || exec.is_some()) {
            return Err(format!(
                "{key}= works only for servers that echometer itself starts; remove it, or use \
                 --spawn without addr= and exec="
            ));
        }
        if let Some(command) = exec {
            return exec_spec(command, address, flags).map(Target::Exec);
        }
        if let Some(address) = address.or_else(|| flags.addr.cloned()) {
            return Ok(Target::Running { address, pid });
        }
        if !flags.spawn {
            return Err(
                "no server to measure; use --spawn to start one, --addr HOST:PORT for one \
                        that is already running, or the key addr= or exec="
                    .to_owned(),
            );
        }
        // Port 0 selects a free port.
        let address = SocketAddr::from((flags.network.server_address(), 0)).into();
        Ok(Target::Spawn {
            program: current_program()?,
            server: server_spec(address, self.server_args(flags.server)?),
            cpus: flags.server_cpus.clone(),
        })
    }

    /// A contender without keys.
    pub fn of_system(system: &'static dyn System) -> Self {
        ContenderArg { system, text: system.name().to_owned(), keys: Vec::new() }
    }

    /// Returns the label of the contender and the contender itself for each of two echometer
    /// executables, A and B, which serve the system with this contender's server flags.
    pub fn served_by(
        &self,
        programs: &[String; 2],
        ready_timeout: Duration,
    ) -> Result<(String, [Contender; 2]), UsageError> {
        let error = |reason: String| UsageError(format!("contender '{}': {reason}", self.text));
        let label = self.label().map_err(error)?;
        if let Some(key) = ["addr", "pid", "exec"].into_iter().find(|key| self.key(key).is_some()) {
            return Err(error(format!(
                "{key}= is not possible with --interleave, which starts the servers itself; \
                 remove it"
            )));
        }
        // Only the values are checked: the defaults are those of each executable.
        self.server_matches().map_err(error)?;
        let serve = |program: &String| {
            let words = [program, "serve", self.system.name(), "--addr", "{addr}"];
            let command = words.map(str::to_owned).into_iter().chain(self.server_arguments());
            let (command, cpus) = (command.collect(), CpuChoice::default());
            Target::Exec(ExecSpec { command, address: None, ready_timeout, cpus })
        };
        let [a, b] = programs.each_ref().map(serve);
        let contenders = [("A", a), ("B", b)].map(|(side, target)| Contender {
            label: format!("{label} {side}"),
            system: self.system,
            target,
        });
        Ok((label, contenders))
    }

    /// Returns the keys that are server flags, as arguments of `serve`.
    fn server_arguments(&self) -> impl Iterator<Item = String> {
        self.server_flags().map(|(key, value)| format!("--{key}={value}"))
    }

    fn server_matches(&self) -> Result<ArgMatches, String> {
        let arguments = ["contender".to_owned()].into_iter().chain(self.server_arguments());
        let without_defaults = |argument: Arg| argument.default_value(None::<&str>);
        let command = ServerArgs::augment_args(Command::new("contender"));
        let command = command.mut_args(without_defaults);
        let matches = command.try_get_matches_from(arguments);
        matches.map_err(|error| super::one_line_error(&error))
    }

    /// Returns the shared server flags, overridden by this contender's keys.
    fn server_args(&self, shared: &ServerArgs) -> Result<ServerArgs, String> {
        let matches = self.server_matches()?;
        let mut server = shared.clone();
        server.update_from_arg_matches(&matches).map_err(|error| super::one_line_error(&error))?;
        Ok(server)
    }
}

fn check_key(key: &str) -> Result<(), String> {
    let server = ServerArgs::augment_args(Command::new("server"));
    let flags: BTreeSet<_> = server.get_arguments().filter_map(Arg::get_long).collect();
    if KEYS.contains(&key) || flags.contains(key) {
        return Ok(());
    }
    let all: Vec<_> = KEYS.into_iter().chain(flags).collect();
    let similarity = |other: &&&str| strsim::jaro_winkler(key, other);
    let nearest = all.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    let hint = nearest.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
    Err(format!("unknown key '{key}'{hint} (keys: {})", all.join(", ")))
}

fn pid(text: &str) -> Result<u32, String> {
    // Process IDs are below 2^22, see proc_sys_kernel(5).
    let pid = text.parse().ok().filter(|pid| (1..=i32::MAX.cast_unsigned()).contains(pid));
    pid.ok_or_else(|| format!("'{text}' is not a process ID; use a number, as in pid=4711"))
}

fn exec_spec(
    command: &str,
    address: Option<Endpoint>,
    flags: &SharedFlags<'_>,
) -> Result<ExecSpec, String> {
    let command = shlex::split(command).filter(|words| !words.is_empty()).ok_or_else(|| {
        format!("'{command}' is empty or has an unclosed quote; use exec=COMMAND")
    })?;
    let has_port = |word: &String| word.contains("{addr}") || word.contains("{port}");
    if address.is_none() && !command.iter().any(has_port) {
        return Err(
            "the command has no address to listen on; add {addr}, or {host} and {port}, to \
                    it, or add the key addr=HOST:PORT"
                .to_owned(),
        );
    }
    let (ready_timeout, cpus) = (flags.ready_timeout, flags.server_cpus.clone());
    Ok(ExecSpec { command, address, ready_timeout, cpus })
}

/// Resolves all contenders of a bench, and checks that their labels are unique.
pub fn resolve_all(
    arguments: &[ContenderArg],
    flags: &SharedFlags<'_>,
) -> Result<Vec<Contender>, UsageError> {
    let contenders = arguments.iter().map(|argument| argument.resolve(flags));
    let contenders = contenders.collect::<Result<Vec<_>, _>>()?;
    check_labels(&contenders)?;
    Ok(contenders)
}

/// Checks that the labels are unique.
pub fn check_labels(contenders: &[Contender]) -> Result<(), UsageError> {
    let mut labels = BTreeSet::new();
    for contender in contenders {
        if !labels.insert(contender.label.as_str()) {
            return Err(UsageError(format!(
                "two contenders have the label '{0}'; use different labels, as in {1},label=a",
                contender.label,
                contender.system.name()
            )));
        }
    }
    Ok(())
}
