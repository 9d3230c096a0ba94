//! One shape for every query: `bool.filter`, with the range first.
use serde_json::{Map, Value, json};
use watchbell_confine::{Refused, Scope};
use watchbell_contract::{AnyOf, NamedFilter, Query, Range};

use crate::{
    error::ErrorKind,
    literal,
    mapping::Mapping,
    resolve::{Field, Group},
    target::Target,
};

/// What narrows a request.
pub(crate) struct Narrow<'a> {
    pub(crate) over: Range,
    pub(crate) only: &'a [AnyOf],
    pub(crate) filters: &'a [Query],
}

/// A request's filters; the first is the range.
pub(crate) fn filters(
    target: &Target,
    narrow: &Narrow<'_>,
    mapping: &Mapping,
) -> Result<Vec<Value>, ErrorKind> {
    let mut filters = vec![range(&target.time_field, narrow.over)];
    filters.extend(target.filter.clone());
    for filter in narrow.filters {
        filters.push(confined(filter, &target.scope)?);
    }
    for any_of in narrow.only {
        filters.push(only(any_of, mapping)?);
    }
    Ok(filters)
}

pub(crate) fn range(time_field: &str, over: Range) -> Value {
    let bounds = json!({ "gte": over.start.0, "lt": over.end.0, "format": "epoch_millis" });
    json!({ "range": { time_field: bounds } })
}

/// # Errors
/// DSL that is no JSON object.
pub(crate) fn clause(query: &Query) -> Result<Value, ErrorKind> {
    let text = match query {
        Query::Lucene(text) => return Ok(json!({ "query_string": { "query": text } })),
        Query::Dsl(text) => text,
    };
    let refuse = |what: String| Err(ErrorKind::Question { reason: format!("its filter {what}") });
    match serde_json::from_str(text) {
        Ok(query @ Value::Object(_)) => Ok(query),
        Ok(_) => refuse("in Query DSL is not a JSON object".into()),
        Err(error) => refuse(format!("in Query DSL is not JSON: {error}")),
    }
}

/// # Errors
/// As for `clause`; or a part that reaches beyond `scope`.
pub(crate) fn confined(query: &Query, scope: &Scope) -> Result<Value, ErrorKind> {
    let clause = clause(query)?;
    match scope.query(&clause) {
        Ok(()) => Ok(clause),
        Err(refused) => Err(beyond("filter", &refused)),
    }
}

/// A part of the rule's `what` that reaches beyond its scope.
pub(crate) fn beyond(what: &str, refused: &Refused) -> ErrorKind {
    let (path, why, remedy) = (refused.path(""), &refused.reason, refused.remedy("the cluster"));
    let reason = match path.is_empty() {
        true => format!("its {what} {why}; {remedy}"),
        false => format!("its {what} must not contain `{path}`, which {why}; {remedy}"),
    };
    ErrorKind::Question { reason }
}

/// A clause whose matches a response tells by `name`.
pub(crate) fn named(filter: &NamedFilter) -> Result<Value, ErrorKind> {
    let mut clause = clause(&filter.query)?;
    match clause.get_mut("query_string") {
        Some(query) if matches!(filter.query, Query::Lucene(_)) => {
            query["_name"] = filter.name.as_str().into()
        }
        // The query may have a name of its own, at a place that depends on its kind.
        _ => clause = json!({ "bool": { "filter": [clause], "_name": filter.name } }),
    }
    Ok(clause)
}

/// The complete query. Clauses in `named` do not exclude documents.
pub(crate) fn query(filters: Vec<Value>, named: &[Value]) -> Value {
    let mut all = Map::new();
    all.insert("filter".into(), filters.into());
    if !named.is_empty() {
        all.insert("should".into(), named.into());
        all.insert("minimum_should_match".into(), 0.into());
    }
    json!({ "bool": all })
}

