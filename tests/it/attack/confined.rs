use serde_json::{Value, json};

use crate::world::World;

/// Manifests that would read an index or documents which the environment does not allow, and what is said.
fn manifests() -> Vec<(&'static str, Value, &'static str)> {
    let rule = |name: &str, index: &str, more: Value| {
        let mut rule =
            json!({ "name": name, "use": "any", "index": index, "every": "1m", "alert": { "to": ["hook"] } });
        rule.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
        rule
    };
    let search = |name: &str, body: Value| {
        let params = json!({ "body": body, "pick": { "n": "/aggregations/t/buckets/0/doc_count" },
            "fire": [{ "value": "n", "above": -1 }], "every": "1m", "missing": "ignore" });
        rule(name, "logs", json!({ "use": "query", "params": params }))
    };
    let lookup = |index: &str| json!({ "terms": { "user": { "index": index, "id": "1", "path": "p" } } });
    vec![
        ("remote", rule("remote", "logs:secret", json!({})), "does not allow index `logs:secret`"),
        (
            "dates",
            rule("dates", "<{now/d{'secret'}}>", json!({})),
            "does not allow index `<{now/d{'secret'}}>`",
        ),
        ("all", rule("all", "_all", json!({})), "does not allow index `_all`"),
        ("rest", rule("rest", "-secret", json!({})), "does not allow index `-secret`"),
        ("above", rule("above", "..", json!({})), "`..` is not a valid index name"),
        (
            "lookup",
            rule("lookup", "logs", json!({ "filter": lookup("secret") })),
            "`filter.terms.user` reads other documents",
        ),
        (
            "oracle",
            search(
                "oracle",
                json!({ "size": 0, "aggs": { "t": { "terms": { "field": "user", "min_doc_count": 0, "include": "other.*" } } } }),
            ),
            "`params.body.aggs.t.terms.min_doc_count` depends on the whole index",
        ),
        (
            "pit",
            search("pit", json!({ "pit": { "id": "x" } })),
            "`params.body.pit` selects documents regardless",
        ),
        (
            "children",
            search(
                "children",
                json!({ "query": { "has_child": { "type": "c", "query": { "match_all": {} } } } }),
            ),
            "`params.body.query.has_child` reads parent or child documents",
        ),
        (
            "script",
            rule(
                "script",
                "logs",
                json!({ "use": "metric_aggregation", "params": { "metric": "avg", "script": "1", "timeframe": "1m", "max_threshold": 0 } }),
            ),
            "`params.script` is a script",
        ),
    ]
}

async fn check(world: &World) -> (i32, String) {
    let rules = world.rules().display().to_string();
    let (code, _, said) = world.call(&["check", "--rules", &rules]).await;
    (code, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_reads_beyond_its_environment_is_refused_when_it_is_checked() {
    let world = World::new().await;
    let main = |more: Value| {
        let mut cluster = json!({ "nodes": [world.cluster], "indices": ["logs*"] });
        cluster.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
        json!({ "clusters": { "main": cluster } })
    };
    world.environment(&main(json!({})));
    for (name, manifest, _) in manifests() {
        world.write(&format!("{name}.yaml"), &manifest.to_string());
    }
    let (code, said) = check(&world).await;
    assert_eq!(code, 1);
    for (name, _, told) in manifests() {
        assert!(said.contains(told), "{name}: {said}");
    }
    // A host does not run with them either.
    let mut host = world.start();
    assert_eq!(host.ended().await, Some(1));

    // A grant allows what it says, and nothing of another index.
    world.environment(&main(json!({ "allow": ["whole_index", "scripts", "joins", "lookups"] })));
    for (name, _, _) in
        manifests().iter().filter(|(name, ..)| !matches!(*name, "oracle" | "script" | "children"))
    {
        std::fs::remove_file(world.rules().join(format!("{name}.yaml"))).expect("a manifest");
    }
    let (code, said) = check(&world).await;
    assert_eq!(code, 0, "{said}");
    let (_, lookup, _) = manifests().into_iter().find(|(name, ..)| *name == "lookup").expect("the look-up");
    world.write("lookup.yaml", &lookup.to_string());
    let (code, said) = check(&world).await;
    assert_eq!(code, 1);
    assert!(
        said.contains(
            "`filter.terms.user.index` reads `secret`, an index that the environment does not allow"
        ),
        "{said}"
    );
}
