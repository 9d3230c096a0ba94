//! Readers of answers, for the fuzz targets: each with a question that has every kind of column.
use std::sync::LazyLock;

use serde_json::json;
use watchbell_contract::{
    Buckets, Calc, Duration, Hits, Metric, NamedFilter, Query, Range, Rows, Source, Timestamp,
};

use crate::{buckets, mapping::Mapping, parse_hits, plan::FieldPlan, refusal};

/// Fields of every kind of column, and of every way to fetch one.
static MAPPING: LazyLock<Mapping> = LazyLock::new(|| {
    let caps =
        |kind: &str| json!({ kind: { "type": kind, "aggregatable": kind != "text" && kind != "nested" } });
    let fields = json!({
        "@timestamp": caps("date"), "host": caps("keyword"), "text": caps("text"), "code": caps("long"), "ms": caps("double"),
        "share": caps("float"), "ok": caps("boolean"), "at": caps("date"), "place": caps("geo_point"), "address": caps("ip"),
        "mixed": {
            "float": { "type": "float", "aggregatable": true, "indices": ["x"] },
            "double": { "type": "double", "aggregatable": true, "indices": ["y"] },
        },
        "c": caps("nested"), "c.author": caps("keyword"), "c.at.day": caps("date"), "c.place": caps("geo_point"),
    });
    let body = json!({ "indices": ["x", "y"], "fields": fields }).to_string();
    Mapping::parse_all([body.as_bytes()]).expect("field capabilities")
});

static PLAN: LazyLock<FieldPlan> = LazyLock::new(|| {
    let fields = [
        "host",
        "text",
        "code",
        "ms",
        "share",
        "ok",
        "at",
        "place",
        "address",
        "mixed",
        "c.author",
        "c.at.day",
        "c.place",
        "absent",
        "host",
        "_index",
        "_id",
        "_type:mixed",
    ];
    let question = Hits { fields: fields.map(String::from).to_vec(), filters: vec![filter("bad")] };
    FieldPlan::new(&question, &MAPPING, "@timestamp").expect("a plan")
});

fn filter(name: &str) -> NamedFilter {
    NamedFilter { name: name.into(), query: Query::Lucene("*".into()) }
}

/// Reads the answer to a search for documents.
///
/// # Errors
/// What is wrong with it.
pub fn hits(answer: &[u8]) -> Result<Rows, String> {
    parse_hits(answer, &PLAN).map(|page| page.rows).map_err(|fault| fault.to_string())
}

/// Reads the answer to a search for buckets. `is_whole`: the question has neither groups nor slices.
///
/// # Errors
/// What is wrong with it.
pub fn buckets(answer: &[u8], is_whole: bool) -> Result<Rows, String> {
    let metric = |name: &str, field: &str, calc| Metric {
        name: name.into(),
        source: Source::Field(field.into()),
        calc,
        filter: None,
    };
    let mut question = Buckets {
        by: ["host", "code", "ok", "share", "at"].map(String::from).to_vec(),
        every: Some(Duration::from_secs(60)),
        offset: Duration::ZERO,
        metrics: vec![
            metric("slowest", "ms", Calc::Maximum),
            metric("last", "at", Calc::Maximum),
            metric("p95", "ms", Calc::Percentile(95.0)),
        ],
        filters: vec![filter("bad")],
    };
    if is_whole {
        (question.by, question.every) = (vec![], None);
    }
    let over = Range::new(Timestamp(5), Timestamp(90_000));
    buckets::read_page(over, &question, &MAPPING, answer).map_err(|fault| fault.to_string())
}

/// Reads the answer to a question for field capabilities.
///
/// # Errors
/// What is wrong with it.
pub fn fields(answer: &[u8]) -> Result<(), String> {
    Mapping::parse_all([answer]).map(drop).map_err(|fault| fault.to_string())
}

/// Says what an error response means.
pub fn refusal(status: u16, body: &[u8]) -> String {
    refusal::cause(status, "application/json", body).to_string()
}
