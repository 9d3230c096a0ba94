//! `docvalue_fields`, from the index, and `fields`, from the source by the mapping.
use serde_json::Value as Json;

use super::asked::FieldAsk;
use super::sort::no_field_data;
use crate::dates::Formats;
use crate::doc_values::doc_value;
use crate::document::Document;
use crate::errors::{Answer, Refusal};
use crate::geo::Place;
use crate::mapping::{FieldId, FieldKind, Flavour, Mapping};
use crate::value::{Value, utf16_units};

/// A requested field, bound to a mapping.
pub(crate) struct Shown {
    pub(crate) path: String,
    id: FieldId,
    format: Option<Formats>,
    from_source: bool,
}

pub(crate) fn bind(asks: &[FieldAsk], mapping: &Mapping, from_source: bool) -> Answer<Vec<Shown>> {
    let mut shown: Vec<Shown> = Vec::new();
    for ask in asks {
        if let Some(field) = mapping.opaque_above(&ask.field) {
            return Err(Refusal::unmodelled(format!("a part of the field [{}]", field.path)));
        }
        for id in mapping.matching(&ask.field) {
            let field = mapping.get(id);
            if !from_source && !field.doc_values {
                if ask.field.contains('*') {
                    continue;
                }
                return Err(no_field_data(&field.path, field.kind));
            }
            if from_source && field.kind == FieldKind::Keyword(Flavour::Flattened) {
                return Err(Refusal::unmodelled(format!(
                    "the field [{}] of type [flattened] in [fields]",
                    field.path
                )));
            }
            if let FieldKind::Opaque(kind) = field.kind {
                return Err(Refusal::unmodelled(format!(
                    "the field [{}] of type [{kind}] in [fields]",
                    field.path
                )));
            }
            let format = match &ask.format {
                Some(text) if text == "use_field_mapping" => None,
                Some(text) if from_source && field.kind == FieldKind::GeoPoint && text == "geojson" => None,
                Some(text) if from_source && field.kind == FieldKind::GeoPoint => {
                    return Err(Refusal::unmodelled(format!("the format [{text}] of a point")));
                }
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
            // Under the requested name, which may be an alias of the field.
            let path = if ask.field.contains('*') { field.path.clone() } else { ask.field.clone() };
            // What no document has to contain is not in its source either.
            let from_source = from_source && field.kind != FieldKind::Keyword(Flavour::Constant);
            shown.retain(|old| old.path != path);
            shown.push(Shown { path, id, format, from_source });
        }
    }
    Ok(shown)
}

impl Shown {
    fn is_nested(&self, mapping: &Mapping) -> bool {
        self.from_source && mapping.nested_above(&mapping.get(self.id).path).is_some()
    }

    /// `source` is the parsed source, needed for fields read from it.
    fn values(&self, mapping: &Mapping, document: &Document, source: Option<&Json>) -> Vec<Json> {
        if self.from_source {
            return source.map_or_else(Vec::new, |source| self.read(mapping, source, ""));
        }
        let field = mapping.get(self.id);
        let show = |value: &Value| doc_value(field, value, self.format.as_ref());
        let mut shown: Vec<Json> = document.values(self.id).iter().map(show).collect();
        if field.kind == FieldKind::GeoPoint {
            // Points are shown in the order of their texts, not in that of the index.
            shown.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
        }
        shown
    }

    /// The values at a path inside an object of the source.
    fn read(&self, mapping: &Mapping, object: &Json, at: &str) -> Vec<Json> {
        let field = mapping.get(self.id);
        // A flattened object's key is shown as it is there.
        if field.is_hidden() {
            let mut found = Vec::new();
            collect(object, relative(&self.path, at), &mut |json| found.push(json.clone()));
            found.retain(|json| !json.is_object() && !json.is_null());
            return found;
        }
        let path = field.parent.map_or(&field.path, |parent| &mapping.get(parent).path);
        let mut found = Vec::new();
        collect_each(object, relative(path, at), &|items| field.is_point(items), &mut |json| {
            found.push(json)
        });
        let is_point = field.kind == FieldKind::GeoPoint;
        let one = |json: &Json| {
            let json = if json.is_null() { field.null_value.as_ref()? } else { json };
            if is_point {
                return Place::read(json).ok().map(Place::geojson);
            }
            let value = field.coerce(json).ok()?;
            match &value {
                Value::Str(text) if utf16_units(text) > field.ignore_above => None,
                Value::Str(text) if field.lowercase => Some(text.to_lowercase().into()),
                value => Some(doc_value(field, value, self.format.as_ref())),
            }
        };
        found.into_iter().filter(|json| is_point || !json.is_object()).filter_map(one).collect()
    }
}

/// All shown fields of one document. Nested fields are grouped by object.
pub(crate) fn show(
    all: &[Shown],
    mapping: &Mapping,
    document: &Document,
    source: Option<&Json>,
) -> Vec<(String, Json)> {
    let (nested, plain): (Vec<&Shown>, Vec<&Shown>) = all.iter().partition(|one| one.is_nested(mapping));
    let mut shown = Vec::new();
    for one in plain {
        let values = one.values(mapping, document, source);
        if !values.is_empty() {
            shown.push((one.path.clone(), values.into()));
        }
    }
    if let Some(source) = source.filter(|_| !nested.is_empty()) {
        shown.extend(show_nested(&nested, mapping, source, ""));
    }
    shown
}

/// The fields in an object at a nested path (empty: the source), by the next nested path.
fn show_nested(all: &[&Shown], mapping: &Mapping, object: &Json, at: &str) -> Vec<(String, Json)> {
    let mut paths: Vec<&str> = all.iter().filter_map(|one| next_nested(mapping, one, at)).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut shown = Vec::new();
    for path in paths {
        let here: Vec<&Shown> =
            all.iter().filter(|one| next_nested(mapping, one, at) == Some(path)).copied().collect();
        let mut objects = Vec::new();
        collect(object, relative(path, at), &mut |json| objects.push(json));
        let each = objects.into_iter().filter(|json| json.is_object()).map(|object| {
            let (deeper, own): (Vec<&Shown>, Vec<&Shown>) =
                here.iter().partition(|one| next_nested(mapping, one, path).is_some());
            let named = |one: &&Shown| {
                (relative(&mapping.get(one.id).path, path).to_owned(), one.read(mapping, object, path))
            };
            let own = own.iter().map(named).filter(|(_, values)| !values.is_empty());
            let own = own.map(|(name, values)| (name, Json::from(values)));
            own.chain(show_nested(&deeper, mapping, object, path)).collect::<serde_json::Map<String, Json>>()
        });
        let each: Vec<Json> = each.filter(|object| !object.is_empty()).map(Json::Object).collect();
        if !each.is_empty() {
            shown.push((relative(path, at).to_owned(), each.into()));
        }
    }
    shown
}

/// The outermost nested path below `at` that leads to the field.
fn next_nested<'a>(mapping: &'a Mapping, one: &Shown, at: &str) -> Option<&'a str> {
    let mut found = None;
    let mut path = mapping.get(one.id).path.as_str();
    while let Some(nested) = mapping.nested_above(path).filter(|nested| nested.len() > at.len()) {
        found = Some(nested);
        path = nested;
    }
    found
}

/// A path relative to another object's path.
fn relative<'a>(path: &'a str, at: &str) -> &'a str {
    path.strip_prefix(at).map_or(path, |rest| rest.strip_prefix('.').unwrap_or(rest))
}

/// The values at a path, whose parts may be nested objects or dots in names; lists item by item.
fn collect<'a>(json: &'a Json, path: &str, found: &mut impl FnMut(&'a Json)) {
    collect_each(json, path, &|_| false, found);
}

/// As `collect`; a list that is one value stays whole.
fn collect_each<'a>(
    json: &'a Json,
    path: &str,
    is_one: &impl Fn(&[Json]) -> bool,
    found: &mut impl FnMut(&'a Json),
) {
    match json {
        Json::Array(items) if !(path.is_empty() && is_one(items)) => {
            items.iter().for_each(|item| collect_each(item, path, is_one, found));
        }
        json if path.is_empty() => found(json),
        Json::Object(entries) => {
            for (name, value) in entries {
                match path.strip_prefix(name.as_str()) {
                    Some("") => collect_each(value, "", is_one, found),
                    Some(rest) if rest.starts_with('.') => collect_each(value, &rest[1..], is_one, found),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}
