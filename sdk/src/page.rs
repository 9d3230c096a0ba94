//! One page of an answer. Its columns are checked once, so that reading a row needs no checks.
use std::cell::RefCell;

use watchbell_rows::hash;

use crate::key::Key;
use crate::value::{Point, Value};
use crate::wire::types as wire;

pub(crate) struct Page<'p> {
    pub(crate) question: usize,
    pub(crate) times: &'p [i64],
    pub(crate) columns: Vec<Column<'p>>,
    /// For each key field, the labels of the groups.
    pub(crate) labels: Vec<Column<'p>>,
    /// The group of each row; empty: all belong to one.
    pub(crate) groups: &'p [u32],
    /// The key of each group; empty if all rows belong to one.
    keys: Vec<Key>,
    /// The first invalid read of this page by the rule.
    fault: RefCell<Option<String>>,
}

pub(crate) struct Column<'p> {
    pub(crate) field: &'p str,
    pub(crate) is_mapped: bool,
    pub(crate) values: Values<'p>,
    present: &'p [u8],
    offsets: &'p [u32],
}

#[derive(Clone, Copy)]
pub(crate) enum Values<'p> {
    Integers(&'p [i64]),
    Numbers(&'p [f64]),
    Booleans(&'p [u8]),
    Words { codes: &'p [u32], ends: &'p [u32], text: &'p str },
    Points { latitudes: &'p [f64], longitudes: &'p [f64] },
}

impl<'p> Page<'p> {
    /// # Errors
    /// A column does not fit its page; the message says which.
    pub(crate) fn new(rows: &'p wire::Rows, question: usize) -> Result<Self, String> {
        let columns = columns(&rows.columns, rows.times.len())?;
        let groups = &rows.groups.rows[..];
        let count = groups.iter().max().map_or(0, |group| *group as usize + 1);
        if !groups.is_empty() && groups.len() != rows.times.len() {
            return Err("not one group per row".into());
        }
        let labels = rows.groups.labels.iter().map(|column| match &column.values {
            wire::Values::Words(words) if column.offsets.is_empty() && words.codes.len() >= count => {
                named(column, words.codes.len())
            }
            _ => Err(format!("the labels of `{}` are not one word per group", column.field)),
        });
        let labels = labels.collect::<Result<Vec<_>, _>>()?;
        let mut keys = vec![Key::WHOLE; count];
        for column in &labels {
            let Values::Words { codes, ends, text } = column.values else { continue };
            let hashes: Vec<u64> = words(ends, text).map(|word| hash(word.as_bytes())).collect();
            for (group, key) in keys.iter_mut().enumerate() {
                let is_there = column.is_present(group);
                let part = hashes.get(codes[group] as usize).filter(|_| is_there);
                *key = part.map_or_else(|| key.and_missing(), |part| key.and(*part));
            }
        }
        Ok(Self { question, times: &rows.times, columns, labels, groups, keys, fault: RefCell::default() })
    }

    #[inline]
    pub(crate) fn key(&self, row: usize) -> Key {
        match self.groups.get(row) {
            Some(group) => self.keys[*group as usize],
            None => Key::WHOLE,
        }
    }

    /// Remembers the first invalid read, to fail the run when the page is done.
    #[cold]
    pub(crate) fn blame(&self, fault: impl FnOnce() -> String) {
        self.fault.borrow_mut().get_or_insert_with(fault);
    }

    pub(crate) fn into_fault(self) -> Option<String> {
        self.fault.into_inner()
    }
}

fn columns(columns: &[wire::Column], rows: usize) -> Result<Vec<Column<'_>>, String> {
    columns.iter().map(|column| named(column, rows)).collect()
}

fn named(column: &wire::Column, rows: usize) -> Result<Column<'_>, String> {
    Column::new(column, rows).map_err(|fault| format!("column `{}`: {fault}", column.field))
}

impl<'p> Column<'p> {
    fn new(column: &'p wire::Column, rows: usize) -> Result<Self, &'static str> {
        let (values, len) = match &column.values {
            wire::Values::Integers(values) => (Values::Integers(values), values.len()),
            wire::Values::Numbers(values) => (Values::Numbers(values), values.len()),
            wire::Values::Booleans(values) => (Values::Booleans(values), values.len()),
            wire::Values::Words(words) => {
                let text = std::str::from_utf8(&words.bytes).map_err(|_| "words are not UTF-8")?;
                let mut start = 0;
                for &end in &words.ends {
                    if text.get(start..end as usize).is_none() {
                        return Err("words overlap or end inside a character");
                    }
                    start = end as usize;
                }
                let highest = words.codes.iter().copied().max().unwrap_or(0) as usize;
                if highest >= words.ends.len() && (highest > 0 || column.has_values(rows)) {
                    return Err("a code without a word");
                }
                (Values::Words { codes: &words.codes, ends: &words.ends, text }, words.codes.len())
            }
            wire::Values::Points(points) => {
                let wire::Points { latitudes, longitudes } = points;
                if latitudes.len() != longitudes.len() {
                    return Err("not one longitude per latitude");
                }
                (Values::Points { latitudes, longitudes }, latitudes.len())
            }
        };
        if column.offsets.is_empty() {
            if len != rows {
                return Err("not one value per row");
            }
        } else {
            if column.offsets.len() != rows + 1 || column.offsets[0] != 0 {
                return Err("not one offset per row and a last");
            }
            if column.offsets.windows(2).any(|pair| pair[0] > pair[1]) {
                return Err("offsets go backwards");
            }
            if column.offsets[rows] as usize != len {
                return Err("the last offset is not the number of values");
            }
        }
        if !column.present.is_empty() && column.present.len() < rows.div_ceil(8) {
            return Err("fewer presence bits than rows");
        }
        let (present, offsets) = (&column.present, &column.offsets);
        Ok(Self { field: &column.field, is_mapped: column.is_mapped, values, present, offsets })
    }

    #[inline]
    pub(crate) fn is_present(&self, row: usize) -> bool {
        self.present.is_empty() || self.present[row / 8] & (1 << (row % 8)) != 0
    }

    /// The slots in `values` that `row` owns.
    #[inline]
    pub(crate) fn slots(&self, row: usize) -> std::ops::Range<usize> {
        if !self.offsets.is_empty() {
            self.offsets[row] as usize..self.offsets[row + 1] as usize
        } else if self.is_present(row) {
            row..row + 1
        } else {
            row..row
        }
    }

    #[inline]
    pub(crate) fn value(&self, slot: usize) -> Value<'p> {
        match self.values {
            Values::Integers(values) => Value::Integer(values[slot]),
            Values::Numbers(values) => Value::Number(values[slot]),
            Values::Booleans(values) => Value::Boolean(values[slot] != 0),
            Values::Words { codes, ends, text } => {
                let code = codes[slot] as usize;
                let start = if code == 0 { 0 } else { ends[code - 1] as usize };
                Value::Word(&text[start..ends[code] as usize])
            }
            Values::Points { latitudes, longitudes } => {
                Value::Point(Point { lat: latitudes[slot], lon: longitudes[slot] })
            }
        }
    }
}

impl wire::Column {
    /// Whether any of `rows` has a value; a column without values needs no words.
    fn has_values(&self, rows: usize) -> bool {
        if !self.offsets.is_empty() {
            return self.offsets.last() != Some(&0);
        }
        if self.present.is_empty() {
            return rows > 0;
        }
        (0..rows).any(|row| self.present.get(row / 8).is_some_and(|bits| bits & (1 << (row % 8)) != 0))
    }
}

fn words<'a>(ends: &'a [u32], text: &'a str) -> impl Iterator<Item = &'a str> {
    let mut start = 0;
    ends.iter().map(move |&end| {
        let word = &text[start..end as usize];
        start = end as usize;
        word
    })
}
