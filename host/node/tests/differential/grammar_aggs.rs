//! A grammar of aggregations, over the documents of the case `aggregations`.
use serde_json::{Value as Json, json};

use crate::grammar::Draw;

const NUMBERS: &[&str] = &["status", "took", "nope"];
const KEYS: &[&str] = &["host", "status", "ok", "ip", "took"];

/// A search of no hits, or of some, and what they come to.
pub(crate) fn aggregations(draw: &mut Draw) -> Json {
    let mut body = json!({"size": 0, "track_total_hits": true, "aggs": named(draw, 2)});
    if draw.one_in(6) {
        body["aggs"] = json!({"page": composite(draw)});
    }
    if draw.one_in(2) {
        body["query"] = filter(draw);
    }
    body
}

fn filter(draw: &mut Draw) -> Json {
    match draw.below(7) {
        0 => json!({"term": {"status": draw.of(&["200", "404", "500", "1"])}}),
        1 => json!({"terms": {"host": [draw.of(&["h0", "h1"]), draw.of(&["h4", "shared"])]}}),
        2 => json!({"range": {"took": {"gte": draw.below(60), "lt": 20 + draw.below(60)}}}),
        3 => {
            json!({"query_string": {"query": draw.of(&["status:[400 TO *]", "host:h* AND NOT ok:true", "-host:*"])}})
        }
        4 => json!({"exists": {"field": draw.of(&["host", "took", "nope"])}}),
        5 => json!({"term": {"ip": draw.of(&["10.0.0.0/31", "10.0.0.3"])}}),
        _ => {
            json!({"range": {"t": {"gte": "2024-03-01T00:10:00Z", "lt": draw.of(&["2024-03-01T00:30", "2024-03-01||+1h/h"])}}})
        }
    }
}

/// One or two aggregations by name.
fn named(draw: &mut Draw, depth: usize) -> Json {
    let mut aggs = json!({});
    for name in ["a", "b"].iter().take(1 + draw.below(2)) {
        let buckets = depth > 0 && draw.below(3) > 0;
        aggs[*name] = if buckets { bucketed(draw, depth - 1) } else { metric(draw) };
    }
    aggs
}

fn metric(draw: &mut Draw) -> Json {
    let number = draw.of(NUMBERS);
    let key = draw.of(&["host", "status", "ip", "ok", "t", "nope"]);
    let mut body = match draw.below(9) {
        0 => return json!({"max": {"field": "t"}}),
        1 => json!({"avg": {"field": number}}),
        2 => json!({"sum": {"field": number}}),
        3 => json!({"min": {"field": number}}),
        4 => json!({"stats": {"field": draw.of(&["status", "took", "nope", "t"])}}),
        5 => json!({"extended_stats": {"field": number}}),
        6 => return json!({"value_count": {"field": key}}),
        7 => return json!({"cardinality": {"field": key}}),
        _ => return top_hits(draw),
    };
    if draw.one_in(4) {
        let kind = body.as_object().and_then(|body| body.keys().next().cloned()).unwrap_or_default();
        if body[&kind]["field"] != "t" {
            body[&kind]["missing"] = draw.below(9).into();
        }
    }
    body
}

/// Judged by its hits and their keys, which the servers show alike.
fn top_hits(draw: &mut Draw) -> Json {
    let sort = json!([{draw.of(&["took", "t", "status"]): draw.of(&["asc", "desc"])}, {"t": "asc"}]);
    json!({"top_hits": {"size": 1 + draw.below(3), "from": draw.below(2), "sort": sort, "_source": false}})
}

fn order(draw: &mut Draw) -> Json {
    let direction = draw.of(&["asc", "desc"]);
    match draw.below(3) {
        0 => json!({"_key": direction}),
        1 => json!([{"_count": direction}, {"_key": "asc"}]),
        _ => json!({"m": direction}),
    }
}

