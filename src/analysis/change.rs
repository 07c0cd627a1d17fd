//! What changed from one measurement to another.

use std::collections::{BTreeMap, BTreeSet};

use super::{Curve, Difference, Estimate, Verdict};

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
    /// From the first to the second, where there are trials enough.
    pub difference: Option<Difference>,
    /// Whether both points say how fast the servers are, and not the clients.
    pub ranks: bool,
}

impl Change {
    /// The difference over the first mean: -0.05 is a loss of 5 %.
    pub fn relative(&self) -> f64 {
        self.b.mean / self.a.mean - 1.0
    }

    /// Half the width of its 95 % interval, the first mean taken as exact.
    pub fn relative_half_width(&self) -> Option<f64> {
        self.difference.map(|difference| difference.half_width / self.a.mean)
    }

    /// Whether it is one.
    pub fn verdict(&self) -> Verdict {
        Verdict::of(self.difference)
    }

    /// Whether it is a loss of more than `most`, and significant.
    pub fn is_regression(&self, most: f64) -> bool {
        self.verdict() == Verdict::Differs && self.relative() < -most
    }
}

/// The points that are in both.
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
                difference: Difference::between(&before.throughput, &point.throughput),
                ranks: before.ranks() && point.ranks(),
            });
        }
    }
    changes
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
        assert!((change.relative() + 0.1).abs() < 1e-12);
        // Welch: squared error 2/3, 4 degrees, t(0.975, 4) = 2.776445.
        let half = change.relative_half_width().unwrap();
        assert!((half - 2.776_445 * (2.0_f64 / 3.0).sqrt() / 100.0).abs() < 1e-6, "{half}");
        assert!(change.is_regression(0.05) && !change.is_regression(0.15));
        let noise = &changes(&before, &measured(4, [60.0, 140.0, 70.0]), false)[0];
        assert_eq!((noise.verdict(), noise.is_regression(0.05)), (Verdict::Tie, false));
        assert_eq!(changes(&before, &before, false)[0].verdict(), Verdict::Tie);
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
