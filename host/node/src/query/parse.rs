//! Reads the query DSL. What is not known is refused in Elasticsearch's words.
use serde_json::{Map, Value as Json};

use super::ast::{Bool, Bound, Minimum, Query, Range, Text};
use super::lucene;
use crate::errors::{Answer, Refusal};
use crate::value::scalar_text;

/// As `indices.query.bool.max_nested_depth`.
const DEPTH_MAX: usize = 30;
/// As `index.max_terms_count`.
const TERMS_MAX: usize = 65_536;

/// What Elasticsearch has and this node has not: told apart from a typing error.
const UNMODELLED: &[&str] = &[
    "multi_match",
    "match_phrase_prefix",
    "match_bool_prefix",
    "simple_query_string",
    "fuzzy",
    "nested",
    "has_child",
    "has_parent",
    "script",
    "script_score",
    "function_score",
    "dis_max",
    "boosting",
    "intervals",
    "more_like_this",
    "percolate",
    "geo_distance",
    "geo_bounding_box",
    "geo_shape",
    "geo_polygon",
    "terms_set",
    "wrapper",
    "pinned",
    "distance_feature",
    "rank_feature",
    "span_term",
    "span_near",
    "span_or",
    "parent_id",
    "combined_fields",
    "knn",
    "semantic",
    "sparse_vector",
    "rule",
    "type",
    "common",
    "shape",
    "neural",
];

pub(crate) fn parse(json: &Json) -> Answer<Query> {
    at(json, 0)
}

type Body = Map<String, Json>;

fn at(json: &Json, depth: usize) -> Answer<Query> {
    if depth > DEPTH_MAX {
        return Err(Refusal::illegal(format!(
            "The nested depth of the query exceeds the maximum nested depth for queries set in [indices.query.bool.max_nested_depth] of [{DEPTH_MAX}]"
        )));
    }
    let object = json
        .as_object()
        .ok_or_else(|| Refusal::parsing("[_na] query malformed, must start with start_object"))?;
    let mut entries = object.iter();
    let Some((kind, body)) = entries.next() else {
        return Err(Refusal::illegal("query malformed, empty clause found"));
    };
    if entries.next().is_some() {
        return Err(Refusal::parsing(format!(
            "[{kind}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]"
        )));
    }
    let read = |body: &Json| -> Answer<Body> {
        body.as_object().cloned().ok_or_else(|| {
            Refusal::parsing(format!("[{kind}] query malformed, no start_object after query name"))
        })
    };
    match kind.as_str() {
        "match_all" => bare(kind, read(body)?, Query::All),
        "match_none" => bare(kind, read(body)?, Query::Nothing),
        "bool" => boolean(read(body)?, depth),
        "constant_score" => constant_score(read(body)?, depth),
        "match" => matches(kind, read(body)?),
        "match_phrase" => phrase(kind, read(body)?),
        "term" => term(kind, read(body)?),
        "terms" => terms(read(body)?),
        "range" => range(kind, read(body)?),
        "exists" => exists(read(body)?),
        "prefix" => strings(kind, read(body)?),
        "wildcard" => strings(kind, read(body)?),
        "regexp" => strings(kind, read(body)?),
        "ids" => ids(read(body)?),
        "query_string" => query_string(read(body)?),
        other if UNMODELLED.contains(&other) => Err(Refusal::unmodelled(format!("query [{other}]"))),
        other => Err(Refusal::parsing(format!("unknown query [{other}]"))),
    }
}

fn named(name: Option<String>, query: Query) -> Query {
    match name {
        Some(name) => Query::Named { name, query: Box::new(query) },
        None => query,
    }
}

fn unsupported(kind: &str, key: &str) -> Refusal {
    Refusal::parsing(format!("[{kind}] query does not support [{key}]"))
}

fn text(kind: &str, key: &str, value: &Json) -> Answer<String> {
    scalar_text(value).ok_or_else(|| {
        Refusal::parsing(format!("[{kind}] query: [{key}] must be a string, a number or a boolean"))
    })
}

fn flag(kind: &str, key: &str, value: &Json) -> Answer<bool> {
    match value {
        Json::Bool(flag) => Ok(*flag),
        Json::String(text) if text == "true" || text == "false" => Ok(text == "true"),
        other => Err(Refusal::illegal(format!(
            "[{kind}] query: failed to parse value [{other}] of [{key}] as only [true] or [false] are allowed."
        ))),
    }
}