fn bucketed(draw: &mut Draw, depth: usize) -> Json {
    let mut subs = if depth > 0 || draw.one_in(2) { named(draw, depth) } else { json!({}) };
    let mut agg = match draw.below(11) {
        0..=2 => {
            let mut terms = json!({"field": draw.of(KEYS), "size": 1 + draw.below(6)});
            if draw.one_in(3) {
                terms["order"] = order(draw);
                if terms["order"].get("m").is_some() {
                    subs["m"] = json!({draw.of(&["max", "sum", "min"]): {"field": "took"}});
                }
            }
            match draw.below(5) {
                0 => terms["min_doc_count"] = draw.below(8).into(),
                1 if terms["field"] == "host" => terms["missing"] = "none".into(),
                2 if terms["field"] == "host" => {
                    terms["include"] = draw.of(&["h[0-1]", ".*a.*", "h.*"]).into()
                }
                3 if terms["field"] == "host" => terms["exclude"] = json!(["h1", "nobody"]),
                _ => {}
            }
            json!({ "terms": terms })
        }
        3 => {
            let mut histogram = json!({"field": "t"});
            if draw.one_in(2) {
                histogram["fixed_interval"] = draw.of(&["5m", "7m", "90s", "1h", "1d"]).into();
            } else {
                histogram["calendar_interval"] =
                    draw.of(&["minute", "hour", "1d", "week", "month", "1y"]).into();
            }
            if draw.one_in(3) {
                histogram["time_zone"] = draw.of(&["+05:30", "America/New_York", "Europe/Berlin"]).into();
            }
            if draw.one_in(3) {
                histogram["offset"] = draw.of(&["3m", "-30s", "1h"]).into();
            }
            if draw.one_in(2) {
                histogram["min_doc_count"] = draw.below(3).into();
            }
            // By the minute a year of gaps would have too many buckets.
            if draw.one_in(4) {
                histogram["format"] = draw.of(&["yyyy-MM-dd", "epoch_millis", "yyyy-MM-dd'T'HH:mm"]).into();
            }
            if draw.one_in(5) {
                histogram["keyed"] = true.into();
                histogram["format"] = "yyyy-MM-dd'T'HH:mm:ss".into();
            }
            json!({ "date_histogram": histogram })
        }
        4 => {
            let mut histogram = json!({"field": draw.of(&["took", "status"]), "interval": draw.of(&["5", "10", "12.5", "100"]).parse::<f64>().unwrap_or(5.0)});
            if draw.one_in(3) {
                histogram["offset"] = 2.5.into();
            }
            if draw.one_in(2) {
                histogram["min_doc_count"] = draw.below(3).into();
            }
            json!({ "histogram": histogram })
        }
        5 => {
            let low = draw.below(50);
            let ranges =
                json!([{"to": low}, {"from": low, "to": low + draw.below(30)}, {"key": "high", "from": 40}]);
            json!({"range": {"field": draw.of(NUMBERS), "ranges": ranges, "keyed": draw.one_in(2)}})
        }
        6 => {
            let edge = draw.of(&["2024-03-01T00:10:00Z", "2024-03-01||+20m", "2024-03-01T00:07"]);
            json!({"date_range": {"field": "t", "keyed": draw.one_in(3), "ranges": [{"to": edge}, {"from": edge, "key": "after"}]}})
        }
        7 => {
            let ranges =
                json!([{"to": "10.0.0.2"}, {"from": "10.0.0.1", "to": "10.0.0.3"}, {"mask": "10.0.0.2/31"}]);
            json!({"ip_range": {"field": "ip", "ranges": ranges, "keyed": draw.one_in(3)}})
        }
        8 => json!({ "filter": filter(draw) }),
        9 => {
            let mut filters = json!({"filters": {"one": filter(draw), "two": filter(draw)}});
            if draw.one_in(2) {
                filters["other_bucket"] = true.into();
            }
            json!({ "filters": filters })
        }
        _ => json!({"missing": {"field": draw.of(&["host", "took", "nope"])}}),
    };
    if subs.as_object().is_some_and(|subs| !subs.is_empty()) {
        agg["aggs"] = subs;
    }
    agg
}

fn composite(draw: &mut Draw) -> Json {
    let mut sources = Vec::new();
    let mut after = json!({});
    for name in ["x", "y"].iter().take(1 + draw.below(2)) {
        let mut options = json!({"order": draw.of(&["asc", "desc"])});
        let (kind, last): (&str, Json) = match draw.below(4) {
            0 => {
                options["field"] = "t".into();
                options["fixed_interval"] = draw.of(&["10m", "1h"]).into();
                ("date_histogram", 1_709_252_400_000_i64.into())
            }
            1 => {
                options["field"] = "status".into();
                ("terms", 404.into())
            }
            2 => {
                options["field"] = "ok".into();
                ("terms", false.into())
            }
            _ => {
                options["field"] = "host".into();
                options["missing_bucket"] = draw.one_in(2).into();
                ("terms", draw.of(&["h1", "h2", "zz"]).into())
            }
        };
        after[*name] = last;
        sources.push(json!({*name: {kind: options}}));
    }
    let mut composite = json!({"size": 1 + draw.below(12), "sources": sources});
    if draw.one_in(3) {
        composite["after"] = after;
    }
    let mut agg = json!({ "composite": composite });
    if draw.one_in(2) {
        agg["aggs"] = json!({"m": metric(draw)});
    }
    agg
}
