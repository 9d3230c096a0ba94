use serde::Deserialize;
use serde_json::Value as Json;
use watchbell_sdk::http::Response;

use crate::calendar;

/// One line of the table that defines what answers mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    /// Codes (`429`) and classes (`"5xx"`).
    status: Vec<Statuses>,
    /// A condition that the body must also meet.
    body: Option<BodyTest>,
    is: Is,
    /// Where the body has the receiver's id of the message.
    reference: Option<Reference>,
    /// Where the answer has the time to wait, used without a `Retry-After` header.
    after: Option<After>,
}

/// A pointer to seconds in a JSON body, or anything else that receivers have.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum After {
    At(String),
    In {
        #[serde(flatten)]
        place: Place,
        #[serde(default)]
        unit: Unit,
    },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    Pointer(String),
    Header(String),
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    #[default]
    Seconds,
    Milliseconds,
    /// An instant, in seconds since 1970.
    Epoch,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Json")]
enum Statuses {
    One(u16),
    Hundred(u16),
}

/// One place in the body, or several whose values are joined with slashes.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Reference {
    At(String),
    Of(Vec<String>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BodyTest {
    /// A place in a JSON body; without one, the whole body as text.
    pointer: Option<String>,
    #[serde(flatten)]
    value: ValueTest,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ValueTest {
    Equals(Json),
    OneOf(Vec<Json>),
    /// A part of a text.
    Contains(String),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Is {
    Delivered,
    Unavailable,
    Refused,
}

/// What becomes of the delivery.
#[derive(Debug, PartialEq)]
pub(crate) enum Meaning {
    Delivered { reference: Option<String> },
    Refused,
    Unavailable { retry_after: Option<u64> },
}

/// The longest wait that a receiver can ask for, in milliseconds.
const RETRY_AFTER_MAX: u64 = 24 * 3_600_000;

/// How much of an answer is quoted, in characters.
const QUOTE_MAX: usize = 200;

impl Answer {
    /// Whether every answer with this status matches.
    #[cfg(test)]
    pub(crate) fn is_about(&self, status: u16) -> bool {
        self.body.is_none() && self.status.iter().any(|statuses| statuses.hold(status))
    }

    fn fits(&self, response: &Response, body: Option<&Json>) -> bool {
        let body_fits = match &self.body {
            None => true,
            Some(BodyTest { pointer: None, value }) => {
                value.holds(&Json::String(response.text().into_owned()))
            }
            Some(BodyTest { pointer: Some(pointer), value }) => {
                body.and_then(|body| body.pointer(pointer)).is_some_and(|found| value.holds(found))
            }
        };
        body_fits && self.status.iter().any(|statuses| statuses.hold(response.status))
    }
}

impl ValueTest {
    fn holds(&self, found: &Json) -> bool {
        match self {
            Self::Equals(expected) => found == expected,
            Self::OneOf(expected) => expected.contains(found),
            Self::Contains(part) => found.as_str().is_some_and(|found| found.contains(part)),
        }
    }
}

impl After {
    /// Milliseconds.
    fn of(&self, response: &Response, body: Option<&Json>) -> Option<u64> {
        let number = |json: &Json| json.as_f64().or_else(|| json.as_str()?.trim().parse().ok());
        let at = |pointer: &str| number(body?.pointer(pointer)?);
        let (found, unit) = match self {
            Self::At(pointer) => (at(pointer)?, Unit::Seconds),
            Self::In { place: Place::Pointer(pointer), unit } => (at(pointer)?, *unit),
            Self::In { place: Place::Header(name), unit } => {
                (response.header(name)?.trim().parse().ok()?, *unit)
            }
        };
        match unit {
            Unit::Seconds => millis(found),
            Unit::Milliseconds => millis(found / 1_000.0),
            // Read against the receiver's own clock.
            Unit::Epoch => {
                let now = calendar::http_date(response.header("date")?)?;
                millis((found - now as f64 / 1_000.0).max(0.0))
            }
        }
    }
}

impl Reference {
    fn of(&self, body: &Json) -> Option<String> {
        let at = |pointer: &String| match body.pointer(pointer)? {
            Json::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        match self {
            Self::At(pointer) => at(pointer),
            Self::Of(pointers) => {
                pointers.iter().map(at).collect::<Option<Vec<_>>>().map(|parts| parts.join("/"))
            }
        }
    }
}

/// What an answer means, by the first line that matches it.
pub(crate) fn read(answers: &[Answer], response: &Response) -> Meaning {
    let body: Option<Json> = serde_json::from_slice(&response.body).ok();
    match answers.iter().find(|answer| answer.fits(response, body.as_ref())) {
        Some(answer) => match answer.is {
            Is::Delivered => Meaning::Delivered {
                reference: answer.reference.as_ref().and_then(|reference| reference.of(body.as_ref()?)),
            },
            Is::Refused => Meaning::Refused,
            Is::Unavailable => Meaning::Unavailable {
                retry_after: retry_after(response)
                    .or_else(|| answer.after.as_ref()?.of(response, body.as_ref())),
            },
        },
        None => Meaning::Refused,
    }
}

/// Describes an answer, for the log and the dead letter. `reason`: where the body has the receiver's reason.
pub(crate) fn told(reason: Option<&str>, product: &str, response: &Response) -> String {
    let body: Option<Json> = serde_json::from_slice(&response.body).ok();
    let reason = reason.and_then(|pointer| body.as_ref()?.pointer(pointer)?.as_str());
    let text = response.text();
    let reason = reason.unwrap_or(&text);
    let mut quote: String = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = quote.char_indices().nth(QUOTE_MAX) {
        quote.truncate(end);
        quote.push('…');
    }
    if quote.is_empty() {
        return format!("{product} answered {}", response.status);
    }
    format!("{product} answered {}: {quote}", response.status)
}

/// `Retry-After`, which is seconds or a date; the latter is read against the receiver's own clock.
fn retry_after(response: &Response) -> Option<u64> {
    let value = response.header("retry-after")?.trim();
    if let Ok(seconds) = value.parse() {
        return millis(seconds);
    }
    let (then, now) = (calendar::http_date(value)?, calendar::http_date(response.header("date")?)?);
    Some(u64::try_from(then - now).unwrap_or(0).min(RETRY_AFTER_MAX))
}

fn millis(seconds: f64) -> Option<u64> {
    // A float's cast stops at the bounds of the integer.
    (seconds >= 0.0).then(|| ((seconds * 1_000.0).ceil() as u64).min(RETRY_AFTER_MAX))
}

impl Statuses {
    fn hold(self, status: u16) -> bool {
        match self {
            Self::One(one) => status == one,
            Self::Hundred(hundred) => status / 100 == hundred,
        }
    }
}

impl TryFrom<Json> for Statuses {
    type Error = String;

    fn try_from(json: Json) -> Result<Self, String> {
        let one = json.as_u64().and_then(|number| u16::try_from(number).ok());
        let hundred = json.as_str().and_then(|text| text.strip_suffix("xx")?.parse().ok());
        match (one, hundred) {
            (Some(one @ 100..=599), _) => Ok(Self::One(one)),
            (_, Some(hundred @ 1..=5)) => Ok(Self::Hundred(hundred)),
            _ => Err(format!("{json} is not a status: write a number such as 429, or `5xx`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use watchbell_sdk::http::Field;

    use super::*;

    fn response(headers: &[(&str, &str)]) -> Response {
        let field = |(name, value): &(&str, &str)| Field { name: (*name).into(), value: (*value).into() };
        let headers = headers.iter().map(field).collect();
        Response { status: 429, headers, body: vec![] }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(&response(&[("retry-after", "30")])), Some(30_000));
        assert_eq!(retry_after(&response(&[("retry-after", "0.2")])), Some(200));
        assert_eq!(retry_after(&response(&[("retry-after", "-1")])), None);
        assert_eq!(retry_after(&response(&[("retry-after", "1e300")])), Some(RETRY_AFTER_MAX));
        let (then, now) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:07 GMT");
        assert_eq!(retry_after(&response(&[("retry-after", then), ("date", now)])), Some(30_000));
        assert_eq!(retry_after(&response(&[("retry-after", now), ("date", then)])), Some(0));
        assert_eq!(retry_after(&response(&[("retry-after", then)])), None);
        assert_eq!(retry_after(&response(&[])), None);
    }

    #[test]
    fn the_time_to_wait_is_where_the_product_says() {
        let after = |json: &str| serde_json::from_str::<After>(json).unwrap();
        let of = |json: &str, headers: &[(&str, &str)], body: &Json| {
            after(json).of(&response(headers), Some(body))
        };
        let body = serde_json::json!({ "a": 1.5, "b": "2" });
        assert_eq!(of("\"/a\"", &[], &body), Some(1_500));
        assert_eq!(of("{\"pointer\": \"/b\"}", &[], &body), Some(2_000));
        assert_eq!(of("{\"pointer\": \"/a\", \"unit\": \"milliseconds\"}", &[], &body), Some(2));
        let reset = "{\"header\": \"x-reset\", \"unit\": \"epoch\"}";
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(of(reset, &[("x-reset", "784111800"), date], &body), Some(23_000));
        assert_eq!(of(reset, &[("x-reset", "1"), date], &body), Some(0));
        assert_eq!(of(reset, &[("x-reset", "784111800")], &body), None);
        assert_eq!(of(reset, &[("x-reset", "soon"), date], &body), None);
    }

    #[test]
    fn a_body_without_json_can_be_told_by_a_part_of_it() {
        let answers: Vec<Answer> = serde_json::from_str(
            r#"[{"status": [429], "body": {"contains": "daily"}, "is": "refused"},
                {"status": [429], "body": {"pointer": "/error", "contains": "slow"}, "is": "delivered"},
                {"status": ["4xx"], "is": "unavailable"}]"#,
        )
        .unwrap();
        let meaning = |body: &str| read(&answers, &Response { body: body.into(), ..response(&[]) });
        assert_eq!(meaning("the daily quota"), Meaning::Refused);
        assert_eq!(meaning(r#"{"error": "so slow"}"#), Meaning::Delivered { reference: None });
        assert_eq!(meaning("other"), Meaning::Unavailable { retry_after: None });
    }

    #[test]
    fn a_status_is_a_number_or_a_hundred() {
        let parse = |text: &str| serde_json::from_str::<Statuses>(text).map_err(|error| error.to_string());
        assert!(parse("429").unwrap().hold(429));
        assert!(parse("\"5xx\"").unwrap().hold(503));
        assert!(!parse("\"5xx\"").unwrap().hold(499));
        assert_eq!(
            parse("\"9xx\"").err().unwrap(),
            "\"9xx\" is not a status: write a number such as 429, or `5xx`"
        );
    }
}
