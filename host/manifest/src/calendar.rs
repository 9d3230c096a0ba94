//! `timeframe: day`: a calendar day as a duration. A module knows no time zones, so it is given each day's length.
use serde_json::Value;
use watchbell_contract::Duration;

/// Parameters that may be a calendar day, and how that is written.
const SPANS: [&str; 3] = ["timeframe", "every", "over"];
const DAY: &str = "day";

/// The possible lengths of a day when clocks change by an hour, the usual one first.
pub(crate) const LENGTHS: [Duration; 3] =
    [Duration::from_hours(24), Duration::from_hours(23), Duration::from_hours(25)];

/// The first parameter that is a calendar day.
pub(crate) fn span(params: &Value) -> Option<&'static str> {
    SPANS.into_iter().find(|name| params[*name] == DAY)
}

/// `params` for a day of this length.
pub fn with_day(params: &Value, day: Duration) -> Value {
    let mut params = params.clone();
    for name in SPANS {
        if let Some(span) = params.get_mut(name).filter(|span| **span == DAY) {
            *span = day.to_string().into();
        }
    }
    params
}
