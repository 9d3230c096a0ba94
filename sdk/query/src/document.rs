//! One document: its source as received, and its fields as the mapping reads them.
use std::sync::Arc;

use serde_json::Value as Json;

use crate::errors::{Answer, Refusal, UNMODELLED};
use crate::mapping::{DEPTH_MAX, Dynamic, FieldId, FieldKind, Flavour, Mapping};
use crate::scalar::scalar_text;
use crate::text;
use crate::value::{Value, utf16_units};

/// As `index.mapping.nested_objects.limit`.
const NESTED_OBJECTS_MAX: usize = 10_000;
/// Lucene's longest term.
const TERM_BYTES_MAX: usize = 32_766;

#[derive(Debug)]
pub struct Document {
    pub id: Box<str>,
    pub seq_no: u64,
    pub version: u64,
    pub source: Box<str>,
    /// Sorted by field, values in the order of doc values.
    fields: Box<[(FieldId, Box<[Value]>)]>,
    /// Paths of values that were not indexed, as in `_ignored`.
    pub ignored: Box<[Box<str>]>,
    /// Nested objects in source order: documents with the same id that searches do not find by themselves. Objects
    /// inside another nested object belong to that one.
    nested: Box<[Nested]>,
}

type Nested = (Box<str>, Arc<Document>);

impl Document {
    /// Reads a source against the mapping, which grows by unknown fields where it may.
    pub fn parse(id: &str, source: &str, mapping: &mut Arc<Mapping>) -> Answer<Self> {
        let json: Json = serde_json::from_str(source).map_err(|error| {
            Refusal::mapper_parsing("failed to parse").caused_by("json_parse_exception", error.to_string())
        })?;
        if !json.is_object() {
            return Err(Refusal::mapper_parsing("Malformed content, must start with an object"));
        }
        let mut reader =
            Reader { id, mapping, found: Found::default(), ignored: Vec::new(), nested_objects: 0 };
        reader.object("", &json, 0)?;
        let Reader { mut found, mut ignored, mapping, .. } = reader;
        found.fields.extend(mapping.constants().map(|(id, value)| (id, Value::Str(value.into()))));
        ignored.sort();
        ignored.dedup();
        Ok(Self {
            source: source.trim().into(),
            ignored: ignored.into_iter().map(Into::into).collect(),
            ..found.document(id, mapping)
        })
    }

    /// The same document with constants that its mapping did not know when it was written.
    pub fn with_constants(&self, mapping: &Mapping) -> Self {
        let mut fields = self.fields.to_vec();
        for (id, value) in mapping.constants() {
            if let Err(at) = fields.binary_search_by_key(&id, |(id, _)| *id) {
                fields.insert(at, (id, [Value::Str(value.into())].into()));
            }
        }
        Self {
            id: self.id.clone(),
            seq_no: self.seq_no,
            version: self.version,
            source: self.source.clone(),
            fields: fields.into(),
            ignored: self.ignored.clone(),
            nested: self.nested.clone(),
        }
    }

    /// The values of a field; empty if the document has none.
    pub fn values(&self, field: FieldId) -> &[Value] {
        match self.fields.binary_search_by_key(&field, |(id, _)| *id) {
            Ok(at) => &self.fields[at].1,
            Err(_) => &[],
        }
    }

    /// The objects at a nested path, at any level.
    pub fn at<'a>(&'a self, path: &'a str) -> Box<dyn Iterator<Item = &'a Arc<Self>> + 'a> {
        Box::new(self.nested.iter().flat_map(move |(own, document)| {
            let here = (**own == *path).then_some(document);
            let below = path.strip_prefix(&**own).is_some_and(|rest| rest.starts_with('.'));
            let deeper = below.then(|| document.at(path));
            here.into_iter().chain(deeper.into_iter().flatten())
        }))
    }

    /// Itself and all nested objects.
    pub fn all(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        Box::new(std::iter::once(self).chain(self.nested.iter().flat_map(|(_, document)| document.all())))
    }

    pub fn bytes(&self) -> usize {
        let nested: usize = self.nested.iter().map(|(path, document)| path.len() + document.bytes()).sum();
        // The fields take about as much as a second copy of the source.
        2 * self.source.len() + 48 * self.fields.len() + 128 + nested
    }
}

/// What was read of one object, without nested ones.
#[derive(Default)]
struct Found {
    fields: Vec<(FieldId, Value)>,
    nested: Vec<Nested>,
}

