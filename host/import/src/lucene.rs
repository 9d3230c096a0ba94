//! Query DSL as Lucene syntax, for parameters that accept nothing else.
use crate::node::{Data, Node};

/// A query as Lucene syntax. `exact`: whether it means the same whatever the field's mapping is.
#[derive(Debug, PartialEq)]
pub(crate) struct Lucene {
    pub(crate) text: String,
    pub(crate) exact: bool,
    /// Whether it needs no parentheses inside other queries.
    simple: bool,
}

/// `None`: Lucene syntax cannot express it.
pub(crate) fn of_query(query: &Node) -> Option<Lucene> {
    let [entry] = query.entries() else { return None };
    let inner = &entry.value;
    match entry.key.as_str() {
        "query" => of_query(inner),
        "query_string" => {
            let [only] = inner.entries() else { return None };
            let text = (only.key == "query").then(|| only.value.text())??;
            Some(Lucene { simple: false, exact: true, text: text.trim().to_string() })
        }
        "match_all" => Some(simple("*:*".into(), true)),
        "exists" => Some(simple(format!("_exists_:{}", escaped(&inner.get("field")?.text()?)), true)),
        "term" | "prefix" | "wildcard" | "regexp" => {
            let [field] = inner.entries() else { return None };
            let value = match (&field.value.data, field.value.entries()) {
                (Data::Map(_), [only]) if only.key == "value" => &only.value,
                (Data::Map(_) | Data::List(_), _) => return None,
                _ => &field.value,
            };
            let (value, exact) = match entry.key.as_str() {
                "term" => term(value)?,
                "prefix" => (format!("{}*", escaped(&value.text()?)), false),
                "wildcard" => (pattern(&value.text()?), false),
                _ => (format!("/{}/", value.text()?.replace('/', "\\/")), false),
            };
            Some(simple(format!("{}:{value}", escaped(&field.key)), exact))
        }
        "terms" => {
            let [field] = inner.entries() else { return None };
            let Data::List(values) = &field.value.data else { return None };
            let values: Vec<(String, bool)> = values.iter().map(term).collect::<Option<_>>()?;
            let exact = values.iter().all(|(_, exact)| *exact);
            let values: Vec<String> = values.into_iter().map(|(value, _)| value).collect();
            let values = match values.as_slice() {
                [] => return None,
                [one] => one.clone(),
                several => format!("({})", several.join(" OR ")),
            };
            Some(simple(format!("{}:{values}", escaped(&field.key)), exact))
        }
        "range" => {
            let [field] = inner.entries() else { return None };
            range(&escaped(&field.key), &field.value)
        }
        "bool" => boolean(inner),
        "not" => Some(negated(&of_query(inner)?)),
        _ => None,
    }
}

/// All of them, joined by AND.
pub(crate) fn all(queries: &[Node]) -> Option<Lucene> {
    joined(queries.iter().map(of_query).collect::<Option<_>>()?, " AND ")
}

fn boolean(inner: &Node) -> Option<Lucene> {
    let clauses = |key: &str| -> Option<Vec<Lucene>> {
        match inner.get(key) {
            None => Some(Vec::new()),
            Some(Node { data: Data::List(items), .. }) => items.iter().map(of_query).collect(),
            Some(one) => of_query(one).map(|one| vec![one]),
        }
    };
    let known = ["must", "filter", "should", "must_not"];
    if inner.entries().iter().any(|entry| !known.contains(&entry.key.as_str())) {
        return None;
    }
    let mut parts = clauses("must")?;
    parts.extend(clauses("filter")?);
    let should = clauses("should")?;
    // Next to `must` and `filter`, `should` only affects scores.
    if parts.is_empty() && !should.is_empty() {
        parts.push(joined(should, " OR ")?);
    }
    parts.extend(clauses("must_not")?.iter().map(negated));
    joined(parts, " AND ")
}

fn joined(mut parts: Vec<Lucene>, by: &str) -> Option<Lucene> {
    match parts.len() {
        0 => None,
        1 => parts.pop(),
        _ => {
            let exact = parts.iter().all(|part| part.exact);
            let text = parts.iter().map(grouped).collect::<Vec<_>>().join(by);
            Some(Lucene { text, exact, simple: false })
        }
    }
}

