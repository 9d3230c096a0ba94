//! Queries as read, before any mapping is known.
use serde_json::Value as Json;

use super::lucene;
use crate::errors::Answer;
use crate::geo::Area;

#[derive(Clone, Debug)]
pub enum Query {
    All,
    Nothing,
    Bool(Box<Bool>),
    /// Full text in one field.
    Match {
        field: String,
        matching: Box<Matching>,
    },
    /// Full text in several fields; without names in all.
    MultiMatch {
        fields: Vec<String>,
        matching: Box<Matching>,
    },
    Term {
        field: String,
        value: Json,
        fold: bool,
    },
    Terms {
        field: String,
        values: Vec<Json>,
    },
    Range {
        field: String,
        range: Range,
    },
    Exists {
        field: String,
    },
    Prefix {
        field: String,
        value: String,
        fold: bool,
    },
    Wildcard {
        field: String,
        pattern: String,
        fold: bool,
    },
    Regexp {
        field: String,
        pattern: String,
        fold: bool,
    },
    Fuzzy {
        field: String,
        value: Json,
        fuzzy: Fuzzy,
    },
    Ids(Vec<String>),
    /// A place in an area.
    Within {
        /// The query's name.
        kind: &'static str,
        field: String,
        area: Area,
        ignore_unmapped: bool,
    },
    Text(Box<Text>),
    /// One of the objects at a nested path.
    Nested {
        path: String,
        query: Box<Query>,
        ignore_unmapped: bool,
    },
    Named {
        name: String,
        query: Box<Query>,
    },
}

impl Query {
    /// Matches what any of them matches.
    pub fn any(should: Vec<Self>) -> Self {
        Self::Bool(Box::new(Bool { should, ..Bool::default() }))
    }
}

#[derive(Clone, Debug, Default)]
pub struct Bool {
    pub must: Vec<Query>,
    pub should: Vec<Query>,
    pub must_not: Vec<Query>,
    pub minimum: Option<Minimum>,
}

/// The options shared by `match` and related queries.
#[derive(Clone, Debug)]
pub struct Matching {
    pub text: Json,
    pub how: How,
    pub every: bool,
    pub minimum: Option<Minimum>,
    pub lenient: Option<bool>,
    /// If analysis removes the whole text, match everything instead of nothing.
    pub all_if_empty: bool,
    pub fuzzy: Option<Fuzzy>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    Words,
    /// The last word is a prefix.
    WordsPrefix,
    Phrase {
        slop: usize,
    },
    /// The last word is a prefix of at most this many words.
    PhrasePrefix {
        slop: usize,
        expansions: usize,
    },
}

/// The edit distance allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fuzzy {
    pub edits: Edits,
    /// This many leading characters must be equal.
    pub prefix: usize,
    /// At most this many words, the nearest first.
    pub expansions: usize,
    /// A transposition is one edit.
    pub transpositions: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edits {
    Count(usize),
    /// None below the first length in characters, one below the second, else two.
    Auto(usize, usize),
}

impl Edits {
    pub fn of(self, text: &str) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Auto(low, high) => {
                let length = text.chars().count();
                usize::from(length >= low) + usize::from(length >= high)
            }
        }
    }
}

impl Default for Fuzzy {
    fn default() -> Self {
        Self { edits: Edits::Auto(3, 6), prefix: 0, expansions: 50, transpositions: true }
    }
}

/// `minimum_should_match`.
#[derive(Clone, Debug, PartialEq)]
pub enum Minimum {
    Count(i64),
    Percent(i64),
    /// `2<75% 9<-3`: above that many clauses, the minimum beside it; up to the first, all.
    Above(Vec<(i64, Minimum)>),
}

impl Minimum {
    pub fn of(&self, clauses: usize) -> usize {
        let clauses = i64::try_from(clauses).unwrap_or(i64::MAX);
        let count = match self {
            Self::Count(count) if *count < 0 => clauses.saturating_add(*count),
            Self::Count(count) => *count,
            Self::Percent(percent) => {
                // In single precision, as servers compute it.
                let part = (clauses.saturating_mul(*percent) as f32 * (1.0f32 / 100.0)) as i64;
                if part < 0 { clauses + part } else { part }
            }
            Self::Above(steps) => {
                let last = steps.iter().take_while(|(above, _)| clauses > *above).last();
                return match last {
                    Some((_, minimum)) => minimum.of(usize::try_from(clauses).unwrap_or(0)),
                    None => usize::try_from(clauses).unwrap_or(0),
                };
            }
        };
        usize::try_from(count).unwrap_or(0)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Range {
    pub low: Option<Bound>,
    pub high: Option<Bound>,
    pub format: Option<String>,
    pub time_zone: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    pub value: Json,
    pub inclusive: bool,
}

/// A `query_string`, or a `simple_query_string`.
#[derive(Clone, Debug)]
pub struct Text {
    pub source: String,
    /// A syntax error counts only where the query runs: a `bool` may drop it unread.
    pub tree: Answer<Option<lucene::Node>>,
    /// Empty: all fields.
    pub fields: Vec<String>,
    pub every: bool,
    pub lenient: Option<bool>,
    pub leading_wildcard: bool,
    pub time_zone: Option<String>,
    pub minimum: Option<Minimum>,
    pub fuzzy: Fuzzy,
    /// The slop of phrases without one.
    pub slop: usize,
    /// How unquoted words match.
    pub how: How,
}
