//! Scalability: fits of the Universal Scalability Law, and closed-loop bounds.

use anyhow::Result;

use super::ReportInput;
use super::common::{axis_name, draw, line_chart, measured_line, styles, x_axis, y_axis};
use crate::analysis::{Axis, ClosedLoopBounds, Curve, Usl, UslError, fit_usl};
use crate::report::chart::{ChartInfo, DataPoint, Line, Scale, SeriesStyle, Stroke, is_crowded};
use crate::report::numbers::{UNKNOWN, grouped, grouped_or_unknown};
use crate::report::page::{Block, Figure, Section, Table};
use crate::report::prose::phrases::{and_list, inline_label, short_list};

/// The reason for curves without a fit whose R² is too low.
const POOR_FIT: &str = "R² must be at least 90 %";

/// Fitted curves are drawn up to this many times the last measured number of clients.
const FORECAST_FACTOR: f64 = 1.5;

pub fn section(input: &ReportInput<'_>) -> Result<Section> {
    let mut section = Section::new("scalability", "Scalability");
    if input.curves.is_empty() {
        section
            .add_paragraph("Scalability is analyzed for closed-loop trials, and there are none.");
        return Ok(section);
    }
    if input.axis != Axis::Clients {
        section.add_paragraph(format!(
            "Scalability is analyzed over the number of clients. In these rows, the {} varies.",
            match input.axis {
                Axis::Workers => "number of workers",
                axis => axis_name(axis),
            }
        ));
        return Ok(section);
    }
    let models: Vec<_> = input.curves.iter().map(CurveModels::of).collect();
    section.add_paragraph(
        "The Universal Scalability Law (Gunther) models a curve by the throughput that each client \
         adds, the share of work that clients do one after the other (contention, sigma), and the \
         cost that they cause each other (coherence, kappa). The closed-loop law is an upper \
         bound: N clients with a round-trip time of R and a think time of Z reach at most \
         N / (R + Z) messages/s, and a server that needs a time of D per message reaches at most \
         1 / D.",
    );
    section.blocks.push(Block::Figure(figure(input, &models)?));
    let unfit = unfit(&models);
    if !unfit.is_empty() {
        section.blocks.push(Block::List(unfit));
    }
    Ok(section)
}

/// A curve with its fit and its bounds.
struct CurveModels<'a> {
    curve: &'a Curve,
    fit: Result<Usl, UslError>,
    bounds: Option<ClosedLoopBounds>,
}

impl<'a> CurveModels<'a> {
    fn of(curve: &'a Curve) -> Self {
        CurveModels { curve, fit: fit_usl(curve), bounds: ClosedLoopBounds::of(curve) }
    }

    /// The lines up to `to` clients: the bound if `with_bounds`, the fit, and the measured points.
    fn lines(&self, style: SeriesStyle, scale: &Scale, to: f64, with_bounds: bool) -> Vec<Line> {
        let first = self.curve.points.first().map_or(1.0, |point| point.x);
        let along = |y: &dyn Fn(f64) -> f64, stroke| Line {
            label: None,
            style,
            stroke: Some(stroke),
            points: scale.samples(first, to).into_iter().map(|x| DataPoint::new(x, y(x))).collect(),
        };
        let bounds = self.bounds.as_ref().filter(|_| with_bounds);
        let bound = bounds.map(|bounds| along(&|x| bounds.bound_at(x), Stroke::Thin));
        let fit = self.fit.as_ref().ok().map(|fit| along(&|x| fit.at(x), Stroke::Dashed));
        let shape = Some(style.shape());
        let points = self
            .curve
            .points
            .iter()
            .map(|point| DataPoint { shape, ..DataPoint::new(point.x, point.throughput.mean) });
        let label = &self.curve.label;
        let measured = Line { stroke: None, ..measured_line(style, label, points.collect()) };
        bound.into_iter().chain(fit).chain([measured]).collect()
    }

    fn cells(&self) -> [String; 9] {
        let fit = self.fit.as_ref().ok();
        let peak = fit.and_then(|fit| fit.peak);
        let percent = |share: f64| format!("{:.2} %", share * 100.0);
        let bounds = self.bounds.as_ref();
        let intervals = fit.and_then(|fit| fit.peak_intervals);
        let with_interval = |value: f64, index: usize| {
            let interval = intervals.map(|both| between(both[index], |value| grouped(value, 0)));
            format!("{}{}", grouped(value, 0), interval.unwrap_or_default())
        };
        [
            self.curve.label.clone(),
            peak.map_or_else(
                || grouped_or_unknown(fit.and_then(|fit| fit.asymptote_per_s), 0),
                |(_, rate)| with_interval(rate, 1),
            ),
            peak.map_or_else(
                || if fit.is_some() { "no peak" } else { UNKNOWN }.to_owned(),
                |(clients, _)| with_interval(clients, 0),
            ),
            fit.map_or_else(|| UNKNOWN.to_owned(), |fit| percent(fit.sigma)),
            fit.map_or_else(
                || UNKNOWN.to_owned(),
                |fit| {
                    let kappa = |kappa| format!("{kappa:.5}");
                    kappa(fit.kappa) + &between(fit.kappa_interval, kappa)
                },
            ),
            fit.map_or_else(|| UNKNOWN.to_owned(), |fit| format!("{:.3}", fit.r_squared)),
            grouped_or_unknown(bounds.map(|bounds| bounds.rtt_us), 1),
            grouped_or_unknown(bounds.map(|bounds| 1e6 / bounds.demand_us), 0),
            grouped_or_unknown(bounds.map(ClosedLoopBounds::knee), 1),
        ]
    }
}

