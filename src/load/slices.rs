//! Slices: contenders take turns, in rounds of random order.
//!
//! All servers run and all clients stay connected for the whole trial. Only one contender's clients
//! send at any time; the client threads of the others wait without using the CPU.
//!
//! ```text
//! slice:  command -> lead-in (not counted) -> window (counted) -> drain (not counted)
//! round:  one slice of every contender, in random order
//! ```
//!
//! Changes in machine speed and other virtual machines then affect all contenders alike.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::CancelToken;
use super::client_threads::{ClientThreads, LoadContext};
use super::coordination::{Command, Event, WindowCounts};
use crate::measure::{ClientTally, Distributions, Window};
use crate::spec::{Endpoint, LoadSpec, SliceLength};
use crate::systems::System;

/// The server of one contender.
#[derive(Clone, Copy)]
pub struct LoadTarget<'a> {
    /// The system of the server.
    pub system: &'static dyn System,
    /// The address of the server.
    pub endpoint: &'a Endpoint,
}

/// One measured slice.
#[derive(Debug, Clone, Copy)]
pub struct Slice {
    /// The index of the contender.
    pub contender: usize,
    /// The number of the round, from 1.
    pub round: u32,
    /// The counted time.
    pub window: Window,
    /// When the command to run was sent to the clients.
    pub began: Instant,
    /// When the last outstanding request had ended.
    pub drained: Instant,
    /// Echoes counted in the window.
    pub messages: u64,
    /// All echoes of the slice, including its lead-in and drain.
    pub completed: u64,
    /// Whether a client could not reconnect to its server.
    pub gave_up: bool,
}

/// The observer's decision about a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SliceDecision {
    /// The slice counts.
    Keep,
    /// The slice does not count and is measured again.
    LeaveOut,
    /// The contender's server has ended.
    Gone,
}

/// Samples processes while contenders take turns, and decides which slices count. The
/// coordinator's thread calls all methods.
pub trait SliceObserver {
    /// Called when all contenders are warm and none is loaded. All slices have the length `slice`.
    fn begin(&mut self, slice: Duration);
    /// Called when this contender's window has opened.
    fn opened(&mut self, contender: usize);
    /// Called when this contender's window has closed.
    fn closed(&mut self, contender: usize);
    /// Called when the slice has ended and no contender is loaded.
    fn drained(&mut self, slice: &Slice) -> SliceDecision;
    /// Called after the last slice, while all clients are still connected: server threads may end
    /// with their connections.
    fn ended(&mut self);
    /// Called with the number of slices kept so far and planned, both summed over all contenders.
    fn progress(&mut self, kept: usize, planned: usize);
}

/// The result of one contender.
#[derive(Debug)]
pub struct SlicedOutcome {
    /// One tally per client, in client order.
    pub tallies: Vec<ClientTally>,
    /// The merged distributions of all clients.
    pub distributions: Distributions,
    /// Whether measuring stopped early because the server did not answer.
    pub unresponsive: bool,
}

/// Minimum length of a lead-in.
const SHORTEST_LEAD_IN: Duration = Duration::from_millis(8);

/// Minimum length of an automatic slice, in round trips, unless the window is too short for
/// [`SliceLength::MIN_SLICES`] such slices.
const ROUND_TRIPS: u32 = 25;

/// Minimum length of a lead-in, in round trips, up to the length of a slice.
const LEAD_IN_ROUND_TRIPS: u32 = 4;

/// Maximum number of times a disturbed slice is measured in its round.
const ATTEMPTS_PER_ROUND: usize = 3;

/// Number of consecutive slices with timeouts and no echo after which a contender is
/// unresponsive.
const UNRESPONSIVE_SLICES: usize = 3;

/// Runs all contenders in slices until each has its share of counted time or `stop` is set.
///
/// # Errors
///
/// If a client cannot be started or its first echo fails, with the index of its contender. Later
/// failures are counted in the tallies.
pub fn run<'env>(
    targets: &[LoadTarget<'env>],
    spec: &'env LoadSpec,
    (length, seed): (SliceLength, u64),
    stop: &'env CancelToken,
    observer: &mut dyn SliceObserver,
) -> Result<Vec<SlicedOutcome>, (usize, anyhow::Error)> {
    std::thread::scope(|scope| {
        let start = |(index, target): (usize, &LoadTarget<'env>)| {
            let LoadTarget { system, endpoint } = *target;
            let context = LoadContext { system, endpoint, spec, stop, sliced: true };
            let threads = ClientThreads::start(scope, context, None).and_then(|threads| {
                threads.wait_until_ready()?;
                Ok(threads)
            });
            threads
                .map(|threads| ContenderState::new(index, threads))
                .map_err(|error| (index, error))
        };
        let states = targets.iter().enumerate().map(start);
        let mut contenders = states.collect::<Result<Vec<_>, _>>().inspect_err(|_| stop.set())?;
        let round_trips =
            contenders.iter_mut().filter_map(|contender| contender.warm_up(spec, stop));
        let round_trip = round_trips.max().unwrap_or_default();
        let mut rounds = Rounds::new(spec, (length, seed), round_trip);
        observer.begin(rounds.slice);
        rounds.run(&mut contenders, stop, observer);
        observer.ended();
        let outcomes = contenders.into_iter().map(|contender| {
            let unresponsive = contender.unanswered >= UNRESPONSIVE_SLICES;
            let (tallies, distributions) = contender.threads.end(contender.keep_last);
            SlicedOutcome { tallies, distributions, unresponsive }
        });
        Ok(outcomes.collect())
    })
}

