//! Prints a mapping as in `GET /INDEX/_mapping`.
use serde_json::{Map, Value as Json, json};

use super::{Dynamic, Field, Mapping};

impl Mapping {
    pub fn print(&self) -> Json {
        let mut root = Map::new();
        match self.dynamic {
            Dynamic::Yes => {}
            Dynamic::No => drop(root.insert("dynamic".into(), "false".into())),
            Dynamic::Strict => drop(root.insert("dynamic".into(), "strict".into())),
        }
        if self.no_date_detection {
            root.insert("date_detection".into(), false.into());
        }
        if self.numeric_detection {
            root.insert("numeric_detection".into(), true.into());
        }
        if let Some(formats) = &self.date_formats {
            root.insert("dynamic_date_formats".into(), formats.clone().into());
        }
        if !self.templates_written.is_empty() {
            root.insert("dynamic_templates".into(), self.templates_written.clone().into());
        }
        for (path, object) in self.object_paths() {
            let slot = descend(&mut root, path);
            match object.dynamic {
                None => {}
                Some(Dynamic::Yes) => drop(slot.insert("dynamic".into(), "true".into())),
                Some(Dynamic::No) => drop(slot.insert("dynamic".into(), "false".into())),
                Some(Dynamic::Strict) => drop(slot.insert("dynamic".into(), "strict".into())),
            }
            if object.disabled {
                slot.insert("enabled".into(), false.into());
            }
            if object.nested {
                slot.insert("type".into(), "nested".into());
            } else if object.disabled || object.dynamic.is_some() {
                slot.insert("type".into(), "object".into());
            }
        }
        let mut fields: Vec<&Field> = self.fields.iter().filter(|field| field.parent.is_none()).collect();
        fields.sort_by(|a, b| a.path.cmp(&b.path));
        for field in fields {
            descend(&mut root, &field.path).extend(self.definition(field));
        }
        for (alias, field) in self.aliases() {
            let slot = descend(&mut root, alias);
            slot.insert("type".into(), "alias".into());
            slot.insert("path".into(), field.path.clone().into());
        }
        Json::Object(root)
    }

    /// The fields that match patterns, as in `GET /INDEX/_mapping/field/PATTERNS`.
    pub fn print_fields(&self, patterns: &[&str]) -> Json {
        let mut shown = Map::new();
        let ids = patterns.iter().flat_map(|pattern| self.matching(pattern));
        for field in ids.map(|id| self.get(id)).filter(|field| !field.is_hidden()) {
            let leaf = field.path.rsplit('.').next().unwrap_or_default();
            let mapping = json!({ leaf: self.definition(field) });
            shown.insert(field.path.clone(), json!({"full_name": field.path, "mapping": mapping}));
        }
        Json::Object(shown)
    }

    /// A field's definition with its multi-fields.
    fn definition(&self, field: &Field) -> Map<String, Json> {
        let mut definition = field.definition.clone();
        if !field.subs.is_empty() {
            let subs = field.subs.iter().map(|sub| self.get(*sub)).map(|sub| {
                let name = sub.path.strip_prefix(&field.path).unwrap_or(&sub.path).trim_start_matches('.');
                (name.to_owned(), Json::Object(sub.definition.clone()))
            });
            definition.insert("fields".into(), Json::Object(subs.collect()));
        }
        definition
    }
}

/// The definition at a path, created if missing.
fn descend<'a>(mut at: &'a mut Map<String, Json>, path: &str) -> &'a mut Map<String, Json> {
    for name in path.split('.') {
        let properties = entry(at, "properties");
        at = entry(properties, name);
    }
    at
}

fn entry<'a>(map: &'a mut Map<String, Json>, key: &str) -> &'a mut Map<String, Json> {
    let slot = map.entry(key.to_owned()).or_insert_with(|| json!({}));
    if !slot.is_object() {
        *slot = json!({});
    }
    match slot {
        Json::Object(map) => map,
        // It was created as an object two lines above.
        _ => unreachable!("a definition is an object"),
    }
}
