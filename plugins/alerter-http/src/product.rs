use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use watchbell_sdk::{Product, TextFormat};

use crate::answer::Answer;
use crate::context::Texts;
use crate::escape::Escape;
use crate::json_template::JsonTemplate;
use crate::template::Templates;

/// `product.json`: the definition of a product.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProductSpec {
    /// One sentence for people.
    summary: String,
    text: Text,
    /// For which markup values are escaped. By default none, and mrkdwn where the text is mrkdwn.
    #[serde(default)]
    escape: Escape,
    /// Words that would notify somebody or begin markup, and that no escape reaches: a zero-width space breaks them, in
    /// values, and in texts that are plain or HTML.
    #[serde(default, rename = "break")]
    broken: Vec<String>,
    /// JSON Schema of a destination's `params`.
    params: Json,
    /// Sent one after the other, each if its `when` holds.
    pub(crate) requests: Vec<RequestTemplate>,
    /// Trees that several requests share, by the name that `$part` gives.
    #[serde(default)]
    pub(crate) parts: Map<String, Json>,
    /// The largest body that the product accepts.
    pub(crate) bytes_max: usize,
    /// The first match decides what an answer means.
    answers: Vec<Answer>,
    /// Where a JSON answer has its reason; otherwise the start of the body is quoted.
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    format: Format,
    /// In characters, as the next.
    title_max: u32,
    body_max: u32,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Format {
    Plain,
    Markdown,
    Html,
    Mrkdwn,
}

/// Trees of templates; see `json_template` for their syntax.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestTemplate {
    /// An expression: whether the message needs this request. Needed unless given.
    pub(crate) when: Option<String>,
    /// An expression that comes to a list: the request is sent once per item, which templates call `item`. In the last
    /// request only.
    pub(crate) each: Option<String>,
    /// Read before the product's own.
    #[serde(default)]
    answers: Vec<Answer>,
    pub(crate) method: Json,
    /// Its values are percent-encoded.
    #[serde(default)]
    pub(crate) path: Json,
    #[serde(default)]
    pub(crate) query: Json,
    /// An object, or a list of them of which later ones win.
    #[serde(default)]
    pub(crate) headers: Json,
    /// Sent as text if it renders to a string, otherwise as JSON.
    #[serde(default)]
    pub(crate) body: Json,
    /// An object; replaces `body` unless it renders to nothing.
    #[serde(default)]
    pub(crate) form: Json,
}

impl ProductSpec {
    pub(crate) fn templates_of_values(&self) -> Templates {
        let format = self.text.format.escape();
        let escape =
            if self.escape == Escape::None && format == Escape::Mrkdwn { format } else { self.escape };
        Templates::escaping(escape, &self.broken, format)
    }