/// `boost` moves the score alone.
fn is_boost(key: &str, value: &Json) -> bool {
    key == "boost" && (value.is_number() || value.as_str().is_some_and(|text| text.parse::<f32>().is_ok()))
}

fn bare(kind: &str, body: Body, query: Query) -> Answer<Query> {
    let mut name = None;
    for (key, value) in &body {
        match key.as_str() {
            "_name" => name = Some(text(kind, key, value)?),
            key if is_boost(key, value) => {}
            other => return Err(Refusal::parsing(format!("[{kind}] unknown field [{other}]"))),
        }
    }
    Ok(named(name, query))
}

fn minimum(value: &Json) -> Answer<Minimum> {
    let text = text("bool", "minimum_should_match", value)?;
    let parsed = match text.trim().strip_suffix('%') {
        Some(percent) => percent.parse().map(Minimum::Percent),
        None => text.trim().parse().map(Minimum::Count),
    };
    parsed.map_err(|_| Refusal::unmodelled(format!("minimum_should_match [{text}]")))
}

fn boolean(body: Body, depth: usize) -> Answer<Query> {
    let mut bool = Bool::default();
    let mut name = None;
    for (key, value) in &body {
        let clauses = || -> Answer<Vec<Query>> {
            match value {
                Json::Array(all) => all.iter().map(|one| at(one, depth + 1)).collect(),
                one => Ok(vec![at(one, depth + 1)?]),
            }
        };
        match key.as_str() {
            "must" | "filter" => bool.must.extend(clauses()?),
            "should" => bool.should.extend(clauses()?),
            "must_not" | "mustNot" => bool.must_not.extend(clauses()?),
            "minimum_should_match" => bool.minimum = Some(minimum(value)?),
            "adjust_pure_negative" if value == &Json::Bool(true) => {}
            "_name" => name = Some(text("bool", key, value)?),
            key if is_boost(key, value) => {}
            other => return Err(Refusal::content(format!("[bool] query does not support [{other}]"))),
        }
    }
    Ok(named(name, Query::Bool(Box::new(bool))))
}

fn constant_score(body: Body, depth: usize) -> Answer<Query> {
    let (mut filter, mut name) = (None, None);
    for (key, value) in &body {
        match key.as_str() {
            "filter" => filter = Some(at(value, depth + 1)?),
            "_name" => name = Some(text("constant_score", key, value)?),
            key if is_boost(key, value) => {}
            other => return Err(unsupported("constant_score", other)),
        }
    }
    let filter = filter.ok_or_else(|| Refusal::parsing("[constant_score] requires a 'filter' element"))?;
    Ok(named(name, filter))
}

/// The one field of a body such as `{"host": …}`, and its value.
fn one_field(kind: &str, body: Body) -> Answer<(String, Json)> {
    let mut entries = body.into_iter();
    match (entries.next(), entries.next()) {
        (Some(entry), None) => Ok(entry),
        (None, _) => Err(Refusal::parsing(format!("No text specified for [{kind}] query"))),
        (Some((first, _)), Some((second, _))) => Err(Refusal::parsing(format!(
            "[{kind}] query doesn't support multiple fields, found [{first}] and [{second}]"
        ))),
    }
}

fn scalar(kind: &str, value: Json) -> Answer<Json> {
    match value {
        Json::Array(_) => Err(Refusal::parsing(format!("[{kind}] query does not support array of values"))),
        Json::Object(_) => {
            Err(Refusal::parsing(format!("[{kind}] query does not support an object as its value")))
        }
        Json::Null => Err(Refusal::illegal("value cannot be null")),
        scalar => Ok(scalar),
    }
}

fn matches(kind: &str, body: Body) -> Answer<Query> {
    let (field, value) = one_field(kind, body)?;
    let Json::Object(body) = value else {
        let value = scalar(kind, value)?;
        return Ok(Query::Match { field, value, every: false, minimum: None, lenient: false });
    };
    let (mut query, mut every, mut least, mut lenient, mut name) = (None, false, None, false, None);
    for (key, value) in body {
        match key.as_str() {
            "query" => query = Some(scalar(kind, value)?),
            "operator" => every = operator(&value)?,
            "minimum_should_match" => least = Some(minimum(&value)?),
            "lenient" => lenient = flag(kind, &key, &value)?,
            "_name" => name = Some(text(kind, &key, &value)?),
            "zero_terms_query" if value == "none" => {}
            "analyzer" if value == "standard" => {}
            "auto_generate_synonyms_phrase_query"
            | "max_expansions"
            | "prefix_length"
            | "fuzzy_transpositions" => {}
            key if is_boost(key, &value) => {}
            other => return Err(unsupported(kind, other)),
        }
    }
    let value = query.ok_or_else(|| Refusal::parsing("No text specified for text query"))?;
    Ok(named(name, Query::Match { field, value, every, minimum: least, lenient }))
}

