//! The body and the parameters of a search.
use serde_json::{Map, Value as Json};

use super::asked::{Asked, count};
use super::source::SourceFilter;
use crate::aggs::{self, Agg};
use crate::errors::{Answer, Refusal};
use crate::query::{self, Query};

/// As `index.max_result_window`.
pub(crate) const WINDOW_MAX: usize = 10_000;
/// As `index.max_docvalue_fields_search`.
const DOC_VALUE_FIELDS_MAX: usize = 100;

pub(crate) struct Request {
    pub(crate) query: Query,
    pub(crate) post_filter: Option<Query>,
    pub(crate) hits: Asked,
    pub(crate) search_after: Option<Vec<Json>>,
    /// Id and `keep_alive`.
    pub(crate) pit: Option<(String, Option<i64>)>,
    pub(crate) total: Total,
    pub(crate) total_as_int: bool,
    pub(crate) aggs: Vec<Agg>,
    /// What decides the order of documents, as written.
    pub(crate) question: String,
    /// How long the scroll stays open.
    pub(crate) scroll: Option<i64>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Total {
    Exact,
    UpTo(usize),
    No,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            query: Query::All,
            post_filter: None,
            hits: Asked::first(10),
            search_after: None,
            pit: None,
            total: Total::UpTo(10_000),
            total_as_int: false,
            aggs: Vec::new(),
            question: String::new(),
            scroll: None,
        }
    }
}

impl Request {
    pub(crate) fn parse(body: &Map<String, Json>) -> Answer<Self> {
        let mut request = Self::default();
        let deciding = ["query", "post_filter", "sort"].map(|key| body.get(key));
        request.question =
            Json::from(deciding.map(|part| part.cloned().unwrap_or_default()).to_vec()).to_string();
        for (key, value) in body {
            if request.hits.read(key, value)? {
                continue;
            }
            match key.as_str() {
                "query" => request.query = query::parse(value)?,
                "post_filter" => request.post_filter = Some(query::parse(value)?),
                "search_after" => {
                    let values = value.as_array().cloned();
                    request.search_after = Some(
                        values
                            .filter(|v| !v.is_empty())
                            .ok_or_else(|| Refusal::illegal("Values must contains at least one value."))?,
                    );
                }
                "pit" => request.pit = Some(pit(value)?),
                "track_total_hits" => request.total = total(value)?,
                "aggs" | "aggregations" => request.aggs = aggs::parse(value)?,
                "profile" if value == &Json::Bool(false) => {}
                "stored_fields" if value == "_none_" || value == &Json::from(vec!["_none_"]) => {
                    request.hits.source = SourceFilter::none()
                }
                "stored_fields" if value.as_array().is_some_and(Vec::is_empty) => {
                    request.hits.source = SourceFilter::none()
                }
                // Everything is in memory, and no search takes long.
                "timeout" => {}
                "script_fields" | "runtime_mappings" | "collapse" | "highlight" | "suggest" | "rescore"
                | "slice" | "min_score" | "terminate_after" | "indices_boost" | "knn" | "profile"
                | "stored_fields" | "ext" | "stats" | "rank" | "retriever" => {
                    return Err(Refusal::unmodelled(format!("search key [{key}]")));
                }
                other => return Err(Refusal::parsing(format!("unknown key for a search: [{other}]"))),
            }
        }
        Ok(request)
    }

    /// Checks that need both body and parameters.
    pub(crate) fn check(&self) -> Answer<()> {
        if self.hits.from.saturating_add(self.hits.size) > WINDOW_MAX {
            return Err(Refusal::illegal(format!(
                "Result window is too large, from + size must be less than or equal to: [{WINDOW_MAX}] but was [{}]. See the \
                 scroll api for a more efficient way to request large data sets. This limit can be set by changing the \
                 [index.max_result_window] index level setting.",
                self.hits.from.saturating_add(self.hits.size)
            )));
        }
        if self.search_after.is_some() && (self.hits.from > 0 || self.scroll.is_some()) {
            return Err(Refusal::illegal("`from` parameter must be set to 0 when `search_after` is used"));
        }
        if self.scroll.is_some() && (self.hits.from > 0 || self.hits.size == 0 || self.pit.is_some()) {
            return Err(Refusal::illegal(
                "using [from], [size] of 0 or [point in time] is not allowed in a scroll context",
            ));
        }
        if self.hits.doc_values.len() > DOC_VALUE_FIELDS_MAX {
            return Err(Refusal::illegal(format!(
                "Trying to retrieve too many docvalue_fields. Must be less than or equal to: [{DOC_VALUE_FIELDS_MAX}] but was [{}].",
                self.hits.doc_values.len()
            )));
        }
        Ok(())
    }
}

pub(crate) fn total(value: &Json) -> Answer<Total> {
    match value {
        Json::Bool(true) => Ok(Total::Exact),
        Json::Bool(false) => Ok(Total::No),
        Json::String(text) if text == "true" => Ok(Total::Exact),
        Json::String(text) if text == "false" => Ok(Total::No),
        value => count("track_total_hits", value).map(Total::UpTo),
    }
}

fn pit(value: &Json) -> Answer<(String, Option<i64>)> {
    let (mut id, mut keep) = (None, None);
    for (key, value) in value.as_object().into_iter().flatten() {
        match (key.as_str(), value.as_str()) {
            ("id", Some(text)) => id = Some(text.to_owned()),
            ("keep_alive", Some(text)) => keep = Some(keep_alive(text)?),
            (other, _) => return Err(Refusal::parsing(format!("[pit] unknown field [{other}]"))),
        }
    }
    let id = id.ok_or_else(|| Refusal::illegal("Required [id]"))?;
    Ok((id, keep))
}

/// A time value such as `1m`, in milliseconds; at most a day, as `search.max_keep_alive`.
pub(crate) fn keep_alive(text: &str) -> Answer<i64> {
    let refuse = || {
        Refusal::illegal(format!("failed to parse setting [keep_alive] with value [{text}] as a time value"))
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(refuse()),
    };
    let millis = number.parse::<i64>().ok().and_then(|n| n.checked_mul(factor)).ok_or_else(refuse)?;
    if millis > 86_400_000 {
        return Err(Refusal::illegal(format!(
            "Keep alive for request ({text}) is too large. It must be less than (1d). This limit can be set by changing the \
             [search.max_keep_alive] cluster level setting."
        )));
    }
    Ok(millis)
}
