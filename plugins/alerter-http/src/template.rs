use minijinja::value::{Rest, Serde, Value};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, filters, tests};
use serde_json::Value as Json;

use crate::bounded::bounded;
use crate::calendar;
use crate::context::{Context, ITEM, NAMES};
use crate::escape::{Escape, broken};
use crate::plain;

/// Renders templates in strings.
pub(crate) struct Templates {
    env: Environment<'static>,
    values: Values,
}

/// What becomes of values that are data.
#[derive(Clone, Debug, Default)]
struct Values {
    escape: Escape,
    /// Words to break.
    broken: Vec<String>,
}

impl Values {
    fn apply(&self, text: &str) -> String {
        self.escape.apply(&broken(text, &self.broken))
    }

    fn is_plain(&self) -> bool {
        self.escape == Escape::None && self.broken.is_empty()
    }
}

/// Marks an empty value in a path. No value contains it, because values are percent-encoded.
const EMPTY: &str = "\0";

impl Templates {
    pub(crate) fn new() -> Self {
        // minijinja's whole set would be half of the module.
        let mut env = Environment::empty();
        env.add_filter("default", default);
        env.add_filter("first", filters::first);
        env.add_filter("int", filters::int);
        env.add_filter("items", filters::items);
        env.add_filter("join", filters::join);
        env.add_filter("last", filters::last);
        env.add_filter("length", filters::length);
        env.add_filter("lower", filters::lower);
        env.add_filter("replace", filters::replace);
        env.add_filter("round", filters::round);
        env.add_filter("split", filters::split);
        env.add_filter("tojson", filters::tojson);
        env.add_filter("trim", filters::trim);
        env.add_filter("upper", filters::upper);
        env.add_test("defined", tests::is_defined);
        env.add_test("none", tests::is_none);
        // `details.a.b` depends on the rule: what a rule does not report is empty, not an error.
        env.set_undefined_behavior(UndefinedBehavior::Chainable);
        env.add_filter("optional", optional);
        for (name, escape) in ESCAPES {
            env.add_filter(*name, move |value: Value| escaped_text(value, |text| escape.apply(text)));
        }
        env.add_filter("ascii", |text: String| plain::ascii(&text));
        env.add_filter("hex", hex);
        env.add_filter("href", |text: String| Value::from_safe_string(plain::href(&text)));
        env.add_filter("identifier", |text: String| plain::identifier(&text));
        env.add_filter("instant", |millis: i64| calendar::iso(millis));
        env.add_filter("line", |text: String| plain::line(&text));
        env.add_filter("plain", |text: String| text);
        env.add_filter("uuid", |text: String| plain::uuid(&text));
        env.add_filter("cut", cut);
        env.add_filter("raw", raw);
        env.add_filter("within", within);
        env.add_filter("sms", sms);
        Self { env, values: Values::default() }
    }

    /// As `new`, for a product that reads markup: values are data, not markup, and mention nobody. `format`: that of
    /// title and body.
    pub(crate) fn escaping(escape: Escape, broken: &[String], format: Escape) -> Self {
        let mut templates = Self::new();
        templates.env.add_filter("plain", move |text: String| plain::plain(&text, format));
        let values = Values { escape, broken: broken.to_owned() };
        if !values.is_plain() {
            templates.values = values.clone();
            templates.env.set_formatter(move |out, _, value| {
                let text = escaped_text(value.clone(), |text| values.apply(text));
                Ok(out.write_str(&text.to_string())?)
            });
        }
        templates
    }

    /// A path. Each value is one segment or a part of one: it is percent-encoded, and where a segment would be empty
    /// or dots alone, which lead elsewhere, there are underscores.
    pub(crate) fn path(source: &str, context: &Context) -> Result<String, String> {
        let mut templates = Self::new();
        templates.env.set_formatter(|out, _, value| {
            let text =
                if value.is_undefined() || value.is_none() { String::new() } else { value.to_string() };
            if text.is_empty() {
                out.write_str(EMPTY)?;
            }
            Ok(out.write_str(&percent_encoded(&text))?)
        });
        let path = templates.text(source, context)?;
        Ok(path.split('/').map(segment).collect::<Vec<_>>().join("/"))
    }

    /// What `source` comes to: of the expression's own type if it is one `{{ expression }}` and nothing else, a
    /// string otherwise. `None`: the expression is undefined.
    pub(crate) fn value(&self, source: &str, context: &Context) -> Result<Option<Json>, String> {
        if let Some(inner) = lone_expression(source)
            && let Ok(expression) = self.env.compile_expression(inner)
        {
            let value = expression.eval(context.value()).map_err(told)?;
            let typed = json(&value)?;
            let is_data = !self.values.is_plain() && !value.is_safe();
            return Ok(if is_data { typed.map(|typed| self.escaped(typed, &value)) } else { typed });
        }
        self.text(source, context).map(|text| Some(Json::String(text)))
    }

    pub(crate) fn text(&self, source: &str, context: &Context) -> Result<String, String> {
        self.env.render_str(source, context.value()).map_err(told)
    }

