//! What was asked, before any mapping is known.
use serde_json::Value as Json;

use super::lucene;
use crate::errors::Answer;

#[derive(Clone, Debug)]
pub(crate) enum Query {
    All,
    Nothing,
    Bool(Box<Bool>),
    Match { field: String, value: Json, every: bool, minimum: Option<Minimum>, lenient: bool },
    Phrase { field: String, value: Json },
    Term { field: String, value: Json, fold: bool },
    Terms { field: String, values: Vec<Json> },
    Range { field: String, range: Range },
    Exists { field: String },
    Prefix { field: String, value: String, fold: bool },
    Wildcard { field: String, pattern: String, fold: bool },
    Regexp { field: String, pattern: String, fold: bool },
    Ids(Vec<String>),
    Text(Box<Text>),
    Named { name: String, query: Box<Query> },
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Bool {
    pub(crate) must: Vec<Query>,
    pub(crate) should: Vec<Query>,
    pub(crate) must_not: Vec<Query>,
    pub(crate) minimum: Option<Minimum>,
}

/// `minimum_should_match`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Minimum {
    Count(i64),
    Percent(i64),
}

impl Minimum {
    pub(crate) fn of(self, clauses: usize) -> usize {
        let clauses = i64::try_from(clauses).unwrap_or(i64::MAX);
        let count = match self {
            Self::Count(count) if count < 0 => clauses.saturating_add(count),
            Self::Count(count) => count,
            Self::Percent(percent) => {
                let part = clauses.saturating_mul(percent) / 100;
                if percent < 0 { clauses + part } else { part }
            }
        };
        usize::try_from(count).unwrap_or(0)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Range {
    pub(crate) low: Option<Bound>,
    pub(crate) high: Option<Bound>,
    pub(crate) format: Option<String>,
    pub(crate) time_zone: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bound {
    pub(crate) value: Json,
    pub(crate) inclusive: bool,
}

/// A `query_string`.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) source: String,
    /// A fault of its language is told only where the query is asked: a `bool` may drop it unread.
    pub(crate) tree: Answer<Option<lucene::Node>>,
    /// Empty: every field.
    pub(crate) fields: Vec<String>,
    pub(crate) every: bool,
    pub(crate) lenient: Option<bool>,
    pub(crate) leading_wildcard: bool,
    pub(crate) time_zone: Option<String>,
}
