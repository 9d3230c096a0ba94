use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use watchbell_contract::Timestamp;

/// An RFC 3339 time in UTC, to the millisecond: `2026-11-23T10:00:00.12Z`. A time after the year 9999 is written as
/// milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = || text.parse().ok().map(Timestamp);
        text.parse()
            .ok()
            .or_else(number)
            .map(Self)
            .ok_or_else(|| de::Error::invalid_value(de::Unexpected::Str(&text), &"a time of RFC 3339"))
    }
}

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_written() {
        for at in [Timestamp(0), Timestamp(1_795_479_000_120), Timestamp::MAX] {
            let text = serde_json::to_string(&Time(at)).unwrap();
            assert_eq!(serde_json::from_str::<Time>(&text).unwrap(), Time(at), "{text}");
        }
        assert!(serde_json::from_str::<Time>("\"soon\"").is_err());
    }
}
