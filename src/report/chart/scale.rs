//! Scales: where along an axis a value lies.

/// Values whose largest is more than so many times the smallest are drawn by their logarithms.
const WIDE: f64 = 50.0;

/// What sums and products of round numbers may be off by.
const SLACK: f64 = 1e-9;

/// How much of a logarithmic axis lies between 0, where there is one, and the least value.
const ROOM_FOR_ZERO: f64 = 0.12;

/// A scale, from 0 or from the least value to a round one beyond the largest.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    from: f64,
    to: f64,
    /// The share of the axis where the logarithms begin; `None`: the scale is linear.
    logarithmic: Option<f64>,
    /// The values themselves, if they are few: the best ticks that an axis can have.
    values: Vec<f64>,
}

impl Scale {
    /// For these values, of which those that are negative or no numbers are not server_options.
    ///
    /// 0 is at the left end of any scale that has to show it.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        const FEW: usize = 12;
        // What is too small for a power of ten of its own is nothing.
        let seen = |v: f64| if v < f64::MIN_POSITIVE { 0.0 } else { v };
        let values = values.into_iter().filter(|v| v.is_finite() && *v >= 0.0);
        let mut values: Vec<f64> = values.map(seen).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let largest = values.last().copied().unwrap_or(0.0);
        let least = values.iter().copied().find(|value| *value > 0.0).unwrap_or(0.0);
        let has_zero = values.first().is_some_and(|value| *value == 0.0);
        let wide = least > 0.0 && largest / least > WIDE;
        if values.len() > FEW {
            values.clear();
        }
        if wide {
            let begin = if has_zero { ROOM_FOR_ZERO } else { 0.0 };
            return Scale { from: least, to: largest, logarithmic: Some(begin), values };
        }
        let to = if largest > 0.0 { largest } else { 1.0 };
        Scale { from: 0.0, to, logarithmic: None, values }
    }

    /// The same, ending at round numbers: for the axis of what was measured.
    pub fn round(values: impl IntoIterator<Item = f64>) -> Self {
        let mut scale = Scale::of(values);
        scale.values.clear();
        if scale.is_logarithmic() {
            scale.from = round_numbers(scale.from / 10.0, scale.from).pop().unwrap_or(scale.from);
            scale.to =
                round_numbers(scale.to, scale.to * 10.0).first().copied().unwrap_or(scale.to);
        } else {
            let step = step(scale.to, 5);
            scale.to = step * (scale.to / step).ceil();
        }
        scale
    }

    /// Whether equal distances are equal factors.
    pub fn is_logarithmic(&self) -> bool {
        self.logarithmic.is_some()
    }

    /// Where a value lies, from 0 at the axis's beginning to 1 at its end; what lies beyond is
    /// put to the nearer end.
    pub fn place(&self, value: f64) -> f64 {
        let place = match self.logarithmic {
            _ if value <= 0.0 => 0.0,
            // There are no logarithms down to 0.
            Some(begin) if value < self.from => begin * value / self.from,
            Some(begin) => {
                // Of factors that are no number any more, the logarithms are.
                let share = (value.ln() - self.from.ln()) / (self.to.ln() - self.from.ln());
                begin + (1.0 - begin) * share
            }
            None => value / self.to,
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Values to be written along the axis, by rising places: those that it is for, if they are
    /// few; else about `most` round ones if it is linear, and of a logarithmic one as many as there
    /// are, since who draws leaves out what has no room.
    pub fn ticks(&self, most: usize) -> Vec<f64> {
        if !self.values.is_empty() {
            return self.values.clone();
        }
        let Some(begin) = self.logarithmic else {
            let step = step(self.to, most);
            let fits = |tick: &f64| *tick <= self.to * (1.0 + SLACK);
            return (0..=2 * most).map(|i| i as f64 * step).take_while(fits).collect();
        };
        let zero = (begin > 0.0).then_some(0.0);
        zero.into_iter().chain(round_numbers(self.from, self.to)).collect()
    }

    /// Values between which a curve is drawn, close enough to look smooth.
    pub fn between(&self, from: f64, to: f64) -> Vec<f64> {
        const PIECES: u32 = 60;
        let share = |i: u32| f64::from(i) / f64::from(PIECES);
        let at = |i: u32| match self.logarithmic {
            Some(_) if from > 0.0 => from * (to / from).powf(share(i)),
            _ => from + (to - from) * share(i),
        };
        (0..=PIECES).map(at).collect()
    }
}

/// The round distance of about `most` ticks up to `to`.
fn step(to: f64, most: usize) -> f64 {
    let rough = to / most.max(1) as f64;
    let magnitude = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|digit| digit * magnitude);
    steps.into_iter().find(|step| *step >= rough * 0.999).unwrap_or(rough)
}