impl Found {
    fn document(mut self, id: &str, mapping: &Mapping) -> Document {
        self.fields.sort_by_key(|(id, _)| *id);
        let mut merged: Vec<(FieldId, Vec<Value>)> = Vec::with_capacity(self.fields.len());
        for (id, value) in self.fields {
            match merged.last_mut() {
                Some((last, values)) if *last == id => values.push(value),
                _ => merged.push((id, vec![value])),
            }
        }
        let fields = merged.into_iter().map(|(id, mut values)| {
            let kind = mapping.get(id).kind;
            if !kind.is_text() {
                values.sort_by(Value::order);
            }
            // Sets drop duplicates; numbers keep them, as sorted numeric doc values do.
            if matches!(kind, FieldKind::Keyword(_) | FieldKind::Ip) {
                values.dedup();
            }
            (id, values.into_boxed_slice())
        });
        Document {
            id: id.into(),
            seq_no: 0,
            version: 1,
            source: Box::default(),
            fields: fields.collect(),
            ignored: Box::default(),
            nested: self.nested.into(),
        }
    }
}

struct Reader<'a> {
    id: &'a str,
    mapping: &'a mut Arc<Mapping>,
    found: Found,
    ignored: Vec<String>,
    nested_objects: usize,
}

impl Reader<'_> {
    fn object(&mut self, path: &str, json: &Json, depth: usize) -> Answer<()> {
        if depth > DEPTH_MAX {
            return Err(Refusal::illegal(format!("Limit of mapping depth [{DEPTH_MAX}] has been exceeded")));
        }
        for (name, value) in json.as_object().into_iter().flatten() {
            if name.split('.').any(|part| part.trim().is_empty()) {
                return Err(Refusal::mapper_parsing("failed to parse").caused_by(
                    "illegal_argument_exception",
                    format!("field name cannot contain only whitespace or empty parts: ['{name}']"),
                ));
            }
            if path.is_empty()
                && matches!(name.as_str(), "_id" | "_index" | "_source" | "_ignored" | "_routing")
            {
                return Err(Refusal::mapper_parsing(format!(
                    "Field [{name}] is a metadata field and cannot be added inside a document. Use the index API request parameters."
                )));
            }
            let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if name.contains('.')
                && let Some(nested) =
                    self.mapping.nested_above(&below).filter(|nested| nested.len() > path.len())
            {
                return Err(Refusal::mapper_parsing(format!(
                    "Cannot add a value for field [{below}] since one of the intermediate objects is mapped as a nested \
                     object: [{nested}]"
                )));
            }
            self.value(&below, value, depth)?;
        }
        Ok(())
    }

    fn value(&mut self, path: &str, json: &Json, depth: usize) -> Answer<()> {
        if self.mapping.is_alias(path) {
            return Err(Refusal::mapper_parsing("failed to parse").caused_by(
                "illegal_argument_exception",
                format!("Cannot write to a field alias [{path}]."),
            ));
        }
        if let Some((id, field)) = self.mapping.listed(path) {
            if field.kind == FieldKind::Keyword(Flavour::Flattened) {
                return self.flattened(id, path, json, 0);
            }
            return self.leaf(id, json);
        }
        if let Some((_, root)) = self.mapping.field(path)
            && let Some(id) = root.parent
        {
            // `{"labels.a": …}` is `{"labels": {"a": …}}`.
            return self.flattened(id, path, json, 1);
        }
        if self.mapping.object(path).is_some_and(|object| object.disabled) {
            return Ok(());
        }
        match json {
            Json::Null => Ok(()),
            Json::Array(items) => {
                // Nested arrays are one flat list of values.
                if depth > DEPTH_MAX {
                    return Err(Refusal::mapper_parsing("arrays are nested too deeply"));
                }
                items.iter().try_for_each(|item| self.value(path, item, depth + 1))
            }
            Json::Object(_) => {
                if self.mapping.object(path).is_none() {
                    match self.mapping.dynamic_at(parent(path)) {
                        Dynamic::Yes => match self.mapping.object_template(path) {
                            Some(definition) => {
                                Arc::make_mut(self.mapping).define(path, definition)?;
                                return self.value(path, json, depth);
                            }
                            None => {
                                Arc::make_mut(self.mapping).add_object(path.to_owned(), Default::default());
                            }
                        },
                        Dynamic::No => return Ok(()),
                        Dynamic::Strict => return Err(self.strict(path)),
                    }
                }
                if self.mapping.is_nested(path) {
                    return self.nested(path, json, depth + 1);
                }
                self.object(path, json, depth + 1)
            }
            scalar if self.mapping.object(path).is_some() => Err(Refusal::new(
                400,
                "mapper_parsing_exception",
                format!("object mapping for [{path}] tried to parse field [{path}] as object, but found a concrete value"),
            )
            .with("value", scalar.to_string())),
            scalar => {
                match self.mapping.dynamic_at(parent(path)) {
                    Dynamic::Yes => {}
                    Dynamic::No => return Ok(()),
                    Dynamic::Strict => return Err(self.strict(path)),
                }
                let Some(inferred) = self.mapping.infer(scalar) else { return Ok(()) };
                let id = Arc::make_mut(self.mapping).add_inferred(path, inferred)?;
                self.leaf(id, scalar)
            }
        }
    }

    fn nested(&mut self, path: &str, json: &Json, depth: usize) -> Answer<()> {
        self.nested_objects += 1;
        if self.nested_objects > NESTED_OBJECTS_MAX {
            return Err(Refusal::mapper_parsing(format!(
                "The number of nested documents has exceeded the allowed limit of [{NESTED_OBJECTS_MAX}]. This limit can be \
                 set by changing the [index.mapping.nested_objects.limit] index level setting."
            )));
        }
        let around = std::mem::take(&mut self.found);
        self.object(path, json, depth)?;
        let inner = std::mem::replace(&mut self.found, around);
        self.found.nested.push((path.into(), Arc::new(inner.document(self.id, self.mapping))));
        Ok(())
    }

    fn strict(&self, path: &str) -> Refusal {
        let (parent, name) = path.rsplit_once('.').unwrap_or(("_doc", path));
        Refusal::new(
            400,
            "strict_dynamic_mapping_exception",
            format!(
                "mapping set to strict, dynamic introduction of [{name}] within [{parent}] is not allowed"
            ),
        )
    }

    fn leaf(&mut self, id: FieldId, json: &Json) -> Answer<()> {
        if matches!(self.mapping.get(id).kind, FieldKind::Opaque(_)) {
            return Ok(());
        }
        if let Json::Array(items) = json
            && !self.mapping.get(id).is_point(items)
        {
            return items.iter().try_for_each(|item| self.leaf(id, item));
        }
        self.one(id, json)?;
        for at in 0..self.mapping.get(id).subs.len() {
            self.one(self.mapping.get(id).subs[at], json)?;
        }
        Ok(())
    }

    /// The leaves of an object, each under its own key and under the object's field.
    fn flattened(&mut self, root: FieldId, path: &str, json: &Json, depth: usize) -> Answer<()> {
        let field = self.mapping.get(root);
        match json {
            Json::Null => Ok(()),
            Json::Array(items) => items.iter().try_for_each(|item| self.flattened(root, path, item, depth)),
            Json::Object(entries) => {
                if depth >= field.depth_limit {
                    let (path, limit) = (&field.path, field.depth_limit);
                    let reason = format!(
                        "The provided [flattened] field [{path}] exceeds the maximum depth limit of [{limit}]."
                    );
                    return Err(Refusal::mapper_parsing(format!(
                        "failed to parse field [{path}] of type [flattened] in document with id '{}'",
                        self.id
                    ))
                    .caused_by("illegal_argument_exception", reason));
                }
                let each = |(name, value): (&String, &Json)| {
                    self.flattened(root, &format!("{path}.{name}"), value, depth + 1)
                };
                entries.iter().try_for_each(each)
            }
            scalar if depth == 0 => Err(Refusal::new(
                400,
                "parsing_exception",
                format!(
                    "Failed to parse object: expecting token of type [START_OBJECT] but found [{scalar}]"
                ),
            )),
            scalar => {
                let Some(text) = scalar_text(scalar) else { return Ok(()) };
                if utf16_units(&text) > field.ignore_above {
                    return Ok(());
                }
                // A known key does not change the mapping, which others may share.
                let key = match self.mapping.known_key(path) {
                    Some(key) => key,
                    None => Arc::make_mut(self.mapping).add_key(root, path)?,
                };
                let value = Value::Str(text.into());
                self.found.fields.extend([(root, value.clone()), (key, value)]);
                Ok(())
            }
        }
    }

    fn one(&mut self, id: FieldId, json: &Json) -> Answer<()> {
        let field = self.mapping.get(id);
        let json = match (json, &field.null_value) {
            (Json::Null, None) => return Ok(()),
            (Json::Null, Some(value)) => value,
            (json, _) => json,
        };
        let failed = |kind: &'static str, reason: String| {
            let (path, name) = (&field.path, field.kind.name());
            Refusal::mapper_parsing(format!(
                "failed to parse field [{path}] of type [{name}] in document with id '{}'. Preview of field's value: '{}'",
                self.id,
                scalar_text(json).unwrap_or_else(|| json.to_string())
            ))
            .caused_by(kind, reason)
        };
        let value = match field.kind {
            FieldKind::Keyword(Flavour::Constant) => {
                let text = scalar_text(json).ok_or_else(|| {
                    failed("illegal_argument_exception", "Can't get text on a START_OBJECT".into())
                })?;
                return match &field.constant {
                    Some(constant) if **constant == *text => Ok(()),
                    Some(constant) => Err(failed(
                        "illegal_argument_exception",
                        format!(
                            "[constant_keyword] field [{}] only accepts values that are equal to the value defined in the \
                             mappings [{constant}], but got [{text}]",
                            field.path
                        ),
                    )),
                    None => {
                        Arc::make_mut(self.mapping).fix(id, &text);
                        Ok(())
                    }
                };
            }
            FieldKind::Text { .. } | FieldKind::Keyword(_) => {
                let Some(text) = scalar_text(json) else {
                    return Err(failed("illegal_state_exception", "Can't get text on a START_OBJECT".into()));
                };
                if field.kind.is_text() {
                    Value::Tokens(text::analyze(&text).into())
                } else if utf16_units(&text) > field.ignore_above {
                    self.ignored.push(field.path.clone());
                    return Ok(());
                } else {
                    let text = if field.lowercase { text.to_lowercase() } else { text };
                    if text.len() > TERM_BYTES_MAX && matches!(field.kind, FieldKind::Keyword(Flavour::Plain))
                    {
                        return Err(Refusal::illegal(format!(
                            "Document contains at least one immense term in field=\"{}\" (whose UTF8 encoding is longer than the max length {TERM_BYTES_MAX})",
                            field.path
                        )));
                    }
                    Value::Str(text.into())
                }
            }
            _ => match field.coerce(json) {
                // An empty string is neither a number nor a date.
                Err(reason) if field.ignore_malformed && !reason.ends_with(UNMODELLED) => {
                    self.ignored.push(field.path.clone());
                    return Ok(());
                }
                Err(reason) => return Err(failed("illegal_argument_exception", reason)),
                Ok(value) => value,
            },
        };
        self.found.fields.push((id, value));
        Ok(())
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(source: &str, mapping: &mut Arc<Mapping>) -> Answer<Document> {
        Document::parse("1", source, mapping)
    }

    #[test]
    fn dynamic_mapping_infers_as_elasticsearch_does() {
        let mut mapping = Arc::new(Mapping::default());
        let source = r#"{"a.b": 1, "c": {"d": [null, 1.5]}, "e": "2024-01-01", "f": "text", "g": "2024", "h": true, "i": [], "j": null}"#;
        parse(source, &mut mapping).unwrap();
        let kind = |path: &str| mapping.field(path).map(|(_, field)| field.kind.name());
        assert_eq!(kind("a.b"), Some("long"));
        assert_eq!(kind("c.d"), Some("float"));
        assert_eq!(kind("e"), Some("date"));
        assert_eq!((kind("f"), kind("f.keyword")), (Some("text"), Some("keyword")));
        assert_eq!(kind("g"), Some("text"));
        assert_eq!(kind("h"), Some("boolean"));
        assert_eq!((kind("i"), kind("j")), (None, None));
    }

    #[test]
    fn values_are_kept_as_doc_values_keep_them() {
        let mut mapping = Arc::new(Mapping::default());
        let long = "x".repeat(300);
        let document =
            parse(&format!(r#"{{"n": [3,1,3], "s": ["b","a","b","{long}"]}}"#), &mut mapping).unwrap();
        let of = |path: &str| document.values(mapping.field(path).unwrap().0);
        assert_eq!(of("n"), [Value::Long(1), Value::Long(3), Value::Long(3)]);
        assert_eq!(of("s.keyword"), [Value::Str("a".into()), Value::Str("b".into())]);
        assert_eq!(&*document.ignored, ["s.keyword".into()]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut mapping = Arc::new(Mapping::default());
        Arc::make_mut(&mut mapping)
            .merge(&serde_json::json!({"dynamic": "strict", "properties": {"n": {"type": "byte"}, "o": {"properties": {}}}}))
            .unwrap();
        let mut reason = |source: &str| parse(source, &mut mapping).unwrap_err();
        assert_eq!(reason(r#"{"x": 1}"#).kind, "strict_dynamic_mapping_exception");
        assert!(reason(r#"{"n": 300}"#).cause.unwrap().1.contains("out of range for a byte"));
        assert!(reason(r#"{"o": 3}"#).reason.starts_with("object mapping for [o]"));
        assert!(reason(r#"{"": 3}"#).cause.is_some());
        assert_eq!(reason("[1]").kind, "mapper_parsing_exception");
    }
}
