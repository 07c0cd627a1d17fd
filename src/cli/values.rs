//! Parsers for single values on the command line. Each error includes a valid example.

use std::ffi::OsStr;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error};
use strum::VariantNames;

use crate::systems::{self, SYSTEMS, System};

/// Parser for an enumerated value. Help texts list the names, and shells complete them.
#[derive(Clone)]
pub struct OneOf<T> {
    names: Vec<&'static str>,
    /// What the value is, for error messages.
    kind: &'static str,
    /// Parses a text; the first argument is `kind`.
    parse: fn(&str, &str) -> Result<T, String>,
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for OneOf<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let (kind, parse) = (self.kind, self.parse);
        (move |text: &str| parse(kind, text)).parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.names.iter().map(PossibleValue::new)))
    }
}

/// Parser for the variants of an enum.
pub fn one_of<T: FromStr + VariantNames>(kind: &'static str) -> OneOf<T> {
    let parse = |kind: &str, text: &str| {
        let names = T::VARIANTS.join(" or ");
        text.parse().map_err(|_| format!("unknown {kind} '{text}'; use {names}"))
    };
    OneOf { names: T::VARIANTS.to_vec(), kind, parse }
}

/// Parser for the name of a system.
pub fn system() -> OneOf<&'static dyn System> {
    let names = SYSTEMS.iter().map(|system| system.name()).collect();
    OneOf { names, kind: "system", parse: |_, name| systems::find(name) }
}

/// Parses an integer of at least 1.
pub fn positive_count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| format!("'{text}' is not an integer of at least 1"))
}

/// Parses a number of completion queues. The limit is checked here because C-core's threads
/// cannot report that there are too many.
pub fn completion_queues(text: &str) -> Result<NonZeroUsize, String> {
    match positive_count(text)? {
        number if number.get() > 1024 => Err(format!("'{text}' is too many; use at most 1024")),
        number => Ok(number),
    }
}

/// Upper limit of a duration, so that adding it to an instant cannot overflow.
const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 3600);

/// Parses a duration, which may be 0, as in `45s`, `1m30s`, `250ms`.
pub fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let duration = humantime::parse_duration(text).map_err(|_| {
        format!("'{text}' is not a duration; use a format like 45s, 1m30s or 250ms")
    })?;
    if duration > MAX_DURATION {
        return Err(format!("'{text}' is too long; use at most one year"));
    }
    Ok(duration)
}

/// Parses a duration that must not be 0.
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => {
            Err(format!("'{text}' is too short; use a duration longer than 0, as in 30s"))
        }
        positive => Ok(positive),
    }
}

/// Parses a number of bytes, as in `64`, `16KiB`, `1MiB`.
pub fn bytes(text: &str) -> Result<usize, String> {
    let error =
        || format!("'{text}' is not a size; use a number of bytes, as in 64, 16KiB or 1MiB");
    let size: bytesize::ByteSize = text.parse().map_err(|_| error())?;
    usize::try_from(size.as_u64()).map_err(|_| error())
}

/// Parses the size of a request's text.
pub fn payload(text: &str) -> Result<usize, String> {
    match bytes(text)? {
        size if size > 1 << 30 => Err(format!("'{text}' is too large; use at most 1GiB")),
        size => Ok(size),
    }
}

/// Parses a number of bytes of at least 1.
pub fn positive_bytes(text: &str) -> Result<usize, String> {
    match bytes(text)? {
        0 => Err(format!("'{text}' is too small; use at least 1 byte")),
        positive => Ok(positive),
    }
}

/// Parses the size to which replies are padded; 0 means no padding.
pub fn reply_bytes(text: &str) -> Result<u32, String> {
    u32::try_from(bytes(text)?).map_err(|_| format!("'{text}' is too large; use less than 4GiB"))
}

/// Parses a percentage above 0 and up to 100, as in `5%`; returns it as a fraction.
pub fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent / 100.0),
        _ => Err(format!(
            "'{text}' is not a percentage; use a value above 0 and up to 100, as in 5%"
        )),
    }
}

