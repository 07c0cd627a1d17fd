//! Provenance: with what and where the rows were measured, and how to measure them again.

use super::Given;
use crate::report::numbers::{UNKNOWN, grouped, shown};
use crate::report::page::{Block, Section, Table};
use crate::report::prose::notes;
use crate::report::prose::phrases::listed;
use crate::results::{Program, Run};

pub fn section(given: &Given<'_>) -> Section {
    let mut section = Section::new("provenance", "Provenance");
    let runs = given.provenance.map_or(&[][..], |provenance| &provenance.runs);
    if runs.is_empty() {
        section.say(
            "There is no run.json beside the rows that would tell with what and where they were \
             measured.",
        );
        return section;
    }
    let (commands, more) = notes::commands(runs);
    section.say(match more {
        0 => "To measure it again:".to_owned(),
        more => format!(
            "To measure it again, these and {more} commands before them that run.json tells:"
        ),
    });
    section.blocks.push(Block::Lines(commands));
    for run in distinct(runs) {
        section.blocks.push(Block::Table(table(run)));
    }
    section
}

/// The runs of which one differs from the others in program or machine.
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
    let mut table = Table::new(&format!("Measured from {} on", run.started_at), &["what", "which"]);
    let Program { version, commit, compilers, libraries } = &run.program;
    let machine = &run.machine;
    let libraries = libraries.iter().map(|(system, library)| format!("{system}: {library}"));
    let mut add = |what: &str, which: String| table.add([what.to_owned(), which]);
    add("run", run.run_id.clone());
    add("echometer", format!("{version}, commit {commit}"));
    add("compilers", compilers.join("; "));
    add("built on", libraries.collect::<Vec<_>>().join("; "));
    add("host", machine.host.clone());
    add("kernel", machine.kernel.clone());
    add("CPU", machine.cpu_model.clone());
    add("CPUs granted", machine.cpus.clone());
    add(
        "CPU quota",
        machine.cpu_quota.map_or_else(|| "none".to_owned(), |cpus| shown(Some(cpus), 2)),
    );
    let memory = machine.memory_mib.map(|mib| format!("{} MiB", grouped(mib as f64, 0)));
    add("memory", memory.unwrap_or_else(|| UNKNOWN.to_owned()));
    table
}

/// Where, when and how much was measured, in a line.
pub fn subtitle(given: &Given<'_>) -> String {
    let mut hosts: Vec<String> = Vec::new();
    for row in given.rows.iter().filter(|row| !row.host.is_empty()) {
        if !hosts.contains(&row.host) {
            hosts.push(row.host.clone());
        }
    }
    let day = |at: &str| at.chars().take("2026-01-31".len()).collect::<String>();
    let days = given.rows.iter().map(|row| day(&row.started_at)).filter(|day| !day.is_empty());
    let (first, last) = (days.clone().min(), days.max());
    let when = match (first, last) {
        (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
        (Some(first), _) => first,
        _ => String::new(),
    };
    let trials = match given.rows.len() {
        1 => "1 trial".to_owned(),
        all => format!("{} trials", grouped(all as f64, 0)),
    };
    let host = if hosts.is_empty() { String::new() } else { format!("on {}", listed(&hosts)) };
    let cpu =
        given.provenance.and_then(|all| all.runs.last()).map(|run| run.machine.cpu_model.clone());
    let words = [Some(format!("{trials} {host}").trim().to_owned()), Some(when), cpu];
    let words = words.into_iter().flatten().filter(|words| !words.is_empty());
    words.collect::<Vec<_>>().join(" · ")
}
