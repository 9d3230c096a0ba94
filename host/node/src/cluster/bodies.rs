//! Merges bodies.
use serde_json::{Map, Value as Json};

/// Merges several bodies; later ones override earlier ones.
pub(super) fn merged(bodies: Vec<Json>) -> Json {
    let mut all = Map::new();
    for body in bodies {
        if let Json::Object(body) = body {
            lay(&mut all, body, false);
        }
    }
    Json::Object(all)
}

/// `fields`: field definitions, of which only objects are merged.
fn lay(under: &mut Map<String, Json>, over: Map<String, Json>, fields: bool) {
    for (key, value) in over {
        let inner = key == "properties" && !fields;
        match (under.get_mut(&key), value) {
            (Some(Json::Object(old)), Json::Object(new)) => {
                if fields && !new.contains_key("properties") {
                    *old = new;
                } else {
                    lay(old, new, inner);
                }
            }
            (Some(Json::Array(old)), Json::Array(new)) if key == "dynamic_templates" => old.extend(new),
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_later_field_takes_the_place_of_an_earlier_one() {
        let all = merged(vec![
            json!({"mappings": {"properties": {"a": {"type": "text", "index": false}, "o": {"properties": {"x": {"type": "long"}}}}}}),
            json!({"mappings": {"properties": {"a": {"type": "keyword"}, "o": {"properties": {"properties": {"type": "ip"}}}}}}),
        ]);
        let expected = json!({"a": {"type": "keyword"}, "o": {"properties": {"x": {"type": "long"}, "properties": {"type": "ip"}}}});
        assert_eq!(all["mappings"]["properties"], expected);
    }
}
