//! Validates documents. A JSON Schema reports every error at once; this module adds messages and positions.
use std::collections::BTreeSet;
use std::sync::OnceLock;

use jsonschema::Validator;
use jsonschema::error::{ValidationError, ValidationErrorKind};
use serde_json::Value;

use crate::endpoint::EndpointKind;
use crate::overlay::{Spans, join};
use crate::report::{Diagnostic, list, nearest, suggest};
use crate::units;

/// The JSON Schema of a rule's manifest, for editors.
pub fn schema_rule() -> &'static Value {
    &rule().document
}

/// The JSON Schema of an environment, for editors.
pub fn schema_environment() -> &'static Value {
    &environment().document
}

/// The JSON Schema of a test file, for editors.
pub fn schema_test() -> &'static Value {
    &test().document
}

pub(crate) fn test() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| Schema::shipped(include_str!("../schema/test.json")))
}

pub(crate) fn rule() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| Schema::shipped(include_str!("../schema/rule.json")))
}

pub(crate) fn environment() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut document = json(include_str!("../schema/environment.json"));
        for kind in EndpointKind::ALL {
            add_keys(&mut document["$defs"]["destination"], kind.keys());
        }
        let needed = EndpointKind::ALL.iter().map(|kind| required(&kind.keys()));
        // What only some kinds require is checked once the product has determined the kind.
        let needed = needed.reduce(|all, of| &all & &of).unwrap_or_default();
        if let Some(required) = document["$defs"]["destination"]["required"].as_array_mut() {
            required.extend(needed.into_iter().map(Value::from));
        }
        Schema::new(document).expect("a shipped schema is a schema")
    })
}

/// The schema of the keys that are specific to a destination's kind.
pub(crate) fn endpoint(kind: EndpointKind) -> &'static Schema {
    static HTTP: OnceLock<Schema> = OnceLock::new();
    static MAIL: OnceLock<Schema> = OnceLock::new();
    static EXEC: OnceLock<Schema> = OnceLock::new();
    static STDOUT: OnceLock<Schema> = OnceLock::new();
    let schema = match kind {
        EndpointKind::Http => &HTTP,
        EndpointKind::Mail => &MAIL,
        EndpointKind::Exec => &EXEC,
        EndpointKind::Stdout => &STDOUT,
    };
    schema.get_or_init(|| {
        let mut document = kind.keys();
        document["$defs"] = environment().document["$defs"].clone();
        Schema::new(document).expect("a shipped schema is a schema")
    })
}

/// Adds the keys of `over` to those of `under`. A key that both have gets the keys of both in turn, and is otherwise
/// what it is in `under`, which is to allow no less.
fn add_keys(under: &mut Value, over: Value) {
    let (Some(under), Value::Object(mut over)) = (under["properties"].as_object_mut(), over) else { return };
    let Some(Value::Object(keys)) = over.remove("properties") else { return };
    for (name, key) in keys {
        match under.get_mut(&name) {
            Some(known) if known["properties"].is_object() => add_keys(known, key),
            Some(_) => {}
            None => drop(under.insert(name, key)),
        }
    }
}

/// The keys that a schema requires.
pub(crate) fn required(schema: &Value) -> BTreeSet<String> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("a shipped schema is JSON")
}

pub(crate) struct Schema {
    document: Value,
    validator: Validator,
}

impl Schema {
    /// # Errors
    /// It is not a valid JSON Schema.
    pub(crate) fn new(document: Value) -> Result<Self, String> {
        let validator = jsonschema::draft202012::new(&document).map_err(|error| error.to_string())?;
        Ok(Self { document, validator })
    }

    fn shipped(text: &str) -> Self {
        Self::new(json(text)).expect("a shipped schema is a schema")
    }

    /// Reports every error in `value`, which is at `prefix` in the document that `spans` describes. Returns the
    /// pointers of the values to remove for the rest to be valid.
    pub(crate) fn check(
        &self,
        value: &Value,
        prefix: &str,
        spans: &Spans,
        faults: &mut Vec<Diagnostic>,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        for error in self.validator.iter_errors(value) {
            self.tell(&error, prefix, spans, faults, &mut wrong);
        }
        wrong
    }

