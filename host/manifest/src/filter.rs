//! What `filter:` may contain: Lucene query-string syntax, a Query DSL map, or a list of both.
use serde_json::{Value, json};
use watchbell_confine::{Scope, is_query, queries};

use crate::overlay::{Spans, join};
use crate::report::{Diagnostic, list, nearest};

/// Reads a rule's filter.
pub(crate) struct Reader<'a, 'd> {
    pub(crate) spans: &'a Spans,
    pub(crate) faults: &'d mut Vec<Diagnostic>,
    /// What it may reach.
    pub(crate) scope: &'a Scope,
    /// The rule's cluster.
    pub(crate) cluster: &'a str,
}

impl Reader<'_, '_> {
    /// Checks a filter and turns it into Query DSL. `None` if it is invalid or absent.
    pub(crate) fn read(&mut self, filter: &Value, pointer: &str) -> Option<Value> {
        if self.spans.is_bad(pointer) {
            return None;
        }
        match filter {
            Value::String(text) => {
                if let Err((message, hint)) = lucene(text) {
                    self.faults.push(
                        Diagnostic::error(self.spans.value(pointer), format!("the filter {message}"))
                            .hint(hint),
                    );
                    return None;
                }
                Some(json!({ "query_string": { "query": text } }))
            }
            Value::Object(_) => {
                let before = self.faults.len();
                query(filter, pointer, self.spans, self.faults);
                if self.faults.len() == before {
                    self.confine(filter, pointer);
                }
                (self.faults.len() == before).then(|| filter.clone())
            }
            Value::Array(items) => {
                let clauses: Vec<Value> = (items.iter().enumerate())
                    .filter_map(|(index, item)| match item {
                        // The schema has reported nested lists.
                        Value::Array(_) => None,
                        item => self.read(item, &format!("{pointer}/{index}")),
                    })
                    .collect();
                match clauses.len() {
                    0 => None,
                    1 => clauses.into_iter().next(),
                    _ => Some(json!({ "bool": { "filter": clauses } })),
                }
            }
            _ => None,
        }
    }

    /// Reports what reaches beyond the rule's index.
    fn confine(&mut self, filter: &Value, pointer: &str) {
        let Err(refused) = self.scope.query(filter) else { return };
        let pointer = format!("{pointer}{}", refused.pointer());
        let message = format!("`{}` {}", crate::schema::path(&pointer), refused.reason);
        let remedy = refused.remedy(&format!("the cluster `{}`", self.cluster));
        self.faults.push(Diagnostic::error(self.spans.key(&pointer), message).hint(remedy));
    }
}

/// Checks a map that must be one query, and the queries inside it at known positions.
fn query(value: &Value, pointer: &str, spans: &Spans, faults: &mut Vec<Diagnostic>) {
    let Value::Object(map) = value else {
        faults.push(
            Diagnostic::error(
                spans.value(pointer),
                "the filter is not a valid query: expected a map such as `{ term: { … } }`",
            )
            .hint("inside Query DSL, write Lucene syntax as `query_string: { query: \"…\" }`"),
        );
        return;
    };
    let Some((name, inner)) = map.iter().next() else {
        faults.push(
            Diagnostic::error(spans.value(pointer), "the filter is not a valid query: the map is empty")
                .hint("write a query such as `term: { status: 500 }`, or remove `filter`"),
        );
        return;
    };
    if map.len() > 1 {
        let names = list(map.keys());
        let unknown = map.keys().any(|key| !is_query(key));
        let hint = if unknown {
            "write one query, for example `term: { status: 500 }`, or Lucene syntax in quotes"
        } else {
            "write them as a list; all must match"
        };
        faults.push(
            Diagnostic::error(
                spans.key(&join(pointer, name)),
                format!("the filter is not a valid query: expected one query, found {names}"),
            )
            .hint(hint),
        );
        return;
    }
    let below = join(pointer, name);
    if !is_query(name) {
        let hint = match (name.as_str(), nearest(name, queries())) {
            ("query", _) => "remove `query:` and write its contents".to_string(),
            (_, Some(near)) => format!("did you mean `{near}`?"),
            (field, None) => format!("to compare the field `{field}`, write `term: {{ {field}: … }}`"),
        };
        faults.push(
            Diagnostic::error(
                spans.key(&below),
                format!("the filter is not a valid query: unknown query `{name}`"),
            )
            .hint(hint),
        );
        return;
    }
    if !inner.is_object() {
        faults.push(
            Diagnostic::error(
                spans.value(&below),
                format!("the filter is not a valid query: `{name}` needs a map"),
            )
            .hint(format!("for example `{name}: {{ FIELD: VALUE }}`")),
        );
        return;
    }
    match name.as_str() {
        "bool" => {
            const CLAUSES: [&str; 4] = ["must", "filter", "should", "must_not"];
            for (clause, held) in inner.as_object().into_iter().flatten() {
                let at = join(&below, clause);
                match (CLAUSES.contains(&clause.as_str()), held) {
                    (true, Value::Array(items)) => items.iter().enumerate().for_each(|(index, item)| {
                        query(item, &format!("{at}/{index}"), spans, faults);
                    }),
                    (true, one) => query(one, &at, spans, faults),
                    (false, _) if matches!(clause.as_str(), "minimum_should_match" | "boost" | "_name") => {}
                    (false, _) => {
                        let near = nearest(clause, CLAUSES);
                        faults.push(
                            Diagnostic::error(spans.key(&at), format!("`bool` has no clause `{clause}`"))
                                .hint(
                                    near.map_or_else(
                                        || list(CLAUSES),
                                        |near| format!("did you mean `{near}`?"),
                                    ),
                                ),
                        );
                    }
                }
            }
        }
        "constant_score" | "nested" => {
            let part = if name == "nested" { "query" } else { "filter" };
            match inner.get(part) {
                Some(one) => query(one, &join(&below, part), spans, faults),
                None => faults.push(Diagnostic::error(
                    spans.key(&below),
                    format!("the filter is not a valid query: `{name}` needs `{part}`"),
                )),
            }
        }
        _ => {}
    }
}

