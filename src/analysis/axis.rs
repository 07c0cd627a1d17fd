//! The axis: the parameter that varies along the points of a curve.

use std::collections::BTreeSet;

use crate::results::Row;

/// The parameter that varies in the rows: the x axis of the figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Axis {
    /// Concurrent clients; also the default if nothing varies.
    #[default]
    Clients,
    /// Worker threads of the server.
    Workers,
    /// Service time: how long the handler works on a request, in us.
    Work,
    /// Size of the request's text, in bytes.
    Payload,
    /// Think time: the pause of a client between a reply and the next request, in us.
    Think,
}

/// From this many distinct numbers of clients on, clients are the axis, whatever else varies.
const MIN_CLIENT_COUNTS: usize = 3;

impl Axis {
    /// All axes, clients first.
    pub const ALL: [Axis; 5] =
        [Axis::Clients, Axis::Work, Axis::Workers, Axis::Payload, Axis::Think];

    /// Returns the axis of the valid closed-loop rows.
    ///
    /// It is clients if they take three values or more; other parameters that vary then make
    /// separate curves. Otherwise it is the parameter with the most values; clients win ties.
    pub fn of(rows: &[Row]) -> Axis {
        let most = Axis::ALL.into_iter().rev().max_by_key(|axis| {
            let count = axis.values(rows).len();
            (*axis == Axis::Clients && count >= MIN_CLIENT_COUNTS, count)
        });
        most.unwrap_or_default()
    }

    /// The distinct values in the valid closed-loop rows, as bits of a float.
    fn values(self, rows: &[Row]) -> BTreeSet<u64> {
        let closed_loop = rows.iter().filter(|row| row.valid && is_closed_loop(row));
        closed_loop.filter_map(|row| self.value(row)).map(f64::to_bits).collect()
    }

    /// The value of a row on this axis; `None` if it does not apply to the row's system or is
    /// unknown.
    pub fn value(self, row: &Row) -> Option<f64> {
        match self {
            Axis::Clients => Some(row.clients as f64),
            Axis::Workers => row.workers.map(|workers| workers as f64),
            Axis::Work => service_time(row).map(|(_, us)| us),
            Axis::Payload => Some(row.payload_bytes as f64),
            Axis::Think => Some(row.think_us),
        }
    }

    /// The name with its unit, as figures show it.
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

/// Whether each client waits for the reply before it sends the next request: a row without a
/// request rate.
pub(super) fn is_closed_loop(row: &Row) -> bool {
    row.rate_per_s.is_none()
}

/// The kind of work that the server does for each request, and its duration in us.
///
/// The kind is `None` if there is no work. The result is `None` if the row has no valid value.
pub(super) fn service_time(row: &Row) -> Option<(Option<&str>, f64)> {
    match row.work.as_deref()?.split_once(':') {
        None => Some((None, 0.0)),
        Some((kind, time)) => {
            let time = humantime::parse_duration(time).ok()?;
            Some((Some(kind), time.as_secs_f64() * 1e6))
        }
    }
}

/// The time that the handler spent on each request in us: as the server measured it, or else as
/// configured. `None` if the row has neither.
pub(super) fn actual_service_time_us(row: &Row) -> Option<f64> {
    row.service_time_us.or_else(|| service_time(row).map(|(_, us)| us))
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
    fn the_parameter_that_varies_is_the_axis() {
        assert_eq!(Axis::of(&[]), Axis::Clients);
        assert_eq!(Axis::of(&rows(&[1, 8], |row, n| row.clients = n)), Axis::Clients);
        assert_eq!(Axis::of(&rows(&[8, 8], |row, n| row.clients = n)), Axis::Clients);
        assert_eq!(Axis::of(&rows(&[1, 8], |row, n| row.workers = Some(n))), Axis::Workers);
        assert_eq!(Axis::of(&rows(&[16, 64], |row, n| row.payload_bytes = n)), Axis::Payload);
        assert_eq!(Axis::of(&rows(&[0.0, 300.0], |row, us| row.think_us = us)), Axis::Think);
        let by_work = rows(&["none", "spin:50us", "sleep:1ms"], |row, text| {
            row.work = Some(text.to_owned());
        });
        assert_eq!(Axis::of(&by_work), Axis::Work);
        let values: Vec<_> = by_work.iter().map(|row| Axis::Work.value(row)).collect();
        assert_eq!(values, [Some(0.0), Some(50.0), Some(1000.0)]);
    }

    #[test]
    fn clients_are_the_axis_if_they_take_three_values() {
        let mut both = rows(&[1, 2, 3], |row, n| row.clients = n);
        both.extend(rows(&[0.0, 1.0, 2.0, 3.0], |row, us| row.think_us = us));
        assert_eq!(Axis::of(&both), Axis::Clients);
        both.retain(|row| row.clients != 2 && row.clients != 3);
        assert_eq!(Axis::of(&both), Axis::Think, "two numbers of clients, four think times");
    }

    #[test]
    fn invalid_and_paced_rows_do_not_affect_the_axis() {
        let mut rows = rows(&[1, 8, 16], |row, n| row.workers = Some(n));
        rows[1].valid = false;
        rows[2].rate_per_s = Some(100.0);
        assert_eq!(Axis::of(&rows), Axis::Clients);
    }

    #[test]
    fn the_actual_service_time_is_the_measured_one_if_it_is_known() {
        let work = Some("sleep:50us".to_owned());
        let nominal = Row { work, ..Row::default() };
        assert_eq!(actual_service_time_us(&nominal), Some(50.0));
        let measured = Row { service_time_us: Some(61.5), ..nominal };
        assert_eq!(actual_service_time_us(&measured), Some(61.5));
        assert_eq!(Axis::Work.value(&measured), Some(50.0), "trials share a point by this value");
        assert_eq!(actual_service_time_us(&Row::default()), None);
    }

    #[test]
    fn invalid_or_missing_values_are_not_on_the_axis() {
        for text in ["spin:", "spin:many", "spin:-1us"] {
            let row = Row { work: Some(text.to_owned()), ..Row::default() };
            assert_eq!(Axis::Work.value(&row), None, "{text}");
        }
        assert_eq!(Axis::Work.value(&Row::default()), None);
        assert_eq!(Axis::Workers.value(&Row::default()), None);
    }
}
