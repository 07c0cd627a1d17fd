//! Contenders take turns: short slices of each, in rounds of random order.
//!
//! All servers run and all clients are connected from the beginning to the end. Only one
//! contender's clients send at any time; the threads of the others wait without using the CPU.
//!
//! ```text
//! slice:  order -> lead-in (not counted) -> window (counted) -> drain (not counted)
//! round:  one slice of every contender, in random order
//! ```
//!
//! Drift of the machine's speed and noisy neighbors then affect all contenders alike.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::CancelToken;
use super::coordination::{Drained, Event, Order};
use super::crew::{Crew, Role};
use crate::measure::{ClientTally, Distributions, Window};
use crate::spec::{Endpoint, LoadSpec, SliceLength};
use crate::systems::System;

/// A server to load.
#[derive(Clone, Copy)]
pub struct Loaded<'a> {
    /// Its system.
    pub system: &'static dyn System,
    /// Where it listens.
    pub endpoint: &'a Endpoint,
}

/// One slice that was measured.
#[derive(Debug, Clone, Copy)]
pub struct Slice {
    /// The index of the contender.
    pub contender: usize,
    /// The number of the round, from 1.
    pub round: u32,
    /// The counted time.
    pub window: Window,
    /// When the clients were told to begin.
    pub began: Instant,
    /// When no request was outstanding any more.
    pub drained: Instant,
    /// Echoes counted in the window.
    pub messages: u64,
    /// All echoes of the slice, its lead-in and drain included.
    pub completed: u64,
    /// Whether a client could not reach its server again.
    pub gave_up: bool,
}

/// What becomes of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SliceDecision {
    /// It counts.
    Keep,
    /// It does not count, and is measured again.
    LeaveOut,
    /// The contender's server is gone.
    Gone,
}

/// Looks at the processes while contenders take turns, and decides which slices count. All
/// methods are called by the coordinator's thread.
pub trait SliceObserver {
    /// All contenders are warm, and none is loaded. `slice` is the length of every slice.
    fn begin(&mut self, slice: Duration);
    /// The window of this contender has opened.
    fn opened(&mut self, contender: usize);
    /// The window of this contender has closed.
    fn closed(&mut self, contender: usize);
    /// The slice has ended, and no contender is loaded.
    fn drained(&mut self, slice: &Slice) -> SliceDecision;
    /// The last slice has ended, and all clients are still connected: threads of a server may end
    /// with their connections.
    fn ended(&mut self);
    /// `kept` of `planned` slices have been measured so far, summed over the contenders.
    fn progress(&mut self, kept: usize, planned: usize);
}

/// What the clients of one contender counted.
#[derive(Debug)]
pub struct SlicedOutcome {
    /// One per client, in their order.
    pub tallies: Vec<ClientTally>,
    /// The distributions of all of them.
    pub distributions: Distributions,
    /// Whether the contender was given up because its server did not answer.
    pub silent: bool,
}

/// The lead-in of the shortest automatic slice.
const SHORTEST_LEAD_IN: Duration = Duration::from_millis(8);

/// A slice has this many round trips at least, and its lead-in this many.
const ROUND_TRIPS: u32 = 25;
const LEAD_IN_ROUND_TRIPS: u32 = 4;

/// A disturbed slice is measured again in its round, up to this many times in all.
const ATTEMPTS_PER_ROUND: usize = 3;

/// A contender whose clients time out in this many slices in a row is given up.
const SILENT_SLICES: usize = 3;

/// Runs all contenders in slices, until each has its share of counted time or `stop` is set.
///
/// # Errors
///
/// Where a client cannot be started, or its first echo fails: with the index of its contender.
/// What fails later is counted.
pub fn run<'env>(
    contenders: &[Loaded<'env>],
    spec: &'env LoadSpec,
    (length, seed): (SliceLength, u64),
    stop: &'env CancelToken,
    observer: &mut dyn SliceObserver,
) -> Result<Vec<SlicedOutcome>, (usize, anyhow::Error)> {
    std::thread::scope(|scope| {
        let start = |(index, loaded): (usize, &Loaded<'env>)| {
            let Loaded { system, endpoint } = *loaded;
            let role = Role { system, to: endpoint, spec, stop, sliced: true };
            let crew = Crew::start(scope, role, None).and_then(|crew| {
                crew.wait_until_ready()?;
                Ok(crew)
            });
            crew.map(|crew| ContenderState::new(index, crew)).map_err(|error| (index, error))
        };
        let crews = contenders.iter().enumerate().map(start);
        let mut turns = crews.collect::<Result<Vec<_>, _>>().inspect_err(|_| stop.set())?;
        let round_trips = turns.iter_mut().filter_map(|turn| turn.warm_up(spec, stop));
        let round_trip = round_trips.max().unwrap_or_default();
        let mut schedule = Rounds::new(spec, (length, seed), round_trip);
        observer.begin(schedule.slice);
        schedule.run(&mut turns, stop, observer);
        observer.ended();
        let outcomes = turns.into_iter().map(|turn| {
            let silent = turn.silent >= SILENT_SLICES;
            let (tallies, distributions) = turn.crew.end(turn.keep_last);
            SlicedOutcome { tallies, distributions, silent }
        });
        Ok(outcomes.collect())
    })
}

/// One contender's clients, and how far they are.
struct ContenderState<'env> {
    index: usize,
    crew: Crew<'env>,
    /// Whether the last slice counts.
    keep_last: bool,
    kept: usize,
    repeated: usize,
    silent: usize,
    gone: bool,
}