/// What can be checked of Lucene syntax without a server: that nothing is unclosed or incomplete.
fn lucene(text: &str) -> Result<(), (String, String)> {
    let fault = |message: &str, hint: &str| Err((message.to_string(), hint.to_string()));
    if text.trim().is_empty() {
        return fault("is empty", "remove `filter` to select all documents");
    }
    let chars: Vec<char> = text.chars().collect();
    let mut open: Vec<char> = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        // The bounds of a range are arbitrary: only quotes and the range's own end are special.
        let bound = matches!(open.last(), Some('[' | '{'));
        match chars[at] {
            c if bound && !matches!(c, '"' | ']' | '}') => {}
            '\\' if at + 1 == chars.len() => {
                return fault("ends in a single `\\`", "write `\\\\` for a backslash");
            }
            '\\' => {
                at += 2;
                continue;
            }
            // A term cannot contain a slash: `a/b` is a term and the start of a regular expression.
            quote @ ('"' | '/') => {
                let end = if quote == '/' { regexp_end(&chars, at + 1) } else { quote_end(&chars, at + 1) };
                let Some(end) = end else {
                    let hint = format!("close it, or write `\\{quote}` for the literal character");
                    return Err((format!("has an unclosed `{quote}`"), hint));
                };
                at = end;
            }
            bracket @ ('(' | '[' | '{') => open.push(bracket),
            bracket @ (')' | ']' | '}') => {
                let fits = match (open.pop(), bracket) {
                    (Some('('), ')') => true,
                    // Ranges may be half open: `[1 TO 5}`.
                    (Some('[' | '{'), ']' | '}') => true,
                    (_, _) => false,
                };
                if !fits {
                    let hint = format!("open it, or write `\\{bracket}` for the literal character");
                    return Err((format!("has an unmatched `{bracket}`"), hint));
                }
            }
            _ => {}
        }
        at += 1;
    }
    if let Some(bracket) = open.pop() {
        let hint = format!("close it, or write `\\{bracket}` for the literal character");
        return Err((format!("has an unclosed `{bracket}`"), hint));
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    match (words.first(), words.last()) {
        (_, Some(last)) if matches!(*last, "AND" | "OR" | "NOT" | "&&" | "||") => {
            Err((format!("ends in `{last}`"), "write what follows it, or remove it".into()))
        }
        (Some(first), _) if matches!(*first, "AND" | "OR" | "&&" | "||") => {
            Err((format!("begins with `{first}`"), "write what precedes it, or remove it".into()))
        }
        (_, Some(last)) if last.ends_with(':') && !last.ends_with("\\:") => {
            Err((format!("has no value after `{last}`"), "write a value, or `field:*` for any".into()))
        }
        _ => Ok(()),
    }
}

fn quote_end(chars: &[char], mut at: usize) -> Option<usize> {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 1,
            '"' => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Lucene takes the longest text between slashes in which every other slash follows a backslash, whatever precedes that
/// backslash. So an expression that ends in a backslash is still closed by its last slash.
fn regexp_end(chars: &[char], start: usize) -> Option<usize> {
    let mut end = None;
    for at in (start..chars.len()).filter(|at| chars[*at] == '/') {
        end = Some(at);
        if at == start || chars[at - 1] != '\\' {
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::lucene;

    #[test]
    fn what_people_write_passes() {
        for text in [
            "Status: [500 TO 599]",
            "status:[1 TO 5}",
            r#"message:"a (broken [text" AND NOT host.name:web-*"#,
            r"path:\/api\/v1 OR path:/ap[i(]+/",
            r"(a1:/(^|\\/)\.[^.\\/]/ OR a2:/(^|\\/)\.[^.\\/]/)",
            r"path:/[a-zA-Z]:\\/",
            r"(path:/[a-zA-Z]:\\/)",
            "path:a/b/",
            "day:[2024/01/02 TO 2024/02/03] OR path:[a( TO b]",
            "url:http\\://x",
            "NOT a:b",
            "*",
        ] {
            assert_eq!(lucene(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_left_open_is_told() {
        for (text, message) in [
            ("status:[500 TO 599", "has an unclosed `[`"),
            ("(a OR b", "has an unclosed `(`"),
            ("a)", "has an unmatched `)`"),
            ("m:\"x", "has an unclosed `\"`"),
            ("path:/x", "has an unclosed `/`"),
            ("path:a/b", "has an unclosed `/`"),
            ("a AND", "ends in `AND`"),
            ("OR a", "begins with `OR`"),
            ("status:", "has no value after `status:`"),
            ("x\\", "ends in a single `\\`"),
            ("  ", "is empty"),
        ] {
            assert_eq!(lucene(text).unwrap_err().0, message, "{text}");
        }
    }
}
