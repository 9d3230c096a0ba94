//! Dynamic mapping: the type that the first value of an unknown field asks for.
use serde_json::{Value as Json, json};

use super::{Field, Kind, Mapping};
use crate::dates::{Formats, Zone};
use crate::errors::Answer;

pub(crate) enum Inferred {
    Whole,
    Real,
    Boolean,
    Date(&'static str),
    Text,
}

const DATE: &str = "strict_date_optional_time";
const DATE_SLASHES: &str = "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis";

/// The type of a scalar; `None` where nothing is added to the mapping (null).
pub(crate) fn infer(value: &Json, date_detection: bool) -> Option<Inferred> {
    match value {
        Json::Null | Json::Array(_) | Json::Object(_) => None,
        Json::Bool(_) => Some(Inferred::Boolean),
        Json::Number(n) => Some(if n.is_i64() || n.is_u64() { Inferred::Whole } else { Inferred::Real }),
        Json::String(text) => {
            // A pure number is too often not a date, although `2024` would read as one.
            if date_detection && text.trim().parse::<f64>().is_err() {
                for format in [DATE, "yyyy/MM/dd HH:mm:ss Z||yyyy/MM/dd Z||yyyy/MM/dd HH:mm:ss||yyyy/MM/dd"] {
                    let reads = Formats::new(format).is_ok_and(|f| f.parse(text, false, &Zone::UTC).is_ok());
                    if reads {
                        return Some(Inferred::Date(if format == DATE { "" } else { DATE_SLASHES }));
                    }
                }
            }
            Some(Inferred::Text)
        }
    }
}

impl Mapping {
    pub(crate) fn add_inferred(&mut self, path: &str, inferred: Inferred) -> Answer<u32> {
        let definition = match inferred {
            Inferred::Whole => json!({"type": "long"}),
            Inferred::Real => json!({"type": "float"}),
            Inferred::Boolean => json!({"type": "boolean"}),
            Inferred::Date("") => json!({"type": "date"}),
            Inferred::Date(format) => json!({"type": "date", "format": format}),
            Inferred::Text => {
                let mut text = Field::plain(path.to_owned(), Kind::Text { match_only: false });
                text.doc_values = false;
                let id = self.add(text)?;
                let mut keyword = Field::plain(format!("{path}.keyword"), Kind::Keyword { wildcard: false });
                keyword.ignore_above = 256;
                keyword.definition.insert("ignore_above".into(), 256.into());
                keyword.parent = Some(id);
                let sub = self.add(keyword)?;
                self.fields[id as usize].subs.push(sub);
                return Ok(id);
            }
        };
        let mut properties = serde_json::Map::new();
        properties.insert(path.to_owned(), definition);
        self.merge(&json!({ "properties": properties }))?;
        let (id, _) =
            self.field(path).ok_or_else(|| crate::errors::Refusal::mapper_parsing("field was not added"))?;
        Ok(id)
    }
}