/// The client threads of one contender, and its progress.
struct ContenderState<'env> {
    index: usize,
    threads: ClientThreads<'env>,
    /// Whether the previous slice counts.
    keep_last: bool,
    /// Number of slices that count.
    kept: usize,
    /// Number of slices that were measured again.
    repeated: usize,
    /// Number of consecutive slices with timeouts and no echo.
    unanswered: usize,
    /// Whether no more slices are measured.
    gone: bool,
}

impl<'env> ContenderState<'env> {
    fn new(index: usize, threads: ClientThreads<'env>) -> Self {
        ContenderState {
            index,
            threads,
            keep_last: false,
            kept: 0,
            repeated: 0,
            unanswered: 0,
            gone: false,
        }
    }

    /// Runs the clients for the warm-up, and returns their mean round trip including pauses; `None`
    /// if the server did not answer.
    fn warm_up(&mut self, spec: &LoadSpec, stop: &CancelToken) -> Option<Duration> {
        let window =
            Window::after(Instant::now(), Duration::ZERO, spec.warmup.max(SliceLength::MIN_AUTO));
        let counts = self.run_window(window, stop, &mut |_| ());
        self.gone |= counts.gave_up;
        let per_client = window.length() * u32::try_from(spec.clients.get()).unwrap_or(u32::MAX);
        (counts.messages > 0).then(|| per_client.div_f64(counts.messages as f64))
    }

    /// Runs one window and waits until it is drained. Calls `on_edge` when the window opens and
    /// when it closes.
    fn run_window(
        &mut self,
        window: Window,
        stop: &CancelToken,
        on_edge: &mut dyn FnMut(WindowEdge),
    ) -> WindowCounts {
        let mut counts = WindowCounts::default();
        self.threads.send(Command::Run { window, keep_last: self.keep_last });
        let mut running = self.threads.count();
        let mut edges = [(window.open, WindowEdge::Open), (window.close, WindowEdge::Close)]
            .into_iter()
            .peekable();
        while running > 0 || edges.peek().is_some() {
            if let Some((time, edge)) = edges.peek().copied()
                && (Instant::now() >= time || stop.is_set())
            {
                on_edge(edge);
                edges.next();
                continue;
            }
            let event = match edges.peek() {
                Some((time, _)) => self.threads.events().recv_deadline(*time).ok(),
                None => match self.threads.events().recv() {
                    Ok(event) => Some(event),
                    Err(_) => break,
                },
            };
            if let Some(Event::Drained(more)) = event {
                counts.add(more);
                running -= 1;
            }
        }
        counts
    }
}

/// The beginning or the end of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WindowEdge {
    Open,
    Close,
}

/// Length, number and order of the slices.
struct Rounds {
    slice: Duration,
    /// Minimum lead-in.
    lead_in: Duration,
    /// Upper limit of the random time added to each lead-in.
    round_trip: Duration,
    /// Number of slices per contender.
    planned: usize,
    rng: fastrand::Rng,
}

