//! A shard is lost while the host judges, and comes back. Without it there is no answer: what lies in it is told
//! afterwards, and its silence is nobody's alarm.
use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Value, json};
use watchbell_contract::{Ask, Buckets, Evidence, Hits, Question, Range, RawSearch, Selection, Timestamp};
use watchbell_elastic::{AskError, Class, Cluster, ErrorKind, EvidenceAsk, EvidenceFields, Target};
use watchbell_node::InjectedFault;

use super::{SHARED, client, rows, servers, soon};
use crate::world::{Host, World, hit};

/// In their order the one whose shard is lost is the last.
const STAYS: &str = "shards-test-a";
const LOST: &str = "shards-test-b";
const RULES: [&str; 3] = ["seen", "flat", "no-data"];

/// Every document is told by `seen`; `flat` and `no-data` alarm if the index falls silent.
fn write_rules(world: &World) {
    let rule = |name: &str, more: &str| {
        let text = format!(
            "name: {name}\nindex: shards-test-*\nevery: 1s\ndelay: 3s\nlateness: 1s\nlookback: 5s\n{more}\n\
             alert: {{ title: {name}, to: [hook] }}\n"
        );
        world.write(&format!("{name}.yaml"), &text);
    };
    rule("seen", "use: any\nfilter: 'Status: 500'\nkey: [host.name]");
    rule("flat", "use: flatline\nparams: { threshold: 1, timeframe: 3s }");
    rule("no-data", "use: any\nfilter: 'Status: 999'\nno_data: alert");
}

async fn lose_the_shard(world: &World) {
    if let Some(node) = &world.node {
        return node.inject_fault(Some(InjectedFault::PartialShards));
    }
    let (_, nodes) = world.ask("GET", "/_nodes/_local", &Value::Null).await;
    let nodes = nodes["nodes"].as_object().expect("nodes");
    let name = &nodes.values().next().expect("a node")["name"];
    recoveries(world, json!(0)).await;
    let cancel = json!({ "index": LOST, "shard": 0, "node": name, "allow_primary": true });
    let moved = json!({ "commands": [{ "cancel": cancel }] });
    let (status, answer) = world.ask("POST", "/_cluster/reroute", &moved).await;
    assert_eq!(status, 200, "{answer}");
}

async fn give_the_shard_back(world: &World) {
    if let Some(node) = &world.node {
        return node.inject_fault(None);
    }
    recoveries(world, Value::Null).await;
    let (status, answer) = world.ask("POST", "/_cluster/reroute?retry_failed=true", &Value::Null).await;
    assert_eq!(status, 200, "{answer}");
}

/// How many shards a node may take up again at once; none: a shard without a node stays without.
async fn recoveries(world: &World, most: Value) {
    let setting =
        json!({ "transient": { "cluster.routing.allocation.node_initial_primaries_recoveries": most } });
    let (status, answer) = world.ask("PUT", "/_cluster/settings", &setting).await;
    assert_eq!(status, 200, "{answer}");
}

/// Waits until each rule has come to `outcome` `count` times.
async fn each_rule(host: &mut Host, outcome: &str, count: usize) {
    let seen = RefCell::new(BTreeMap::new());
    host.until(&format!("{count} runs of each rule that {outcome}"), |line| {
        let rule = line["rule"].as_str().filter(|_| line["outcome"] == outcome);
        if let Some(rule) = rule {
            *seen.borrow_mut().entry(rule.to_owned()).or_insert(0) += 1;
        }
        RULES.iter().all(|rule| seen.borrow().get(*rule).is_some_and(|seen| *seen >= count))
    })
    .await;
}

