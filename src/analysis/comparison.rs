//! Changes of throughput between two measurements.

use std::collections::{BTreeMap, BTreeSet};

use super::log_estimate::{LogEstimate, holm};
use super::{Curve, Estimate, Point, Verdict};

/// The change at a point that both measurements have.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Label of the curve in the second measurement.
    pub label: String,
    /// Value of the axis.
    pub x: f64,
    /// Concurrent clients.
    pub clients: usize,
    /// Throughput in the first measurement.
    pub a: Estimate,
    /// Throughput in the second measurement.
    pub b: Estimate,
    /// Ratio of the second to the first; `None` unless both have 3 trials or more.
    pub ratio: Option<LogEstimate>,
    /// Whether they differ, corrected for the number of points.
    pub verdict: Verdict,
    /// Whether both points measure the servers: not bounded by the clients, and not disturbed.
    pub is_rankable: bool,
}

impl Change {
    /// The change relative to the first measurement: -0.05 is a loss of 5 %.
    pub fn relative(&self) -> f64 {
        match self.ratio {
            Some(ratio) => ratio.value() - 1.0,
            None => self.b.mean / self.a.mean - 1.0,
        }
    }

    /// Half the width of the 95 % interval of the relative change.
    pub fn relative_half_width(&self) -> Option<f64> {
        let (low, high) = self.ratio?.interval();
        Some((high - low) / 2.0)
    }
}

/// Compares the points that are in both measurements. If nothing changed, at most 5 % of
/// comparisons report any change.
///
/// Two measurements are not interleaved: the machine may have changed in between. So the error
/// comes from the differences between trials, not from the slices within them.
///
/// Curves with the same options are compared. If `anyway`, curves with different options are also
/// compared, provided that each measurement has a single curve of the system.
pub fn changes(a: &[Curve], b: &[Curve], anyway: bool) -> Vec<Change> {
    let mut changes = Vec::new();
    for (of_a, of_b) in pairs(a, b, anyway) {
        for point in &of_b.points {
            let Some(first) = of_a.at(point.x) else { continue };
            changes.push(Change {
                label: of_b.label.clone(),
                x: point.x,
                clients: point.clients,
                a: first.throughput,
                b: point.throughput,
                ratio: log_rate(point).zip(log_rate(first)).map(|(b, a)| b.difference(&a)),
                verdict: Verdict::InsufficientData,
                is_rankable: first.is_rankable() && point.is_rankable(),
            });
        }
    }
    set_verdicts(&mut changes);
    changes
}

/// The curves of both measurements that are compared with each other.
fn pairs<'a>(a: &'a [Curve], b: &'a [Curve], anyway: bool) -> Vec<(&'a Curve, &'a Curve)> {
    let counterpart = |of_b: &Curve| {
        let only_curve = || {
            let has_one = |curves: &[Curve]| {
                curves.iter().filter(|curve| curve.system == of_b.system).count() == 1
            };
            let same_system = a.iter().find(|of_a| of_a.system == of_b.system);
            same_system.filter(|_| anyway && has_one(a) && has_one(b))
        };
        a.iter().find(|of_a| of_a.has_same_options(of_b)).or_else(only_curve)
    };
    b.iter().filter_map(|of_b| Some((counterpart(of_b)?, of_b))).collect()
}

/// A point of which one measurement has fewer valid trials than the other.
#[derive(Debug, Clone, PartialEq)]
pub struct MissingTrials {
    /// Label of the curve in the measurement that has more.
    pub label: String,
    /// Value of the axis.
    pub x: f64,
    /// Number of trials in the measurement that has more.
    pub expected: usize,
    /// Number of trials in the other measurement; 0 if it lacks the point.
    pub found: usize,
}

