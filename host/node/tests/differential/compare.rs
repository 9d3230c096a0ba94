use serde_json::{Map, Value as Json, json};

use crate::case::Case;

/// What is compared: of a refusal the status and the kind of error, of a success the ids, the total, and what else the
/// request is about.
pub(crate) fn extract(request: &Json, status: u16, body: &Json) -> Json {
    if status != 200 {
        return json!({"status": status, "error": kind_of_error(&body["error"])});
    }
    let mut out = Map::new();
    let hits = body["hits"]["hits"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<&str> = hits.iter().filter_map(|hit| hit["_id"].as_str()).collect();
    if request["body"].get("sort").is_none() {
        ids.sort_unstable();
    }
    out.insert("ids".into(), ids.into());
    out.insert("total".into(), body["hits"]["total"].clone());
    if request["hits"] == true {
        out.insert("hits".into(), hits.iter().map(shown).collect());
    }
    if let Some(aggs) = body.get("aggregations") {
        let mut aggs = aggs.clone();
        // Hits in buckets have their index's name in them, and of old servers a type.
        without(&mut aggs, "_type");
        out.insert("aggs".into(), aggs);
    }
    Json::Object(out)
}

/// What a hit shows beside its id.
pub(crate) fn shown(hit: &Json) -> Json {
    let kept = ["sort", "fields", "_source", "matched_queries"];
    let parts = kept.iter().filter_map(|key| Some(((*key).to_owned(), hit.get(*key)?.clone())));
    let mut shown = Json::Object(parts.collect());
    // The servers return the names in no fixed order.
    if let Some(matched) = shown.get_mut("matched_queries").and_then(Json::as_array_mut) {
        matched.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    }
    shown
}

/// The innermost error that the server calls the root; of a failure without one, what caused it.
pub(crate) fn kind_of_error(error: &Json) -> &str {
    let root = &error["root_cause"][0]["type"];
    root.as_str().or(error["caused_by"]["type"].as_str()).or(error["type"].as_str()).unwrap_or_default()
}

/// Equal but for the spelling of numbers, and within `tolerance` of each other where they are fractions.
pub(crate) fn same(a: &Json, b: &Json, tolerance: f64) -> bool {
    match (a, b) {
        (Json::Number(x), Json::Number(y)) => {
            x == y
                || (!(x.is_i64() && y.is_i64())
                    && x.as_f64()
                        .zip(y.as_f64())
                        .is_some_and(|(x, y)| (x - y).abs() <= tolerance * (1.0 + x.abs())))
        }
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b, tolerance))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b, tolerance)))
        }
        (a, b) => a == b,
    }
}

/// Takes a key away wherever it stands: what one version shows of everything.
pub(crate) fn without(json: &mut Json, key: &str) {
    match json {
        Json::Object(object) => {
            object.remove(key);
            object.values_mut().for_each(|value| without(value, key));
        }
        Json::Array(all) => all.iter_mut().for_each(|value| without(value, key)),
        _ => {}
    }
}

/// Whether a server's answer is as good as the node's. `kinds`: kinds of errors count.
pub(crate) fn same_within(case: &Case, request: &Json, ours: &Json, theirs: &Json, kinds: bool) -> bool {
    let (mut ours, mut theirs) = (ours.clone(), theirs.clone());
    if !kinds {
        for answer in [&mut ours, &mut theirs] {
            answer.as_object_mut().map(|answer| answer.remove("error"));
        }
    }
    if let Some(field) = request["approximate"].as_str() {
        let exact = sorted_values(case, field);
        for answer in [&mut ours, &mut theirs] {
            let values = answer["aggs"]["a"]["values"].take();
            if !percentiles_fit(&values, &exact) {
                return false;
            }
        }
    }
    same(&ours, &theirs, 1e-9)
}

/// All values of a number field; a request for percentiles asks for all documents.
fn sorted_values(case: &Case, field: &str) -> Vec<f64> {
    let mut values: Vec<f64> = Vec::new();
    for document in &case.documents {
        match &document["_source"][field] {
            Json::Array(all) => values.extend(all.iter().filter_map(Json::as_f64)),
            one => values.extend(one.as_f64()),
        }
    }
    values.sort_by(f64::total_cmp);
    values
}

/// A percentile is not defined more closely than by the values on either side of its rank, and servers interpolate
/// between those each in its own way.
fn percentiles_fit(values: &Json, exact: &[f64]) -> bool {
    let pairs: Vec<(f64, f64)> = match values {
        Json::Object(keyed) => {
            keyed.iter().filter_map(|(key, value)| Some((key.parse().ok()?, value.as_f64()?))).collect()
        }
        Json::Array(list) => {
            list.iter().filter_map(|one| Some((one["key"].as_f64()?, one["value"].as_f64()?))).collect()
        }
        _ => return false,
    };
    let asked = values.as_object().map_or(0, Map::len) + values.as_array().map_or(0, Vec::len);
    asked > 0
        && pairs.len() == asked
        && pairs.iter().all(|(percent, value)| {
            let rank = percent / 100.0 * exact.len() as f64;
            let low = exact[(rank.floor() as usize).saturating_sub(1)];
            let high = exact[(rank.ceil() as usize).min(exact.len() - 1)];
            (low..=high).contains(value)
        })
}

#[test]
fn percentiles_are_held_to_their_neighbours() {
    let exact: Vec<f64> = (1..=100).map(f64::from).collect();
    assert!(percentiles_fit(&json!({"50.0": 50.4, "99.0": 99.9}), &exact));
    assert!(!percentiles_fit(&json!({"50.0": 52.0}), &exact));
    assert!(!percentiles_fit(&json!([{"key": 50.0, "value": "NaN"}]), &exact));
    assert!(!percentiles_fit(&json!({}), &exact));
}
