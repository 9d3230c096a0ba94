//! A field's value.
use std::fmt::{self, Write};

use serde::{Deserialize, Serialize, Serializer};

use watchbell_rows::{hash, shown};

/// A place on Earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The latitude, -90 to 90.
    pub lat: f64,
    /// The longitude, -180 to 180.
    pub lon: f64,
}

/// A field's value. Dates are integers (milliseconds since 1970-01-01T00:00:00Z), IP addresses are words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'p> {
    /// An integer; for a date, milliseconds since 1970-01-01T00:00:00Z.
    Integer(i64),
    /// A floating-point number.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// A string: a keyword, a text, an IP address.
    Word(&'p str),
    /// A place: a field that is mapped as `geo_point`.
    Point(Point),
}

/// Formats the value as it appears in a label.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Integer(number) => number.fmt(f),
            Self::Number(number) => shown(number).fmt(f),
            Self::Boolean(truth) => truth.fmt(f),
            Self::Word(word) => f.write_str(word),
            Self::Point(point) => write!(f, "{},{}", shown(point.lat), shown(point.lon)),
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Integer(number) => serializer.serialize_i64(number),
            Self::Number(number) => serializer.serialize_f64(number),
            Self::Boolean(truth) => serializer.serialize_bool(truth),
            Self::Word(word) => serializer.serialize_str(word),
            Self::Point(point) => point.serialize(serializer),
        }
    }
}

/// The hash of a value's label.
pub(crate) fn hash_of(value: Value<'_>) -> u64 {
    match value {
        Value::Word(word) => hash(word.as_bytes()),
        value => Text::of(value).hash(),
    }
}

/// A value's label, formatted without allocating.
struct Text {
    bytes: [u8; 64],
    len: usize,
}

impl Text {
    fn of(value: Value<'_>) -> Self {
        let mut text = Self { bytes: [0; 64], len: 0 };
        // A number takes at most 30 characters and a point two of them, so nothing is truncated.
        let _ = write!(text, "{value}");
        text
    }

    fn hash(&self) -> u64 {
        hash(&self.bytes[..self.len])
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
