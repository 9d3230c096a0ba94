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
    /// A value that a message may lack, such as a field of the document: an expression, and after it a `default` filter
    /// with ElastAlert's placeholder.
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
    /// The metric's value as ElastAlert formats it for texts.
    pub(crate) formatted: Option<String>,
    /// The field whose value such a rule reports.
    pub(crate) watched: Option<String>,
    /// Whether ElastAlert lets the cluster count: its matches then have no document.
    pub(crate) counted: bool,
    /// Names without a value here, since this was last emptied.
    pub(crate) untold: BTreeSet<String>,
    /// Names whose value differs from ElastAlert's, and how, in the same way.
    pub(crate) differing: BTreeSet<String>,
}

/// The fields that one rule of type `any` may ask for.
const FIELDS_MAX: usize = 50;

impl Terms {
    pub(crate) fn term(&mut self, options: &Options, name: &str, dialect: Dialect) -> Term {
        if let Some(expression) = self.of_match(name) {
            return Term::Told(expression);
        }
        if matches!(name, "num_hits" | "num_matches") {
            return self.count(name);
        }
        // A flatline has no document: ElastAlert uses this name for the key's value.
        let key = self.key.first().cloned().filter(|_| self.kind == "flatline" && name == "key");
        let name = key.unwrap_or_else(|| name.to_string());
        let name = name.as_str();
        if let Some(expression) = self.label(name, dialect) {
            return Term::Told(expression);
        }
        // What `include_rule_params_in_matches` adds to a match.
        if let Some(text) = name.strip_prefix("rule_param_").and_then(|name| constant(&options.node(name)?)) {
            return Term::Constant(text);
        }
        if !self.include.iter().any(|included| included == name)
            && let Some(text) = options.node(name).as_ref().and_then(constant)
        {
            return Term::Constant(text);
        }
        if is_of_elastalert(name) {
            self.untold.insert(name.to_string());
            return Term::Untold(self.or_missing(&member("details", name)));
        }
        self.field(name, dialect)
    }

    /// For a template of Jinja.
    pub(crate) fn expression(&mut self, options: &Options, name: &str, dialect: Dialect) -> String {
        // A loop over a field's values needs a list where the document has one: `fields` unpack lists of one value.
        let is_list = self.kind == "any" && dialect == Dialect::Message;
        let fields = is_list.then(|| std::mem::take(&mut self.fields));
        let term = self.term(options, name, dialect);
        let is_asked = fields.is_some() && !self.fields.is_empty();
        if let Some(fields) = fields {
            self.fields = fields;
        }
        match term {
            Term::Constant(text) if text.parse::<i64>().is_ok() => text,
            Term::Constant(text) => quoted(&text),
            Term::Told(expression) => expression,
            Term::Untold(_) if is_asked => item(document(dialect), name),
            // Jinja shows nothing for an absent value.
            Term::Untold(expression) => bare(&expression).to_string(),
        }
    }

