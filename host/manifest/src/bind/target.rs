//! What a rule queries, and whether the environment allows it.
use serde_json::Value;

use super::doc::Doc;
use crate::report::{Diagnostic, list, nearest, suggest};
use crate::{Environment, TargetSpec, filter, raw};

/// The parts of a manifest that say what to query.
pub(crate) struct Asked {
    pub(crate) cluster: Option<String>,
    pub(crate) index: raw::OneOrMany,
    pub(crate) time_field: Option<String>,
    pub(crate) filter: Option<Value>,
    pub(crate) ignore_unavailable: Option<bool>,
}

pub(crate) fn target(doc: &mut Doc<'_>, asked: Asked, environment: Option<&Environment>) -> TargetSpec {
    let cluster = asked.cluster.unwrap_or_else(|| "main".into());
    let written = match asked.index {
        raw::OneOrMany::One(index) => vec![("/index".to_string(), index)],
        raw::OneOrMany::Many(indices) => {
            indices.into_iter().enumerate().map(|(index, name)| (format!("/index/{index}"), name)).collect()
        }
    };
    let mut indices = Vec::new();
    for (pointer, written) in written {
        for index in written.split(',').map(str::trim) {
            match wrong_with(index) {
                Some(why) => {
                    doc.fault(&pointer, format!("`{index}` is not a valid index name: {why}")).push(doc)
                }
                None => indices.push((pointer.clone(), index.to_string())),
            }
        }
    }
    if let Some(environment) = environment {
        match environment.clusters.get(&cluster) {
            Some(spec) => {
                for (pointer, index) in &indices {
                    if let Some(allowed) = &spec.indices {
                        allowance(doc, pointer, index, allowed, &cluster, environment);
                    }
                }
            }
            None if doc.was_wrong("/cluster") => {}
            None => {
                let known: Vec<&str> = environment.clusters.keys().map(String::as_str).collect();
                doc.fault(
                    "/cluster",
                    format!("environment `{}` has no cluster `{cluster}`", environment.name),
                )
                .maybe_hint(suggest(&cluster, &known))
                .push(doc);
            }
        }
    }
    let filter = asked.filter.and_then(|typed| filter::read(&typed, "/filter", doc.spans, doc.faults));
    TargetSpec {
        cluster,
        indices: indices.into_iter().map(|(_, index)| index).collect(),
        time_field: asked.time_field.unwrap_or_else(|| "@timestamp".into()),
        filter,
        ignore_unavailable: asked.ignore_unavailable.unwrap_or(false),
    }
}

fn wrong_with(index: &str) -> Option<&'static str> {
    if index.is_empty() {
        return Some("it is empty");
    }
    if index.starts_with('<') {
        return None; // Date math has its own grammar.
    }
    if index.contains(['/', '\\', '?', '"', '<', '>', '|', ' ', '#']) {
        return Some("it contains an illegal character");
    }
    if index.chars().any(char::is_uppercase) {
        return Some("index names must be lower case");
    }
    None
}

fn allowance(
    doc: &mut Doc<'_>,
    pointer: &str,
    index: &str,
    allowed: &[String],
    cluster: &str,
    environment: &Environment,
) {
    // `-logs-x` excludes from what the others name.
    if index.starts_with('-') || allowed.iter().any(|pattern| covers(pattern, index)) {
        return;
    }
    let home = environment.places.get(&format!("/clusters/{cluster}/indices"));
    let file = home.map_or_else(|| "the environment".to_string(), |place| place.file.to_string());
    let near = nearest(index, allowed.iter().map(String::as_str));
    let hint = match near {
        Some(near) => format!("write `{near}`, or add `{index}` to {file}"),
        None => format!("add `{index}` to {file}"),
    };
    let message = format!("environment `{}` does not allow index `{index}`", environment.name);
    let mut fault = Diagnostic::error(doc.spans.value(pointer), message).hint(hint);
    if let Some(place) = home {
        let allows = if allowed.is_empty() { "no index".to_string() } else { list(allowed) };
        fault = fault.note(format!("{} allows {allows}", place.short()));
    }
    fault.push(doc);
}

/// Whether `pattern` covers every index that `asked` can match. A `*` in `asked` is covered only by a `*` in `pattern`,
/// so the result holds whatever the stars stand for.
fn covers(pattern: &str, asked: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = asked.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_pattern_covers_what_lies_within_it() {
        for (pattern, asked, covered) in [
            ("logs-*", "logs-web", true),
            ("logs-*", "logs-web-*", true),
            ("logs-*", "logs*", false),
            ("logs-*", "*", false),
            ("*", "anything-*", true),
            ("logs", "logs", true),
            ("logs", "logs-1", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(covers(pattern, asked), covered, "{pattern} {asked}");
        }
    }
}
