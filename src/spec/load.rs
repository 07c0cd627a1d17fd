//! Options of clients and of the load that they generate.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use strum::{Display, EnumString, VariantNames};

/// Options of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSpec {
    /// Unique name of the client.
    pub name: String,
    /// Time limit for a connection, and for each reply.
    pub timeout: Duration,
    /// Retries per request, each on a new connection.
    pub retries: u32,
    /// Maximum size of a reply, in bytes.
    pub max_message: usize,
    /// Whether the client shares its channel, for systems with channels.
    pub channels: Channels,
}

/// How clients use channels. A channel is a framework's connection that can carry many calls at
/// once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Display, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Channels {
    /// Each client has its own channel.
    #[default]
    PerClient,
    /// All clients of this process share one channel.
    Shared,
}

/// The client implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Driver {
    /// The framework's client, one thread per client.
    #[default]
    Native,
    /// Speaks the wire protocol itself, many clients per thread.
    Lean {
        /// Number of threads; `None` means one per client CPU.
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
    /// Returns the value of the option `threads`, as text.
    fn threads(self) -> String {
        match self {
            Driver::Native => "one per client".to_owned(),
            Driver::Lean { threads: None } => "auto".to_owned(),
            Driver::Lean { threads: Some(threads) } => threads.to_string(),
        }
    }
}

/// Offered load of an open loop: send times do not depend on replies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpenLoop {
    /// Requests per second, summed over all clients.
    pub rate_per_s: f64,
    /// Distribution of the scheduled send times.
    pub arrivals: Arrivals,
    /// Seed of the scheduled send times. Loads with equal seeds have equal schedules.
    pub seed: u64,
}

/// Arrival process: the distribution of scheduled send times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Display, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Arrivals {
    /// Constant intervals.
    #[default]
    Constant,
    /// A Poisson process: random times, independent of each other.
    Poisson,
}

/// The load that the clients of a trial generate.
#[derive(Debug, Clone)]
pub struct LoadSpec {
    /// The client implementation.
    pub driver: Driver,
    /// See [`ClientSpec::channels`].
    pub channels: Channels,
    /// Number of concurrent clients.
    pub clients: NonZeroUsize,
    /// Length of the window.
    pub window: Duration,
    /// Time from when all clients are connected until the window opens.
    pub warmup: Duration,
    /// Pause of each client between a reply and its next request.
    pub think: Duration,
    /// Offered load; `None` means a closed loop.
    pub open_loop: Option<OpenLoop>,
    /// Size of the request's text, in bytes.
    pub payload: usize,
    /// Size to which the reply's text is padded, in bytes; 0 means no padding.
    pub reply_payload: u32,
    /// See [`ClientSpec::timeout`].
    pub timeout: Duration,
    /// See [`ClientSpec::retries`].
    pub retries: u32,
}

/// Length of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SliceLength {
    /// 20 ms or 25 round trips, whichever is longer.
    #[default]
    Auto,
    /// A fixed length.
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

    /// Parses `auto`, or a time such as `20ms`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(SliceLength::Auto);
        }
        match humantime::parse_duration(text) {
            Ok(length) if !length.is_zero() => Ok(SliceLength::Fixed(length)),
            _ => Err(format!("'{text}' is not a slice length; use auto or a time, as in 20ms")),
        }
    }
}

impl SliceLength {
    /// Minimum length of an automatic slice.
    pub const MIN_AUTO: Duration = Duration::from_millis(20);

    /// Minimum number of slices per contender for a confidence interval.
    pub const MIN_SLICES: u32 = 5;

    /// Checks that `duration` has room for [`SliceLength::MIN_SLICES`] slices.
    ///
    /// # Errors
    ///
    /// If it does not. The error contains a duration that is long enough.
    pub fn check(self, duration: Duration) -> Result<(), String> {
        let slice = match self {
            SliceLength::Auto => SliceLength::MIN_AUTO,
            SliceLength::Fixed(length) => length,
        };
        let min_duration = slice * SliceLength::MIN_SLICES;
        if min_duration <= duration {
            return Ok(());
        }
        let [slice_text, duration_text, min_text] =
            [slice, duration, min_duration].map(humantime::format_duration);
        if slice > duration {
            return Err(format!(
                "a slice of {slice_text} is longer than the duration of {duration_text}; raise \
                 --duration or lower --slice"
            ));
        }
        Err(format!(
            "a duration of {duration_text} has fewer than {} slices of {slice_text}; raise \
             --duration to {min_text} or lower --slice",
            SliceLength::MIN_SLICES
        ))
    }
}

impl LoadSpec {
    /// Returns every option in effect, by the name of its flag.
    pub(super) fn options(&self) -> Vec<(&'static str, String)> {
        let time = |length| humantime::format_duration(length).to_string();
        let rate = self.open_loop.map(|load| load.rate_per_s.to_string());
        let rate = rate.unwrap_or_else(|| "none".to_owned());
        vec![
            ("driver", self.driver.to_string()),
            ("threads", self.driver.threads()),
            ("channels", self.channels.to_string()),
            ("clients", self.clients.to_string()),
            ("duration", time(self.window)),
            ("warmup", time(self.warmup)),
            ("think", time(self.think)),
            ("rate", rate),
            ("arrivals", self.open_loop.map(|load| load.arrivals).unwrap_or_default().to_string()),
            ("payload", self.payload.to_string()),
            ("reply-payload", self.reply_payload.to_string()),
            ("timeout", time(self.timeout)),
            ("retries", self.retries.to_string()),
        ]
    }
}
