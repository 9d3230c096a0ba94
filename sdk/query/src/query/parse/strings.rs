//! `query_string` and `simple_query_string`: languages inside a string.
use serde_json::Value as Json;

use super::body::{Body, count, flag, is_boost, minimum, named, text};
use super::full_text::{EXPANSIONS, edits, operator};
use crate::errors::{Answer, Refusal};
use crate::query::ast::{Fuzzy, How, Query, Text};
use crate::query::lucene;

impl Text {
    fn new() -> Self {
        Self {
            source: String::new(),
            tree: Ok(None),
            fields: Vec::new(),
            every: false,
            lenient: None,
            leading_wildcard: true,
            time_zone: None,
            minimum: None,
            fuzzy: Fuzzy::default(),
            slop: 0,
            how: How::Words,
        }
    }
}

fn list(kind: &str, key: &str, value: &Json) -> Answer<Vec<String>> {
    match value {
        Json::Array(fields) => fields.iter().map(|field| text(kind, key, field)).collect(),
        one => Ok(vec![text(kind, key, one)?]),
    }
}

pub(super) fn query_string(body: Body) -> Answer<Query> {
    const KIND: &str = "query_string";
    let mut query = Text::new();
    let (mut source, mut name) = (None, None);
    for (key, value) in &body {
        match (key.as_str(), value) {
            ("query", _) => source = Some(text(KIND, key, value)?),
            ("default_field", _) => query.fields = vec![text(KIND, key, value)?],
            ("fields", Json::Array(_)) => query.fields = list(KIND, key, value)?,
            ("default_operator", value) => query.every = operator(value)?,
            ("lenient", value) => query.lenient = Some(flag(KIND, key, value)?),
            ("allow_leading_wildcard", value) => query.leading_wildcard = flag(KIND, key, value)?,
            ("time_zone", _) => query.time_zone = Some(text(KIND, key, value)?),
            ("minimum_should_match", value) => query.minimum = Some(minimum(value)?),
            ("phrase_slop", value) => query.slop = count(KIND, key, value)?,
            ("fuzziness", value) => query.fuzzy.edits = edits(value)?,
            ("fuzzy_max_expansions", value) => query.fuzzy.expansions = count(KIND, key, value)?.max(1),
            ("fuzzy_prefix_length", value) => query.fuzzy.prefix = count(KIND, key, value)?,
            ("fuzzy_transpositions", value) => query.fuzzy.transpositions = flag(KIND, key, value)?,
            ("_name", _) => name = Some(text(KIND, key, value)?),
            // On a single word, as a wildcard is, analysis only lowers case, which happens anyway.
            ("analyze_wildcard", value) => drop(flag(KIND, key, value)?),
            // They differ only in the score.
            ("type", value) if value == "best_fields" || value == "most_fields" => {}
            ("type", value) if value == "phrase" => query.how = How::Phrase { slop: 0 },
            ("type", value) if value == "phrase_prefix" => {
                query.how = How::PhrasePrefix { slop: 0, expansions: EXPANSIONS };
            }
            ("type", value) if value == "bool_prefix" => query.how = How::WordsPrefix,
            ("type", value) if value == "cross_fields" => {
                return Err(Refusal::unmodelled("type [cross_fields] of [query_string]"));
            }
            ("analyzer", value) if value == "standard" => {}
            (
                "auto_generate_synonyms_phrase_query"
                | "enable_position_increments"
                | "max_determinized_states"
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

pub(super) fn simple_query_string(body: Body) -> Answer<Query> {
    const KIND: &str = "simple_query_string";
    let mut query = Text::new();
    let (mut source, mut name) = (None, None);
    let mut flags = lucene::Flags::default();
    for (key, value) in &body {
        match (key.as_str(), value) {
            ("query", _) => source = Some(text(KIND, key, value)?),
            ("fields", Json::Array(_)) => query.fields = list(KIND, key, value)?,
            ("default_operator", value) => query.every = operator(value)?,
            ("flags", value) => {
                flags = lucene::Flags::read(&text(KIND, key, value)?).map_err(Refusal::illegal)?
            }
            ("lenient", value) => query.lenient = Some(flag(KIND, key, value)?),
            ("minimum_should_match", value) => query.minimum = Some(minimum(value)?),
            ("fuzzy_max_expansions", value) => query.fuzzy.expansions = count(KIND, key, value)?.max(1),
            ("fuzzy_prefix_length", value) => query.fuzzy.prefix = count(KIND, key, value)?,
            ("fuzzy_transpositions", value) => query.fuzzy.transpositions = flag(KIND, key, value)?,
            ("_name", _) => name = Some(text(KIND, key, value)?),
            ("analyze_wildcard", Json::Bool(false)) => {}
            ("analyze_wildcard", Json::Bool(true)) => {
                return Err(Refusal::unmodelled("[analyze_wildcard] of [simple_query_string]"));
            }
            ("analyzer", value) if value == "standard" => {}
            ("auto_generate_synonyms_phrase_query", _) => {}
            (key, value) if is_boost(key, value) => {}
            (other, _) => {
                return Err(Refusal::parsing(format!("[{KIND}] unsupported field [{other}]")));
            }
        }
    }
    query.source = source.ok_or_else(|| Refusal::parsing(format!("[{KIND}] query text missing")))?;
    query.tree =
        lucene::parse_simple(&query.source, query.every, flags).map(Some).map_err(Refusal::unmodelled);
    Ok(named(name, Query::Text(Box::new(query))))
}
