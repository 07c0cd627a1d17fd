//! The colors of charts, for the light and the dark theme.

use plotters::style::RGBColor;

/// A color of the light theme, in which charts are drawn, and its replacement in the dark theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThemeColor {
    pub light: RGBColor,
    pub dark: RGBColor,
}

const fn color(light: (u8, u8, u8), dark: (u8, u8, u8)) -> ThemeColor {
    ThemeColor {
        light: RGBColor(light.0, light.1, light.2),
        dark: RGBColor(dark.0, dark.1, dark.2),
    }
}

pub const BACKGROUND: ThemeColor = color((255, 255, 255), (21, 24, 29));
/// Labels and numbers.
pub const FOREGROUND: ThemeColor = color((34, 38, 43), (231, 234, 238));
/// Titles, tick labels and axes.
pub const SECONDARY_TEXT: ThemeColor = color((85, 91, 99), (168, 176, 186));
/// Grid lines.
pub const GRID: ThemeColor = color((222, 225, 229), (50, 55, 63));

/// The colors of series, distinguishable with red-green color blindness (after Okabe and Ito,
/// 2008).
pub const SERIES: [ThemeColor; 7] = [
    color((0, 114, 178), (86, 180, 233)),
    color((213, 94, 0), (245, 145, 70)),
    color((0, 130, 98), (40, 196, 150)),
    color((150, 60, 140), (222, 140, 200)),
    color((90, 90, 90), (190, 194, 200)),
    color((176, 122, 0), (240, 205, 70)),
    color((30, 40, 90), (150, 160, 250)),
];

impl ThemeColor {
    /// All colors that charts use.
    pub fn all() -> impl Iterator<Item = ThemeColor> {
        [BACKGROUND, FOREGROUND, SECONDARY_TEXT, GRID].into_iter().chain(SERIES)
    }

    /// The light and the dark color as `#RRGGBB`, the notation of the SVG backend.
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
    fn contrast_matches_known_wcag_values() {
        assert!((contrast(RGBColor(0, 0, 0), RGBColor(255, 255, 255)) - 21.0).abs() < 1e-9);
        // #767676, the lightest gray that reaches 4.5 on white.
        assert!((contrast(RGBColor(118, 118, 118), BACKGROUND.light) - 4.54).abs() < 0.01);
    }

    #[test]
    fn text_and_series_have_enough_contrast_in_both_themes() {
        for (colors, least) in [(&[FOREGROUND, SECONDARY_TEXT][..], 4.5), (&SERIES[..], 3.0)] {
            for color in colors {
                let light = contrast(color.light, BACKGROUND.light);
                let dark = contrast(color.dark, BACKGROUND.dark);
                assert!(light >= least && dark >= least, "{color:?}: {light:.2}, {dark:.2}");
            }
        }
    }

    #[test]
    fn light_colors_are_distinct() {
        let mut all: Vec<_> = ThemeColor::all().map(|color| color.hex().0).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), ThemeColor::all().count());
    }
}