fn operator(value: &Json) -> Answer<bool> {
    match value.as_str().map(str::to_ascii_lowercase).as_deref() {
        Some("and") => Ok(true),
        Some("or") => Ok(false),
        _ => {
            Err(Refusal::illegal(format!("No enum constant org.elasticsearch.index.query.Operator.{value}")))
        }
    }
}

fn phrase(kind: &str, body: Body) -> Answer<Query> {
    let (field, value) = one_field(kind, body)?;
    let Json::Object(body) = value else {
        return Ok(Query::Phrase { field, value: scalar(kind, value)? });
    };
    let (mut query, mut name) = (None, None);
    for (key, value) in body {
        match key.as_str() {
            "query" => query = Some(scalar(kind, value)?),
            "_name" => name = Some(text(kind, &key, &value)?),
            "slop" if value == 0 => {}
            "zero_terms_query" if value == "none" => {}
            "analyzer" if value == "standard" => {}
            key if is_boost(key, &value) => {}
            other => return Err(unsupported(kind, other)),
        }
    }
    let value = query.ok_or_else(|| Refusal::parsing("No text specified for text query"))?;
    Ok(named(name, Query::Phrase { field, value }))
}

fn term(kind: &str, mut body: Body) -> Answer<Query> {
    let mut name = body.shift_remove("_name").map(|name| text(kind, "_name", &name)).transpose()?;
    body.retain(|key, value| !is_boost(key, value));
    let (field, value) = one_field(kind, body)?;
    let Json::Object(body) = value else {
        return Ok(named(name, Query::Term { field, value: scalar(kind, value)?, fold: false }));
    };
    let (mut term, mut fold) = (None, false);
    for (key, value) in body {
        match key.as_str() {
            "value" | "term" => term = Some(scalar(kind, value)?),
            "case_insensitive" => fold = flag(kind, &key, &value)?,
            "_name" => name = Some(text(kind, &key, &value)?),
            key if is_boost(key, &value) => {}
            other => return Err(unsupported(kind, other)),
        }
    }
    let value = term.ok_or_else(|| Refusal::illegal("value cannot be null"))?;
    Ok(named(name, Query::Term { field, value, fold }))
}

fn terms(mut body: Body) -> Answer<Query> {
    let name = body.shift_remove("_name").map(|name| text("terms", "_name", &name)).transpose()?;
    body.retain(|key, value| !is_boost(key, value));
    let (field, value) = one_field("terms", body)?;
    let Json::Array(values) = value else {
        return Err(Refusal::unmodelled("a [terms] query without a list of values"));
    };
    if values.len() > TERMS_MAX {
        return Err(Refusal::illegal(format!(
            "The number of terms [{}] used in the Terms Query request has exceeded the allowed maximum of [{TERMS_MAX}]. \
             This maximum can be set by changing the [index.max_terms_count] index level setting.",
            values.len()
        )));
    }
    let values = values.into_iter().map(|value| scalar("terms", value)).collect::<Answer<_>>()?;
    Ok(named(name, Query::Terms { field, values }))
}

