//! Reads a search response in one pass: no hit becomes a tree.
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use watchbell_contract::Rows;

use crate::{
    columns::ColumnBuilder,
    envelope::Envelope,
    error::ErrorKind,
    misfit::{Misfit, Misfits},
    page::PageBuilder,
    plan::{FieldPlan, ValueSource},
};

/// One response. Rows of one instant are ordered by (`_index`, `_id`).
#[derive(Clone, Debug, PartialEq)]
pub struct HitsPage {
    pub rows: Rows,
}

/// Why bytes are not a search response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PageFault(pub String);

/// Reads a response to a search for `plan`'s fields.
///
/// # Errors
/// What is wrong with the bytes. Never panics.
pub fn parse_hits(bytes: &[u8], plan: &FieldPlan) -> Result<HitsPage, PageFault> {
    let mut builder = PageBuilder::new(plan);
    let limits = PageLimits { rows: usize::MAX, bytes: usize::MAX };
    read(bytes, plan, limits, &mut builder).map_err(|cause| match cause {
        ErrorKind::Malformed { reason } | ErrorKind::Misfit { reason } => PageFault(reason),
        other => PageFault(other.to_string()),
    })?;
    builder.settle_ties();
    Ok(HitsPage { rows: builder.finish(plan) })
}

/// The parts of a response other than its hits.
#[derive(Debug, Default)]
pub(crate) struct HitsAnswer {
    pub(crate) envelope: Envelope,
    pub(crate) pit_id: Option<String>,
    pub(crate) scroll_id: Option<String>,
    /// The number of hits in this response.
    pub(crate) hits: usize,
    pub(crate) last: Option<Last>,
    /// The last hit's id.
    pub(crate) last_id: String,
}

/// What a page may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageLimits {
    /// The rows that were asked for.
    pub(crate) rows: usize,
    /// Memory for all values.
    pub(crate) bytes: usize,
}

/// Where the next page begins: the last hit's time, index, and tiebreaker if one was requested.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Last {
    pub(crate) time: i64,
    pub(crate) tie: Option<i64>,
    pub(crate) index: String,
}

/// Appends the hits of `bytes` to `builder`.
pub(crate) fn read(
    bytes: &[u8],
    plan: &FieldPlan,
    limits: PageLimits,
    builder: &mut PageBuilder,
) -> Result<HitsAnswer, ErrorKind> {
    // Validated once as a whole, which is faster than string by string.
    let malformed = |reason: String| ErrorKind::Malformed { reason };
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(format!("not utf-8: {error}")))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let misfit = Misfits::new(limits.bytes);
    let mut answer = HitsAnswer::default();
    let seed = AnswerSeed { plan, builder, rows_max: limits.rows, answer: &mut answer, misfit: &misfit };
    let read = seed.deserialize(&mut reader).and_then(|()| reader.end());
    match (misfit.first(), read) {
        (None, Err(_)) if misfit.is_full() => Err(ErrorKind::MemoryTooLarge { max: limits.bytes }),
        (Some((column, Misfit(what))), _) => {
            let name = plan.columns.get(column).map_or("", |column| &column.name);
            Err(ErrorKind::Misfit { reason: format!("field `{name}`: {what}") })
        }
        (None, Err(error)) => Err(malformed(error.to_string())),
        (None, Ok(())) => Ok(answer),
    }
}

struct AnswerSeed<'a> {
    plan: &'a FieldPlan,
    builder: &'a mut PageBuilder,
    rows_max: usize,
    answer: &'a mut HitsAnswer,
    misfit: &'a Misfits,
}

impl<'de> DeserializeSeed<'de> for AnswerSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AnswerSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer to a search")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = false;
        while let Some(key) = map.next_key_seed(KeySeed(&ANSWER_KEYS))? {
            match key {
                0 => self.answer.envelope.timed_out = map.next_value()?,
                1 => self.answer.envelope.shards = map.next_value()?,
                2 => self.answer.pit_id = map.next_value()?,
                3 => self.answer.scroll_id = map.next_value()?,
                5 => self.answer.envelope.clusters = map.next_value()?,
                4 if !seen => {
                    seen = true;
                    map.next_value_seed(HitsSeed {
                        plan: self.plan,
                        builder: &mut *self.builder,
                        rows_max: self.rows_max,
                        answer: &mut *self.answer,
                        misfit: self.misfit,
                    })?;
                }
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        if seen { Ok(()) } else { Err(A::Error::custom("no `hits` in the response")) }
    }
}

