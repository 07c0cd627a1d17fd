//! A directory of rows, read.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};

use crate::analysis::{self, Axis, Curve, Point};
use crate::results::{self, Provenance, Row, RunFile};
use crate::systems::SYSTEMS;

/// What a directory holds.
pub struct Measured {
    /// The rows.
    pub rows: Vec<Row>,
    /// The curves of those that are valid; at least one.
    pub curves: Vec<Curve>,
    /// What is known of how they were measured.
    pub provenance: Option<Provenance>,
}

impl Measured {
    /// Reads a directory.
    ///
    /// # Errors
    ///
    /// Where it has no rows, none that are valid, or some that are damaged.
    pub fn read(directory: &Path) -> Result<Self> {
        let source = directory.join("results.csv");
        let rows = results::read_rows(&source)?;
        let curves = curves(&rows);
        if curves.is_empty() {
            bail!("{} has no valid rows to report, of {}", source.display(), rows.len());
        }
        // What it tells is worth less than the rows.
        let provenance = RunFile::of(directory).read().unwrap_or_else(|error| {
            eprintln!("echometer: warning: {error:#}");
            None
        });
        Ok(Measured { rows, curves, provenance })
    }

    /// Which rows are in no mean, and why: a line each, with the number of all rows before them.
    pub fn left_out(&self) -> Vec<String> {
        let bad: Vec<_> = self.rows.iter().filter(|row| !row.valid).collect();
        if bad.is_empty() {
            return Vec::new();
        }
        let each = bad.iter().map(|row| {
            let reason = row.invalid_reason.as_deref().unwrap_or("no reason is given");
            format!(
                "left out: {}, {}, trial {}: {reason}",
                row.system,
                in_words(row.clients),
                row.trial
            )
        });
        let all = format!("left out of every mean: {} of {} trials", bad.len(), self.rows.len());
        [all].into_iter().chain(each).collect()
    }

    /// What the rows say of themselves that a reader should know, and how many of them do.
    pub fn notes(&self) -> Vec<String> {
        let mut counts = BTreeMap::<&str, usize>::new();
        for note in self.rows.iter().filter_map(|row| row.notes.as_deref()) {
            note.split("; ").for_each(|note| *counts.entry(note).or_default() += 1);
        }
        let all = self.rows.len();
        counts.into_iter().map(|(note, n)| format!("note, {n} of {all} trials: {note}")).collect()
    }

    /// The points by which no server is ranked, a line for each reason.
    pub fn not_ranked(&self) -> Vec<String> {
        let told = [
            self.where_it_applies(
                Point::is_bounded_by_clients,
                "the clients were the bound; give them more CPUs (--client-cpus), or machines of \
                 their own",
            ),
            self.where_it_applies(
                |point| point.disturbed > 0,
                "other processes used their CPUs; stop these, and measure again",
            ),
        ];
        told.into_iter().flatten().collect()
    }

    fn where_it_applies(&self, applies: fn(&Point) -> bool, why: &str) -> Option<String> {
        let points: Vec<_> = self.curves.iter().filter_map(|curve| at(curve, applies)).collect();
        (!points.is_empty()).then(|| format!("not ranked: {}, where {why}", points.join("; ")))
    }
}

/// The points of a curve to which something applies, in words.
fn at(curve: &Curve, applies: fn(&Point) -> bool) -> Option<String> {
    let points = curve.points.iter().filter(|point| applies(point));
    let clients: Vec<_> = points.map(|point| point.clients.to_string()).collect();
    let plural = if clients == ["1"] { "" } else { "s" };
    let clients = clients.join(", ");
    (!clients.is_empty()).then(|| format!("{} at {clients} client{plural}", curve.label))
}

/// So many clients.
pub fn in_words(clients: usize) -> String {
    if clients == 1 { "1 client".to_owned() } else { format!("{clients} clients") }
}

/// The curves, in the order of the registry.
pub fn curves(rows: &[Row]) -> Vec<Curve> {
    let mut curves = analysis::curves(rows, Axis::Clients);
    let place = |curve: &Curve| SYSTEMS.iter().position(|system| system.name() == curve.system);
    curves.sort_by_key(|curve| place(curve).unwrap_or(SYSTEMS.len()));
    curves
}
