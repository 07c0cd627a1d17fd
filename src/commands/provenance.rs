//! Collects the contents of `run.json`: program, machine, commands and options.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::Result;

use crate::os::cpus::Cpus;
use crate::os::{hardware, host, quota};
use crate::results::{Machine, Program, Run, Trials};
use crate::spec::TrialSpec;
use crate::systems::SYSTEMS;
use crate::trial::Contender;

/// Returns the run that the trials of `spec` belong to, with the trials of this process.
///
/// `command` is the command line of this process. `run_command` repeats the whole run, if this
/// process is only a part of it.
///
/// # Errors
///
/// If the CPU affinity of this process cannot be read.
pub fn run(
    contenders: &[Contender],
    spec: &TrialSpec,
    command: &str,
    run_command: Option<&str>,
) -> Result<Run> {
    Ok(Run {
        run_id: spec.run_id.clone(),
        started_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        command: run_command.unwrap_or(command).to_owned(),
        program: program(),
        machine: machine()?,
        trials: contenders.iter().map(|contender| trials(contender, spec, command)).collect(),
    })
}

fn trials(contender: &Contender, spec: &TrialSpec, command: &str) -> Trials {
    Trials {
        system: contender.system.name().to_owned(),
        label: contender.label.clone(),
        command: command.to_owned(),
        options: spec.options(&contender.target),
    }
}

fn program() -> Program {
    let libraries: BTreeMap<_, _> = SYSTEMS
        .iter()
        .filter_map(|system| Some((system.name().to_owned(), system.library()?)))
        .collect();
    Program {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("ECHOMETER_COMMIT").to_owned(),
        compilers: [env!("ECHOMETER_RUSTC"), env!("ECHOMETER_CXX")].map(str::to_owned).into(),
        libraries,
    }
}

fn machine() -> Result<Machine> {
    let cpus = Cpus::of(0)?;
    let siblings = hardware::smt_siblings(&cpus);
    Ok(Machine {
        host: host::name(),
        kernel: host::kernel(),
        cpu_model: host::cpu_model(),
        cpus: cpus.to_string(),
        cpu_quota: quota::of_this_process(),
        memory_mib: host::memory_mib(),
        smt_siblings: siblings.map(|groups| groups.iter().map(Cpus::to_string).collect()),
        clock_source: hardware::clock_source(),
        irq_time_accounting: hardware::irq_time_accounting(),
        frequency_governor: hardware::frequency_governor(&cpus),
        hypervisor: hardware::hypervisor(),
    })
}