    /// The texts in a value of any shape, as the product's markup has them.
    fn escaped(&self, json: Json, value: &Value) -> Json {
        let inner = |name: &Value| value.get_item(name).unwrap_or_default();
        match json {
            Json::String(text) if !value.is_safe() => Json::String(self.values.apply(&text)),
            Json::Array(items) => items
                .into_iter()
                .enumerate()
                .map(|(n, item)| self.escaped(item, &inner(&Value::from(n))))
                .collect(),
            Json::Object(members) => {
                let member = |(name, member): (String, Json)| {
                    let value = inner(&Value::from(name.as_str()));
                    (self.values.apply(&name), self.escaped(member, &value))
                };
                Json::Object(members.into_iter().map(member).collect())
            }
            plain => plain,
        }
    }

    /// Evaluates a bare expression.
    pub(crate) fn expression(&self, source: &str, context: &Context) -> Result<Option<Json>, String> {
        let expression = self.env.compile_expression(source).map_err(told)?;
        json(&expression.eval(context.value()).map_err(told)?)
    }

    pub(crate) fn holds(&self, condition: &str, context: &Context) -> Result<bool, String> {
        let expression = self.env.compile_expression(condition).map_err(told)?;
        Ok(expression.eval(context.value()).map_err(told)?.is_true())
    }

    /// Finds the faults of a template, without a real message.
    pub(crate) fn check(&self, source: &str, within_each: bool, tell: &mut dyn FnMut(String)) {
        let template = match self.env.template_from_str(source) {
            Ok(template) => template,
            Err(error) => return tell(told(error)),
        };
        unknown_names(template.undeclared_variables(false), within_each, tell);
        if let Err(error) = template.render(Context::sample().value()) {
            tell_if_certain(error, tell);
        }
    }

    pub(crate) fn check_expression(&self, source: &str, within_each: bool, tell: &mut dyn FnMut(String)) {
        let expression = match self.env.compile_expression(source) {
            Ok(expression) => expression,
            Err(error) => return tell(told(error)),
        };
        unknown_names(expression.undeclared_variables(false), within_each, tell);
        if let Err(error) = expression.eval(Context::sample().value()) {
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
            tell(format!("`{ITEM}` is only defined inside `$each`"));
            continue;
        }
        let near = NAMES.iter().map(|known| (strsim::jaro_winkler(known, &name), known));
        match near.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
            Some((score, near)) if score > 0.8 => {
                tell(format!("unknown name `{name}`: did you mean `{near}`?"))
            }
            _ => tell(format!("unknown name `{name}`: use one of `{}`", NAMES.join("`, `"))),
        }
    }
}

/// The sample is not a real message: only what fails with every message is reported.
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

/// Undefined in place of null: the enclosing member is omitted.
fn optional(value: Value) -> Value {
    if value.is_none() { Value::UNDEFINED } else { value }
}

/// As minijinja's, but null counts as undefined too.
fn default(state: &State<'_, '_>, value: &Value, others: Rest<Value>) -> Result<Value, Error> {
    let value = if value.is_none() { &Value::UNDEFINED } else { value };
    filters::default(state, value, others)
}

/// Filters for those who write markup themselves, by name.
const ESCAPES: &[(&str, Escape)] = &[
    ("html", Escape::Html),
    ("markdown", Escape::Markdown),
    ("mrkdwn", Escape::Mrkdwn),
    ("wiki", Escape::Wiki),
];

/// The text of a value, escaped unless it is markup already.
fn escaped_text(value: Value, escape: impl Fn(&str) -> String) -> Value {
    if value.is_undefined() || value.is_none() {
        return Value::from_safe_string(String::new());
    }
    if value.is_safe() { value } else { Value::from_safe_string(escape(&value.to_string())) }
}

/// A value that needs no escaping, as its author declares.
fn raw(value: Value) -> Value {
    match value.as_str() {
        Some(text) => Value::from_safe_string(text.to_owned()),
        None => value,
    }
}

/// The number that hexadecimal digits are, as in `#ecb22e`.
fn hex(text: String) -> Result<i64, Error> {
    i64::from_str_radix(text.trim_start_matches('#'), 16)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

/// The first characters, with an ellipsis if there are more.
fn cut(value: Value, chars_max: usize) -> Value {
    let Some(text) = value.as_str() else { return value };
    if text.chars().count() <= chars_max {
        return value;
    }
    let beginning: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    Value::from(format!("{beginning}…"))
}

/// As much of a value as has this many bytes as JSON.
fn within(value: &Value, bytes_max: usize) -> Result<Value, Error> {
    let json = serde_json::to_value(value)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    Ok(Value::from(Serde(&bounded(json, bytes_max))))
}

/// A text message of at most so many segments, with the links that are given and fit.
fn sms(text: String, segments: usize, links: Rest<Value>) -> String {
    let given = |link: &Value| link.as_str().filter(|link| !link.is_empty()).map(str::to_owned);
    crate::sms::sms(&text, segments, &links.iter().filter_map(given).collect::<Vec<_>>())
}

/// One segment of a path that the host accepts. The host decodes slashes and dots.
fn segment(segment: &str) -> String {
    let parts = segment.split_inclusive("%2F").flat_map(|part| part.split_inclusive("%5C"));
    let parts = parts.map(|part| {
        let end = part.len() - if part.ends_with("%2F") || part.ends_with("%5C") { 3 } else { 0 };
        let (text, slash) = part.split_at(end);
        let text = text.replace(EMPTY, "");
        match &*text {
            "." => format!("_{slash}"),
            ".." => format!("__{slash}"),
            _ => text + slash,
        }
    });
    let whole: String = parts.collect();
    if whole.is_empty() && segment.contains(EMPTY) { "_".to_owned() } else { whole }
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
