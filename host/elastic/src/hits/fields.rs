//! `"fields": {"host.name": ["a"], "comments": [{"author": ["b"]}]}`, straight into columns.
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::values::ValueSeed;
use crate::{
    columns::ColumnBuilder,
    misfit::Misfits,
    plan::{FieldPlan, ValueSource},
};

pub(super) struct FieldsSeed<'a> {
    pub(super) plan: &'a FieldPlan,
    pub(super) columns: &'a mut [ColumnBuilder],
    pub(super) row: usize,
    pub(super) misfit: &'a Misfits,
    /// Whether any column is inside a nested object.
    pub(super) nested: bool,
}

impl<'de> DeserializeSeed<'de> for FieldsSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FieldsSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fields with their values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { plan, columns, row, misfit, nested } = self;
        // Servers return fields in the same order in every hit.
        let mut hint = 0;
        while let Some(found) = map.next_key_seed(FieldSeed { plan, hint, nested })? {
            match found {
                Found::Column(column) if columns[column].rows() == row => {
                    hint = column + 1;
                    let start = columns[column].begin();
                    map.next_value_seed(ValueSeed { to: &mut columns[column], column, misfit })?;
                    columns[column].end(start);
                }
                Found::Root(root) => {
                    let starts: Vec<usize> = columns.iter().map(ColumnBuilder::begin).collect();
                    let below: Vec<(usize, &str)> =
                        below(plan, &root).filter(|&(column, _)| columns[column].rows() == row).collect();
                    map.next_value_seed(NestedSeed { below: &below, columns: &mut *columns, misfit })?;
                    below.iter().for_each(|&(column, _)| columns[column].end(starts[column]));
                }
                // An unrequested or repeated field: the first one counts.
                Found::Column(_) | Found::None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }
}

fn below<'a>(plan: &'a FieldPlan, wanted: &str) -> impl Iterator<Item = (usize, &'a str)> {
    plan.columns.iter().enumerate().filter_map(move |(column, planned)| match &planned.source {
        ValueSource::Nested { root, rest, .. } if root == wanted => Some((column, rest.as_str())),
        _ => None,
    })
}

enum Found {
    Column(usize),
    Root(String),
    None,
}

struct FieldSeed<'a> {
    plan: &'a FieldPlan,
    hint: usize,
    nested: bool,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = Found;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldSeed<'_> {
    type Value = Found;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }
    fn visit_str<E>(self, key: &str) -> Result<Found, E> {
        let columns = &self.plan.columns;
        let is = |column: &usize| {
            // Also nested fields: Elasticsearch before 7.11 and OpenSearch return them flat.
            columns[*column].name == key
                && matches!(
                    columns[*column].source,
                    ValueSource::DocValues { .. } | ValueSource::Fields { .. } | ValueSource::Nested { .. }
                )
        };
        let turn = (self.hint..columns.len()).chain(0..self.hint.min(columns.len()));
        Ok(match { turn }.find(is) {
            Some(column) => Found::Column(column),
            None if self.nested && below(self.plan, key).next().is_some() => Found::Root(key.into()),
            None => Found::None,
        })
    }
}

/// Objects inside a nested one; `below` has the columns and the rest of their paths.
struct NestedSeed<'a> {
    below: &'a [(usize, &'a str)],
    columns: &'a mut [ColumnBuilder],
    misfit: &'a Misfits,
}

impl<'de> DeserializeSeed<'de> for NestedSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NestedSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a nested object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { below, columns, misfit } = self;
        while seq.next_element_seed(NestedSeed { below, columns: &mut *columns, misfit })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { below, columns, misfit } = self;
        let mut key = String::new();
        while map.next_key_seed(super::TextSeed(&mut key))?.is_some() {
            if let Some(&(column, _)) = below.iter().find(|(_, rest)| *rest == key) {
                map.next_value_seed(ValueSeed { to: &mut columns[column], column, misfit })?;
                continue;
            }
            let deeper: Vec<(usize, &str)> = below
                .iter()
                .filter_map(|&(column, rest)| {
                    Some((column, rest.strip_prefix(key.as_str())?.strip_prefix('.')?))
                })
                .collect();
            if deeper.is_empty() {
                map.next_value::<IgnoredAny>()?;
            } else {
                map.next_value_seed(NestedSeed { below: &deeper, columns: &mut *columns, misfit })?;
            }
        }
        Ok(())
    }
}
