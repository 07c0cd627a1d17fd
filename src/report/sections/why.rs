//! Why: the server's CPU time per message, by thread role.

use anyhow::Result;

use super::ReportInput;
use crate::analysis::{Cost, EXTRA_COSTS_US, ExtraCost, RoleCost, extra_costs};
use crate::report::chart::{Bar, BarChart, ChartInfo, is_crowded};
use crate::report::numbers::{compact, grouped, grouped_or_unknown};
use crate::report::page::{Block, Figure, Section, Table};
use crate::report::prose::phrases::inline_label;

pub fn section(input: &ReportInput<'_>) -> Result<Section> {
    let mut section = Section::new("why", "Why");
    if input.curves.is_empty() {
        section.add_paragraph(
            "The CPU time per message is shown at the peak of a closed loop, and there are no \
             closed-loop trials.",
        );
        return Ok(section);
    }
    if input.costs.is_empty() {
        section.add_paragraph(
            "The rows do not have the server's CPU time per message. It is known if bench starts \
             the servers itself (--spawn).",
        );
        return Ok(section);
    }
    section.add_paragraph(
        "The CPU time per message limits a server's throughput. The figure shows it at each \
         system's peak, by thread role, with the context switches per message and the number of \
         threads.",
    );
    section.blocks.push(Block::Figure(figure(input)?));
    section.add_paragraph(
        "One CPU has 1,000,000 us per second. This gives the maximum throughput, which a server \
         that is always busy reaches by definition:",
    );
    let calculations = Block::List(input.costs.iter().map(calculation).collect());
    section.blocks.push(if is_crowded(input.costs.len()) {
        Block::Details(format!("All {} calculations", input.costs.len()), vec![calculations])
    } else {
        calculations
    });
    section.blocks.extend(extra_cost(&extra_costs(input.curves, input.axis)));
    Ok(section)
}

/// How the ratios of the peaks change with extra CPU time per message; empty without pairs.
fn extra_cost(pairs: &[ExtraCost]) -> Vec<Block> {
    if pairs.is_empty() {
        return Vec::new();
    }
    let paragraph = Block::Paragraph(
        "On one machine, the CPU time per message lacks the cost of a network card, because much \
         of a server's receive path runs inside the client's send call. A network adds this cost \
         to all servers and brings their ratios closer to 1. The table computes the ratio of \
         throughputs from the CPU times A and B per message, for servers that were the bound at \
         their peaks: (B + extra) / (A + extra)."
            .to_owned(),
    );
    let table = Block::Table(extra_cost_table(pairs));
    let table = if is_crowded(pairs.len()) {
        Block::Details(format!("All {} ratios", pairs.len()), vec![table])
    } else {
        table
    };
    vec![paragraph, table]
}

fn extra_cost_table(pairs: &[ExtraCost]) -> Table {
    let extra = EXTRA_COSTS_US.map(|us| format!("+{} us", compact(us)));
    let mut header = vec!["servers", "A (us/msg)", "B (us/msg)"];
    header.extend(extra.iter().map(String::as_str));
    let mut table =
        Table::new("Ratio of throughputs with extra server CPU time per message", &header);
    for pair in pairs {
        let servers = format!("{} / {}", pair.numerator, pair.denominator);
        let costs = pair.cpu_us_per_msg.map(|us| grouped(us, 1));
        let ratios = pair.ratios.map(|ratio| grouped(ratio, 2));
        table.add([servers].into_iter().chain(costs).chain(ratios));
    }
    table
}

/// `rep: 1 CPU / (11.1 us per message) = 90,100 messages/s at most; the server was busy for 99 %`
fn calculation(cost: &Cost) -> String {
    let plural = if cost.cpus == 1.0 { "" } else { "s" };
    format!(
        "{}: {} CPU{plural} / ({} us per message) = {} messages/s at most; the server was busy \
         for {:.0} %",
        cost.label,
        compact(cost.cpus),
        grouped(cost.cpu_us_per_msg, 1),
        grouped(cost.ceiling_per_s, 0),
        cost.measured.mean / cost.ceiling_per_s * 100.0
    )
}