fn negated(part: &Lucene) -> Lucene {
    Lucene { text: format!("NOT {}", grouped(part)), exact: part.exact, simple: false }
}

fn grouped(part: &Lucene) -> String {
    if part.simple { part.text.clone() } else { format!("({})", part.text) }
}

fn simple(text: String, exact: bool) -> Lucene {
    Lucene { text, exact, simple: true }
}

/// A value of `term`. A quoted string is a phrase, which on an analysed field is more than one term.
fn term(value: &Node) -> Option<(String, bool)> {
    Some(match &value.data {
        Data::Number { written, .. } if written.starts_with('-') => (format!("\"{written}\""), true),
        Data::Number { written, .. } => (written.clone(), true),
        Data::Bool(value) => (value.to_string(), true),
        Data::Token(text) => (format!("\"{text}\""), false),
        Data::Text(text) => (format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")), false),
        Data::Null | Data::List(_) | Data::Map(_) => return None,
    })
}

fn range(field: &str, bounds: &Node) -> Option<Lucene> {
    let (mut low, mut high) = (("[", "*".to_string()), ("]", "*".to_string()));
    for bound in bounds.entries() {
        let value = match &bound.value.data {
            Data::Text(text) | Data::Token(text) => {
                format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }
            Data::Number { written, .. } => written.clone(),
            _ => return None,
        };
        match bound.key.as_str() {
            "gte" | "from" => low = ("[", value),
            "gt" => low = ("{", value),
            "lte" | "to" => high = ("]", value),
            "lt" => high = ("}", value),
            _ => return None,
        }
    }
    (!bounds.entries().is_empty())
        .then(|| simple(format!("{field}:{}{} TO {}{}", low.0, low.1, high.1, high.0), true))
}

/// A name or value with every special character escaped.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(
            c,
            '+' | '-'
                | '='
                | '&'
                | '|'
                | '>'
                | '<'
                | '!'
                | '('
                | ')'
                | '{'
                | '}'
                | '['
                | ']'
                | '^'
                | '"'
                | '~'
                | '*'
                | '?'
                | ':'
                | '\\'
                | '/'
                | ' '
        ) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// As `escaped`, but for `*` and `?`.
fn pattern(text: &str) -> String {
    escaped(text).replace("\\*", "*").replace("\\?", "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_said_in_lucene_where_that_can_be() {
        for (query, expected, exact) in [
            ("{terms: {ResponseStatus: [200]}}", "ResponseStatus:200", true),
            ("{terms: {s: [200, 201]}}", "s:(200 OR 201)", true),
            ("{term: {\"a b\": \"x \\\"y\\\"\"}}", "a\\ b:\"x \\\"y\\\"\"", false),
            ("{term: {a: {value: true}}}", "a:true", true),
            ("{query: {query_string: {query: \"a OR b\"}}}", "a OR b", true),
            ("{range: {n: {gte: 500, lt: 600}}}", "n:[500 TO 600}", true),
            ("{range: {n: {gt: 5}}}", "n:{5 TO *]", true),
            ("{exists: {field: a.b}}", "_exists_:a.b", true),
            ("{wildcard: {h: \"web-*\"}}", "h:web\\-*", false),
            (
                "{bool: {must: [{term: {a: 1}}, {query_string: {query: x OR y}}], must_not: {term: {b: 2}}}}",
                "a:1 AND (x OR y) AND (NOT b:2)",
                true,
            ),
            ("{bool: {should: [{term: {a: 1}}, {term: {b: 2}}]}}", "a:1 OR b:2", true),
        ] {
            let document = crate::tree::parse(&"x".into(), &format!("q: {query}")).unwrap();
            let lucene = of_query(&document.entries[0].value).unwrap_or_else(|| panic!("{query}"));
            assert_eq!((lucene.text.as_str(), lucene.exact), (expected, exact), "{query}");
        }
    }

    #[test]
    fn what_lucene_cannot_say_is_not_said() {
        for query in [
            "{script: {script: x}}",
            "{term: {a: [1]}}",
            "{terms: {a: []}}",
            "{}",
            "{range: {a: {gte: 1, boost: 2}}}",
        ] {
            let document = crate::tree::parse(&"x".into(), &format!("q: {query}")).unwrap();
            assert_eq!(of_query(&document.entries[0].value), None, "{query}");
        }
    }
}
