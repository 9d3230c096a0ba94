//! Keys that must be there, whether they are seen or not.
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use watchbell_sdk::Listed;
use watchbell_sdk::prelude::*;

/// Read by the type of the key's field: `"0800"` is the key 800 of a `long`, and another spelling of an address is that
/// address. Such a key goes by the name that the list gives it.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    entries: Vec<Listed>,
    /// By type of field: the keys that its values have, with the places of the entries that they are.
    met: RefCell<HashMap<Box<str>, Rc<Met>>>,
}

type Met = HashMap<Key, Vec<usize>>;

impl Expected {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(Listed::as_str)
    }

    /// Asks of each document for the type of the key's field. Groups say it by their values.
    pub(crate) fn ask(&self, question: Question, field: &str) -> Question {
        if self.is_empty() { question } else { question.field(field).type_of(field) }
    }

    /// The entries that the row's key is, by the names that they have in the list; `kind`: the type of `field`, if the row
    /// says it.
    pub(crate) fn of(&self, row: &Row<'_>, field: &str, kind: Option<&str>) -> Vec<&str> {
        if self.is_empty() {
            return Vec::new();
        }
        let kind = kind.unwrap_or_else(|| match row.value(field) {
            Some(Value::Integer(_)) => "long",
            Some(Value::Number(_)) => "double",
            Some(Value::Boolean(_)) => "boolean",
            Some(Value::Word(_) | Value::Point(_)) | None => "keyword",
        });
        let met = self.met(kind);
        let places = met.get(&row.key()).into_iter().flatten();
        places.map(|&place| self.entries[place].as_str()).collect()
    }

    fn met(&self, kind: &str) -> Rc<Met> {
        if let Some(known) = self.met.borrow().get(kind) {
            return Rc::clone(known);
        }
        let mut met = Met::new();
        for (place, entry) in self.entries.iter().enumerate() {
            if let Some(label) = entry.label(kind) {
                met.entry(Key::of([Some(label.as_str())])).or_default().push(place);
            }
        }
        let met = Rc::new(met);
        self.met.borrow_mut().insert(kind.into(), Rc::clone(&met));
        met
    }
}

impl<'de> Deserialize<'de> for Expected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { entries: Vec::deserialize(deserializer)?, met: RefCell::default() })
    }
}

impl JsonSchema for Expected {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Expected".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<Listed>::json_schema(generator)
    }
}
