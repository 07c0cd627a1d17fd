//! What clients are asked to be and to do.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use strum::{Display, EnumString, VariantNames};

/// What one client is asked to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSpec {
    /// A name of its own.
    pub name: String,
    /// How long to wait for a connection, and for a reply.
    pub timeout: Duration,
    /// How often to send a request again, on a new connection, before the echo has failed.
    pub retries: u32,
    /// The largest reply that is read, in bytes.
    pub max_message: usize,
    /// Whether it has a channel of its own, where its framework has channels.
    pub channels: Channels,
}

/// Who has a channel, which is a framework's connection that can carry many calls at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Display, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Channels {
    /// Each client has its own.
    #[default]
    PerClient,
    /// All clients of this process have the same.
    Shared,
}

/// What plays the clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Driver {
    /// The framework's own client, one thread each.
    #[default]
    Native,
    /// The wire spoken directly, many clients a thread.
    Lean {
        /// How many threads; `None`: one for each CPU of the clients.
        threads: Option<NonZeroUsize>,
    },
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Driver::Native => "native",
            Driver::Lean { .. } => "lean",
        })
    }
}

impl Driver {
    /// Its threads, in words.
    fn threads(self) -> String {
        match self {
            Driver::Native => "one per client".to_owned(),
            Driver::Lean { threads: None } => "auto".to_owned(),
            Driver::Lean { threads: Some(threads) } => threads.to_string(),
        }
    }
}

/// A rate that does not wait for replies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Requests per second, of all clients together.
    pub per_s: f64,
    /// When they are due.
    pub arrivals: Arrivals,
}

/// When requests of a given rate are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Display, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Arrivals {
    /// At equal distances.
    #[default]
    Constant,
    /// At random, independently of each other.
    Poisson,
}

/// What the clients of a trial are asked to do.
#[derive(Debug, Clone)]
pub struct LoadSpec {
    /// What plays them.
    pub driver: Driver,
    /// See [`ClientSpec::channels`].
    pub channels: Channels,
    /// Concurrent clients.
    pub clients: NonZeroUsize,
    /// Length of the window.
    pub window: Duration,
    /// From the moment that all clients are connected to the opening of the window.
    pub warmup: Duration,
    /// Each client's pause between a reply and the next request.
    pub think: Duration,
    /// At which rate all clients together send; `None`: as fast as they are answered.
    pub pace: Option<Pace>,
    /// Size of the request's text, in bytes.
    pub payload: usize,
    /// Size to which the reply's text is padded, in bytes; 0: not padded.
    pub reply_payload: u32,
    /// See [`ClientSpec::timeout`].
    pub timeout: Duration,
    /// See [`ClientSpec::retries`].
    pub retries: u32,
}

/// How long slices are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SliceLength {
    /// 20 ms or 25 round trips, whichever is longer.
    #[default]
    Auto,
    /// This long.
    Fixed(Duration),
}

impl fmt::Display for SliceLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SliceLength::Auto => f.write_str("auto"),
            SliceLength::Fixed(length) => humantime::format_duration(*length).fmt(f),
        }
    }
}

impl FromStr for SliceLength {
    type Err = String;

    /// Reads `auto`, or a time such as `20ms`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(SliceLength::Auto);
        }
        match humantime::parse_duration(text) {
            Ok(length) if !length.is_zero() => Ok(SliceLength::Fixed(length)),
            _ => Err(format!("'{text}' is not a slice length; write auto, or a time like 20ms")),
        }
    }
}

impl SliceLength {
    /// The shortest automatic slice.
    pub const SHORTEST: Duration = Duration::from_millis(20);

    /// Fewer slices of each contender have no confidence interval.
    pub const FEWEST: u32 = 5;

    /// Whether `duration` has room for enough slices.
    ///
    /// # Errors
    ///
    /// Where it has not: what would be right.
    pub fn check(self, duration: Duration) -> Result<(), String> {
        let slice = match self {
            SliceLength::Auto => SliceLength::SHORTEST,
            SliceLength::Fixed(length) => length,
        };
        let [shown, available, least] =
            [slice, duration, slice * SliceLength::FEWEST].map(humantime::format_duration);
        if slice > duration {
            return Err(format!(
                "a slice of {shown} is longer than the duration of {available}; raise --duration or \
                 lower --slice"
            ));
        }
        if slice * SliceLength::FEWEST > duration {
            return Err(format!(
                "a duration of {available} has fewer than {} slices of {shown}; raise --duration to \
                 {least} or lower --slice",
                SliceLength::FEWEST
            ));
        }
        Ok(())
    }
}

impl LoadSpec {
    /// Every option in force, by the name of its flag.
    pub(super) fn options(&self) -> Vec<(&'static str, String)> {
        let time = |length| humantime::format_duration(length).to_string();
        vec![
            ("driver", self.driver.to_string()),
            ("threads", self.driver.threads()),
            ("channels", self.channels.to_string()),
            ("clients", self.clients.to_string()),
            ("duration", time(self.window)),
            ("warmup", time(self.warmup)),
            ("think", time(self.think)),
            ("rate", self.pace.map_or_else(|| "none".to_owned(), |pace| pace.per_s.to_string())),
            ("arrivals", self.pace.map(|pace| pace.arrivals).unwrap_or_default().to_string()),
            ("payload", self.payload.to_string()),
            ("reply-payload", self.reply_payload.to_string()),
            ("timeout", time(self.timeout)),
            ("retries", self.retries.to_string()),
        ]
    }
}
