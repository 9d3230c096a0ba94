use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, filters, tests};
use serde_json::Value as Json;

use crate::facts::{Facts, ITEM, NAMES};

/// Templates in strings, rendered.
pub(crate) struct Words {
    env: Environment<'static>,
}

impl Words {
    pub(crate) fn new() -> Self {
        // minijinja's whole set would be half of the module.
        let mut env = Environment::empty();
        env.add_filter("default", filters::default);
        env.add_filter("first", filters::first);
        env.add_filter("int", filters::int);
        env.add_filter("items", filters::items);
        env.add_filter("join", filters::join);
        env.add_filter("last", filters::last);
        env.add_filter("length", filters::length);
        env.add_filter("lower", filters::lower);
        env.add_filter("replace", filters::replace);
        env.add_filter("round", filters::round);
        env.add_filter("tojson", filters::tojson);
        env.add_filter("trim", filters::trim);
        env.add_filter("upper", filters::upper);
        env.add_test("defined", tests::is_defined);
        env.add_test("none", tests::is_none);
        // `details.a.b` depends on the rule: what a rule does not tell is empty, not an error.
        env.set_undefined_behavior(UndefinedBehavior::Chainable);
        env.add_filter("optional", optional);
        env.add_filter("mrkdwn", mrkdwn);
        Self { env }
    }

    /// As `new`, for a path: values are percent-encoded, so that none can add a segment or a query.
    pub(crate) fn of_a_path() -> Self {
        let mut words = Self::new();
        words.env.set_formatter(|out, _, value| {
            if !value.is_undefined() && !value.is_none() {
                out.write_str(&percent_encoded(&value.to_string()))?;
            }
            Ok(())
        });
        words
    }

    /// What `source` comes to: of the expression's own type if it is one `{{ expression }}` and nothing else, a
    /// string otherwise. `None`: the expression is undefined.
    pub(crate) fn value(&self, source: &str, facts: &Facts) -> Result<Option<Json>, String> {
        if let Some(inner) = lone_expression(source)
            && let Ok(expression) = self.env.compile_expression(inner)
        {
            let value = expression.eval(facts.context()).map_err(told)?;
            return json(&value);
        }
        self.text(source, facts).map(|text| Some(Json::String(text)))
    }

    pub(crate) fn text(&self, source: &str, facts: &Facts) -> Result<String, String> {
        self.env.render_str(source, facts.context()).map_err(told)
    }

    /// What a bare expression comes to.
    pub(crate) fn expression(&self, source: &str, facts: &Facts) -> Result<Option<Json>, String> {
        let expression = self.env.compile_expression(source).map_err(told)?;
        json(&expression.eval(facts.context()).map_err(told)?)
    }

    pub(crate) fn holds(&self, condition: &str, facts: &Facts) -> Result<bool, String> {
        let expression = self.env.compile_expression(condition).map_err(told)?;
        Ok(expression.eval(facts.context()).map_err(told)?.is_true())
    }

    /// What is wrong with a template, without a message to try it on.
    pub(crate) fn check(&self, source: &str, within_each: bool, tell: &mut dyn FnMut(String)) {
        let template = match self.env.template_from_str(source) {
            Ok(template) => template,
            Err(error) => return tell(told(error)),
        };
        unknown_names(template.undeclared_variables(false), within_each, tell);
        if let Err(error) = template.render(Facts::sample().context()) {
            tell_if_certain(error, tell);
        }
    }

    pub(crate) fn check_expression(&self, source: &str, within_each: bool, tell: &mut dyn FnMut(String)) {
        let expression = match self.env.compile_expression(source) {
            Ok(expression) => expression,
            Err(error) => return tell(told(error)),
        };
        unknown_names(expression.undeclared_variables(false), within_each, tell);
        if let Err(error) = expression.eval(Facts::sample().context()) {
            tell_if_certain(error, tell);
        }
    }
}

/// The inside of `{{ … }}`. Whether that is one expression is for the compiler to say.
fn lone_expression(source: &str) -> Option<&str> {
    let inner = source.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    Some(inner.strip_prefix('-').unwrap_or(inner).strip_suffix('-').unwrap_or(inner))
}

fn json(value: &Value) -> Result<Option<Json>, String> {
    if value.is_undefined() {
        return Ok(None);
    }
    serde_json::to_value(value).map(Some).map_err(|error| error.to_string())
}

fn unknown_names(named: impl IntoIterator<Item = String>, within_each: bool, tell: &mut dyn FnMut(String)) {
    let known = |name: &str| NAMES.contains(&name) || within_each && name == ITEM;
    let mut unknown: Vec<String> = named.into_iter().filter(|name| !known(name)).collect();
    unknown.sort();
    for name in unknown {
        if name == ITEM {
            tell(format!("`{ITEM}` is known within an `$each` only"));
            continue;
        }
        let near = NAMES.iter().map(|known| (strsim::jaro_winkler(known, &name), known));
        match near.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
            Some((score, near)) if score > 0.8 => {
                tell(format!("unknown name `{name}`: did you mean `{near}`?"))
            }
            _ => tell(format!("unknown name `{name}`: there are `{}`", NAMES.join("`, `"))),
        }
    }
}

/// A sample message is not the real one: only what fails with every message is told.
fn tell_if_certain(error: Error, tell: &mut dyn FnMut(String)) {
    let certain = [ErrorKind::UnknownFilter, ErrorKind::UnknownTest, ErrorKind::UnknownFunction];
    if certain.contains(&error.kind()) {
        tell(told(error));
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` wants")]
fn told(error: Error) -> String {
    let mut text = error.kind().to_string();
    if let Some(detail) = error.detail() {
        text = format!("{text}: {detail}");
    }
    match error.line() {
        Some(line) if line > 1 => format!("{text} (line {line})"),
        _ => text,
    }
}

/// Nothing in place of null: the member around it is left out.
fn optional(value: Value) -> Value {
    if value.is_none() { Value::UNDEFINED } else { value }
}

/// Text that Slack shows as it is. Source: Slack, "Formatting text for app surfaces", escaping.
fn mrkdwn(value: Value) -> String {
    if value.is_undefined() || value.is_none() {
        return String::new();
    }
    value.to_string().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte as char),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
