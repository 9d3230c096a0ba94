//! Parts that many queries share.
use serde_json::{Map, Value as Json};

use crate::errors::{Answer, Refusal};
use crate::query::ast::{Minimum, Query};
use crate::value::scalar_text;

pub(super) type Body = Map<String, Json>;

pub(super) fn named(name: Option<String>, query: Query) -> Query {
    match name {
        Some(name) => Query::Named { name, query: Box::new(query) },
        None => query,
    }
}

pub(super) fn unsupported(kind: &str, key: &str) -> Refusal {
    Refusal::parsing(format!("[{kind}] query does not support [{key}]"))
}

pub(super) fn text(kind: &str, key: &str, value: &Json) -> Answer<String> {
    scalar_text(value).ok_or_else(|| {
        Refusal::parsing(format!("[{kind}] query: [{key}] must be a string, a number or a boolean"))
    })
}

pub(super) fn flag(kind: &str, key: &str, value: &Json) -> Answer<bool> {
    match value {
        Json::Bool(flag) => Ok(*flag),
        Json::String(text) if text == "true" || text == "false" => Ok(text == "true"),
        other => Err(Refusal::illegal(format!(
            "[{kind}] query: failed to parse value [{other}] of [{key}] as only [true] or [false] are allowed."
        ))),
    }
}

pub(super) fn count(kind: &str, key: &str, value: &Json) -> Answer<usize> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| {
        Refusal::illegal(format!("[{kind}] query: [{key}] must be a number from 0 on, and is [{value}]"))
    })
}

/// `boost` only affects the score.
pub(super) fn is_boost(key: &str, value: &Json) -> bool {
    key == "boost" && (value.is_number() || value.as_str().is_some_and(|text| text.parse::<f32>().is_ok()))
}

pub(super) fn minimum(value: &Json) -> Answer<Minimum> {
    let text = text("bool", "minimum_should_match", value)?;
    let broken = || {
        let reason = format!("For input string: \"{text}\"");
        Refusal::shard(format!("failed to create query: {reason}"))
            .caused_by("number_format_exception", reason)
    };
    let simple = |text: &str| -> Option<Minimum> {
        match text.trim().strip_suffix('%') {
            Some(percent) => percent.parse().ok().map(Minimum::Percent),
            None => text.trim().parse().ok().map(Minimum::Count),
        }
    };
    if !text.contains('<') {
        return simple(&text).ok_or_else(broken);
    }
    let mut joined = text.clone();
    while joined.contains(" <") || joined.contains("< ") {
        joined = joined.replace(" <", "<").replace("< ", "<");
    }
    let step = |step: &str| -> Option<(i64, Minimum)> {
        let (above, minimum) = step.split_once('<')?;
        Some((above.parse().ok()?, simple(minimum)?))
    };
    joined.split_whitespace().map(step).collect::<Option<_>>().map(Minimum::Above).ok_or_else(broken)
}

/// The only field of a body such as `{"host": …}`, and its value.
pub(super) fn one_field(kind: &str, body: Body) -> Answer<(String, Json)> {
    let mut entries = body.into_iter();
    match (entries.next(), entries.next()) {
        (Some(entry), None) => Ok(entry),
        (None, _) => Err(Refusal::parsing(format!("No text specified for [{kind}] query"))),
        (Some((first, _)), Some((second, _))) => Err(Refusal::parsing(format!(
            "[{kind}] query doesn't support multiple fields, found [{first}] and [{second}]"
        ))),
    }
}

pub(super) fn scalar(kind: &str, value: Json) -> Answer<Json> {
    match value {
        Json::Array(_) => Err(Refusal::parsing(format!("[{kind}] query does not support array of values"))),
        Json::Object(_) => {
            Err(Refusal::parsing(format!("[{kind}] query does not support an object as its value")))
        }
        Json::Null => Err(Refusal::illegal("value cannot be null")),
        scalar => Ok(scalar),
    }
}
