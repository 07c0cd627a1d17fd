//! What changed from one measurement to another.

use std::collections::{BTreeMap, BTreeSet};

use super::log_estimate::{LogEstimate, holm};
use super::{Curve, Estimate, Point, Verdict};

/// A point that two measurements have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The curve, as the second measurement calls it.
    pub label: String,
    /// Concurrent clients.
    pub clients: usize,
    /// Throughput in the first.
    pub a: Estimate,
    /// Throughput in the second.
    pub b: Estimate,
    /// The second over the first, where both have 3 trials or more.
    pub ratio: Option<LogEstimate>,
    /// What may be said, corrected for the number of points.
    pub verdict: Verdict,
    /// Whether both points say how fast the servers are, and not the clients.
    pub ranks: bool,
}

impl Change {
    /// The change as a share of the first: -0.05 is a loss of 5 %.
    pub fn relative(&self) -> f64 {
        match self.ratio {
            Some(ratio) => ratio.value() - 1.0,
            None => self.b.mean / self.a.mean - 1.0,
        }
    }

    /// Half the width of its 95 % interval.
    pub fn relative_half_width(&self) -> Option<f64> {
        let (low, high) = self.ratio?.interval();
        Some((high - low) / 2.0)
    }

    /// Whether it is a loss of more than `most`, and significant.
    pub fn is_regression(&self, most: f64) -> bool {
        self.verdict == Verdict::Differs && self.relative() < -most
    }
}

/// The points that are in both. All their verdicts together are wrong in at most 5 % of all
/// comparisons of equal measurements.
///
/// Two measurements are not interleaved: the machine may have changed in between. So the error is
/// taken from the differences between trials, and not from the slices within them.
///
/// Curves with the same options belong together. If `anyway`, so do the only ones of a system
/// whose options differ.
pub fn changes(a: &[Curve], b: &[Curve], anyway: bool) -> Vec<Change> {
    let mut changes = Vec::new();
    for of_b in b {
        let only = || {
            let alone = |curves: &[Curve]| {
                curves.iter().filter(|curve| curve.system == of_b.system).count() == 1
            };
            let alike = a.iter().find(|of_a| of_a.system == of_b.system);
            alike.filter(|_| anyway && alone(a) && alone(b))
        };
        let Some(of_a) = a.iter().find(|of_a| of_a.is_like(of_b)).or_else(only) else { continue };
        for point in &of_b.points {
            let Some(before) = of_a.at(point.x) else { continue };
            changes.push(Change {
                label: of_b.label.clone(),
                clients: point.clients,
                a: before.throughput,
                b: point.throughput,
                ratio: log_rate(point).zip(log_rate(before)).map(|(b, a)| b.difference(&a)),
                verdict: Verdict::TooFew,
                ranks: before.ranks() && point.ranks(),
            });
        }
    }
    judge(&mut changes);
    changes
}

/// The mean of the logarithms of the trials' rates.
fn log_rate(point: &Point) -> Option<LogEstimate> {
    LogEstimate::of_logs(&point.passes.values().map(|rate| rate.ln()).collect::<Vec<_>>())
}

fn judge(changes: &mut [Change]) {
    let p: Vec<f64> = changes.iter().filter_map(|change| Some(change.ratio?.p())).collect();
    let known = changes.iter_mut().filter(|change| change.ratio.is_some());
    for (change, significant) in known.zip(holm(&p)) {
        change.verdict = if significant { Verdict::Differs } else { Verdict::Tie };
    }
}

/// Of each system, the values of each option in force.
pub type Options = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The options of curves.
pub fn options_of(curves: &[Curve]) -> Options {
    let mut all = Options::new();
    for curve in curves {
        let of_system = all.entry(curve.system.clone()).or_default();
        for (name, value) in &curve.options {
            of_system.entry((*name).to_owned()).or_default().insert(value.clone());
        }
    }
    all
}

