use std::fmt;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

pub(crate) const MINUTE: i64 = 60_000;
/// All timelines are this long.
const LENGTH: i64 = 40 * MINUTE;
const USERS: [&str; 3] = ["ann", "bob", "cleo"];
const STATES: [&str; 4] = ["up", "down", "slow", "off"];

/// One rule and the documents that it judges.
pub(crate) struct Case {
    pub(crate) kind: &'static str,
    pub(crate) seed: u64,
    pub(crate) key: Option<&'static str>,
    /// As ElastAlert calls them; times in milliseconds.
    options: Value,
    params: Value,
    pub(crate) documents: Vec<(i64, Map<String, Value>)>,
}

pub(crate) fn mapping() -> Value {
    json!({ "user": { "type": "keyword" }, "state": { "type": "keyword" }, "n": { "type": "long" } })
}

pub(crate) fn case(kind: &'static str, seed: u64) -> Case {
    let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003) ^ kind.len() as u64);
    let random = &mut random;
    let key = random.random_bool(0.5).then_some("user");
    let timeframe = pick(random, &[2, 5, 10]) * MINUTE;
    let (key, options, params) = rule(random, kind, key, timeframe);
    let documents = documents(random, kind);
    let mut options = options;
    if let (Some(key), Some(options)) = (key, options.as_object_mut()) {
        options.insert("query_key".into(), key.into());
    }
    Case { kind, seed, key, options, params, documents }
}

fn rule(
    random: &mut StdRng,
    kind: &str,
    key: Option<&'static str>,
    timeframe: i64,
) -> (Option<&'static str>, Value, Value) {
    let span = format!("{timeframe}ms");
    match kind {
        "blacklist" => (
            None,
            json!({ "compare_key": "state", "blacklist": ["down", "off"] }),
            json!({ "field": "state", "values": ["down", "off"] }),
        ),
        "whitelist" => {
            let ignore = random.random_bool(0.5);
            (
                None,
                json!({ "compare_key": "state", "whitelist": ["up", "slow"], "ignore_null": ignore }),
                json!({ "field": "state", "values": ["up", "slow"], "ignore_null": ignore }),
            )
        }
        "change" => {
            let ignore = random.random_bool(0.5);
            let mut options = json!({ "compound_compare_key": ["state"], "ignore_null": ignore });
            let mut params = json!({ "fields": ["state"], "ignore_null": ignore });
            if random.random_bool(0.5) {
                options["timeframe"] = timeframe.into();
                params["timeframe"] = span.into();
            }
            (Some("user"), options, params)
        }
        "frequency" => {
            let events = pick(random, &[1, 2, 3, 5, 8]);
            (
                key,
                json!({ "num_events": events, "timeframe": timeframe }),
                json!({ "num_events": events, "timeframe": span }),
            )
        }
        "spike" => {
            let height = pick(random, &[2, 3]);
            let (least_ref, least_cur) = (pick(random, &[1, 3]), pick(random, &[2, 5]));
            (
                None,
                json!({ "timeframe": timeframe, "spike_height": height, "spike_type": "up",
                        "threshold_ref": least_ref, "threshold_cur": least_cur }),
                json!({ "timeframe": span, "height": height, "direction": "up",
                        "threshold_ref": least_ref, "threshold_cur": least_cur }),
            )
        }
        "flatline" => {
            let threshold = pick(random, &[1, 2, 4]);
            (
                key,
                json!({ "threshold": threshold, "timeframe": timeframe }),
                json!({ "threshold": threshold, "timeframe": span }),
            )
        }
        "new_term" => (None, json!({ "fields": ["state"] }), json!({ "fields": ["state"], "window": "1h" })),
        "cardinality" => {
            let most = pick(random, &[1, 2, 3]);
            (
                key,
                json!({ "cardinality_field": "state", "max_cardinality": most, "timeframe": timeframe }),
                json!({ "field": "state", "max_cardinality": most, "timeframe": span }),
            )
        }
        "metric_aggregation" => {
            let (metric, bound) = [("max", 90), ("min", 15), ("avg", 60), ("sum", 150), ("value_count", 3)]
                [random.random_range(0..5)];
            let (theirs, ours) = if metric == "min" { ("min_threshold", 1) } else { ("max_threshold", 0) };
            let mut options = json!({ "metric_agg_key": "n", "metric_agg_type": metric });
            options[theirs] = bound.into();
            let mut params = json!({ "metric": metric, "field": "n", "timeframe": "1m" });
            params[["max_threshold", "min_threshold"][ours]] = bound.into();
            (key, options, params)
        }
        "spike_aggregation" => {
            let metric = ["sum", "value_count"][random.random_range(0..2)];
            let height = pick(random, &[2, 3]);
            let (least_ref, least_cur) = (pick(random, &[1, 3]), pick(random, &[2, 5]));
            (
                None,
                json!({ "metric_agg_key": "n", "metric_agg_type": metric, "timeframe": timeframe, "spike_height": height,
                        "spike_type": "up", "threshold_ref": least_ref, "threshold_cur": least_cur }),
                json!({ "metric": metric, "field": "n", "timeframe": span, "step": "1m", "height": height,
                        "direction": "up", "threshold_ref": least_ref, "threshold_cur": least_cur }),
            )
        }
        "percentage_match" => (
            key,
            json!({ "match_bucket_filter": [], "match_field": "state", "match_value": "down", "max_percentage": 40 }),
            json!({ "match": "state: down", "max_percentage": 40, "timeframe": "1m" }),
        ),
        _ => (None, json!({}), json!({ "fields": ["state"] })),
    }
}

