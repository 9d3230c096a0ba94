//! JSON as templates see it, for the host's texts and for an alerter's requests. A member is found both by its dotted
//! name and step by step, whichever form the sender used: `user.name` is a key with that name, or `name` within `user`.
use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Serde, Value};
use serde_json::Value as Json;

/// A JSON object.
#[derive(Debug, Default)]
pub struct Fields {
    members: BTreeMap<String, Value>,
}

/// Converts `json` to a value; `text` converts each string, including names.
pub fn value(json: &Json, text: &impl Fn(&str) -> String) -> Value {
    match json {
        Json::String(of) => text(of).into(),
        Json::Array(items) => items.iter().map(|item| value(item, text)).collect(),
        Json::Object(members) => {
            let members = members.iter().map(|(name, member)| (text(name), value(member, text)));
            Value::from_object(Fields::new(members))
        }
        plain => Value::from(Serde(plain)),
    }
}

impl Fields {
    pub fn new(members: impl IntoIterator<Item = (String, Value)>) -> Self {
        Self { members: members.into_iter().collect() }
    }

    fn find(&self, name: &str) -> Option<Value> {
        let own = self.members.get(name);
        if let Some(own) = own.filter(|own| !own.is_none() && fields(own).is_none()) {
            return Some(own.clone());
        }
        let mut found = Self::default();
        let below = format!("{name}.");
        for (longer, member) in self.members.range(below.clone()..) {
            let Some(rest) = longer.strip_prefix(&below) else { break };
            found.members.insert(rest.to_owned(), member.clone());
        }
        for (dot, _) in name.match_indices('.') {
            let outer = self.members.get(&name[..dot]).and_then(fields);
            let Some(inner) = outer.and_then(|outer| outer.find(&name[dot + 1..])) else { continue };
            match fields(&inner) {
                Some(inner) => found.take(inner),
                None if inner.is_none() => {}
                None => return Some(inner),
            }
        }
        if found.members.is_empty() {
            return own.cloned();
        }
        if let Some(own) = own.and_then(fields) {
            found.take(own);
        }
        Some(Value::from_object(found))
    }

    fn take(&mut self, other: &Self) {
        self.members.extend(other.members.iter().map(|(name, member)| (name.clone(), member.clone())));
    }
}

impl Object for Fields {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.find(key.as_str()?)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.members.keys().map(|name| Value::from(name.as_str())).collect())
    }
}

fn fields(value: &Value) -> Option<&Fields> {
    value.downcast_object_ref::<Fields>()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_with_dots_and_an_object_read_alike() {
        for document in [
            json!({ "user.name": "ada", "user.id": 7 }),
            json!({ "user": { "name": "ada", "id": 7 } }),
            json!({ "user": { "name": "ada" }, "user.id": 7 }),
            json!({ "user": null, "user.name": "ada", "user.id": 7 }),
        ] {
            let whole = value(&document, &str::to_owned);
            let user = whole.get_attr("user").unwrap();
            for (name, expected) in [("name", Value::from("ada")), ("id", Value::from(7))] {
                assert_eq!(whole.get_attr(&format!("user.{name}")).unwrap(), expected, "{document}");
                assert_eq!(user.get_attr(name).unwrap(), expected, "{document}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let fields = Fields::new([("a.b".to_owned(), 1.into()), ("n".to_owned(), Value::from(()))]);
        for name in ["a.c", "a.b.c", "", "a."] {
            assert_eq!(fields.find(name), None, "{name}");
        }
        assert!(fields.find("n").is_some_and(|value| value.is_none()));
    }

    #[test]
    fn texts_and_names_are_as_they_are_made() {
        let loud = value(&json!({ "a": ["b", 1] }), &|text: &str| text.to_uppercase());
        let first = loud.get_attr("A").unwrap().get_item(&Value::from(0)).unwrap();
        assert_eq!(first, Value::from("B"));
    }
}
