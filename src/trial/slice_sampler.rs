//! Looks at all processes while contenders take turns: what each used in its slices, and whether
//! something else disturbed them.
//!
//! ```text
//! look - [lead-in - clocks - window - clocks - drain] - look - [...] - look
//! ```
//!
//! A look reads /proc/stat and the CPU clocks of all processes, between two slices, when nothing
//! is loaded. At the ends of a window, only the CPU clocks of the two sides are read.

use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use nix::sys::resource::{UsageWho, getrusage};

use super::Progress;
use super::placement_report::PlacementReport;
use super::server::Server;
use crate::load::slices::{Slice, SliceDecision, SliceObserver};
use crate::measure::{
    Activity, Counters, CpuTimes, Loss, Processes, RoleUsage, Tree, Usage, by_role, cpu_time, share,
};
use crate::os::cpus::Cpus;
use crate::results::{SliceRow, rounded};

/// What was measured of one contender.
#[derive(Debug, Default)]
pub struct Measured {
    /// The length of a slice.
    pub slice: Duration,
    /// Slices that count, and disturbed ones that do not.
    pub kept: usize,
    pub left_out: usize,
    /// The kept windows, together.
    pub window: Duration,
    /// CPU time in them; `None` where the server's process is not known.
    pub server_cpu: Option<Duration>,
    pub client_cpu: Duration,
    /// What the clients' process used in the kept slices, their lead-ins included, and the echoes
    /// of the same spans.
    pub client: Counters,
    pub client_completed: u64,
    /// The server at the beginning of the first slice, and at the end of the last one.
    pub first: Option<Usage>,
    pub last: Option<Usage>,
    /// Echoes between these two.
    pub completed: u64,
    /// Of the kept slices: the time in which the server's CPUs were idle between looks, and for
    /// how long it was loaded.
    server_idle: [Duration; 2],
    /// The time between looks in which nothing was sent, and the server's CPUs were idle.
    around: Duration,
    /// The time in which the clients' CPUs were idle between looks, and the time between looks.
    client_idle: [Duration; 2],
    /// Lost time in the kept slices: stolen and used by others, and the time between looks.
    lost: [Lost; 2],
    between_looks: Duration,
    /// CPU time while other contenders were loaded, and how long that was.
    idle_cpu: [Duration; 2],
    pub server_gone: bool,
    pub unreadable: Option<String>,
    pub rows: Vec<SliceRow>,
}

/// Lost time of one side, weighted by the length of each slice.
#[derive(Debug, Default, Clone, Copy)]
struct Lost {
    stolen_s: f64,
    others_s: f64,
}

impl Measured {
    /// What the server's threads used, by their roles.
    pub fn roles(&self) -> Vec<RoleUsage> {
        match (&self.first, &self.last) {
            (Some(first), Some(last)) => by_role(&first.threads, &last.threads),
            _ => Vec::new(),
        }
    }

    /// The shares of time in which the CPUs of both sides were idle under load; `None` where they
    /// are not known. The kernel counts in ticks, so only the sums are of use.
    pub fn idle(&self) -> [Option<f64>; 2] {
        let [idle, loaded] = self.server_idle;
        let server = [idle.saturating_sub(self.around), loaded];
        [server, self.client_idle]
            .map(|[idle, of]| (!of.is_zero()).then(|| share(idle, of).min(1.0)))
    }

    /// The share of one CPU that the server used while other contenders were loaded.
    pub fn idle_busy(&self) -> f64 {
        share(self.idle_cpu[0], self.idle_cpu[1])
    }

    /// The mean loss of a side's CPUs in the kept slices: server, clients.
    pub fn losses(&self) -> [Loss; 2] {
        let span = self.between_looks.as_secs_f64();
        self.lost.map(|lost| {
            let mean = |seconds: f64| if span > 0.0 { seconds / span } else { 0.0 };
            Loss { stolen: mean(lost.stolen_s), others: mean(lost.others_s) }
        })
    }
}

/// All that is read between two slices.
#[derive(Debug)]
struct Look {
    at: Instant,
    cpus: CpuTimes,
    client: Counters,
}

/// The CPU clocks of both sides at an end of a window.
#[derive(Debug, Clone, Copy)]
struct Clocks {
    at: Instant,
    server: Duration,
    client: Duration,
}

/// Looks at all contenders.
pub struct SliceSampler<'a, 'p> {
    servers: &'a mut [Server],
    granted: &'a [PlacementReport],
    labels: &'a [&'a str],
    /// The run, the trial, and the number of clients.
    identity: (&'a str, u32, usize),
    progress: Progress<'p>,
    /// The index of each contender's processes among the trees.
    trees: Vec<Option<usize>>,
    /// The process ids of each contender, as of the last look.
    pids: Vec<Vec<u32>>,
    processes: Processes,
    /// Whether all servers' processes are known, so that the rest are others.
    knows_others: bool,
    /// Pairs the two clocks: rows have wall-clock times.
    epoch: (SystemTime, Instant),
    last: Look,
    ends: [Option<Clocks>; 2],
    measured: Vec<Measured>,
}

