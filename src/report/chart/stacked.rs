//! Charts of horizontal stacked bars.

use anyhow::{Result, bail};

use super::canvas::{
    Anchor, Canvas, ChartInfo, Stroke, WIDTH, draw_svg, text_width, to_pixels, truncated,
};
use super::colors::{FOREGROUND, SECONDARY_TEXT, SERIES};
use super::legend::{Legend, LegendKey};

/// The height of one bar with its label, the list of its segments and a gap, in pixels.
const ROW_HEIGHT: i32 = 92;
/// The space above the first bar, in pixels: the title.
const TOP_MARGIN: i32 = 48;
/// The width of a column of numbers to the right of the bars, in pixels.
const COLUMN_WIDTH: i32 = 120;

/// A stacked bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    pub label: String,
    /// The name and the length of each segment.
    pub segments: Vec<(String, f64)>,
    /// The total, as text.
    pub total: String,
    /// One number per column, as text.
    pub cells: [String; 2],
}

/// A chart of stacked bars.
pub struct BarChart {
    pub info: ChartInfo,
    /// The quantity that the bars show, and its unit.
    pub title: String,
    /// The titles of the columns to the right of the bars.
    pub columns: [&'static str; 2],
    pub bars: Vec<Bar>,
    /// A length to compare with, and its legend entry.
    pub baseline: Option<(f64, String)>,
    /// The format of the length of a segment.
    pub format: fn(f64) -> String,
}

impl BarChart {
    /// Draws the chart as an SVG document.
    ///
    /// # Errors
    ///
    /// Returns an error if there are no bars or if drawing fails.
    pub fn draw(&self) -> Result<String> {
        if self.bars.is_empty() {
            bail!("cannot draw the figure '{}': it has no bars", self.info.title);
        }
        let names = self.segment_names();
        let mut legend = Legend::default();
        for (name, color) in names.iter().zip(SERIES.iter().cycle()) {
            legend.add(LegendKey::Patch(color.light), name);
        }
        if let Some((_, label)) = &self.baseline {
            legend.add(LegendKey::Line(Some(Stroke::Dashed), SECONDARY_TEXT.light, None), label);
        }
        let count = i32::try_from(self.bars.len()).unwrap_or(i32::MAX / ROW_HEIGHT / 2);
        let bottom = TOP_MARGIN + ROW_HEIGHT * count;
        draw_svg(bottom + legend.height() + 8, &self.info, |canvas| {
            self.draw_titles(canvas)?;
            for (i, bar) in (0..).zip(&self.bars) {
                self.draw_bar(canvas, bar, &names, TOP_MARGIN + ROW_HEIGHT * i)?;
            }
            self.draw_baseline(canvas, count)?;
            legend.draw(canvas, bottom)
        })
    }

    /// The distinct names of segments, in order of first appearance.
    fn segment_names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for (name, _) in self.bars.iter().flat_map(|bar| &bar.segments) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// The length of the longest bar, in pixels. It leaves space for the totals and the columns.
    fn max_bar_length(&self) -> i32 {
        let totals = self.bars.iter().map(|bar| text_width(&bar.total)).max().unwrap_or(0);
        (WIDTH - 2 * COLUMN_WIDTH - totals - 16).max(WIDTH / 4)
    }

    /// The pixels that a length takes.
    fn scaled(&self, value: f64) -> i32 {
        let total = |bar: &Bar| bar.segments.iter().map(|(_, length)| length).sum::<f64>();
        let baseline = self.baseline.as_ref().map(|(length, _)| *length);
        let longest = self.bars.iter().map(total).chain(baseline).fold(f64::MIN_POSITIVE, f64::max);
        to_pixels(value / longest * f64::from(self.max_bar_length()))
    }

    fn draw_titles(&self, canvas: &Canvas<'_>) -> Result<()> {
        canvas.text(&self.title, (0, 16), Anchor::Start, SECONDARY_TEXT.light)?;
        for (title, x) in self.columns.iter().zip([WIDTH - COLUMN_WIDTH, WIDTH]) {
            canvas.text(title, (x, 16), Anchor::End, SECONDARY_TEXT.light)?;
        }
        Ok(())
    }

    fn draw_bar(&self, canvas: &Canvas<'_>, bar: &Bar, names: &[&str], top: i32) -> Result<()> {
        let label = truncated(&bar.label, WIDTH);
        canvas.text(&label, (0, top + 12), Anchor::Start, FOREGROUND.light)?;
        let each = |(name, length): &(String, f64)| format!("{name} {}", (self.format)(*length));
        let segments = bar.segments.iter().map(each).collect::<Vec<_>>().join(" + ");
        let segments = truncated(&segments, WIDTH);
        canvas.text(&segments, (0, top + 36), Anchor::Start, SECONDARY_TEXT.light)?;
        let (upper, lower) = (top + 50, top + 74);
        let mut sum = 0.0;
        for (name, length) in &bar.segments {
            let from = self.scaled(sum);
            sum += length;
            let to = self.scaled(sum);
            let series = names.iter().position(|other| other == name).unwrap_or(0);
            // A gap separates segments for readers who cannot distinguish the colors.
            let end = if to - from > 4 { to - 2 } else { to };
            let color = SERIES[series % SERIES.len()].light;
            canvas.rectangle((from, upper), (end, lower), color)?;
        }
        let middle = i32::midpoint(upper, lower);
        let x = self.total_position(bar, self.scaled(sum));
        canvas.text(&bar.total, (x, middle), Anchor::Start, FOREGROUND.light)?;
        for (cell, x) in bar.cells.iter().zip([WIDTH - COLUMN_WIDTH, WIDTH]) {
            canvas.text(cell, (x, middle), Anchor::End, FOREGROUND.light)?;
        }
        Ok(())
    }

    /// Where the total of a bar that ends at `end` begins: to the right of the baseline if the
    /// baseline would go through the text.
    fn total_position(&self, bar: &Bar, end: i32) -> i32 {
        let from = end + 8;
        let baseline = self.baseline.as_ref().map(|(length, _)| self.scaled(*length));
        let text = from - 4..from + text_width(&bar.total) + 4;
        baseline.filter(|x| text.contains(x)).map_or(from, |x| x + 8)
    }

    fn draw_baseline(&self, canvas: &Canvas<'_>, count: i32) -> Result<()> {
        let Some((length, _)) = &self.baseline else { return Ok(()) };
        let x = self.scaled(*length);
        // One dash per bar, so that the line does not go through text.
        (0..count).try_for_each(|i| {
            let top = TOP_MARGIN + ROW_HEIGHT * i;
            canvas.line(&[(x, top + 46), (x, top + 78)], Stroke::Dashed, FOREGROUND.light)
        })
    }
}
