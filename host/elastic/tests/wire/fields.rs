//! Fields as the indices have them: new ones, those that indices disagree about, nested ones.
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};
use watchbell_contract::{
    AnyOf, Ask, Buckets, Calc, Column, Duration, Evidence, Metric, NamedFilter, Query, Question, Range, Rows,
    Selection, Source, Timestamp, Values,
};

use watchbell_elastic::{EvidenceAsk, EvidenceFields, Grant};

use crate::{
    cluster, deadline,
    fake::{Fake, Reply, Seen},
    library::envelope,
    pages, pages_of, question, target,
};

/// `_field_caps` as servers answer it with `include_unmapped`: of each field the types, and the indices that have them.
/// A field's types, and the indices that have each.
type Types<'a> = &'a [(&'a str, &'a [&'a str])];

fn caps(indices: &[&str], fields: &[(&str, Types<'_>)]) -> Reply {
    let dates = [("date", indices)];
    let time = [("@timestamp", &dates as &[_])];
    let fields = fields.iter().chain(&time).map(|(name, types)| {
        let mut types: Vec<(&str, Vec<&str>)> =
            types.iter().map(|(kind, has)| (*kind, has.to_vec())).collect();
        let lacks = |index: &&str| !types.iter().any(|(_, has)| has.contains(index));
        let unmapped: Vec<&str> = indices.iter().copied().filter(lacks).collect();
        if !unmapped.is_empty() {
            types.push(("unmapped", unmapped));
        }
        let several = types.len() > 1;
        let types = types.into_iter().map(|(kind, has)| {
            let countable = !matches!(kind, "text" | "object" | "nested" | "unmapped");
            let mut caps = json!({ "type": kind, "aggregatable": countable });
            if several {
                caps["indices"] = json!(has);
            }
            (kind.to_owned(), caps)
        });
        ((*name).to_owned(), Value::Object(types.collect()))
    });
    Reply::Json(200, json!({ "indices": indices, "fields": Value::Object(fields.collect()) }))
}

fn is_look(seen: &Seen) -> bool {
    seen.path.contains("_field_caps")
}

fn looks(fake: &Fake) -> usize {
    fake.seen().iter().filter(|seen| is_look(seen)).count()
}

fn hit(index: &str, id: &str, host: &str) -> Value {
    json!({ "_index": index, "_id": id, "fields": { "host": [host] }, "sort": [5] })
}

fn only(field: &str, values: &[&str]) -> Vec<AnyOf> {
    vec![AnyOf { field: field.into(), values: values.iter().map(|value| Some((*value).into())).collect() }]
}

fn counted(by: &[&str], metrics: &[(&str, Calc)]) -> Question {
    let metrics = metrics.iter().map(|(field, calc)| Metric {
        name: format!("{calc:?} of {field}").to_lowercase(),
        source: Source::Field((*field).into()),
        calc: *calc,
        filter: None,
    });
    let buckets = Buckets {
        by: by.iter().map(|&by| by.into()).collect(),
        every: Some(Duration::from_secs(60)),
        offset: Duration::ZERO,
        metrics: metrics.collect(),
        filters: vec![],
    };
    Question { ask: Ask::Buckets(buckets), ..question(&[]) }
}

fn refusal(error: watchbell_elastic::AskError) -> String {
    error.cause.to_string()
}

/// The mapping of an index whose field `threat.name` comes with a document.
fn late(came: &Arc<AtomicBool>) -> Reply {
    match came.load(Ordering::SeqCst) {
        false => caps(&["logs-1"], &[("host", &[("keyword", &["logs-1"])])]),
        true => caps(
            &["logs-1"],
            &[
                ("host", &[("keyword", &["logs-1"])]),
                ("threat", &[("object", &["logs-1"])]),
                ("threat.name", &[("text", &["logs-1"])]),
                ("threat.name.keyword", &[("keyword", &["logs-1"])]),
            ],
        ),
    }
}

#[tokio::test]
async fn a_field_that_came_with_the_documents_is_asked_again() {
    let came = Arc::<AtomicBool>::default();
    let told = Arc::clone(&came);
    let fake = Fake::start(move |seen| match is_look(seen) {
        true => late(&told),
        false => {
            // The first document of the field comes between the look and the answer.
            told.store(true, Ordering::SeqCst);
            Reply::Json(200, envelope(vec![], json!({ "aggregations": { "page": { "buckets": [] } } })))
        }
    })
    .await;
    let cluster = cluster(&fake);
    let mut narrowed = question(&["host"]);
    narrowed.only = only("threat.name", &["Mimikatz"]);
    let error = pages(&cluster, &narrowed).await.unwrap_err();
    assert!(error.is_outdated(), "{error}");
    assert!(pages(&cluster, &narrowed).await.unwrap().is_empty());
    let filters: Vec<Value> = fake
        .seen()
        .iter()
        .filter(|seen| !is_look(seen))
        .map(|seen| seen.body["query"]["bool"]["filter"][1].clone())
        .collect();
    let expected = [
        json!({ "terms": { "threat.name": ["Mimikatz"] } }),
        json!({ "terms": { "threat.name.keyword": ["Mimikatz"] } }),
    ];
    assert_eq!(filters, expected);
    // One look before each question and one after it, the second's before being the first's after.
    assert_eq!(looks(&fake), 3);
}

#[tokio::test]
async fn a_column_that_came_with_the_documents_is_read_again() {
    let came = Arc::<AtomicBool>::default();
    let told = Arc::clone(&came);
    let fake = Fake::start(move |seen| match is_look(seen) {
        true => late(&told),
        false => {
            told.store(true, Ordering::SeqCst);
            let mut hit = hit("logs-1", "1", "a");
            if seen.body["fields"][0]["field"] == "threat.name" {
                hit["fields"]["threat.name"] = json!(["Mimikatz"]);
            }
            Reply::Json(200, envelope(vec![hit], json!({})))
        }
    })
    .await;
    let cluster = cluster(&fake);
    let asked = question(&["threat.name"]);
    let mut answer = cluster.ask(&target(), &asked, deadline()).await.unwrap();
    assert_eq!(answer.next().await.unwrap().unwrap().len(), 1);
    assert!(answer.next().await.unwrap_err().is_outdated());
    let again = pages(&cluster, &asked).await.unwrap();
    assert_eq!(crate::told(&again), [(5, "Mimikatz".to_owned())]);
}

#[tokio::test]
async fn what_a_new_field_makes_servers_refuse_is_asked_again() {
    let came = Arc::<AtomicBool>::default();
    let told = Arc::clone(&came);
    let fake = Fake::start(move |seen| match is_look(seen) {
        true => late(&told),
        false => {
            told.store(true, Ordering::SeqCst);
            let name = &seen.body["aggs"]["page"]["composite"]["sources"][1]["b0"]["terms"]["field"];
            if name == "threat.name" {
                let error = json!({ "type": "illegal_argument_exception", "reason": "Text fields are not optimised" });
                return Reply::Json(400, json!({ "error": error, "status": 400 }));
            }
            assert_eq!(name, "threat.name.keyword");
            let bucket = json!({ "key": { "t": 0, "b0": "Mimikatz" }, "doc_count": 1 });
            Reply::Json(200, envelope(vec![], json!({ "aggregations": { "page": { "buckets": [bucket] } } })))
        }
    })
    .await;
    let cluster = cluster(&fake);
    let asked = counted(&["threat.name"], &[]);
    assert!(pages(&cluster, &asked).await.unwrap_err().is_outdated());
    assert_eq!(crate::told(&pages(&cluster, &asked).await.unwrap()), [(0, "Mimikatz".to_owned())]);
}

#[tokio::test]
async fn documents_of_known_indices_need_no_second_look() {
    let rolled = Arc::<AtomicBool>::default();
    let told = Arc::clone(&rolled);
    let fake = Fake::start(move |seen| match (is_look(seen), told.load(Ordering::SeqCst)) {
        (true, false) => caps(&["logs-1"], &[("host", &[("keyword", &["logs-1"])])]),
        (true, true) => {
            caps(&["logs-1", "logs-2"], &[("host", &[("keyword", &["logs-1"]), ("text", &["logs-2"])])])
        }
        (false, false) => Reply::Json(200, envelope(vec![hit("logs-1", "1", "a")], json!({}))),
        (false, true) => {
            Reply::Json(200, envelope(vec![hit("logs-1", "1", "a"), hit("logs-2", "2", "b")], json!({})))
        }
    })
    .await;
    let cluster = cluster(&fake);
    for _ in 0..3 {
        assert_eq!(pages(&cluster, &question(&["host"])).await.unwrap().len(), 1);
    }
    assert_eq!(looks(&fake), 1);
    // A new index, in which the field is of another type.
    rolled.store(true, Ordering::SeqCst);
    let error = pages(&cluster, &question(&["host"])).await.unwrap_err();
    assert!(error.is_outdated(), "{error}");
    let again = pages(&cluster, &question(&["host"])).await.unwrap();
    assert_eq!(again[0].len(), 2);
    assert_eq!(fake.seen().last().unwrap().body["fields"], json!([{ "field": "host" }]));
}

#[tokio::test]
async fn rules_of_a_pattern_share_their_looks() {
    let indices: Vec<String> = (0..1_000).map(|n| format!("logs-app-2026.01.{n:04}")).collect();
    let fake = Fake::start(move |seen| match is_look(seen) {
        true => {
            let indices: Vec<&str> = indices.iter().map(String::as_str).collect();
            caps(&indices, &[("f1", &[("keyword", &indices)]), ("f2", &[("keyword", &indices[..500])])])
        }
        false => Reply::Json(
            200,
            envelope(
                vec![],
                json!({ "aggregations": { "page": { "buckets": [
            { "key": { "t": 0, "b0": "a" }, "doc_count": 1 } ] } } }),
            ),
        ),
    })
    .await;
    let cluster = cluster(&fake);
    let mut asks = tokio::task::JoinSet::new();
    for rule in 0..200 {
        let (cluster, asked) = (cluster.clone(), counted(&[&format!("f{}", rule % 4)], &[]));
        asks.spawn(async move { pages(&cluster, &asked).await.unwrap().len() });
    }
    assert_eq!(asks.join_all().await, vec![1; 200]);
    let shared = looks(&fake);
    assert!(shared < 100, "{shared} looks for 200 questions");
    let union = fake.seen().into_iter().rfind(is_look).unwrap().path;
    let all = "fields=%40timestamp%2C%40timestamp.keyword%2Cf0%2Cf0.keyword%2Cf1%2Cf1.keyword%2Cf2%2Cf2.keyword%2Cf3";
    assert!(union.contains(all), "{union}");
}

#[tokio::test]
async fn indices_that_disagree_are_narrowed_each_by_its_name() {
    let fake = Fake::start(move |seen| match is_look(seen) {
        true => text_and_keyword(),
        false => Reply::Json(200, envelope(vec![hit("logs-new", "1", "root")], json!({}))),
    })
    .await;
    let mut narrowed = question(&["user"]);
    narrowed.only = vec![AnyOf { field: "user".into(), values: vec![Some("root".into()), None] }];
    pages(&cluster(&fake), &narrowed).await.unwrap();
    let body = &fake.seen()[1].body;
    let either = |name: &str| {
        json!({ "bool": { "should": [
            { "terms": { name: ["root"] } },
            { "bool": { "must_not": [{ "exists": { "field": "user" } }] } },
        ], "minimum_should_match": 1 } })
    };
    let expected = json!({ "bool": { "should": [
        { "bool": { "filter": [either("user")], "must_not": [{ "terms": { "_index": ["logs-old"] } }] } },
        { "bool": { "filter": [{ "terms": { "_index": ["logs-old"] } }, either("user.keyword")] } },
    ], "minimum_should_match": 1 } });
    assert_eq!(body["query"]["bool"]["filter"][1], expected);
    assert_eq!(body["fields"], json!([{ "field": "user" }]));

    let evidence = Evidence::Selection(Selection {
        over: Range::new(Timestamp(1), Timestamp(9)),
        only: only("user", &["root"]),
        filters: vec![],
        newest: 1,
    });
    let ask = EvidenceAsk { evidence: &evidence, count: 1 };
    cluster(&fake).evidence(&target(), ask, EvidenceFields::default(), deadline()).await.unwrap();
    let seen = fake.seen();
    assert_eq!(
        seen.last().unwrap().body["query"]["bool"]["filter"][1]["bool"]["should"][1]["bool"]["filter"][1],
        json!({ "terms": { "user.keyword": ["root"] } })
    );
}

/// `user` is text with a keyword beside it in one index, and a keyword in the other two; one more knows no user.
fn text_and_keyword() -> Reply {
    caps(
        &["logs-bare", "logs-new", "logs-new2", "logs-old"],
        &[
            ("user", &[("keyword", &["logs-new", "logs-new2"]), ("text", &["logs-old"])]),
            ("user.keyword", &[("keyword", &["logs-old"])]),
            ("ms", &[("long", &["logs-new", "logs-new2", "logs-old"])]),
        ],
    )
}

#[tokio::test]
async fn buckets_of_indices_that_disagree_add_up() {
    let fake = Fake::start(move |seen| {
        if is_look(seen) {
            return text_and_keyword();
        }
        let name = &seen.body["aggs"]["page"]["composite"]["sources"][1]["b0"]["terms"]["field"];
        let bucket = |t: i64, user: Value, count: i64, of: [f64; 6]| {
            let mut bucket = json!({ "key": { "t": t, "b0": user }, "doc_count": count });
            for (number, value) in of.into_iter().enumerate() {
                bucket[format!("m{number}")] = json!({ "value": value });
            }
            bucket
        };
        let buckets = match seen.path.split('/').nth(1).unwrap() {
            "logs-old" => {
                assert_eq!(name, "user.keyword");
                vec![bucket(60_000, json!("root"), 2, [3.0, 2.0, 1.0, 2.0, 3.0, 2.0])]
            }
            _ => {
                assert_eq!(name, "user");
                vec![
                    bucket(0, json!("ada"), 1, [7.0, 1.0, 7.0, 7.0, 7.0, 1.0]),
                    bucket(60_000, json!(null), 4, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
                    bucket(60_000, json!("root"), 3, [9.0, 3.0, 2.0, 4.0, 9.0, 3.0]),
                ]
            }
        };
        Reply::Json(200, envelope(vec![], json!({ "aggregations": { "page": { "buckets": buckets } } })))
    })
    .await;
    let metrics = [
        ("ms", Calc::Sum),
        ("ms", Calc::ValueCount),
        ("ms", Calc::Minimum),
        ("ms", Calc::Maximum),
        ("ms", Calc::Average),
    ];
    let cluster = cluster(&fake);
    let pages = pages(&cluster, &counted(&["user"], &metrics)).await.unwrap();
    assert_eq!(pages.len(), 1);
    let rows: &Rows = &pages[0];
    assert_eq!(rows.times, [0, 60_000, 60_000]);
    let Values::Words(users) = &rows.columns[0].values else { panic!("{rows:?}") };
    assert_eq!((users.word(0), rows.columns[0].has(1), users.word(2)), (Some("ada"), false, Some("root")));
    let numbers = |column: &Column| match &column.values {
        Values::Integers(all) => all.iter().map(|value| *value as f64).collect(),
        Values::Numbers(all) => all.clone(),
        other => panic!("{other:?}"),
    };
    let all: Vec<Vec<f64>> = rows.columns[1..].iter().map(numbers).collect();
    let expected = [
        [1.0, 4.0, 5.0],
        [7.0, 1.0, 12.0],
        [1.0, 1.0, 5.0],
        [7.0, 1.0, 1.0],
        [7.0, 1.0, 4.0],
        [7.0, 1.0, 2.4],
    ];
    assert_eq!(all, expected);

    let error = crate::pages(&cluster, &counted(&["user"], &[("ms", Calc::Cardinality)])).await.unwrap_err();
    assert_eq!(
        refusal(error),
        "the query cannot be run: its indices map its fields differently, and a cardinality (`cardinality of ms`) cannot be combined across them; choose indices whose mappings agree"
    );
}

#[tokio::test]
async fn metrics_of_some_documents_add_up_over_indices_that_disagree() {
    let fake = Fake::start(move |seen| {
        if is_look(seen) {
            return text_and_keyword();
        }
        let filtered = |value: f64| json!({ "doc_count": 3, "v": { "value": value } });
        let bucket = match seen.path.split('/').nth(1).unwrap() {
            "logs-old" => {
                let nothing = json!({ "doc_count": 0, "v": { "value": null } });
                json!({ "key": { "t": 0, "b0": "root" }, "doc_count": 2, "m0": filtered(0.0), "m1": filtered(0.0),
                    "m2": nothing, "m3": { "value": 5.0 } })
            }
            _ => json!({ "key": { "t": 0, "b0": "root" }, "doc_count": 4, "m0": filtered(30.0), "m1": filtered(3.0),
                "m2": filtered(7.0), "m3": { "value": 6.0 } }),
        };
        Reply::Json(200, envelope(vec![], json!({ "aggregations": { "page": { "buckets": [bucket] } } })))
    })
    .await;
    let slow = Some(Query::Dsl(r#"{"range":{"ms":{"gt":5}}}"#.into()));
    let metric = |name: &str, source, calc, filter| Metric { name: name.into(), source, calc, filter };
    let ms = || Source::Field("ms".into());
    let script = || Source::Script("doc['ms'].value / 2".into());
    let mut asked = counted(&["user"], &[]);
    let Ask::Buckets(buckets) = &mut asked.ask else { panic!("buckets") };
    buckets.metrics = vec![
        metric("mean", script(), Calc::Average, slow.clone()),
        metric("fastest", ms(), Calc::Minimum, slow.clone()),
        metric("halves", script(), Calc::Sum, None),
    ];
    let cluster = cluster(&fake);
    let told = pages(&cluster, &asked).await.unwrap_err();
    assert!(told.to_string().contains("metric `mean` is a script"), "{told}");
    let mut scripting = target();
    scripting.scope.grants.insert(Grant::Scripts);
    let rows = pages_of(&cluster, &scripting, &asked).await.unwrap().remove(0);
    let value = |name: &str| match &rows.column(name).unwrap().values {
        Values::Numbers(all) => all.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((value("mean"), value("fastest"), value("halves")), (vec![10.0], vec![7.0], vec![11.0]));
    let seen = fake.seen().into_iter().find(|seen| seen.path.starts_with("/logs-old")).unwrap();
    let parts = &seen.body["aggs"]["page"]["aggs"];
    let filter = json!({ "range": { "ms": { "gt": 5 } } });
    let script = json!({ "script": { "source": "doc['ms'].value / 2" } });
    assert_eq!(parts["m0"], json!({ "filter": filter, "aggs": { "v": { "sum": script } } }));
    assert_eq!(parts["m1"], json!({ "filter": filter, "aggs": { "v": { "value_count": script } } }));
    assert_eq!(parts["m2"], json!({ "filter": filter, "aggs": { "v": { "min": { "field": "ms" } } } }));
    assert_eq!(parts["m3"], json!({ "sum": script }));
}

#[tokio::test]
async fn a_column_tells_whether_a_mapping_defines_its_field() {
    let fake = Fake::start(|seen| {
        if is_look(seen) {
            return text_and_keyword();
        }
        if seen.body.get("aggs").is_none() {
            return Reply::Json(200, envelope(vec![hit("logs-new", "1", "a")], json!({})));
        }
        let bucket = json!({ "key": { "t": 0, "b0": null, "b1": "logs-new" }, "doc_count": 1 });
        Reply::Json(200, envelope(vec![], json!({ "aggregations": { "page": { "buckets": [bucket] } } })))
    })
    .await;
    let cluster = cluster(&fake);
    let mapped = async |asked: &Question| -> Vec<(String, bool)> {
        let columns = pages(&cluster, asked).await.unwrap().remove(0).columns;
        columns.into_iter().map(|column| (column.field, column.is_mapped)).collect()
    };
    let of = |all: &[(&str, bool)]| -> Vec<(String, bool)> {
        all.iter().map(|&(name, is_mapped)| (name.to_owned(), is_mapped)).collect()
    };
    let mut hits = question(&["user", "usr", "_id", "_index", "_type:usr", "usr"]);
    if let Ask::Hits(hits) = &mut hits.ask {
        hits.filters.push(NamedFilter { name: "bad".into(), query: Query::Lucene("usr:x".into()) });
    }
    let expected = [
        ("user", true),
        ("usr", false),
        ("_id", true),
        ("_index", true),
        ("_type:usr", true),
        ("usr", false),
        ("bad", true),
    ];
    assert_eq!(mapped(&hits).await, of(&expected));
    let expected = [("usr", false), ("_index", true), ("_count", true), ("sum of usr", true)];
    assert_eq!(mapped(&counted(&["usr", "_index"], &[("usr", Calc::Sum)])).await, of(&expected));
    // Of indices that disagree.
    let expected = [("user", true), ("usr", false), ("_count", true)];
    assert_eq!(mapped(&counted(&["user", "usr"], &[])).await, of(&expected));
}

#[tokio::test]
async fn words_and_numbers_are_refused() {
    let fake = Fake::start(|_| {
        caps(&["logs-1", "logs-2"], &[("code", &[("keyword", &["logs-1"]), ("long", &["logs-2"])])])
    })
    .await;
    let told = "field `code` has conflicting types: keyword in `logs-1`, long in `logs-2`; choose indices whose mappings agree";
    for asked in [question(&["code"]), counted(&["code"], &[]), counted(&[], &[("code", Calc::Sum)])] {
        assert_eq!(refusal(pages(&cluster(&fake), &asked).await.unwrap_err()), told);
    }
}

/// Items as nested objects in one index, and as plain ones in the other.
fn nested() -> Reply {
    caps(
        &["logs-1", "logs-2"],
        &[
            ("items", &[("nested", &["logs-1"]), ("object", &["logs-2"])]),
            ("items.price", &[("long", &["logs-1", "logs-2"])]),
            ("items.sku", &[("keyword", &["logs-1", "logs-2"])]),
        ],
    )
}

#[tokio::test]
async fn nested_fields_are_reached_or_refused() {
    let fake = Fake::start(|seen| {
        if is_look(seen) {
            return nested();
        }
        let metric = match seen.path.split('/').nth(1).unwrap() {
            "logs-1" => json!({ "doc_count": 2, "v": { "value": 520.0 } }),
            _ => json!({ "value": 4.0 }),
        };
        let bucket = json!({ "key": { "t": 0 }, "doc_count": 1, "m0": metric });
        Reply::Json(200, envelope(vec![], json!({ "aggregations": { "page": { "buckets": [bucket] } } })))
    })
    .await;
    let cluster = cluster(&fake);
    let sums = pages(&cluster, &counted(&[], &[("items.price", Calc::Sum)])).await.unwrap();
    assert_eq!(sums[0].columns[1].values, Values::Numbers(vec![524.0]));
    let asked = |index: &str| {
        let seen = fake.seen().into_iter().find(|seen| seen.path.starts_with(index)).unwrap();
        seen.body["aggs"]["page"]["aggs"]["m0"].clone()
    };
    let plain = json!({ "sum": { "field": "items.price" } });
    assert_eq!(asked("/logs-1"), json!({ "nested": { "path": "items" }, "aggs": { "v": plain } }));
    assert_eq!(asked("/logs-2"), plain);

    let mut narrowed = question(&[]);
    narrowed.only = only("items.sku", &["bad"]);
    assert!(pages(&cluster, &narrowed).await.unwrap().is_empty());
    let terms = json!({ "terms": { "items.sku": ["bad"] } });
    let within = json!({ "nested": { "path": "items", "query": terms, "ignore_unmapped": true } });
    let seen = fake.seen().into_iter().rfind(|seen| !is_look(seen)).unwrap();
    let clauses = &seen.body["query"]["bool"]["filter"][1]["bool"]["should"];
    let found: Vec<&Value> = (0..2).flat_map(|n| clauses[n]["bool"]["filter"].as_array().unwrap()).collect();
    assert!(found.contains(&&terms) && found.contains(&&within), "{clauses}");

    let error = refusal(pages(&cluster, &counted(&["items.sku"], &[])).await.unwrap_err());
    let told = "the query cannot be run: field `items.sku` is inside the nested object `items`; nested fields cannot be group keys";
    assert_eq!(error, told);
}

#[tokio::test]
async fn filters_that_do_not_reach_a_nested_object_are_refused() {
    let fake = Fake::start(|seen| match is_look(seen) {
        true => nested(),
        false => Reply::Json(200, envelope(vec![], json!({}))),
    })
    .await;
    let cluster = cluster(&fake);
    let told = "the query cannot be run: its filter names `items.sku` inside the nested object `items`, where it would match nothing; write it in Query DSL: `nested: { path: items, query: … }`";
    let mut of_question = question(&[]);
    of_question.filter = Some(Query::Lucene("host:a AND items.sku:bad".into()));
    assert_eq!(refusal(pages(&cluster, &of_question).await.unwrap_err()), told);
    let mut named = question(&[]);
    if let Ask::Hits(hits) = &mut named.ask {
        let query = Query::Lucene("_exists_:items.sku".into());
        hits.filters.push(NamedFilter { name: "bad".into(), query });
    }
    assert_eq!(refusal(pages(&cluster, &named).await.unwrap_err()), told);
    let dsl = |query: &Value| Some(Query::Dsl(query.to_string()));
    of_question.filter = dsl(&json!({ "term": { "items.sku": "bad" } }));
    assert_eq!(refusal(pages(&cluster, &of_question).await.unwrap_err()), told);
    of_question.filter =
        dsl(&json!({ "nested": { "path": "items", "query": { "term": { "items.sku": "bad" } } } }));
    assert!(pages(&cluster, &of_question).await.unwrap().is_empty());
    let mut measured = counted(&[], &[("ms", Calc::Sum)]);
    if let Ask::Buckets(buckets) = &mut measured.ask {
        buckets.metrics[0].filter = dsl(&json!({ "exists": { "field": "items.sku" } }));
    }
    assert_eq!(refusal(pages(&cluster, &measured).await.unwrap_err()), told);
    let ask_with = async |filter: Value| {
        let mut target = target();
        target.filter = Some(filter);
        cluster.ask(&target, &question(&[]), deadline()).await.map(|_| ())
    };
    assert_eq!(refusal(ask_with(json!({ "term": { "items.sku": "bad" } })).await.unwrap_err()), told);
    let reached = json!({ "nested": { "path": "items", "query": { "term": { "items.sku": "bad" } } } });
    ask_with(reached).await.unwrap();
}

#[tokio::test]
async fn an_index_without_documents_has_no_data_and_no_time_field() {
    let documents = Arc::<AtomicBool>::default();
    let told = Arc::clone(&documents);
    let fake = Fake::start(move |seen| match is_look(seen) {
        true => Reply::Json(200, json!({ "indices": ["logs-1"], "fields": {} })),
        false => {
            let total = i32::from(told.load(Ordering::SeqCst));
            let hits = json!({ "total": { "value": total, "relation": "eq" }, "hits": [] });
            Reply::Json(200, envelope(vec![], json!({ "hits": hits })))
        }
    })
    .await;
    let cluster = cluster(&fake);
    let mut narrowed = question(&["host"]);
    narrowed.only = only("host", &["a"]);
    for asked in [question(&["host"]), counted(&["host"], &[("ms", Calc::Sum)]), narrowed] {
        assert!(pages(&cluster, &asked).await.unwrap().is_empty());
    }
    // With documents, a time field that no index knows is not the one that was meant.
    documents.store(true, Ordering::SeqCst);
    let error = refusal(pages(&cluster, &question(&["host"])).await.unwrap_err());
    assert_eq!(error, "time field `@timestamp` is not mapped in any of the indices");
}
