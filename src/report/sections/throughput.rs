//! Throughput over what varies.

use anyhow::Result;

use super::Given;
use super::common::{level_axis, looks, measured, name_of, upright_axis};
use crate::analysis::{Axis, Curve, Finding, Point, scalability};
use crate::report::chart::{
    About, Line, LineChart, Look, Ring, Rings, Scale, Shape, Spot, Stroke, is_crowded,
};
use crate::report::numbers::grouped;
use crate::report::page::{Block, Figure, Section};
use crate::report::prose::findings::place;
use crate::report::prose::phrases::{capital, named};
use crate::report::table;

/// The picture that is a file of its own too.
pub const MAIN: &str = "throughput";

pub fn section(given: &Given<'_>) -> Result<Section> {
    let axis = given.axis;
    let mut section = Section::new("throughput", "Throughput");
    if given.curves.is_empty() {
        section.say(
            "What a system carries at most is measured in a closed loop, which is bench without \
             --rate, and there are no rows of one.",
        );
        return Ok(section);
    }
    section.blocks.push(Block::Figure(in_messages(given)?));
    if axis == Axis::Payload {
        section.blocks.push(Block::Figure(in_bytes(given)?));
    }
    section.blocks.extend(table::matrices(given.comparisons, axis).into_iter().map(Block::Table));
    if !given.comparisons.is_empty() {
        let ratios = Block::Table(table::ratios(given.comparisons, axis));
        section.blocks.push(Block::Folded("All ratios as a table".to_owned(), vec![ratios]));
    }
    Ok(section)
}

fn in_messages(given: &Given<'_>) -> Result<Figure> {
    let &Given { axis, curves, .. } = given;
    let looks = looks(curves);
    let crowded = is_crowded(curves.len());
    let spot = |point: &Point| {
        let Point { x, throughput: rate, .. } = point;
        let ends = point.interval().filter(|_| !crowded);
        Spot { x: *x, y: rate.mean, ends, shape: Some(Shape::of(point)) }
    };
    let each = || looks.iter().zip(curves);
    let mut lines: Vec<_> = each()
        .map(|(look, curve)| measured(*look, &curve.label, curve.points.iter().map(spot).collect()))
        .collect();
    lines.extend(references(given, &looks));
    let places = || lines.iter().flat_map(|line| line.spots.iter().map(|spot| spot.x));
    let x = level_axis(axis, places());
    let y = upright_axis("throughput (messages/s)", &lines);
    let fits = each().filter(|_| !crowded).filter_map(|(look, curve)| fit(*look, curve, &x.scale));
    let fits: Vec<_> = fits.collect();
    let mut strokes = Vec::new();
    if !fits.is_empty() {
        strokes.push((Stroke::Dashed, "fitted curve (USL)"));
    }
    // Beneath what was measured.
    lines.splice(0..0, fits);
    let title = format!("Throughput over {}", name_of(axis));
    let about = About { id: MAIN.to_owned(), title, desc: peaks(given) };
    let rings = rings(given.findings);
    let chart =
        LineChart { about: About::default(), x, y, lines, strokes, shapes_tell: true, rings };
    draw(about, sentence(given), table::rates(curves, axis), chart)
}

/// Draws a chart and puts it into a figure.
pub fn draw(
    about: About,
    sentence: String,
    table: crate::report::page::Table,
    chart: LineChart,
) -> Result<Figure> {
    let (id, title) = (about.id.clone(), about.title.clone());
    let svg = LineChart { about, ..chart }.draw()?;
    Ok(Figure { id, title, svg, sentence, table })
}

fn in_bytes(given: &Given<'_>) -> Result<Figure> {
    let &Given { axis, curves, .. } = given;
    let spot = |point: &Point| {
        let shape = Some(Shape::of(point));
        Some(Spot { shape, ..Spot::new(point.x, point.mib_per_s?) })
    };
    let lines: Vec<_> = looks(curves)
        .into_iter()
        .zip(curves)
        .map(|(look, curve)| {
            measured(look, &curve.label, curve.points.iter().filter_map(spot).collect())
        })
        .collect();
    let about = About {
        id: "payload-rate".to_owned(),
        title: "The same in MiB/s".to_owned(),
        desc: "Requests and replies together, in MiB/s, over the size of the request".to_owned(),
    };
    let points = curves.iter().flat_map(|curve| curve.points.iter().map(move |p| (curve, p)));
    let known = points.filter_map(|(curve, point)| Some((curve, point, point.mib_per_s?)));
    let most = known.max_by(|a, b| a.2.total_cmp(&b.2));
    let sentence = most.map_or_else(String::new, |(curve, point, rate)| {
        format!(
            "The most is {} MiB/s, carried by {} {}; the texts of requests and of padded \
             replies are counted, and nothing around them.",
            grouped(rate, 0),
            named(&curve.label),
            place(axis, point.x)
        )
    });
    let x = level_axis(axis, lines.iter().flat_map(|line| line.spots.iter().map(|spot| spot.x)));
    let y = upright_axis("throughput (MiB/s)", &lines);
    let (strokes, rings) = (Vec::new(), Rings::default());
    let chart =
        LineChart { about: About::default(), x, y, lines, strokes, shapes_tell: true, rings };
    draw(about, sentence, table::rates(curves, axis), chart)
}

/// Around the places where one curve overtakes another.
fn rings(findings: &[Finding]) -> Rings {
    let ring = |finding: &Finding| match finding {
        Finding::Overtakes { crossover, .. } => Some(Ring {
            a: crossover.a.clone(),
            b: crossover.b.clone(),
            from: crossover.from,
            to: crossover.to,
        }),
        _ => None,
    };
    Rings(findings.iter().filter_map(ring).collect())
}

