//! Charts with level bars, each a stack of parts.

use anyhow::{Result, bail};

use super::canvas::{About, Canvas, Side, Stroke, WIDTH, fitting, picture, rounded, width_of};
use super::colours::{FOREGROUND, SECONDARY_TEXT, SERIES};
use super::legend::{Legend, Sample};

/// The height of what belongs to one bar: its name, its parts, the bar, and a gap.
const EACH: i32 = 92;
/// Where the first begins, beneath the title.
const TOP: i32 = 48;
/// The width of a column of numbers beside the bars.
const COLUMN: i32 = 120;

/// A bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    pub label: String,
    /// What each part is called, and how long it is.
    pub parts: Vec<(String, f64)>,
    /// The whole, in words.
    pub total: String,
    /// What stands beside it, one for each column.
    pub beside: [String; 2],
}

/// A chart.
pub struct BarChart {
    pub about: About,
    /// What the bars measure.
    pub title: String,
    /// What the columns beside the bars are.
    pub columns: [&'static str; 2],
    pub bars: Vec<Bar>,
    /// A length to compare with, and what it is.
    pub baseline: Option<(f64, String)>,
    /// How the length of a part is written.
    pub written: fn(f64) -> String,
}

impl BarChart {
    /// Draws it as an SVG document.
    ///
    /// # Errors
    ///
    /// Where there is nothing to draw, or the drawing fails.
    pub fn draw(&self) -> Result<String> {
        if self.bars.is_empty() {
            bail!("there is nothing to draw");
        }
        let kinds = self.kinds();
        let mut legend = Legend::default();
        for (kind, tone) in kinds.iter().zip(SERIES.iter().cycle()) {
            legend.add(Sample::Patch(tone.light), kind);
        }
        if let Some((_, words)) = &self.baseline {
            legend.add(Sample::Line(Some(Stroke::Dashed), SECONDARY_TEXT.light, None), words);
        }
        let count = i32::try_from(self.bars.len()).unwrap_or(i32::MAX / EACH / 2);
        let bottom = TOP + EACH * count;
        picture(bottom + legend.height() + 8, &self.about, |canvas| {
            self.draw_titles(canvas)?;
            for (i, bar) in (0..).zip(&self.bars) {
                self.draw_bar(canvas, bar, &kinds, TOP + EACH * i)?;
            }
            self.draw_baseline(canvas, count)?;
            legend.draw(canvas, bottom)
        })
    }

    /// What parts there are, in the order in which they first appear.
    fn kinds(&self) -> Vec<&str> {
        let mut kinds = Vec::new();
        for (kind, _) in self.bars.iter().flat_map(|bar| &bar.parts) {
            if !kinds.contains(&kind.as_str()) {
                kinds.push(kind);
            }
        }
        kinds
    }

    /// The room for bars: the totals stand behind them, and the columns behind these.
    fn room(&self) -> i32 {
        let totals = self.bars.iter().map(|bar| width_of(&bar.total)).max().unwrap_or(0);
        (WIDTH - 2 * COLUMN - totals - 16).max(WIDTH / 4)
    }

    fn length(&self, value: f64) -> i32 {
        let whole = |bar: &Bar| bar.parts.iter().map(|(_, length)| length).sum::<f64>();
        let baseline = self.baseline.as_ref().map(|(length, _)| *length);
        let longest = self.bars.iter().map(whole).chain(baseline).fold(f64::MIN_POSITIVE, f64::max);
        rounded(value / longest * f64::from(self.room()))
    }

    fn draw_titles(&self, canvas: &Canvas<'_>) -> Result<()> {
        canvas.words(&self.title, (0, 16), Side::Right, SECONDARY_TEXT.light)?;
        for (title, x) in self.columns.iter().zip([WIDTH - COLUMN, WIDTH]) {
            canvas.words(title, (x, 16), Side::Left, SECONDARY_TEXT.light)?;
        }
        Ok(())
    }

    fn draw_bar(&self, canvas: &Canvas<'_>, bar: &Bar, kinds: &[&str], top: i32) -> Result<()> {
        let label = fitting(&bar.label, WIDTH);
        canvas.words(&label, (0, top + 12), Side::Right, FOREGROUND.light)?;
        let each = |(kind, length): &(String, f64)| format!("{kind} {}", (self.written)(*length));
        let parts = bar.parts.iter().map(each).collect::<Vec<_>>().join(" + ");
        let parts = fitting(&parts, WIDTH);
        canvas.words(&parts, (0, top + 36), Side::Right, SECONDARY_TEXT.light)?;
        let (upper, lower) = (top + 50, top + 74);
        let mut sum = 0.0;
        for (kind, length) in &bar.parts {
            let from = self.length(sum);
            sum += length;
            let to = self.length(sum);
            let series = kinds.iter().position(|other| other == kind).unwrap_or(0);
            // A gap keeps parts apart without their colours.
            let end = if to - from > 4 { to - 2 } else { to };
            let colour = SERIES[series % SERIES.len()].light;
            canvas.rectangle((from, upper), (end, lower), colour)?;
        }
        let middle = i32::midpoint(upper, lower);
        let behind = self.behind(bar, self.length(sum));
        canvas.words(&bar.total, (behind, middle), Side::Right, FOREGROUND.light)?;
        for (words, x) in bar.beside.iter().zip([WIDTH - COLUMN, WIDTH]) {
            canvas.words(words, (x, middle), Side::Left, FOREGROUND.light)?;
        }
        Ok(())
    }

    /// Where the total of a bar begins that ends there: behind the baseline, if that would go
    /// through it.
    fn behind(&self, bar: &Bar, end: i32) -> i32 {
        let from = end + 8;
        let baseline = self.baseline.as_ref().map(|(length, _)| self.length(*length));
        let words = from - 4..from + width_of(&bar.total) + 4;
        baseline.filter(|x| words.contains(x)).map_or(from, |x| x + 8)
    }

    fn draw_baseline(&self, canvas: &Canvas<'_>, count: i32) -> Result<()> {
        let Some((length, _)) = &self.baseline else { return Ok(()) };
        let x = self.length(*length);
        // Through the bars, and not through words.
        (0..count).try_for_each(|i| {
            let top = TOP + EACH * i;
            canvas.line(&[(x, top + 46), (x, top + 78)], Stroke::Dashed, FOREGROUND.light)
        })
    }
}