/// 1, 2 and 5 of each power of ten, from one value to another; of many powers, only 1.
fn round_numbers(from: f64, to: f64) -> Vec<f64> {
    let digits: &[f64] = if to / from > 1e4 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let mut power = 10_f64.powf(from.log10().floor()).max(f64::MIN_POSITIVE);
    let mut found = Vec::new();
    while power.is_finite() && power <= to * (1.0 + SLACK) {
        found.extend(digits.iter().map(|digit| digit * power));
        power *= 10.0;
    }
    found.retain(|value| (from * (1.0 - SLACK)..=to * (1.0 + SLACK)).contains(value));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_lies_close_together_is_linear_from_zero() {
        let scale = Scale::of([1.0, 24.0]);
        assert!(!scale.is_logarithmic());
        assert_eq!((scale.place(0.0), scale.place(12.0), scale.place(24.0)), (0.0, 0.5, 1.0));
        assert_eq!(scale.ticks(6), [1.0, 24.0]);
        let many = Scale::of((1..=24).map(f64::from));
        assert_eq!(many.ticks(6), [0.0, 5.0, 10.0, 15.0, 20.0]);
        assert_eq!(
            Scale::round([10_000.0, 89_179.0]).ticks(5),
            [0.0, 20_000.0, 40_000.0, 60_000.0, 80_000.0, 100_000.0]
        );
    }

    #[test]
    fn what_spans_powers_of_ten_is_logarithmic() {
        let scale = Scale::of([1.0, 100.0, 10_000.0]);
        assert_eq!((scale.place(1.0), scale.place(10_000.0)), (0.0, 1.0));
        assert!((scale.place(100.0) - 0.5).abs() < 1e-12);
        assert_eq!(scale.ticks(6), [1.0, 100.0, 10_000.0]);
        let measured = Scale::round([3.0, 700.0]);
        assert_eq!(
            measured.ticks(5).first().zip(measured.ticks(5).last().copied()),
            Some((&2.0, 1000.0))
        );
    }

    #[test]
    fn zero_is_at_the_left_end_of_a_logarithmic_scale() {
        let scale = Scale::of([0.0, 10.0, 100.0, 1000.0]);
        assert!(scale.is_logarithmic());
        assert_eq!((scale.place(0.0), scale.place(10.0)), (0.0, ROOM_FOR_ZERO));
        assert_eq!((scale.place(5.0), scale.place(1000.0)), (ROOM_FOR_ZERO / 2.0, 1.0));
        assert_eq!(scale.ticks(6)[0], 0.0);
    }

    proptest! {
        #[test]
        fn every_value_has_a_place_and_every_scale_has_ticks(
            values in proptest::collection::vec(
                prop_oneof![any::<f64>(), 0.0..1e18_f64, Just(0.0), Just(1e-300), Just(5e-324)], 0..40,
            ),
        ) {
            for scale in [Scale::of(values.clone()), Scale::round(values.clone())] {
                for value in &values {
                    prop_assert!((0.0..=1.0).contains(&scale.place(*value)), "{value} on {scale:?}");
                }
                let ticks = scale.ticks(5);
                prop_assert!((1..700).contains(&ticks.len()), "{ticks:?}");
                prop_assert!(ticks.iter().all(|tick| tick.is_finite()), "{ticks:?}");
            }
        }
    }
}
