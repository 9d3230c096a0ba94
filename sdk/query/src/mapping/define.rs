//! Reads `{"properties": …}`. Types and parameters that are not modelled are refused, never ignored.
use serde_json::{Map, Value as Json};

use super::templates::Template;
use super::{Dynamic, Field, FieldKind, Flavour, Mapping, Object};
use crate::dates::Formats;
use crate::errors::{Answer, Refusal};

type Body = Map<String, Json>;

/// Types that a mapping may contain but that cannot be queried. With whether a text query over all fields would include
/// them.
const OPAQUE: &[(&str, bool)] = &[
    ("geo_shape", false),
    ("binary", false),
    ("dense_vector", false),
    ("unsigned_long", true),
    ("version", true),
    ("search_as_you_type", true),
    ("completion", true),
    ("token_count", true),
    ("integer_range", true),
    ("long_range", true),
    ("float_range", true),
    ("double_range", true),
    ("date_range", true),
    ("ip_range", true),
    ("histogram", true),
];

impl Mapping {
    /// Merges a mapping body. An existing field must keep its type.
    pub fn merge(&mut self, body: &Json) -> Answer<()> {
        let body = body.as_object().ok_or_else(|| Refusal::mapper_parsing("mapping must be an object"))?;
        let mut aliases = Vec::new();
        for (key, value) in body {
            match key.as_str() {
                "properties" => self.properties("", value, &mut aliases)?,
                "dynamic" => self.dynamic = dynamic(value)?,
                "date_detection" => self.no_date_detection = !flag(key, value)?,
                "numeric_detection" => self.numeric_detection = flag(key, value)?,
                "dynamic_date_formats" => {
                    let texts = value.as_array().and_then(|all| {
                        all.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
                    });
                    let formats = texts.ok_or_else(|| {
                        Refusal::mapper_parsing("[dynamic_date_formats] must be a list of formats")
                    })?;
                    for format in &formats {
                        Formats::new(format).map_err(Refusal::mapper_parsing)?;
                    }
                    self.date_formats = Some(formats);
                }
                "dynamic_templates" => {
                    // A template of the same name is replaced.
                    let written = value.as_array().map(Vec::as_slice).unwrap_or_default();
                    for (template, written) in Template::read_all(value)?.into_iter().zip(written) {
                        match self.templates.iter().position(|old| old.name() == template.name()) {
                            Some(at) => {
                                self.templates[at] = template;
                                self.templates_written[at] = written.clone();
                            }
                            None => {
                                self.templates.push(template);
                                self.templates_written.push(written.clone());
                            }
                        }
                    }
                }
                "_source" if value.get("enabled") != Some(&Json::Bool(false)) => {}
                "_meta" => {}
                other => {
                    return Err(Refusal::mapper_parsing(format!(
                        "Root mapping definition has unsupported parameters:  [{other} : {value}]"
                    )));
                }
            }
        }
        for (alias, path) in aliases {
            let Some(id) = self.by_path.get(&path) else {
                return Err(Refusal::mapper_parsing(format!(
                    "Invalid [path] value [{path}] for field alias [{alias}]: an alias must refer to an existing field in \
                     the mappings."
                )));
            };
            self.aliases.insert(alias, *id);
        }
        Ok(())
    }

    /// `aliases` collects field aliases: they may come before their targets.
    fn properties(
        &mut self,
        parent: &str,
        properties: &Json,
        aliases: &mut Vec<(String, String)>,
    ) -> Answer<()> {
        let properties = properties
            .as_object()
            .ok_or_else(|| Refusal::mapper_parsing("Expected map for property [properties]"))?;
        for (name, definition) in properties {
            if name.is_empty() || name.split('.').any(str::is_empty) {
                return Err(Refusal::mapper_parsing("field name cannot be an empty string"));
            }
            let path = if parent.is_empty() { name.clone() } else { format!("{parent}.{name}") };
            let definition = definition.as_object().ok_or_else(|| {
                Refusal::mapper_parsing(format!(
                    "Expected map for property [fields] on field [{name}] but got a {definition}"
                ))
            })?;
            match definition.get("type").and_then(Json::as_str) {
                Some("object" | "nested") | None => self.define_object(path, definition, aliases)?,
                Some("alias") => {
                    let target = definition.get("path").and_then(Json::as_str);
                    let target = target.ok_or_else(|| {
                        Refusal::mapper_parsing(format!(
                            "The [path] property must be specified for field [{path}]."
                        ))
                    })?;
                    if self.by_path.contains_key(&path) || self.objects.contains_key(&path) {
                        return Err(Refusal::illegal(format!(
                            "mapper [{path}] cannot be changed to the type [alias]"
                        )));
                    }
                    aliases.push((path, target.to_owned()));
                }
                Some(kind) => self.define_field(path, kind, definition)?,
            }
        }
        Ok(())
    }