/// Parses a rate in requests per second, from one per day to 10^9.
pub fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (1.0 / 86_400.0..=1e9).contains(&rate) => Ok(rate),
        _ => Err(format!(
            "'{text}' is not a rate; use requests per second, as in 20000 (at least one per day, \
             at most one billion)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::commands::Format;
    use crate::spec::{Arrivals, Backend, Channels, Tuning};

    /// Asserts that the listed names are accepted, and that values are displayed under them.
    fn assert_names<T>(expected: &[&str])
    where
        T: FromStr + VariantNames + ToString,
    {
        let parser = one_of::<T>("word");
        let parse = |name| (parser.parse)(parser.kind, name);
        let displayed = parser.names.iter().map(|name| parse(name).ok().unwrap().to_string());
        assert_eq!(displayed.collect::<Vec<_>>(), expected);
        assert_eq!(parser.names, expected);
        let error = parse("other").err().unwrap();
        assert_eq!(error, format!("unknown word 'other'; use {}", expected.join(" or ")));
    }

    #[test]
    fn listed_names_are_accepted() {
        assert_names::<Backend>(&["inproc", "ipc"]);
        assert_names::<Tuning>(&["default", "throughput"]);
        assert_names::<Arrivals>(&["constant", "poisson"]);
        assert_names::<Channels>(&["per-client", "shared"]);
        assert_names::<Format>(&["html", "md", "json"]);
        assert!(system().names.iter().all(|name| (system().parse)("system", name).is_ok()));
    }

    #[test]
    fn durations_need_a_unit_and_are_at_most_one_year() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("300us"), Ok(Duration::from_micros(300)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert_eq!(
            positive_duration("0s"),
            Err("'0s' is too short; use a duration longer than 0, as in 30s".into())
        );
        assert_eq!(duration("1y").map(|year| year > Duration::from_secs(365 * 86_400)), Ok(true));
        for text in ["", "-1s", "abc", "1", "1e9s", "2y", "500000000000y", "99999999999999999999y"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_accept_units_up_to_their_limits() {
        assert_eq!(bytes("64"), Ok(64));
        assert_eq!(bytes("1MiB"), Ok(1 << 20));
        assert_eq!(positive_bytes("16KiB"), Ok(16 << 10));
        for text in ["", "-1", "many", "0"] {
            assert!(positive_bytes(text).is_err(), "{text}");
        }
        assert!(reply_bytes("5GiB").is_err());
        assert_eq!((payload("1GiB"), payload("0")), (Ok(1 << 30), Ok(0)));
        assert!(payload("1TiB").is_err() && payload("15EiB").is_err());
    }

    #[test]
    fn percentages_are_above_0_and_at_most_100() {
        assert_eq!(
            (percent("5%"), percent("2.5 %"), percent("100")),
            (Ok(0.05), Ok(0.025), Ok(1.0))
        );
        for text in ["", "0%", "-1%", "101%", "nan", "inf%", "five"] {
            assert!(percent(text).unwrap_err().contains("as in 5%"), "{text}");
        }
    }

    #[test]
    fn rates_outside_the_limits_are_rejected() {
        assert_eq!((rate("20000"), rate("0.5")), (Ok(20_000.0), Ok(0.5)));
        for text in ["", "0", "-1", "nan", "inf", "many", "1e-30", "1e10"] {
            assert!(rate(text).unwrap_err().contains("as in 20000"), "{text}");
        }
    }

    #[test]
    fn counts_are_integers_of_at_least_1() {
        assert_eq!(positive_count("16").map(NonZeroUsize::get), Ok(16));
        assert_eq!(completion_queues("1024").map(NonZeroUsize::get), Ok(1024));
        assert!(completion_queues("1025").unwrap_err().contains("use at most 1024"));
        for text in ["0", "-1", "1.5", "many"] {
            assert!(positive_count(text).unwrap_err().contains("at least 1"), "{text}");
        }
    }
}
