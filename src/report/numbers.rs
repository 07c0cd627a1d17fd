//! Formats of numbers in sentences and tables.

use crate::analysis::Estimate;

/// The text for an unknown number.
pub const UNKNOWN: &str = "-";

/// Formats a number with this many decimals, and commas between groups of three digits.
pub fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
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

/// Formats a number like [`grouped`], or [`UNKNOWN`].
pub fn grouped_or_unknown(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| grouped(value, decimals))
}

/// Formats half the width of an estimate's interval, or [`UNKNOWN`].
pub fn half_width(estimate: &Estimate, decimals: usize) -> String {
    grouped_or_unknown(estimate.half_width(), decimals)
}

/// Formats a share as a percentage.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Formats a number with as few decimals as possible, and two at most.
pub fn compact(value: f64) -> String {
    const MIN_SCIENTIFIC: f64 = 1e9;
    if value >= MIN_SCIENTIFIC {
        return format!("{value:.1e}");
    }
    let decimals = [0, 1, 2].into_iter().find(|decimals| {
        let factor = 10_f64.powi(*decimals);
        ((value * factor).round() - value * factor).abs() <= value * factor * 1e-9
    });
    match decimals {
        Some(decimals) => grouped(value, decimals.unsigned_abs() as usize),
        None if value < 0.01 => format!("{value:.0e}"),
        None => grouped(value, 2),
    }
}

/// Formats a size in bytes with a binary unit and at most one decimal.
pub fn bytes(value: f64) -> String {
    const STEP: f64 = 1024.0;
    let units = ["B", "KiB", "MiB", "GiB"];
    let mut value = value;
    let mut unit = 0;
    while value >= STEP && unit + 1 < units.len() {
        value /= STEP;
        unit += 1;
    }
    format!("{} {}", compact((value * 10.0).round() / 10.0), units[unit])
}

/// Formats a size in bytes, rounded to a whole number of the largest unit of which it has 10 or
/// more.
pub fn rounded_bytes(size: f64) -> String {
    let units = [1024_f64.powi(2), 1024.0, 1.0];
    let unit = units.into_iter().find(|unit| size >= unit * 10.0).unwrap_or(1.0);
    bytes((size / unit).round() * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        let cases = [
            (0.0, 0, "0"),
            (999.0, 0, "999"),
            (1000.0, 0, "1,000"),
            (-1234.5, 1, "-1,234.5"),
            (1_234_567.0, 0, "1,234,567"),
            (-123.0, 0, "-123"),
        ];
        for (value, decimals, text) in cases {
            assert_eq!(grouped(value, decimals), text);
        }
    }

    #[test]
    fn unknown_number_is_a_dash() {
        assert_eq!(grouped_or_unknown(None, 1), "-");
        assert_eq!(grouped_or_unknown(Some(2.25), 2), "2.25");
        assert_eq!(half_width(&Estimate::of(&[1.0, 2.0]).unwrap(), 0), "-");
        assert_eq!(percent(0.0512), "5.1 %");
    }

    #[test]
    fn compact_number_has_only_the_decimals_it_needs() {
        let cases = [
            (0.0, "0"),
            (0.5, "0.5"),
            (1200.0, "1,200"),
            (2.25, "2.25"),
            (1e18, "1.0e18"),
            (1e-300, "1e-300"),
        ];
        for (value, text) in cases {
            assert_eq!(compact(value), text);
        }
        assert_eq!([16.0, 1024.0, 1_048_576.0].map(bytes), ["16 B", "1 KiB", "1 MiB"]);
        assert_eq!([12.4, 2000.4, 70_451.2].map(rounded_bytes), ["12 B", "2 KiB", "69 KiB"]);
    }
}
