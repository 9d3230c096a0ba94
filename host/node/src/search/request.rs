//! The body and the parameters of a search.
use serde_json::{Map, Value as Json};

use super::sort::Spec;
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
    pub(crate) from: usize,
    pub(crate) size: usize,
    pub(crate) sort: Vec<Spec>,
    pub(crate) search_after: Option<Vec<Json>>,
    /// Id and `keep_alive`.
    pub(crate) pit: Option<(String, Option<i64>)>,
    pub(crate) total: Total,
    pub(crate) total_as_int: bool,
    pub(crate) source: SourceFilter,
    pub(crate) doc_values: Vec<FieldAsk>,
    pub(crate) fields: Vec<FieldAsk>,
    pub(crate) aggs: Vec<Agg>,
    pub(crate) version: bool,
    pub(crate) seq_no: bool,
    /// What decides which documents come in which order, as it was written.
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

#[derive(Clone, Debug)]
pub(crate) struct FieldAsk {
    pub(crate) field: String,
    pub(crate) format: Option<String>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            query: Query::All,
            post_filter: None,
            from: 0,
            size: 10,
            sort: Vec::new(),
            search_after: None,
            pit: None,
            total: Total::UpTo(10_000),
            total_as_int: false,
            source: SourceFilter::default(),
            doc_values: Vec::new(),
            fields: Vec::new(),
            aggs: Vec::new(),
            version: false,
            seq_no: false,
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
            match key.as_str() {
                "query" => request.query = query::parse(value)?,
                "post_filter" => request.post_filter = Some(query::parse(value)?),
                "from" => request.from = count(key, value)?,
                "size" => request.size = count(key, value)?,
                "sort" => request.sort = Spec::parse_all(value)?,
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
                "_source" => request.source = SourceFilter::parse(value)?,
                "docvalue_fields" => request.doc_values = asks(key, value)?,
                "fields" => request.fields = asks(key, value)?,
                "aggs" | "aggregations" => request.aggs = aggs::parse(value)?,
                "version" => request.version = value == &Json::Bool(true),
                "seq_no_primary_term" => request.seq_no = value == &Json::Bool(true),
                "track_scores" | "explain" | "profile" if value == &Json::Bool(false) => {}
                "stored_fields" if value == "_none_" || value == &Json::from(vec!["_none_"]) => {
                    request.source = SourceFilter::none()
                }
                "stored_fields" if value.as_array().is_some_and(Vec::is_empty) => {
                    request.source = SourceFilter::none()
                }
                // Everything is in memory and no search takes long.
                "timeout" => {}
                "script_fields" | "runtime_mappings" | "collapse" | "highlight" | "suggest" | "rescore"
                | "slice" | "min_score" | "terminate_after" | "indices_boost" | "knn" | "explain"
                | "profile" | "track_scores" | "stored_fields" | "ext" | "stats" | "rank" | "retriever" => {
                    return Err(Refusal::unmodelled(format!("search key [{key}]")));
                }
                other => return Err(Refusal::parsing(format!("unknown key for a search: [{other}]"))),
            }
        }
        Ok(request)
    }

    /// What can only be judged when body and parameters are both read.
    pub(crate) fn check(&self) -> Answer<()> {
        if self.from.saturating_add(self.size) > WINDOW_MAX {
            return Err(Refusal::illegal(format!(
                "Result window is too large, from + size must be less than or equal to: [{WINDOW_MAX}] but was [{}]. See the \
                 scroll api for a more efficient way to request large data sets. This limit can be set by changing the \
                 [index.max_result_window] index level setting.",
                self.from.saturating_add(self.size)
            )));
        }
        if self.search_after.is_some() && (self.from > 0 || self.scroll.is_some()) {
            return Err(Refusal::illegal("`from` parameter must be set to 0 when `search_after` is used"));
        }
        if self.scroll.is_some() && (self.from > 0 || self.size == 0 || self.pit.is_some()) {
            return Err(Refusal::illegal(
                "using [from], [size] of 0 or [point in time] is not allowed in a scroll context",
            ));
        }
        if self.doc_values.len() > DOC_VALUE_FIELDS_MAX {
            return Err(Refusal::illegal(format!(
                "Trying to retrieve too many docvalue_fields. Must be less than or equal to: [{DOC_VALUE_FIELDS_MAX}] but was [{}].",
                self.doc_values.len()
            )));
        }
        Ok(())
    }
}

pub(crate) fn count(key: &str, value: &Json) -> Answer<usize> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| {
        Refusal::illegal(format!("[{key}] parameter cannot be negative or not a number, found [{value}]"))
    })
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

fn asks(key: &str, value: &Json) -> Answer<Vec<FieldAsk>> {
    let list = value.as_array().ok_or_else(|| Refusal::parsing(format!("[{key}] must be a list")))?;
    let one = |item: &Json| match item {
        Json::String(field) => Ok(FieldAsk { field: field.clone(), format: None }),
        Json::Object(body) => {
            let mut ask = FieldAsk { field: String::new(), format: None };
            for (name, value) in body {
                match (name.as_str(), value) {
                    ("field", Json::String(field)) => ask.field = field.clone(),
                    ("format", Json::String(format)) => ask.format = Some(format.clone()),
                    ("format", Json::Null) => {}
                    (other, _) => return Err(Refusal::parsing(format!("[{key}] unknown field [{other}]"))),
                }
            }
            if ask.field.is_empty() {
                return Err(Refusal::illegal(format!("[{key}] Required [field]")));
            }
            Ok(ask)
        }
        other => Err(Refusal::parsing(format!("[{key}] malformed entry [{other}]"))),
    };
    list.iter().map(one).collect()
}
