use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Serde, Value};
use serde_json::Value as Json;

/// A JSON object as templates see it: a member is found by its dotted name and step by step alike, whichever of the
/// two its sender wrote.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    members: BTreeMap<String, Value>,
}

pub(crate) fn value(json: &Json) -> Value {
    match json {
        Json::Array(items) => items.iter().map(value).collect(),
        Json::Object(members) => {
            let members = members.iter().map(|(name, member)| (name.clone(), value(member))).collect();
            Value::from_object(Fields { members })
        }
        plain => Value::from(Serde(plain)),
    }
}

impl Fields {
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
            json!({ "user.name": "ada" }),
            json!({ "user": { "name": "ada" } }),
            json!({ "user": null, "user.name": "ada", "user.id": 7 }),
        ] {
            let value = value(&document);
            let step = value.get_attr("user").unwrap().get_attr("name").unwrap();
            assert_eq!(
                (step.as_str(), value.get_attr("user.name").unwrap().as_str()),
                (Some("ada"), Some("ada"))
            );
        }
        assert!(value(&json!({ "a.b": 1 })).get_attr("a.c").unwrap().is_undefined());
    }
}
