//! The slices of each row, by round.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use super::bootstrap::{self, Slice};
use super::log_estimate::LogEstimate;
use crate::results::{Row, SliceRow};

/// The slices of one contender in one trial, by number of the round.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rounds {
    /// The slices that count: not disturbed.
    kept: BTreeMap<u32, Slice>,
    /// The sum of all slices of a round, including disturbed ones.
    all: BTreeMap<u32, Slice>,
}

/// The key of a row: the id of the run, the start time of the trial and the label.
pub(super) type RowKey = (String, String, String);

/// The rounds of each row that has slices.
pub type RoundsByRow = BTreeMap<RowKey, Rounds>;

/// The key of a row.
pub(super) fn key(row: &Row) -> RowKey {
    (row.run_id.clone(), row.started_at.clone(), row.label.clone())
}

/// Finds the row of each slice. If several rows have the same run, trial, label and number of
/// clients, a slice belongs to the last of them that started before it.
pub fn rounds_by_row(rows: &[Row], slices: &[SliceRow]) -> RoundsByRow {
    type Group<'a> = (&'a str, u32, &'a str, usize);
    let mut groups: BTreeMap<Group<'_>, BTreeMap<u64, RowKey>> = BTreeMap::new();
    for row in rows {
        let group = (&*row.run_id, row.trial, &*row.label, row.clients);
        groups.entry(group).or_default().insert(started_at_us(&row.started_at), key(row));
    }
    let mut all = RoundsByRow::new();
    for slice in slices {
        let group = (&*slice.run_id, slice.trial, &*slice.label, slice.clients);
        let row =
            groups.get(&group).and_then(|rows| rows.range(..=slice.started_at_us).next_back());
        if let Some((_, row)) = row {
            all.entry(row.clone()).or_default().add(slice);
        }
    }
    all
}

/// Converts a time in a row to microseconds since 1970; 0 if it is not a valid time.
fn started_at_us(text: &str) -> u64 {
    let time = humantime::parse_rfc3339(text).unwrap_or(SystemTime::UNIX_EPOCH);
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl Rounds {
    fn add(&mut self, row: &SliceRow) {
        let slice = Slice { messages: row.messages as f64, window_s: row.window_us / 1e6 };
        if row.kept {
            self.kept.insert(row.round, slice);
        }
        let sum = self.all.entry(row.round).or_insert(Slice { messages: 0.0, window_s: 0.0 });
        sum.messages += slice.messages;
        sum.window_s += slice.window_s;
    }

    /// Number of kept slices.
    pub fn count(&self) -> usize {
        self.kept.len()
    }

    /// The mean rate; `None` for fewer than 5 slices.
    pub(super) fn log_rate(&self) -> Option<LogEstimate> {
        bootstrap::log_rate(&self.kept.values().copied().collect::<Vec<_>>())
    }

    /// The ratio of the mean rates over the rounds that both completed, and the number of these
    /// rounds; `None` for fewer than 5 rounds.
    pub(super) fn log_ratio(&self, other: &Rounds) -> Option<(LogEstimate, usize)> {
        let (a, b) = paired(&self.kept, &other.kept);
        Some((bootstrap::log_ratio(&a, &b)?, a.len()))
    }

    /// The ratio of the mean rates over all rounds, including disturbed slices.
    pub(super) fn log_ratio_with_disturbed(&self, other: &Rounds) -> Option<LogEstimate> {
        let (a, b) = paired(&self.all, &other.all);
        bootstrap::log_ratio(&a, &b)
    }
}

fn paired(a: &BTreeMap<u32, Slice>, b: &BTreeMap<u32, Slice>) -> (Vec<Slice>, Vec<Slice>) {
    a.iter().filter_map(|(round, of_a)| Some((*of_a, *b.get(round)?))).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(started_at: &str) -> Row {
        let (run_id, label) = ("r".to_owned(), "a".to_owned());
        let started_at = started_at.to_owned();
        Row { run_id, label, started_at, trial: 1, clients: 4, ..Row::default() }
    }

    fn slice(round: u32, started_at_us: u64, messages: u64, kept: bool) -> SliceRow {
        let (run_id, label) = ("r".to_owned(), "a".to_owned());
        let window_us = 20_000.0;
        let (trial, clients) = (1, 4);
        SliceRow {
            run_id,
            trial,
            round,
            label,
            clients,
            started_at_us,
            window_us,
            messages,
            kept,
            ..SliceRow::default()
        }
    }

    #[test]
    fn a_slice_belongs_to_the_last_row_that_started_before_it() {
        let rows = [row("1970-01-01T00:00:01.000Z"), row("1970-01-01T00:00:05.000Z")];
        let slices = [
            slice(1, 500_000, 9, true),
            slice(1, 1_500_000, 10, true),
            slice(2, 4_999_999, 20, true),
            slice(1, 5_000_000, 30, true),
        ];
        let all = rounds_by_row(&rows, &slices);
        let counts: Vec<_> = rows.iter().map(|row| all[&key(row)].count()).collect();
        assert_eq!(counts, [2, 1]);
    }

    #[test]
    fn only_rounds_that_both_completed_are_compared() {
        let mut a = Rounds::default();
        let mut b = Rounds::default();
        for round in 1..=8 {
            a.add(&slice(round, 0, 200, round != 8));
            b.add(&slice(round, 0, 100, round != 1));
        }
        // A disturbed slice of round 2, which was repeated.
        a.add(&slice(2, 0, 0, false));
        let (ratio, rounds) = a.log_ratio(&b).unwrap();
        assert!((ratio.value() - 2.0).abs() < 1e-12);
        assert_eq!((rounds, a.count()), (6, 7));
        // a: 1,600 messages in 9 windows. b: 800 messages in 8 windows.
        let all = a.log_ratio_with_disturbed(&b).unwrap().value();
        assert!((all - (1600.0 / 9.0) / 100.0).abs() < 1e-12, "{all}");
    }
}
