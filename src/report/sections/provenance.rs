//! Provenance: the versions and the machine of the measurement, and the commands that repeat it.

use super::ReportInput;
use crate::report::numbers::{UNKNOWN, grouped};
use crate::report::page::{Block, Section, Table};
use crate::report::prose::notes;
use crate::report::prose::phrases::{and_list, pluralize};
use crate::results::{Program, Run};

pub fn section(input: &ReportInput<'_>) -> Section {
    let mut section = Section::new("provenance", "Provenance");
    let runs = input.provenance.map_or(&[][..], |provenance| &provenance.runs);
    if runs.is_empty() {
        section.add_paragraph(
            "There is no run.json beside the rows, so the versions, the machine and the commands \
             of the measurement are unknown.",
        );
        return section;
    }
    let (commands, omitted) = notes::commands(runs);
    section.add_paragraph(match omitted {
        0 => "To measure it again:".to_owned(),
        omitted => format!(
            "To measure it again, run the {} in run.json, and then:",
            pluralize(omitted, "earlier command")
        ),
    });
    section.blocks.push(Block::Code(commands));
    for run in distinct(runs) {
        section.blocks.push(Block::Table(table(run)));
    }
    section
}

/// The first run of each distinct combination of program and machine.
fn distinct(runs: &[Run]) -> Vec<&Run> {
    let mut kept: Vec<&Run> = Vec::new();
    for run in runs {
        let same = |other: &&Run| (&other.program, &other.machine) == (&run.program, &run.machine);
        if !kept.iter().any(same) {
            kept.push(run);
        }
    }
    kept
}

fn table(run: &Run) -> Table {
    let caption = format!("Measured from {} on", run.started_at);
    let mut table = Table::new(&caption, &["property", "value"]);
    let Program { version, commit, compilers, libraries } = &run.program;
    let machine = &run.machine;
    let libraries = libraries.iter().map(|(system, library)| format!("{system}: {library}"));
    let mut add = |property: &str, value: String| table.add([property.to_owned(), value]);
    add("run", run.run_id.clone());
    add("echometer", format!("{version}, commit {commit}"));
    add("compilers", compilers.join("; "));
    add("libraries", libraries.collect::<Vec<_>>().join("; "));
    add("host", machine.host.clone());
    add("kernel", machine.kernel.clone());
    add("CPU", machine.cpu_model.clone());
    add("CPUs granted", machine.cpus.clone());
    add("CPU quota", machine.cpu_quota.map_or_else(|| "none".to_owned(), |cpus| grouped(cpus, 2)));
    let memory = machine.memory_mib.map(|mib| format!("{} MiB", grouped(mib as f64, 0)));
    let or_unknown = |value: Option<String>| value.unwrap_or_else(|| UNKNOWN.to_owned());
    add("memory", or_unknown(memory));
    let siblings = machine.smt_siblings.as_ref().map(|groups| match &groups[..] {
        [] => "none".to_owned(),
        groups => groups.join("; "),
    });
    add("SMT siblings", or_unknown(siblings));
    add("clock source", or_unknown(machine.clock_source.clone()));
    let exact = machine.irq_time_accounting.map(|on| if on { "exact" } else { "by ticks" });
    add("interrupt accounting", or_unknown(exact.map(str::to_owned)));
    add("frequency governor", or_unknown(machine.frequency_governor.clone()));
    add("hypervisor", or_unknown(machine.hypervisor.clone()));
    table
}

/// Number of trials, hosts, dates and CPU model, in one line.
pub fn subtitle(input: &ReportInput<'_>) -> String {
    let mut hosts: Vec<String> = Vec::new();
    for row in input.rows.iter().filter(|row| !row.host.is_empty()) {
        if !hosts.contains(&row.host) {
            hosts.push(row.host.clone());
        }
    }
    let day = |at: &str| at.chars().take("2026-01-31".len()).collect::<String>();
    let days = input.rows.iter().map(|row| day(&row.started_at)).filter(|day| !day.is_empty());
    let (first, last) = (days.clone().min(), days.max());
    let when = match (first, last) {
        (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
        (Some(first), _) => first,
        _ => String::new(),
    };
    let trials = match input.rows.len() {
        1 => "1 trial".to_owned(),
        all => format!("{} trials", grouped(all as f64, 0)),
    };
    let host = if hosts.is_empty() { String::new() } else { format!("on {}", and_list(&hosts)) };
    let cpu =
        input.provenance.and_then(|all| all.runs.last()).map(|run| run.machine.cpu_model.clone());
    let parts = [Some(format!("{trials} {host}").trim().to_owned()), Some(when), cpu];
    let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" · ")
}
