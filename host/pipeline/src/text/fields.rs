//! JSON as templates see it. A member is found by its dotted name and step by step alike, whichever of the two its
//! sender wrote: `user.name` is a key of that name, or `name` within `user`.
use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Serde, Value};
use serde_json::Value as Json;

use super::disguise;

/// A JSON object.
#[derive(Debug, Default)]
pub(super) struct Fields {
    members: BTreeMap<String, Value>,
}

/// A value whose texts hold nothing that only a disguise may use.
pub(super) fn value(json: &Json) -> Value {
    match json {
        Json::String(text) => disguise::clean(text).into(),
        Json::Array(items) => items.iter().map(value).collect(),
        Json::Object(members) => Value::from_object(Fields::new(
            members.iter().map(|(name, member)| (disguise::clean(name), value(member))),
        )),
        plain => Value::from(Serde(plain)),
    }
}

impl Fields {
    pub(super) fn new(members: impl IntoIterator<Item = (String, Value)>) -> Self {
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
        let documents = [
            json!({ "user.name": "ada", "user.id": 7 }),
            json!({ "user": { "name": "ada", "id": 7 } }),
            json!({ "user": { "name": "ada" }, "user.id": 7 }),
            json!({ "user": null, "user.name": "ada", "user.id": 7 }),
        ];
        for document in documents {
            let context = Value::from_object(Fields::new([("x".to_owned(), value(&document))]));
            for source in ["{{ x.user.name }} {{ x.user.id }}", "{{ x['user.name'] }} {{ x['user']['id'] }}"]
            {
                let text = minijinja::Environment::new().render_str(source, &context).expect("a text");
                assert_eq!(text, "ada 7", "{source} of {document}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let fields = Fields::new([("a.b".to_owned(), 1.into()), ("n".to_owned(), Value::from(()))]);
        assert_eq!(fields.find("a.c"), None);
        assert_eq!(fields.find("a.b.c"), None);
        assert_eq!(fields.find(""), None);
        assert_eq!(fields.find("a."), None);
        assert!(fields.find("n").is_some_and(|value| value.is_none()));
    }
}
