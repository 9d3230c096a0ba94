use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::report::nearest;

/// Field names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// With each, whether there may be more fields below it than are named.
    names: BTreeMap<String, bool>,
}

impl Fields {
    pub fn add(&mut self, name: impl Into<String>) {
        self.names.entry(name.into()).or_insert(false);
    }

    /// Adds a field that may be an object with any members.
    pub fn add_open(&mut self, name: impl Into<String>) {
        self.names.insert(name.into(), true);
    }

    /// Adds the fields of a document by their dotted names.
    pub fn add_document(&mut self, document: &Map<String, Value>) {
        document.iter().for_each(|(name, value)| self.add_value(name, value));
    }

    pub fn extend(&mut self, other: &Self) {
        for (name, open) in &other.names {
            *self.names.entry(name.clone()).or_default() |= open;
        }
    }

    fn add_value(&mut self, name: &str, value: &Value) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                members.iter().for_each(|(inner, value)| self.add_value(&format!("{name}.{inner}"), value));
            }
            Value::Array(items) if !items.is_empty() => {
                items.iter().for_each(|item| self.add_value(name, item));
            }
            // Another document may have more members there.
            Value::Object(_) | Value::Array(_) | Value::Null => self.add_open(name),
            _ => self.add(name),
        }
    }

    /// Whether `name` exists or may exist, as a field or as an object of fields.
    pub fn has(&self, name: &str) -> bool {
        let below = format!("{name}.");
        let is_object =
            || self.names.range(below.clone()..).next().is_some_and(|(field, _)| field.starts_with(&below));
        let is_within =
            || name.match_indices('.').any(|(dot, _)| self.names.get(&name[..dot]) == Some(&true));
        self.names.contains_key(name) || is_object() || is_within()
    }

    pub(super) fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.names())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_known_by_its_dotted_name_whatever_wrote_it() {
        let mut fields = Fields::default();
        let document = json!({
            "user": { "name": "ada" }, "host.name": "a", "tags": ["x"], "items": [{ "sku": 1 }, {}], "error": null,
        });
        fields.add_document(document.as_object().expect("an object"));
        for known in [
            "user",
            "user.name",
            "host",
            "host.name",
            "tags",
            "items",
            "items.sku",
            "items.any",
            "error.message",
        ] {
            assert!(fields.has(known), "{known}");
        }
        for unknown in ["users", "use", "user.id", "user.name.first", "host.nam", "tags.x", ""] {
            assert!(!fields.has(unknown), "{unknown}");
        }
        assert_eq!(fields.nearest("user.nmae"), Some("user.name"));
        assert_eq!(fields.nearest("zzz"), None);
    }
}
