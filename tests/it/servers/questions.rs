//! Questions that cannot be asked are the fault of the rule that asks them, whatever the cluster is: the smallest slice
//! of time that makes it ask so is a gap with its own message, and the rule goes on behind it.
use std::path::PathBuf;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use watchbell_contract::{AnyOf, Ask, Buckets, Hits, Metric, Question, Range, RawSearch, Timestamp};
use watchbell_contract::{Calc, NamedFilter, Query, Source};
use watchbell_elastic::{AskError, Class, Cluster, Grant, Target};

use super::{SHARED, client, rows, servers};
use crate::world::{World, hit, now};

const INDEX: &str = "questions-test";
/// Of a test of its own: the other one closes its index while this one runs.
const ASKER_INDEX: &str = "asker-test";
const OVER: Range = Range { start: Timestamp(0), end: Timestamp(2_000_000_000_000) };

/// What no server answers, by name.
fn unaskable() -> Vec<(&'static str, Question)> {
    let hits = || Ask::Hits(Hits { fields: vec!["host.name".into()], filters: vec![] });
    let question = |ask| Question { over: OVER, only: vec![], filter: None, ask };
    let with = |query| Question { filter: Some(query), ..question(hits()) };
    let filter = |filter: &str| with(Query::Lucene(filter.into()));
    let dsl = |filter: &str| with(Query::Dsl(filter.into()));
    let raw = |body: Value| question(Ask::Search(RawSearch { body: body.to_string(), pick: vec![] }));
    let query = |query: Value| raw(json!({ "size": 0, "query": query }));
    let agg = |agg: Value| raw(json!({ "size": 0, "aggs": { "a": agg } }));
    let text = |body: &str| question(Ask::Search(RawSearch { body: body.into(), pick: vec![] }));
    let bad = || Query::Lucene("host.name:(a".into());
    let named = NamedFilter { name: "bad".into(), query: bad() };
    let metric = |source, filter| {
        let metrics = vec![Metric { name: "m".into(), source, calc: Calc::Average, filter }];
        question(Ask::Buckets(Buckets { metrics, ..Buckets::default() }))
    };
    let many = (0..70_000).map(|n| Some(format!("host-{n}"))).collect();
    vec![
        ("a quote left open", filter("host.name:\"unclosed")),
        ("a bracket left open", filter("host.name:(a")),
        ("a range left open", filter("Status:[1 TO")),
        ("an expression longer than servers take", filter(&format!("host.name:/{}/", "a".repeat(2_000)))),
        (
            "a named filter of hits",
            question(Ask::Hits(Hits { fields: vec![], filters: vec![named.clone()] })),
        ),
        (
            "a filter of buckets",
            question(Ask::Buckets(Buckets { filters: vec![named], ..Buckets::default() })),
        ),
        ("a script that does not compile", metric(Source::Script("doc['Status'].value +".into()), None)),
        ("a filter of a metric", metric(Source::Field("Status".into()), Some(bad()))),
        ("a filter that is no JSON", dsl("{\"term\":")),
        ("a filter that is a text", dsl("\"Status:200\"")),
        ("an empty filter", dsl("{}")),
        ("a filter of an unknown kind", dsl(r#"{"term5":{"a":1}}"#)),
        ("a filter past its index", dsl(r#"{"terms":{"a":{"index":"b","id":"1","path":"c"}}}"#)),
        (
            "more values than a query may have",
            Question { only: vec![AnyOf { field: "host.name".into(), values: many }], ..question(hits()) },
        ),
        (
            "all of time",
            Question { over: Range::new(Timestamp::MIN, Timestamp(i64::MAX)), ..question(hits()) },
        ),
        ("no JSON", text("{\"query\":")),
        ("a list", text("[1]")),
        ("brackets without end", text(&"[".repeat(10_000))),
        ("a search past its index", text("{\"pit\":{\"id\":\"x\"}}")),
        ("an answer cut short on purpose", text("{\"terminate_after\":1}")),
        ("an unknown query", query(json!({ "term5": { "a": 1 } }))),
        ("two queries in one", query(json!({ "term": { "a": 1 }, "match_all": {} }))),
        ("a word as a number", query(json!({ "term": { "Status": "abc" } }))),
        ("a word as a date", query(json!({ "range": { "@timestamp": { "gte": "yesterday" } } }))),
        (
            "a time zone that is nowhere",
            query(json!({ "range": { "@timestamp": { "gte": "now", "time_zone": "Nowhere/Land" } } })),
        ),
        ("a prefix of a number", query(json!({ "prefix": { "Status": "1" } }))),
        (
            "a nested object that is none",
            query(json!({ "nested": { "path": "host", "query": { "match_all": {} } } })),
        ),
        (
            "a distance of words",
            query(json!({ "geo_distance": { "distance": "1km", "host.name": { "lat": 1, "lon": 1 } } })),
        ),
        ("an unknown aggregation", agg(json!({ "avgg": { "field": "Status" } }))),
        ("an average of words", agg(json!({ "avg": { "field": "host.name" } }))),
        ("groups of text", agg(json!({ "terms": { "field": "message" } }))),
        ("no groups at all", agg(json!({ "terms": { "field": "host.name", "size": 0 } }))),
        (
            "an interval of nothing",
            agg(json!({ "date_histogram": { "field": "@timestamp", "fixed_interval": "0ms" } })),
        ),
        (
            "a calendar of 90 minutes",
            agg(json!({ "date_histogram": { "field": "@timestamp", "calendar_interval": "90m" } })),
        ),
        (
            "the three hundredth percentile",
            agg(json!({ "percentiles": { "field": "Status", "percents": [300] } })),
        ),
        (
            "a language that is not spoken",
            agg(json!({ "avg": { "script": { "lang": "groovy", "source": "1" } } })),
        ),
        ("sorted by what is not there", raw(json!({ "sort": [{ "nosuch": "asc" }] }))),
        ("more hits than a page has", raw(json!({ "size": 10_001 }))),
        ("fewer hits than none", raw(json!({ "size": -5 }))),
    ]
}

async fn ask(cluster: &Cluster, index: &str, question: &Question) -> Result<u64, AskError> {
    let mut target = Target::new("r", index);
    // What a script does is for servers to say.
    target.scope.grants.insert(Grant::Scripts);
    rows(cluster, &target, question).await
}

async fn with_index(world: &World) -> Cluster {
    world.index(INDEX).await;
    let mapping = json!({ "properties": { "message": { "type": "text" } } });
    world.ask("PUT", &format!("/{INDEX}/_mapping"), &mapping).await;
    world.documents(INDEX, &[hit(now(), 200, "a")]).await;
    Cluster::new(client("main", &world.cluster)).expect("a client")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_the_rules_fault_on_every_server() {
    let _among_others = SHARED.read().await;
    for (name, url) in servers("bad questions") {
        let world = World::on(&url).await;
        let cluster = with_index(&world).await;
        for (what, question) in unaskable() {
            let error = ask(&cluster, INDEX, &question).await.expect_err(what);
            assert_eq!(error.class(), Class::Rule, "{what}, on {name}: {error}");
        }
        let fine = Question { over: OVER, only: vec![], filter: None, ask: Ask::Hits(Hits::default()) };
        assert_eq!(ask(&cluster, INDEX, &fine).await.expect("an answer"), 1);
        // Its neighbours are not.
        let missing = ask(&cluster, "questions-test-gone", &fine).await.expect_err("no index");
        assert_eq!(missing.class(), Class::Outside, "on {name}: {missing}");
        world.ask("POST", &format!("/{INDEX}/_close"), &Value::Null).await;
        let closed = ask(&cluster, INDEX, &fine).await.expect_err("a closed index");
        assert_eq!(closed.class(), Class::Outside, "on {name}: {closed}");
        world.ask("DELETE", &format!("/{INDEX}"), &Value::Null).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_node_refuses_what_servers_refuse() {
    let world = World::new().await;
    let cluster = with_index(&world).await;
    let mut refused = 0;
    for (what, question) in unaskable() {
        // It takes longer expressions.
        if what.starts_with("an expression") {
            continue;
        }
        let error = ask(&cluster, INDEX, &question).await.expect_err(what);
        match error.to_string().contains("not modelled by the embedded node") {
            true => assert_eq!(error.class(), Class::Outside, "{what}: {error}"),
            false => {
                assert_eq!(error.class(), Class::Rule, "{what}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused >= 20, "{refused}");
}

/// A rule that puts a word of each document into a query; `None` where no guests were built.
fn asker(world: &World, test: &str) -> Option<String> {
    let folder = std::env::var_os("WATCHBELL_GUESTS").map(PathBuf::from);
    let module = folder.map(|folder| folder.join("asks-what-it-read.wasm")).filter(|file| file.exists());
    let Some(bytes) = module.and_then(|module| std::fs::read(module).ok()) else {
        println!("skipped: {test} (run cargo xtask plugins)");
        return None;
    };
    std::fs::write(world.rules().join("asks-what-it-read.wasm"), &bytes).expect("the module");
    Some(format!(
        "name: asker\nuse: ./asks-what-it-read.wasm\nsha256: {}\nindex: {ASKER_INDEX}\nevery: 1s\ndelay: 0s\n\
         lateness: 1s\nlookback: 40s\nkey: [host.name]\nparams: {{ sin: true }}\n\
         alert: {{ title: 'from {{{{ labels[\"host.name\"] }}}}', to: [hook] }}\n",
        hex::encode(Sha256::digest(&bytes))
    ))
}

async fn one_document_is_left_out(name: &str, world: World) {
    let Some(rule) = asker(&world, "a document that makes its rule ask wrongly") else { return };
    world.index(ASKER_INDEX).await;
    let then = now() - 30_000;
    let documents =
        [hit(then, 200, "before"), hit(then + 8_500, 200, "a\"b"), hit(then + 20_000, 200, "after")];
    world.documents(ASKER_INDEX, &documents).await;
    world.write("asker.yaml", &rule);
    let mut host = world.start();
    // Its log, not the receiver, is waited for: a failure then says what the host did instead.
    let delivered = std::cell::Cell::new(0);
    host.until("that what lies before and after, and the gap were delivered", |line| {
        delivered.set(delivered.get() + u32::from(line["message"] == "delivered"));
        delivered.get() == 3
    })
    .await;
    host.until("a whole window behind it", |line| line["outcome"] == "committed").await;
    let got = world.receiver.got();
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
    let mut titles: Vec<&str> = got.iter().filter_map(|arrival| arrival.body["title"].as_str()).collect();
    titles.sort_unstable();
    let expected = ["asker could not evaluate a slice of time", "from after", "from before"];
    assert_eq!(titles, expected, "{name}: {}", host.said.join("\n"));
    let gap = got.iter().find(|arrival| arrival.body["title"] == expected[0]).expect("the gap");
    let summary = gap.body["summary"].as_str().unwrap_or_default();
    assert!(summary.contains("refused (400 "), "{name}: {summary}");

    let said = |key: &str| -> Vec<Value> {
        let lines = host.said.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| !line[key].is_null()).collect()
    };
    let gaps: Vec<_> = said("end").into_iter().filter(|line| !line["start"].is_null()).collect();
    let bounds = [then + 8_000, then + 9_000].map(|at| watchbell::clock::rfc3339(Timestamp(at)));
    assert_eq!(gaps.len(), 1, "{name}: {gaps:#?}");
    assert_eq!([&gaps[0]["start"], &gaps[0]["end"]], [&json!(bounds[0]), &json!(bounds[1])], "{name}");

    // The run that failed can be asked again: it comes to the same question.
    let failed =
        said("recorded").into_iter().map(|line| line["recorded"].as_str().unwrap_or_default().to_owned());
    let mut same = 0;
    for id in failed {
        let (code, out, err) = world.call(&["replay", &id]).await;
        assert_eq!(code, 0, "{out}{err}");
        assert!(out.contains("the same as recorded"), "{out}");
        same += u32::from(out.contains("asked") && out.contains("failed: ") && out.contains("a\\\"b"));
    }
    assert!(same > 0, "{name}: no failed run was recorded");
    let folder = world.scratch.path().join("store.sqlite.runs/asker");
    let refused = |text: &String| text.contains("\"refused\"");
    let files = std::fs::read_dir(folder).expect("recordings").map(|entry| entry.expect("a file").path());
    let text =
        files.filter_map(|file| std::fs::read_to_string(file).ok()).find(refused).expect("one of them");
    std::fs::write(world.scratch.path().join("other.json"), text.replace("host.name:", "host.nome:"))
        .expect("a file");
    let (code, out, _) = world.call(&["replay", "other.json"]).await;
    assert!(
        code == 1 && out.contains("it asks a different question than the one that the cluster refused"),
        "{out}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_makes_its_rule_ask_wrongly_is_left_out_by_the_embedded_node() {
    one_document_is_left_out("the embedded node", World::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_makes_its_rule_ask_wrongly_is_left_out_on_every_server() {
    let _among_others = SHARED.read().await;
    for (name, url) in servers("a document that makes its rule ask wrongly") {
        one_document_is_left_out(name, World::on(&url).await).await;
    }
}
