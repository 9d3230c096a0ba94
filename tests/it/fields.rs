//! Fields as the indices have them: some come with their first document, some are of two types, some are nested.
use serde_json::{Value, json};

use crate::servers::servers;
use crate::world::{Arrival, World, now};

/// A rule over the indices of one test: others run beside it on the same server.
fn rule(world: &World, of: &str, name: &str, rest: &str) {
    world.write(&format!("{name}.yaml"), &format!("name: {name}\nindex: wb-{of}-*\n{rest}\n"));
}

fn of<'a>(got: &'a [Arrival], rule: &str) -> Vec<&'a Value> {
    got.iter().map(|arrival| &arrival.body).filter(|body| body["rule"] == rule).collect()
}

fn title(body: &Value) -> &str {
    body["title"].as_str().unwrap_or_default()
}

async fn clean(world: &World, of: &str) {
    for index in ["old", "new", "bare"] {
        world.no_index(&format!("wb-{of}-{index}")).await;
    }
}

/// No mapping knows `threat.name` and `user.name` when the rules begin; their first documents bring them.
async fn late_on(mut world: World) {
    clean(&world, "late").await;
    world.index_with("wb-late-new", &json!({ "kind": { "type": "keyword" } })).await;
    let often = "every: 1s\ndelay: 5s\nlateness: 0s\nlookback: 30s";
    rule(
        &world,
        "late",
        "sentinel",
        &format!(
            "use: any\nfilter: 'kind: info'\n{often}\nparams: {{}}\nalert: {{ title: here, to: [hook] }}"
        ),
    );
    rule(
        &world,
        "late",
        "listed",
        &format!(
            "use: blacklist\n{often}\nparams: {{ field: threat.name, values: [Mimikatz] }}\nalert: {{ title: '{{{{ details.value }}}}', to: [hook] }}"
        ),
    );
    rule(
        &world,
        "late",
        "new",
        &format!(
            "use: new_term\n{often}\nparams: {{ fields: [threat.name], window: 1h }}\nalert: {{ title: '{{{{ details.value }}}}', to: [hook] }}"
        ),
    );
    rule(
        &world,
        "late",
        "keyed",
        &format!(
            "use: frequency\nfilter: 'kind: err'\n{often}\nkey: [user.name]\nparams: {{ num_events: 2, timeframe: 30s }}\nalert: {{ title: \"{{{{ labels['user.name'] | default('none') }}}}\", to: [hook] }}"
        ),
    );
    world.documents("wb-late-new", &[json!({ "@timestamp": now(), "kind": "info" })]).await;
    let mut host = world.start();
    world.receiver.until("the first alert", |got| !of(got, "sentinel").is_empty()).await;
    let err = |user: &str| json!({ "@timestamp": now(), "kind": "err", "user": { "name": user } });
    let threat = json!({ "@timestamp": now(), "kind": "threat", "threat": { "name": "Mimikatz" } });
    world.documents("wb-late-new", &[threat, err("ada"), err("bob"), err("gil"), err("gil")]).await;
    let got = world
        .receiver
        .until("the alerts of new fields", |got| {
            ["listed", "new", "keyed"].iter().all(|rule| !of(got, rule).is_empty())
        })
        .await;
    assert_eq!(title(of(&got, "listed")[0]), "Mimikatz");
    assert_eq!(title(of(&got, "new")[0]), "Mimikatz");
    let keys: Vec<&str> = of(&got, "keyed").into_iter().map(title).collect();
    assert_eq!(keys, ["gil"], "{got:#?}");
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
    clean(&world, "late").await;
}