async fn a_shard_is_lost_and_comes_back(name: &str, mut world: World) {
    for index in [STAYS, LOST] {
        world.index(index).await;
    }
    // All that happens within ten minutes of now is there already, so that silence is never true.
    let now = watchbell::clock::wall().0;
    let beats = (-60..1_200).map(|beat| hit(now + beat * 500, 200, "heart"));
    let hidden = (0..12).map(|second| hit(now + second * 1_000, 500, &format!("hidden-{second}")));
    world.documents(LOST, &beats.chain(hidden).collect::<Vec<_>>()).await;
    world.documents(STAYS, &[hit(now, 500, "open")]).await;
    write_rules(&world);
    let mut host = world.start();
    each_rule(&mut host, "committed", 1).await;

    lose_the_shard(&world).await;
    each_rule(&mut host, "failed", 1).await;
    let lost = host.said.len();
    each_rule(&mut host, "failed", 2).await;
    let committed =
        host.said[lost..].iter().filter(|line| line.contains("\"committed\"")).collect::<Vec<_>>();
    assert!(committed.is_empty(), "{name} committed a window without its shard: {committed:#?}");
    let failed = host.said[lost..].iter().filter(|line| line.contains("\"failed\""));
    assert!(
        failed.clone().all(|line| line.contains("shards are missing")),
        "{:#?}",
        failed.collect::<Vec<_>>()
    );

    give_the_shard_back(&world).await;
    let got = world.receiver.until("what the shard holds", |got| got.len() >= 13).await;
    each_rule(&mut host, "committed", 2).await;
    assert_eq!(host.stop().await, Some(0), "{}", host.said.join("\n"));
    let got = if world.receiver.got().len() > got.len() { world.receiver.got() } else { got };
    let mut told: Vec<String> = got
        .iter()
        .map(|arrival| format!("{} {}", arrival.body["rule"], arrival.body["labels"]["host.name"]))
        .collect();
    told.sort();
    let mut expected: Vec<String> = (0..12).map(|second| format!("\"seen\" \"hidden-{second}\"")).collect();
    expected.push("\"seen\" \"open\"".into());
    expected.sort();
    assert_eq!(told, expected, "{name}: each document once, and no alarm");
    let gaps = host.said.iter().filter(|line| line.contains("was not evaluated")).collect::<Vec<_>>();
    assert!(gaps.is_empty(), "{name}: {gaps:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_shard_is_waited_for_on_the_embedded_node() {
    a_shard_is_lost_and_comes_back("the embedded node", World::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_shard_is_waited_for_on_every_server() {
    let _alone = SHARED.write().await;
    for (name, url) in servers("a lost shard") {
        let world = World::on(&url).await;
        a_shard_is_lost_and_comes_back(name, world).await;
        let world = World::on(&url).await;
        recoveries(&world, Value::Null).await;
        for index in [STAYS, LOST] {
            world.ask("DELETE", &format!("/{index}"), &Value::Null).await;
        }
    }
}

/// What a search is answered without its shard, and what this client makes of it. Shards that are passed over count as
/// successful: `successful + skipped` may be all of them though one is missing.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_question_is_refused_without_its_shard_on_every_server() {
    let _alone = SHARED.write().await;
    for (name, url) in servers("questions without a shard") {
        let world = World::on(&url).await;
        for index in [STAYS, LOST, OLD] {
            world.index(index).await;
        }
        let documents: Vec<Value> = (0..30).map(|n| hit(2_000_000 + n, 200, "a")).collect();
        world.documents(STAYS, &documents).await;
        world.documents(LOST, &documents).await;
        world.documents(OLD, &[hit(1_000, 200, "old")]).await;
        let mut config = client(name, &url);
        config.page_hits = 10;
        let cluster = Cluster::new(config).expect("a client");
        for kind in KINDS {
            ask(&cluster, kind).await.unwrap_or_else(|error| panic!("{kind:?} of {name}: {error}"));
        }

        lose_the_shard(&world).await;
        let recent =
            json!({ "query": { "range": { "@timestamp": { "gte": 1_000_000, "format": "epoch_millis" } } } });
        let path = "/shards-test-*/_search?pre_filter_shard_size=1";
        let (status, answer) = world.ask("POST", path, &recent).await;
        let shards = ["total", "successful", "skipped"].map(|count| answer["_shards"][count].as_u64());
        assert_eq!((status, shards), (200, [Some(3), Some(2), Some(1)]), "{name}: {answer}");
        for kind in KINDS {
            let error = ask(&cluster, kind).await.expect_err("a part is not all");
            // Elasticsearch 7 and OpenSearch leave the index out of the capabilities of fields, too: that is noticed.
            let is_told = matches!(error.cause, ErrorKind::MissingShards { .. } | ErrorKind::FieldsChanged);
            assert!(is_told, "{kind:?} of {name}: {error}");
            assert_eq!(error.class(), Class::Outside);
        }
        give_the_shard_back(&world).await;
        for index in [STAYS, LOST, OLD] {
            world.ask("DELETE", &format!("/{index}"), &Value::Null).await;
        }
    }
}

const OLD: &str = "shards-test-old";

#[derive(Clone, Copy, Debug)]
enum QuestionKind {
    /// Three pages of a context.
    Hits,
    Composite,
    Total,
    Raw,
    Evidence,
    Documents,
    NoData,
    /// An index without a shard, where servers know no field of it.
    Alone,
}

const KINDS: [QuestionKind; 8] = [
    QuestionKind::Hits,
    QuestionKind::Composite,
    QuestionKind::Total,
    QuestionKind::Raw,
    QuestionKind::Evidence,
    QuestionKind::Documents,
    QuestionKind::NoData,
    QuestionKind::Alone,
];

async fn ask(cluster: &Cluster, kind: QuestionKind) -> Result<(), AskError> {
    let over = Range::new(Timestamp(0), Timestamp(3_000_000));
    let mut target = Target::new("r", "shards-test-*");
    let hits = Ask::Hits(Hits { fields: vec!["host.name".into()], filters: vec![] });
    let asked = match kind {
        QuestionKind::Hits => hits,
        QuestionKind::Composite => {
            Ask::Buckets(Buckets { by: vec!["host.name".into()], ..Buckets::default() })
        }
        QuestionKind::Total => Ask::Buckets(Buckets::default()),
        QuestionKind::Raw => Ask::Search(RawSearch { body: r#"{"size":0}"#.into(), pick: vec![] }),
        QuestionKind::Alone => {
            target = Target::new("r", LOST);
            target.ignore_unavailable = true;
            hits
        }
        QuestionKind::Evidence => {
            let evidence = Evidence::Selection(Selection { over, only: vec![], filters: vec![], newest: 3 });
            let ask = EvidenceAsk { evidence: &evidence, count: 3 };
            return cluster.evidence(&target, ask, EvidenceFields::default(), soon()).await.map(drop);
        }
        QuestionKind::Documents => return cluster.documents(&target, over, 0, 10, soon()).await.map(drop),
        QuestionKind::NoData => return cluster.count_without_filter(&target, over, soon()).await.map(drop),
    };
    let question = Question { over, only: vec![], filter: None, ask: asked };
    rows(cluster, &target, &question).await.map(drop)
}
