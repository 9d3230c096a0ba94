use serde_json::json;
use watchbell_contract::{
    AnyOf, Ask, ClusterView, Document, Evidence, Query, Range, RawSearch, Selection, Timestamp, Values,
};
use watchbell_elastic::{EvidenceAsk, EvidenceFields, Flavor, Role};

use crate::{
    cluster, deadline,
    fake::{Fake, Reply},
    library::{caps, envelope},
    pages, question, target,
};

#[tokio::test]
async fn servers_say_what_they_are_or_are_asked_otherwise() {
    let told = [
        (json!({ "cluster_name": "c", "version": { "number": "9.5.3" } }), Flavor::Elasticsearch),
        (
            json!({ "cluster_name": "c", "version": { "number": "3.8.0", "distribution": "opensearch" } }),
            Flavor::OpenSearch,
        ),
    ];
    for (body, flavor) in told {
        let fake = Fake::start(move |_| Reply::Json(200, body.clone())).await;
        let info = cluster(&fake).info().await.unwrap();
        assert_eq!((info.flavor, info.cluster_name.as_str()), (flavor, "c"));
    }
    let mute = Fake::start(|seen| match seen.path.as_str() {
        "/" => Reply::Json(405, json!({ "error": "Incorrect HTTP method for uri [/]", "status": 405 })),
        _ => Reply::Json(200, json!({ "cluster_name": "m", "nodes": { "x": { "version": "9.5.3" } } })),
    })
    .await;
    let info = cluster(&mute).info().await.unwrap();
    assert_eq!(
        (info.flavor, info.version.as_str(), info.cluster_name.as_str()),
        (Flavor::Unknown, "9.5.3", "m")
    );
}

