//! Buckets over groups of indices whose mappings differ: each group is queried by its own field names, and the results
//! are combined.
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use serde_json::Value;
use tokio::time::Instant;
use watchbell_contract::{Buckets, Column, Range, Rows, Values};

use super::{
    cursor::BucketsCursor,
    fold::{Fold, parts},
    shape::Shape,
};
use crate::{
    columns::ColumnBuilder,
    error::ErrorKind,
    mapping::Mapping,
    paths::index_path,
    plan::ColumnKind,
    reached::AliasFilters,
    resolve::{Field, Group},
    session::Session,
    target::Target,
};

/// Bytes of index names in one request path; servers accept 4,096 bytes in a line.
const PATH_BYTES_MAX: usize = 3_000;
/// Requests per page over all groups. Indices that differ more do not belong together.
const REQUESTS_MAX: usize = 64;
/// Buckets held while they are combined.
const BUCKETS_MAX: usize = 500_000;

pub(crate) struct MergedCursor {
    cursors: Vec<BucketsCursor>,
    shape: Shape,
    folds: Vec<Fold>,
    page: usize,
    /// Requests over all groups.
    pages_max: usize,
    /// `None`: no request was sent yet.
    pages: Option<VecDeque<Rows>>,
}

/// A part of a key, ordered as servers order them: missing comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Missing,
    Integer(i64),
    /// A double's bits, transformed to sort like the double.
    Number(u64),
    Boolean(u8),
    Word(Box<str>),
}

#[derive(Clone, Debug, Default)]
struct Cells {
    count: i64,
    metrics: Vec<Option<f64>>,
    filters: Vec<i64>,
}

type Merged = BTreeMap<(i64, Vec<Part>), Cells>;

impl MergedCursor {
    pub(crate) fn new(
        session: &Arc<Session>,
        target: &Target,
        over: Range,
        (filters, aliases): (&[Value], &AliasFilters),
        buckets: &Buckets,
        (mapping, groups): (&Mapping, &[Group<Field>]),
        deadline: Instant,
    ) -> Result<Self, ErrorKind> {
        let shape = Shape::new(over, buckets, mapping)?;
        let (asked, sources, folds) = parts(buckets)?;
        let mut cursors = vec![];
        for group in groups {
            let own = &group.parts[..buckets.by.len()];
            let metrics = sources.iter().map(|place| group.parts[buckets.by.len() + place].clone());
            let fields: Vec<Option<Field>> = own.iter().cloned().chain(metrics).collect();
            for (indices, alias) in alike(group.indices.as_deref().unwrap_or_default(), aliases) {
                let target = Target { indices, ..target.clone() };
                let filters = filters.iter().chain(alias).cloned().collect();
                let session = Arc::clone(session);
                cursors.push(BucketsCursor::new(
                    session,
                    target,
                    over,
                    filters,
                    &asked,
                    (mapping, &fields),
                    deadline,
                )?);
            }
        }
        if cursors.len() > REQUESTS_MAX {
            let reason = format!(
                "its indices map its fields in too many different ways ({} requests); choose indices whose mappings agree",
                cursors.len()
            );
            return Err(ErrorKind::Question { reason });
        }
        let config = session.config();
        let (page, pages_max) = (config.page_buckets.max(1), config.pages_max);
        Ok(Self { cursors, shape, folds, page, pages_max, pages: None })
    }

    /// The next page, never empty; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Rows>, ErrorKind> {
        if self.pages.is_none() {
            let mut merged = Merged::new();
            let mut pages = 0;
            for cursor in &mut self.cursors {
                // It existed when its fields were looked up.
                while let Some(rows) = cursor.next().await.map_err(|cause| match cause {
                    ErrorKind::NoIndex { .. } => ErrorKind::FieldsChanged,
                    other => other,
                })? {
                    pages += 1;
                    if pages > self.pages_max {
                        return Err(ErrorKind::TooManyPages { max: self.pages_max });
                    }
                    add(&mut merged, &rows, self.shape.by.len(), cursor.shape.metrics.len(), &self.folds);
                    if merged.len() > BUCKETS_MAX {
                        let reason =
                            format!("more than {BUCKETS_MAX} buckets of indices whose mappings differ");
                        return Err(ErrorKind::ServerLimit { kind: "buckets held".into(), reason });
                    }
                }
            }
            self.pages = Some(self.written(merged));
        }
        Ok(self.pages.as_mut().and_then(VecDeque::pop_front))
    }

    fn written(&self, merged: Merged) -> VecDeque<Rows> {
        let shape = &self.shape;
        let mut merged = merged.into_iter().peekable();
        let mut pages = VecDeque::new();
        while merged.peek().is_some() {
            let mut times = vec![];
            let mut by: Vec<_> = shape.by.iter().map(|key| ColumnBuilder::new(key.kind)).collect();
            let mut counts = ColumnBuilder::new(ColumnKind::Integers);
            let mut metrics: Vec<_> =
                shape.metrics.iter().map(|(_, kind)| ColumnBuilder::new(*kind)).collect();
            let mut filters: Vec<_> =
                shape.filters.iter().map(|_| ColumnBuilder::new(ColumnKind::Integers)).collect();
            for ((time, key), cells) in merged.by_ref().take(self.page) {
                times.push(time);
                by.iter_mut().zip(key).for_each(|(column, part)| part.push(column));
                Part::Integer(cells.count).push(&mut counts);
                for (column, fold) in metrics.iter_mut().zip(&self.folds) {
                    fold.value(&cells.metrics).map_or(Part::Missing, Part::number).push(column);
                }
                filters
                    .iter_mut()
                    .zip(cells.filters)
                    .for_each(|(column, count)| Part::Integer(count).push(column));
            }
            let named = |columns: Vec<ColumnBuilder>, names: Vec<&String>| -> Vec<Column> {
                columns.into_iter().zip(names).map(|(column, name)| column.finish(name.clone())).collect()
            };
            let keys = by.into_iter().zip(&shape.by);
            let keys = keys.map(|(column, key)| column.finish_field(key.name.clone(), key.is_mapped));
            let mut columns: Vec<Column> = keys.collect();
            columns.push(counts.finish("_count".into()));
            columns.extend(named(metrics, shape.metrics.iter().map(|(name, _)| name).collect()));
            columns.extend(named(filters, shape.filters.iter().collect()));
            pages.push_back(Rows { times, columns });
        }
        pages
    }
}

