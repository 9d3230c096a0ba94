//! minijinja, with the names available to a text.
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Kwargs, Rest, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use thiserror::Error as ThisError;
use watchbell_contract::{Cause, Label, Severity, Timestamp};
use watchbell_sdk_fields::{self as fields, Fields};

use super::macros::{IMPORTED_BYTES_MAX, Macros, defined, reached};
use super::names::{Name, NameKind, names};
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
#[error("{}{message}", file.as_ref().map_or_else(String::new, |file| format!("in the macros of `{file}`: ")))]
pub struct TemplateFault {
    /// Starts at 1, within the template.
    pub line: u32,
    /// In characters, starting at 1.
    pub column: u32,
    pub message: String,
    /// Whether the template passes a limit, rather than being at odds with its values.
    pub is_limit: bool,
    /// The file of macros that line and column are in, if it is not the template itself.
    pub file: Option<String>,
}

impl TemplateFault {
    pub(super) fn new(line: u32, column: u32, message: String) -> Self {
        Self { line, column, message, is_limit: false, file: None }
    }

    pub(super) fn limit(line: u32, column: u32, message: String) -> Self {
        Self { is_limit: true, ..Self::new(line, column, message) }
    }
}

/// Parses a template without rendering it; for `watchbell check`. Takes bounded time and stack, whatever it is given.
///
/// # Errors
/// What makes it too large to be parsed, a syntax error, or the first unknown name, filter, test or macro, with its
/// position.
pub fn check_template(source: &str, macros: &Macros) -> Result<(), TemplateFault> {
    check_source(source, macros)?;
    let bytes = macros.imported([source]).files().map(|(_, source)| source.len()).sum::<usize>();
    if bytes > IMPORTED_BYTES_MAX {
        let message = format!("it imports more than {} KiB of macros", IMPORTED_BYTES_MAX >> 10);
        return Err(TemplateFault::limit(1, 1, message));
    }
    Ok(())
}

/// Like `check_template`, for a template or a file of macros by itself.
pub(super) fn check_source(source: &str, macros: &Macros) -> Result<(), TemplateFault> {
    bounds::check(source)?;
    let environment = environment(usize::MAX, None);
    environment.template_from_str(source).map_err(|error| fault(source, &error))?;
    for name in names(source) {
        if let Some(message) = unknown(&name, macros, &environment) {
            return Err(TemplateFault::new(name.line, name.column, message));
        }
    }
    Ok(())
}

