//! CPU time and context switches of the server per message, by the role of its threads.

use std::collections::{BTreeMap, BTreeSet};

use super::{Axis, Curve, Estimate, Point, Trial};
use crate::results::ThreadRow;

const US_PER_S: f64 = 1e6;

/// Cost of a message at the peak of a curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Cost {
    /// Label of the curve.
    pub label: String,
    /// The system.
    pub system: String,
    /// Value of the axis at the peak.
    pub x: f64,
    /// Cost by role of the threads, the most expensive first; empty if unknown.
    pub roles: Vec<RoleCost>,
    /// CPU time of the whole server per message, in us.
    pub cpu_us_per_msg: f64,
    /// Context switches of the whole server per message.
    pub switches_per_msg: Option<f64>,
    /// Number of server threads.
    pub threads: Option<f64>,
    /// CPU time that the server may use, in CPUs.
    pub cpus: f64,
    /// Maximum messages per second at this cost: CPUs over CPU time per message.
    pub ceiling_per_s: f64,
    /// Measured throughput, in messages per second.
    pub measured: Estimate,
    /// Ratio of the CPU time per message to that of the baseline.
    pub baseline_ratio: Option<f64>,
}

/// Cost of a message in the threads of one role: the mean of the trials.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleCost {
    /// Role of the threads.
    pub role: String,
    /// Number of threads.
    pub threads: f64,
    /// CPU time, in us.
    pub cpu_us: f64,
    /// User part of the CPU time, in us.
    pub user_us: Option<f64>,
    /// System part of the CPU time, in us.
    pub system_us: Option<f64>,
    /// Context switches, voluntary and involuntary.
    pub switches: Option<f64>,
}

/// Returns the cost of each curve whose server CPU time and CPUs are known. `baseline` is the name
/// of the baseline system.
///
/// Curves that share their peak appear once.
pub fn costs(curves: &[Curve], axis: Axis, threads: &[ThreadRow], baseline: &str) -> Vec<Cost> {
    let mut by_trial: BTreeMap<(&str, &str, &str), Vec<&ThreadRow>> = BTreeMap::new();
    for row in threads {
        by_trial.entry((&row.run_id, &row.started_at, &row.label)).or_default().push(row);
    }
    let cost = |curve: &Curve| {
        let peak = curve.peak()?;
        let (cpu_us_per_msg, cpus) = (peak.server_cpu_us_per_msg?, peak.server_cpus?);
        let of_baseline = baseline_of(curve, curves, baseline)
            .and_then(|curve| curve.peak()?.server_cpu_us_per_msg)
            .filter(|cpu_us| *cpu_us > 0.0);
        (cpu_us_per_msg > 0.0).then(|| Cost {
            label: curve.label_at(axis, peak.x),
            system: curve.system.clone(),
            x: peak.x,
            roles: roles(curve, peak, &by_trial),
            cpu_us_per_msg,
            switches_per_msg: peak.server_switches_per_msg,
            threads: peak.server_threads,
            cpus,
            ceiling_per_s: cpus * US_PER_S / cpu_us_per_msg,
            measured: peak.throughput,
            baseline_ratio: of_baseline.map(|cpu_us| cpu_us_per_msg / cpu_us),
        })
    };
    let mut all: Vec<Cost> = Vec::new();
    for cost in curves.iter().filter_map(cost) {
        if !all.contains(&cost) {
            all.push(cost);
        }
    }
    all
}

/// The baseline's curve under the same conditions that shares the most options with this curve.
fn baseline_of<'a>(curve: &Curve, curves: &'a [Curve], baseline: &str) -> Option<&'a Curve> {
    let of_baseline = curves.iter().filter(|c| c.system == baseline && c.is_comparable(curve));
    let shared_options = |other: &&Curve| {
        other.options.iter().filter(|(name, value)| curve.options.get(*name) == Some(value)).count()
    };
    // `max_by_key` returns the last maximum; reversed, this is the first.
    of_baseline.rev().max_by_key(shared_options)
}

fn roles(
    curve: &Curve,
    peak: &Point,
    by_trial: &BTreeMap<(&str, &str, &str), Vec<&ThreadRow>>,
) -> Vec<RoleCost> {
    let of_trial = |(run, started, label): &Trial| {
        let rows = by_trial.get(&(&**run, &**started, &**label))?;
        let own = rows.iter().filter(|row| row.system == curve.system && row.valid);
        let own: Vec<&ThreadRow> = own.copied().collect();
        (!own.is_empty()).then_some(own)
    };
    let trials: Vec<_> = peak.trials.iter().filter_map(of_trial).collect();
    let names: BTreeSet<_> = trials.iter().flatten().map(|row| &*row.role).collect();
    let mut roles: Vec<_> = names.into_iter().map(|role| role_cost(role, &trials)).collect();
    roles.sort_by(|a, b| b.cpu_us.total_cmp(&a.cpu_us));
    roles
}

