//! Values as people list them in parameters: plain ones and regular expressions.
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

use regex_lite::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use crate::{Fault, Question, Value};

/// A list of values. An entry `/like this/` is a regular expression that a value must match as a whole; any other is the
/// value itself, numbers and booleans as their text. Case counts.
///
/// Expressions are those of the `regex-lite` crate: Perl's, without look-around and back-references; `\d`, `\w`, `\s` and
/// `(?i)` are ASCII's.
#[derive(Debug, Default)]
pub struct ValueList {
    plain: BTreeSet<Box<str>>,
    patterns: Vec<Regex>,
    /// Entries that are no expressions, by their place in the list.
    faults: Vec<(usize, String)>,
    /// What the expressions said of the values seen of late: most fields hold few different ones.
    known: RefCell<HashMap<Box<str>, bool>>,
}

/// As `index.max_terms_count`: what a cluster takes in one request.
const TERMS_MAX: usize = 65_536;
const KNOWN_MAX: usize = 10_000;
const KNOWN_BYTES_MAX: usize = 256;

impl ValueList {
    /// What is wrong with it, as the parameter at `path` (`/values`).
    pub fn faults(&self, path: &str) -> Vec<Fault> {
        if self.plain.is_empty() && self.patterns.is_empty() && self.faults.is_empty() {
            return Fault::new(path, "must list at least one value").into();
        }
        self.faults
            .iter()
            .map(|(place, reason)| Fault::new(format!("{path}/{place}"), reason.clone()))
            .collect()
    }

    pub fn holds(&self, value: Value<'_>) -> bool {
        match value {
            Value::Word(text) => self.holds_text(text),
            other => self.holds_text(&other.to_string()),
        }
    }

    fn holds_text(&self, text: &str) -> bool {
        if self.plain.contains(text) {
            return true;
        }
        if self.patterns.is_empty() {
            return false;
        }
        if let Some(known) = self.known.borrow().get(text) {
            return *known;
        }
        let is_matched = self.patterns.iter().any(|pattern| pattern.is_match(text));
        if text.len() <= KNOWN_BYTES_MAX {
            let mut known = self.known.borrow_mut();
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(text.into(), is_matched);
        }
        is_matched
    }

    /// Leaves out of `question` the documents that have none of the values in `field`, where the cluster can tell:
    /// not if there are expressions, whose syntax there is another, or more than 65,536 values.
    pub fn narrow(&self, question: Question, field: &str) -> Question {
        if !self.patterns.is_empty() || self.plain.len() > TERMS_MAX {
            return question;
        }
        question.only(field, self.plain.iter().map(|value| Some(value.to_string())).collect())
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Text(String),
    Integer(i64),
    Number(f64),
    Boolean(bool),
}

impl<'de> Deserialize<'de> for ValueList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut list = Self::default();
        for (place, entry) in Vec::<Entry>::deserialize(deserializer)?.into_iter().enumerate() {
            let mut text = String::new();
            // Writing to a string cannot fail.
            let _ = match entry {
                Entry::Text(entry) => write!(text, "{entry}"),
                Entry::Integer(entry) => write!(text, "{}", Value::Integer(entry)),
                Entry::Number(entry) => write!(text, "{}", Value::Number(entry)),
                Entry::Boolean(entry) => write!(text, "{entry}"),
            };
            match expression(&text) {
                None => {
                    list.plain.insert(text.into());
                }
                Some(expression) => match Regex::new(&format!("^(?:{expression})$")) {
                    Ok(pattern) => list.patterns.push(pattern),
                    Err(error) => {
                        let reason = format!("`{text}` is no regular expression: {error}");
                        list.faults.push((place, reason));
                    }
                },
            }
        }
        Ok(list)
    }
}

/// What stands between the slashes, if anything does.
fn expression(entry: &str) -> Option<&str> {
    entry.strip_prefix('/')?.strip_suffix('/').filter(|expression| !expression.is_empty())
}

impl JsonSchema for ValueList {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ValueList".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array", "minItems": 1,
            "items": { "type": ["string", "number", "boolean"], "examples": ["value", "/web-[0-9]+/"] },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Range, Timestamp, json};

    fn list(entries: serde_json::Value) -> ValueList {
        serde_json::from_value(entries).unwrap()
    }

    fn asked(list: &ValueList) -> Question {
        list.narrow(Question::hits(Range::new(Timestamp(0), Timestamp(1))), "f")
    }

    #[test]
    fn values_are_compared_as_texts_and_expressions_as_a_whole() {
        let list = list(json!(["bad", 404, 0.5, true, "/web-\\d+/", "/a|ab/", "//", "/usr", "+1"]));
        assert_eq!(list.faults("/values"), []);
        let words = ["bad", "404", "web-17", "a", "ab", "//", "/usr", "+1", "true"];
        let others = ["Bad", "web-", "web-17x", "abc", "xweb-1", "", "usr", "1", "/web-\\d+/"];
        for _ in 0..2 {
            words.iter().for_each(|word| assert!(list.holds(Value::Word(word)), "{word}"));
            others.iter().for_each(|word| assert!(!list.holds(Value::Word(word)), "{word}"));
        }
        assert!(list.holds(Value::Integer(404)) && !list.holds(Value::Integer(405)));
        assert!(list.holds(Value::Number(404.0)) && list.holds(Value::Number(0.5)));
        assert!(list.holds(Value::Boolean(true)) && !list.holds(Value::Boolean(false)));
    }

    #[test]
    fn plain_values_are_asked_for_and_nothing_else_is() {
        let many: Vec<_> = (0..2_000).map(|n| n.to_string()).collect();
        assert_eq!(asked(&list(json!(many))).only[0].values.len(), 2_000);
        assert_eq!(asked(&list(json!(["a", "/b/"]))).only, []);
        let too_many: Vec<_> = (0..=TERMS_MAX).map(|n| n.to_string()).collect();
        assert_eq!(asked(&list(json!(too_many))).only, []);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place() {
        let faults = list(json!(["ok", "/(/", "/[z-a]/"])).faults("/values");
        assert_eq!(
            faults.iter().map(|fault| fault.path.as_str()).collect::<Vec<_>>(),
            ["/values/1", "/values/2"]
        );
        assert!(faults[0].message.starts_with("`/(/` is no regular expression: "), "{}", faults[0].message);
        assert_eq!(list(json!([])).faults("/values")[0].message, "must list at least one value");
        assert!(serde_json::from_value::<ValueList>(json!([["a"]])).is_err());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let list = list(json!(["/x.*/"]));
        for n in 0..25_000 {
            assert!(list.holds(Value::Word(&format!("x{n}"))) && !list.holds(Value::Word(&n.to_string())));
        }
        assert!(!list.holds(Value::Word(&"long".repeat(100))));
        assert!(list.known.borrow().len() <= KNOWN_MAX);
    }
}
