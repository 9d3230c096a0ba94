//! `match` and related queries: one analysed text in one or more fields.
use serde_json::Value as Json;

use super::body::{Body, count, flag, is_boost, minimum, named, one_field, scalar, text, unsupported};
use crate::errors::{Answer, Refusal};
use crate::query::ast::{Edits, Fuzzy, How, Matching, Query};

/// The default number of words for a prefix.
pub(super) const EXPANSIONS: usize = 50;

impl Matching {
    fn new(text: Json, how: How) -> Self {
        Self { text, how, every: false, minimum: None, lenient: None, all_if_empty: false, fuzzy: None }
    }
}

pub(super) fn operator(value: &Json) -> Answer<bool> {
    match value.as_str().map(str::to_ascii_lowercase).as_deref() {
        Some("and") => Ok(true),
        Some("or") => Ok(false),
        _ => {
            Err(Refusal::illegal(format!("No enum constant org.elasticsearch.index.query.Operator.{value}")))
        }
    }
}

/// `AUTO`, `AUTO:3,6`, or a number of edits.
pub(super) fn edits(value: &Json) -> Answer<Edits> {
    let broken = || Refusal::illegal(format!("Invalid fuzziness value: {value}"));
    let text = crate::value::scalar_text(value).ok_or_else(broken)?;
    let upper = text.to_ascii_uppercase();
    if upper == "AUTO" {
        return Ok(Edits::Auto(3, 6));
    }
    if let Some(pair) = upper.strip_prefix("AUTO:") {
        let pair = pair.split_once(',').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        return match pair {
            Some((low, high)) if low <= high => Ok(Edits::Auto(low, high)),
            _ => Err(broken()),
        };
    }
    match text.parse::<f64>() {
        Ok(number) if number == 0.0 || number == 1.0 || number == 2.0 => Ok(Edits::Count(number as usize)),
        _ => Err(broken()),
    }
}

pub(super) fn expansions(kind: &str, value: &Json) -> Answer<usize> {
    count(kind, "max_expansions", value)?.checked_sub(1).map(|count| count + 1).ok_or_else(|| {
        Refusal::illegal(format!("[{kind}] query: [max_expansions] must be a positive number"))
    })
}

fn how(kind: &str) -> How {
    match kind {
        "match_phrase" => How::Phrase { slop: 0 },
        "match_phrase_prefix" => How::PhrasePrefix { slop: 0, expansions: EXPANSIONS },
        "match_bool_prefix" => How::WordsPrefix,
        _ => How::Words,
    }
}

pub(super) fn matches(kind: &str, body: Body) -> Answer<Query> {
    let (field, value) = one_field(kind, body)?;
    let mut matching = Matching::new(Json::Null, how(kind));
    let Json::Object(body) = value else {
        matching.text = scalar(kind, value)?;
        return Ok(Query::Match { field, matching: Box::new(matching) });
    };
    let name = options(kind, body, &mut matching, |_, _| Ok(false))?;
    Ok(named(name, Query::Match { field, matching: Box::new(matching) }))
}

pub(super) fn multi_match(body: Body) -> Answer<Query> {
    const KIND: &str = "multi_match";
    let mut body = body;
    let how = match body.shift_remove("type") {
        None => How::Words,
        Some(value) => match text(KIND, "type", &value)?.to_ascii_lowercase().as_str() {
            "best_fields" | "most_fields" => How::Words,
            "phrase" => how("match_phrase"),
            "phrase_prefix" => how("match_phrase_prefix"),
            "bool_prefix" => How::WordsPrefix,
            "cross_fields" => return Err(Refusal::unmodelled("type [cross_fields] of [multi_match]")),
            other => {
                return Err(Refusal::new(
                    400,
                    "parse_exception",
                    format!("failed to parse [multi_match] query type [{other}]. unknown type."),
                ));
            }
        },
    };
    let mut matching = Matching::new(Json::Null, how);
    let mut fields = Vec::new();
    let name = options(KIND, body, &mut matching, |key, value| {
        match (key, value) {
            ("fields", Json::Array(all)) => {
                fields = all.iter().map(|field| text(KIND, key, field)).collect::<Answer<_>>()?;
            }
            ("fields", one) => fields = vec![text(KIND, key, one)?],
            ("tie_breaker", value) if value.is_number() => {}
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(named(name, Query::MultiMatch { fields, matching: Box::new(matching) }))
}

/// Reads the shared options, each if the query has it; `more` reads the rest.
fn options(
    kind: &str,
    body: Body,
    matching: &mut Matching,
    mut more: impl FnMut(&str, &Json) -> Answer<bool>,
) -> Answer<Option<String>> {
    let (mut query, mut name) = (None, None);
    let mut fuzzy = Fuzzy { edits: Edits::Count(0), ..Fuzzy::default() };
    let mut is_fuzzy = false;
    let multi = kind == "multi_match";
    let words = multi || matches!(kind, "match" | "match_bool_prefix");
    let phrase = multi || matches!(kind, "match_phrase" | "match_phrase_prefix");
    for (key, value) in body {
        match key.as_str() {
            "query" => query = Some(scalar(kind, value)?),
            "operator" if words => matching.every = operator(&value)?,
            "minimum_should_match" if words => matching.minimum = Some(minimum(&value)?),
            "lenient" if words && kind != "match_bool_prefix" => {
                matching.lenient = Some(flag(kind, &key, &value)?)
            }
            "slop" if phrase => {
                let wanted = count(kind, &key, &value)?;
                if let How::Phrase { slop } | How::PhrasePrefix { slop, .. } = &mut matching.how {
                    *slop = wanted;
                }
            }
            "max_expansions" if kind != "match_phrase" => {
                let wanted = expansions(kind, &value)?;
                fuzzy.expansions = wanted;
                if let How::PhrasePrefix { expansions, .. } = &mut matching.how {
                    *expansions = wanted;
                }
            }
            "fuzziness" if words => {
                is_fuzzy = true;
                fuzzy.edits = edits(&value)?;
            }
            "prefix_length" if words => fuzzy.prefix = count(kind, &key, &value)?,
            "fuzzy_transpositions" if words => fuzzy.transpositions = flag(kind, &key, &value)?,
            "zero_terms_query" if kind != "match_bool_prefix" => {
                matching.all_if_empty = match text(kind, &key, &value)?.to_ascii_lowercase().as_str() {
                    "none" => false,
                    "all" => true,
                    other => {
                        return Err(Refusal::parsing(format!(
                            "Unsupported zero_terms_query value [{other}]"
                        )));
                    }
                };
            }
            "_name" => name = Some(text(kind, &key, &value)?),
            "analyzer" if value == "standard" => {}
            "auto_generate_synonyms_phrase_query" if words => {}
            key if is_boost(key, &value) => {}
            key if more(key, &value)? => {}
            other => return Err(unsupported(kind, other)),
        }
    }
    if is_fuzzy {
        match matching.how {
            How::Words => matching.fuzzy = Some(fuzzy),
            // A phrase ignores it; a phrase prefix refuses it.
            How::Phrase { .. } | How::PhrasePrefix { .. } if multi => {
                return Err(Refusal::parsing("Fuzziness not allowed for type [phrase] and [phrase_prefix]"));
            }
            _ => return Err(Refusal::unmodelled(format!("[fuzziness] of [{kind}]"))),
        }
    }
    matching.text = query.ok_or_else(|| {
        Refusal::parsing(if multi {
            "No text specified for multi_match query"
        } else {
            "No text specified for text query"
        })
    })?;
    Ok(name)
}
