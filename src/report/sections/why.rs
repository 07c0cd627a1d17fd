//! Why: what a message costs the server, thread by thread.

use anyhow::Result;

use super::Given;
use crate::analysis::{Cost, RoleCost};
use crate::report::chart::{About, Bar, BarChart, is_crowded};
use crate::report::numbers::{grouped, number, shown};
use crate::report::page::{Block, Figure, Section, Table};
use crate::report::prose::phrases::named;

pub fn section(given: &Given<'_>) -> Result<Section> {
    let mut section = Section::new("why", "Why");
    if given.curves.is_empty() {
        section
            .say("What a message costs is told at the peak of a closed loop; none was measured.");
        return Ok(section);
    }
    if given.costs.is_empty() {
        section.say(
            "The rows do not tell what a message costs the server: that is known of servers which \
             the program started itself (bench --spawn).",
        );
        return Ok(section);
    }
    section.say(
        "What bounds a server is the CPU time that a message costs it. Here it is at each \
         system's peak, by what the threads are for, with the times that a thread was woken or \
         interrupted.",
    );
    section.blocks.push(Block::Figure(figure(given)?));
    section.say(
        "One CPU has 1,000,000 us in a second. What that makes at most, and what was measured:",
    );
    let arithmetic = Block::List(given.costs.iter().map(arithmetic).collect());
    section.blocks.push(if is_crowded(given.costs.len()) {
        Block::Folded(format!("All {} calculations", given.costs.len()), vec![arithmetic])
    } else {
        arithmetic
    });
    Ok(section)
}

/// `rep: 1 CPU / (11.1 us per message) = 90,100 messages/s at most; measured 89,179 (99 %)`
fn arithmetic(cost: &Cost) -> String {
    let plural = if cost.cpus == 1.0 { "" } else { "s" };
    let measured = cost.measured.mean;
    format!(
        "{}: {} CPU{plural} / ({} us per message) = {} messages/s at most; measured {} ({:.0} %)",
        cost.label,
        number(cost.cpus),
        grouped(cost.cpu_us_per_msg, 1),
        grouped(cost.ceiling_per_s, 0),
        grouped(measured, 0),
        measured / cost.ceiling_per_s * 100.0
    )
}

fn figure(given: &Given<'_>) -> Result<Figure> {
    let costs = given.costs;
    let title = "CPU time of the server per message, by thread".to_owned();
    let base = costs.iter().find(|cost| cost.system == given.baseline);
    let each =
        costs.iter().map(|cost| format!("{}: {} us", cost.label, grouped(cost.cpu_us_per_msg, 1)));
    let about = About {
        id: "cost".to_owned(),
        title: title.clone(),
        desc: each.collect::<Vec<_>>().join("; "),
    };
    let chart = BarChart {
        about,
        title: "CPU time per message (us)".to_owned(),
        columns: ["switches/msg", "threads"],
        bars: costs.iter().map(bar).collect(),
        baseline: base
            .filter(|_| costs.len() > 1)
            .map(|cost| (cost.cpu_us_per_msg, format!("{}, the baseline", cost.label))),
        written: |us| grouped(us, 1),
    };
    let svg = chart.draw()?;
    Ok(Figure {
        id: "cost".to_owned(),
        title,
        svg,
        sentence: sentence(given, base),
        table: table(costs),
    })
}

fn bar(cost: &Cost) -> Bar {
    /// A part that is smaller is not seen; the table has it.
    const SEEN: f64 = 0.01;
    let part = |role: &RoleCost| (role.role.clone(), role.cpu_us);
    let seen = |(_, us): &(String, f64)| *us >= cost.cpu_us_per_msg * SEEN;
    let mut parts: Vec<_> = cost.roles.iter().map(part).filter(seen).collect();
    if parts.is_empty() {
        parts.push(("whole process".to_owned(), cost.cpu_us_per_msg));
    }
    let over = cost.over_baseline.map(|over| format!(" ({}×)", grouped(over, 1)));
    Bar {
        label: cost.label.clone(),
        parts,
        total: format!("{} us{}", grouped(cost.cpu_us_per_msg, 1), over.unwrap_or_default()),
        beside: [shown(cost.switches_per_msg, 2), shown(cost.threads, 0)],
    }
}

/// The cheapest and the dearest, and where most of it goes.
fn sentence(given: &Given<'_>, base: Option<&Cost>) -> String {
    const NEARLY_ALL: f64 = 0.95;
    let by_cost = |a: &&Cost, b: &&Cost| a.cpu_us_per_msg.total_cmp(&b.cpu_us_per_msg);
    let own = || given.costs.iter().filter(|cost| cost.system != given.baseline);
    let Some(dearest) = own().max_by(by_cost).or(base) else { return String::new() };
    let cheapest = own().min_by(by_cost).filter(|cost| cost.label != dearest.label);
    let us = |cost: &Cost| grouped(cost.cpu_us_per_msg, 1);
    let mut words = vec![format!("A message costs {} {} us", named(&dearest.label), us(dearest))];
    let most = dearest.roles.iter().max_by(|a, b| a.cpu_us.total_cmp(&b.cpu_us));
    if let Some(most) = most.filter(|most| most.cpu_us < dearest.cpu_us_per_msg * NEARLY_ALL) {
        words.push(format!(", of which {} has {}", most.role, grouped(most.cpu_us, 1)));
    }
    if let Some(cheapest) = cheapest {
        words.push(format!(
            "; the least, {} us, is what it costs {}",
            us(cheapest),
            named(&cheapest.label)
        ));
    }
    if let Some(base) = base.filter(|base| base.label != dearest.label) {
        words.push(format!(". Without a framework, {} needs {} us", named(&base.label), us(base)));
    }
    words.concat() + "."
}

fn table(costs: &[Cost]) -> Table {
    let titles = ["system", "role", "threads", "CPU us/msg", "user", "system time", "switches/msg"];
    let mut table =
        Table::new("What a message costs the server at the peak, by thread role", &titles);
    for cost in costs {
        for role in &cost.roles {
            table.add([
                cost.label.clone(),
                role.role.clone(),
                grouped(role.threads, 0),
                grouped(role.cpu_us, 2),
                shown(role.user_us, 2),
                shown(role.system_us, 2),
                shown(role.switches, 2),
            ]);
        }
        table.add([
            cost.label.clone(),
            "all".to_owned(),
            shown(cost.threads, 0),
            grouped(cost.cpu_us_per_msg, 2),
            String::new(),
            String::new(),
            shown(cost.switches_per_msg, 2),
        ]);
    }
    table
}
