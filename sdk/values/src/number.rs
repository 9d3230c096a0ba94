//! Numbers. A single-precision field stores 0.10000000149011612 when 0.1 is sent. For people, and so for lists, labels
//! and texts, both are 0.1: the shortest number that the field stores as the same value.

/// The precision of a field, if it is less than a double's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    Single,
    Half,
    /// An integer times a factor, which leaves noise in the last digits of a double.
    Scaled,
}

impl Precision {
    pub fn of(kind: &str) -> Option<Self> {
        match kind {
            "float" => Some(Self::Single),
            "half_float" => Some(Self::Half),
            "scaled_float" => Some(Self::Scaled),
            _ => None,
        }
    }

    /// Converts a number that a server returned from such a field to its shortest form.
    pub fn shown(self, value: f64) -> f64 {
        let short = match self {
            _ if !value.is_finite() || value == 0.0 => return value,
            Self::Single => (value as f32).to_string().parse(),
            Self::Half => (0..5)
                .map(|digits| format!("{value:.digits$e}"))
                .find(|text| text.parse().is_ok_and(|number: f64| half(number) == value))
                .map_or(Ok(value), |text| text.parse()),
            Self::Scaled => format!("{value:.14e}").parse(),
        };
        short.unwrap_or(value)
    }

    /// The stored form of a number that was sent; infinity if it is too large. The stored form of a `scaled_float`
    /// depends on its factor, which is not known here.
    pub fn kept(self, number: f64) -> f64 {
        match self {
            Self::Single => f64::from(number as f32),
            Self::Half => half(number),
            Self::Scaled => number,
        }
    }

    /// The shown form of a number that was sent to the field; `None` if it does not fit.
    pub(crate) fn read(self, text: &str) -> Option<f64> {
        let kept = self.kept(finite(text)?);
        kept.is_finite().then(|| self.shown(kept))
    }
}

const HALF_MAX: f64 = 65_504.0;

/// The nearest half-precision number, which may be infinite: eleven significant bits, and fewer below 2^-14.
pub fn half(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let exponent = (value.abs().to_bits() >> 52) as i32 - 1_023;
    let step = 2_f64.powi(exponent.max(-14) - 10);
    let rounded = (value / step).round_ties_even() * step;
    if rounded.abs() > HALF_MAX { f64::INFINITY.copysign(value) } else { rounded }
}

/// A whole number in any notation: `800`, `0800`, `800.0`, `8e2`.
pub(crate) fn whole(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    // Digits that do not fit `i64` are out of range.
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = finite(text)?;
    (number.fract() == 0.0 && number.abs() < 9_223_372_036_854_775_808.0).then_some(number as i64)
}

pub(crate) fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_servers_return_is_shown_as_it_was_sent() {
        let single =
            [(0.10000000149011612, 0.1), (9.999999747378752e-06, 1e-5), (123_456.789_062_5, 123_456.79)];
        for (kept, shown) in single {
            assert_eq!(Precision::Single.shown(kept), shown);
        }
        let halves = [
            (0.0999755859375, 0.1),
            (0.300048828125, 0.3),
            (1.099609375, 1.1),
            (16.328125, 16.33),
            (3.333984375, 3.334),
            (1.0013580322265625e-05, 1e-5),
            (60_000.0, 60_000.0),
            (-0.0999755859375, -0.1),
        ];
        for (kept, shown) in halves {
            assert_eq!(Precision::Half.shown(kept), shown);
        }
        let scaled = [
            (0.30000000000000004, 0.3),
            (0.7000000000000001, 0.7),
            (100.07000000000001, 100.07),
            (123_456.79000000001, 123_456.79),
            (65_504.0, 65_504.0),
        ];
        for (kept, shown) in scaled {
            assert_eq!(Precision::Scaled.shown(kept), shown);
        }
    }

    #[test]
    fn halves_are_those_of_the_servers() {
        let halves = [
            (0.1, 0.0999755859375),
            (0.7, 0.7001953125),
            (16.33, 16.328125),
            (1e-5, 1.0013580322265625e-05),
            (3.3333, 3.333984375),
            (100.07, 100.0625),
            (0.07, 0.07000732421875),
        ];
        for (sent, kept) in halves {
            assert_eq!(half(sent), kept);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_kept_as_the_same(value in -70_000.0_f64..70_000.0) {
            let kept = f64::from(value as f32);
            prop_assert_eq!(f64::from(Precision::Single.shown(kept) as f32), kept);
            let kept = half(value);
            prop_assert_eq!(half(Precision::Half.shown(kept)), kept);
        }

        /// A column's number and a list's number are equal exactly if the field stores them as the same value.
        #[test]
        fn lists_and_columns_agree(a in -1_000_i32..1_000, b in -1_000_i32..1_000, digits in 0_i32..6) {
            for precision in [Precision::Single, Precision::Half] {
                let keep = |number| precision.kept(number);
                let number = |n: i32| f64::from(n) / 10_f64.powi(digits);
                let listed = precision.read(&number(a).to_string()).unwrap();
                let column = precision.shown(keep(number(b)));
                prop_assert_eq!(listed == column, keep(number(a)) == keep(number(b)));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}") {
            for kind in ["long", "float", "half_float", "scaled_float", "date", "ip", "unsigned_long", "boolean"] {
                let _ = crate::Literal::read(kind, &text);
            }
        }
    }
}
