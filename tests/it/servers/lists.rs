//! Listed values by the type of their field: the same on every server.
use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::world::{World, now};

const INDEX: &str = "logs-servers-lists";

struct Listed {
    field: &'static str,
    mapping: Value,
    /// What one document each has.
    sent: Value,
    list: Value,
    /// How those of them are shown that are on the list, and those that are not.
    on: &'static [&'static str],
    off: &'static [&'static str],
    /// Servers that do not know the type.
    lacking: &'static [&'static str],
}

fn all(noon: &str) -> Vec<Listed> {
    let one =
        |field, mapping, sent, list, on, off| Listed { field, mapping, sent, list, on, off, lacking: &[] };
    vec![
        one(
            "word",
            json!({ "type": "keyword" }),
            json!(["0800", "800", "10.1.2.3"]),
            json!(["0800", "10.1.0.0/16"]),
            &["0800"],
            &["800", "10.1.2.3"],
        ),
        one("whole", json!({ "type": "long" }), json!([73, 1]), json!([73, "unknown", 1.5]), &["73"], &["1"]),
        one("small", json!({ "type": "byte" }), json!([7, 8]), json!(["7", 300]), &["7"], &["8"]),
        one(
            "single",
            json!({ "type": "float" }),
            json!([0.1, 0.2]),
            json!([0.1, "1e300", "x"]),
            &["0.1"],
            &["0.2"],
        ),
        one(
            "half",
            json!({ "type": "half_float" }),
            json!([0.1, 0.7]),
            json!([0.1, 1_000_000]),
            &["0.1"],
            &["0.7"],
        ),
        Listed {
            lacking: &["es9"],
            ..one(
                "scaled",
                json!({ "type": "scaled_float", "scaling_factor": 10 }),
                json!([0.3, 0.7]),
                json!([0.3]),
                &["0.3"],
                &["0.7"],
            )
        },
        Listed {
            lacking: &["node", "es7", "es9"],
            ..one(
                "unsigned",
                json!({ "type": "unsigned_long" }),
                json!([900_719_925_474_099_u64, 5]),
                json!([900_719_925_474_099_u64, -1, 1.5]),
                &["900719925474099"],
                &["5"],
            )
        },
        one(
            "address",
            json!({ "type": "ip" }),
            json!(["10.1.2.3", "2001:db8::1", "10.2.0.1", "::ffff:192.168.0.9"]),
            json!(["10.1.0.0/16", "2001:DB8:0:0:0:0:0:1", "::ffff:192.168.0.9", "-"]),
            &["10.1.2.3", "2001:db8::1", "192.168.0.9"],
            &["10.2.0.1"],
        ),
        one(
            "day",
            json!({ "type": "date", "format": "yyyy/MM/dd" }),
            json!(["2024/01/01", "2024/01/02"]),
            json!(["2024-01-01", "now", "1969-12-31"]),
            &["1704067200000"],
            &["1704153600000"],
        ),
        one(
            "instant",
            json!({ "type": "date_nanos" }),
            json!(["2024-01-01T00:00:00.000000001Z", "2024-01-01T00:00:01Z"]),
            json!([noon, 1_704_067_200_000_i64]),
            &["1704067200000"],
            &["1704067201000"],
        ),
        one(
            "flag",
            json!({ "type": "boolean" }),
            json!([true, false]),
            json!(["true", "no"]),
            &["true"],
            &["false"],
        ),
    ]
}

/// What both rules of each field said, in the order of the alphabet.
async fn told(mut world: World, server: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let fields: Vec<Listed> =
        all("2024-02-01T12:00").into_iter().filter(|one| !one.lacking.contains(&server)).collect();
    let mut properties = json!({ "@timestamp": { "type": "date" } });
    let (mut documents, mut expected) = (Vec::new(), BTreeSet::new());
    let at = watchbell::clock::rfc3339(watchbell_contract::Timestamp(now() - 120_000));
    for Listed { field, mapping, sent, list, on, off, .. } in &fields {
        properties[field] = mapping.clone();
        for value in sent.as_array().into_iter().flatten() {
            documents.push(json!({ "@timestamp": at, *field: value }));
        }
        for (rule, shown) in [("blacklist", on), ("whitelist", off)] {
            let params = match rule {
                "blacklist" => json!({ "field": field, "values": list }),
                _ => json!({ "field": field, "values": list, "ignore_null": true }),
            };
            let rule_of = json!({
                "name": format!("{rule}-{field}"), "use": rule, "index": INDEX, "every": "10s", "delay": "0s",
                "lateness": "10m", "lookback": "10m", "params": params,
                "alert": { "title": "{{ summary }}", "to": ["hook"] },
            });
            world.write(&format!("{rule}-{field}.yaml"), &rule_of.to_string());
            expected.extend(shown.iter().map(|value| format!("{rule} {field}: {value}")));
        }
    }
    world.index_with(INDEX, &properties).await;
    world.documents(INDEX, &documents).await;
    let mut host = world.start();
    let said = |body: &Value| {
        let rule = body["rule"].as_str().unwrap_or_default();
        let rule = rule.split('-').next().unwrap_or_default();
        format!("{rule} {}", body["title"].as_str().unwrap_or_default())
    };
    let count = expected.len();
    let got = world.receiver.until("what is listed, and what is not", |got| got.len() >= count).await;
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
    (got.iter().map(|arrival| said(&arrival.body)).collect(), expected)
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_values_mean_the_same_on_four_servers() {
    let _among_others = super::SHARED.read().await;
    let (got, expected) = told(World::new().await, "node").await;
    assert_eq!(got, expected, "the embedded node");
    for (name, url) in super::servers("listed values") {
        let (got, expected) = told(World::on(&url).await, name).await;
        assert_eq!(got, expected, "{name}");
    }
}