/// Indices behind the same alias filter, as many at a time as a request path holds.
fn alike<'a>(indices: &[String], aliases: &'a AliasFilters) -> Vec<(Vec<String>, Option<&'a Value>)> {
    let mut behind: Vec<(Option<&Value>, Vec<String>)> = vec![];
    for index in indices {
        let alias = aliases.get(index);
        match behind.iter_mut().find(|(known, _)| *known == alias) {
            Some((_, indices)) => indices.push(index.clone()),
            None => behind.push((alias, vec![index.clone()])),
        }
    }
    let named = |(alias, indices): (_, Vec<String>)| {
        chunks(&indices).into_iter().map(move |indices| (indices, alias))
    };
    behind.into_iter().flat_map(named).collect()
}

/// As many names at a time as a request path holds.
fn chunks(indices: &[String]) -> Vec<Vec<String>> {
    let mut chunks: Vec<Vec<String>> = vec![];
    let mut room = 0;
    for index in indices {
        let bytes = index_path(std::slice::from_ref(index)).len() + 2;
        match chunks.last_mut().filter(|_| bytes <= room) {
            Some(chunk) => chunk.push(index.clone()),
            None => {
                room = PATH_BYTES_MAX;
                chunks.push(vec![index.clone()]);
            }
        }
        room = room.saturating_sub(bytes);
    }
    chunks
}

/// Adds a page of one group: its key columns, its count, `metrics` metrics, and the filters.
fn add(merged: &mut Merged, rows: &Rows, by: usize, metrics: usize, folds: &[Fold]) {
    for (row, &time) in rows.times.iter().enumerate() {
        let at = |column: usize| Part::of(&rows.columns[column], row);
        let key = (time, (0..by).map(at).collect());
        let cells = merged.entry(key).or_default();
        let integer = |part| if let Part::Integer(value) = part { value } else { 0 };
        cells.count = cells.count.saturating_add(integer(at(by)));
        let own: Vec<Option<f64>> = (0..metrics).map(|metric| at(by + 1 + metric).as_number()).collect();
        cells.metrics.resize(metrics, None);
        for fold in folds {
            fold.add(&mut cells.metrics, &own);
        }
        let filters = by + 1 + metrics..rows.columns.len();
        cells.filters.resize(filters.len(), 0);
        cells
            .filters
            .iter_mut()
            .zip(filters)
            .for_each(|(sum, column)| *sum = sum.saturating_add(integer(at(column))));
    }
}

impl Part {
    fn of(column: &Column, row: usize) -> Self {
        let Some(slot) = column.slots(row).next() else { return Self::Missing };
        match &column.values {
            Values::Integers(values) => Self::Integer(values[slot]),
            Values::Numbers(values) => Self::number(values[slot]),
            Values::Booleans(values) => Self::Boolean(values[slot]),
            Values::Words(words) => Self::Word(words.word(slot).unwrap_or_default().into()),
            // Never part of a key.
            Values::Points(_) => Self::Missing,
        }
    }

    fn number(value: f64) -> Self {
        // -0 equals 0.
        let bits = (value + 0.0).to_bits();
        Self::Number(if bits >> 63 == 1 { !bits } else { bits | 1 << 63 })
    }

    fn as_number(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Number(bits) if bits >> 63 == 1 => Some(f64::from_bits(bits & !(1 << 63))),
            Self::Number(bits) => Some(f64::from_bits(!bits)),
            _ => None,
        }
    }

    /// Pushes into a column that has one kind for all groups.
    fn push(self, column: &mut ColumnBuilder) {
        let start = column.begin();
        _ = match &self {
            Self::Missing => Ok(()),
            Self::Integer(value) => column.integer(*value),
            Self::Number(_) => column.number(self.as_number().unwrap_or_default()),
            Self::Boolean(value) => column.boolean(*value == 1),
            Self::Word(word) => column.text(word),
        };
        column.end(start);
    }
}
