//! One page of an answer: its columns checked once, so that reading a row needs no further doubt.
use std::cell::{Cell, RefCell};
use std::fmt::Write;

use crate::Key;
use crate::key::hash;
use crate::row::{Row, Value};
use crate::wire::types as wire;

/// How many groups one row may belong to, where key fields hold several values each.
const ROW_KEYS_MAX: usize = 64;
/// Stands for a missing value among a row's key slots.
pub(crate) const MISSING: u32 = u32::MAX;

pub(crate) struct Page<'p> {
    pub(crate) question: usize,
    pub(crate) times: &'p [i64],
    pub(crate) columns: Vec<Column<'p>>,
    keys: Keys,
    /// The first thing that a rule asked of this page in vain.
    fault: RefCell<Option<String>>,
    /// Some row belongs to more groups than it may.
    has_crowd: Cell<bool>,
}

pub(crate) struct Column<'p> {
    pub(crate) field: &'p str,
    values: Values<'p>,
    present: &'p [u8],
    offsets: &'p [u32],
}

#[derive(Clone, Copy)]
enum Values<'p> {
    Integers(&'p [i64]),
    Numbers(&'p [f64]),
    Booleans(&'p [u8]),
    Words { codes: &'p [u32], ends: &'p [u32], text: &'p str },
}

/// How a row's key is found. The first `n` columns are the key fields.
enum Keys {
    /// There are no key fields.
    Whole,
    /// One field of words, one value each: the key of each word.
    OneWord(Vec<Key>),
    /// Anything else: for columns of words, the hash of each word.
    Many(Vec<Vec<u64>>),
}

impl<'p> Page<'p> {
    /// # Errors
    /// Says which column does not fit its page.
    pub(crate) fn new(rows: &'p wire::Rows, key_fields: usize, question: usize) -> Result<Self, String> {
        let columns = rows
            .columns
            .iter()
            .map(|column| {
                Column::new(column, rows.times.len())
                    .map_err(|fault| format!("column `{}`: {fault}", column.field))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let Some(key_columns) = columns.get(..key_fields) else {
            return Err(format!("{} columns, fewer than the {key_fields} key fields", columns.len()));
        };
        let keys = match key_columns {
            [] => Keys::Whole,
            [Column { values: Values::Words { ends, text, .. }, offsets: [], .. }] => {
                Keys::OneWord(words(ends, text).map(|word| Key::WHOLE.and(hash(word.as_bytes()))).collect())
            }
            columns => Keys::Many(
                columns
                    .iter()
                    .map(|column| match column.values {
                        Values::Words { ends, text, .. } => {
                            words(ends, text).map(|word| hash(word.as_bytes())).collect()
                        }
                        _ => vec![],
                    })
                    .collect(),
            ),
        };
        Ok(Self {
            question,
            times: &rows.times,
            columns,
            keys,
            fault: RefCell::default(),
            has_crowd: Cell::new(false),
        })
    }

    /// Hands the row at `index` to `fold`, once for each group that it belongs to. `slots` is scratch.
    #[inline]
    pub(crate) fn each_key(&self, index: usize, slots: &mut Vec<u32>, mut fold: impl FnMut(&Row<'_>)) {
        match &self.keys {
            Keys::Whole => fold(&Row { page: self, index, key: Key::WHOLE, slots: &[] }),
            Keys::OneWord(keys) => {
                let column = &self.columns[0];
                let (key, slot) = match column.values {
                    Values::Words { codes, .. } if column.is_present(index) => {
                        (keys[codes[index] as usize], index as u32)
                    }
                    _ => (Key::WHOLE.and_missing(), MISSING),
                };
                fold(&Row { page: self, index, key, slots: &[slot] });
            }
            Keys::Many(hashes) => {
                slots.clear();
                slots.resize(hashes.len(), MISSING);
                let mut left = ROW_KEYS_MAX;
                self.combine(index, hashes, 0, Key::WHOLE, slots, &mut left, &mut fold);
            }
        }
    }

    /// Walks the product of the key fields' values, as a terms aggregation over them would.
    #[expect(clippy::too_many_arguments, reason = "one recursion, its state spelled out")]
    fn combine(
        &self,
        index: usize,
        hashes: &[Vec<u64>],
        depth: usize,
        key: Key,
        slots: &mut Vec<u32>,
        left: &mut usize,
        fold: &mut impl FnMut(&Row<'_>),
    ) {
        let Some(words) = hashes.get(depth) else {
            if *left > 0 {
                *left -= 1;
                fold(&Row { page: self, index, key, slots });
            }
            return;
        };
        let column = &self.columns[depth];
        let owned = column.slots(index);
        if owned.is_empty() {
            slots[depth] = MISSING;
            return self.combine(index, hashes, depth + 1, key.and_missing(), slots, left, fold);
        }
        for slot in owned {
            if *left == 0 {
                return self.warn_of_crowd();
            }
            let part = match column.values {
                Values::Words { codes, .. } => words[codes[slot] as usize],
                _ => Text::of(column.value(slot)).hash(),
            };
            slots[depth] = slot as u32;
            self.combine(index, hashes, depth + 1, key.and(part), slots, left, fold);
        }
    }

    #[cold]
    fn warn_of_crowd(&self) {
        if !self.has_crowd.replace(true) {
            crate::log::warn(format_args!(
                "a row has more than {ROW_KEYS_MAX} combinations of key values: the rest is left out"
            ));
        }
    }

    /// Remembers the first wrong request, to fail the run when the page is done.
    #[cold]
    pub(crate) fn blame(&self, fault: impl FnOnce() -> String) {
        self.fault.borrow_mut().get_or_insert_with(fault);
    }

    pub(crate) fn into_fault(self) -> Option<String> {
        self.fault.into_inner()
    }
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
                        return Err("words overlap or end within a character");
                    }
                    start = end as usize;
                }
                let highest = words.codes.iter().copied().max().unwrap_or(0) as usize;
                if highest >= words.ends.len() && (highest > 0 || column.has_values(rows)) {
                    return Err("a code without a word");
                }
                (Values::Words { codes: &words.codes, ends: &words.ends, text }, words.codes.len())
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
        Ok(Self { field: &column.field, values, present: &column.present, offsets: &column.offsets })
    }

    #[inline]
    fn is_present(&self, row: usize) -> bool {
        self.present.is_empty() || self.present[row / 8] & (1 << (row % 8)) != 0
    }

    /// The places in `values` that `row` owns.
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
        }
    }
}

impl wire::Column {
    /// Whether any of `rows` has a value at all: a column without one needs no words.
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

/// The hash of a value as its label reads.
pub(crate) fn hash_of(value: Value<'_>) -> u64 {
    match value {
        Value::Word(word) => hash(word.as_bytes()),
        value => Text::of(value).hash(),
    }
}

/// A value as its label reads, written without allocating.
struct Text {
    bytes: [u8; 64],
    len: usize,
}

impl Text {
    fn of(value: Value<'_>) -> Self {
        let mut text = Self { bytes: [0; 64], len: 0 };
        // Numbers are written in at most 30 characters: nothing is ever cut.
        let _ = write!(text, "{value}");
        text
    }

    fn hash(&self) -> u64 {
        hash(&self.bytes[..self.len])
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