/// Returns the points of `of` for which `in_other` has fewer valid trials, disturbed ones included.
pub fn missing_trials(of: &[Curve], in_other: &[Curve], anyway: bool) -> Vec<MissingTrials> {
    let pairs = pairs(of, in_other, anyway);
    let mut missing = Vec::new();
    for curve in of {
        let others = pairs.iter().find(|(paired, _)| std::ptr::eq(*paired, curve));
        for point in &curve.points {
            let (label, x, expected) = (curve.label.clone(), point.x, point.measured_passes);
            let other = others.and_then(|(_, other)| other.at(x));
            let found = other.map_or(0, |other| other.measured_passes);
            if found < expected {
                missing.push(MissingTrials { label, x, expected, found });
            }
        }
    }
    missing
}

/// The mean of the logarithms of the trials' rates.
fn log_rate(point: &Point) -> Option<LogEstimate> {
    LogEstimate::of_logs(&point.passes.values().map(|rate| rate.ln()).collect::<Vec<_>>())
}

/// Sets all verdicts together: Holm's procedure at a family-wise error rate of 5 %.
fn set_verdicts(changes: &mut [Change]) {
    let p: Vec<f64> = changes.iter().filter_map(|change| Some(change.ratio?.p())).collect();
    let known = changes.iter_mut().filter(|change| change.ratio.is_some());
    for (change, significant) in known.zip(holm(&p)) {
        change.verdict = if significant { Verdict::Differs } else { Verdict::Tie };
    }
}

/// The values of each option in force, by system and option.
pub type OptionsBySystem = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Collects the options of curves.
pub fn options_by_system(curves: &[Curve]) -> OptionsBySystem {
    let mut all = OptionsBySystem::new();
    for curve in curves {
        let of_system = all.entry(curve.system.clone()).or_default();
        for (name, value) in &curve.options {
            of_system.entry((*name).to_owned()).or_default().insert(value.clone());
        }
    }
    all
}

/// An option for which two measurements have no value in common, so that they cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionDifference {
    /// The system.
    pub system: String,
    /// The option.
    pub name: String,
    /// Its values in the first measurement.
    pub a: String,
    /// Its values in the second measurement.
    pub b: String,
}

