//! The values of a row that are looked at: of one field, or of several together.
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;
use watchbell_sdk::prelude::*;

/// How many combinations a row may have where fields hold several values each.
const COMBINATIONS_MAX: usize = 64;

/// One field, or several whose combinations count.
#[derive(Clone, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(untagged)]
pub(crate) enum Term {
    Field(String),
    Composite(#[schemars(length(min = 1))] Vec<String>),
}

/// A term that is new, as it is told. Without values: the field is missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    fields: Vec<String>,
    values: Vec<String>,
}

impl Term {
    pub(crate) fn fields(&self) -> &[String] {
        match self {
            Self::Field(field) => std::slice::from_ref(field),
            Self::Composite(fields) => fields,
        }
    }

    /// What is wrong with it, as the one at `index` of the list.
    pub(crate) fn fault(&self, index: usize) -> Option<Fault> {
        let fields = self.fields();
        let message = if fields.is_empty() {
            "must name a field"
        } else if fields.iter().any(String::is_empty) {
            "a field has no name"
        } else if (1..fields.len()).any(|n| fields[..n].contains(&fields[n])) {
            "names a field twice"
        } else {
            return None;
        };
        Some(Fault::new(format!("/fields/{index}"), message))
    }

    /// Calls `each` for every value of `row`, or every combination of values; false if a field is missing.
    pub(crate) fn each(&self, row: &Row<'_>, key: Key, each: &mut dyn FnMut(Key, &[Value<'_>])) -> bool {
        let fields = self.fields();
        if let [field] = fields {
            let mut is_there = false;
            for value in row.values(field) {
                is_there = true;
                each(key.with(Some(value)), &[value]);
            }
            return is_there;
        }
        if !fields.iter().all(|field| row.has(field)) {
            return false;
        }
        let mut combinations = vec![(key, Vec::with_capacity(fields.len()))];
        for field in fields {
            let mut longer = Vec::new();
            for (key, values) in &combinations {
                for value in row.values(field) {
                    let mut values: Vec<Value<'_>> = values.clone();
                    values.push(value);
                    longer.push((key.with(Some(value)), values));
                }
            }
            longer.truncate(COMBINATIONS_MAX);
            combinations = longer;
        }
        combinations.iter().for_each(|(key, values)| each(*key, values));
        true
    }
}

impl Found {
    pub(crate) fn new(term: &Term, values: &[Value<'_>]) -> Self {
        Self { fields: term.fields().to_vec(), values: values.iter().map(ToString::to_string).collect() }
    }

    fn name(&self) -> String {
        self.fields.join(", ")
    }

    pub(crate) fn summary(&self) -> String {
        let name = self.name();
        match &self.values[..] {
            [] => format!("a document without {name}"),
            [value] => format!("a new value of {name}: {value}"),
            values => format!("a new combination of {name}: {}", values.join(", ")),
        }
    }

    /// A value by itself, several as a list.
    pub(crate) fn details(&self) -> Json {
        match &self.values[..] {
            [] => json!({ "field": self.name(), "missing": true }),
            [value] => json!({ "field": self.name(), "value": value }),
            values => json!({ "field": self.name(), "value": values }),
        }
    }
}
