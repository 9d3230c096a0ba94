//! Scalars of JSON as text.
use serde_json::Value as Json;

/// The text of a scalar, as Elasticsearch's parser passes it to a keyword or date field.
pub fn scalar_text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(flag.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}