/// The mean over the trials; a trial without threads of the role counts as 0.
fn role_cost(role: &str, trials: &[Vec<&ThreadRow>]) -> RoleCost {
    let mean = |value: fn(&ThreadRow) -> Option<f64>| {
        let rows = trials.iter().flatten().filter(|row| row.role == role);
        let known: Vec<_> = rows.filter_map(|row| value(row)).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / trials.len() as f64)
    };
    RoleCost {
        role: role.to_owned(),
        threads: mean(|row| Some(row.threads as f64)).unwrap_or_default(),
        cpu_us: mean(|row| row.cpu_us_per_msg).unwrap_or_default(),
        user_us: mean(|row| row.user_us_per_msg),
        system_us: mean(|row| row.system_us_per_msg),
        switches: mean(|row| {
            let kinds = [row.voluntary_switches_per_msg, row.involuntary_switches_per_msg];
            kinds.iter().any(Option::is_some).then(|| kinds.into_iter().flatten().sum())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::curves;
    use crate::results::Row;

    fn row(system: &str, clients: usize, trial: u32, cpu_us: f64) -> Row {
        Row {
            run_id: "run".to_owned(),
            system: system.to_owned(),
            started_at: format!("{system} {clients} {trial}"),
            clients,
            trial,
            throughput_per_s: 1000.0 * clients as f64,
            server_cpu_us_per_msg: Some(cpu_us),
            server_switches_per_msg: Some(1.5),
            server_threads: Some(5),
            server_cpus: Some("0-1".to_owned()),
            valid: true,
            ..Row::default()
        }
    }

    fn thread(row: &Row, role: &str, cpu_us: f64) -> ThreadRow {
        ThreadRow {
            run_id: row.run_id.clone(),
            started_at: row.started_at.clone(),
            system: row.system.clone(),
            valid: true,
            role: role.to_owned(),
            threads: 2,
            cpu_us_per_msg: Some(cpu_us),
            voluntary_switches_per_msg: Some(1.0),
            involuntary_switches_per_msg: Some(0.5),
            ..ThreadRow::default()
        }
    }

    #[test]
    fn costs_are_taken_at_the_peak_by_role_and_relative_to_the_baseline() {
        let rows = [
            row("a", 1, 1, 99.0),
            row("a", 8, 1, 20.0),
            row("a", 8, 2, 22.0),
            row("base", 8, 1, 7.0),
        ];
        let threads = [
            thread(&rows[0], "io", 90.0),
            thread(&rows[1], "io", 14.0),
            thread(&rows[1], "handler", 6.0),
            thread(&rows[2], "io", 18.0),
            thread(&rows[3], "io", 7.0),
        ];
        let all = costs(&curves(&rows, Axis::Clients), Axis::Clients, &threads, "base");
        let [a, base] = &all[..] else { panic!("{all:?}") };
        // Two CPUs, 21 us per message.
        assert_eq!((a.cpu_us_per_msg, a.cpus, a.baseline_ratio), (21.0, 2.0, Some(3.0)));
        assert!((a.ceiling_per_s - 2e6 / 21.0).abs() < 1e-9);
        assert_eq!(
            (a.switches_per_msg, a.threads, a.measured.mean),
            (Some(1.5), Some(5.0), 8000.0)
        );
        let roles: Vec<_> = a.roles.iter().map(|r| (&*r.role, r.cpu_us, r.switches)).collect();
        // The handler is in one of two trials.
        assert_eq!(roles, [("io", 16.0, Some(1.5)), ("handler", 3.0, Some(0.75))]);
        assert_eq!((base.baseline_ratio, base.roles.len()), (Some(1.0), 1));
    }

    #[test]
    fn curves_with_unknown_cpu_time_or_cpus_have_no_cost() {
        let rows = [row("a", 1, 1, 0.0), Row { server_cpus: None, ..row("b", 1, 1, 9.0) }];
        assert!(costs(&curves(&rows, Axis::Clients), Axis::Clients, &[], "base").is_empty());
        let only =
            costs(&curves(&[row("a", 1, 1, 5.0)], Axis::Clients), Axis::Clients, &[], "base");
        assert_eq!((only[0].roles.len(), only[0].baseline_ratio), (0, None));
    }

    #[test]
    fn the_baseline_curve_with_the_most_shared_options_is_used() {
        let tuned = |row: Row| Row { tuning: Some("throughput".to_owned()), ..row };
        let rows = [
            row("a", 8, 1, 20.0),
            tuned(row("a", 8, 1, 20.0)),
            row("base", 8, 1, 10.0),
            tuned(row("base", 8, 1, 5.0)),
            Row { think_us: 300.0, ..row("a", 8, 1, 20.0) },
        ];
        let all = costs(&curves(&rows, Axis::Clients), Axis::Clients, &[], "base");
        let ratios: Vec<_> = all.iter().map(|cost| cost.baseline_ratio).collect();
        assert_eq!(ratios, [Some(2.0), Some(4.0), Some(1.0), Some(1.0), None]);
    }

    #[test]
    fn curves_that_share_their_peak_have_one_cost() {
        let work = |row: Row, work: &str| Row { work: Some(work.to_owned()), ..row };
        let rows = [
            work(row("a", 1, 1, 5.0), "none"),
            work(Row { throughput_per_s: 9.0, ..row("a", 1, 1, 9.0) }, "spin:1ms"),
            work(Row { throughput_per_s: 8.0, ..row("a", 1, 1, 6.0) }, "sleep:1ms"),
        ];
        let all = costs(&curves(&rows, Axis::Work), Axis::Work, &[], "base");
        let found: Vec<_> = all.iter().map(|cost| (&*cost.label, cost.cpu_us_per_msg)).collect();
        assert_eq!(found, [("a", 5.0)]);
    }
}
