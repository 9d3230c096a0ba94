//! minijinja, with what a text may name.

use minijinja::{Environment, Error, UndefinedBehavior, Value};
use thiserror::Error as ThisError;
use watchbell_contract::{Cause, Label, Severity, Timestamp};

use super::disguise;

/// What a text is about. Each field is a name in a template; `details` is a JSON object, as text.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub rule: &'a str,
    pub owner: Option<&'a str>,
    pub environment: &'a str,
    pub severity: Severity,
    pub cause: Cause,
    /// `labels.host` or, where a name has dots, `labels["host.name"]` and `labels.host.name` alike.
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
    /// The summaries of its other signals.
    pub more: &'a [String],
}

const NAMES: [&str; 15] = [
    "rule",
    "owner",
    "environment",
    "severity",
    "cause",
    "labels",
    "at",
    "since",
    "value",
    "threshold",
    "summary",
    "details",
    "link",
    "count",
    "more",
];

/// Instructions one text may take; a loop over loops ends here.
const FUEL_MAX: u64 = 200_000;

/// A template that will not render.
#[derive(Clone, Debug, ThisError, PartialEq, Eq)]
#[error("{message}")]
pub struct TemplateFault {
    /// From 1, within the template.
    pub line: u32,
    pub message: String,
}

/// Reads a template without rendering it; for `watchbell check`.
///
/// # Errors
/// A syntax error, an unknown filter or function, or a name that no text knows, with its line.
pub fn check_template(source: &str) -> Result<(), TemplateFault> {
    let environment = environment();
    let template = environment.template_from_str(source).map_err(|error| fault(&error))?;
    let mut unknown: Vec<String> = template
        .undeclared_variables(false)
        .into_iter()
        .filter(|name| !NAMES.contains(&name.as_str()) && !is_global(&environment, name))
        .collect();
    unknown.sort();
    match unknown.first() {
        None => Ok(()),
        Some(name) => Err(TemplateFault {
            line: line_of(source, name),
            message: format!(
                "nothing is called `{name}`; a text may use {}",
                NAMES.map(|n| format!("`{n}`")).join(", ")
            ),
        }),
    }
}

/// Markdown with the values in disguise.
pub(super) fn fill(source: &str, subject: &Subject<'_>) -> Result<String, TemplateFault> {
    environment().render_str(source, subject.context()).map_err(|error| fault(&error))
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    // A detail that one signal lacks must not cost the alert; `check_template` is the strict one.
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL_MAX));
    environment.set_formatter(|out, _, value| {
        let text = if value.is_none() || value.is_undefined() {
            return Ok(());
        } else if let Some(text) = value.as_str() {
            disguise::value(text)
        } else if value.is_number() && !value.is_integer() {
            disguise::value(&f64::try_from(value.clone()).map_or_else(|_| value.to_string(), number))
        } else {
            disguise::value(&value.to_string())
        };
        Ok(out.write_str(&text)?)
    });
    environment
}

/// As a person writes it: `3`, `2.333`, `0.01235`.
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
        let text = disguise::clean;
        let time = |at: Timestamp| {
            jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
        };
        let mut names = serde_json::Map::new();
        let mut put = |name: &str, value: serde_json::Value| names.insert(name.to_owned(), value);
        put("rule", text(self.rule).into());
        put("owner", self.owner.map(text).into());
        put("environment", text(self.environment).into());
        put("severity", self.severity.as_str().into());
        put("cause", self.cause.as_str().into());
        put("labels", self.label_tree());
        put("at", time(self.at).into());
        put("since", time(self.since).into());
        put("value", self.value.into());
        put("threshold", self.threshold.into());
        put("summary", text(self.summary).into());
        put("details", serde_json::from_str(&text(self.details)).unwrap_or_default());
        put("link", self.link.map(text).into());
        put("count", self.count.into());
        put("more", self.more.iter().map(|summary| text(summary)).collect());
        Value::from(minijinja::value::Serde(names))
    }

    fn label_tree(&self) -> serde_json::Value {
        use serde_json::{Map, Value};
        let mut tree = Map::new();
        for label in self.labels {
            let value: Value = label.value.as_deref().map(disguise::clean).into();
            let mut parts: Vec<&str> = label.name.split('.').collect();
            let last = parts.pop().unwrap_or_default();
            let mut place = Some(&mut tree);
            for part in parts {
                place = place.and_then(|map| {
                    map.entry(part).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
                });
            }
            if let Some(map) = place {
                map.entry(last).or_insert_with(|| value.clone());
            }
            tree.insert(label.name.clone(), value);
        }
        Value::Object(tree)
    }
}

fn fault(error: &Error) -> TemplateFault {
    let message = error.detail().map_or_else(|| error.kind().to_string(), ToOwned::to_owned);
    TemplateFault { line: error.line().and_then(|line| u32::try_from(line).ok()).unwrap_or(1), message }
}

fn is_global(environment: &Environment<'_>, name: &str) -> bool {
    environment.globals().any(|(global, _)| global == name)
}

fn line_of(source: &str, name: &str) -> u32 {
    let index = source.lines().position(|line| {
        line.match_indices(name).any(|(at, _)| {
            let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
            !line[..at].ends_with(word) && !line[at + name.len()..].starts_with(|c: char| word(c) && c != '.')
        })
    });
    u32::try_from(index.unwrap_or(0)).map_or(1, |index| index + 1)
}
