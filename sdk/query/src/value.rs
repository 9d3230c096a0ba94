//! An indexed value, and how JSON and query text become one.
use std::net::IpAddr;

use serde_json::Value as Json;

use crate::dates::{Nanos, Zone, from_millis, to_millis};
use crate::geo::{Place, Point};
use crate::mapping::{Field, FieldKind};
pub use crate::scalar::scalar_text;

/// A field's value in a document; the field's kind says what a number means.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Whole numbers, booleans, dates (milliseconds), date_nanos (nanoseconds).
    Long(i64),
    Double(f64),
    Str(Box<str>),
    /// An analysed text.
    Tokens(Box<[Box<str>]>),
    Ip(u128),
    Point(Point),
}

impl Value {
    /// The order of doc values. All values of a field have the same variant.
    pub fn order(&self, other: &Self) -> std::cmp::Ordering {
        match (self, other) {
            (Self::Long(a), Self::Long(b)) => a.cmp(b),
            (Self::Double(a), Self::Double(b)) => a.total_cmp(b),
            (Self::Long(a), Self::Double(b)) => (*a as f64).total_cmp(b),
            (Self::Double(a), Self::Long(b)) => a.total_cmp(&(*b as f64)),
            (Self::Str(a), Self::Str(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Self::Ip(a), Self::Ip(b)) => a.cmp(b),
            (Self::Point(a), Self::Point(b)) => a.cmp(b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Long(_) | Self::Double(_) => 0,
            Self::Ip(_) => 1,
            Self::Str(_) => 2,
            Self::Tokens(_) => 3,
            Self::Point(_) => 4,
        }
    }

    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Long(n) => Some(*n as f64),
            Self::Double(n) => Some(*n),
            _ => None,
        }
    }
}

/// A text's length as Java counts it: an emoji is two.
pub fn utf16_units(text: &str) -> usize {
    text.encode_utf16().count()
}

pub fn parse_ip(text: &str) -> Option<u128> {
    match text.trim().parse().ok()? {
        IpAddr::V4(ip) => Some(u128::from(ip.to_ipv6_mapped())),
        IpAddr::V6(ip) => Some(u128::from(ip)),
    }
}

/// The first and last address of `10.0.0.0/8`.
pub fn parse_cidr(text: &str) -> Option<(u128, u128)> {
    let (address, bits) = text.split_once('/')?;
    let ip = parse_ip(address)?;
    let bits: u32 = bits.parse().ok()?;
    let bits = if address.contains(':') { bits } else { bits.checked_add(96).filter(|_| bits <= 32)? };
    let mask = match bits {
        0 => 0,
        1..=128 => u128::MAX << (128 - bits),
        _ => return None,
    };
    Some((ip & mask, ip | !mask))
}

pub fn print_ip(ip: u128) -> String {
    let v6 = std::net::Ipv6Addr::from(ip);
    v6.to_ipv4_mapped().map_or_else(|| v6.to_string(), |v4| v4.to_string())
}

