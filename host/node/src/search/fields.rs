//! `docvalue_fields`, from what is indexed, and `fields`, from the source through the mapping.
use serde_json::Value as Json;

use super::request::FieldAsk;
use super::sort::no_field_data;
use crate::dates::{Formats, Zone};
use crate::document::Document;
use crate::errors::{Answer, Refusal};
use crate::mapping::{Field, FieldId, Flavour, Kind, Mapping};
use crate::value::{Value, print_ip, utf16_units};

/// A value as doc values show it.
pub(crate) fn doc_value(field: &Field, value: &Value, format: Option<&Formats>) -> Json {
    match (value, field.kind) {
        (Value::Long(n), Kind::Boolean) => (*n == 1).into(),
        (Value::Long(n), kind) if kind.is_date() => {
            format.unwrap_or(&field.formats).print(field.nanos(*n), &Zone::UTC).into()
        }
        (Value::Long(n), _) => (*n).into(),
        (Value::Double(n), _) => (*n).into(),
        (Value::Str(text), _) => (&**text).into(),
        (Value::Ip(ip), _) => print_ip(*ip).into(),
        (Value::Tokens(_), _) => Json::Null,
    }
}

/// One asked field, bound to a mapping.
pub(crate) struct Shown {
    pub(crate) path: String,
    id: FieldId,
    format: Option<Formats>,
    from_source: bool,
}

pub(crate) fn bind(asks: &[FieldAsk], mapping: &Mapping, from_source: bool) -> Answer<Vec<Shown>> {
    let mut shown: Vec<Shown> = Vec::new();
    for ask in asks {
        for id in mapping.matching(&ask.field) {
            let field = mapping.get(id);
            if !from_source && !field.doc_values {
                if ask.field.contains('*') {
                    continue;
                }
                return Err(no_field_data(&field.path, field.kind));
            }
            if let Kind::Opaque(kind) = field.kind {
                return Err(Refusal::unmodelled(format!(
                    "the field [{}] of type [{kind}] in [fields]",
                    field.path
                )));
            }
            let format = match &ask.format {
                Some(text) if text == "use_field_mapping" => None,
                Some(text) if field.kind.is_date() => Some(Formats::new(text).map_err(Refusal::illegal)?),
                Some(text) => {
                    let kind = field.kind.name();
                    return Err(Refusal::illegal(format!(
                        "Field [{}] of type [{kind}] doesn't support formats: [{text}]",
                        field.path
                    )));
                }
                None => None,
            };
            // Under the name that was asked for, which may be another one of the field.
            let path = if ask.field.contains('*') { field.path.clone() } else { ask.field.clone() };
            // What no document has to say is not in its source either.
            let from_source = from_source && field.kind != Kind::Keyword(Flavour::Constant);
            shown.retain(|old| old.path != path);
            shown.push(Shown { path, id, format, from_source });
        }
    }
    Ok(shown)
}

impl Shown {
    /// `source` is the parsed source, needed where fields come from it.
    pub(crate) fn values(&self, mapping: &Mapping, document: &Document, source: Option<&Json>) -> Vec<Json> {
        let field = mapping.get(self.id);
        let show = |value: &Value| doc_value(field, value, self.format.as_ref());
        if !self.from_source {
            return document.values(self.id).iter().map(show).collect();
        }
        let path = field.parent.map_or(&field.path, |parent| &mapping.get(parent).path);
        let mut found = Vec::new();
        if let Some(source) = source {
            collect(source, path, &mut found);
        }
        let one = |json: &Json| {
            let json = if json.is_null() { field.null_value.as_ref()? } else { json };
            let value = field.coerce(json).ok()?;
            match &value {
                Value::Str(text) if utf16_units(text) > field.ignore_above => None,
                Value::Str(text) if field.lowercase => Some(text.to_lowercase().into()),
                value => Some(show(value)),
            }
        };
        found.into_iter().filter_map(one).collect()
    }
}

/// The scalars at a path, whether its parts are nested objects or dots in names.
fn collect<'a>(json: &'a Json, path: &str, found: &mut Vec<&'a Json>) {
    match json {
        Json::Array(items) => items.iter().for_each(|item| collect(item, path, found)),
        Json::Object(entries) if !path.is_empty() => {
            for (name, value) in entries {
                match path.strip_prefix(name.as_str()) {
                    Some("") => collect(value, "", found),
                    Some(rest) if rest.starts_with('.') => collect(value, &rest[1..], found),
                    _ => {}
                }
            }
        }
        scalar if path.is_empty() => found.push(scalar),
        _ => {}
    }
}