const ANSWER_KEYS: [&str; 6] = ["timed_out", "_shards", "pit_id", "_scroll_id", "hits", "_clusters"];
const HIT_KEYS: [&str; 5] = ["_index", "_id", "fields", "sort", "matched_queries"];

/// A key's position in a short list; the list's length if it is not in it.
struct KeySeed<'a>(&'a [&'static str]);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = usize;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = usize;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E>(self, key: &str) -> Result<usize, E> {
        Ok(self.0.iter().position(|known| *known == key).unwrap_or(self.0.len()))
    }
}

/// `hits`: the object with the array, then the array itself.
struct HitsSeed<'a> {
    plan: &'a FieldPlan,
    builder: &'a mut PageBuilder,
    rows_max: usize,
    answer: &'a mut HitsAnswer,
    misfit: &'a Misfits,
}

impl<'de> DeserializeSeed<'de> for HitsSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for HitsSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `hits`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = false;
        while let Some(key) = map.next_key_seed(KeySeed(&["hits"]))? {
            if key == 0 && !seen {
                seen = true;
                map.next_value_seed(HitArraySeed(HitsSeed {
                    plan: self.plan,
                    builder: &mut *self.builder,
                    rows_max: self.rows_max,
                    answer: &mut *self.answer,
                    misfit: self.misfit,
                }))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if seen { Ok(()) } else { Err(A::Error::custom("no `hits.hits` in the response")) }
    }
}

struct HitArraySeed<'a>(HitsSeed<'a>);

impl<'de> DeserializeSeed<'de> for HitArraySeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for HitArraySeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of hits")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let HitsSeed { plan, builder, rows_max, answer, misfit } = self.0;
        let mut scratch = Scratch::new(plan);
        let mut last: Option<(i64, Option<i64>)> = None;
        while let Some(sort) =
            seq.next_element_seed(HitSeed { plan, builder, misfit, scratch: &mut scratch })?
        {
            if last.is_some_and(|(before, _)| before > sort.0) {
                return Err(A::Error::custom("hits are not in order of time"));
            }
            if answer.hits == rows_max {
                return Err(A::Error::custom(format!("more than the {rows_max} hits that were asked for")));
            }
            last = Some(sort);
            answer.hits += 1;
        }
        answer.last = last.map(|(time, tie)| Last { time, tie, index: scratch.index });
        answer.last_id = scratch.id;
        Ok(())
    }
}

/// Kept from hit to hit, so that nothing is allocated per hit.
struct Scratch {
    index: String,
    id: String,
    /// The columns of named filters that matched.
    matched: Vec<usize>,
    filters: Vec<usize>,
    /// Columns read from `_index` and `_id`.
    own: Vec<(usize, bool)>,
    /// Columns of types.
    types: Vec<usize>,
    /// Columns that some indices round.
    rounded: Vec<usize>,
    nested: bool,
}

impl Scratch {
    fn new(plan: &FieldPlan) -> Self {
        let at = |wanted: &dyn Fn(&ValueSource) -> bool| -> Vec<usize> {
            (0..plan.columns.len()).filter(|&column| wanted(&plan.columns[column].source)).collect()
        };
        let mut own: Vec<_> =
            at(&|s| *s == ValueSource::Index).into_iter().map(|column| (column, true)).collect();
        own.extend(at(&|s| *s == ValueSource::Id).into_iter().map(|column| (column, false)));
        Self {
            index: String::new(),
            id: String::new(),
            matched: vec![],
            filters: at(&|s| *s == ValueSource::Matched),
            own,
            types: at(&|s| matches!(s, ValueSource::Type(_))),
            rounded: (0..plan.columns.len()).filter(|&at| !plan.columns[at].rounded.is_empty()).collect(),
            nested: !at(&|s| matches!(s, ValueSource::Nested { .. })).is_empty(),
        }
    }
}

