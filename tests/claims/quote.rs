//! Numbers in text: those that a claim quotes, and those that need a claim.

use std::ops::Range;

use crate::rows::{Value, Verdict};

/// Words after a number that make it a measured one. Sizes in bytes are settings.
const UNITS: [&str; 9] = ["us", "ms", "s", "%", "percent", "times", "messages/s", "msg/s", "MiB/s"];

/// Words for a ratio that does not differ significantly from 1.
const TIES: [&str; 2] = ["tie", "no significant difference"];

/// A part of a text, in bytes.
pub type Span = Range<usize>;

/// What a claim quotes.
pub struct Quote {
    numbers: Numbers,
    verdict: Verdict,
}

enum Numbers {
    None,
    /// `1.61`
    One(Decimal),
    /// `1.61 ± 0.03`
    HalfWidth(Decimal, Decimal),
    /// `1.61 (1.58 to 1.64)`
    Interval(Decimal, Decimal, Decimal),
    /// `(1.58 to 1.64)`
    IntervalOnly(Decimal, Decimal),
    /// `7 to 24`
    Range(Decimal, Decimal),
}

/// A number, and half of the unit of its last digit.
struct Decimal {
    value: f64,
    tolerance: f64,
}

impl Quote {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut numbers: Vec<_> = tokens(text).map(|(_, token)| Decimal::parse(token)).collect();
        let mut next = || numbers.remove(0);
        let count = tokens(text).count();
        let numbers = match (count, text.contains('±'), text.contains('(')) {
            (0, false, _) => Numbers::None,
            (1, false, _) => Numbers::One(next()),
            (2, true, false) => Numbers::HalfWidth(next(), next()),
            (2, false, true) => Numbers::IntervalOnly(next(), next()),
            (2, false, false) if text.contains(" to ") => Numbers::Range(next(), next()),
            (3, false, true) => Numbers::Interval(next(), next(), next()),
            _ => return Err(format!("cannot read the quote '{text}'; see CONTRIBUTING.md")),
        };
        let verdict = if text.contains("not ranked") {
            Verdict::NotRanked
        } else if TIES.iter().any(|tie| text.contains(tie)) {
            Verdict::Tie
        } else {
            Verdict::None
        };
        Ok(Quote { numbers, verdict })
    }

    /// Whether all numbers are the rounded ones, and the quote says so if there is no significant
    /// difference.
    pub fn agrees_with(&self, values: &[Value]) -> bool {
        let verdicts = values.iter().all(|value| value.verdict == self.verdict);
        let all = |check: &dyn Fn(&Value) -> bool| values.iter().all(check);
        verdicts
            && match &self.numbers {
                Numbers::None => self.verdict != Verdict::None,
                Numbers::One(one) => all(&|value| one.is(value.number)),
                Numbers::HalfWidth(one, half) => all(&|value| {
                    let width = value.interval.map(|(low, high)| (high - low) / 2.0);
                    one.is(value.number) && width.is_some_and(|width| half.is(width))
                }),
                Numbers::Interval(one, low, high) => all(&|value| {
                    let interval = value.interval.is_some_and(|(l, h)| low.is(l) && high.is(h));
                    one.is(value.number) && interval
                }),
                Numbers::IntervalOnly(low, high) => {
                    all(&|value| value.interval.is_some_and(|(l, h)| low.is(l) && high.is(h)))
                }
                Numbers::Range(low, high) => {
                    let (min, max) = range(values);
                    low.is(min) && high.is(max)
                }
            }
    }
}

/// The range of one value that is a range, or of several numbers.
fn range(values: &[Value]) -> (f64, f64) {
    let ends = values.iter().map(|value| value.range.unwrap_or((value.number, value.number)));
    ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), (low, high)| {
        (min.min(low), max.max(high))
    })
}

impl Decimal {
    /// The zeros at the end of a whole number from 100 on are rounded ones, except the last two
    /// significant digits: 890 is 885 to 895, 1,000 is 950 to 1,050.
    fn parse(token: &str) -> Self {
        let digits = token.replace(',', "");
        let value = digits.parse().unwrap_or(f64::NAN);
        let decimals = digits.split_once('.').map(|(_, decimals)| decimals.len());
        let zeros = digits.len() - digits.trim_end_matches('0').len();
        let zeros = zeros.min(digits.len().saturating_sub(2));
        let exponent = |count: usize| i32::try_from(count).unwrap();
        let unit = 10_f64.powi(decimals.map_or_else(|| exponent(zeros), |count| -exponent(count)));
        Decimal { value, tolerance: unit / 2.0 * (1.0 + 1e-9) }
    }

    fn is(&self, value: f64) -> bool {
        (self.value - value).abs() <= self.tolerance
    }
}

/// The first place of a quote from `from` on that is not inside of a longer number and was not
/// found before.
pub fn position(text: &str, quote: &str, from: usize, taken: &[Span]) -> Option<Span> {
    let is_inside = |start: usize, end: usize| {
        let before = text[..start].chars().next_back();
        let mut after = text[end..].chars();
        let (next, second) = (after.next(), after.next());
        let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let continues = matches!(next, Some('.' | ',')) && is_digit(second);
        before.is_some_and(|c| c.is_alphanumeric() || c == '.' || c == ',')
            || next.is_some_and(char::is_alphanumeric)
            || continues
    };
    let places = text.match_indices(quote).map(|(start, _)| start..start + quote.len());
    let is_free =
        |span: &Span| !taken.iter().any(|other| other.start < span.end && span.start < other.end);
    let mut places = places.filter(|span| span.start >= from && is_free(span));
    places.find(|span| !is_inside(span.start, span.end))
}

/// All numbers with their places, except those that are parts of words, such as `2PC` or `64-byte`.
fn tokens(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let bytes = text.as_bytes();
    let starts = (0..bytes.len()).filter(move |&at| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_.,-/#+".contains(&byte);
        bytes[at].is_ascii_digit() && !at.checked_sub(1).is_some_and(|at| is_part(bytes[at]))
    });
    starts.filter_map(move |start| {
        let is_number = |byte: u8| byte.is_ascii_digit() || byte == b'.' || byte == b',';
        let end = bytes[start..].iter().position(|byte| !is_number(*byte));
        let end = end.map_or(bytes.len(), |length| start + length);
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-/".contains(byte);
        let number = text[start..end].trim_end_matches(['.', ',']);
        (!bytes.get(end).is_some_and(is_part)).then_some((start, number))
    })
}

/// The numbers that look measured: with decimals, groups of digits, a unit or an error, or alone in
/// a cell of a table.
pub fn measured_numbers(text: &str) -> Vec<(usize, &str)> {
    const MIN_DIGITS_IN_CELL: usize = 3;
    let is_measured = |&(start, number): &(usize, &str)| {
        let (before, after) = (text[..start].trim_end(), &text[start + number.len()..]);
        let word = after.split_whitespace().next().unwrap_or_default();
        let unit = word.trim_end_matches(['.', ',', ';', ':', ')', '|']);
        let has_unit = after.starts_with(' ') && UNITS.contains(&unit);
        let has_error = before.ends_with('±') || word == "±";
        let is_cell = before.ends_with('|') && word == "|" && number.len() >= MIN_DIGITS_IN_CELL;
        number.contains(['.', ',']) || has_unit || has_error || is_cell
    };
    tokens(text).filter(is_measured).collect()
}
