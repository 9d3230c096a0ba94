use serde_json::{Value, json};
use watchbell_contract::{
    Buckets, Calc, Column, Duration, Metric, NamedFilter, Query, Range, Source, Timestamp, Values,
};

use super::{read, shape::Shape, *};
use crate::{hits::PageLimits, mapping::Mapping, resolve::Group};

const LIMITS: PageLimits = PageLimits { rows: 100, bytes: 1 << 20 };

fn question() -> Buckets {
    let metric = |name: &str, calc| Metric {
        name: name.into(),
        source: Source::Field("ms".into()),
        calc,
        filter: None,
    };
    Buckets {
        by: vec!["host".into(), "code".into()],
        every: Some(Duration::from_secs(60)),
        offset: Duration::ZERO,
        metrics: vec![metric("slowest", Calc::Maximum), metric("p95", Calc::Percentile(95.0))],
        filters: vec![NamedFilter { name: "bad".into(), query: Query::Lucene("code:[500 TO 599]".into()) }],
    }
}

fn mapping() -> Mapping {
    let caps = |kind: &str| json!({ kind: { "type": kind, "aggregatable": kind != "text" } });
    let fields = json!({
        "@timestamp": caps("date"), "host": caps("text"), "host.keyword": caps("keyword"), "code": caps("long"),
        "ms": caps("double"),
    });
    Mapping::parse(json!({ "indices": ["x"], "fields": fields }).to_string().as_bytes()).unwrap()
}

fn shape(buckets: &Buckets) -> Shape {
    Shape::new(Range::new(Timestamp(5), Timestamp(90_000)), buckets, &mapping()).unwrap()
}

fn body(buckets: &Buckets) -> Value {
    let groups = groups(buckets, &mapping()).unwrap();
    assert!(matches!(&groups[..], [Group { indices: None, .. }]));
    shape(buckets).body("@timestamp", vec![json!({ "f": 1 })], buckets, &groups[0].parts, 100).unwrap()
}

fn integers(column: &Column) -> &[i64] {
    let Values::Integers(values) = &column.values else { panic!("{column:?}") };
    values
}

#[test]
fn groups_and_slices_become_a_composite() {
    let expected = json!({
        "size": 0,
        "track_total_hits": false,
        "query": { "bool": { "filter": [{ "f": 1 }] } },
        "aggs": { "page": {
            "composite": { "size": 100, "sources": [
                { "t": { "date_histogram": { "field": "@timestamp", "fixed_interval": "60000ms" } } },
                { "b0": { "terms": { "field": "host.keyword", "missing_bucket": true } } },
                { "b1": { "terms": { "field": "code", "missing_bucket": true } } },
            ] },
            "aggs": {
                "m0": { "max": { "field": "ms" } },
                "m1": { "percentiles": { "field": "ms", "percents": [95.0], "keyed": false } },
                "f0": { "filter": { "query_string": { "query": "code:[500 TO 599]" } } },
            },
        } },
    });
    assert_eq!(body(&question()), expected);
}

#[test]
fn without_groups_and_slices_there_is_one_row() {
    let mut question = question();
    (question.by, question.every) = (vec![], None);
    let body = body(&question);
    assert_eq!(
        (&body["track_total_hits"], &body["aggs"]["m0"]),
        (&json!(true), &json!({ "max": { "field": "ms" } }))
    );
    let answer = json!({ "timed_out": false, "_shards": { "total": 1, "failed": 0 },
        "hits": { "total": { "value": 7, "relation": "eq" } },
        "aggregations": { "m0": { "value": 2.5 }, "m1": { "values": [{ "key": 95.0, "value": null }] }, "f0": { "doc_count": 3 } } });
    let rows = read::page(&shape(&question), LIMITS, answer.to_string().as_bytes()).unwrap().rows;
    assert_eq!((rows.validate(), &rows.times[..]), (Ok(()), &[5][..]));
    assert_eq!(integers(rows.column("_count").unwrap()), [7]);
    assert_eq!(rows.column("slowest").unwrap().values, Values::Numbers(vec![2.5]));
    assert!(!rows.column("p95").unwrap().has(0));
    assert_eq!(integers(rows.column("bad").unwrap()), [3]);
}

