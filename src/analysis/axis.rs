//! The axis: what varies along the points of a curve.

use std::collections::BTreeSet;

use crate::results::Row;

/// What varies in the rows, and is drawn from left to right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Axis {
    /// Concurrent clients; also where nothing varies.
    #[default]
    Clients,
    /// The server's worker threads.
    Workers,
    /// How long the handler works on a request, in us.
    Work,
    /// The size of the request's text, in bytes.
    Payload,
    /// The clients' pause between a reply and the next request, in us.
    Think,
}

/// From so many numbers of clients on, they are the axis whatever else varies.
const CURVE: usize = 3;

impl Axis {
    /// All, that of clients first.
    pub const ALL: [Axis; 5] =
        [Axis::Clients, Axis::Work, Axis::Workers, Axis::Payload, Axis::Think];

    /// What varies in the valid rows of closed loops.
    ///
    /// The clients, where they take three values or more: whatever varies beside them makes
    /// curves of its own. Else what takes the most values, the clients first.
    pub fn of(rows: &[Row]) -> Axis {
        let most = Axis::ALL.into_iter().rev().max_by_key(|axis| {
            let count = axis.values(rows).len();
            (*axis == Axis::Clients && count >= CURVE, count)
        });
        most.unwrap_or_default()
    }

    /// How many values it takes; those of a float by its bits.
    fn values(self, rows: &[Row]) -> BTreeSet<u64> {
        let closed = rows.iter().filter(|row| row.valid && is_closed_loop(row));
        closed.filter_map(|row| self.value(row)).map(f64::to_bits).collect()
    }

    /// Where a row is on it; `None` where that has no meaning for the row's system, or is not
    /// known.
    pub fn value(self, row: &Row) -> Option<f64> {
        match self {
            Axis::Clients => Some(row.clients as f64),
            Axis::Workers => row.workers.map(|workers| workers as f64),
            Axis::Work => work(row).map(|(_, us)| us),
            Axis::Payload => Some(row.payload_bytes as f64),
            Axis::Think => Some(row.think_us),
        }
    }

    /// What it is called beneath a figure, with its unit.
    pub fn name(self) -> &'static str {
        match self {
            Axis::Clients => "concurrent clients",
            Axis::Workers => "workers",
            Axis::Work => "service time (us)",
            Axis::Payload => "payload (bytes)",
            Axis::Think => "think time (us)",
        }
    }
}

/// Whether the clients wait for each reply, and are not due at given times.
pub(super) fn is_closed_loop(row: &Row) -> bool {
    row.rate_per_s.is_none()
}

/// The kind of work that a server does for each request, and how many us it takes.
///
/// The kind is `None` where there is no work to do.
pub(super) fn work(row: &Row) -> Option<(Option<&str>, f64)> {
    match row.work.as_deref()?.split_once(':') {
        None => Some((None, 0.0)),
        Some((kind, time)) => {
            let time = humantime::parse_duration(time).ok()?;
            Some((Some(kind), time.as_secs_f64() * 1e6))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows<T: Copy>(values: &[T], set: fn(&mut Row, T)) -> Vec<Row> {
        let row = |value: &T| {
            let mut row = Row { clients: 24, valid: true, ..Row::default() };
            set(&mut row, *value);
            row
        };
        values.iter().map(row).collect()
    }

    #[test]
    fn the_axis_is_what_varies() {
        assert_eq!(Axis::of(&[]), Axis::Clients);
        assert_eq!(Axis::of(&rows(&[1, 8], |row, n| row.clients = n)), Axis::Clients);
        assert_eq!(Axis::of(&rows(&[8, 8], |row, n| row.clients = n)), Axis::Clients);
        assert_eq!(Axis::of(&rows(&[1, 8], |row, n| row.workers = Some(n))), Axis::Workers);
        assert_eq!(Axis::of(&rows(&[16, 64], |row, n| row.payload_bytes = n)), Axis::Payload);
        assert_eq!(Axis::of(&rows(&[0.0, 300.0], |row, us| row.think_us = us)), Axis::Think);
        let work = rows(&["none", "spin:50us", "sleep:1ms"], |row, text| {
            row.work = Some(text.to_owned());
        });
        assert_eq!(Axis::of(&work), Axis::Work);
        let at: Vec<_> = work.iter().map(|row| Axis::Work.value(row)).collect();
        assert_eq!(at, [Some(0.0), Some(50.0), Some(1000.0)]);
    }

    #[test]
    fn three_numbers_of_clients_are_the_axis_whatever_else_varies() {
        let mut both = rows(&[1, 2, 3], |row, n| row.clients = n);
        both.extend(rows(&[0.0, 1.0, 2.0, 3.0], |row, us| row.think_us = us));
        assert_eq!(Axis::of(&both), Axis::Clients);
        both.retain(|row| row.clients != 2 && row.clients != 3);
        assert_eq!(Axis::of(&both), Axis::Think, "two numbers of clients, four think times");
    }

    #[test]
    fn rows_that_do_not_hold_or_are_paced_have_no_say() {
        let mut rows = rows(&[1, 8, 16], |row, n| row.workers = Some(n));
        rows[1].valid = false;
        rows[2].rate_per_s = Some(100.0);
        assert_eq!(Axis::of(&rows), Axis::Clients);
    }

    #[test]
    fn what_is_no_time_of_work_is_nowhere() {
        for text in ["spin:", "spin:many", "spin:-1us"] {
            let row = Row { work: Some(text.to_owned()), ..Row::default() };
            assert_eq!(Axis::Work.value(&row), None, "{text}");
        }
        assert_eq!(Axis::Work.value(&Row::default()), None);
        assert_eq!(Axis::Workers.value(&Row::default()), None);
    }
}