/// Returns the options that differ, for the systems that both measurements have.
pub fn option_differences(a: &OptionsBySystem, b: &OptionsBySystem) -> Vec<OptionDifference> {
    let systems = a.iter().filter_map(|(system, of_a)| Some((system, of_a, b.get(system)?)));
    let mut found = Vec::new();
    for (system, of_a, of_b) in systems {
        for name in of_a.keys().filter(|name| of_b.contains_key(*name)) {
            if of_a[name].is_disjoint(&of_b[name]) {
                let joined = |values: &BTreeSet<String>| {
                    values.iter().cloned().collect::<Vec<_>>().join(", ")
                };
                let (a, b) = (joined(&of_a[name]), joined(&of_b[name]));
                found.push(OptionDifference { system: system.clone(), name: name.clone(), a, b });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Axis, curves};
    use crate::results::Row;

    fn measured(workers: usize, rates: [f64; 3]) -> Vec<Curve> {
        let rows = (1..).zip(rates).map(|(trial, throughput_per_s)| Row {
            system: "a".to_owned(),
            workers: Some(workers),
            clients: 4,
            trial,
            throughput_per_s,
            valid: true,
            ..Row::default()
        });
        curves(&rows.collect::<Vec<_>>(), Axis::Clients)
    }

    #[test]
    fn change_and_interval_match_a_hand_calculation() {
        let before = measured(4, [100.0, 101.0, 99.0]);
        let change = &changes(&before, &measured(4, [90.0, 91.0, 89.0]), false)[0];
        assert!((change.relative() + 0.1).abs() < 1e-4, "{change:?}");
        // The standard deviations of the logs are 1.0000 % and 1.1111 %. The error of the
        // difference is 0.8631 %, with 3.956 degrees of freedom; t(0.975, 3.956) = 2.788. The ratio
        // is 0.9.
        let half = change.relative_half_width().unwrap();
        assert!((half - 0.9 * 2.788 * 0.008_631).abs() < 1e-4, "{half}");
        assert_eq!(change.verdict, Verdict::Differs);
        let noise = &changes(&before, &measured(4, [60.0, 140.0, 70.0]), false)[0];
        assert_eq!(noise.verdict, Verdict::Tie);
        assert_eq!(changes(&before, &before, false)[0].verdict, Verdict::Tie);
        let single = with_one_trial(&measured(4, [90.0, 91.0, 89.0]));
        assert_eq!(changes(&before, &single, false)[0].verdict, Verdict::InsufficientData);
    }

    fn with_one_trial(curves: &[Curve]) -> Vec<Curve> {
        let mut curves = curves.to_vec();
        for point in curves.iter_mut().flat_map(|curve| &mut curve.points) {
            point.passes.retain(|(_, trial), _| *trial == 1);
        }
        curves
    }

    #[test]
    fn at_most_5_percent_of_comparisons_of_equal_measurements_report_a_change() {
        let mut random = fastrand::Rng::with_seed(4);
        let mut measured = || {
            let rows = (1..=20).flat_map(|clients| (1..=5).map(move |trial| (clients, trial)));
            let rows = rows.map(|(clients, trial)| {
                // The sum of twelve uniform values is nearly normal; here with 5 % of the mean.
                let normal = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
                let throughput_per_s = 1000.0 * (1.0 + 0.05 * normal);
                let system = "a".to_owned();
                Row { system, clients, trial, throughput_per_s, valid: true, ..Row::default() }
            });
            curves(&rows.collect::<Vec<_>>(), Axis::Clients)
        };
        let false_alarms = (0..300)
            .filter(|_| {
                let found = changes(&measured(), &measured(), false);
                found.iter().any(|change| change.verdict == Verdict::Differs)
            })
            .count();
        assert!((3..=24).contains(&false_alarms), "{false_alarms} of 300");
    }

    #[test]
    fn curves_with_different_options_are_compared_only_if_anyway_is_set() {
        let (a, b) = (measured(4, [1.0; 3]), measured(16, [2.0; 3]));
        assert!(changes(&a, &b, false).is_empty());
        assert_eq!(changes(&a, &b, true).len(), 1);
        let differences = option_differences(&options_by_system(&a), &options_by_system(&b));
        let found: Vec<_> =
            differences.iter().map(|d| (&*d.system, &*d.name, &*d.a, &*d.b)).collect();
        assert_eq!(found, [("a", "workers", "4 workers", "16 workers")]);
    }

    #[test]
    fn an_option_with_a_value_in_common_is_no_difference() {
        let both = [measured(4, [1.0; 3]), measured(16, [1.0; 3])].concat();
        let one = measured(16, [1.0; 3]);
        assert!(option_differences(&options_by_system(&both), &options_by_system(&one)).is_empty());
        assert_eq!(changes(&both, &one, false).len(), 1);
    }

    #[test]
    fn points_and_trials_that_only_one_measurement_has_are_missing_in_the_other() {
        let of = |clients: usize, count: u32| {
            (1..=count).map(move |trial| Row {
                system: "a".to_owned(),
                clients,
                trial,
                throughput_per_s: 1.0,
                valid: true,
                ..Row::default()
            })
        };
        let a: Vec<_> = of(1, 5).chain(of(2, 3)).chain(of(4, 3)).collect();
        // A disturbed trial that is excluded from the mean was measured, too.
        let disturbed =
            |row: Row| Row { server_cpus_others: (row.trial == 4).then_some(0.5), ..row };
        let b: Vec<_> = of(1, 4).map(disturbed).chain(of(2, 4)).collect();
        let (a, b) = (curves(&a, Axis::Clients), curves(&b, Axis::Clients));
        let missing = |of: &[Curve], other: &[Curve]| -> Vec<_> {
            let all = missing_trials(of, other, false).into_iter();
            all.map(|point| (point.x, point.expected, point.found)).collect()
        };
        assert_eq!(missing(&a, &b), [(1.0, 5, 4), (4.0, 3, 0)]);
        assert_eq!(missing(&b, &a), [(2.0, 4, 3)]);
        assert_eq!(missing(&a, &[]).len(), 3);
    }
}