fn range(kind: &str, mut body: Body) -> Answer<Query> {
    let mut name = body.shift_remove("_name").map(|name| text(kind, "_name", &name)).transpose()?;
    let (field, value) = one_field(kind, body)?;
    let Json::Object(body) = value else {
        return Err(Refusal::parsing(format!("[range] query does not support [{field}]")));
    };
    let mut range = Range::default();
    for (key, value) in body {
        let bound = |inclusive| -> Answer<Option<Bound>> {
            match value.clone() {
                Json::Null => Ok(None),
                value => Ok(Some(Bound { value: scalar(kind, value)?, inclusive })),
            }
        };
        match key.as_str() {
            "gte" => range.low = bound(true)?,
            "gt" => range.low = bound(false)?,
            "lte" => range.high = bound(true)?,
            "lt" => range.high = bound(false)?,
            "format" => range.format = Some(text(kind, &key, &value)?),
            "time_zone" => range.time_zone = Some(text(kind, &key, &value)?),
            "relation" if value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("intersects")) => {}
            "_name" => name = Some(text(kind, &key, &value)?),
            key if is_boost(key, &value) => {}
            other => return Err(Refusal::parsing(format!("[range] query does not support [{other}]"))),
        }
    }
    if range.low.is_none() && range.high.is_none() {
        // Without an edge, a range asks whether the field is there.
        return Ok(named(name, Query::Exists { field }));
    }
    Ok(named(name, Query::Range { field, range }))
}

fn exists(body: Body) -> Answer<Query> {
    let (mut field, mut name) = (None, None);
    for (key, value) in &body {
        match key.as_str() {
            "field" => field = Some(text("exists", key, value)?),
            "_name" => name = Some(text("exists", key, value)?),
            key if is_boost(key, value) => {}
            other => return Err(unsupported("exists", other)),
        }
    }
    let field = field.filter(|field| !field.is_empty());
    let field = field.ok_or_else(|| Refusal::parsing("[exists] must be provided with a [field]"))?;
    Ok(named(name, Query::Exists { field }))
}

fn strings(kind: &str, mut body: Body) -> Answer<Query> {
    let mut name = body.shift_remove("_name").map(|name| text(kind, "_name", &name)).transpose()?;
    let (field, value) = one_field(kind, body)?;
    let (mut pattern, mut fold) = (None, false);
    match value {
        Json::Object(body) => {
            for (key, value) in body {
                match (key.as_str(), kind) {
                    ("value", _) | ("wildcard", "wildcard") => pattern = Some(text(kind, &key, &value)?),
                    ("case_insensitive", _) => fold = flag(kind, &key, &value)?,
                    ("_name", _) => name = Some(text(kind, &key, &value)?),
                    ("rewrite", _) | ("max_determinized_states", "regexp") => {}
                    ("flags", "regexp") if value == "ALL" => {}
                    (key, _) if is_boost(key, &value) => {}
                    (other, _) => return Err(unsupported(kind, other)),
                }
            }
        }
        value => pattern = Some(text(kind, &field, &value)?),
    }
    let pattern = pattern.ok_or_else(|| Refusal::illegal("value cannot be null"))?;
    let query = match kind {
        "prefix" => Query::Prefix { field, value: pattern, fold },
        "wildcard" => Query::Wildcard { field, pattern, fold },
        _ => Query::Regexp { field, pattern, fold },
    };
    Ok(named(name, query))
}

fn ids(body: Body) -> Answer<Query> {
    let (mut ids, mut name) = (Vec::new(), None);
    for (key, value) in &body {
        match (key.as_str(), value) {
            ("values", Json::Array(values)) => {
                ids = values.iter().map(|value| text("ids", key, value)).collect::<Answer<_>>()?;
            }
            ("values", value) => ids = vec![text("ids", key, value)?],
            ("_name", _) => name = Some(text("ids", key, value)?),
            (key, _) if is_boost(key, value) => {}
            (other, _) => return Err(Refusal::parsing(format!("[ids] unknown field [{other}]"))),
        }
    }
    Ok(named(name, Query::Ids(ids)))
}

