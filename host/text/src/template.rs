//! minijinja, with the names available to a text.
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Rest, Value};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use thiserror::Error as ThisError;
use watchbell_contract::{Cause, Label, Severity, Timestamp};
use watchbell_sdk_fields::{self as fields, Fields};

use super::names::{NameKind, names};
use super::{bounds, documents, escape, standard};

/// The subject of a text. Each field is a name in a template. `details` is a JSON object as text; its `documents` are
/// `documents`, the first of them `document`, and `documents_note` says what is missing from them.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub rule: &'a str,
    pub owner: Option<&'a str>,
    pub environment: &'a str,
    pub severity: Severity,
    pub cause: Cause,
    /// Who acknowledged or resolved the episode, if a person did.
    pub person: Option<&'a str>,
    /// `labels.host`; if a name has dots, both `labels["host.name"]` and `labels.host.name` work.
    pub labels: &'a [Label],
    pub at: Timestamp,
    pub since: Timestamp,
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    pub summary: &'a str,
    pub details: &'a str,
    pub link: Option<&'a str>,
    /// How many signals this message stands for.
    pub count: u32,
    /// One line for each signal that the message does not describe itself.
    pub more: &'a [String],
}

const NAMES: [&str; 20] = [
    "rule",
    "owner",
    "environment",
    "severity",
    "cause",
    "person",
    "labels",
    "at",
    "since",
    "value",
    "threshold",
    "summary",
    "details",
    "document",
    "documents",
    "documents_note",
    "rows",
    "link",
    "count",
    "more",
];

/// The maximum instructions for one text; this ends loops over loops.
const FUEL_MAX: u64 = 200_000;

/// The maximum size in bytes of a rendered template, before anything is shortened.
const RENDERED_BYTES_MAX: usize = 2 << 20;

/// The maximum characters of all values of a text together; the rest is left out.
const VALUES_MAX: usize = 256 << 10;

/// A template that does not render.
#[derive(Clone, Debug, ThisError, PartialEq, Eq, Serialize, Deserialize)]
#[error("{message}")]
pub struct TemplateFault {
    /// Starts at 1, within the template.
    pub line: u32,
    /// In characters, starting at 1.
    pub column: u32,
    pub message: String,
    /// Whether the template passes a limit, rather than being at odds with its values.
    pub is_limit: bool,
}

/// Parses a template without rendering it; for `watchbell check`. Takes bounded time and stack, whatever it is given.
///
/// # Errors
/// What makes it too large to be parsed, a syntax error, or the first unknown name, filter or test, with its position.
pub fn check_template(source: &str) -> Result<(), TemplateFault> {
    bounds::check(source)?;
    let environment = environment(usize::MAX);
    environment.template_from_str(source).map_err(|error| fault(source, &error))?;
    let mut state = environment.empty_state();
    for name in names(source) {
        let called = name.path[0].as_str();
        let message = match name.kind {
            NameKind::Variable if NAMES.contains(&called) || is_global(&environment, called) => continue,
            NameKind::Variable => {
                format!(
                    "unknown name `{called}`; a text may use {}",
                    NAMES.map(|n| format!("`{n}`")).join(", ")
                )
            }
            NameKind::Filter => match state.apply_filter(called, &[]) {
                Err(error) if error.kind() == ErrorKind::UnknownFilter => {
                    format!("unknown filter `{called}`")
                }
                _ => continue,
            },
            NameKind::Test => match state.perform_test(called, &[]) {
                Err(error) if error.kind() == ErrorKind::UnknownTest => {
                    format!("unknown test `{called}`")
                }
                _ => continue,
            },
        };
        return Err(TemplateFault { line: name.line, column: name.column, message, is_limit: false });
    }
    Ok(())
}

/// Whether `source` uses one of the names in `wanted`.
pub(super) fn mentions(source: &str, wanted: &[&str]) -> bool {
    names(source)
        .iter()
        .any(|name| name.kind == NameKind::Variable && wanted.contains(&name.path[0].as_str()))
}

/// Markdown with the values escaped, each of at most `value_max` characters.
pub(super) fn fill(source: &str, subject: &Subject<'_>, value_max: usize) -> Result<String, TemplateFault> {
    let environment = environment(value_max);
    bounds::check(source)?;
    // A template may not write characters reserved for escapes.
    let source = escape::clean(source);
    let template = environment.template_from_str(&source).map_err(|error| fault(&source, &error))?;
    let mut written = Bounded(Vec::new());
    match template.render_captured_to(subject.context(), &mut written) {
        Ok(_) => Ok(String::from_utf8_lossy(&written.0).into_owned()),
        Err(error) if error.kind() == ErrorKind::WriteFailure => Err(TemplateFault {
            line: 1,
            column: 1,
            message: format!("it renders to more than {} MiB", RENDERED_BYTES_MAX >> 20),
            is_limit: true,
        }),
        Err(error) => Err(fault(&source, &error)),
    }
}

struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > RENDERED_BYTES_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn environment(value_max: usize) -> Environment<'static> {
    let mut environment = Environment::new();
    // A detail missing from one signal must not cost the alert; `check_template` is the strict check.
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL_MAX));
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    let left = Arc::new(AtomicUsize::new(VALUES_MAX));
    environment.set_formatter(move |out, _, value| {
        let text = match value.as_str() {
            Some(text) => Cow::Borrowed(text),
            // Not empty: `**{{ value }}**` should still be bold.
            None if value.is_none() || value.is_undefined() => "".into(),
            None if value.is_number() && !value.is_integer() => {
                f64::try_from(value.clone()).map_or_else(|_| value.to_string(), number).into()
            }
            None => value.to_string().into(),
        };
        if value.is_safe() {
            return Ok(out.write_str(&escape::link(&text))?);
        }
        let max = value_max.min(left.load(Ordering::Relaxed));
        let (text, length) = match text.char_indices().nth(max) {
            Some((end, _)) => (format!("{}…", &text[..end]).into(), max),
            None => {
                let length = text.chars().count();
                (text, length)
            }
        };
        left.fetch_sub(length, Ordering::Relaxed);
        Ok(out.write_str(&escape::value(&text))?)
    });
    environment
}

/// Like minijinja's, but a null value also counts as missing.
fn default(state: &State<'_, '_>, value: &Value, others: Rest<Value>) -> Result<Value, Error> {
    let value = if value.is_none() { &Value::UNDEFINED } else { value };
    minijinja::filters::default(state, value, others)
}

/// As a person would write it: `3`, `2.333`, `0.01235`.
fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return format!("{value:.0}");
    }
    if !value.is_finite() || value.abs() >= 1e15 || value.abs() < 1e-9 {
        return format!("{value:e}");
    }
    let decimals = if value.abs() >= 1.0 { 3 } else { 3 - value.abs().log10().floor() as i32 };
    let text = format!("{value:.*}", usize::try_from(decimals).unwrap_or(3));
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Subject<'_> {
    fn context(&self) -> Value {
        let text = |text: &str| Value::from(escape::clean(text));
        let json = |json: &Json| fields::value(json, &escape::clean);
        let time = |at: Timestamp| at.to_string();
        let details: Json = serde_json::from_str(self.details).unwrap_or_default();
        let documents = documents::documents(&details);
        let row = |(field, value): (String, String)| {
            Value::from_object(Fields::new([
                ("field".to_owned(), text(&field)),
                ("value".to_owned(), text(&value)),
            ]))
        };
        let label =
            |label: &Label| (label.name.clone(), label.value.as_deref().map(text).unwrap_or(Value::from(())));
        // This is the host's own text, not a document's: it stays whole and keeps its target.
        let link = self.link.map(|link| Value::from_safe_string(escape::clean(link)));
        let names = [
            ("rule", text(self.rule)),
            ("owner", self.owner.map(text).into()),
            ("environment", text(self.environment)),
            ("severity", self.severity.as_str().into()),
            ("cause", self.cause.as_str().into()),
            ("person", self.person.map(text).into()),
            ("labels", Value::from_object(Fields::new(self.labels.iter().map(label)))),
            ("at", time(self.at).into()),
            ("since", time(self.since).into()),
            ("value", self.value.into()),
            ("threshold", self.threshold.into()),
            ("summary", text(self.summary)),
            ("document", documents.first().map(json).unwrap_or_default()),
            ("documents", documents.iter().map(json).collect()),
            ("documents_note", details.get(documents::DOCUMENTS_NOTE).map(json).unwrap_or_default()),
            ("rows", standard::rows(self.labels, &details, documents.first()).into_iter().map(row).collect()),
            ("details", json(&details)),
            ("link", link.into()),
            ("count", self.count.into()),
            ("more", self.more.iter().map(|line| text(line)).collect()),
        ];
        Value::from_object(Fields::new(names.map(|(name, value)| (name.to_owned(), value))))
    }
}

fn fault(source: &str, error: &Error) -> TemplateFault {
    let message = error.detail().map_or_else(|| error.kind().to_string(), ToOwned::to_owned);
    let line = error.line().and_then(|line| u32::try_from(line).ok()).unwrap_or(1);
    let before = error.range().and_then(|range| source.get(..range.start)).unwrap_or_default();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let is_limit = error.kind() == ErrorKind::OutOfFuel;
    TemplateFault { line, column: u32::try_from(column).unwrap_or(0) + 1, message, is_limit }
}

fn is_global(environment: &Environment<'_>, name: &str) -> bool {
    environment.globals().any(|(global, _)| global == name)
}
