//! The names that a text may use.
use std::collections::BTreeSet;

use super::dialect::Dialect;
use super::literal::quoted;
use crate::duration;
use crate::node::{Data, Node};
use crate::options::Options;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Term {
    /// An option of the rule: it has one value for all messages.
    Constant(String),
    /// An expression that the message knows.
    Told(String),
    /// A field that the rule does not report; the expression gives ElastAlert's placeholder.
    Untold(String),
}

/// What the rule reports in its messages.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) kind: String,
    pub(crate) key: Vec<String>,
    pub(crate) time_field: String,
    /// Document fields that a rule of type `any` reports; texts add theirs.
    pub(crate) fields: Vec<String>,
    /// Fields that ElastAlert would look up before the rule's options.
    pub(crate) include: Vec<String>,
    pub(crate) missing: String,
    /// The name of the metric's value.
    pub(crate) metric: Option<String>,
    /// The field whose value such a rule reports.
    pub(crate) watched: Option<String>,
    pub(crate) untold: BTreeSet<String>,
}

impl Terms {
    pub(crate) fn term(&mut self, options: &Options, name: &str, dialect: Dialect) -> Term {
        if let Some(expression) = self.of_match(name) {
            return Term::Told(expression);
        }
        // A flatline has no document: ElastAlert uses this name for the key's value.
        let key = self.key.first().cloned().filter(|_| self.kind == "flatline" && name == "key");
        let name = key.unwrap_or_else(|| name.to_string());
        let name = name.as_str();
        let field = name.strip_suffix(".keyword").unwrap_or(name);
        if let Some(key) =
            self.key.iter().find(|key| *key == name || key.strip_suffix(".keyword").unwrap_or(key) == field)
        {
            return Term::Told(member(if dialect == Dialect::Message { "labels" } else { "label" }, key));
        }
        if !self.include.iter().any(|included| included == name)
            && let Some(text) = options.node(name).as_ref().and_then(constant)
        {
            return Term::Constant(text);
        }
        if self.kind == "any" {
            if !self.fields.iter().any(|known| known == name) {
                self.fields.push(name.to_string());
            }
            return Term::Told(member("details", name));
        }
        self.untold.insert(name.to_string());
        Term::Untold(format!("{} | default({})", member("details", name), quoted(&self.missing)))
    }

    /// For a template of Jinja.
    pub(crate) fn expression(&mut self, options: &Options, name: &str, dialect: Dialect) -> String {
        match self.term(options, name, dialect) {
            Term::Constant(text) if text.parse::<i64>().is_ok() => text,
            Term::Constant(text) => quoted(&text),
            Term::Told(expression) => expression,
            // Jinja shows nothing for an absent value.
            Term::Untold(expression) => expression.split(" | ").next().unwrap_or_default().to_string(),
        }
    }

    /// What ElastAlert puts into a match beside the document.
    fn of_match(&self, name: &str) -> Option<String> {
        if self.metric.as_deref() == Some(name) {
            return Some("value".into());
        }
        if self.watched.as_deref() == Some(name) {
            return Some("details.value".into());
        }
        Some(
            match (self.kind.as_str(), name) {
                (_, "kibana_discover_url" | "opensearch_discover_url" | "kibana_link") => "link",
                (_, "@timestamp") => "at",
                (_, name) if name == self.time_field => "at",
                ("spike" | "spike_aggregation", "spike_count") => "details.current",
                ("spike" | "spike_aggregation", "reference_count") => "details.reference",
                ("flatline", "count") => "value",
                ("change", "old_value") => "details.old_value",
                ("change", "new_value") => "details.new_value",
                ("new_term", "new_field" | "missing_field") => "details.field",
                ("percentage_match", "denominator") => "details.denominator",
                ("metric_aggregation", "metric_agg_value") | ("percentage_match", "percentage") => "value",
                _ => return None,
            }
            .into(),
        )
    }
}

/// An option as a text would show it.
fn constant(node: &Node) -> Option<String> {
    match &node.data {
        Data::Map(_) => duration::read(node).ok().map(|span| span.text),
        Data::List(items) => Some(items.iter().map(Node::text).collect::<Option<Vec<_>>>()?.join(", ")),
        _ => node.text(),
    }
}

/// `details.x`, or `details["x.y"]`.
fn member(of: &str, name: &str) -> String {
    let mut chars = name.chars();
    let plain = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { format!("{of}.{name}") } else { format!("{of}[{}]", quoted(name)) }
}
