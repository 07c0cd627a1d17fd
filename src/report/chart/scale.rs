//! Scales: the position of a value along an axis.

/// The scale is logarithmic if the largest value is more than this many times the smallest.
const MIN_LOG_RATIO: f64 = 50.0;

/// The relative rounding error of sums and products of round numbers.
const ROUNDING_TOLERANCE: f64 = 1e-9;

/// The share of a logarithmic axis between 0, if 0 is among the values, and the smallest value.
const ZERO_SHARE: f64 = 0.12;

/// A scale. It starts at 0 or at the smallest value and ends at the largest value or, with
/// [`Scale::with_round_ends`], at a round number above it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    from: f64,
    to: f64,
    /// The share of the axis where the logarithmic part begins; `None` for a linear scale.
    logarithmic: Option<f64>,
    /// The values themselves if they are few enough to be the ticks; otherwise empty.
    values: Vec<f64>,
}

impl Scale {
    /// A scale for these values; ignores values that are negative or not finite.
    ///
    /// If 0 is among the values, it is at the left end, on a logarithmic scale, too.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        const MAX_VALUE_TICKS: usize = 12;
        // Subnormal numbers have no usable power of ten.
        let flushed = |v: f64| if v < f64::MIN_POSITIVE { 0.0 } else { v };
        let values = values.into_iter().filter(|v| v.is_finite() && *v >= 0.0);
        let mut values: Vec<f64> = values.map(flushed).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let largest = values.last().copied().unwrap_or(0.0);
        let smallest = values.iter().copied().find(|value| *value > 0.0).unwrap_or(0.0);
        let has_zero = values.first().is_some_and(|value| *value == 0.0);
        let is_wide = smallest > 0.0 && largest / smallest > MIN_LOG_RATIO;
        if values.len() > MAX_VALUE_TICKS {
            values.clear();
        }
        if is_wide {
            let begin = if has_zero { ZERO_SHARE } else { 0.0 };
            return Scale { from: smallest, to: largest, logarithmic: Some(begin), values };
        }
        let to = if largest > 0.0 { largest } else { 1.0 };
        Scale { from: 0.0, to, logarithmic: None, values }
    }

    /// A scale that ends at round numbers, for the axis of measured values.
    pub fn with_round_ends(values: impl IntoIterator<Item = f64>) -> Self {
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

    /// Whether equal distances stand for equal ratios.
    pub fn is_logarithmic(&self) -> bool {
        self.logarithmic.is_some()
    }

    /// The position of a value, from 0 at the start of the axis to 1 at its end. Values outside
    /// the axis are at the nearer end.
    pub fn position(&self, value: f64) -> f64 {
        let position = match self.logarithmic {
            _ if value <= 0.0 => 0.0,
            // Linear between 0 and the smallest value.
            Some(begin) if value < self.from => begin * value / self.from,
            Some(begin) => {
                // A quotient of the values could overflow; their logarithms cannot.
                let share = (value.ln() - self.from.ln()) / (self.to.ln() - self.from.ln());
                begin + (1.0 - begin) * share
            }
            None => value / self.to,
        };
        if position.is_finite() { position.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The values of the ticks, ascending: the scale's own values if they are few; otherwise about
    /// `most` round numbers on a linear scale, and all round numbers on a logarithmic scale. The
    /// caller omits labels that do not fit.
    pub fn ticks(&self, most: usize) -> Vec<f64> {
        if !self.values.is_empty() {
            return self.values.clone();
        }
        let Some(begin) = self.logarithmic else {
            let step = step(self.to, most);
            let fits = |tick: &f64| *tick <= self.to * (1.0 + ROUNDING_TOLERANCE);
            return (0..=2 * most).map(|i| i as f64 * step).take_while(fits).collect();
        };
        let zero = (begin > 0.0).then_some(0.0);
        zero.into_iter().chain(round_numbers(self.from, self.to)).collect()
    }

    /// Values from `from` to `to`, close enough for a curve through them to look smooth.
    pub fn samples(&self, from: f64, to: f64) -> Vec<f64> {
        const INTERVALS: u32 = 60;
        let share = |i: u32| f64::from(i) / f64::from(INTERVALS);
        let at = |i: u32| match self.logarithmic {
            Some(_) if from > 0.0 => from * (to / from).powf(share(i)),
            _ => from + (to - from) * share(i),
        };
        (0..=INTERVALS).map(at).collect()
    }
}

/// The distance of about `most` ticks from 0 to `to`; a round number.
fn step(to: f64, most: usize) -> f64 {
    let rough = to / most.max(1) as f64;
    let magnitude = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|digit| digit * magnitude);
    steps.into_iter().find(|step| *step >= rough * 0.999).unwrap_or(rough)
}

/// 1, 2 and 5 times each power of ten between two values; only the powers if there are many.
fn round_numbers(from: f64, to: f64) -> Vec<f64> {
    let digits: &[f64] = if to / from > 1e4 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let mut power = 10_f64.powf(from.log10().floor()).max(f64::MIN_POSITIVE);
    let mut found = Vec::new();
    while power.is_finite() && power <= to * (1.0 + ROUNDING_TOLERANCE) {
        found.extend(digits.iter().map(|digit| digit * power));
        power *= 10.0;
    }
    found.retain(|value| {
        (from * (1.0 - ROUNDING_TOLERANCE)..=to * (1.0 + ROUNDING_TOLERANCE)).contains(value)
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn narrow_range_is_linear_from_zero() {
        let scale = Scale::of([1.0, 24.0]);
        assert!(!scale.is_logarithmic());
        assert_eq!(
            (scale.position(0.0), scale.position(12.0), scale.position(24.0)),
            (0.0, 0.5, 1.0)
        );
        assert_eq!(scale.ticks(6), [1.0, 24.0]);
        let many = Scale::of((1..=24).map(f64::from));
        assert_eq!(many.ticks(6), [0.0, 5.0, 10.0, 15.0, 20.0]);
        assert_eq!(
            Scale::with_round_ends([10_000.0, 89_179.0]).ticks(5),
            [0.0, 20_000.0, 40_000.0, 60_000.0, 80_000.0, 100_000.0]
        );
    }

    #[test]
    fn wide_range_is_logarithmic() {
        let scale = Scale::of([1.0, 100.0, 10_000.0]);
        assert_eq!((scale.position(1.0), scale.position(10_000.0)), (0.0, 1.0));
        assert!((scale.position(100.0) - 0.5).abs() < 1e-12);
        assert_eq!(scale.ticks(6), [1.0, 100.0, 10_000.0]);
        let measured = Scale::with_round_ends([3.0, 700.0]);
        assert_eq!(
            measured.ticks(5).first().zip(measured.ticks(5).last().copied()),
            Some((&2.0, 1000.0))
        );
    }

    #[test]
    fn zero_is_at_the_start_of_a_logarithmic_scale() {
        let scale = Scale::of([0.0, 10.0, 100.0, 1000.0]);
        assert!(scale.is_logarithmic());
        assert_eq!((scale.position(0.0), scale.position(10.0)), (0.0, ZERO_SHARE));
        assert_eq!((scale.position(5.0), scale.position(1000.0)), (ZERO_SHARE / 2.0, 1.0));
        assert_eq!(scale.ticks(6)[0], 0.0);
    }

    proptest! {
        #[test]
        fn any_values_have_finite_positions_and_ticks(
            values in proptest::collection::vec(
                prop_oneof![any::<f64>(), 0.0..1e18_f64, Just(0.0), Just(1e-300), Just(5e-324)], 0..40,
            ),
        ) {
            for scale in [Scale::of(values.clone()), Scale::with_round_ends(values.clone())] {
                for value in &values {
                    prop_assert!((0.0..=1.0).contains(&scale.position(*value)), "{value} on {scale:?}");
                }
                let ticks = scale.ticks(5);
                prop_assert!((1..700).contains(&ticks.len()), "{ticks:?}");
                prop_assert!(ticks.iter().all(|tick| tick.is_finite()), "{ticks:?}");
            }
        }
    }
}
