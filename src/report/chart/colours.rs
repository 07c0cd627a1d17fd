//! The colours of charts, on white ground and on dark.

use plotters::style::RGBColor;

/// A colour for light ground, in which charts are drawn, and the one that takes its place on
/// dark ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tone {
    pub light: RGBColor,
    pub dark: RGBColor,
}

const fn tone(light: (u8, u8, u8), dark: (u8, u8, u8)) -> Tone {
    Tone { light: RGBColor(light.0, light.1, light.2), dark: RGBColor(dark.0, dark.1, dark.2) }
}

/// What charts are drawn on.
pub const BACKGROUND: Tone = tone((255, 255, 255), (21, 24, 29));
/// Words and numbers.
pub const FOREGROUND: Tone = tone((34, 38, 43), (231, 234, 238));
/// Words that explain, axes.
pub const SECONDARY_TEXT: Tone = tone((85, 91, 99), (168, 176, 186));
/// Lines of the grid.
pub const GRID: Tone = tone((222, 225, 229), (50, 55, 63));

/// The colours of series, told apart without seeing red or green (after Okabe and Ito, 2008).
pub const SERIES: [Tone; 7] = [
    tone((0, 114, 178), (86, 180, 233)),
    tone((213, 94, 0), (245, 145, 70)),
    tone((0, 130, 98), (40, 196, 150)),
    tone((150, 60, 140), (222, 140, 200)),
    tone((90, 90, 90), (190, 194, 200)),
    tone((176, 122, 0), (240, 205, 70)),
    tone((30, 40, 90), (150, 160, 250)),
];

impl Tone {
    /// All that charts use.
    pub fn all() -> impl Iterator<Item = Tone> {
        [BACKGROUND, FOREGROUND, SECONDARY_TEXT, GRID].into_iter().chain(SERIES)
    }

    /// Both as `#RRGGBB`, as they stand in a chart.
    pub fn hex(self) -> (String, String) {
        let hex = |RGBColor(r, g, b): RGBColor| format!("#{r:02X}{g:02X}{b:02X}");
        (hex(self.light), hex(self.dark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, as WCAG 2 defines it.
    fn luminance(RGBColor(r, g, b): RGBColor) -> f64 {
        let part = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b)
    }

    fn contrast(a: RGBColor, b: RGBColor) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn contrast_is_that_of_the_standard() {
        assert!((contrast(RGBColor(0, 0, 0), RGBColor(255, 255, 255)) - 21.0).abs() < 1e-9);
        // The grey that is said to just pass on white.
        assert!((contrast(RGBColor(118, 118, 118), BACKGROUND.light) - 4.54).abs() < 0.01);
    }

    #[test]
    fn words_and_lines_are_seen_on_both_grounds() {
        for (tones, least) in [(&[FOREGROUND, SECONDARY_TEXT][..], 4.5), (&SERIES[..], 3.0)] {
            for tone in tones {
                let (light, dark) =
                    (contrast(tone.light, BACKGROUND.light), contrast(tone.dark, BACKGROUND.dark));
                assert!(light >= least && dark >= least, "{tone:?}: {light:.2}, {dark:.2}");
            }
        }
    }

    #[test]
    fn each_colour_has_one_in_its_place() {
        let mut all: Vec<_> = Tone::all().map(|tone| tone.hex().0).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), Tone::all().count());
    }
}