impl Rounds {
    fn new(spec: &LoadSpec, (length, seed): (SliceLength, u64), round_trip: Duration) -> Self {
        let slice = match length {
            SliceLength::Fixed(length) => length,
            SliceLength::Auto => {
                let longest = spec.window / SliceLength::MIN_SLICES;
                SliceLength::MIN_AUTO.max(round_trip * ROUND_TRIPS).min(longest)
            }
        };
        let planned = (spec.window.as_secs_f64() / slice.as_secs_f64()).round();
        // Between 1 and about 10^9: the duration is at most one year.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let planned = planned as usize;
        Rounds {
            slice,
            lead_in: SHORTEST_LEAD_IN.max((round_trip * LEAD_IN_ROUND_TRIPS).min(slice)),
            round_trip,
            planned,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    fn run(
        &mut self,
        contenders: &mut [ContenderState<'_>],
        stop: &CancelToken,
        observer: &mut dyn SliceObserver,
    ) {
        let planned = self.planned * contenders.len();
        for round in (1..).take(self.planned) {
            let mut pending: Vec<usize> = (0..contenders.len()).collect();
            for attempt in 0..ATTEMPTS_PER_ROUND {
                let is_repeat = attempt > 0;
                pending.retain(|index| {
                    let contender = &contenders[*index];
                    !contender.gone && (!is_repeat || contender.repeated < self.planned)
                });
                self.rng.shuffle(&mut pending);
                pending.retain(|index| {
                    let contender = &mut contenders[*index];
                    contender.repeated += usize::from(is_repeat);
                    !stop.is_set() && self.measure(contender, round, stop, observer)
                });
                observer.progress(contenders.iter().map(|contender| contender.kept).sum(), planned);
            }
            if stop.is_set() || contenders.iter().all(|contender| contender.gone) {
                return;
            }
        }
    }

    /// Measures one slice; `true`: the slice is left out and must be measured again.
    fn measure(
        &mut self,
        contender: &mut ContenderState<'_>,
        round: u32,
        stop: &CancelToken,
        observer: &mut dyn SliceObserver,
    ) -> bool {
        let index = contender.index;
        let began = Instant::now();
        let window = Window::after(began, self.lead_in(), self.slice);
        let counts = contender.run_window(window, stop, &mut |edge| match edge {
            WindowEdge::Open => observer.opened(index),
            WindowEdge::Close => observer.closed(index),
        });
        let WindowCounts { messages, completed, timeouts, gave_up } = counts;
        let slice = Slice {
            contender: index,
            round,
            window,
            began,
            drained: Instant::now(),
            messages,
            completed,
            gave_up,
        };
        // A slice that was stopped early does not count.
        let decision =
            if stop.is_set() { SliceDecision::LeaveOut } else { observer.drained(&slice) };
        let is_unanswered = messages == 0 && timeouts > 0;
        contender.unanswered = if is_unanswered { contender.unanswered + 1 } else { 0 };
        contender.gone |=
            decision == SliceDecision::Gone || contender.unanswered >= UNRESPONSIVE_SLICES;
        contender.keep_last = decision == SliceDecision::Keep;
        contender.kept += usize::from(contender.keep_last);
        decision == SliceDecision::LeaveOut
    }

    /// Returns a lead-in that is long enough for a steady load, plus a random part of a round trip.
    ///
    /// A server that takes exactly 1 ms per message answers at the same points of every slice, so
    /// the number of messages in a window would always be rounded in the same direction. With
    /// random offsets, its mean is the window divided by the time per message.
    fn lead_in(&mut self) -> Duration {
        self.lead_in + self.round_trip.min(self.slice).mul_f64(self.rng.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(window: Duration, slice: SliceLength, round_trip: Duration) -> Rounds {
        let spec = LoadSpec { window, ..crate::load::schedule::tests::spec(24, None) };
        Rounds::new(&spec, (slice, 1), round_trip)
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn slices_are_20_ms_or_25_round_trips_but_at_least_five() {
        let second = Duration::from_secs(1);
        let auto = rounds(second, SliceLength::Auto, MS / 2);
        assert_eq!((auto.slice, auto.lead_in, auto.planned), (20 * MS, 8 * MS, 50));
        let slow = rounds(second, SliceLength::Auto, 4 * MS);
        assert_eq!((slow.slice, slow.lead_in, slow.planned), (100 * MS, 16 * MS, 10));
        let slower = rounds(second, SliceLength::Auto, 40 * MS);
        assert_eq!((slower.slice, slower.lead_in, slower.planned), (200 * MS, 160 * MS, 5));
        let slowest = rounds(second, SliceLength::Auto, 10 * second);
        assert_eq!((slowest.slice, slowest.lead_in), (200 * MS, 200 * MS));
        let fixed = rounds(second, SliceLength::Fixed(50 * MS), 4 * MS);
        assert_eq!((fixed.slice, fixed.planned), (50 * MS, 20));
    }

    #[test]
    fn lead_ins_are_spread_over_one_round_trip() {
        let mut rounds = rounds(Duration::from_secs(1), SliceLength::Auto, 4 * MS);
        let lead_ins: Vec<_> = (0..1000).map(|_| rounds.lead_in()).collect();
        let (shortest, longest) = (lead_ins.iter().min().unwrap(), lead_ins.iter().max().unwrap());
        assert!((16 * MS..17 * MS).contains(shortest), "{shortest:?}");
        assert!((19 * MS..20 * MS).contains(longest), "{longest:?}");
    }
}
