//! The quantities that claims name, computed from the rows of a measurement.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use echometer::analysis::{
    self, Axis, Comparison, Cost, Crossover, Curve, Point, RatioAt, RoleCost, rounds_by_row,
};
use echometer::results::{self, SliceRow};
use echometer::systems::BASELINE;

/// The rows of a directory, and what the report computes from them.
pub struct Measurement {
    curves: Vec<Curve>,
    comparisons: Vec<Comparison>,
    crossovers: Vec<Crossover>,
    costs: Vec<Cost>,
    slices: Vec<SliceRow>,
}

/// What the rows say about a quantity.
pub struct Value {
    pub number: f64,
    /// The 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// The ends, if the quantity is a range.
    pub range: Option<(f64, f64)>,
    pub verdict: Verdict,
}

/// What the text must say besides the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: the ratio differs from 1, or the quantity is not a ratio.
    None,
    /// There is no significant difference.
    Tie,
    /// A point does not rank servers.
    NotRanked,
}

impl Value {
    fn of(number: f64) -> Self {
        Value { number, interval: None, range: None, verdict: Verdict::None }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.number)?;
        if let Some((low, high)) = self.interval {
            write!(f, " ± {:.3} ({low:.3} to {high:.3})", (high - low) / 2.0)?;
        }
        if let Some((low, high)) = self.range {
            write!(f, ", range {low} to {high}")?;
        }
        match self.verdict {
            Verdict::None => Ok(()),
            Verdict::Tie => write!(f, ", a tie"),
            Verdict::NotRanked => write!(f, ", not ranked"),
        }
    }
}

impl Measurement {
    /// Reads the rows of a directory as `echometer report` does.
    pub fn read(directory: &Path) -> Self {
        let rows = results::read_rows(&directory.join("results.csv")).unwrap();
        let slices = results::read_slices(&directory.join(SliceRow::FILE_NAME)).unwrap();
        let threads = results::read_threads(&directory.join("threads.csv")).unwrap();
        let axis = Axis::of(&rows);
        let curves = analysis::sliced_curves(&rows, &rounds_by_row(&rows, &slices), axis);
        let claims = analysis::claims(&curves, axis);
        Measurement {
            crossovers: analysis::crossovers(&curves, axis, &claims),
            comparisons: claims.comparisons,
            costs: analysis::costs(&curves, axis, &threads, BASELINE.name()),
            curves,
            slices,
        }
    }

    /// Computes a quantity. CONTRIBUTING.md lists them.
    pub fn value(&self, quantity: &str) -> Result<Value, String> {
        let (kind, rest) = quantity.split_once(' ').unwrap_or((quantity, ""));
        let value = match kind {
            "ratio" => self.ratio(rest),
            "lead" => self.lead(rest),
            "bound" => self.bound(rest),
            "crossover" => self.crossover(rest),
            "throughput" => self.point(rest).map(|point| Value {
                interval: point.interval(),
                ..Value::of(point.throughput.mean)
            }),
            "period" => self
                .point(rest)
                .map(|point| Value::of(1e6 * point.clients as f64 / point.throughput.mean)),
            "cpu" if rest.contains(" thread ") => {
                self.role(rest).map(|role| Value::of(role.cpu_us))
            }
            "cpu" => self.point(rest).and_then(|point| point.server_cpu_us_per_msg).map(Value::of),
            "user" => self.role(rest).and_then(|role| role.user_us).map(Value::of),
            "system" => self.role(rest).and_then(|role| role.system_us).map(Value::of),
            "switches" => {
                self.point(rest).and_then(|point| point.server_switches_per_msg).map(Value::of)
            }
            "slices" if rest.is_empty() => Some(count(self.slices.iter())),
            "slices" => Some(count(self.slices.iter().filter(|slice| !slice.kept)))
                .filter(|_| rest == "disturbed"),
            _ => None,
        };
        value.ok_or_else(|| format!("unknown quantity '{quantity}', or no such rows"))
    }