    /// All that a match holds.
    pub(crate) fn whole(&self, dialect: Dialect) -> &'static str {
        if self.has_document() { document(dialect) } else { "details" }
    }

    /// Whether ElastAlert's matches are documents. Those of rules over aggregations are numbers.
    pub(crate) fn has_document(&self) -> bool {
        !matches!(
            self.kind.as_str(),
            "flatline" | "metric_aggregation" | "spike_aggregation" | "percentage_match"
        )
    }

    /// A field of the document.
    fn field(&mut self, name: &str, dialect: Dialect) -> Term {
        if self.kind == "any" && !name.contains('[') {
            let is_known = self.fields.iter().any(|known| known == name);
            if is_known || self.fields.len() < FIELDS_MAX {
                if !is_known {
                    self.fields.push(name.to_string());
                }
                return Term::Untold(self.or_missing(&member("details", name)));
            }
        }
        if !self.has_document() || self.counted {
            self.differing.insert(format!("`{name}` is the newest document's; ElastAlert has none there"));
        } else if self.kind == "spike" {
            self.differing
                .insert(format!("`{name}` is the newest document's; ElastAlert takes the window's oldest"));
        }
        Term::Untold(self.or_missing(&item(document(dialect), name)))
    }

    /// A field of the key, or ElastAlert's name for all of them together.
    fn label(&self, name: &str, dialect: Dialect) -> Option<String> {
        let labels = if dialect == Dialect::Message { "labels" } else { "label" };
        let field = name.strip_suffix(".keyword").unwrap_or(name);
        let is_it = |key: &&String| **key == name || key.strip_suffix(".keyword").unwrap_or(key) == field;
        if let Some(key) = self.key.iter().find(is_it) {
            return Some(member(labels, key));
        }
        if self.key.len() < 2 || self.key.join(",") != name {
            return None;
        }
        let between = if self.has_document() { " ~ ', ' ~ " } else { " ~ ',' ~ " };
        Some(self.key.iter().map(|key| member(labels, key)).collect::<Vec<_>>().join(between))
    }

    /// ElastAlert's counts of a run. What a rule counts is nearest to them.
    fn count(&mut self, name: &str) -> Term {
        let (expression, is) = match self.kind.as_str() {
            "frequency" | "flatline" => ("value", "the number of events that the rule counted"),
            "spike" => ("details.current", "the number of events in the current window"),
            "percentage_match" => ("details.denominator", "the number of documents that the rule counted"),
            kind if is_event(kind) => ("count", "the number of documents that the message stands for"),
            _ => {
                self.untold.insert(name.to_string());
                return Term::Untold(self.or_missing(&member("details", name)));
            }
        };
        let of = if name == "num_hits" { "documents" } else { "matches" };
        self.differing.insert(format!("`{name}` is {is}; in ElastAlert, the number of {of} of the run"));
        Term::Told(expression.into())
    }

    pub(crate) fn or_missing(&self, expression: &str) -> String {
        format!("{expression}{DEFAULT}{})", quoted(&self.missing))
    }

    /// What ElastAlert puts into a match beside the document.
    fn of_match(&self, name: &str) -> Option<String> {
        if self.metric.as_deref() == Some(name) {
            return Some("value".into());
        }
        if let Some(plain) = name.strip_suffix("_formatted")
            && self.of_match(plain).as_deref() == Some("value")
        {
            return Some(self.formatted.clone().unwrap_or_else(|| "value".into()));
        }
        if self.watched.as_deref() == Some(name) {
            return Some("details.value".into());
        }
        Some(
            match (self.kind.as_str(), name) {
                (_, "kibana_discover_url" | "opensearch_discover_url" | "kibana_link") => "link",
                (_, "@timestamp") => "at",
                (_, name) if name == self.time_field => "at",
                ("frequency", "related_events") => "documents[1:]",
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

const DEFAULT: &str = " | default(";

/// Without its placeholder.
pub(crate) fn bare(expression: &str) -> &str {
    expression.rsplit_once(DEFAULT).map_or(expression, |(bare, _)| bare)
}

/// Whether each match of such a rule is an event of its own.
fn is_event(kind: &str) -> bool {
    matches!(kind, "any" | "blacklist" | "whitelist" | "change" | "new_term")
}

/// What ElastAlert adds to a match and nothing here stands for, or formats itself: a field of such a name is in no
/// document.
fn is_of_elastalert(name: &str) -> bool {
    matches!(name, "_id" | "_index" | "_type") || name.starts_with("top_events_") || name.contains('{')
}

fn document(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Message => "document",
        Dialect::Webhook => "details.documents[0]",
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

/// A field of a document by ElastAlert's name: `a.b[0]c.d` is the member `c.d` of the first value of `a.b`.
fn item(of: &str, name: &str) -> String {
    let mut out = of.to_string();
    let mut rest = name;
    while let Some((before, position, after)) = position(rest) {
        if !before.is_empty() {
            out = member(&out, before);
        }
        out.push_str(&format!("[{position}]"));
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    if rest.is_empty() { out } else { member(&out, rest) }
}

/// What stands before the first `[N]`, the number, and what follows.
fn position(name: &str) -> Option<(&str, u32, &str)> {
    let mut opens = name.match_indices('[');
    opens.find_map(|(open, _)| {
        let close = open + name[open..].find(']')?;
        Some((&name[..open], name[open + 1..close].parse().ok()?, &name[close + 1..]))
    })
}

/// `details.x`, or `details["x.y"]`.
fn member(of: &str, name: &str) -> String {
    let mut chars = name.chars();
    let plain = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { format!("{of}.{name}") } else { format!("{of}[{}]", quoted(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_lists_are_named_as_elastalert_names_them() {
        for (name, expected) in [
            ("a", "d.a"),
            ("a.b", "d['a.b']"),
            ("a.b[0]", "d['a.b'][0]"),
            ("a[1]b.c", "d.a[1]['b.c']"),
            ("a[1].b[2]", "d.a[1].b[2]"),
            ("a[x]", "d['a[x]']"),
            ("a[", "d['a[']"),
            ("[0]a", "d[0].a"),
        ] {
            assert_eq!(item("d", name), expected, "{name}");
        }
    }

    #[test]
    fn a_placeholder_is_taken_off() {
        assert_eq!(bare("document.a | default('x')"), "document.a");
        assert_eq!(bare("value"), "value");
    }
}