    fn define_object(
        &mut self,
        path: String,
        definition: &Body,
        aliases: &mut Vec<(String, String)>,
    ) -> Answer<()> {
        if path.split('.').count() > super::DEPTH_MAX {
            return Err(Refusal::illegal(format!(
                "Limit of mapping depth [{}] has been exceeded",
                super::DEPTH_MAX
            )));
        }
        if self.by_path.contains_key(&path) {
            return Err(Refusal::illegal(format!(
                "can't merge a non object mapping [{path}] with an object mapping"
            )));
        }
        let nested = definition.get("type").is_some_and(|kind| kind == "nested");
        if let Some(known) = self.object(&path).filter(|known| known.nested != nested) {
            let (old, new) = if known.nested { ("nested", "non-nested") } else { ("non-nested", "nested") };
            return Err(Refusal::illegal(format!(
                "can't merge a {new} mapping [{path}] with a {old} mapping"
            )));
        }
        let mut object = Object { nested, ..Object::default() };
        for (key, value) in definition {
            match key.as_str() {
                "type" | "properties" => {}
                "include_in_parent" | "include_in_root" if nested && !flag(key, value)? => {}
                "dynamic" => object.dynamic = Some(dynamic(value)?),
                "enabled" => object.disabled = !flag(key, value)?,
                other => return Err(unsupported(&path, other, value)),
            }
        }
        self.add_object(path.clone(), object);
        if nested && self.objects.values().filter(|object| object.nested).count() > super::NESTED_MAX {
            return Err(Refusal::illegal(format!(
                "Limit of nested fields [{}] has been exceeded",
                super::NESTED_MAX
            )));
        }
        match definition.get("properties") {
            Some(properties) => self.properties(&path, properties, aliases),
            None => Ok(()),
        }
    }

    fn define_field(&mut self, path: String, kind: &str, definition: &Body) -> Answer<()> {
        if self.objects.contains_key(&path) {
            return Err(Refusal::illegal(format!(
                "can't merge an object mapping [{path}] with a non object mapping"
            )));
        }
        let field = Field::define(path.clone(), kind, definition)?;
        let id = match self.by_path.get(&path) {
            Some(id) if self.get(*id).kind != field.kind => {
                let (old, new) = (self.get(*id).kind.name(), field.kind.name());
                return Err(Refusal::illegal(format!(
                    "mapper [{path}] cannot be changed from type [{old}] to [{new}]"
                )));
            }
            Some(id) if self.get(*id).constant != field.constant => {
                if self.get(*id).constant.is_some() {
                    return Err(Refusal::illegal(format!(
                        "Mapper for [{path}] conflicts with existing mapper: Cannot update parameter [value]"
                    )));
                }
                let id = *id;
                self.fields[id as usize] = field;
                id
            }
            Some(id) => *id,
            None => self.add(field)?,
        };
        let Some(subs) = definition.get("fields") else { return Ok(()) };
        let subs =
            subs.as_object().ok_or_else(|| Refusal::mapper_parsing("expected map for property [fields]"))?;
        for (name, definition) in subs {
            let path = format!("{path}.{name}");
            if self.by_path.contains_key(&path) {
                continue;
            }
            let definition =
                definition.as_object().ok_or_else(|| Refusal::mapper_parsing("expected a map"))?;
            let kind = definition.get("type").and_then(Json::as_str);
            let kind = kind
                .ok_or_else(|| Refusal::mapper_parsing(format!("no type specified for property [{name}]")))?;
            let mut field = Field::define(path, kind, definition)?;
            field.parent = Some(id);
            let sub = self.add(field)?;
            self.fields[id as usize].subs.push(sub);
        }
        Ok(())
    }
}

