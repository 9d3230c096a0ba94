//! What each field is in the indices asked, from `_field_caps`.
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::Cause;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mapping {
    /// Whether any index was asked at all.
    pub(crate) has_index: bool,
    fields: BTreeMap<String, Caps>,
}

/// One field, in all indices asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Caps {
    /// More than one only where indices disagree.
    pub(crate) types: Vec<String>,
    pub(crate) aggregatable: bool,
    /// For each type the indices that have it, if the server says so.
    indices: Vec<Vec<String>>,
}

#[derive(Deserialize)]
struct Answer {
    /// Absent on servers before 7.2.
    indices: Option<OneOrMany>,
    fields: BTreeMap<String, BTreeMap<String, RawCaps>>,
    /// Those that could not be asked. Older servers leave them out without a word.
    #[serde(default)]
    failed_indices: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct RawCaps {
    #[serde(default)]
    aggregatable: bool,
    indices: Option<OneOrMany>,
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name],
            Self::Many(names) => names,
        }
    }
}

impl Mapping {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Cause> {
        let answer: Answer = serde_json::from_slice(body)
            .map_err(|error| Cause::Malformed { reason: format!("field capabilities: {error}") })?;
        if answer.failed_indices > 0 {
            let reason = format!("{} indices did not say what fields they have", answer.failed_indices);
            return Err(Cause::MissingShards { reason });
        }
        let fields = answer.fields.into_iter().map(|(name, types)| {
            let mut caps = Caps { aggregatable: true, ..Caps::default() };
            for (kind, raw) in types.into_iter().filter(|(kind, _)| kind != "unmapped") {
                caps.types.push(kind);
                caps.aggregatable &= raw.aggregatable;
                caps.indices.push(raw.indices.map(OneOrMany::into_vec).unwrap_or_default());
            }
            (name, caps)
        });
        let fields = fields.filter(|(_, caps)| !caps.types.is_empty()).collect();
        let has_index = answer.indices.is_none_or(|indices| !indices.into_vec().is_empty());
        Ok(Self { has_index, fields })
    }

    /// What to ask the server of: a field itself, the objects above it (one may be nested) and its `.keyword`.
    pub(crate) fn wanted<'a>(fields: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut wanted = std::collections::BTreeSet::new();
        for field in fields.filter(|field| !matches!(*field, "_index" | "_id")) {
            wanted.insert(field.to_owned());
            wanted.insert(format!("{field}.keyword"));
            wanted.extend(field.match_indices('.').map(|(dot, _)| field[..dot].to_owned()));
        }
        wanted.into_iter().filter(|name| !name.is_empty()).collect()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Caps> {
        self.fields.get(name)
    }

    /// The objects above a field, outermost first.
    pub(crate) fn parents<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a Caps)> {
        name.match_indices('.')
            .filter_map(|(dot, _)| self.fields.get(&name[..dot]).map(|caps| (&name[..dot], caps)))
    }

    pub(crate) fn is_nanos(&self, time_field: &str) -> bool {
        self.field(time_field).is_some_and(|caps| caps.is("date_nanos"))
    }

    /// The field whose exact values can be searched and counted: the field itself, or for `text` its `.keyword`.
    pub(crate) fn exact(&self, name: &str) -> Result<String, Cause> {
        let Some(caps) = self.field(name) else { return Ok(name.into()) };
        if caps.has_doc_values() {
            return Ok(name.into());
        }
        let keyword = format!("{name}.keyword");
        if self.field(&keyword).is_some_and(Caps::has_doc_values) {
            return Ok(keyword);
        }
        let kind = caps.types.join(" and ");
        Err(Cause::FieldType {
            field: name.into(),
            kind,
            cannot: "cannot be counted by or searched for exactly",
        })
    }

    pub(crate) fn check_time(&self, field: &str) -> Result<(), Cause> {
        let problem = match self.field(field) {
            None => "is in no mapping of the indices asked".to_owned(),
            Some(caps) if caps.types.iter().all(|kind| kind == "date" || kind == "date_nanos") => {
                return Ok(());
            }
            Some(caps) => format!("is {}, not a date", caps.described()),
        };
        Err(Cause::TimeField { field: field.into(), problem })
    }
}

impl Caps {
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.types.iter().any(|own| own == kind)
    }

    /// Text says that it is aggregatable where somebody switched `fielddata` on; its tokens are not its values.
    pub(crate) fn has_doc_values(&self) -> bool {
        self.aggregatable && !self.is_text()
    }

    pub(crate) fn is_text(&self) -> bool {
        self.types.iter().any(|kind| kind.ends_with("text"))
    }

    pub(crate) fn conflict(&self, field: &str) -> Cause {
        Cause::MappingConflict { field: field.into(), types: self.described() }
    }

    fn described(&self) -> String {
        let types = self.types.iter().zip(&self.indices).map(|(kind, indices)| {
            let named: Vec<_> = indices.iter().take(3).map(|name| format!("`{name}`")).collect();
            match (named.is_empty(), indices.len() > 3) {
                (true, _) => kind.clone(),
                (false, false) => format!("{kind} in {}", named.join(", ")),
                (false, true) => format!("{kind} in {} and others", named.join(", ")),
            }
        });
        types.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_above_and_keywords_beside_are_asked_too() {
        assert_eq!(Mapping::wanted(["a.b.c", "_id"].into_iter()), ["a", "a.b", "a.b.c", "a.b.c.keyword"]);
    }

    #[test]
    fn text_is_counted_by_its_keyword() {
        let mapping = Mapping::parse(
            br#"{"indices":"x","fields":{
                "m":{"text":{"type":"text","aggregatable":false}},
                "m.keyword":{"keyword":{"type":"keyword","aggregatable":true}},
                "t":{"text":{"type":"text","aggregatable":false}}}}"#,
        )
        .unwrap();
        assert_eq!(mapping.exact("m").unwrap(), "m.keyword");
        assert_eq!(
            mapping.exact("t").unwrap_err().to_string(),
            "field `t` is of type text, which cannot be counted by or searched for exactly"
        );
        assert_eq!(
            mapping.check_time("@timestamp").unwrap_err().to_string(),
            "time field `@timestamp` is in no mapping of the indices asked"
        );
    }
}
