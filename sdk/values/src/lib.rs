//! Interprets text according to a field's type. The host uses it to query list values, and the rule uses it to compare
//! results with its list, so the two always agree.
mod address; // addresses and ranges of them
mod instant; // dates
mod number; // numbers, in the precision of their field
mod entry; // the kind of a list entry, whatever the field

pub use address::Addresses;
pub use entry::{expression, is_date_math};
pub use instant::Instants;
pub use number::{Precision, half};

/// A text as interpreted by a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Literal<'a> {
    Word(&'a str),
    Whole(i64),
    /// Beyond `i64`, of `unsigned_long`.
    Unsigned(u64),
    /// In the field's own precision: 0.1 in a `float` is 0.1.
    Number(f64),
    Boolean(bool),
    Addresses(Addresses),
    Instants(Instants),
}

impl<'a> Literal<'a> {
    /// Interprets a text for a field of the given mapped type. `None` if no such field can hold it.
    pub fn read(kind: &str, text: &'a str) -> Option<Self> {
        let whole = |least: i64, most: i64| {
            number::whole(text).filter(|number| (least..=most).contains(number)).map(Self::Whole)
        };
        match kind {
            "long" => whole(i64::MIN, i64::MAX),
            "integer" | "token_count" => whole(i32::MIN.into(), i32::MAX.into()),
            "short" => whole(i16::MIN.into(), i16::MAX.into()),
            "byte" => whole(i8::MIN.into(), i8::MAX.into()),
            "unsigned_long" => match number::whole(text) {
                Some(number) => (number >= 0).then_some(Self::Whole(number)),
                None => text.parse().ok().map(Self::Unsigned),
            },
            "double" => number::finite(text).map(Self::Number),
            "boolean" => match text {
                "true" => Some(Self::Boolean(true)),
                "false" => Some(Self::Boolean(false)),
                _ => None,
            },
            "ip" => Addresses::read(text).map(Self::Addresses),
            "date" => Instants::read(text).map(Self::Instants),
            "date_nanos" => Instants::read(text).filter(|span| span.fits_nanos()).map(Self::Instants),
            kind => match Precision::of(kind) {
                Some(precision) => precision.read(text).map(Self::Number),
                None => Some(Self::Word(text)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_type_cannot_hold_is_nothing() {
        for (kind, text) in [
            ("long", "unknown"),
            ("long", "1.5"),
            ("long", "1e30"),
            ("long", ""),
            ("integer", "3000000000"),
            ("byte", "300"),
            ("unsigned_long", "-1"),
            ("unsigned_long", "18446744073709551616"),
            ("double", "inf"),
            ("float", "1e300"),
            ("half_float", "1e6"),
            ("boolean", "no"),
            ("boolean", "True"),
            ("ip", "-"),
            ("ip", "10.0.0.0/33"),
            ("date", "x"),
            ("date", "now-1d"),
            ("date", "2024-02-30"),
            ("date_nanos", "1969-12-31"),
            ("date_nanos", "2263"),
        ] {
            assert_eq!(Literal::read(kind, text), None, "{kind} {text}");
        }
    }

    #[test]
    fn each_type_reads_its_own() {
        let read = Literal::read;
        assert_eq!(read("keyword", "0800"), Some(Literal::Word("0800")));
        assert_eq!(read("long", "0800"), Some(Literal::Whole(800)));
        assert_eq!(read("long", "1e3"), Some(Literal::Whole(1_000)));
        assert_eq!(read("short", "73.0"), Some(Literal::Whole(73)));
        assert_eq!(read("long", "9223372036854775807"), Some(Literal::Whole(i64::MAX)));
        assert_eq!(read("unsigned_long", "18446744073709551615"), Some(Literal::Unsigned(u64::MAX)));
        assert_eq!(read("float", "0.1"), Some(Literal::Number(0.1)));
        assert_eq!(read("half_float", "0.1"), Some(Literal::Number(0.1)));
        assert_eq!(read("scaled_float", "0.3"), Some(Literal::Number(0.3)));
        assert_eq!(read("boolean", "true"), Some(Literal::Boolean(true)));
    }
}
