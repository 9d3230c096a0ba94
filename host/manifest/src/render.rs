//! The effective bundle for people: defaults filled in, secrets by reference.
use std::collections::BTreeMap;
use std::fmt::{self, Write};

use serde::Serialize;
use serde_json::Value;
use watchbell_outside::{is_hidden, json, line, yaml_scalar};

use crate::Bundle;
use crate::tree::plain_value;

/// The environment, every rule and every file of macros that texts import as YAML, one document each.
pub fn render(bundle: &Bundle) -> String {
    let mut out = format!("# environment {}\n", bundle.environment.name);
    yaml(&bundle.environment.effective, 0, &mut out);
    for rule in &bundle.rules {
        // Writing to a string cannot fail.
        let _ = write!(out, "---\n# {}\n", line(&rule.source.display().to_string()));
        yaml(&rule.effective, 0, &mut out);
    }
    for (name, source) in bundle.macros.files() {
        let _ = write!(out, "---\n# texts/{}.jinja\n", line(name));
        yaml(&serde_json::json!({ name: source }), 0, &mut out);
    }
    out
}

/// One difference between two bundles.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// `environment`, `rule NAME` or `texts NAME`.
    pub subject: String,
    /// `params.height`; empty: the whole.
    pub path: String,
    /// `None`: absent.
    pub a: Option<Value>,
    pub b: Option<Value>,
}

/// The differences between `a` and `b`, sorted by subject and path.
pub fn differences(a: &Bundle, b: &Bundle) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("environment", &a.environment.effective, &b.environment.effective, &mut found);
    let rules = |bundle: &Bundle| -> BTreeMap<String, Value> {
        bundle.rules.iter().map(|rule| (rule.spec.name.0.clone(), rule.effective.clone())).collect()
    };
    let (ours, theirs) = (rules(a), rules(b));
    let names: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for name in names {
        let subject = format!("rule {name}");
        match (ours.get(name), theirs.get(name)) {
            (Some(ours), Some(theirs)) => compare(&subject, ours, theirs, &mut found),
            (ours, theirs) => {
                found.push(Difference { subject, path: String::new(), a: ours.cloned(), b: theirs.cloned() });
            }
        }
    }
    let names: std::collections::BTreeSet<&str> =
        a.macros.files().chain(b.macros.files()).map(|(name, _)| name).collect();
    for name in names {
        let of = |bundle: &Bundle| bundle.macros.source(name).map(Value::from);
        let (a, b) = (of(a), of(b));
        if a != b {
            found.push(Difference { subject: format!("texts {name}"), path: String::new(), a, b });
        }
    }
    found
}

/// The differences, one per line.
pub fn diff(a: &Bundle, b: &Bundle) -> String {
    differences(a, b).iter().map(|difference| format!("{difference}\n")).collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<Value>| match value {
            None => "(nothing)".to_string(),
            Some(Value::Object(_)) if self.path.is_empty() => "(there)".to_string(),
            Some(value) => value.to_string(),
        };
        let dot = if self.path.is_empty() { "" } else { ": " };
        let (subject, path) = (line(&self.subject), line(&self.path));
        write!(f, "{subject}{dot}{path}: {} -> {}", json(&show(&self.a)), json(&show(&self.b)))
    }
}

fn compare(subject: &str, a: &Value, b: &Value, found: &mut Vec<Difference>) {
    fn flatten<'a>(path: String, value: &'a Value, into: &mut BTreeMap<String, &'a Value>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    flatten(below, value, into);
                }
            }
            leaf => {
                into.insert(path, leaf);
            }
        }
    }
    let (mut ours, mut theirs) = (BTreeMap::new(), BTreeMap::new());
    flatten(String::new(), a, &mut ours);
    flatten(String::new(), b, &mut theirs);
    let paths: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for path in paths {
        let (a, b) = (ours.get(path).copied(), theirs.get(path).copied());
        if a != b {
            found.push(Difference {
                subject: subject.to_string(),
                path: path.clone(),
                a: a.cloned(),
                b: b.cloned(),
            });
        }
    }
}

/// Block style; scalars as JSON, which is also valid YAML, except that plain words and multi-line strings stay
/// readable.
fn yaml(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                out.push_str(&pad);
                out.push_str(&word(key));
                out.push(':');
                below(value, indent, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                // The first line of a map or list goes beside the dash.
                let mut lines = String::new();
                match item {
                    Value::String(_) => below(item, indent, &mut lines),
                    item => yaml(item, indent + 2, &mut lines),
                }
                out.push_str(&pad);
                out.push_str("- ");
                out.push_str(lines.trim_start_matches(' '));
            }
        }
        other => {
            out.push_str(&pad);
            out.push_str(&flow(other));
            out.push('\n');
        }
    }
}

fn below(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            yaml(value, indent + 2, out);
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            out.push('\n');
            yaml(value, indent + 2, out);
        }
        Value::String(text) if is_block(text) => {
            let (body, keep) = match text.strip_suffix('\n') {
                Some(body) => (body, ""),
                None => (text.as_str(), "-"),
            };
            out.push_str(&format!(" |{keep}\n"));
            for line in body.split('\n') {
                if !line.is_empty() {
                    out.push_str(&" ".repeat(indent + 2));
                    out.push_str(line);
                }
                out.push('\n');
            }
        }
        other => {
            out.push(' ');
            out.push_str(&flow(other));
            out.push('\n');
        }
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => word(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A multi-line string that a `|` block can hold unchanged.
fn is_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    body.contains('\n')
        && !body.starts_with([' ', '\n', '\t'])
        && !body.ends_with('\n')
        && text.chars().all(|c| c == '\n' || !is_hidden(c))
}

/// Unquoted where it cannot be mistaken for anything else.
fn word(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/'))
        && plain_value(text).is_ok_and(|value| value.is_string())
        && !matches!(text.to_ascii_lowercase().as_str(), "yes" | "no" | "on" | "off" | "y" | "n");
    if plain {
        text.to_string()
    } else {
        yaml_scalar(&Value::String(text.to_string()).to_string()).into_owned()
    }
}
