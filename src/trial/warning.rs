//! What a reader of a row should know, each with advice.

use std::fmt;

use crate::spec::Endpoint;

/// Something that makes a row worth less than it looks.
#[derive(Debug, Clone, PartialEq)]
pub enum Warning {
    /// The trial does not hold.
    Invalid(String),
    /// Echoes failed.
    Failed {
        /// How many.
        errors: u64,
        /// Why the first of them did.
        first: String,
    },
    /// Round trips that are out of the histogram's range.
    OutOfRange(u64),
    /// Replies that do not name the request that they answer.
    Unverified,
    /// Little's law does not hold: so many clients of all of them is what it makes.
    LittlesLaw(f64, usize),
    /// Clients could not send as often as they were to.
    RateNotKept {
        /// Requests per second that were asked for.
        offered: f64,
        /// Requests per second that were sent, and answered.
        sent: f64,
    },
    /// Others used the CPUs of one side.
    Others {
        /// The side.
        side: &'static str,
        /// The share of its CPUs that they had.
        share: f64,
    },
    /// The hypervisor gave CPU time of one side to other virtual machines.
    Stolen {
        /// The side.
        side: &'static str,
        /// The share of its CPUs.
        share: f64,
    },
    /// Slices were disturbed, and do not count.
    SlicesLeftOut {
        /// How many.
        left_out: usize,
        /// Of how many.
        of: usize,
    },
    /// Fewer slices count than an interval needs.
    FewSlices(usize),
    /// A contender's server used CPU time while other contenders were loaded.
    IdleCost {
        /// The contender.
        label: String,
        /// The share of one CPU.
        share: f64,
    },
    /// There is one CPU for everything.
    OneCpu,
    /// Both sides run on the same CPUs.
    SharedCpus(String),
    /// A control group grants less than the CPUs.
    Quota {
        /// What it grants, in CPUs.
        granted: f64,
        /// The CPUs.
        cpus: usize,
    },
    /// What a process used could not be read.
    Unreadable(String),
    /// What the server warned of.
    Server(String),
    /// The server there is not a process of ours.
    NotOurs(Endpoint),
}

impl Warning {
    /// A few words for the row, where no other column has them.
    pub fn note(&self) -> Option<String> {
        Some(match self {
            Warning::LittlesLaw(..) => "Little's law is off by more than 2 %".to_owned(),
            Warning::RateNotKept { .. } => "the rate was not kept".to_owned(),
            Warning::Others { side, .. } => format!("others used the CPUs of the {side}"),
            Warning::Stolen { side, share } => {
                format!("the hypervisor took {:.1} % of the {side} CPUs", share * 100.0)
            }
            Warning::FewSlices(_) => "too few slices count for an interval".to_owned(),
            Warning::IdleCost { share, .. } => {
                format!("the server used {:.1} % of a CPU while it was not loaded", share * 100.0)
            }
            Warning::OneCpu => "one CPU for both sides".to_owned(),
            Warning::SharedCpus(_) => "both sides share CPUs".to_owned(),
            Warning::Quota { .. } => "a CPU quota is below the CPUs".to_owned(),
            Warning::Unreadable(_) => "/proc was not readable".to_owned(),
            Warning::Server(said) => format!("the server said: {said}"),
            _ => return None,
        })
    }

    /// Whether it holds for all trials of a point alike.
    pub fn is_of_the_place(&self) -> bool {
        use Warning::{NotOurs, OneCpu, Quota, SharedCpus, Unverified};
        matches!(self, OneCpu | SharedCpus(_) | Quota { .. } | NotOurs(_) | Unverified)
    }

    /// Whether it is said to those, too, who want no summary.
    pub fn is_grave(&self) -> bool {
        matches!(
            self,
            Warning::Invalid(_)
                | Warning::Failed { .. }
                | Warning::RateNotKept { .. }
                | Warning::Unreadable(_)
        )
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Invalid(reason) => write!(f, "this trial is not valid: {reason}"),
            Warning::Failed { errors, first } => {
                write!(f, "{errors} echoes failed, the first of them so: {first}")
            }
            Warning::OutOfRange(count) => write!(
                f,
                "{count} round trips were longer than 60 s; they count, but are in no percentile"
            ),
            Warning::Unverified => f.write_str(
                "the server does not say which request it answers; its replies were counted unverified",
            ),
            Warning::LittlesLaw(found, clients) => write!(
                f,
                "by Little's law, throughput x (rtt + pause) should make the number of clients, \
                 {clients}, and makes {found:.2}; a longer --duration helps, or more CPUs for the clients"
            ),
            Warning::RateNotKept { offered, sent } => write!(
                f,
                "the rate was not kept: offered {offered:.0}/s, sent {sent:.0}/s; lower --rate, or \
                 raise --clients"
            ),
            Warning::Others { side, share } => write!(
                f,
                "other processes used {:.0} % of the CPUs of the {side}{}; stop them, or choose \
                 other CPUs with --{side}-cpus",
                share * 100.0,
                if *side == "client" { "s" } else { "" }
            ),
            Warning::Stolen { side, share } => write!(
                f,
                "the hypervisor gave {:.1} % of the {side} CPUs to other virtual machines, so the \
                 result does not rank servers; compare contenders in slices, or measure again later",
                share * 100.0
            ),
            Warning::SlicesLeftOut { left_out, of } => write!(
                f,
                "{left_out} of {of} slices were disturbed by steal or by other processes; they were \
                 left out and measured again"
            ),
            Warning::FewSlices(kept) => write!(
                f,
                "only {} left, too few for an interval; raise --duration, or use a quieter machine",
                if *kept == 1 { "1 slice is".to_owned() } else { format!("{kept} slices are") }
            ),
            Warning::IdleCost { label, share } => write!(
                f,
                "the server of '{label}' used {:.1} % of a CPU while it was not loaded, which slows \
                 the other contenders; measure it alone",
                share * 100.0
            ),
            Warning::OneCpu => f.write_str(
                "there is one CPU for server and clients, and what is measured is both together; \
                 run the server on another machine, and measure it with --addr",
            ),
            Warning::SharedCpus(cpus) => write!(
                f,
                "server and clients share the CPUs {cpus}, and take time from each other; give each \
                 its own with --server-cpus and --client-cpus"
            ),
            Warning::Quota { granted, cpus } => write!(
                f,
                "a control group grants {granted:.2} CPUs, and there are {cpus}: both sides will be \
                 stopped now and then; raise the quota, or use fewer CPUs"
            ),
            Warning::Unreadable(why) => {
                write!(f, "{why}; the columns that come from there are empty")
            }
            Warning::Server(said) => write!(f, "the server said: {said}"),
            Warning::NotOurs(at) => write!(
                f,
                "the process of the server at {at} is not known, so the columns of what it used are \
                 empty; name it with pid=N if it is on this machine, or use --spawn"
            ),
        }
    }
}
