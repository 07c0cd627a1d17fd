//! Contenders as they are typed: `SYSTEM[,KEY=VALUE]...`.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Args as _, Command, FromArgMatches};

use super::args::ServerArgs;
use super::{server_spec, this_program};
use crate::os::cpus::CpuChoice;
use crate::spec::{Endpoint, ExecSpec, Invalid, Target};
use crate::systems::{self, SYSTEMS, System};
use crate::trial::Contender;

/// A contender as typed, its system checked.
#[derive(Clone)]
pub struct Typed {
    system: &'static dyn System,
    text: String,
    keys: Vec<(String, String)>,
}

/// What holds for all contenders of a bench.
pub struct Common<'a> {
    pub server: &'a ServerArgs,
    pub server_cpus: &'a CpuChoice,
    /// Where a server runs already.
    pub addr: Option<&'a Endpoint>,
    pub spawn: bool,
    pub ready_timeout: Duration,
}

/// Keys that are not server flags.
const KEYS: [&str; 4] = ["label", "addr", "pid", "exec"];

/// The longest label.
const LONGEST_LABEL: usize = 200;

/// Reads a contender, and lists the systems for help texts and shells.
#[derive(Clone)]
pub struct Parser;

impl TypedValueParser for Parser {
    type Value = Typed;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Typed, clap::Error> {
        Typed::parse.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(SYSTEMS.iter().map(|system| PossibleValue::new(system.name()))))
    }
}

impl Typed {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, mut rest) = text.split_once(',').unwrap_or((text, ""));
        let system = systems::find(name)?;
        let mut keys = Vec::new();
        while !rest.is_empty() {
            // The command takes the rest: it may hold commas.
            let end = if rest.starts_with("exec=") { None } else { rest.find(',') };
            let pair = &rest[..end.unwrap_or(rest.len())];
            rest = end.map_or("", |end| &rest[end + 1..]);
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("'{pair}' is not KEY=VALUE; write {name},KEY=VALUE"))?;
            check_key(key)?;
            if keys.iter().any(|(known, _)| known == key) {
                return Err(format!("the key '{key}' is given twice in '{text}'"));
            }
            keys.push((key.to_owned(), value.to_owned()));
        }
        Ok(Typed { system, text: text.to_owned(), keys })
    }

    fn key(&self, key: &str) -> Option<&str> {
        self.keys.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// The server flags among its keys.
    fn flags(&self) -> impl Iterator<Item = &(String, String)> {
        self.keys.iter().filter(|(key, _)| !KEYS.contains(&key.as_str()))
    }

    /// The contender, with what holds for all.
    pub fn contender(&self, common: &Common<'_>) -> Result<Contender, Invalid> {
        let wrong = |why: String| Invalid(format!("contender '{}': {why}", self.text));
        let label = self.label().map_err(wrong)?;
        let target = self.target(common).map_err(wrong)?;
        Ok(Contender { label, system: self.system, target })
    }

    fn label(&self) -> Result<String, String> {
        let label = self.key("label").unwrap_or(&self.text);
        if label.is_empty() || label.chars().any(char::is_control) {
            return Err("a label needs at least one character, and no control characters".into());
        }
        Ok(label.chars().take(LONGEST_LABEL).collect())
    }

    fn target(&self, common: &Common<'_>) -> Result<Target, String> {
        let address = self.key("addr").map(str::parse::<Endpoint>).transpose()?;
        let pid = self.key("pid").map(pid).transpose()?;
        let exec = self.key("exec");
        let runs_already = exec.is_none() && (address.is_some() || common.addr.is_some());
        if pid.is_some() && !runs_already {
            return Err("pid= is for a server that is already running; add addr=HOST:PORT".into());
        }
        if let Some((flag, _)) = self.flags().next().filter(|_| runs_already || exec.is_some()) {
            return Err(format!("{flag}= is only for servers that echometer itself starts"));
        }
        if let Some(command) = exec {
            return exec_spec(command, address, common).map(Target::Exec);
        }
        if let Some(address) = address.or_else(|| common.addr.cloned()) {
            return Ok(Target::Running { address, pid });
        }
        if !common.spawn {
            return Err(
                "there is no server; add --spawn to start one, --addr HOST:PORT to measure \
                        one that is running, or the key addr= or exec="
                    .to_owned(),
            );
        }
        Ok(Target::Spawn {
            program: this_program()?,
            server: server_spec(Endpoint::free_port(), self.server(common.server)?),
            cpus: common.server_cpus.clone(),
        })
    }

    /// The server flags of all contenders, with its own instead where it has them.
    fn server(&self, common: &ServerArgs) -> Result<ServerArgs, String> {
        let arguments = self.flags().map(|(key, value)| format!("--{key}={value}"));
        let arguments = ["contender".to_owned()].into_iter().chain(arguments);
        let without_defaults = |argument: Arg| argument.default_value(None::<&str>);
        let command = ServerArgs::augment_args(Command::new("contender"));
        let command = command.mut_args(without_defaults);
        let matches = command.try_get_matches_from(arguments);
        let matches = matches.map_err(|error| super::one_line(&error))?;
        let mut server = common.clone();
        server.update_from_arg_matches(&matches).map_err(|error| super::one_line(&error))?;
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
    let alike = |other: &&&str| strsim::jaro_winkler(key, other);
    let nearest = all.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)));
    let nearest = nearest.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
    Err(format!("there is no key '{key}'{nearest} (keys: {})", all.join(", ")))
}

fn pid(text: &str) -> Result<u32, String> {
    let wrong = || format!("'{text}' is not a process id; write a number, as in pid=4711");
    // Process ids are below 2^22, see proc_sys_kernel(5).
    let pid = text.parse().ok().filter(|pid| (1..=i32::MAX.cast_unsigned()).contains(pid));
    pid.ok_or_else(wrong)
}

fn exec_spec(
    command: &str,
    address: Option<Endpoint>,
    common: &Common<'_>,
) -> Result<ExecSpec, String> {
    let command = shlex::split(command)
        .filter(|words| !words.is_empty())
        .ok_or_else(|| format!("'{command}' is not a command; is a quote not closed?"))?;
    let names_port = |word: &String| word.contains("{addr}") || word.contains("{port}");
    if address.is_none() && !command.iter().any(names_port) {
        return Err("the command does not say where to listen; put {addr}, or {host} and {port}, \
                    into it, or add addr=HOST:PORT"
            .to_owned());
    }
    let (ready_timeout, cpus) = (common.ready_timeout, common.server_cpus.clone());
    Ok(ExecSpec { command, address, ready_timeout, cpus })
}

/// The contenders of a bench, their labels unique.
pub fn all(typed: &[Typed], common: &Common<'_>) -> Result<Vec<Contender>, Invalid> {
    let contenders =
        typed.iter().map(|one| one.contender(common)).collect::<Result<Vec<_>, _>>()?;
    let mut labels = BTreeSet::new();
    for contender in &contenders {
        if !labels.insert(contender.label.as_str()) {
            return Err(Invalid(format!(
                "two contenders are called '{0}'; give them different labels, as in {1},label=a",
                contender.label,
                contender.system.name()
            )));
        }
    }
    Ok(contenders)
}