impl<'env> ContenderState<'env> {
    fn new(index: usize, crew: Crew<'env>) -> Self {
        ContenderState {
            index,
            crew,
            keep_last: false,
            kept: 0,
            repeated: 0,
            silent: 0,
            gone: false,
        }
    }

    /// Runs the clients for the warm-up, and returns their mean round trip, pauses included; `None`
    /// of a server that did not answer.
    fn warm_up(&mut self, spec: &LoadSpec, stop: &CancelToken) -> Option<Duration> {
        let window =
            Window::after(Instant::now(), Duration::ZERO, spec.warmup.max(SliceLength::SHORTEST));
        let drained = self.run_window(window, stop, &mut |_| ());
        self.gone |= drained.gave_up;
        let per_client = window.length() * u32::try_from(spec.clients.get()).unwrap_or(u32::MAX);
        (drained.messages > 0).then(|| per_client.div_f64(drained.messages as f64))
    }

    /// Orders one window, and waits until it is drained. Calls `at` at both ends of the window.
    fn run_window(
        &mut self,
        window: Window,
        stop: &CancelToken,
        at: &mut dyn FnMut(End),
    ) -> Drained {
        let mut drained = Drained::default();
        self.crew.order(Order::Run { window, keep_last: self.keep_last });
        let mut running = self.crew.players();
        let mut ends =
            [(window.open, End::Open), (window.close, End::Close)].into_iter().peekable();
        while running > 0 || ends.peek().is_some() {
            if let Some((moment, end)) = ends.peek().copied()
                && (Instant::now() >= moment || stop.is_set())
            {
                at(end);
                ends.next();
                continue;
            }
            let event = match ends.peek() {
                Some((moment, _)) => self.crew.events().recv_deadline(*moment).ok(),
                None => match self.crew.events().recv() {
                    Ok(event) => Some(event),
                    Err(_) => break,
                },
            };
            if let Some(Event::Drained(more)) = event {
                drained.add(more);
                running -= 1;
            }
        }
        drained
    }
}

/// An end of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Close,
}

/// The order of the slices.
struct Rounds {
    slice: Duration,
    lead_in: Duration,
    /// The lead-in is longer by a random part of this.
    round_trip: Duration,
    planned: usize,
    random: fastrand::Rng,
}

impl Rounds {
    fn new(spec: &LoadSpec, (length, seed): (SliceLength, u64), round_trip: Duration) -> Self {
        let slice = match length {
            SliceLength::Fixed(length) => length,
            SliceLength::Auto => {
                let longest = spec.window / SliceLength::FEWEST;
                SliceLength::SHORTEST.max(round_trip * ROUND_TRIPS).min(longest)
            }
        };
        let planned = (spec.window.as_secs_f64() / slice.as_secs_f64()).round();
        // From 1 to some 10^9: the duration is a year at most.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let planned = planned as usize;
        Rounds {
            slice,
            lead_in: SHORTEST_LEAD_IN.max((round_trip * LEAD_IN_ROUND_TRIPS).min(slice)),
            round_trip,
            planned,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    fn run(
        &mut self,
        turns: &mut [ContenderState<'_>],
        stop: &CancelToken,
        observer: &mut dyn SliceObserver,
    ) {
        let planned = self.planned * turns.len();
        for round in (1..).take(self.planned) {
            let mut pending: Vec<usize> = (0..turns.len()).collect();
            for attempt in 0..ATTEMPTS_PER_ROUND {
                let again = attempt > 0;
                pending.retain(|index| {
                    let turn = &turns[*index];
                    !turn.gone && (!again || turn.repeated < self.planned)
                });
                self.random.shuffle(&mut pending);
                pending.retain(|index| {
                    let turn = &mut turns[*index];
                    turn.repeated += usize::from(again);
                    !stop.is_set() && self.measure(turn, round, stop, observer)
                });
                observer.progress(turns.iter().map(|turn| turn.kept).sum(), planned);
            }
            if stop.is_set() || turns.iter().all(|turn| turn.gone) {
                return;
            }
        }
    }

    /// Measures one slice; `true`: it is left out and to be measured again.
    fn measure(
        &mut self,
        turn: &mut ContenderState<'_>,
        round: u32,
        stop: &CancelToken,
        observer: &mut dyn SliceObserver,
    ) -> bool {
        let contender = turn.index;
        let began = Instant::now();
        let window = Window::after(began, self.lead_in(), self.slice);
        let drained = turn.run_window(window, stop, &mut |end| match end {
            End::Open => observer.opened(contender),
            End::Close => observer.closed(contender),
        });
        let Drained { messages, completed, timeouts, gave_up } = drained;
        let slice = Slice {
            contender,
            round,
            window,
            began,
            drained: Instant::now(),
            messages,
            completed,
            gave_up,
        };
        // A slice that was cut short does not count.
        let fate = if stop.is_set() { SliceDecision::LeaveOut } else { observer.drained(&slice) };
        turn.silent = if messages == 0 && timeouts > 0 { turn.silent + 1 } else { 0 };
        turn.gone |= fate == SliceDecision::Gone || turn.silent >= SILENT_SLICES;
        turn.keep_last = fate == SliceDecision::Keep;
        turn.kept += usize::from(turn.keep_last);
        fate == SliceDecision::LeaveOut
    }

    /// Long enough for the load to be steady, and longer by a random part of a round trip.
    ///
    /// A server that takes exactly 1 ms per message answers at the same points of every slice, and
    /// the number of messages in a window would always be rounded the same way. At random points,
    /// it is the window over the time per message on average.
    fn lead_in(&mut self) -> Duration {
        self.lead_in + self.round_trip.min(self.slice).mul_f64(self.random.f64())
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
