//! Simulated service time of a server's handler.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Simulated service time per request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Work {
    /// No service time.
    #[default]
    None,
    /// Uses this much CPU time, like a computation.
    Spin(Duration),
    /// Blocks for this time, like a database query.
    Sleep(Duration),
}

impl Work {
    /// Maximum service time. A server stops only between two requests, so a longer time would
    /// delay its shutdown.
    pub const MAX_TIME: Duration = Duration::from_secs(1);

    /// Returns the service time.
    pub fn time(self) -> Duration {
        match self {
            Work::None => Duration::ZERO,
            Work::Spin(time) | Work::Sleep(time) => time,
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Work::None => return f.write_str("none"),
            Work::Spin(_) => "spin",
            Work::Sleep(_) => "sleep",
        };
        // Without spaces, for rows and command lines.
        let time = humantime::format_duration(self.time()).to_string().replace(' ', "");
        write!(f, "{kind}:{time}")
    }
}

impl FromStr for Work {
    type Err = String;

    /// Parses `none`, `spin:TIME` or `sleep:TIME`.
    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("'{text}' is not a valid work; use none, spin:50us or sleep:1ms");
        if text == "none" {
            return Ok(Work::None);
        }
        let (kind, time) = text.split_once(':').ok_or_else(error)?;
        let work: fn(Duration) -> Work = match kind {
            "spin" => Work::Spin,
            "sleep" => Work::Sleep,
            _ => return Err(error()),
        };
        let time = humantime::parse_duration(time).map_err(|_| error())?;
        match time {
            Duration::ZERO => Err(format!("'{text}' has no duration; use none or {kind}:50us")),
            time if time > Work::MAX_TIME => {
                Err(format!("'{text}' is too long; use at most {kind}:1s"))
            }
            time => Ok(work(time)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn displayed_work_round_trips(kind in 0_usize..3, nanos in 1_u64..=1_000_000_000) {
            let time = Duration::from_nanos(nanos);
            let work = [Work::None, Work::Spin(time), Work::Sleep(time)][kind];
            prop_assert!(!work.to_string().contains(' '));
            prop_assert_eq!(work.to_string().parse(), Ok(work));
        }

        #[test]
        fn arbitrary_text_does_not_panic(text in "(spin|sleep|none)?:?.{0,12}") {
            let _ = text.parse::<Work>();
        }
    }

    #[test]
    fn canonical_work_text_round_trips() {
        for text in ["none", "spin:50us", "sleep:1ms", "spin:1ms500us", "sleep:1s"] {
            assert_eq!(text.parse::<Work>().unwrap().to_string(), text);
        }
        assert_eq!("sleep:1500us".parse(), Ok(Work::Sleep(Duration::from_micros(1500))));
    }

    #[test]
    fn invalid_work_is_rejected_with_an_example() {
        for (text, expected) in [
            ("", "use none, spin:50us or sleep:1ms"),
            ("spin", "use none"),
            ("spin:", "use none"),
            ("spin:50", "use none"),
            ("sleep:-1ms", "use none"),
            ("nap:1ms", "use none"),
            ("spin:0s", "has no duration"),
            ("sleep:2s", "use at most sleep:1s"),
        ] {
            let error = text.parse::<Work>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
