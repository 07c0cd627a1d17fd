//! Warnings about a row, each with advice.

use std::fmt;

use crate::spec::Endpoint;

/// A condition that limits the conclusions that a row supports.
#[derive(Debug, Clone, PartialEq)]
pub enum Warning {
    /// The trial is not valid.
    Invalid(String),
    /// Echoes failed.
    Failed {
        /// Number of failed echoes.
        errors: u64,
        /// Error of the first one.
        first: String,
    },
    /// Number of round trips outside of the histogram's range.
    OutOfRange(u64),
    /// Replies do not name the request that they answer.
    Unverified,
    /// The row does not satisfy Little's law.
    LittlesLaw {
        /// Throughput times the mean of round trip plus pause.
        computed: f64,
        /// Actual number of clients.
        clients: usize,
    },
    /// The lean driver handled replies late.
    DriverLag {
        /// 99th percentile of the lag.
        p99_us: f64,
        /// This lag as a share of the median round trip.
        share: f64,
    },
    /// The clients sent fewer requests than the rate demands, or more because of a backlog.
    RateNotKept {
        /// Requests per second that were due.
        offered: f64,
        /// Requests per second that were sent and answered.
        sent: f64,
    },
    /// Number of requests due in the window without a correct reply.
    Censored(u64),
    /// Number of latencies from the scheduled send time outside of the histogram's range.
    DueOutOfRange(u64),
    /// Other processes used the CPUs of one side.
    OtherProcesses {
        /// The side.
        side: &'static str,
        /// Share of its CPUs.
        share: f64,
    },
    /// The hypervisor gave CPU time of one side to other virtual machines.
    Steal {
        /// The side.
        side: &'static str,
        /// Share of its CPUs.
        share: f64,
    },
    /// Slices were disturbed and do not count.
    SlicesLeftOut {
        /// Number of disturbed slices.
        left_out: usize,
        /// Number of all slices.
        of: usize,
    },
    /// Number of slices that count, if an interval needs more.
    FewSlices(usize),
    /// A server used CPU time while other contenders were loaded.
    UnloadedCpuUse {
        /// Label of its contender.
        label: String,
        /// Share of one CPU.
        share: f64,
    },
    /// The machine has one CPU for both sides.
    OneCpu,
    /// CPUs that both sides use.
    SharedCpus(String),
    /// CPUs of one core (SMT siblings), of which each side uses at least one.
    SmtSiblings(String),
    /// A control group grants less CPU time than the CPUs have.
    Quota {
        /// Granted CPU time, in CPUs.
        granted: f64,
        /// Number of CPUs.
        cpus: usize,
    },
    /// The resource usage of a process could not be read.
    Unreadable(String),
    /// A warning of the server.
    Server(String),
    /// The process of the running server at this address is unknown.
    UnknownProcess(Endpoint),
}

impl Warning {
    /// Returns a short text for the `notes` column, unless another column has the information.
    pub fn note(&self) -> Option<String> {
        Some(match self {
            Warning::LittlesLaw { .. } => "Little's law is off by more than 2 %".to_owned(),
            Warning::DriverLag { share, .. } => {
                format!("the driver's lag is {:.0} % of the median round trip", share * 100.0)
            }
            Warning::RateNotKept { .. } => "the rate was not kept".to_owned(),
            Warning::Censored(_) => "latencies of unanswered requests are lower bounds".to_owned(),
            Warning::OtherProcesses { side, .. } => {
                format!("other processes used the {side} CPUs")
            }
            Warning::Steal { side, share } => {
                format!("the hypervisor took {:.1} % of the {side} CPUs", share * 100.0)
            }
            Warning::FewSlices(_) => "too few slices count for an interval".to_owned(),
            Warning::UnloadedCpuUse { share, .. } => {
                format!("the server used {:.1} % of a CPU while it was not loaded", share * 100.0)
            }
            Warning::OneCpu => "one CPU for both sides".to_owned(),
            Warning::SharedCpus(_) => "both sides share CPUs".to_owned(),
            Warning::SmtSiblings(_) => "both sides use CPUs of one core".to_owned(),
            Warning::Quota { .. } => "the CPU quota is below the number of CPUs".to_owned(),
            Warning::Unreadable(_) => "/proc was not readable".to_owned(),
            Warning::Server(warning) => format!("server warning: {warning}"),
            _ => return None,
        })
    }

    /// Whether the warning applies to all trials of a point alike.
    pub fn applies_to_all_trials(&self) -> bool {
        use Warning::{OneCpu, Quota, SharedCpus, SmtSiblings, UnknownProcess, Unverified};
        matches!(
            self,
            OneCpu | SharedCpus(_) | SmtSiblings(_) | Quota { .. } | UnknownProcess(_) | Unverified
        )
    }

