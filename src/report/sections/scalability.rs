//! Usl: how the curves go on, by two laws.

use anyhow::Result;

use super::Given;
use super::common::{level_axis, looks, measured, upright_axis};
use super::throughput::draw;
use crate::analysis::{Axis, ClosedLoop, Curve, Usl, UslError, scalability};
use crate::report::chart::{About, Line, LineChart, Look, Rings, Scale, Spot, Stroke, is_crowded};
use crate::report::numbers::{UNKNOWN, grouped, shown};
use crate::report::page::{Block, Figure, Section, Table};
use crate::report::prose::phrases::{limited, listed, named};

/// Why most curves have none.
const POOR: &str = "the law has to explain 90 % of the differences between points";

/// How far beyond the last point the curves are drawn.
const BEYOND: f64 = 1.5;

pub fn section(given: &Given<'_>) -> Result<Section> {
    let mut section = Section::new("scalability", "Usl");
    if given.curves.is_empty() {
        section.say("How throughput scales is told of closed loops, and none was measured.");
        return Ok(section);
    }
    if given.axis != Axis::Clients {
        section.say(format!(
            "How throughput scales is told over the number of clients; here it is the {} that \
             varies.",
            match given.axis {
                Axis::Workers => "number of workers",
                axis => super::common::name_of(axis),
            }
        ));
        return Ok(section);
    }
    let laws: Vec<_> = given.curves.iter().map(Laws::of).collect();
    section.say(
        "The Universal Usl Law (Gunther) explains a curve by what each client adds, by what \
         they wait for one after the other (contention, sigma), and by what they cost each other \
         (coherence, kappa). The law of closed loops bounds it from above: N clients with a round \
         trip of R and a pause of Z make N / (R + Z) messages/s at most, and a server that spends D \
         on each makes 1 / D.",
    );
    section.blocks.push(Block::Figure(figure(given, &laws)?));
    let unfit = unfit(&laws);
    if !unfit.is_empty() {
        section.blocks.push(Block::List(unfit));
    }
    Ok(section)
}

/// A curve, and what explains and bounds it.
struct Laws<'a> {
    curve: &'a Curve,
    fit: Result<Usl, UslError>,
    bound: Option<ClosedLoop>,
}

impl<'a> Laws<'a> {
    fn of(curve: &'a Curve) -> Self {
        Laws { curve, fit: scalability(curve), bound: ClosedLoop::of(curve) }
    }

    fn lines(&self, look: Look, scale: &Scale, to: f64, bounded: bool) -> Vec<Line> {
        let first = self.curve.points.first().map_or(1.0, |point| point.x);
        let along = |y: &dyn Fn(f64) -> f64, stroke| Line {
            label: None,
            look,
            stroke: Some(stroke),
            spots: scale.between(first, to).into_iter().map(|x| Spot::new(x, y(x))).collect(),
        };
        let bound = self.bound.as_ref().filter(|_| bounded);
        let bound = bound.map(|law| along(&|x| law.bound_at(x), Stroke::Thin));
        let fit = self.fit.as_ref().ok().map(|law| along(&|x| law.at(x), Stroke::Dashed));
        let shape = Some(look.shape());
        let spots = self
            .curve
            .points
            .iter()
            .map(|point| Spot { shape, ..Spot::new(point.x, point.throughput.mean) });
        let points = Line { stroke: None, ..measured(look, &self.curve.label, spots.collect()) };
        bound.into_iter().chain(fit).chain([points]).collect()
    }

    fn cells(&self) -> [String; 9] {
        let fit = self.fit.as_ref().ok();
        let peak = fit.and_then(|fit| fit.peak);
        let percent = |share: f64| format!("{:.2} %", share * 100.0);
        [
            self.curve.label.clone(),
            shown(peak.map(|(_, rate)| rate).or(fit.and_then(|fit| fit.asymptote_per_s)), 0),
            peak.map_or_else(
                || if fit.is_some() { "no peak" } else { UNKNOWN }.to_owned(),
                |(clients, _)| grouped(clients, 0),
            ),
            fit.map_or_else(|| UNKNOWN.to_owned(), |fit| percent(fit.sigma)),
            fit.map_or_else(|| UNKNOWN.to_owned(), |fit| format!("{:.5}", fit.kappa)),
            fit.map_or_else(|| UNKNOWN.to_owned(), |fit| format!("{:.3}", fit.r_squared)),
            shown(self.bound.as_ref().map(|law| law.rtt_us), 1),
            shown(self.bound.as_ref().map(|law| 1e6 / law.demand_us), 0),
            shown(self.bound.as_ref().map(ClosedLoop::knee), 1),
        ]
    }
}