impl<'a, 'p> SliceSampler<'a, 'p> {
    /// Begins to look at `servers`.
    ///
    /// # Errors
    ///
    /// Where /proc is not readable.
    pub fn new(
        servers: &'a mut [Server],
        granted: &'a [PlacementReport],
        labels: &'a [&'a str],
        identity: (&'a str, u32, usize),
        progress: Progress<'p>,
    ) -> Result<Self> {
        // Contenders may be the same server under two labels.
        let mut known: Vec<Tree> = Vec::new();
        let mut index_of = |tree: Tree| {
            known.iter().position(|other| *other == tree).unwrap_or_else(|| {
                known.push(tree);
                known.len() - 1
            })
        };
        let trees = servers.iter().map(|server| server.tree().map(&mut index_of)).collect();
        let processes = Processes::watch(known)?;
        let measured = servers.iter().map(|_| Measured::default()).collect();
        Ok(SliceSampler {
            knows_others: servers.iter().all(Server::is_accounted_for),
            granted,
            labels,
            identity,
            progress,
            trees,
            pids: vec![Vec::new(); servers.len()],
            servers,
            processes,
            epoch: (SystemTime::now(), Instant::now()),
            last: look()?,
            ends: [None; 2],
            measured,
        })
    }

    /// Looks at all servers a last time.
    pub fn finish(mut self) -> Vec<Measured> {
        for (server, measured) in self.servers.iter_mut().zip(&mut self.measured) {
            measured.server_gone |= server.has_ended();
            measured.server_cpu = measured.server_cpu.filter(|_| server.tree().is_some());
        }
        self.measured
    }

    fn clocks(&self, contender: usize) -> Clocks {
        Clocks {
            at: Instant::now(),
            server: cpu_time(&self.pids[contender]),
            client: cpu_time(&[std::process::id()]),
        }
    }

    /// What was used since the last look; nothing where /proc was not readable.
    fn look(&mut self) -> (Look, Option<Activity>) {
        let activity = self.processes.look();
        for (pids, tree) in self.pids.iter_mut().zip(&self.trees) {
            *pids = tree.map(|tree| self.processes.pids_of(tree)).unwrap_or_default();
        }
        let unreadable = |error: anyhow::Error, measured: &mut [Measured]| {
            for one in measured {
                one.unreadable.get_or_insert_with(|| format!("{error:#}"));
            }
        };
        let activity = activity.map_err(|error| unreadable(error, &mut self.measured)).ok();
        let look = look().unwrap_or_else(|error| {
            unreadable(error, &mut self.measured);
            let Look { cpus, client, .. } = &self.last;
            Look { at: Instant::now(), cpus: cpus.clone(), client: *client }
        });
        (look, activity)
    }

    /// What both sides lost since the last look.
    fn losses(&self, contender: usize, now: &Look, activity: Option<&Activity>) -> [Loss; 2] {
        let activity = activity.filter(|_| self.knows_others);
        let (span, granted) = (now.at - self.last.at, &self.granted[contender]);
        let loss = |cpus: &Cpus| Loss::of([&self.last.cpus, &now.cpus], activity, cpus, span);
        [granted.server.as_ref().map(loss).unwrap_or_default(), loss(&granted.clients)]
    }

    /// Counts the CPU time of the contenders that were not loaded.
    fn add_idle_cpu(&mut self, loaded: usize, span: Duration, activity: &Activity) {
        for (tree, measured) in self.trees.iter().zip(&mut self.measured) {
            if let Some(tree) = tree.filter(|_| *tree != self.trees[loaded]) {
                measured.idle_cpu[0] += activity.trees[tree];
                measured.idle_cpu[1] += span;
            }
        }
    }

    /// Adds a slice that counts.
    fn keep(&mut self, slice: &Slice, now: &Look, losses: [Loss; 2], cpu: [Duration; 2]) {
        let span = now.at - self.last.at;
        let measured = &mut self.measured[slice.contender];
        let granted = &self.granted[slice.contender];
        measured.kept += 1;
        measured.window += slice.window.length();
        measured.server_cpu = Some(measured.server_cpu.unwrap_or_default() + cpu[0]);
        measured.client_cpu += cpu[1];
        measured.client.add(&now.client.since(&self.last.client));
        measured.client_completed += slice.completed;
        measured.between_looks += span;
        for (sum, loss) in measured.lost.iter_mut().zip(losses) {
            sum.stolen_s += loss.stolen * span.as_secs_f64();
            sum.others_s += loss.others * span.as_secs_f64();
        }
        let idle = |cpus: &Cpus| now.cpus.idle_since(&self.last.cpus, cpus).unwrap_or_default();
        let loaded = slice.drained - slice.began;
        if let Some(cpus) = &granted.server {
            let count = u32::try_from(cpus.count()).unwrap_or(u32::MAX);
            measured.server_idle[0] += idle(cpus);
            measured.server_idle[1] += loaded * count;
            measured.around += span.saturating_sub(loaded) * count;
        }
        let count = u32::try_from(granted.clients.count()).unwrap_or(u32::MAX);
        measured.client_idle[0] += idle(&granted.clients);
        measured.client_idle[1] += span * count;
    }

