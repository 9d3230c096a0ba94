//! What in a search or a query reaches beyond the rule's index and filter.
use serde_json::Value;

/// The path of the first part that reads documents of other indices, or that cannot be inspected.
pub(crate) fn path(of: &Value) -> Option<String> {
    find(of, &mut vec![])
}

fn find<'a>(value: &'a Value, path: &mut Vec<&'a str>) -> Option<String> {
    match value {
        Value::Array(items) => items.iter().find_map(|item| find(item, path)),
        Value::Object(map) => map.iter().find_map(|(key, held)| {
            path.push(key);
            if reaches_out(key, held) {
                return Some(path.join("."));
            }
            if matches!(key.as_str(), "aggs" | "aggregations") {
                for (name, agg) in held.as_object().into_iter().flatten() {
                    const WIDE: [&str; 5] =
                        ["global", "children", "parent", "significant_terms", "significant_text"];
                    if let Some(kind) = WIDE.iter().find(|kind| agg.get(kind).is_some()) {
                        return Some(format!("{}.{name}.{kind}", path.join(".")));
                    }
                }
            }
            let found = find(held, path);
            path.pop();
            found
        }),
        _ => None,
    }
}

fn reaches_out(key: &str, held: &Value) -> bool {
    let has = |value: &Value, key: &str| value.get(key).is_some();
    match key {
        // Base64, which is not inspected.
        "wrapper" => held.get("query").is_some_and(Value::is_string),
        "indexed_shape" => held.is_object(),
        "percolate" => has(held, "index") || has(held, "id"),
        // Values taken from a document of some index.
        "terms" => held
            .as_object()
            .into_iter()
            .flatten()
            .any(|(_, of)| has(of, "index") && (has(of, "id") || has(of, "path") || has(of, "query"))),
        "more_like_this" => ["like", "unlike", "docs", "ids"].iter().any(|part| match held.get(part) {
            Some(Value::Array(items)) => {
                *part == "ids" || items.iter().any(|item| has(item, "_index") || has(item, "_id"))
            }
            Some(item) => has(item, "_index") || has(item, "_id"),
            None => false,
        }),
        _ => false,
    }
}