/// An option whose values two measurements do not share: what is measured with it in the one
/// says nothing of the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    /// The system.
    pub system: String,
    /// The option.
    pub name: String,
    /// Its values in the first.
    pub a: String,
    /// Its values in the second.
    pub b: String,
}

/// The options that differ, of the systems that both have.
pub fn differing(a: &Options, b: &Options) -> Vec<Differing> {
    let systems = a.iter().filter_map(|(system, of_a)| Some((system, of_a, b.get(system)?)));
    let mut found = Vec::new();
    for (system, of_a, of_b) in systems {
        for name in of_a.keys().filter(|name| of_b.contains_key(*name)) {
            if of_a[name].is_disjoint(&of_b[name]) {
                let shown = |values: &BTreeSet<String>| {
                    values.iter().cloned().collect::<Vec<_>>().join(", ")
                };
                let (a, b) = (shown(&of_a[name]), shown(&of_b[name]));
                found.push(Differing { system: system.clone(), name: name.clone(), a, b });
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
    fn a_loss_is_one_where_it_is_larger_than_chance_and_than_the_limit() {
        let before = measured(4, [100.0, 101.0, 99.0]);
        let change = &changes(&before, &measured(4, [90.0, 91.0, 89.0]), false)[0];
        assert!((change.relative() + 0.1).abs() < 1e-4, "{change:?}");
        // Logs with standard deviations of 1.0000 % and 1.1111 %: the error of the difference is
        // 0.8631 %, its degrees 3.956, t(0.975, 3.956) = 2.788, of a ratio of 0.9.
        let half = change.relative_half_width().unwrap();
        assert!((half - 0.9 * 2.788 * 0.008_631).abs() < 1e-4, "{half}");
        assert!(change.is_regression(0.05) && !change.is_regression(0.15));
        let noise = &changes(&before, &measured(4, [60.0, 140.0, 70.0]), false)[0];
        assert_eq!((noise.verdict, noise.is_regression(0.05)), (Verdict::Tie, false));
        assert_eq!(changes(&before, &before, false)[0].verdict, Verdict::Tie);
        let single = measured(4, [90.0, 91.0, 89.0]);
        let single = curves_of_one_trial(&single);
        assert_eq!(changes(&before, &single, false)[0].verdict, Verdict::TooFew);
    }

    fn curves_of_one_trial(curves: &[Curve]) -> Vec<Curve> {
        let mut curves = curves.to_vec();
        for point in curves.iter_mut().flat_map(|curve| &mut curve.points) {
            point.passes.retain(|(_, trial), _| *trial == 1);
        }
        curves
    }

    #[test]
    fn of_many_equal_points_none_seems_to_have_changed_in_95_of_100_comparisons() {
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
        let alarms = (0..300)
            .filter(|_| {
                let found = changes(&measured(), &measured(), false);
                found.iter().any(|change| change.verdict == Verdict::Differs)
            })
            .count();
        assert!((3..=24).contains(&alarms), "{alarms} of 300");
    }

    #[test]
    fn other_options_are_other_points_unless_asked_for() {
        let (a, b) = (measured(4, [1.0; 3]), measured(16, [2.0; 3]));
        assert!(changes(&a, &b, false).is_empty());
        assert_eq!(changes(&a, &b, true).len(), 1);
        let differing = differing(&options_of(&a), &options_of(&b));
        let told: Vec<_> = differing.iter().map(|d| (&*d.system, &*d.name, &*d.a, &*d.b)).collect();
        assert_eq!(told, [("a", "workers", "4 workers", "16 workers")]);
    }

    #[test]
    fn an_option_that_varies_in_both_is_none_that_differs() {
        let both = [measured(4, [1.0; 3]), measured(16, [1.0; 3])].concat();
        let one = measured(16, [1.0; 3]);
        assert!(differing(&options_of(&both), &options_of(&one)).is_empty());
        assert_eq!(changes(&both, &one, false).len(), 1);
    }
}