    fn row(&self, slice: &Slice, cpu: [Duration; 2], loss: Loss, kept: bool) -> SliceRow {
        let us = |time: Duration| rounded(time.as_secs_f64() * 1e6, 1);
        let (run_id, trial, clients) = self.identity;
        let opened = self.epoch.0 + (slice.window.open - self.epoch.1);
        let since_epoch = opened.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        SliceRow {
            run_id: run_id.to_owned(),
            trial,
            round: slice.round,
            label: self.labels[slice.contender].to_owned(),
            clients,
            started_at_us: u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX),
            window_us: us(slice.window.length()),
            messages: slice.messages,
            server_cpu_us: self.trees[slice.contender].map(|_| us(cpu[0])),
            client_cpu_us: us(cpu[1]),
            stolen: rounded(loss.stolen, 4),
            others: rounded(loss.others, 4),
            kept,
        }
    }
}

impl SliceObserver for SliceSampler<'_, '_> {
    fn begin(&mut self, slice: Duration) {
        for (server, measured) in self.servers.iter_mut().zip(&mut self.measured) {
            measured.slice = slice;
            measured.first = usage(server, measured);
        }
        self.last = self.look().0;
    }

    fn opened(&mut self, contender: usize) {
        self.ends = [Some(self.clocks(contender)), None];
    }

    fn closed(&mut self, contender: usize) {
        self.ends[1] = Some(self.clocks(contender));
    }

    fn drained(&mut self, slice: &Slice) -> SliceDecision {
        let contender = slice.contender;
        let (now, activity) = self.look();
        let losses = self.losses(contender, &now, activity.as_ref());
        let worst = losses[0].worse(losses[1]);
        if let Some(activity) = &activity {
            self.add_idle_cpu(contender, now.at - self.last.at, activity);
        }
        let measured = &mut self.measured[contender];
        measured.completed += slice.completed;
        measured.server_gone |= self.servers[contender].has_ended();
        let fate = match (measured.server_gone || slice.gave_up, worst.is_disturbing()) {
            (true, _) => SliceDecision::Gone,
            (false, true) => SliceDecision::LeaveOut,
            (false, false) => SliceDecision::Keep,
        };
        let cpu = used(self.ends, slice.window.length());
        match fate {
            SliceDecision::Keep => self.keep(slice, &now, losses, cpu),
            SliceDecision::LeaveOut => measured.left_out += 1,
            SliceDecision::Gone => {}
        }
        let row = self.row(slice, cpu, worst, fate == SliceDecision::Keep);
        self.measured[contender].rows.push(row);
        self.last = now;
        fate
    }

    fn ended(&mut self) {
        for (server, measured) in self.servers.iter_mut().zip(&mut self.measured) {
            measured.server_gone |= server.has_ended();
            measured.last = usage(server, measured);
        }
    }

    fn progress(&mut self, kept: usize, _planned: usize) {
        if let Some(progress) = &mut self.progress {
            progress(kept as u64);
        }
    }
}

fn look() -> Result<Look> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let us = |time: nix::sys::time::TimeVal| {
        (time.tv_sec() * 1_000_000 + time.tv_usec()).cast_unsigned()
    };
    let client = Counters {
        // Only their proportion is used, as for the ticks of /proc.
        user_ticks: us(usage.user_time()),
        system_ticks: us(usage.system_time()),
        voluntary: usage.voluntary_context_switches().cast_unsigned(),
        involuntary: usage.involuntary_context_switches().cast_unsigned(),
        cpu: Duration::ZERO,
    };
    Ok(Look { cpus: CpuTimes::now()?, client, at: Instant::now() })
}

fn usage(server: &Server, measured: &mut Measured) -> Option<Usage> {
    match server.usage()? {
        Ok(usage) => Some(usage),
        Err(error) => {
            if !measured.server_gone {
                measured.unreadable.get_or_insert_with(|| format!("{error:#}"));
            }
            None
        }
    }
}

/// The CPU time of both sides in a window of this length. The clocks are read a little late where
/// CPUs are scarce, and what was used between the readings is taken in proportion.
fn used(ends: [Option<Clocks>; 2], window: Duration) -> [Duration; 2] {
    let [Some(open), Some(close)] = ends else { return [Duration::ZERO; 2] };
    let observed = close.at.saturating_duration_since(open.at);
    let scale = share(window, observed);
    [(open.server, close.server), (open.client, close.client)]
        .map(|(open, close)| close.saturating_sub(open).mul_f64(scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_scaled_to_the_window_where_the_clocks_were_read_late() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let clocks = |at, server, client| {
            Some(Clocks { at: start + ms(at), server: ms(server), client: ms(client) })
        };
        let ends = [clocks(2, 100, 50), clocks(27, 120, 60)];
        // 20 ms and 10 ms in the 25 ms that were observed, of a window of 20 ms.
        assert_eq!(used(ends, ms(20)), [ms(16), ms(8)]);
        assert_eq!(used([None, None], ms(20)), [Duration::ZERO; 2]);
        assert_eq!(used([ends[0], ends[0]], ms(20)), [Duration::ZERO; 2]);
    }
}
