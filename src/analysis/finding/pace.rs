//! What may be said of paced runs.

use super::Finding;
use crate::analysis::{self, Curve, Paced};
use crate::results::Row;

/// The share of the peak of which is told: busy, and not yet at its limit.
const TOLD: f64 = 0.7;

/// A finding for each system that was offered rates.
pub(super) fn paced(curves: &[Curve], rows: &[Row]) -> Vec<Finding> {
    let all = analysis::paced(rows, curves);
    let of_system = all.chunk_by(|a, b| a.label == b.label);
    of_system.map(finding).collect()
}

/// Of the loads of one system, which are at least one, by ascending rates.
fn finding(loads: &[Paced]) -> Finding {
    let off = |one: &Paced| one.share_of_peak.map_or(0.0, |share| (share - TOLD).abs());
    let kept = loads.iter().rev().filter(|one| one.is_kept() && one.due_p99_us.is_some());
    Finding::Paced {
        label: loads[0].label.clone(),
        // Without shares, at the highest rate.
        told: kept.min_by(|a, b| off(a).total_cmp(&off(b))).cloned(),
        missed: loads.iter().filter(|one| !one.is_kept()).cloned().collect(),
    }
}
