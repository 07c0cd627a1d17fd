//! The style of a series: color, stroke and marker, so that series can be distinguished.

use plotters::style::RGBColor;

use super::canvas::Stroke;
use super::colors::SERIES;
use super::markers::Shape;

/// The style of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesStyle {
    color: usize,
    variant: usize,
    filled: bool,
}

impl SeriesStyle {
    /// The style of the series with this number. If there are more series than colors, strokes
    /// differ, too. Adjacent series have different markers, for readers who cannot distinguish
    /// the colors.
    pub fn nth(series: usize) -> Self {
        let variant = series / SERIES.len();
        SeriesStyle { color: series, variant, filled: series.is_multiple_of(2) }
    }

    /// The styles of series, given the group of each. If there are more series than colors, all
    /// series of a group share a color and differ by stroke, provided that no group has more
    /// series than there are strokes that are easy to distinguish.
    pub fn of(groups: &[&str]) -> Vec<SeriesStyle> {
        const MAX_STROKES: usize = 3;
        let mut names: Vec<&str> = Vec::new();
        let mut counts: Vec<usize> = Vec::new();
        let mut styles = Vec::new();
        for group in groups {
            let color = names.iter().position(|name| name == group).unwrap_or_else(|| {
                names.push(group);
                counts.push(0);
                names.len() - 1
            });
            let variant = counts[color];
            styles.push(SeriesStyle { color, variant, filled: variant.is_multiple_of(2) });
            counts[color] += 1;
        }
        let by_group =
            names.len() <= SERIES.len() && counts.iter().all(|count| *count <= MAX_STROKES);
        if is_crowded(groups.len()) && by_group {
            styles
        } else {
            (0..groups.len()).map(SeriesStyle::nth).collect()
        }
    }

    pub fn color(self) -> RGBColor {
        SERIES[self.color % SERIES.len()].light
    }

    /// Whether markers are filled.
    pub fn is_filled(self) -> bool {
        self.filled
    }

    /// The stroke, in charts whose strokes have no other meaning.
    pub fn stroke(self) -> Stroke {
        const STROKES: [Stroke; 4] =
            [Stroke::Solid, Stroke::LongDashed, Stroke::Dotted, Stroke::Dashed];
        STROKES[self.variant % STROKES.len()]
    }

    /// The marker, in charts whose markers do not show bounds.
    pub fn shape(self) -> Shape {
        Shape::ALL[(self.color + self.variant) % Shape::ALL.len()]
    }
}

/// Whether there are more series than colors. Charts then omit details that the table has.
pub fn is_crowded(series: usize) -> bool {
    series > SERIES.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_series_have_distinct_colors_and_solid_strokes() {
        let styles = SeriesStyle::of(&["a", "a", "b"]);
        assert_eq!(styles, [0, 1, 2].map(SeriesStyle::nth));
        assert!(styles.iter().all(|style| style.stroke() == Stroke::Solid));
    }

    #[test]
    fn many_series_share_the_color_of_their_group() {
        let styles = SeriesStyle::of(&["a", "a", "b", "b", "c", "c", "d", "d"]);
        assert_eq!((styles[2].color(), styles[2].stroke()), (styles[3].color(), Stroke::Solid));
        assert_eq!(styles[3].stroke(), Stroke::LongDashed);
        let one_group = SeriesStyle::of(&["a"; 9]);
        assert_eq!(
            (one_group[8].color(), one_group[8].stroke()),
            (one_group[1].color(), Stroke::LongDashed)
        );
    }
}