/// Quiet stretches, busy ones, and bursts; no two documents of one instant, whose order no cluster promises.
fn documents(random: &mut StdRng, kind: &str) -> Vec<(i64, Map<String, Value>)> {
    let mut documents = Vec::new();
    let mut at = random.random_range(1..2 * MINUTE);
    while at < LENGTH - 2 * MINUTE {
        let pace = pick(random, &[500, 5_000, 20_000, 60_000, 6 * MINUTE]);
        for _ in 0..random.random_range(1..12) {
            documents.push((at, document(random, kind)));
            at += random.random_range(1..=pace);
            // What lies on a window's end belongs to one window here and to the other there.
            at += i64::from(at % 1_000 == 0);
        }
    }
    documents.retain(|(at, _)| *at < LENGTH - MINUTE);
    documents
}

fn document(random: &mut StdRng, kind: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    // A key that is missing is a group of its own here; rules that count per key say so and are not compared in it.
    fields.insert("user".into(), USERS[random.random_range(0..USERS.len())].into());
    if kind != "change" && random.random_bool(0.9) || kind == "change" && random.random_bool(0.95) {
        fields.insert("state".into(), STATES[random.random_range(0..STATES.len())].into());
    }
    if random.random_bool(0.9) {
        fields.insert("n".into(), random.random_range(1..100_i64).into());
    }
    fields
}

fn pick(random: &mut StdRng, of: &[i64]) -> i64 {
    of[random.random_range(0..of.len())]
}

impl Case {
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.kind.replace('_', "-"), self.seed)
    }

    pub(crate) fn timeframe(&self) -> i64 {
        self.options["timeframe"].as_i64().unwrap_or(MINUTE)
    }

    /// What a spike is, by the options alone.
    pub(crate) fn is_spike(&self, current: usize, reference: usize) -> bool {
        let option = |name: &str| self.options[name].as_u64().and_then(|count| usize::try_from(count).ok());
        let at_least = |name: &str, count: usize| option(name).is_some_and(|least| count >= least);
        at_least("threshold_cur", current)
            && at_least("threshold_ref", reference)
            && option("spike_height").is_some_and(|height| current >= reference * height)
    }

    /// When both have judged all documents.
    pub(crate) fn end(&self) -> String {
        format!("{}ms", LENGTH + 3 * MINUTE)
    }

    pub(crate) fn manifest(&self) -> Value {
        let mut manifest = json!({
            "name": self.name(), "use": self.kind, "index": "logs-*", "every": "1m", "params": self.params,
            "alert": { "to": ["hook"] },
        });
        if let Some(key) = self.key {
            manifest["key"] = json!([key]);
        }
        manifest
    }

    pub(crate) fn documents(&self) -> Vec<Value> {
        let entry = |(at, fields): &(i64, _)| json!({ "at": format!("{at}ms"), "fields": fields });
        self.documents.iter().map(entry).collect()
    }

    pub(crate) fn for_elastalert(&self) -> Value {
        let entry = |(at, fields): &(i64, _)| json!({ "at": at, "fields": fields });
        json!({
            "type": self.kind, "options": self.options, "from": 0, "until": LENGTH, "every": MINUTE,
            "documents": self.documents.iter().map(entry).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {}", self.manifest())?;
        for (at, fields) in &self.documents {
            writeln!(f, "  {at:>8} {}", Value::Object(fields.clone()))?;
        }
        Ok(())
    }
}
