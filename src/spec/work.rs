//! The time that a server's handler takes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a handler does with each request beside answering it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Work {
    /// Nothing.
    #[default]
    None,
    /// It uses so much CPU time, as a computation does.
    Spin(Duration),
    /// It waits for so long, as for a database.
    Sleep(Duration),
}

impl Work {
    /// The longest: a server is to stop soon, and does so between two requests.
    pub const LONGEST: Duration = Duration::from_secs(1);

    /// How long it takes.
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
        // One word: it stands in rows, and on command lines.
        let time = humantime::format_duration(self.time()).to_string().replace(' ', "");
        write!(f, "{kind}:{time}")
    }
}

impl FromStr for Work {
    type Err = String;

    /// Reads `none`, `spin:TIME` or `sleep:TIME`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no work; write none, spin:50us or sleep:1ms");
        if text == "none" {
            return Ok(Work::None);
        }
        let (kind, time) = text.split_once(':').ok_or_else(wrong)?;
        let work: fn(Duration) -> Work = match kind {
            "spin" => Work::Spin,
            "sleep" => Work::Sleep,
            _ => return Err(wrong()),
        };
        let time = humantime::parse_duration(time).map_err(|_| wrong())?;
        match time {
            Duration::ZERO => Err(format!("'{text}' takes no time; write none, or {kind}:50us")),
            time if time > Work::LONGEST => {
                Err(format!("'{text}' is too long; {kind}:1s is the most"))
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
        fn work_reads_as_it_is_written(kind in 0_usize..3, nanos in 1_u64..=1_000_000_000) {
            let time = Duration::from_nanos(nanos);
            let work = [Work::None, Work::Spin(time), Work::Sleep(time)][kind];
            prop_assert!(!work.to_string().contains(' '));
            prop_assert_eq!(work.to_string().parse(), Ok(work));
        }

        #[test]
        fn nothing_that_is_read_panics(text in "(spin|sleep|none)?:?.{0,12}") {
            let _ = text.parse::<Work>();
        }
    }

    #[test]
    fn work_is_written_as_people_write_it() {
        for text in ["none", "spin:50us", "sleep:1ms", "spin:1ms500us", "sleep:1s"] {
            assert_eq!(text.parse::<Work>().unwrap().to_string(), text);
        }
        assert_eq!("sleep:1500us".parse(), Ok(Work::Sleep(Duration::from_micros(1500))));
    }

    #[test]
    fn what_is_no_work_is_refused_with_what_would_be_right() {
        for (text, telling) in [
            ("", "write none, spin:50us or sleep:1ms"),
            ("spin", "write none"),
            ("spin:", "write none"),
            ("spin:50", "write none"),
            ("sleep:-1ms", "write none"),
            ("nap:1ms", "write none"),
            ("spin:0s", "takes no time"),
            ("sleep:2s", "sleep:1s is the most"),
        ] {
            let error = text.parse::<Work>().unwrap_err();
            assert!(error.contains(telling), "{text}: {error}");
        }
    }
}