impl Field {
    /// A field with the defaults of its kind.
    pub fn plain(path: String, kind: FieldKind) -> Self {
        let mut definition = Body::new();
        definition.insert("type".into(), kind.name().into());
        Self {
            path,
            kind,
            index: true,
            doc_values: !kind.is_text(),
            ignore_above: usize::MAX,
            depth_limit: super::DEPTH_MAX,
            ignore_malformed: false,
            lowercase: false,
            formats: Formats::default(),
            null_value: None,
            constant: None,
            subs: Vec::new(),
            parent: None,
            definition,
        }
    }

    fn define(path: String, kind: &str, definition: &Body) -> Answer<Self> {
        let scaling = || {
            definition.get("scaling_factor").and_then(Json::as_f64).filter(|factor| *factor > 0.0).ok_or_else(
                || {
                    Refusal::mapper_parsing(format!(
                        "Field [{path}] misses required parameter [scaling_factor]"
                    ))
                },
            )
        };
        let whole = |name, min, max| FieldKind::Whole { name, min, max };
        let real = |name, single, scaling| FieldKind::Real { name, single, scaling };
        let kind = match kind {
            "keyword" => FieldKind::Keyword(Flavour::Plain),
            "wildcard" => FieldKind::Keyword(Flavour::Wildcard),
            "constant_keyword" => FieldKind::Keyword(Flavour::Constant),
            "flattened" => FieldKind::Keyword(Flavour::Flattened),
            "text" => FieldKind::Text { match_only: false },
            "match_only_text" => FieldKind::Text { match_only: true },
            "long" => whole("long", i64::MIN, i64::MAX),
            "integer" => whole("integer", i32::MIN.into(), i32::MAX.into()),
            "short" => whole("short", i16::MIN.into(), i16::MAX.into()),
            "byte" => whole("byte", i8::MIN.into(), i8::MAX.into()),
            "double" => real("double", false, None),
            "float" => real("float", true, None),
            "half_float" => real("half_float", true, None),
            "scaled_float" => real("scaled_float", false, Some(scaling()?)),
            "boolean" => FieldKind::Boolean,
            "date" => FieldKind::Date,
            "date_nanos" => FieldKind::DateNanos,
            "ip" => FieldKind::Ip,
            "geo_point" => FieldKind::GeoPoint,
            other => match OPAQUE.iter().find(|(name, _)| *name == other) {
                Some((name, _)) => FieldKind::Opaque(name),
                None => {
                    return Err(Refusal::mapper_parsing(format!(
                        "No handler for type [{other}] declared on field [{path}]"
                    )));
                }
            },
        };
        let mut field = Self::plain(path, kind);
        field.definition = definition.clone();
        field.definition.shift_remove("fields");
        if let FieldKind::Opaque(name) = kind {
            field.doc_values = false;
            field.index = OPAQUE.iter().any(|(known, met)| *known == name && *met);
            // `copy_to` would need more than the field's name.
            let writes = ["copy_to", "fields", "include_in_parent", "include_in_root"];
            return match definition.iter().find(|(key, _)| writes.contains(&key.as_str())) {
                Some((key, value)) => Err(unsupported(&field.path, key, value)),
                None => Ok(field),
            };
        }
        for (key, value) in definition {
            match (key.as_str(), kind) {
                // They would hold the point's geohash.
                ("fields", FieldKind::GeoPoint) => return Err(unsupported(&field.path, key, value)),
                ("type" | "fields" | "meta" | "boost", _) => {}
                ("ignore_z_value", FieldKind::GeoPoint) if value == &Json::Bool(true) => {}
                ("value", FieldKind::Keyword(Flavour::Constant)) => {
                    let text = crate::value::scalar_text(value);
                    field.constant = Some(text.ok_or_else(|| unsupported(&field.path, key, value))?.into());
                }
                (_, FieldKind::Keyword(Flavour::Constant)) => {
                    return Err(unsupported(&field.path, key, value));
                }
                ("store", _) if value == &Json::Bool(false) => {}
                ("index", _) => field.index = flag(key, value)?,
                ("doc_values", _) if !kind.is_text() => field.doc_values = flag(key, value)?,
                ("null_value", kind) if !kind.is_text() && kind != FieldKind::Keyword(Flavour::Flattened) => {
                    field.null_value = Some(value.clone())
                }
                ("ignore_above", FieldKind::Keyword(_)) => {
                    let above = value.as_u64().and_then(|n| usize::try_from(n).ok());
                    field.ignore_above = above.ok_or_else(|| unsupported(&field.path, key, value))?;
                }
                ("depth_limit", FieldKind::Keyword(Flavour::Flattened)) => {
                    let limit = value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
                    field.depth_limit = limit.ok_or_else(|| unsupported(&field.path, key, value))?;
                }
                ("normalizer", FieldKind::Keyword(Flavour::Plain)) if value == "lowercase" => {
                    field.lowercase = true
                }
                (
                    "norms" | "eager_global_ordinals" | "index_options" | "similarity",
                    FieldKind::Keyword(_),
                ) => {}
                ("norms" | "index_options" | "similarity", FieldKind::Text { .. }) => {}
                ("fielddata", FieldKind::Text { .. }) if value == &Json::Bool(false) => {}
                ("analyzer" | "search_analyzer", FieldKind::Text { .. }) if value == "standard" => {}
                ("format", FieldKind::Date | FieldKind::DateNanos) => {
                    let text = value.as_str().ok_or_else(|| unsupported(&field.path, key, value))?;
                    field.formats = Formats::new(text).map_err(Refusal::mapper_parsing)?;
                }
                ("coerce", FieldKind::Whole { .. } | FieldKind::Real { .. })
                    if value == &Json::Bool(true) => {}
                ("scaling_factor", FieldKind::Real { scaling: Some(_), .. }) => {}
                ("ignore_malformed", _) if !kind.is_text() => field.ignore_malformed = flag(key, value)?,
                (other, _) => return Err(unsupported(&field.path, other, value)),
            }
        }
        Ok(field)
    }
}