/// The lines of the other measurement: those of a system that is in both, in its colour.
fn references(given: &Given<'_>, looks: &[Look]) -> Vec<Line> {
    let shown = given.reference.iter().filter(|_| given.axis == Axis::Clients);
    let known = |curve: &Curve| given.curves.iter().position(|own| own.label == curve.label);
    (given.curves.len()..)
        .zip(shown)
        .map(|(next, curve)| Line {
            label: Some(format!("{} (reference)", curve.label)),
            look: known(curve).map_or_else(|| Look::nth(next), |at| looks[at]),
            stroke: Some(Stroke::Dotted),
            spots: curve.points.iter().map(|p| Spot::new(p.x, p.throughput.mean)).collect(),
        })
        .collect()
}

/// The curve that the points are explained by, if one does.
fn fit(look: Look, curve: &Curve, scale: &Scale) -> Option<Line> {
    let fit = scalability(curve).ok()?;
    let (first, last) = (curve.points.first()?.x, curve.points.last()?.x);
    let spots = scale.between(first, last).into_iter().map(|x| Spot::new(x, fit.at(x))).collect();
    Some(Line { label: None, look, stroke: Some(Stroke::Dashed), spots })
}

/// Each curve's highest point.
fn peaks(given: &Given<'_>) -> String {
    let each = given.curves.iter().filter_map(|curve| {
        let peak = curve.peak()?;
        let rate = grouped(peak.throughput.mean, 0);
        Some(format!(
            "{}: at most {rate} messages/s, {}",
            named(&curve.label),
            place(given.axis, peak.x)
        ))
    });
    each.collect::<Vec<_>>().join("; ")
}

/// What the picture shows, and what was left out of it.
fn sentence(given: &Given<'_>) -> String {
    let mut words = vec![match given.axis {
        Axis::Clients | Axis::Workers => highest(given),
        Axis::Work | Axis::Payload | Axis::Think => at_ends(given),
    }];
    let mut overtaking =
        given.findings.iter().filter(|finding| matches!(finding, Finding::Overtakes { .. }));
    match (overtaking.next(), overtaking.next()) {
        (Some(one), None) => words.push(format!("The ring marks where {one}")),
        (Some(_), Some(_)) => words.push(
            "Rings mark where one curve overtakes another; the verdict says which.".to_owned(),
        ),
        (None, _) => {}
    }
    if is_crowded(given.curves.len()) {
        words.push("With so many curves, the intervals are in the table.".to_owned());
    }
    words.join(" ")
}

/// The highest curve, how it goes on, and which comes next.
fn highest(given: &Given<'_>) -> String {
    /// A loss that is seen.
    const VISIBLE: f64 = 0.05;
    let axis = given.axis;
    let mut peaks: Vec<_> =
        given.curves.iter().filter_map(|curve| Some((curve, curve.peak()?))).collect();
    peaks.sort_by(|a, b| b.1.throughput.mean.total_cmp(&a.1.throughput.mean));
    let Some((highest, peak)) = peaks.first() else { return String::new() };
    let mut words = vec![format!(
        "The highest point is that of {}, {} messages/s {}",
        named(&highest.label),
        rate(peak),
        place(axis, peak.x)
    )];
    if let Some(last) = highest.points.last()
        && last.throughput.mean < peak.throughput.mean * (1.0 - VISIBLE)
    {
        // That it falls is claimed by the rule of all claims; what it has there is no claim.
        let how = if peak.is_above(last) {
            ", beyond which the curve falls to"
        } else {
            "; the curve ends with"
        };
        words.push(format!("{how} {} {}", rate(last), place(axis, last.x)));
    }
    if let Some((next, peak)) = peaks.get(1) {
        words.push(format!(
            "; the next curve, {}, reaches {} {}",
            named(&next.label),
            rate(peak),
            place(axis, peak.x)
        ));
    }
    if peak.is_bounded_by_clients() {
        words.push(
            ". At the highest point the clients were the bound, and the server could do more"
                .to_owned(),
        );
    }
    words.concat() + "."
}

/// Between what all curves lie at the one end of the axis, and at the other.
fn at_ends(given: &Given<'_>) -> String {
    let &Given { axis, curves, .. } = given;
    let places = || curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.x));
    let (first, last) =
        (places().fold(f64::INFINITY, f64::min), places().fold(f64::NEG_INFINITY, f64::max));
    let at = |x: f64| {
        let mut points: Vec<_> = curves.iter().filter_map(|c| Some((c, c.at(x)?))).collect();
        points.sort_by(|a, b| a.1.throughput.mean.total_cmp(&b.1.throughput.mean));
        let name = |curve: &Curve| named(&curve.label_at(axis, x));
        match &points[..] {
            [] => String::new(),
            [(curve, point)] => {
                format!("{} has {} messages/s {}", name(curve), rate(point), place(axis, x))
            }
            [(lowest, lower), .., (highest, upper)] => format!(
                "{} the curves lie between {} messages/s, of {}, and {}, of {}",
                place(axis, x),
                rate(lower),
                name(lowest),
                rate(upper),
                name(highest)
            ),
        }
    };
    let ends = if first < last { vec![at(first), at(last)] } else { vec![at(first)] };
    let ends = ends.join("; ");
    let is_name = curves.len() == 1;
    // A sentence begins with a capital; the name of a system is as it is.
    (if is_name { ends } else { capital(&ends) }) + "."
}

fn rate(point: &Point) -> String {
    grouped(point.throughput.mean, 0)
}