    /// What the host has made of the message's texts.
    pub(crate) fn texts(&self) -> Texts<'_> {
        let has_own_markup = self.text.format != Format::Plain;
        // In Markdown and mrkdwn the host breaks what mentions a room, and knows a value from the author's own words.
        let is_broken = matches!(self.text.format, Format::Plain | Format::Html);
        Texts {
            is_escaped: has_own_markup || self.escape == Escape::None,
            is_html: self.text.format == Format::Html,
            broken: if is_broken { &self.broken } else { &[] },
        }
    }

    pub(crate) fn product(&self, name: &str) -> Product {
        let format = match self.text.format {
            Format::Plain => TextFormat::Plain,
            Format::Markdown => TextFormat::Markdown,
            Format::Html => TextFormat::Html,
            Format::Mrkdwn => TextFormat::Mrkdwn,
        };
        let mut product =
            Product::new(name, &*self.summary).text(format, self.text.title_max, self.text.body_max);
        product.params_schema = self.params.to_string();
        product
    }

    /// The parameters that are templates themselves, each with its JSON pointer.
    pub(crate) fn templates<'a>(&'a self, params: &'a Json) -> impl Iterator<Item = (&'a str, &'a Json)> {
        let mut pointers = BTreeSet::new();
        for tree in self.trees() {
            pointers_of_templates(tree, &mut pointers);
        }
        pointers.into_iter().filter_map(|pointer| Some((pointer, params.pointer(pointer)?)))
    }

    /// The parameters for a body and a form, if both are given: only one can be sent.
    pub(crate) fn clash(&self, params: &Json) -> Option<(&str, &str)> {
        self.requests
            .iter()
            .find_map(|request| Some((given(&request.body, params)?, given(&request.form, params)?)))
    }

    /// How answers to `request` are read: by the parameter `answers`, if given, then by the request's table, then by
    /// the product's.
    pub(crate) fn answers(&self, request: &RequestTemplate, params: &Json) -> Result<Vec<Answer>, String> {
        let mut answers: Vec<Answer> = match params.get("answers") {
            Some(own) => {
                Deserialize::deserialize(own).map_err(|error: serde_json::Error| error.to_string())?
            }
            None => Vec::new(),
        };
        answers.extend(request.answers.iter().chain(&self.answers).cloned());
        Ok(answers)
    }

    fn trees(&self) -> impl Iterator<Item = &Json> {
        self.requests.iter().flat_map(RequestTemplate::trees).chain(self.parts.values())
    }

    #[cfg(test)]
    pub(crate) fn check(&self) -> Result<(), Vec<String>> {
        let mut faults = BTreeSet::new();
        for (name, tree) in &self.parts {
            JsonTemplate::from_product(tree).check(&format!("parts/{name}"), &mut faults);
        }
        for (number, request) in self.requests.iter().enumerate() {
            let is_last = number + 1 == self.requests.len();
            let mut tell = |message| _ = faults.insert((format!("requests/{number}"), message));
            if request.each.is_some() && !is_last {
                tell("`each` is only possible in the last request".to_owned());
            }
            for expression in request.when.iter().chain(&request.each) {
                Templates::new().check_expression(expression, false, &mut tell);
            }
            for tree in request.trees() {
                JsonTemplate::from_product(tree).check_within(
                    request.each.is_some(),
                    &format!("requests/{number}"),
                    &mut faults,
                );
            }
        }
        let mut faults: Vec<String> =
            faults.into_iter().map(|(path, message)| format!("{path}: {message}")).collect();
        let mut parts = Vec::new();
        self.trees().for_each(|tree| names_of_parts(tree, &mut parts));
        faults.extend(
            parts
                .into_iter()
                .filter(|name| !self.parts.contains_key(*name))
                .map(|name| format!("no part `{name}`")),
        );
        for status in 200..600 {
            if !self.answers.iter().any(|answer| answer.is_about(status)) {
                faults.push(format!("no answer covers {status}"));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

impl Format {
    fn escape(self) -> Escape {
        match self {
            Self::Plain => Escape::None,
            Self::Markdown => Escape::Markdown,
            Self::Html => Escape::Html,
            Self::Mrkdwn => Escape::Mrkdwn,
        }
    }
}

impl RequestTemplate {
    pub(crate) fn trees(&self) -> [&Json; 6] {
        [&self.method, &self.path, &self.query, &self.headers, &self.body, &self.form]
    }
}

/// The parameter that replaces the whole tree, if it is given.
fn given<'a>(tree: &'a Json, params: &Json) -> Option<&'a str> {
    let pointer = tree.get(JsonTemplate::TEMPLATE)?.as_str()?;
    params.pointer(pointer).map(|_| pointer)
}

fn pointers_of_templates<'a>(tree: &'a Json, pointers: &mut BTreeSet<&'a str>) {
    match tree {
        Json::Object(members) => {
            pointers.extend(members.get(JsonTemplate::TEMPLATE).and_then(Json::as_str));
            members.values().for_each(|member| pointers_of_templates(member, pointers));
        }
        Json::Array(items) => items.iter().for_each(|item| pointers_of_templates(item, pointers)),
        _ => {}
    }
}

#[cfg(test)]
fn names_of_parts<'a>(tree: &'a Json, names: &mut Vec<&'a str>) {
    match tree {
        Json::Object(members) => {
            names.extend(members.get(JsonTemplate::PART).and_then(Json::as_str));
            members.values().for_each(|member| names_of_parts(member, names));
        }
        Json::Array(items) => items.iter().for_each(|item| names_of_parts(item, names)),
        _ => {}
    }
}
