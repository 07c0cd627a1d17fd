//! Numbers as people read them.

use crate::analysis::Estimate;

/// What stands for a number that is not known.
pub const UNKNOWN: &str = "-";

/// A number with commas between groups of three digits.
pub fn grouped(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), ""), |(w, f)| (w, f));
    let mut out = String::new();
    for (i, digit) in whole.chars().enumerate() {
        let left = whole.len() - i;
        if i > 0 && left % 3 == 0 && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    if fraction.is_empty() { out } else { format!("{out}.{fraction}") }
}

/// The same of what may not be known.
pub fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| grouped(value, digits))
}

/// Half the width of an estimate's interval.
pub fn half_width(estimate: &Estimate, digits: usize) -> String {
    shown(estimate.half_width(), digits)
}

/// A share as per cent.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A number as short as it is exact.
pub fn number(value: f64) -> String {
    const HUGE: f64 = 1e9;
    if value >= HUGE {
        return format!("{value:.1e}");
    }
    let digits = [0, 1, 2].into_iter().find(|digits| {
        let factor = 10_f64.powi(*digits);
        ((value * factor).round() - value * factor).abs() <= value * factor * 1e-9
    });
    match digits {
        Some(digits) => grouped(value, digits.unsigned_abs() as usize),
        None if value < 0.01 => format!("{value:.0e}"),
        None => grouped(value, 2),
    }
}

/// A size, in units of 1024.
pub fn bytes(value: f64) -> String {
    const STEP: f64 = 1024.0;
    let units = ["B", "KiB", "MiB", "GiB"];
    let mut value = value;
    let mut unit = 0;
    while value >= STEP && unit + 1 < units.len() {
        value /= STEP;
        unit += 1;
    }
    format!("{} {}", number((value * 10.0).round() / 10.0), units[unit])
}

/// In units of 1024 to two digits, or to a digit behind the point.
pub fn about_bytes(bytes_of: f64) -> String {
    let units = [1024_f64.powi(2), 1024.0, 1.0];
    let unit = units.into_iter().find(|unit| bytes_of >= unit * 10.0).unwrap_or(1.0);
    bytes((bytes_of / unit).round() * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        let cases = [
            (0.0, 0, "0"),
            (999.0, 0, "999"),
            (1000.0, 0, "1,000"),
            (-1234.5, 1, "-1,234.5"),
            (1_234_567.0, 0, "1,234,567"),
            (-123.0, 0, "-123"),
        ];
        for (value, digits, text) in cases {
            assert_eq!(grouped(value, digits), text);
        }
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        assert_eq!((shown(None, 1), shown(Some(2.25), 2)), ("-".to_owned(), "2.25".to_owned()));
        assert_eq!(half_width(&Estimate::of(&[1.0, 2.0]).unwrap(), 0), "-");
        assert_eq!(percent(0.0512), "5.1 %");
    }

    #[test]
    fn numbers_are_as_short_as_they_are_exact() {
        let cases = [
            (0.0, "0"),
            (0.5, "0.5"),
            (1200.0, "1,200"),
            (2.25, "2.25"),
            (1e18, "1.0e18"),
            (1e-300, "1e-300"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!([16.0, 1024.0, 1_048_576.0].map(bytes), ["16 B", "1 KiB", "1 MiB"]);
        assert_eq!([12.4, 2000.4, 70_451.2].map(about_bytes), ["12 B", "2 KiB", "69 KiB"]);
    }
}