/// An interval, for use after its value.
fn between((low, high): (f64, f64), format: impl Fn(f64) -> String) -> String {
    format!(" ({} to {})", format(low), format(high))
}

/// The curves without a fit; one line per reason.
fn unfit(models: &[CurveModels<'_>]) -> Vec<String> {
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for model in models {
        let Err(error) = &model.fit else { continue };
        let name = inline_label(&model.curve.label);
        let (reason, name) = match error {
            UslError::PoorFit(r_squared) => (POOR_FIT.to_owned(), {
                let percent = (r_squared.max(0.0) * 100.0).floor();
                format!("{name} (R² = {percent:.0} %)")
            }),
            error => (error.to_string(), name),
        };
        match reasons.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, names)) => names.push(name),
            None => reasons.push((reason, vec![name])),
        }
    }
    let line = |(reason, names): (String, Vec<String>)| {
        let is_all = names.len() == models.len() && names.len() > 1;
        let names =
            if is_all && reason != POOR_FIT { "any curve".to_owned() } else { short_list(&names) };
        format!("No fit for {names}: {reason}.")
    };
    reasons.into_iter().map(line).collect()
}

fn figure(input: &ReportInput<'_>, models: &[CurveModels<'_>]) -> Result<Figure> {
    let xs = input.curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.x));
    let to = xs.clone().fold(1.0, f64::max) * FORECAST_FACTOR;
    let x = x_axis(input.axis, xs.chain([to]));
    let with_bounds = !is_crowded(models.len());
    let each = styles(input.curves).into_iter().zip(models);
    let lines: Vec<_> =
        each.flat_map(|(style, model)| model.lines(style, &x.scale, to, with_bounds)).collect();
    let mut strokes = Vec::new();
    if models.iter().any(|model| model.fit.is_ok()) {
        strokes.push((Stroke::Dashed, "fitted curve (USL)"));
    }
    if with_bounds && models.iter().any(|model| model.bounds.is_some()) {
        strokes.push((Stroke::Thin, "closed-loop bound"));
    }
    let info = ChartInfo {
        id: "laws".to_owned(),
        title: "Measured points, fitted curves and bounds".to_owned(),
        desc: "Measured points, fitted curves extended beyond the last point, and closed-loop \
               bounds"
            .to_owned(),
    };
    let y = y_axis("throughput (messages/s)", &lines);
    draw(info, caption(models), table(models), line_chart(x, y, lines, strokes))
}

fn caption(models: &[CurveModels<'_>]) -> String {
    let fits = || {
        models
            .iter()
            .filter_map(|model| Some((inline_label(&model.curve.label), model.fit.as_ref().ok()?)))
    };
    let peaks = fits().filter_map(|(label, fit)| {
        let ((clients, rate), [of_clients, of_rate]) = fit.peak.zip(fit.peak_intervals)?;
        let number = |value| grouped(value, 0);
        Some(format!(
            "{label} peaks at {}{} clients with {}{} messages/s",
            number(clients),
            between(of_clients, number),
            number(rate),
            between(of_rate, number)
        ))
    });
    let rising = fits().filter(|(_, fit)| fit.peak.is_none()).map(|(label, fit)| {
        let limit =
            fit.asymptote_per_s.map(|rate| format!(" toward {} messages/s", grouped(rate, 0)));
        format!("{label} keeps rising{}", limit.unwrap_or_default())
    });
    let all: Vec<_> = peaks.chain(rising).collect();
    if all.is_empty() {
        return "The law fits no curve well enough to draw it. The table has the closed-loop \
                bounds."
            .to_owned();
    }
    format!(
        "According to the fitted curves, {}. Beyond the last measured point, the curves are a \
         forecast, which is never above the ceiling of the server's CPUs, 1 / D.",
        and_list(&all)
    )
}

fn table(models: &[CurveModels<'_>]) -> Table {
    let header = [
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
    let caption = "Fitted parameters with their 95 % intervals, and the closed-loop bound min(N / (R \
                   + Z), 1 / D). No peak is shown if the interval of kappa contains 0.";
    let mut table = Table::new(caption, &header);
    table.body.extend(models.iter().map(|model| model.cells().to_vec()));
    table
}
