//! How single values are read from the command line. Errors say what would be right.

use std::ffi::OsStr;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error};
use strum::VariantNames;

use crate::systems::{self, SYSTEMS, System};

/// One of a few values with names, which help texts list and shells complete.
#[derive(Clone)]
pub struct OneOf<T> {
    names: Vec<&'static str>,
    /// What it would be, in an error.
    what: &'static str,
    /// Reads such a thing from a text.
    read: fn(&str, &str) -> Result<T, String>,
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for OneOf<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let (what, read) = (self.what, self.read);
        (move |text: &str| read(what, text)).parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.names.iter().map(PossibleValue::new)))
    }
}

/// One of the values of a type.
pub fn one_of<T: FromStr + VariantNames>(what: &'static str) -> OneOf<T> {
    let read = |what: &str, text: &str| {
        let names = T::VARIANTS.join(" or ");
        text.parse().map_err(|_| format!("'{text}' is no {what}; write {names}"))
    };
    OneOf { names: T::VARIANTS.to_vec(), what, read }
}

/// A system, by its name.
pub fn system() -> OneOf<&'static dyn System> {
    let names = SYSTEMS.iter().map(|system| system.name()).collect();
    OneOf { names, what: "system", read: |_, name| systems::find(name) }
}

/// A number from 1 on.
pub fn count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .map_err(|_| format!("'{text}' is no such number; it must be a whole one, at least 1"))
}

/// A number of completion queues: C-core's threads cannot say that there are too many.
pub fn queues(text: &str) -> Result<NonZeroUsize, String> {
    match count(text)? {
        number if number.get() > 1024 => Err(format!("'{text}' are too many; 1024 is the most")),
        number => Ok(number),
    }
}

/// The longest duration: a clock can be asked for what is that far away.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A duration that may be 0, as in `45s`, `1m30s`, `250ms`.
pub fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let duration = humantime::parse_duration(text)
        .map_err(|_| format!("'{text}' is no duration; write one like 45s, 1m30s or 250ms"))?;
    if duration > LONGEST {
        return Err(format!("'{text}' is too long; a year is the most"));
    }
    Ok(duration)
}

/// A duration that may not be 0.
pub fn some_time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => {
            Err(format!("'{text}' is too short; it must be longer than 0, as in 30s"))
        }
        some => Ok(some),
    }
}

/// A number of bytes, as in `64`, `16KiB`, `1MiB`.
pub fn bytes(text: &str) -> Result<usize, String> {
    let wrong = || format!("'{text}' is no size; write bytes, as in 64, 16KiB or 1MiB");
    let size: bytesize::ByteSize = text.parse().map_err(|_| wrong())?;
    usize::try_from(size.as_u64()).map_err(|_| wrong())
}

/// The size of a request's text.
pub fn payload(text: &str) -> Result<usize, String> {
    match bytes(text)? {
        size if size > 1 << 30 => Err(format!("'{text}' is too large; 1GiB is the most")),
        size => Ok(size),
    }
}

/// A number of bytes from 1 on.
pub fn some_bytes(text: &str) -> Result<usize, String> {
    match bytes(text)? {
        0 => Err(format!("'{text}' is too small; it must be at least 1 byte")),
        some => Ok(some),
    }
}

/// The size of a reply: 0 does not pad it.
pub fn reply_bytes(text: &str) -> Result<u32, String> {
    u32::try_from(bytes(text)?).map_err(|_| format!("'{text}' is too large; 4GiB is the most"))
}

/// A share, as in `5%`; over 0 and up to 100 %.
pub fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent / 100.0),
        _ => Err(format!("'{text}' is no share; write one over 0 and up to 100 %, as in 5%")),
    }
}

/// A rate per second, from one request in a day on.
pub fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (1.0 / 86_400.0..=1e9).contains(&rate) => Ok(rate),
        _ => Err(format!(
            "'{text}' is no rate; write requests per second, as in 20000, from one a day to a billion"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::commands::Format;
    use crate::spec::{Arrivals, Backend, Channels, Tuning};

    /// The names that are listed are those that are read, and those that are written.
    fn assert_names<T>(expected: &[&str])
    where
        T: FromStr + VariantNames + ToString,
    {
        let of = one_of::<T>("word");
        let written =
            of.names.iter().map(|name| (of.read)(of.what, name).ok().unwrap().to_string());
        assert_eq!(written.collect::<Vec<_>>(), expected);
        assert_eq!(of.names, expected);
        let error = (of.read)(of.what, "other").err().unwrap();
        assert_eq!(error, format!("'other' is no word; write {}", expected.join(" or ")));
    }

    #[test]
    fn names_that_are_listed_are_those_that_are_read() {
        assert_names::<Backend>(&["inproc", "ipc"]);
        assert_names::<Tuning>(&["default", "throughput"]);
        assert_names::<Arrivals>(&["constant", "poisson"]);
        assert_names::<Channels>(&["per-client", "shared"]);
        assert_names::<Format>(&["html", "md", "json"]);
        assert!(system().names.iter().all(|name| (system().read)("system", name).is_ok()));
    }

    #[test]
    fn durations() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("300us"), Ok(Duration::from_micros(300)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert_eq!(
            some_time("0s"),
            Err("'0s' is too short; it must be longer than 0, as in 30s".into())
        );
        assert_eq!(duration("1y").map(|year| year > Duration::from_secs(365 * 86_400)), Ok(true));
        for text in ["", "-1s", "abc", "1", "1e9s", "2y", "500000000000y", "99999999999999999999y"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("64"), Ok(64));
        assert_eq!(bytes("1MiB"), Ok(1 << 20));
        assert_eq!(some_bytes("16KiB"), Ok(16 << 10));
        for text in ["", "-1", "many", "0"] {
            assert!(some_bytes(text).is_err(), "{text}");
        }
        assert!(reply_bytes("5GiB").is_err());
        assert_eq!((payload("1GiB"), payload("0")), (Ok(1 << 30), Ok(0)));
        assert!(payload("1TiB").is_err() && payload("15EiB").is_err());
    }

    #[test]
    fn shares() {
        assert_eq!(
            (percent("5%"), percent("2.5 %"), percent("100")),
            (Ok(0.05), Ok(0.025), Ok(1.0))
        );
        for text in ["", "0%", "-1%", "101%", "nan", "inf%", "five"] {
            assert!(percent(text).unwrap_err().contains("as in 5%"), "{text}");
        }
    }

    #[test]
    fn rates() {
        assert_eq!((rate("20000"), rate("0.5")), (Ok(20_000.0), Ok(0.5)));
        for text in ["", "0", "-1", "nan", "inf", "many", "1e-30", "1e10"] {
            assert!(rate(text).unwrap_err().contains("as in 20000"), "{text}");
        }
    }

    #[test]
    fn counts() {
        assert_eq!(count("16").map(NonZeroUsize::get), Ok(16));
        assert_eq!(queues("1024").map(NonZeroUsize::get), Ok(1024));
        assert!(queues("1025").unwrap_err().contains("1024 is the most"));
        for text in ["0", "-1", "1.5", "many"] {
            assert!(count(text).unwrap_err().contains("at least 1"), "{text}");
        }
    }
}