    fn tell(
        &self,
        error: &ValidationError<'_>,
        prefix: &str,
        spans: &Spans,
        faults: &mut Vec<Diagnostic>,
        wrong: &mut Vec<String>,
    ) {
        let pointer = format!("{prefix}{}", error.instance_path().as_str());
        if spans.is_bad(&pointer) {
            wrong.push(pointer); // Reported when it was read.
            return;
        }
        let schema = self.around(error.schema_path().as_str());
        let title = schema.get("title").and_then(Value::as_str).unwrap_or_default();
        let what = match path(&pointer) {
            at if at.is_empty() => "the document".to_string(),
            at => format!("`{at}`"),
        };
        let here = spans.value(&pointer);
        let must = |message: String| Diagnostic::error(here, format!("{what} must {message}"));
        let instance = error.instance().as_ref();
        let secret = is_secret(&pointer);
        let found = |value: &Value| if secret { kind_of(value).into() } else { found(value, title) };
        let meant = || if secret { meant_secret(instance) } else { meant(schema, title, instance) };
        let fault = match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                for name in unexpected {
                    let inside = if pointer.is_empty() { String::new() } else { format!(" in {what}") };
                    let below = join(&pointer, name);
                    let place = spans.key(&below);
                    wrong.push(below.clone());
                    // In `{ user:secret }` the secret is a key.
                    let told = match secret && !name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_')) {
                        true => format!("unknown key{inside}"),
                        false => format!("unknown key `{name}`{inside}"),
                    };
                    faults.push(Diagnostic::error(place, told).maybe_hint(known_key(schema, name)));
                }
                return;
            }
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let inside = if pointer.is_empty() { String::new() } else { format!(" in {what}") };
                let about = schema["properties"][name]["description"].as_str();
                if spans.is_bad(&join(&pointer, name)) {
                    wrong.push(pointer); // Reported when it was read; what needs it is invalid too.
                    return;
                }
                let mut fault =
                    Diagnostic::error(spans.key(&pointer), format!("`{name}` is missing{inside}"));
                fault.notes.extend(about.map(|about| format!("{name}: {about}")));
                fault
            }
            ValidationErrorKind::Type { .. } => {
                must(format!("be {}, found {}", expected(schema, title), found(instance))).maybe_hint(meant())
            }
            ValidationErrorKind::Pattern { .. } => {
                must(format!("be {}, found {}", expected(schema, title), found(instance))).maybe_hint(meant())
            }
            ValidationErrorKind::Enum { options } => {
                let options: Vec<String> = options.as_array().into_iter().flatten().map(plain).collect();
                let near =
                    instance.as_str().and_then(|typed| nearest(typed, options.iter().map(String::as_str)));
                must(format!("be one of {}, found {}", list(&options), found(instance)))
                    .maybe_hint(near.map(|near| format!("did you mean `{near}`?")))
            }
            ValidationErrorKind::Constant { expected_value } => {
                must(format!("be `{}`, found {}", plain(expected_value), found(instance)))
            }
            ValidationErrorKind::Minimum { limit } => must(format!("be at least {limit}, found {instance}")),
            ValidationErrorKind::Maximum { limit } => must(format!("be at most {limit}, found {instance}")),
            ValidationErrorKind::ExclusiveMinimum { limit } => {
                must(format!("be above {limit}, found {instance}"))
            }
            ValidationErrorKind::ExclusiveMaximum { limit } => {
                must(format!("be below {limit}, found {instance}"))
            }
            ValidationErrorKind::MinLength { limit: 1 } | ValidationErrorKind::MinItems { limit: 1 } => {
                must("not be empty".into())
            }
            ValidationErrorKind::MinItems { limit } => must(format!("have at least {limit} items")),
            ValidationErrorKind::MaxItems { limit } => must(format!("have at most {limit} items")),
            ValidationErrorKind::UniqueItems => must("not contain duplicate items".into()),
            ValidationErrorKind::MinProperties { limit: 1 } if keys(schema).is_empty() => {
                must("not be empty".into())
            }
            ValidationErrorKind::MinProperties { .. } | ValidationErrorKind::MaxProperties { limit: 1 } => {
                must(format!("have exactly one of {}", list(keys(schema))))
            }
            ValidationErrorKind::PropertyNames { error } => {
                let name = plain(error.instance());
                let below = join(&pointer, &name);
                wrong.push(below.clone());
                faults.push(
                    Diagnostic::error(spans.key(&below), format!("`{name}` is not a valid name"))
                        .hint("use letters, digits, `_`, `.` and `-`, at most 128 of them"),
                );
                return;
            }
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                // The branch that matched furthest is the one that was intended.
                let depth = |branch: &&Vec<ValidationError<'static>>| {
                    let deepest = branch.iter().map(|error| error.instance_path().as_str().len()).max();
                    let typed =
                        branch.iter().any(|error| matches!(error.kind(), ValidationErrorKind::Type { .. }));
                    (deepest, !typed)
                };
                // Of equals the first: `null` comes last in an optional parameter.
                match context.iter().rev().max_by_key(depth) {
                    Some(branch) if !branch.is_empty() => {
                        for error in branch {
                            self.tell(error, prefix, spans, faults, wrong);
                        }
                        return;
                    }
                    _ if secret => must("be written differently".into()),
                    _ => must(lower(&error.to_string())),
                }
            }
            _ if secret => must("be written differently".into()),
            _ => Diagnostic::error(here, format!("{what}: {}", lower(&error.to_string()))),
        };
        faults.push(fault);
        wrong.push(pointer);
    }

    /// The schema that contains the keyword at `path`.
    fn around(&self, path: &str) -> &Value {
        let parent = path.rfind('/').map_or("", |end| &path[..end]);
        self.document.pointer(parent).unwrap_or(&Value::Null)
    }
}