fn figure(input: &ReportInput<'_>) -> Result<Figure> {
    let costs = input.costs;
    let title = "CPU time of the server per message, by thread role".to_owned();
    let baseline = costs.iter().find(|cost| cost.system == input.baseline);
    let each =
        costs.iter().map(|cost| format!("{}: {} us", cost.label, grouped(cost.cpu_us_per_msg, 1)));
    let info = ChartInfo {
        id: "cost".to_owned(),
        title: title.clone(),
        desc: each.collect::<Vec<_>>().join("; "),
    };
    let chart = BarChart {
        info,
        title: "CPU time per message (us)".to_owned(),
        columns: ["switches/msg", "threads"],
        bars: costs.iter().map(bar).collect(),
        baseline: baseline
            .filter(|_| costs.len() > 1)
            .map(|cost| (cost.cpu_us_per_msg, format!("{} (baseline)", cost.label))),
        format: |us| grouped(us, 1),
    };
    let svg = chart.draw()?;
    let (id, caption) = ("cost".to_owned(), caption(input, baseline));
    Ok(Figure { id, title, svg, caption, table: table(costs) })
}

fn bar(cost: &Cost) -> Bar {
    /// Smaller segments are not visible; the table has them.
    const MIN_VISIBLE_SHARE: f64 = 0.01;
    let segment = |role: &RoleCost| (role.role.clone(), role.cpu_us);
    let is_visible = |(_, us): &(String, f64)| *us >= cost.cpu_us_per_msg * MIN_VISIBLE_SHARE;
    let mut segments: Vec<_> = cost.roles.iter().map(segment).filter(is_visible).collect();
    if segments.is_empty() {
        segments.push(("whole process".to_owned(), cost.cpu_us_per_msg));
    }
    let ratio = cost.baseline_ratio.map(|ratio| format!(" ({}×)", grouped(ratio, 1)));
    Bar {
        label: cost.label.clone(),
        segments,
        total: format!("{} us{}", grouped(cost.cpu_us_per_msg, 1), ratio.unwrap_or_default()),
        cells: [grouped_or_unknown(cost.switches_per_msg, 2), grouped_or_unknown(cost.threads, 0)],
    }
}

/// The systems with the highest and the lowest cost, the largest share of the highest cost, and
/// the baseline.
fn caption(input: &ReportInput<'_>, baseline: Option<&Cost>) -> String {
    const NEARLY_ALL: f64 = 0.95;
    let by_cost = |a: &&Cost, b: &&Cost| a.cpu_us_per_msg.total_cmp(&b.cpu_us_per_msg);
    let own = || input.costs.iter().filter(|cost| cost.system != input.baseline);
    let Some(highest) = own().max_by(by_cost).or(baseline) else { return String::new() };
    let lowest = own().min_by(by_cost).filter(|cost| cost.label != highest.label);
    let us = |cost: &Cost| grouped(cost.cpu_us_per_msg, 1);
    let label = |cost: &Cost| inline_label(&cost.label);
    let largest = highest.roles.iter().max_by(|a, b| a.cpu_us.total_cmp(&b.cpu_us));
    let largest = largest.filter(|role| role.cpu_us < highest.cpu_us_per_msg * NEARLY_ALL);
    let share = largest
        .map(|role| format!(", {} us of it in {}", grouped(role.cpu_us, 1), role.role))
        .unwrap_or_default();
    let mut sentences = match lowest {
        None => vec![format!(
            "{} uses {} us of CPU time per message{share}.",
            label(highest),
            us(highest)
        )],
        Some(lowest) => vec![
            format!(
                "{} uses the most CPU time per message, {} us{share}.",
                label(highest),
                us(highest)
            ),
            format!("{} uses the least, {} us.", label(lowest), us(lowest)),
        ],
    };
    if let Some(baseline) = baseline.filter(|baseline| baseline.label != highest.label) {
        sentences.push(format!(
            "The baseline, {}, has no framework and uses {} us.",
            label(baseline),
            us(baseline)
        ));
    }
    sentences.join(" ")
}

fn table(costs: &[Cost]) -> Table {
    let header = ["system", "role", "threads", "CPU us/msg", "user", "system time", "switches/msg"];
    let mut table = Table::new("Server CPU time per message at the peak, by thread role", &header);
    for cost in costs {
        for role in &cost.roles {
            table.add([
                cost.label.clone(),
                role.role.clone(),
                grouped(role.threads, 0),
                grouped(role.cpu_us, 2),
                grouped_or_unknown(role.user_us, 2),
                grouped_or_unknown(role.system_us, 2),
                grouped_or_unknown(role.switches, 2),
            ]);
        }
        table.add([
            cost.label.clone(),
            "all".to_owned(),
            grouped_or_unknown(cost.threads, 0),
            grouped(cost.cpu_us_per_msg, 2),
            String::new(),
            String::new(),
            grouped_or_unknown(cost.switches_per_msg, 2),
        ]);
    }
    table
}