    /// `LABEL at X`
    fn point(&self, text: &str) -> Option<&Point> {
        let (label, x) = text.rsplit_once(" at ")?;
        self.curves.iter().find(|curve| curve.label == label)?.at(axis_value(x)?)
    }

    /// `LABEL thread ROLE at X`; known at the peak of a curve.
    fn role(&self, text: &str) -> Option<&RoleCost> {
        let (thread, x) = text.rsplit_once(" at ")?;
        let (label, role) = thread.split_once(" thread ")?;
        let x = axis_value(x)?;
        let cost = self.costs.iter().find(|cost| cost.label == label && cost.x == x)?;
        cost.roles.iter().find(|cost| cost.role == role)
    }

    /// `A / B`
    fn pair(&self, text: &str) -> Option<Comparison> {
        let (a, b) = text.split_once('/')?;
        let (a, b) = (a.trim(), b.trim());
        self.comparisons.iter().find_map(|one| match (&*one.numerator, &*one.denominator) {
            labels if labels == (a, b) => Some(one.clone()),
            labels if labels == (b, a) => Some(one.reversed()),
            _ => None,
        })
    }

    /// `A / B at X` or `A / B overall`, and perhaps ` with disturbed slices`
    fn ratio(&self, text: &str) -> Option<Value> {
        let (text, disturbed) = match text.strip_suffix(" with disturbed slices") {
            Some(text) => (text, true),
            None => (text, false),
        };
        if let Some(pair) = text.strip_suffix(" overall") {
            let overall = self.pair(pair)?.overall?;
            if disturbed {
                return overall.with_disturbed.map(Value::of);
            }
            let verdict = verdict(overall.claim);
            let (number, interval) = (overall.estimate.value(), Some(overall.estimate.interval()));
            return Some(Value { number, interval, range: None, verdict });
        }
        let (pair, x) = text.rsplit_once(" at ")?;
        let (pair, x) = (self.pair(pair)?, axis_value(x)?);
        let at = pair.at.iter().find(|at| at.x == x)?;
        if disturbed { at.with_disturbed.map(Value::of) } else { Some(ratio_at(at)) }
    }

    /// The smallest value of the axis from which every larger one shows that `A` is faster.
    fn lead(&self, text: &str) -> Option<Value> {
        let mut at = self.pair(text)?.at;
        at.sort_by(|a, b| b.x.total_cmp(&a.x));
        let is_higher = |at: &&RatioAt| at.is_rankable && at.claim == analysis::Claim::Higher;
        at.iter().take_while(is_higher).last().map(|at| Value::of(at.x))
    }

    /// The range of the points in the ratio over the whole curve, and their number.
    fn bound(&self, text: &str) -> Option<Value> {
        let overall = self.pair(text)?.overall?;
        let range = Some((*overall.xs.first()?, *overall.xs.last()?));
        Some(Value { range, ..Value::of(overall.xs.len() as f64) })
    }

    /// `A / B`: where `A` overtakes `B`, and the points between which it does.
    fn crossover(&self, text: &str) -> Option<Value> {
        let (overtaking, overtaken) = text.split_once('/')?;
        let labels = (overtaken.trim(), overtaking.trim());
        let found = self.crossovers.iter().find(|one| (&*one.a, &*one.b) == labels)?;
        Some(Value { range: Some((found.from, found.to)), ..Value::of(found.at) })
    }
}

fn ratio_at(at: &RatioAt) -> Value {
    let verdict = if at.is_rankable { verdict(at.claim) } else { Verdict::NotRanked };
    Value { number: at.ratio, interval: at.interval(), range: None, verdict }
}

/// Without an interval, there is no claim to state; the quote then cannot have one either.
fn verdict(claim: analysis::Claim) -> Verdict {
    if claim == analysis::Claim::Tie { Verdict::Tie } else { Verdict::None }
}

fn count<T>(items: impl Iterator<Item = T>) -> Value {
    Value::of(items.count() as f64)
}

/// `24`, or a size such as `64 KiB`
fn axis_value(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let factor = match unit {
        "" | "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        _ => return None,
    };
    number.replace(',', "").parse::<f64>().ok().map(|number| number * factor)
}
