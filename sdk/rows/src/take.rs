//! Some rows of a page.
use std::ops::Range;

use crate::page::{Column, Dictionary, Points, Values};

/// Not yet numbered.
const UNKNOWN: u32 = u32::MAX;

impl Column {
    /// These rows, in this order; a row may come several times. Of the words, only those that are used remain.
    pub(crate) fn take(&self, rows: &[u32]) -> Self {
        let mut slots = Vec::with_capacity(rows.len());
        let mut offsets = Vec::new();
        if self.offsets.is_empty() {
            slots.extend_from_slice(rows);
        } else {
            offsets.reserve(rows.len() + 1);
            offsets.push(0);
            for &row in rows {
                slots.extend(self.offsets[row as usize]..self.offsets[row as usize + 1]);
                offsets.push(slots.len() as u32);
            }
        }
        let mut present = Vec::new();
        if !self.present.is_empty() {
            present.resize(rows.len().div_ceil(8), 0);
            for (place, &row) in rows.iter().enumerate() {
                let bit = self.present[row as usize / 8] >> (row % 8) & 1;
                present[place / 8] |= bit << (place % 8);
            }
        }
        let field = self.field.clone();
        Self { field, is_mapped: self.is_mapped, values: self.values.take(&slots), present, offsets }
    }

    /// The rows of `range`.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        let rows: Vec<u32> = range.map(|row| row as u32).collect();
        self.take(&rows)
    }
}

impl Values {
    fn take(&self, slots: &[u32]) -> Self {
        fn of<T: Copy>(values: &[T], slots: &[u32]) -> Vec<T> {
            slots.iter().map(|&slot| values[slot as usize]).collect()
        }
        match self {
            Self::Integers(values) => Self::Integers(of(values, slots)),
            Self::Numbers(values) => Self::Numbers(of(values, slots)),
            Self::Booleans(values) => Self::Booleans(of(values, slots)),
            Self::Points(points) => Self::Points(Points {
                latitudes: of(&points.latitudes, slots),
                longitudes: of(&points.longitudes, slots),
            }),
            Self::Words(words) => Self::Words(words.take(slots)),
        }
    }
}

impl Dictionary {
    fn take(&self, slots: &[u32]) -> Self {
        let mut taken = Self { codes: Vec::with_capacity(slots.len()), ..Self::default() };
        let mut numbers = vec![UNKNOWN; self.ends.len()];
        for &slot in slots {
            let code = self.codes[slot as usize] as usize;
            let Some(number) = numbers.get_mut(code) else {
                // A missing value, in a column that has no words.
                taken.codes.push(0);
                continue;
            };
            if *number == UNKNOWN {
                *number = taken.ends.len() as u32;
                taken.bytes.extend_from_slice(self.bytes_of(code));
                taken.ends.push(taken.bytes.len() as u32);
            }
            taken.codes.push(*number);
        }
        taken
    }

    /// The bytes of the word with this number.
    pub(crate) fn bytes_of(&self, word: usize) -> &[u8] {
        let start = if word == 0 { 0 } else { self.ends[word - 1] as usize };
        &self.bytes[start..self.ends[word] as usize]
    }

    /// Adds a word that is not in it yet, and returns its number.
    pub(crate) fn add(&mut self, word: &str) -> u32 {
        self.bytes.extend_from_slice(word.as_bytes());
        self.ends.push(self.bytes.len() as u32);
        self.ends.len() as u32 - 1
    }
}