/// `/alert/escalate/1/after` as `alert.escalate[1].after`.
pub(crate) fn path(pointer: &str) -> String {
    let mut out = String::new();
    for part in pointer.split('/').skip(1) {
        if !out.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            out.push_str(&format!("[{part}]"));
            continue;
        }
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(&part.replace("~1", "/").replace("~0", "~"));
    }
    out
}

fn keys(schema: &Value) -> Vec<&str> {
    schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

fn known_key(schema: &Value, name: &str) -> Option<String> {
    if let Some(now) = schema["x-renamed"][name].as_str() {
        return Some(format!("it is called `{now}` here"));
    }
    suggest(name, &keys(schema))
}

fn is_duration(schema: &Value, title: &str) -> bool {
    title.eq_ignore_ascii_case("duration")
        || schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("(ms|["))
}

fn expected(schema: &Value, title: &str) -> String {
    if is_duration(schema, title) {
        return "a duration".into();
    }
    if !title.is_empty() && title.starts_with(|c: char| c.is_lowercase()) || title.starts_with("SHA") {
        let article = if title.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        return format!("{article} {title}");
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        return format!("a string like `{pattern}`");
    }
    let name = |kind: &Value| match kind.as_str().unwrap_or_default() {
        "string" => "a string",
        "object" => "a map",
        "array" => "a list",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        "null" => "nothing",
        _ => "something else",
    };
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(name).collect::<Vec<_>>().join(" or "),
        kind => name(kind).into(),
    }
}

/// Whether the value at `pointer` may be a secret written in place of a reference, or around one.
fn is_secret(pointer: &str) -> bool {
    const WORDS: [&str; 12] = [
        "auth",
        "secret",
        "password",
        "passwd",
        "token",
        "api_key",
        "apikey",
        "credential",
        "certificate",
        "bearer",
        "hmac",
        "signature",
    ];
    pointer.split('/').skip(1).any(|part| {
        let part = part.to_ascii_lowercase();
        WORDS.iter().any(|word| part.contains(word)) || matches!(part.as_str(), "url" | "nodes")
    })
}

/// The kind of the value, without its content.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
        Value::Bool(_) | Value::Number(_) | Value::String(_) => "a scalar",
    }
}

fn meant_secret(value: &Value) -> Option<String> {
    matches!(value, Value::String(_) | Value::Number(_)).then(|| {
        "secrets are referenced, never written here: `{ env: NAME }`, `{ file: PATH }` or `{ exec: [PROGRAM] }`".into()
    })
}

/// The value, shortened. Never the text itself if it may be a secret.
fn found(value: &Value, title: &str) -> String {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => kind_of(value).into(),
        Value::Bool(value) => format!("`{value}`"),
        _ if title == "secret" || title.starts_with("address") => kind_of(value).into(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() > 60 => {
            format!("`{}…`", text.chars().take(60).collect::<String>())
        }
        Value::String(text) => format!("`{text}`"),
    }
}

fn meant(schema: &Value, title: &str, value: &Value) -> Option<String> {
    if is_duration(schema, title) {
        return Some(match value {
            Value::Number(number) => format!("add a unit: `{number}s`, `{number}m`, `{number}h`"),
            Value::String(text) => match units::meant_duration(text) {
                Some(text) => format!("write `{text}`"),
                None => "write a number and a unit: `30s`, `5m`, `1h30m`".into(),
            },
            _ => "write a number and a unit: `30s`, `5m`, `1h30m`".into(),
        });
    }
    match (title, value) {
        ("size", Value::Number(number)) => return Some(format!("add a unit: `{number}MiB`")),
        ("size", value) => {
            let meant = value.as_str().and_then(units::meant_size);
            return Some(format!("write `{}`", meant.as_deref().unwrap_or("64MiB")));
        }
        ("secret", _) => return meant_secret(value),
        ("comparison", _) => return Some("write `\">= 5\"`, with `>=`, `>`, `<=` or `<`".into()),
        _ => {}
    }
    match (schema["type"].as_str().unwrap_or_default(), value) {
        ("string", Value::Number(_) | Value::Bool(_)) => Some(format!("put it in quotes: \"{value}\"")),
        ("array", Value::String(text)) if !text.contains([',', '[', '\n']) => {
            Some(format!("write a list: `[{text}]`"))
        }
        ("array", Value::String(_) | Value::Number(_)) => Some("write a list: `[…]`".into()),
        ("boolean", Value::String(text)) => match text.to_lowercase().as_str() {
            "yes" | "on" | "y" => Some("write `true`".into()),
            "no" | "off" | "n" => Some("write `false`".into()),
            _ => None,
        },
        ("integer" | "number", Value::String(text)) if text.parse::<f64>().is_ok() => {
            Some(format!("write it without quotes: `{text}`"))
        }
        _ => None,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

/// Messages begin in lower case, names and values aside.
pub(crate) fn lower(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_string(),
    }
}