impl Field {
    /// Reads a document's JSON as a value of this field, or why it cannot be indexed. Text and keyword are handled by
    /// the caller.
    pub fn coerce(&self, json: &Json) -> Result<Value, String> {
        match self.kind {
            FieldKind::Boolean => match json {
                Json::Bool(flag) => Ok(Value::Long((*flag).into())),
                Json::String(text) => self.parse_bool(text),
                other => {
                    Err(format!("Failed to parse value [{other}] as only [true] or [false] are allowed."))
                }
            },
            FieldKind::Date | FieldKind::DateNanos => {
                let text = scalar_text(json)
                    .filter(|_| !json.is_boolean())
                    .ok_or_else(|| format!("failed to parse date field [{json}]"))?;
                self.instant(self.formats.parse(&text, false, &Zone::UTC)?)
            }
            FieldKind::Ip => {
                let text = json.as_str().ok_or_else(|| format!("'{json}' is not an IP string literal."))?;
                parse_ip(text).map(Value::Ip).ok_or_else(|| format!("'{text}' is not an IP string literal."))
            }
            FieldKind::Whole { min, max, .. } => {
                let out = || format!("Value [{json}] is out of range for {}", self.kind.article());
                let whole = match json {
                    Json::Number(n) if n.is_i64() => n.as_i64(),
                    Json::Number(n) => n.as_f64().and_then(truncate),
                    Json::String(text) => match text.trim().parse::<i64>() {
                        Ok(n) => Some(n),
                        Err(_) => truncate(self.parse_double(text)?),
                    },
                    other => {
                        return Err(format!(
                            "Current token ({other}) not numeric, can not use numeric value accessors"
                        ));
                    }
                };
                let whole = whole.filter(|n| (min..=max).contains(n)).ok_or_else(out)?;
                Ok(Value::Long(whole))
            }
            FieldKind::Real { .. } => {
                let number = match json {
                    Json::Number(n) => n.as_f64().ok_or("not a number")?,
                    Json::String(text) => self.parse_double(text)?,
                    other => {
                        return Err(format!(
                            "Current token ({other}) not numeric, can not use numeric value accessors"
                        ));
                    }
                };
                let rounded = self.round(number);
                if !rounded.is_finite() {
                    return Err(format!(
                        "[{}] supports only finite values, but got [{json}]",
                        self.kind.name()
                    ));
                }
                Ok(Value::Double(rounded))
            }
            FieldKind::GeoPoint => Place::read(json).map(|place| Value::Point(Point::of(place))),
            FieldKind::Opaque(name) => Err(format!("a value of type [{name}]")),
            FieldKind::Keyword(_) | FieldKind::Text { .. } => {
                scalar_text(json).map(|text| Value::Str(text.into())).ok_or_else(|| "not a scalar".into())
            }
        }
    }

    pub fn parse_bool(&self, text: &str) -> Result<Value, String> {
        match text {
            "true" => Ok(Value::Long(1)),
            "false" | "" => Ok(Value::Long(0)),
            other => Err(format!("Failed to parse value [{other}] as only [true] or [false] are allowed.")),
        }
    }

    pub fn parse_double(&self, text: &str) -> Result<f64, String> {
        text.trim()
            .parse::<f64>()
            .ok()
            .filter(|n| !n.is_nan())
            .ok_or_else(|| format!("For input string: \"{text}\""))
    }

    /// A number in the field's precision.
    pub fn round(&self, number: f64) -> f64 {
        match self.kind {
            FieldKind::Real { name: "half_float", .. } => watchbell_values::half(number),
            FieldKind::Real { single: true, .. } => f64::from(number as f32),
            // Like servers, which multiply by the inverse and so have noise in the last digits.
            FieldKind::Real { scaling: Some(factor), .. } => (number * factor).round() * (1.0 / factor),
            _ => number,
        }
    }

    pub fn instant(&self, at: Nanos) -> Result<Value, String> {
        match self.kind {
            FieldKind::DateNanos => {
                i64::try_from(at).ok().filter(|nanos| *nanos >= 0).map(Value::Long).ok_or_else(|| {
                    "date is outside of the range that a date_nanos field can hold (1970..2262)".into()
                })
            }
            _ => Ok(Value::Long(to_millis(at))),
        }
    }

    /// The instant that a value of this date field means.
    pub fn nanos(&self, value: i64) -> Nanos {
        if matches!(self.kind, FieldKind::DateNanos) { Nanos::from(value) } else { from_millis(value) }
    }
}

fn truncate(number: f64) -> Option<i64> {
    (number.is_finite() && number.abs() < 9.2e18).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cidr_spans_both_families() {
        let (low, high) = parse_cidr("10.0.0.0/8").unwrap();
        assert_eq!((print_ip(low), print_ip(high)), ("10.0.0.0".into(), "10.255.255.255".into()));
        let (low, high) = parse_cidr("2001:db8::/32").unwrap();
        assert!(low < high);
        assert_eq!(print_ip(low), "2001:db8::");
        assert_eq!(parse_cidr("10.0.0.0/33"), None);
        assert_eq!(parse_cidr("10.0.0.0"), None);
        assert!(parse_cidr("0.0.0.0/0").is_some());
    }
}