#[tokio::test]
async fn evidence_is_the_newest_few() {
    let fake = Fake::start(|seen| match seen.path.contains("_field_caps") {
        true => Reply::Json(200, caps()),
        false => {
            let hit = json!({ "_index": "logs-1", "_id": "1", "_source": { "m": "x" }, "sort": [7] });
            Reply::Json(200, envelope(vec![hit], json!({})))
        }
    })
    .await;
    let only = vec![AnyOf { field: "host".into(), values: vec![Some("a".into())] }];
    let over = Range::new(Timestamp(1), Timestamp(9));
    let filters = vec![Query::Lucene("m:x".into()), Query::Dsl(r#"{"range":{"n":{"gte":5}}}"#.into())];
    let evidence = Evidence::Selection(Selection { over, only, filters, newest: 99 });
    let ask = EvidenceAsk { evidence: &evidence, count: 99 };
    let found = cluster(&fake).evidence(&target(), ask, EvidenceFields::default(), deadline()).await.unwrap();
    assert_eq!((found.docs[0].source.as_str(), found.docs[0].at), (r#"{"m":"x"}"#, Some(Timestamp(7))));
    let body = &fake.seen()[1].body;
    assert_eq!((&body["size"], &body["sort"][0]["@timestamp"]["order"]), (&json!(10), &json!("desc")));
    let filters = json!([
        { "range": { "@timestamp": { "gte": 1, "lt": 9, "format": "epoch_millis" } } },
        { "query_string": { "query": "m:x" } },
        { "range": { "n": { "gte": 5 } } },
        { "terms": { "host": ["a"] } },
    ]);
    assert_eq!(body["query"]["bool"]["filter"], filters);
}

#[tokio::test]
async fn documents_that_signals_name_are_one_search() {
    let fake = Fake::start(|seen| match seen.path.contains("_field_caps") {
        true => Reply::Json(200, caps()),
        false => {
            let hit = |id: &str, at: i64| {
                json!({ "_index": "logs-1", "_id": id, "_source": { "m": id }, "sort": [at] })
            };
            Reply::Json(200, envelope(vec![hit("b", 8), hit("a", 5)], json!({})))
        }
    })
    .await;
    let named = |id: &str, at: i64| {
        let (at, index, id) = (Timestamp(at), Some("logs-1".into()), id.into());
        Evidence::Documents(vec![Document { at, index, id }])
    };
    let evidence = [named("a", 5), named("gone", 6), named("b", 8)];
    let asks: Vec<_> = evidence.iter().map(|evidence| EvidenceAsk { evidence, count: 1 }).collect();
    let fields = ["m".to_owned()].into();
    let mut filtered = target();
    filtered.filter = Some(json!({ "term": { "env": "prod" } }));
    let found = cluster(&fake)
        .named_evidence(&filtered, &asks, EvidenceFields { source: Some(&fields), named: None }, deadline())
        .await
        .unwrap();
    let sources: Vec<Option<&str>> =
        found.iter().map(|found| found.docs.first().map(|doc| doc.source.as_str())).collect();
    assert_eq!(sources, [Some(r#"{"m":"a"}"#), None, Some(r#"{"m":"b"}"#)]);
    assert_eq!(fake.seen().iter().filter(|seen| seen.path.contains("_search")).count(), 1);
    let body = &fake.seen()[1].body;
    assert_eq!((&body["size"], &body["_source"]), (&json!(3), &json!(["m"])));
    assert_eq!(
        body["query"]["bool"]["filter"],
        json!([
            { "range": { "@timestamp": { "gte": 5, "lt": 9, "format": "epoch_millis" } } },
            { "term": { "env": "prod" } },
            { "terms": { "_index": ["logs-1"] } },
            { "ids": { "values": ["a", "b", "gone"] } },
        ])
    );

    // Without an index, several documents may have the id.
    let known = |index: Option<&str>, id: &str, at| Document {
        at: Timestamp(at),
        index: index.map(Into::into),
        id: id.into(),
    };
    let evidence = Evidence::Documents(vec![known(None, "b", 8), known(Some("logs-1"), "a", 5)]);
    let ask = EvidenceAsk { evidence: &evidence, count: 2 };
    let docs = cluster(&fake).evidence(&target(), ask, EvidenceFields::default(), deadline()).await.unwrap();
    assert_eq!(docs.docs.iter().map(|doc| doc.id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    let body = fake.seen().last().unwrap().body.clone();
    assert_eq!(
        (&body["size"], &body["query"]["bool"]["filter"][1]),
        (&json!(8), &json!({ "ids": { "values": ["a", "b"] } }))
    );
}

#[tokio::test]
async fn no_data_is_counted_without_the_filter() {
    let fake = Fake::start(|_| {
        let hits = json!({ "total": { "value": 42, "relation": "eq" }, "hits": [] });
        Reply::Json(200, envelope(vec![], json!({ "hits": hits })))
    })
    .await;
    let mut filtered = target();
    filtered.filter = Some(json!({ "term": { "a": "b" } }));
    let over = Range::new(Timestamp(1), Timestamp(9));
    assert_eq!(cluster(&fake).count_without_filter(&filtered, over, deadline()).await.unwrap(), 42);
    let filters = fake.seen()[0].body["query"]["bool"]["filter"].clone();
    assert_eq!(
        filters,
        json!([{ "range": { "@timestamp": { "gte": 1, "lt": 9, "format": "epoch_millis" } } }])
    );
}

#[tokio::test]
async fn fields_are_told_with_what_to_beware_of() {
    let fake = Fake::start(|seen| match seen.path.contains("_field_caps") {
        true => {
            let caps = |kind: &str| json!({ kind: { "type": kind, "aggregatable": kind != "text" } });
            let fields = json!({ "@timestamp": caps("date"), "m": caps("text"), "m.keyword": caps("keyword"), "g": caps("geo_shape"), "p": caps("geo_point") });
            Reply::Json(200, json!({ "indices": ["x"], "fields": fields }))
        }
        false => {
            let mapping = |above: u64| {
                json!({ "mappings": { "m.keyword": { "full_name": "m.keyword",
                "mapping": { "keyword": { "type": "keyword", "ignore_above": above } } } } })
            };
            Reply::Json(200, json!({ "x-1": mapping(1_024), "x-2": mapping(256), "x-3": { "mappings": {} } }))
        }
    })
    .await;
    let key = ["m", "m.keyword", "gone", "p"].map(String::from);
    let mut target = target();
    target.filter = Some(json!({ "query_string": { "query": "typo:1" } }));
    let found = cluster(&fake).inspect(&target, &key, &[question(&["g"])], &[], deadline()).await.unwrap();
    let fields = found.fields;
    let names: Vec<_> = fields.iter().map(|field| (field.name.as_str(), field.role)).collect();
    let expected = [
        ("@timestamp", Role::Time),
        ("m", Role::Key),
        ("m.keyword", Role::Key),
        ("gone", Role::Key),
        ("p", Role::Key),
        ("g", Role::Asked),
        ("typo", Role::Filter),
    ];
    assert_eq!(names, expected);
    assert_eq!((fields[1].text, fields[1].keyword.as_deref()), (true, Some("m.keyword")));
    assert_eq!((fields[2].text, fields[2].ignore_above), (false, Some(256)));
    assert!(fields[3].types.is_empty() && fields[6].types.is_empty());
    let refused = [
        "field `g` is of type geo_shape, which cannot become a column",
        "field `p` is of type geo_point, which cannot be a key",
    ];
    assert_eq!(found.refused, refused);
}

#[tokio::test]
async fn a_written_search_becomes_one_row() {
    let fake = Fake::start(|seen| match seen.path.contains("_field_caps") {
        true => Reply::Json(200, caps()),
        false => Reply::Json(200, envelope(vec![], json!({ "aggregations": { "a": { "value": 2.5 } } }))),
    })
    .await;
    let mut question = question(&[]);
    let body = r#"{"size":0,"query":{"term":{"a":1}},"aggs":{"a":{"avg":{"field":"n"}}}}"#.into();
    let pick = vec![("mean".into(), "/aggregations/a/value".into()), ("none".into(), "/nothing".into())];
    question.ask = Ask::Search(RawSearch { body, pick });
    let pages = pages(&cluster(&fake), &question).await.unwrap();
    assert_eq!(pages[0].times, [999_999]);
    assert_eq!(pages[0].columns[0].values, Values::Numbers(vec![2.5]));
    assert!(!pages[0].columns[1].has(0));
    assert!(pages[0].columns.iter().all(|column| column.is_mapped));
    assert_eq!(fake.seen()[1].body["query"]["bool"]["filter"][1], json!({ "term": { "a": 1 } }));
}

#[tokio::test]
async fn the_clusters_health_is_one_row() {
    let fake = Fake::start(|_| Reply::Json(200, json!({ "status": "yellow", "number_of_nodes": 3 }))).await;
    let mut question = question(&[]);
    question.ask = Ask::Cluster(ClusterView::Health);
    let pages = pages(&cluster(&fake), &question).await.unwrap();
    assert_eq!(pages[0].column("number_of_nodes").unwrap().values, Values::Integers(vec![3]));
    assert!(pages[0].columns.iter().all(|column| column.is_mapped));
    assert_eq!(fake.lines(), ["GET /_cluster/health"]);
}
