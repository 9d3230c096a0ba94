//! The same columns from every real server as from the embedded node.
use serde_json::json;
use watchbell_contract::{
    Ask, Buckets, Calc, Duration, Hits, Metric, NamedFilter, Points, Query, Question, Range, Rows, Source,
    Timestamp, Values,
};
use watchbell_elastic::{Cluster, Grant, Target};

use super::{SHARED, client, servers, soon};
use crate::world::World;

const INDEX: &str = "answers-test";
/// 2024-01-01T00:00:00Z
const START: i64 = 1_704_067_200_000;

async fn with_index(world: &World) -> Cluster {
    let properties = json!({
        "at": { "type": "geo_point" },
        "stops": { "type": "nested", "properties": { "at": { "type": "geo_point" } } },
        "user": { "type": "keyword" },
        "ms": { "type": "long" },
    });
    world.index_with(INDEX, &properties).await;
    let documents = [
        json!({ "user": "ann", "ms": 5, "at": { "lat": 52.52, "lon": 13.405 } }),
        json!({ "user": "bob", "ms": 70, "at": "48.1372,11.5755" }),
        json!({ "user": "ann", "ms": 90, "at": [-0.1276, 51.5072] }),
        json!({ "user": "bob", "ms": 8, "at": "POINT (2.3522 48.8566)" }),
        json!({ "user": "ann", "ms": 60, "at": ["35.6762,139.6503", { "lat": -33.8688, "lon": 151.2093 }] }),
        json!({ "user": "bob", "stops": [{ "at": "1.5,2.5" }, { "at": { "lat": 3.5, "lon": 4.5 } }] }),
    ];
    let documents = (START..).step_by(1_000).zip(documents).map(|(at, mut document)| {
        document["@timestamp"] = watchbell::clock::rfc3339(Timestamp(at)).into();
        document
    });
    world.documents(INDEX, &documents.collect::<Vec<_>>()).await;
    Cluster::new(client("main", &world.cluster)).expect("a client")
}

fn question(ask: Ask) -> Question {
    Question {
        over: Range::new(Timestamp(START), Timestamp(START + 60_000)),
        only: vec![],
        filter: None,
        ask,
    }
}

fn slow() -> Query {
    Query::Dsl(r#"{"range":{"ms":{"gte":50}}}"#.into())
}

fn metric(name: &str, source: Source, calc: Calc, filter: Option<Query>) -> Metric {
    Metric { name: name.into(), source, calc, filter }
}

fn ms() -> Source {
    Source::Field("ms".into())
}

const CALCS: [Calc; 7] = [
    Calc::Minimum,
    Calc::Maximum,
    Calc::Average,
    Calc::Sum,
    Calc::ValueCount,
    Calc::Cardinality,
    Calc::Percentile(100.0),
];

/// Every calculation on `source` of the slow documents, by user.
fn measured(source: &Source) -> Question {
    let metrics = CALCS.iter().map(|calc| metric(&format!("{calc:?}"), source.clone(), *calc, Some(slow())));
    let buckets = Buckets { by: vec!["user".into()], metrics: metrics.collect(), ..Buckets::default() };
    question(Ask::Buckets(buckets))
}

fn questions() -> Vec<(&'static str, Question)> {
    let fields = |fields: &[&str]| fields.iter().map(|field| (*field).into()).collect();
    let near = json!({ "geo_distance": { "distance": "600km", "at": { "lat": 52.52, "lon": 13.405 } } });
    let stop = json!({ "nested": { "path": "stops", "query": {
        "geo_bounding_box": { "stops.at": { "top_left": "2,2", "bottom_right": "1,3" } },
    } } });
    let named = vec![
        NamedFilter { name: "slow".into(), query: slow() },
        NamedFilter { name: "near".into(), query: Query::Dsl(near.to_string()) },
        NamedFilter { name: "stop".into(), query: Query::Dsl(stop.to_string()) },
        NamedFilter { name: "ann".into(), query: Query::Lucene("user:ann".into()) },
    ];
    let hits = |names: &[&str], filters: &[NamedFilter]| {
        question(Ask::Hits(Hits { fields: fields(names), filters: filters.to_vec() }))
    };
    let buckets = Buckets {
        by: vec!["user".into()],
        every: Some(Duration::from_secs(60)),
        metrics: vec![
            metric("slowest", ms(), Calc::Maximum, None),
            metric("slow", ms(), Calc::ValueCount, Some(slow())),
            metric("none", ms(), Calc::Average, Some(Query::Lucene("ms:>1000".into()))),
        ],
        filters: named.clone(),
        ..Buckets::default()
    };
    let whole = Buckets { by: vec![], every: None, ..buckets.clone() };
    vec![
        ("places", hits(&["at", "user", "nowhere"], &[])),
        ("places in nested objects", hits(&["stops.at"], &[])),
        ("named filters", hits(&["user"], &named)),
        ("a filter in Query DSL", Question { filter: Some(slow()), ..hits(&["at"], &[]) }),
        ("metrics with filters", question(Ask::Buckets(buckets))),
        ("metrics with filters, without groups", question(Ask::Buckets(whole))),
        ("every calculation", measured(&ms())),
    ]
}

async fn ask(cluster: &Cluster, question: &Question) -> Vec<Rows> {
    let mut target = Target::new("r", INDEX);
    target.scope.grants.insert(Grant::Scripts);
    let mut pages = cluster.ask(&target, question, soon()).await.expect("an answer");
    let mut rows = Vec::new();
    while let Some(page) = pages.next().await.expect("a page") {
        assert_eq!(page.validate(), Ok(()));
        rows.push(page);
    }
    pages.close().await;
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn every_server_fills_the_same_columns() {
    let _among_others = SHARED.read().await;
    let node = World::new().await;
    let embedded = with_index(&node).await;
    let places = &ask(&embedded, &questions()[0].1).await[0];
    let at = places.column("at").expect("a column");
    assert_eq!((at.is_mapped, &at.offsets[..]), (true, &[0, 1, 2, 3, 4, 6, 6][..]));
    let Values::Points(Points { latitudes, longitudes }) = &at.values else { panic!("{at:?}") };
    assert!((latitudes[0] - 52.52).abs() < 1e-6 && (longitudes[0] - 13.405).abs() < 1e-6, "{at:?}");
    assert!(!places.column("nowhere").expect("a column").is_mapped);
    for (name, url) in servers("columns") {
        let world = World::on(&url).await;
        let cluster = with_index(&world).await;
        for (what, question) in questions() {
            assert_eq!(ask(&cluster, &question).await, ask(&embedded, &question).await, "{what}, on {name}");
        }
        // The embedded node runs no scripts, and what Elasticsearch 9 publishes as libraries has none.
        if name != "es9" {
            let script = Source::Script("doc['ms'].value".into());
            let (of_field, of_script) = (measured(&ms()), measured(&script));
            assert_eq!(ask(&cluster, &of_script).await, ask(&cluster, &of_field).await, "scripts, on {name}");
        }
        world.no_index(INDEX).await;
    }
}