fn unsupported(path: &str, key: &str, value: &Json) -> Refusal {
    Refusal::mapper_parsing(format!(
        "Mapping definition for [{path}] has unsupported parameters:  [{key} : {value}]"
    ))
}

fn dynamic(value: &Json) -> Answer<Dynamic> {
    match value {
        Json::Bool(true) => Ok(Dynamic::Yes),
        Json::Bool(false) => Ok(Dynamic::No),
        Json::String(text) if text == "true" => Ok(Dynamic::Yes),
        Json::String(text) if text == "false" => Ok(Dynamic::No),
        Json::String(text) if text == "strict" => Ok(Dynamic::Strict),
        other => Err(Refusal::mapper_parsing(format!("unsupported value [{other}] of parameter [dynamic]"))),
    }
}

fn flag(key: &str, value: &Json) -> Answer<bool> {
    match value {
        Json::Bool(flag) => Ok(*flag),
        Json::String(text) if text == "true" || text == "false" => Ok(text == "true"),
        other => Err(Refusal::mapper_parsing(format!(
            "Failed to parse value [{other}] of parameter [{key}] as only [true] or [false] are allowed."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(body: Json) -> String {
        Mapping::default().merge(&body).unwrap_err().reason
    }

    #[test]
    fn what_is_not_modelled_is_refused() {
        assert!(
            refusal(json!({"properties": {"a": {"type": "geopoint"}}}))
                .contains("No handler for type [geopoint]")
        );
        assert!(
            refusal(json!({"properties": {"a": {"type": "text", "analyzer": "german"}}}))
                .contains("[analyzer")
        );
        assert!(
            refusal(json!({"properties": {"a": {"type": "keyword", "copy_to": "b"}}})).contains("[copy_to")
        );
        assert!(refusal(json!({"runtime": {"a": {"type": "long"}}})).contains("[runtime"));
    }

    #[test]
    fn a_type_cannot_change_and_multi_fields_have_paths() {
        let mut mapping = Mapping::default();
        let body = json!({"properties": {"a.b": {"type": "text", "fields": {"raw": {"type": "keyword"}}}}});
        mapping.merge(&body).unwrap();
        mapping.merge(&body).unwrap();
        assert_eq!(mapping.fields.len(), 2);
        assert!(mapping.field("a.b.raw").is_some() && mapping.object("a").is_some());
        let refusal = mapping
            .merge(&json!({"properties": {"a": {"properties": {"b": {"type": "long"}}}}}))
            .unwrap_err();
        assert_eq!(refusal.reason, "mapper [a.b] cannot be changed from type [text] to [long]");
    }
}