    /// Whether the warning is printed with `--quiet`, too.
    pub fn is_severe(&self) -> bool {
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
            Warning::Failed { errors: 1, first } => write!(f, "1 echo failed: {first}"),
            Warning::Failed { errors, first } => {
                write!(f, "{errors} echoes failed; the first error: {first}")
            }
            Warning::OutOfRange(count) => write!(
                f,
                "{count} round trips took longer than 60 s; they count as echoes, but are missing \
                 from the latency statistics"
            ),
            Warning::Unverified => f.write_str(
                "the replies do not name the request that they answer, so they were counted \
                 unverified; let the server set the field 'acknowledges'",
            ),
            Warning::LittlesLaw { computed, clients } => write!(
                f,
                "by Little's law, throughput x (rtt + pause) should equal the number of clients, \
                 {clients}, but is {computed:.2}: echoes failed, or many are cut off by the ends of \
                 the window, or native clients were delayed between two echoes; raise --duration"
            ),
            Warning::DriverLag { p99_us, share } => write!(
                f,
                "the driver handled 1 % of the replies {p99_us:.0} us or more after epoll reported \
                 them, {:.0} % of the median round trip, so the round trips partly measure the \
                 clients; give the clients more CPUs, or lower --clients",
                share * 100.0
            ),
            Warning::RateNotKept { .. } | Warning::Censored(_) | Warning::DueOutOfRange(_) => {
                self.fmt_schedule(f)
            }
            Warning::OtherProcesses { side, share } => write!(
                f,
                "other processes used {:.0} % of the {side} CPUs; stop them, or choose other CPUs \
                 with --{side}-cpus",
                share * 100.0
            ),
            Warning::Steal { side, share } => write!(
                f,
                "the hypervisor gave {:.1} % of the {side} CPUs to other virtual machines, so this \
                 row cannot rank servers; compare contenders in slices, or measure again later",
                share * 100.0
            ),
            Warning::SlicesLeftOut { left_out, of } => write!(
                f,
                "{left_out} of {of} slices were disturbed by steal or by other processes; they \
                 were left out and measured again"
            ),
            Warning::FewSlices(kept) => write!(
                f,
                "only {kept} {}, too few for an interval; raise --duration, or use a quieter \
                 machine",
                if *kept == 1 { "slice counts" } else { "slices count" }
            ),
            Warning::UnloadedCpuUse { label, share } => write!(
                f,
                "the server of '{label}' used {:.1} % of a CPU while it was not loaded, which \
                 slows the other contenders; measure it in a bench of its own",
                share * 100.0
            ),
            Warning::OneCpu => f.write_str(
                "there is only one CPU for server and clients, so the row measures both together; \
                 run the server on another machine, and measure it with --addr",
            ),
            Warning::SharedCpus(cpus) => write!(
                f,
                "server and clients share the CPUs {cpus}, so they compete for CPU time; separate \
                 them with --server-cpus and --client-cpus"
            ),
            Warning::SmtSiblings(cpus) => write!(
                f,
                "server and clients use the CPUs {cpus}, which are one core (SMT), so each side \
                 slows the other; give each side whole cores with --server-cpus and --client-cpus"
            ),
            Warning::Quota { granted, cpus } => write!(
                f,
                "a control group grants {granted:.2} CPUs, but both sides use {cpus}, so they are \
                 throttled at times; raise the quota, or use fewer CPUs"
            ),
            Warning::Unreadable(error) => {
                write!(f, "{error}; the columns that need this data are empty")
            }
            Warning::Server(warning) => write!(f, "server warning: {warning}"),
            Warning::UnknownProcess(address) => write!(
                f,
                "the process of the server at {address} is unknown, so the columns of its resource \
                 usage are empty; set pid=N if it runs on this machine, or use --spawn"
            ),
        }
    }
}

impl Warning {
    /// Formats the warnings about an open loop.
    fn fmt_schedule(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::RateNotKept { offered, sent } if sent > offered => write!(
                f,
                "the rate was not kept: offered {offered:.0}/s, sent {sent:.0}/s, because requests \
                 of the warm-up were answered in the window; lower --rate, or raise --warmup"
            ),
            Warning::Censored(count) => write!(
                f,
                "requests that were due in the window and have no reply: {count}; their ages count \
                 as their latencies, which are lower bounds"
            ),
            Warning::DueOutOfRange(count) => write!(
                f,
                "{count} latencies from the scheduled send time are above 60 s; no percentile \
                 includes them"
            ),
            Warning::RateNotKept { offered, sent } => write!(
                f,
                "the rate was not kept: offered {offered:.0}/s, sent {sent:.0}/s; lower --rate, or \
                 raise --clients"
            ),
            _ => Ok(()),
        }
    }
}
