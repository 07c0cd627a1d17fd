//! How the lines and marks of a series look, so that they are told apart.

use plotters::style::RGBColor;

use super::canvas::Stroke;
use super::colours::SERIES;
use super::marker::Shape;

/// How a series looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    colour: usize,
    variant: usize,
    filled: bool,
}

impl Look {
    /// That of the series with this number: once there are more than colours, by other strokes.
    /// The marks of neighbours differ, for who sees no colours.
    pub fn nth(series: usize) -> Self {
        Look { colour: series, variant: series / SERIES.len(), filled: series.is_multiple_of(2) }
    }

    /// Those of series that belong to these groups, one for each: where there are more than
    /// colours, the ones of a group have its colour, if they are few enough to be told apart by
    /// their strokes.
    pub fn of(groups: &[&str]) -> Vec<Look> {
        const STROKES: usize = 3;
        let mut names: Vec<&str> = Vec::new();
        let mut counts: Vec<usize> = Vec::new();
        let mut looks = Vec::new();
        for group in groups {
            let colour = names.iter().position(|name| name == group).unwrap_or_else(|| {
                names.push(group);
                counts.push(0);
                names.len() - 1
            });
            let variant = counts[colour];
            looks.push(Look { colour, variant, filled: variant.is_multiple_of(2) });
            counts[colour] += 1;
        }
        let by_group = names.len() <= SERIES.len() && counts.iter().all(|count| *count <= STROKES);
        if is_crowded(groups.len()) && by_group {
            looks
        } else {
            (0..groups.len()).map(Look::nth).collect()
        }
    }

    pub fn colour(self) -> RGBColor {
        SERIES[self.colour % SERIES.len()].light
    }

    pub fn is_filled(self) -> bool {
        self.filled
    }

    /// How its lines are drawn, where the stroke tells nothing else.
    pub fn stroke(self) -> Stroke {
        const STROKES: [Stroke; 4] = [Stroke::Solid, Stroke::Long, Stroke::Dotted, Stroke::Dashed];
        STROKES[self.variant % STROKES.len()]
    }

    /// Its mark, where shapes tell series apart and nothing else.
    pub fn shape(self) -> Shape {
        Shape::ALL[(self.colour + self.variant) % Shape::ALL.len()]
    }
}

/// Whether there are more series than colours: then a picture of them leaves out what a table
/// says better.
pub fn is_crowded(series: usize) -> bool {
    series > SERIES.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_a_few_has_a_colour() {
        let looks = Look::of(&["a", "a", "b"]);
        assert_eq!(looks, [0, 1, 2].map(Look::nth));
        assert!(looks.iter().all(|look| look.stroke() == Stroke::Solid));
    }

    #[test]
    fn of_many_those_of_a_group_have_its_colour() {
        let looks = Look::of(&["a", "a", "b", "b", "c", "c", "d", "d"]);
        assert_eq!((looks[2].colour(), looks[2].stroke()), (looks[3].colour(), Stroke::Solid));
        assert_eq!(looks[3].stroke(), Stroke::Long);
        let alone = Look::of(&["a"; 9]);
        assert_eq!((alone[8].colour(), alone[8].stroke()), (alone[1].colour(), Stroke::Long));
    }
}