/// Any of several values. Where indices differ, each group is queried by its own field names.
fn only(any_of: &AnyOf, mapping: &Mapping) -> Result<Value, ErrorKind> {
    let name = any_of.field.as_str();
    let values: Vec<&str> = any_of.values.iter().flatten().map(String::as_str).collect();
    let missing = any_of.values.contains(&None);
    if !values.is_empty() && mapping.field(name).is_some_and(|caps| caps.is("geo_point")) {
        let cannot = "cannot be compared with listed values; use a geo query in Query DSL as the filter";
        return Err(ErrorKind::FieldType { field: name.into(), kind: "geo_point".into(), cannot });
    }
    let clause = |field: &Field| {
        let terms = (!values.is_empty()).then(|| terms(name, field, &values)).flatten();
        let missing = missing.then(|| json!({ "bool": { "must_not": [exists(name, field)] } }));
        match (terms, missing) {
            (Some(terms), None) => terms,
            (None, Some(missing)) => missing,
            (Some(terms), Some(missing)) => {
                json!({ "bool": { "should": [terms, missing], "minimum_should_match": 1 } })
            }
            (None, None) => json!({ "match_none": {} }),
        }
    };
    let part = |field: &Field| (field.nested.is_none(), clause(field));
    let mut groups = mapping.groups(|class| Ok(vec![mapping.resolve(name, class)?.as_ref().map(part)]))?;
    // The largest group stands for all indices that no other group names, including future ones. Not if its field is
    // nested: Elasticsearch 7 fails where that object is a plain one, unless the index is named.
    let is_plain = |group: &Group<(bool, Value)>| group.parts.iter().flatten().all(|(is_plain, _)| *is_plain);
    groups.sort_by_key(|group| (is_plain(group), group.indices.as_ref().map(Vec::len)));
    let Some(largest) = groups.pop() else { return Ok(clause(&Field::absent(name))) };
    let of = |group: Group<(bool, Value)>| {
        let part = group.parts.into_iter().flatten().next();
        part.map_or_else(|| clause(&Field::absent(name)), |(_, clause)| clause)
    };
    let others: Vec<&String> = groups.iter().filter_map(|group| group.indices.as_ref()).flatten().collect();
    if others.is_empty() {
        return Ok(of(largest));
    }
    let others = json!({ "terms": { "_index": others } });
    let mut should = vec![json!({ "bool": { "filter": [of(largest)], "must_not": [others] } })];
    should.extend(groups.into_iter().map(|group| {
        let within = json!({ "terms": { "_index": group.indices } });
        json!({ "bool": { "filter": [within, of(group)] } })
    }));
    Ok(json!({ "bool": { "should": should, "minimum_should_match": 1 } }))
}

/// The only place where the values of an `any_of` are read as a field's type; `None`: it can have none of them.
fn terms(name: &str, field: &Field, values: &[&str]) -> Option<Value> {
    match name {
        "_id" => Some(json!({ "ids": { "values": values } })),
        _ => {
            let any_of = literal::any_of(&field.exact, &field.kind, values.iter().copied())?;
            Some(within(field, any_of))
        }
    }
}

fn exists(name: &str, field: &Field) -> Value {
    within(field, json!({ "exists": { "field": name } }))
}

/// A query on a nested field matches nothing unless it is inside a `nested` query.
fn within(field: &Field, query: Value) -> Value {
    match &field.nested {
        Some(path) => json!({ "nested": { "path": path, "query": query, "ignore_unmapped": true } }),
        None => query,
    }
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
        let narrow = Narrow { over, only: &only, filters: &[Query::Lucene("Status: [500 TO 599]".into())] };
        let filters = filters(&target, &narrow, &Mapping::default()).unwrap();
        let bad = NamedFilter { name: "bad".into(), query: Query::Lucene("status:500".into()) };
        let own = NamedFilter { name: "own".into(), query: Query::Dsl(r#"{"term":{"a":1}}"#.into()) };
        let named = [bad, own].map(|filter| super::named(&filter).unwrap());
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
            "should": [
                { "query_string": { "query": "status:500", "_name": "bad" } },
                { "bool": { "filter": [{ "term": { "a": 1 } }], "_name": "own" } },
            ],
            "minimum_should_match": 0,
        } });
        assert_eq!(query(filters, &named), expected);
    }

    #[test]
    fn a_filter_in_query_dsl_stands_as_it_is_or_is_refused() {
        let dsl = |text: &str| confined(&Query::Dsl(text.into()), &Scope::default());
        assert_eq!(dsl(r#"{"term":{"a":1}}"#), Ok(json!({ "term": { "a": 1 } })));
        for (text, told) in [
            ("{", "in Query DSL is not JSON: EOF while parsing an object at line 1 column 1"),
            ("[]", "in Query DSL is not a JSON object"),
            (
                r#"{"bool":{"must":[{"terms":{"u":{"index":"users","id":"2","path":"f"}}}]}}"#,
                "must not contain `bool.must[0].terms.u`, which reads other documents, of this or of another index; remove it, or add `lookups` to `allow` of the cluster in the environment",
            ),
            (r#"{"term":{"a":1},"match_all":{}}"#, "is not one query; write it as docs/searches.md shows"),
        ] {
            let error = dsl(text).unwrap_err();
            assert_eq!(error.to_string(), format!("the query cannot be run: its filter {told}"));
            assert_eq!(error.class(), crate::Class::Rule);
        }
    }

    #[test]
    fn places_are_not_listed() {
        let mapping =
            br#"{"indices":"x","fields":{"g":{"geo_point":{"type":"geo_point","aggregatable":true}}}}"#;
        let mapping = Mapping::parse(mapping).unwrap();
        let listed = AnyOf { field: "g".into(), values: vec![Some("52.5,13.25".into())] };
        assert_eq!(
            only(&listed, &mapping).unwrap_err().to_string(),
            "field `g` is of type geo_point, which cannot be compared with listed values; use a geo query in Query DSL as the filter"
        );
        let missing = AnyOf { field: "g".into(), values: vec![None] };
        let none = json!({ "bool": { "must_not": [{ "exists": { "field": "g" } }] } });
        assert_eq!(only(&missing, &mapping), Ok(none));
    }
}
