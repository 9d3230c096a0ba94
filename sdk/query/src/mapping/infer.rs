//! Dynamic mapping: the type for the first value of an unknown field.
use serde_json::{Value as Json, json};

use super::templates::definition;
use super::{Field, FieldKind, Flavour, Mapping};
use crate::dates::{Formats, Zone};
use crate::errors::Answer;

pub enum Inferred {
    Whole,
    Real,
    Boolean,
    /// In that format; empty: the default one.
    Date(String),
    Text,
}

impl Inferred {
    /// The name in `match_mapping_type`, and the type without a template.
    fn names(&self) -> (&'static str, &'static str) {
        match self {
            Self::Whole => ("long", "long"),
            Self::Real => ("double", "float"),
            Self::Boolean => ("boolean", "boolean"),
            Self::Date(_) => ("date", "date"),
            Self::Text => ("string", "text"),
        }
    }
}

const DATE: &str = "strict_date_optional_time";
const DATE_SLASHES_READ: &str = "yyyy/MM/dd HH:mm:ss Z||yyyy/MM/dd Z||yyyy/MM/dd HH:mm:ss||yyyy/MM/dd";
const DATE_SLASHES: &str = "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis";

impl Mapping {
    /// The type for a scalar; `None` if nothing is mapped (null).
    pub fn infer(&self, value: &Json) -> Option<Inferred> {
        match value {
            Json::Null | Json::Array(_) | Json::Object(_) => None,
            Json::Bool(_) => Some(Inferred::Boolean),
            Json::Number(n) => Some(if n.is_i64() || n.is_u64() { Inferred::Whole } else { Inferred::Real }),
            Json::String(text) => Some(self.infer_text(text)),
        }
    }

    fn infer_text(&self, text: &str) -> Inferred {
        let reads = |format: &str| {
            Formats::new(format).is_ok_and(|formats| formats.parse(text, false, &Zone::UTC).is_ok())
        };
        // A pure number is too often not a date, although `2024` parses as one.
        if !self.no_date_detection && text.trim().parse::<f64>().is_err() {
            match &self.date_formats {
                Some(formats) => {
                    if let Some(format) = formats.iter().find(|format| reads(format)) {
                        return Inferred::Date(format.clone());
                    }
                }
                None if reads(DATE) => return Inferred::Date(String::new()),
                None if reads(DATE_SLASHES_READ) => return Inferred::Date(DATE_SLASHES.to_owned()),
                None => {}
            }
        }
        if self.numeric_detection {
            if text.parse::<i64>().is_ok() {
                return Inferred::Whole;
            }
            if text.parse::<f64>().is_ok_and(f64::is_finite) {
                return Inferred::Real;
            }
        }
        Inferred::Text
    }

    /// The definition that a template gives a new object, if any.
    pub fn object_template(&self, path: &str) -> Option<Json> {
        definition(&self.templates, path, "object", "object").map(Json::Object)
    }

    /// Adds one field or object by its definition.
    pub fn define(&mut self, path: &str, definition: Json) -> Answer<()> {
        let mut properties = serde_json::Map::new();
        properties.insert(path.to_owned(), definition);
        self.merge(&json!({ "properties": properties }))
    }

    pub fn add_inferred(&mut self, path: &str, inferred: Inferred) -> Answer<u32> {
        let (kind, plain) = inferred.names();
        if let Some(definition) = definition(&self.templates, path, kind, plain) {
            self.define(path, Json::Object(definition))?;
            return self.defined(path);
        }
        let definition = match inferred {
            Inferred::Whole => json!({"type": "long"}),
            Inferred::Real => json!({"type": "float"}),
            Inferred::Boolean => json!({"type": "boolean"}),
            Inferred::Date(format) if format.is_empty() => json!({"type": "date"}),
            Inferred::Date(format) => json!({"type": "date", "format": format}),
            Inferred::Text => {
                let mut text = Field::plain(path.to_owned(), FieldKind::Text { match_only: false });
                text.doc_values = false;
                let id = self.add(text)?;
                let mut keyword = Field::plain(format!("{path}.keyword"), FieldKind::Keyword(Flavour::Plain));
                keyword.ignore_above = 256;
                keyword.definition.insert("ignore_above".into(), 256.into());
                keyword.parent = Some(id);
                let sub = self.add(keyword)?;
                self.fields[id as usize].subs.push(sub);
                return Ok(id);
            }
        };
        self.define(path, definition)?;
        self.defined(path)
    }

    fn defined(&self, path: &str) -> Answer<u32> {
        let found = self.field(path).map(|(id, _)| id);
        found.ok_or_else(|| crate::errors::Refusal::mapper_parsing(format!("field [{path}] was not added")))
    }
}
