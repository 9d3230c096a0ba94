//! One shape of query for everything: `bool.filter` with the range first.
use serde_json::{Map, Value, json};
use watchbell_contract::{AnyOf, NamedFilter, Range};

use crate::{error::Cause, mapping::Mapping, target::Target};

/// What narrows a request down, whichever kind of request it is.
pub(crate) struct Narrow<'a> {
    pub(crate) over: Range,
    pub(crate) only: &'a [AnyOf],
    pub(crate) filter: Option<&'a str>,
}

/// The filters of a request; the first is the range.
pub(crate) fn filters(target: &Target, narrow: &Narrow<'_>, mapping: &Mapping) -> Result<Vec<Value>, Cause> {
    let mut filters = vec![range(&target.time_field, narrow.over)];
    filters.extend(target.filter.clone());
    filters.extend(narrow.filter.map(query_string));
    for any_of in narrow.only {
        filters.push(only(any_of, mapping)?);
    }
    Ok(filters)
}

pub(crate) fn range(time_field: &str, over: Range) -> Value {
    let bounds = json!({ "gte": over.start.0, "lt": over.end.0, "format": "epoch_millis" });
    json!({ "range": { time_field: bounds } })
}

pub(crate) fn query_string(filter: &str) -> Value {
    json!({ "query_string": { "query": filter } })
}

/// The whole query. Named filters match or not without keeping a document away.
pub(crate) fn query(filters: Vec<Value>, named: &[NamedFilter]) -> Value {
    let mut all = Map::new();
    all.insert("filter".into(), filters.into());
    if !named.is_empty() {
        let should: Vec<Value> = named
            .iter()
            .map(|named| json!({ "query_string": { "query": named.filter, "_name": named.name } }))
            .collect();
        all.insert("should".into(), should.into());
        all.insert("minimum_should_match".into(), 0.into());
    }
    json!({ "bool": all })
}

fn only(any_of: &AnyOf, mapping: &Mapping) -> Result<Value, Cause> {
    let field = mapping.exact(&any_of.field)?;
    let values: Vec<&String> = any_of.values.iter().flatten().collect();
    let terms = (!values.is_empty()).then(|| match any_of.field.as_str() {
        "_id" => json!({ "ids": { "values": values } }),
        _ => json!({ "terms": { &field: values } }),
    });
    let missing = any_of
        .values
        .contains(&None)
        .then(|| json!({ "bool": { "must_not": [{ "exists": { "field": &any_of.field } }] } }));
    Ok(match (terms, missing) {
        (Some(terms), None) => terms,
        (None, Some(missing)) => missing,
        (Some(terms), Some(missing)) => {
            json!({ "bool": { "should": [terms, missing], "minimum_should_match": 1 } })
        }
        (None, None) => json!({ "match_none": {} }),
    })
}

#[cfg(test)]
mod tests {
    use watchbell_contract::Timestamp;

    use super::*;

    #[test]
    fn everything_that_narrows_is_a_filter() {
        let mut target = Target::new("r", "logs-*");
        target.filter = Some(json!({ "term": { "env": "prod" } }));
        let only = [
            AnyOf { field: "host".into(), values: vec![Some("a".into()), None] },
            AnyOf { field: "user".into(), values: vec![None] },
            AnyOf { field: "id".into(), values: vec![] },
        ];
        let over = Range::new(Timestamp(10), Timestamp(20));
        let narrow = Narrow { over, only: &only, filter: Some("Status: [500 TO 599]") };
        let filters = filters(&target, &narrow, &Mapping::default()).unwrap();
        let named = [NamedFilter { name: "bad".into(), filter: "status:500".into() }];
        let expected = json!({ "bool": {
            "filter": [
                { "range": { "@timestamp": { "gte": 10, "lt": 20, "format": "epoch_millis" } } },
                { "term": { "env": "prod" } },
                { "query_string": { "query": "Status: [500 TO 599]" } },
                { "bool": { "should": [
                    { "terms": { "host": ["a"] } },
                    { "bool": { "must_not": [{ "exists": { "field": "host" } }] } },
                ], "minimum_should_match": 1 } },
                { "bool": { "must_not": [{ "exists": { "field": "user" } }] } },
                { "match_none": {} },
            ],
            "should": [{ "query_string": { "query": "status:500", "_name": "bad" } }],
            "minimum_should_match": 0,
        } });
        assert_eq!(query(filters, &named), expected);
    }
}
