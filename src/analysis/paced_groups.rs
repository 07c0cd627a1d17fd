//! Groups paced rows into loads: the trials of one contender at one rate.

use std::collections::{BTreeMap, BTreeSet};

use super::axis::is_closed_loop;
use super::curve::name;
use super::options::{options, without_pace};
use super::point::{has_steal, without_repeated};
use super::{Axis, CurveOptions, Estimate};
use crate::results::Row;

/// A paced row, and what distinguishes it from others.
pub(super) struct PacedRow<'a> {
    pub row: &'a Row,
    pub rate: f64,
    pub series: Series<'a>,
    /// The rate over the closed-loop throughput that the same pass measured.
    pub share_in_pass: Option<f64>,
}

/// A contender with its options except those of pacing.
#[derive(Clone, PartialEq)]
pub(super) struct Series<'a> {
    pub name: String,
    pub system: &'a str,
    pub clients: usize,
    pub arrivals: Option<&'a str>,
    pub options: CurveOptions,
}

impl<'a> Series<'a> {
    fn of(row: &'a Row) -> Self {
        Series {
            name: name(row, Axis::Clients),
            system: &row.system,
            clients: row.clients,
            arrivals: row.arrivals.as_deref(),
            options: without_pace(&options(row, Axis::Clients)),
        }
    }

    /// Whether both have the same contender, options and clients.
    fn is_same_server(&self, other: &Self) -> bool {
        Series { arrivals: None, ..self.clone() } == Series { arrivals: None, ..other.clone() }
    }
}

/// The rows of one series at one load.
pub(super) struct Group<'a> {
    pub series: Series<'a>,
    load: LoadKey,
    pub rows: Vec<&'a PacedRow<'a>>,
}

/// What makes two loads of a series equal.
#[derive(Clone, Copy, PartialEq)]
enum LoadKey {
    Rate(f64),
    /// Percent of the peak in the same pass.
    Share(f64),
}

pub(super) fn paced_rows(rows: &[Row]) -> Vec<PacedRow<'_>> {
    let (closed, paced): (Vec<_>, Vec<_>) =
        rows.iter().filter(|row| row.valid).partition(|row| is_closed_loop(row));
    let peaks: Vec<_> = closed.into_iter().map(|row| (row, Series::of(row))).collect();
    let paced = paced.into_iter().filter_map(|row| {
        let (rate, series) = (row.rate_per_s?, Series::of(row));
        let of_pass = peaks.iter().filter(|(peak, of)| {
            (&peak.run_id, peak.trial) == (&row.run_id, row.trial) && of.is_same_server(&series)
        });
        let peak = peak_of(&of_pass.map(|(peak, _)| *peak).collect::<Vec<_>>());
        let peak = peak.filter(|peak| *peak > 0.0);
        Some(PacedRow { row, rate, series, share_in_pass: peak.map(|peak| rate / peak) })
    });
    paced.collect()
}

/// The throughput of the peaks of one pass. If steal disturbed all of them, it is that of the last
/// one, from which the script calculated the rates.
fn peak_of(rows: &[&Row]) -> Option<f64> {
    let kept = without_repeated(rows);
    let kept = if kept.iter().all(|row| has_steal(row)) {
        kept.last().copied().into_iter().collect()
    } else {
        kept
    };
    let rates: Vec<_> = kept.iter().map(|row| row.throughput_per_s).collect();
    Estimate::of(&rates).map(|estimate| estimate.mean)
}

pub(super) fn groups<'a>(paced: &'a [PacedRow<'a>]) -> Vec<Group<'a>> {
    let mut series: Vec<(&Series<'_>, Vec<&PacedRow<'_>>)> = Vec::new();
    for one in paced {
        match series.iter_mut().find(|(series, _)| **series == one.series) {
            Some((_, rows)) => rows.push(one),
            None => series.push((&one.series, vec![one])),
        }
    }
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (series, rows) in series {
        let follows_peak = follows_peak(&rows);
        let first = groups.len();
        for one in rows {
            let load = match one.share_in_pass {
                Some(share) if follows_peak => LoadKey::Share((share * 100.0).round()),
                _ => LoadKey::Rate(one.rate),
            };
            match groups[first..].iter_mut().find(|group| group.load == load) {
                Some(group) => group.rows.push(one),
                None => groups.push(Group { series: series.clone(), load, rows: vec![one] }),
            }
        }
    }
    for group in &mut groups {
        let rows: Vec<_> = group.rows.iter().map(|paced| paced.row).collect();
        let kept = without_repeated(&rows);
        group.rows.retain(|paced| kept.iter().any(|row| std::ptr::eq(*row, paced.row)));
    }
    groups
}

/// Whether each pass has rates of its own, at shares of the peak that it measured: no rate occurs
/// in two passes, and every pass has a peak.
fn follows_peak(series: &[&PacedRow<'_>]) -> bool {
    let mut passes_by_rate: BTreeMap<u64, BTreeSet<(&str, u32)>> = BTreeMap::new();
    for PacedRow { row, rate, .. } in series {
        let passes = passes_by_rate.entry(rate.to_bits()).or_default();
        passes.insert((&*row.run_id, row.trial));
    }
    let passes: BTreeSet<_> = passes_by_rate.values().flatten().collect();
    passes.len() > 1
        && series.iter().all(|paced| paced.share_in_pass.is_some())
        && passes_by_rate.values().all(|passes| passes.len() == 1)
}
