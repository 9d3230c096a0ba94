//! One value of a list parameter.
use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use watchbell_values::Literal;

use crate::Value;

/// A string, or a number or boolean as text: in YAML, `0800` is the number 800 and `"0800"` is a string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed(String);

impl Listed {
    /// The text, as it was written in the parameters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, as it was written.
    pub fn into_text(self) -> String {
        self.0
    }

    /// The label of this value for a field of type `kind`: `0800` of a `long` is `800`. `None` if no single value of
    /// such a field matches it.
    pub fn label(&self, kind: &str) -> Option<String> {
        let shown = |value: Value<'_>| Some(value.to_string());
        match Literal::read(kind, &self.0)? {
            Literal::Word(text) => Some(text.to_owned()),
            Literal::Whole(number) => shown(Value::Integer(number)),
            Literal::Unsigned(number) => shown(Value::Number(number as f64)),
            Literal::Number(number) => shown(Value::Number(number)),
            Literal::Boolean(truth) => shown(Value::Boolean(truth)),
            Literal::Addresses(address) => address.is_one().then(|| address.to_string()),
            Literal::Instants(span) => (span.end - span.start == 1).then(|| span.start.to_string()),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Typed {
    Text(String),
    Integer(i64),
    Unsigned(u64),
    Number(f64),
    Boolean(bool),
}

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Typed::deserialize(deserializer)? {
            Typed::Text(text) => text,
            Typed::Integer(number) => Value::Integer(number).to_string(),
            Typed::Unsigned(number) => number.to_string(),
            Typed::Number(number) => Value::Number(number).to_string(),
            Typed::Boolean(truth) => truth.to_string(),
        }))
    }
}

impl JsonSchema for Listed {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Listed".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn a_value_is_labelled_as_its_field_tells_it() {
        for (kind, entry, label) in [
            ("keyword", json!("0800"), Some("0800")),
            ("long", json!("0800"), Some("800")),
            ("long", json!(1e3), Some("1000")),
            ("long", json!("web"), None),
            ("double", json!(3), Some("3")),
            ("float", json!("0.10"), Some("0.1")),
            ("boolean", json!(true), Some("true")),
            ("ip", json!("2001:DB8:0:0::1"), Some("2001:db8::1")),
            ("ip", json!("10.0.0.0/8"), None),
            ("date", json!("2024-01-01T00:00:00.000Z"), Some("1704067200000")),
            ("date", json!("2024-01-01"), None),
        ] {
            let listed: Listed = serde_json::from_value(entry.clone()).unwrap();
            assert_eq!(listed.label(kind).as_deref(), label, "{kind} {entry}");
        }
        assert!(serde_json::from_value::<Listed>(json!(["a"])).is_err());
    }
}
