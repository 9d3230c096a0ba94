use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value as Json;
use watchbell_sdk::{Product, TextFormat};

use crate::answer::Answer;
use crate::json_template::JsonTemplate;

/// `product.json`: the definition of a product.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProductSpec {
    /// One sentence for people.
    summary: String,
    text: Text,
    /// JSON Schema of a destination's `params`.
    params: Json,
    pub(crate) request: RequestTemplate,
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
    pub(crate) fn is_mrkdwn(&self) -> bool {
        self.text.format == Format::Mrkdwn
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
        for tree in self.request.trees() {
            pointers_of_templates(tree, &mut pointers);
        }
        pointers.into_iter().filter_map(|pointer| Some((pointer, params.pointer(pointer)?)))
    }

    /// The parameters for a body and a form, if both are given: only one can be sent.
    pub(crate) fn clash(&self, params: &Json) -> Option<(&str, &str)> {
        let body = given(&self.request.body, params)?;
        let form = given(&self.request.form, params)?;
        Some((body, form))
    }

    /// How answers are read: by the parameter `answers`, if given, then by the product's own table.
    pub(crate) fn answers(&self, params: &Json) -> Result<Vec<Answer>, String> {
        let mut answers: Vec<Answer> = match params.get("answers") {
            Some(own) => {
                Deserialize::deserialize(own).map_err(|error: serde_json::Error| error.to_string())?
            }
            None => Vec::new(),
        };
        answers.extend(self.answers.iter().cloned());
        Ok(answers)
    }

    #[cfg(test)]
    pub(crate) fn check(&self) -> Result<(), Vec<String>> {
        let mut faults = BTreeSet::new();
        for (number, tree) in self.request.trees().into_iter().enumerate() {
            JsonTemplate::from_product(tree).check(&number.to_string(), &mut faults);
        }
        let mut faults: Vec<String> =
            faults.into_iter().map(|(path, message)| format!("request {path}: {message}")).collect();
        for status in 200..600 {
            if !self.answers.iter().any(|answer| answer.is_about(status)) {
                faults.push(format!("no answer covers {status}"));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

impl RequestTemplate {
    fn trees(&self) -> [&Json; 6] {
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