/// What is wrong with a name that nothing has.
fn unknown(name: &Name, macros: &Macros, environment: &Environment<'_>) -> Option<String> {
    let mut state = environment.empty_state();
    let called = name.path.first()?.as_str();
    match name.kind {
        NameKind::Variable if NAMES.contains(&called) || is_global(environment, called) => None,
        NameKind::Variable => {
            Some(format!("unknown name `{called}`; a text may use {}", listed(NAMES.iter().copied())))
        }
        NameKind::Filter => match state.apply_filter(called, &[]) {
            Err(error) if error.kind() == ErrorKind::UnknownFilter => {
                Some(format!("unknown filter `{called}`"))
            }
            _ => None,
        },
        NameKind::Test => match state.perform_test(called, &[]) {
            Err(error) if error.kind() == ErrorKind::UnknownTest => Some(format!("unknown test `{called}`")),
            _ => None,
        },
        NameKind::Import if macros.source(called).is_some() => None,
        NameKind::Import if macros.is_empty() => {
            Some(format!("there are no macros to import: put them into the file `texts/{called}.jinja`"))
        }
        NameKind::Import => {
            let known = listed(macros.files().map(|(name, _)| name));
            Some(format!("there is no file `texts/{called}.jinja`; there are {known}"))
        }
        NameKind::Macro => {
            // What is unknown of a file that is unknown or broken is reported with that.
            let (defined, wanted) = (defined(macros.source(called)?)?, name.path.get(1)?);
            let known = || match defined.is_empty() {
                true => "none".to_owned(),
                false => listed(defined.iter().map(String::as_str)),
            };
            (!defined.contains(wanted))
                .then(|| format!("`texts/{called}.jinja` has no macro `{wanted}`; it has {}", known()))
        }
        NameKind::Unsupported if called == "import" => {
            Some("an import needs the name of a file in quotes: `{% import \"links\" as links %}`".to_owned())
        }
        NameKind::Unsupported if called == "autoescape" => Some(AUTOESCAPE.to_owned()),
        NameKind::Unsupported => Some(format!(
            "a text may not use `{called}`; import macros instead: `{{% import \"links\" as links %}}`"
        )),
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Whether `source` or a macro that it uses names one of `wanted`.
pub(super) fn mentions(source: &str, macros: &Macros, wanted: &[&str]) -> bool {
    reached(source, macros)
        .iter()
        .any(|(_, name)| name.kind == NameKind::Variable && wanted.contains(&name.path[0].as_str()))
}

const AUTOESCAPE: &str = "a text may not use `autoescape`: values are always data, and macros are markup";

/// `check_source` reports these as well; what was checked by an earlier version is rendered too. Another way to escape
/// would make markup of a value that is escaped in it.
fn no_autoescape(source: &str) -> Result<(), TemplateFault> {
    if !source.contains("autoescape") {
        return Ok(());
    }
    let names = names(source).into_iter();
    let mut found = names.filter(|name| name.kind == NameKind::Unsupported && name.path == ["autoescape"]);
    match found.next() {
        Some(name) => Err(TemplateFault::new(name.line, name.column, AUTOESCAPE.to_owned())),
        None => Ok(()),
    }
}

/// Markdown with the values escaped, each of at most `value_max` characters.
pub(super) fn fill(
    source: &str,
    macros: &Macros,
    subject: &Subject<'_>,
    value_max: usize,
) -> Result<String, TemplateFault> {
    let mut environment = environment(value_max, subject.link.map(escape::clean));
    bounds::check(source)?;
    no_autoescape(source)?;
    // A template may not write characters reserved for escapes.
    let source = escape::clean(source);
    let imported = if source.contains("import") { macros.clone() } else { Macros::default() };
    let cleaned: BTreeMap<&str, String> =
        imported.files().map(|(name, source)| (name, escape::clean(source))).collect();
    for (name, source) in &cleaned {
        let within = |fault| TemplateFault { file: Some((*name).to_owned()), ..fault };
        bounds::check(source).and_then(|()| no_autoescape(source)).map_err(within)?;
        environment
            .add_template_owned((*name).to_owned(), source.clone())
            .map_err(|error| within(fault(source, &error)))?;
    }
    let template = environment.template_from_str(&source).map_err(|error| fault(&source, &error))?;
    let mut written = Bounded(Vec::new());
    match template.render_captured_to(subject.context(), &mut written) {
        Ok(_) => Ok(String::from_utf8_lossy(&written.0).into_owned()),
        Err(error) if error.kind() == ErrorKind::WriteFailure => {
            let message = format!("it renders to more than {} MiB", RENDERED_BYTES_MAX >> 20);
            Err(TemplateFault::limit(1, 1, message))
        }
        Err(error) => Err(match error.name().and_then(|name| cleaned.get_key_value(name)) {
            Some((name, source)) => TemplateFault { file: Some((*name).to_owned()), ..fault(source, &error) },
            None => fault(&source, &error),
        }),
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

/// The form of what a macro or a `set` block wrote: its values are escaped, and its own words are markup. It is what
/// minijinja calls a safe string, and nothing else is.
const WRITTEN: AutoEscape = AutoEscape::Custom(Cow::Borrowed("written"));

/// `link` is the one value that is shown as an address of the host's own.
fn environment(value_max: usize, link: Option<String>) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| WRITTEN);
    // A detail missing from one signal must not cost the alert; `check_template` is the strict check.
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL_MAX));
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    // Values are data: no filter makes markup of them.
    environment.add_filter("safe", |value: &Value| value.clone());
    environment.add_filter("tojson", tojson);
    let left = Arc::new(AtomicUsize::new(VALUES_MAX));
    environment.set_formatter(move |out, _, value| {
        if let Some(written) = value.as_str().filter(|_| value.is_safe()) {
            return Ok(out.write_str(written)?);
        }
        let text = match value.as_str() {
            Some(text) => Cow::Borrowed(text),
            // Not empty: `**{{ value }}**` should still be bold.
            None if value.is_none() || value.is_undefined() => "".into(),
            None if value.is_number() && !value.is_integer() => {
                f64::try_from(value.clone()).map_or_else(|_| value.to_string(), number).into()
            }
            None => value.to_string().into(),
        };
        if link.as_deref() == Some(&*text) {
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

/// Like minijinja's, whose result would count as markup.
fn tojson(value: &Value, indent: Option<Value>, others: Kwargs) -> Result<Value, Error> {
    let written = minijinja::filters::tojson(value, indent, others)?;
    Ok(written.as_str().map(Value::from).unwrap_or_default())
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
            // The host's own text, not a document's: the formatter knows it, so that it stays whole and keeps its target.
            ("link", self.link.map(text).into()),
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
    TemplateFault { is_limit, ..TemplateFault::new(line, u32::try_from(column).unwrap_or(0) + 1, message) }
}

fn is_global(environment: &Environment<'_>, name: &str) -> bool {
    environment.globals().any(|(global, _)| global == name)
}