fn query_string(body: Body) -> Answer<Query> {
    const KIND: &str = "query_string";
    let mut source = None;
    let mut query = Text {
        source: String::new(),
        tree: Ok(None),
        fields: Vec::new(),
        every: false,
        lenient: None,
        leading_wildcard: true,
        time_zone: None,
    };
    let mut name = None;
    for (key, value) in &body {
        match (key.as_str(), value) {
            ("query", _) => source = Some(text(KIND, key, value)?),
            ("default_field", _) => query.fields = vec![text(KIND, key, value)?],
            ("fields", Json::Array(fields)) => {
                query.fields = fields.iter().map(|field| text(KIND, key, field)).collect::<Answer<_>>()?;
            }
            ("default_operator", value) => query.every = operator(value)?,
            ("lenient", value) => query.lenient = Some(flag(KIND, key, value)?),
            ("allow_leading_wildcard", value) => query.leading_wildcard = flag(KIND, key, value)?,
            ("time_zone", _) => query.time_zone = Some(text(KIND, key, value)?),
            ("_name", _) => name = Some(text(KIND, key, value)?),
            // On one word, which is all that a wildcard is, analysis only lowers the case, as is done anyway.
            ("analyze_wildcard", value) => drop(flag(KIND, key, value)?),
            ("phrase_slop", value) if value == 0 => {}
            ("type", value) if value == "best_fields" => {}
            ("analyzer", value) if value == "standard" => {}
            (
                "auto_generate_synonyms_phrase_query"
                | "enable_position_increments"
                | "max_determinized_states"
                | "fuzzy_max_expansions"
                | "fuzzy_prefix_length"
                | "fuzzy_transpositions"
                | "fuzziness"
                | "rewrite"
                | "tie_breaker"
                | "escape",
                value,
            ) if key != "escape" || value == &Json::Bool(false) => {}
            (key, value) if is_boost(key, value) => {}
            (other, _) => {
                return Err(Refusal::parsing(format!("[query_string] query does not support [{other}]")));
            }
        }
    }
    query.source =
        source.ok_or_else(|| Refusal::parsing("[query_string] must be provided with a [query]"))?;
    query.tree = lucene::parse(&query.source, query.every).map_err(|reason| {
        Refusal::shard(format!("Failed to parse query [{}]", query.source))
            .caused_by("parse_exception", format!("Cannot parse '{}': {reason}", query.source))
    });
    Ok(named(name, Query::Text(Box::new(query))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn unknown_parts_are_refused_in_the_words_of_elasticsearch() {
        let reason = |query: Json| parse(&query).unwrap_err().reason;
        assert_eq!(reason(json!({"foo": {}})), "unknown query [foo]");
        assert_eq!(reason(json!({"bool": {"maybe": []}})), "[bool] query does not support [maybe]");
        assert_eq!(reason(json!({"range": {"a": {"from": 1}}})), "[range] query does not support [from]");
        assert_eq!(
            reason(json!({"match": {"a": {"query": "x", "fuzziness": 1}}})),
            "[match] query does not support [fuzziness]"
        );
        assert_eq!(
            reason(json!({"term": {"a": 1, "b": 2}})),
            "[term] query doesn't support multiple fields, found [a] and [b]"
        );
        assert_eq!(reason(json!({"term": {"a": [1]}})), "[term] query does not support array of values");
        assert!(reason(json!({"nested": {}})).contains("not modelled"));
        assert_eq!(reason(json!([])), "[_na] query malformed, must start with start_object");
    }

    #[test]
    fn a_broken_query_string_is_refused_where_it_is_asked() {
        let mapping = crate::mapping::Mapping::default();
        let scope = super::super::Scope { mapping: &mapping, index: "i", now: 0 };
        let query = parse(&json!({"query_string": {"query": "(a"}})).unwrap();
        let refusal = super::super::compile(&query, &scope).err().unwrap();
        assert!(refusal.reason.starts_with("Failed to parse query [(a]"), "{refusal}");
    }

    #[test]
    fn depth_is_bounded() {
        let deep = (0..40).fold(json!({"match_all": {}}), |inner, _| json!({"bool": {"must": inner}}));
        assert!(parse(&deep).unwrap_err().reason.contains("nested depth"));
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let key = prop::sample::select(vec![
            "bool",
            "must",
            "should",
            "term",
            "terms",
            "range",
            "gte",
            "match",
            "query",
            "query_string",
            "a",
            "value",
            "wildcard",
            "regexp",
            "exists",
            "field",
            "_name",
            "boost",
            "ids",
            "values",
            "minimum_should_match",
        ]);
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            "\\PC{0,8}".prop_map(Json::from),
        ];
        leaf.prop_recursive(5, 40, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::vec((key.clone(), inner), 0..4).prop_map(|entries| Json::Object(
                    entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
                )),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_json_makes_it_panic(query in any_json()) {
            let mut mapping = crate::mapping::Mapping::default();
            mapping.merge(&json!({"properties": {"a": {"type": "date"}, "query": {"type": "text"}, "value": {"type": "long"}}})).unwrap();
            if let Ok(query) = parse(&query) {
                let scope = super::super::Scope { mapping: &mapping, index: "i", now: 0 };
                let _ = super::super::compile(&query, &scope);
            }
        }
    }
}