struct HitSeed<'a> {
    plan: &'a FieldPlan,
    builder: &'a mut PageBuilder,
    misfit: &'a Misfits,
    scratch: &'a mut Scratch,
}

impl<'de> DeserializeSeed<'de> for HitSeed<'_> {
    type Value = (i64, Option<i64>);
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for HitSeed<'_> {
    type Value = (i64, Option<i64>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a hit")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { plan, builder, misfit, scratch } = self;
        scratch.index.clear();
        scratch.id.clear();
        scratch.matched.clear();
        let mut sort = None;
        while let Some(key) = map.next_key_seed(KeySeed(&HIT_KEYS))? {
            match key {
                0 => map.next_value_seed(TextSeed(&mut scratch.index))?,
                1 => map.next_value_seed(TextSeed(&mut scratch.id))?,
                2 => {
                    let row = builder.len();
                    let nested = scratch.nested;
                    map.next_value_seed(FieldsSeed {
                        plan,
                        columns: &mut builder.columns,
                        row,
                        misfit,
                        nested,
                    })?;
                }
                3 => sort = Some(map.next_value_seed(SortSeed)?),
                4 => map.next_value_seed(MatchedSeed {
                    plan,
                    filters: &scratch.filters,
                    to: &mut scratch.matched,
                })?,
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        let Some(sort) = sort else { return Err(A::Error::custom("a hit without `sort`")) };
        for &(column, is_index) in &scratch.own {
            let text = if is_index { &scratch.index } else { &scratch.id };
            fill(&mut builder.columns[column], |column| column.text(text));
        }
        for &column in &scratch.rounded {
            let here =
                plan.columns[column].rounded.iter().find(|(_, indices)| indices.contains(&scratch.index));
            if let Some((precision, _)) = here
                && builder.columns[column].rows() > builder.len()
            {
                builder.columns[column].round_last(*precision);
            }
        }
        for &column in &scratch.types {
            let ValueSource::Type(types) = &plan.columns[column].source else { continue };
            let is_here = |indices: &Vec<String>| types.len() == 1 || indices.contains(&scratch.index);
            match types.iter().find(|(_, indices)| is_here(indices)) {
                Some((kind, _)) => fill(&mut builder.columns[column], |column| column.text(kind)),
                None => builder.columns[column].missing(),
            }
        }
        for &column in &scratch.filters {
            let matched = scratch.matched.contains(&column);
            fill(&mut builder.columns[column], |column| column.boolean(matched));
        }
        builder.end_row(sort.0, scratch.index.as_bytes(), scratch.id.as_bytes());
        Ok(sort)
    }
}

/// Sets a row's only value; columns of words and booleans accept all of theirs.
fn fill(column: &mut ColumnBuilder, push: impl FnOnce(&mut ColumnBuilder) -> Result<(), Misfit>) {
    let start = column.begin();
    _ = push(column);
    column.end(start);
}

/// Copies a string, borrowed or escaped.
struct TextSeed<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for TextSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for TextSeed<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.clear();
        self.0.push_str(text);
        Ok(())
    }
}

struct MatchedSeed<'a> {
    plan: &'a FieldPlan,
    filters: &'a [usize],
    to: &'a mut Vec<usize>,
}

impl<'de> DeserializeSeed<'de> for MatchedSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for MatchedSeed<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names of filters")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut name = String::new();
        while seq.next_element_seed(TextSeed(&mut name))?.is_some() {
            for &column in self.filters {
                if self.plan.columns[column].name == name && !self.to.contains(&column) {
                    self.to.push(column);
                }
            }
        }
        Ok(())
    }
}

mod fields;
mod sort;
mod values;
use fields::FieldsSeed;
use sort::SortSeed;
pub(crate) use values::ValueSeed;

#[cfg(test)]
mod tests;