/// `user` is text with a keyword beside it in one index, a keyword in another, and in a third nothing was written yet.
async fn disagreeing_on(mut world: World) {
    clean(&world, "mixed").await;
    let text = json!({ "type": "text", "fields": { "keyword": { "type": "keyword" } } });
    let bytes = json!({ "type": "long" });
    world.index_with("wb-mixed-old", &json!({ "user": text, "bytes": bytes })).await;
    world.index_with("wb-mixed-new", &json!({ "user": { "type": "keyword" }, "bytes": bytes })).await;
    world.bare_index("wb-mixed-bare").await;
    let at = (now() - 300_000) / 60_000 * 60_000 + 10_000;
    let document = |user: &str| json!({ "@timestamp": at, "user": user, "bytes": 2 });
    world.documents("wb-mixed-old", &[document("root"), document("root"), document("ada")]).await;
    world.documents("wb-mixed-new", &[document("root"), document("root"), document("root")]).await;
    let past = "every: 1m\ndelay: 0s\nlateness: 0s\nlookback: 10m";
    rule(
        &world,
        "mixed",
        "listed",
        &format!(
            "use: blacklist\n{past}\nparams: {{ field: user, values: [root] }}\nalert: {{ title: '{{{{ details.value }}}}', to: [hook] }}"
        ),
    );
    for metric in ["sum", "avg", "max", "value_count"] {
        rule(
            &world,
            "mixed",
            metric,
            &format!(
                "use: metric_aggregation\n{past}\nkey: [user]\nparams: {{ metric: {metric}, field: bytes, max_threshold: 1, timeframe: 1m }}\nalert: {{ title: \"{{{{ labels.user }}}} {{{{ value }}}}\", to: [hook] }}"
            ),
        );
    }
    rule(
        &world,
        "mixed",
        "often",
        &format!(
            "use: frequency\n{past}\nkey: [user]\nparams: {{ num_events: 5, timeframe: 1m, fetch: hits }}\nalert: {{ title: '{{{{ labels.user }}}} {{{{ value }}}}', to: [hook] }}"
        ),
    );
    let mut host = world.start();
    let opened = |got: &[Arrival], rule: &str| -> Vec<String> {
        let all = of(got, rule).into_iter().filter(|body| body["cause"] != "resolved");
        let mut titles: Vec<String> = all.map(|body| title(body).to_owned()).collect();
        titles.sort();
        titles
    };
    let expected = [
        ("listed", vec!["root"; 5]),
        ("sum", vec!["ada 2", "root 10"]),
        ("avg", vec!["ada 2", "root 2"]),
        ("max", vec!["ada 2", "root 2"]),
        ("value_count", vec!["root 5"]),
        ("often", vec!["root 5"]),
    ];
    let got = world
        .receiver
        .until("all alerts", |got| {
            expected.iter().all(|(rule, titles)| opened(got, rule).len() >= titles.len())
        })
        .await;
    for (rule, titles) in expected {
        let plain: Vec<String> = opened(&got, rule).iter().map(|title| title.replace(".0", "")).collect();
        assert_eq!(plain, titles, "{rule}");
    }
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
    let (code, _, said) =
        world.call(&["check", "--online", "--rules", &world.rules().to_string_lossy()]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("`user` is keyword in `wb-mixed-new`, text in `wb-mixed-old`"), "{said}");
    assert!(!said.contains("use `user.keyword`"), "{said}");
    clean(&world, "mixed").await;
}

/// `items` is a nested object in one index, and a plain one in another.
async fn nested_on(mut world: World) {
    clean(&world, "nested").await;
    let properties = json!({ "sku": { "type": "keyword" }, "price": { "type": "long" } });
    let nested = json!({ "items": { "type": "nested", "properties": properties } });
    world.index_with("wb-nested-old", &nested).await;
    world.index_with("wb-nested-new", &json!({ "items": { "properties": properties } })).await;
    let at = (now() - 300_000) / 60_000 * 60_000 + 10_000;
    let items = json!([{ "sku": "bad", "price": 500 }, { "sku": "b", "price": 20 }]);
    world.documents("wb-nested-old", &[json!({ "@timestamp": at, "items": items })]).await;
    let item = json!({ "sku": "bad", "price": 3 });
    world.documents("wb-nested-new", &[json!({ "@timestamp": at + 1, "items": item })]).await;
    let past = "every: 1m\ndelay: 0s\nlateness: 0s\nlookback: 10m";
    rule(
        &world,
        "nested",
        "listed",
        &format!(
            "use: blacklist\n{past}\nparams: {{ field: items.sku, values: [bad] }}\nalert: {{ title: '{{{{ details.value }}}}', to: [hook] }}"
        ),
    );
    for metric in ["sum", "max"] {
        rule(
            &world,
            "nested",
            metric,
            &format!(
                "use: metric_aggregation\n{past}\nparams: {{ metric: {metric}, field: items.price, max_threshold: 100, timeframe: 1m }}\nalert: {{ title: \"{{{{ value }}}}\", to: [hook] }}"
            ),
        );
    }
    let mut host = world.start();
    let got = world
        .receiver
        .until("all alerts", |got| {
            of(got, "listed").len() >= 2 && !of(got, "sum").is_empty() && !of(got, "max").is_empty()
        })
        .await;
    assert_eq!(of(&got, "listed").len(), 2);
    assert_eq!(title(of(&got, "sum")[0]).replace(".0", ""), "523");
    assert_eq!(title(of(&got, "max")[0]).replace(".0", ""), "500");
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));

    rule(
        &world,
        "nested",
        "unreached",
        &format!(
            "use: any\nfilter: 'items.sku: bad'\n{past}\nparams: {{}}\nalert: {{ title: x, to: [hook] }}"
        ),
    );
    let (code, _, said) =
        world.call(&["check", "--online", "--rules", &world.rules().to_string_lossy()]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("its filter names `items.sku` inside the nested object `items`"), "{said}");
    clean(&world, "nested").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_is_judged_from_its_first_document() {
    late_on(World::new().await).await;
    for (name, url) in servers("late mappings") {
        println!("late mappings on {name}");
        late_on(World::on(&url).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn indices_that_disagree_are_asked_each_by_its_name() {
    disagreeing_on(World::new().await).await;
    for (name, url) in servers("disagreeing indices") {
        println!("disagreeing indices on {name}");
        disagreeing_on(World::on(&url).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nested_fields_are_reached_or_refused() {
    nested_on(World::new().await).await;
    for (name, url) in servers("nested fields") {
        println!("nested fields on {name}");
        nested_on(World::on(&url).await).await;
    }
}