#[test]
fn buckets_become_rows() {
    let answer = json!({ "timed_out": false, "_shards": { "total": 1, "failed": 0 },
        "hits": { "total": { "value": 10_000, "relation": "gte" }, "hits": [] },
        "aggregations": { "page": {
            "after_key": { "t": 60_000, "b0": "b", "b1": 200 },
            "buckets": [
                { "key": { "t": 0, "b0": null, "b1": 500 }, "doc_count": 4, "m0": { "value": 9.0 },
                  "m1": { "values": [{ "key": 95.0, "value": 8.0 }] }, "f0": { "doc_count": 4 } },
                { "key": { "t": 60_000, "b0": "b", "b1": 200 }, "doc_count": 1, "f0": { "doc_count": 0 },
                  "m0": { "value": null }, "m1": { "values": [{ "key": 95.0, "value": "NaN" }] } },
            ] } } });
    let page = read::page(&shape(&question()), LIMITS, answer.to_string().as_bytes()).unwrap();
    let rows = page.rows;
    assert_eq!((rows.validate(), &rows.times[..]), (Ok(()), &[0, 60_000][..]));
    let names: Vec<_> = rows.columns.iter().map(|column| column.field.as_str()).collect();
    assert_eq!(names, ["host", "code", "_count", "slowest", "p95", "bad"]);
    let host = &rows.columns[0];
    let Values::Words(words) = &host.values else { panic!("{host:?}") };
    assert_eq!((host.has(0), words.word(1)), (false, Some("b")));
    assert_eq!(integers(&rows.columns[1]), [500, 200]);
    assert_eq!(integers(&rows.columns[2]), [4, 1]);
    assert!(rows.columns[3].has(0) && !rows.columns[3].has(1) && !rows.columns[4].has(1));
    assert_eq!(page.after.unwrap().get(), r#"{"t":60000,"b0":"b","b1":200}"#);
}

#[test]
fn what_is_not_an_aggregation_is_told() {
    let read = |answer: &str| {
        read::page(&shape(&question()), LIMITS, answer.as_bytes()).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(
        read(r#"{"_shards":{"total":1},"hits":{}}"#),
        "unexpected response: no `aggregations` in the response at line 1 column 33"
    );
    assert_eq!(
        read(r#"{"_shards":{"total":1},"aggregations":{"page":{"buckets":[{"key":{"t":1,"b1":"x"}}]}}}"#),
        "unexpected response: field `code`: text where an integer was expected"
    );
}

#[test]
fn text_without_a_keyword_cannot_be_counted_by() {
    let caps = json!({ "host": { "text": { "type": "text", "aggregatable": false } } });
    let mapping = Mapping::parse(json!({ "fields": caps }).to_string().as_bytes()).unwrap();
    let buckets = Buckets { by: vec!["host".into()], ..Buckets::default() };
    let error = groups(&buckets, &mapping).unwrap_err();
    assert_eq!(
        error.to_string(),
        "field `host` is of type text, which supports neither exact search nor aggregation"
    );
}

#[test]
fn a_metric_has_a_source_and_may_have_a_filter() {
    let script = || Source::Script("doc['ms'].value / 2".into());
    let metric = |source, calc, filter| Metric { name: "m".into(), source, calc, filter };
    let bad = Some(Query::Lucene("code:500".into()));
    let question = Buckets {
        metrics: vec![
            metric(script(), Calc::Cardinality, None),
            metric(script(), Calc::Percentile(99.0), bad.clone()),
            metric(Source::Field("host".into()), Calc::ValueCount, bad),
        ],
        ..question()
    };
    let script = json!({ "source": "doc['ms'].value / 2" });
    let bad = json!({ "query_string": { "query": "code:500" } });
    let expected = json!({
        "m0": { "cardinality": { "script": script } },
        "m1": { "filter": bad, "aggs": { "v": {
            "percentiles": { "script": script, "percents": [99.0], "keyed": false },
        } } },
        "m2": { "filter": bad, "aggs": { "v": { "value_count": { "field": "host.keyword" } } } },
        "f0": { "filter": { "query_string": { "query": "code:[500 TO 599]" } } },
    });
    assert_eq!(body(&question)["aggs"]["page"]["aggs"], expected);
    let answer = json!({ "_shards": { "total": 1 }, "aggregations": { "page": { "buckets": [
        { "key": { "t": 0, "b0": "a", "b1": 1 }, "doc_count": 4, "m0": { "value": 2 },
          "m1": { "doc_count": 1, "v": { "values": [{ "key": 99.0, "value": 8.0 }] } },
          "m2": { "doc_count": 1, "v": { "doc_count": 5, "v": { "value": 5 } } }, "f0": { "doc_count": 1 } },
    ] } } });
    let rows = read::page(&shape(&question), LIMITS, answer.to_string().as_bytes()).unwrap().rows;
    let values: Vec<&Values> = rows.columns[3..6].iter().map(|column| &column.values).collect();
    assert_eq!(values, [2.0, 8.0, 5.0].map(|value| Values::Numbers(vec![value])).each_ref());
}

#[test]
fn a_group_key_is_no_place() {
    let caps = json!({ "g": { "geo_point": { "type": "geo_point", "aggregatable": true } } });
    let mapping = Mapping::parse(json!({ "fields": caps }).to_string().as_bytes()).unwrap();
    let error = groups(&Buckets { by: vec!["g".into()], ..Buckets::default() }, &mapping).unwrap_err();
    assert_eq!(error.to_string(), "field `g` is of type geo_point, which cannot be a group key");
}

#[test]
fn an_answer_of_another_form_adds_nothing_to_a_row() {
    let answer = json!({ "timed_out": false, "_shards": { "total": 1, "successful": 1, "failed": 0 },
        "hits": { "total": 7 },
        "aggregations": { "m0": { "value": 2.5 }, "f0": { "doc_count": 3 },
            "page": { "buckets": [{ "key": { "t": 60_000, "b0": "a", "b1": 1 }, "doc_count": 1, "m1": { "value": 1 } }] } } });
    let grouped = read::page(&shape(&question()), LIMITS, answer.to_string().as_bytes()).unwrap().rows;
    assert_eq!((grouped.validate(), grouped.len()), (Ok(()), 1));
    assert!(!grouped.column("slowest").unwrap().has(0) && grouped.column("p95").unwrap().has(0));
    let mut question = question();
    (question.by, question.every) = (vec![], None);
    let whole = read::page(&shape(&question), LIMITS, answer.to_string().as_bytes()).unwrap().rows;
    assert_eq!((whole.validate(), whole.len()), (Ok(()), 1));
    assert!(whole.column("slowest").unwrap().has(0) && !whole.column("p95").unwrap().has(0));
}