/// Why there is no fit, a line for each reason.
fn unfit(laws: &[Laws<'_>]) -> Vec<String> {
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for law in laws {
        let Err(why) = &law.fit else { continue };
        let name = named(&law.curve.label);
        let (why, name) = match why {
            UslError::Poor(r_squared) => (POOR.to_owned(), {
                let percent = (r_squared.max(0.0) * 100.0).floor();
                format!("{name} with {percent:.0} %")
            }),
            why => (why.to_string(), name),
        };
        match reasons.iter_mut().find(|(other, _)| *other == why) {
            Some((_, names)) => names.push(name),
            None => reasons.push((why, vec![name])),
        }
    }
    let line = |(why, names): (String, Vec<String>)| {
        let names = if names.len() == laws.len() && names.len() > 1 && why != POOR {
            "any curve".to_owned()
        } else {
            limited(&names)
        };
        format!("No fit of {names}: {why}.")
    };
    reasons.into_iter().map(line).collect()
}

fn figure(given: &Given<'_>, laws: &[Laws<'_>]) -> Result<Figure> {
    let places = given.curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.x));
    let to = places.clone().fold(1.0, f64::max) * BEYOND;
    let x = level_axis(given.axis, places.chain([to]));
    let bounded = !is_crowded(laws.len());
    let each = looks(given.curves).into_iter().zip(laws);
    let lines: Vec<_> =
        each.flat_map(|(look, law)| law.lines(look, &x.scale, to, bounded)).collect();
    let mut strokes = Vec::new();
    if laws.iter().any(|law| law.fit.is_ok()) {
        strokes.push((Stroke::Dashed, "fitted curve (USL)"));
    }
    if bounded && laws.iter().any(|law| law.bound.is_some()) {
        strokes.push((Stroke::Thin, "bound of the closed loop"));
    }
    let about = About {
        id: "laws".to_owned(),
        title: "What was measured, fitted curves, and bounds".to_owned(),
        desc:
            "Points measured, the fitted curves drawn beyond the last of them, and the bounds that \
               no closed loop exceeds"
                .to_owned(),
    };
    let y = upright_axis("throughput (messages/s)", &lines);
    let rings = Rings::default();
    let chart =
        LineChart { about: About::default(), x, y, lines, strokes, shapes_tell: false, rings };
    draw(about, sentence(laws), table(laws), chart)
}

fn sentence(laws: &[Laws<'_>]) -> String {
    let fits =
        || laws.iter().filter_map(|law| Some((named(&law.curve.label), law.fit.as_ref().ok()?)));
    let peaks = fits().filter_map(|(label, fit)| {
        let (clients, rate) = fit.peak?;
        Some(format!("{label} peaks at {} clients with {}", grouped(clients, 0), grouped(rate, 0)))
    });
    let rising = fits().filter(|(_, fit)| fit.peak.is_none()).map(|(label, fit)| {
        let towards = fit.asymptote_per_s.map(|rate| format!(", towards {}", grouped(rate, 0)));
        format!("{label} keeps rising{}", towards.unwrap_or_default())
    });
    let told: Vec<_> = peaks.chain(rising).collect();
    if told.is_empty() {
        return "No curve is explained by the law well enough to be drawn; the table has what a \
                closed loop makes at most."
            .to_owned();
    }
    format!(
        "By the fitted curves, {}; beyond the last point measured this is a forecast, and no \
         measurement.",
        listed(&told)
    )
}

fn table(laws: &[Laws<'_>]) -> Table {
    let titles = [
        "system",
        "peak msg/s",
        "at clients",
        "contention (sigma)",
        "coherence (kappa)",
        "R²",
        "R (us)",
        "1 / D (msg/s)",
        "knee (clients)",
    ];
    let mut table = Table::new("The fits, and the bound min(N / (R + Z), 1 / D)", &titles);
    table.lines.extend(laws.iter().map(|law| law.cells().to_vec()));
    table
}
