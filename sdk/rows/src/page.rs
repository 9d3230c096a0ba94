//! Answers, as columns.

/// One page of an answer, ordered by time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Milliseconds, one per row; raw, so that a page crosses into a sandbox unchanged.
    pub times: Vec<i64>,
    /// In the order in which the question named them.
    pub columns: Vec<Column>,
}

/// All values of one field on one page; layout as in the WIT.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The name of a field, metric or filter.
    pub field: String,
    /// Whether a mapping defines the field. Always true for metrics and filters.
    pub is_mapped: bool,
    /// All values, row after row.
    pub values: Values,
    /// A bit per row, least significant first; empty: every row has a value.
    pub present: Vec<u8>,
    /// Row `i` owns `values[offsets[i]..offsets[i + 1]]`; empty: every row owns exactly one.
    pub offsets: Vec<u32>,
}

/// A column's values, of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Whole numbers; dates in milliseconds since 1970-01-01T00:00:00Z.
    Integers(Vec<i64>),
    /// Floating-point numbers.
    Numbers(Vec<f64>),
    /// One byte each, 0 or 1.
    Booleans(Vec<u8>),
    /// Strings, including IP addresses.
    Words(Dictionary),
    /// Places on Earth.
    Points(Points),
}

/// Places on Earth, in degrees; both lists have the same length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Points {
    /// -90 to 90.
    pub latitudes: Vec<f64>,
    /// -180 to 180.
    pub longitudes: Vec<f64>,
}

/// Strings, each distinct one stored once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dictionary {
    /// The index of a word for each value; 0 if the value is missing, even if there are no words at all.
    pub codes: Vec<u32>,
    /// Where each word ends in `bytes`.
    pub ends: Vec<u32>,
    /// All words, one after another, in UTF-8.
    pub bytes: Vec<u8>,
}

/// Why a page is malformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsFault {
    /// The column.
    pub field: String,
    /// What is wrong with it.
    pub message: &'static str,
}

impl Rows {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The column called `field`.
    pub fn column(&self, field: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.field == field)
    }

    /// Checks the invariants of the layout.
    ///
    /// # Errors
    /// The first column whose lengths, offsets or codes do not match the number of rows.
    pub fn validate(&self) -> Result<(), RowsFault> {
        self.columns.iter().try_for_each(|column| {
            column.validate(self.len()).map_err(|message| RowsFault { field: column.field.clone(), message })
        })
    }

    /// The page's memory in bytes, for limits.
    pub fn bytes(&self) -> usize {
        self.times.len() * 8 + self.columns.iter().map(Column::bytes).sum::<usize>()
    }
}

impl Column {
    /// Whether `row` has a value. `row` must be less than the page's length.
    pub fn has(&self, row: usize) -> bool {
        if !self.offsets.is_empty() {
            return self.offsets[row] < self.offsets[row + 1];
        }
        self.present.is_empty() || self.present[row / 8] & (1 << (row % 8)) != 0
    }

    /// The slots in `values` that `row` owns; empty if it has none.
    pub fn slots(&self, row: usize) -> std::ops::Range<usize> {
        if !self.offsets.is_empty() {
            self.offsets[row] as usize..self.offsets[row + 1] as usize
        } else if self.has(row) {
            row..row + 1
        } else {
            row..row
        }
    }

    /// The column's memory in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let values = match &self.values {
            Values::Integers(values) => values.len() * 8,
            Values::Numbers(values) => values.len() * 8,
            Values::Booleans(values) => values.len(),
            Values::Words(words) => words.codes.len() * 4 + words.ends.len() * 4 + words.bytes.len(),
            Values::Points(points) => points.latitudes.len() * 16,
        };
        self.present.len() + self.offsets.len() * 4 + values
    }

    fn validate(&self, rows: usize) -> Result<(), &'static str> {
        let values = self.values.len();
        if self.offsets.is_empty() {
            if values != rows {
                return Err("not one value per row");
            }
        } else {
            if self.offsets.len() != rows + 1 || self.offsets[0] != 0 {
                return Err("not one offset per row and a last");
            }
            if self.offsets.windows(2).any(|pair| pair[0] > pair[1]) {
                return Err("offsets go backwards");
            }
            if self.offsets[rows] as usize != values {
                return Err("the last offset is not the number of values");
            }
        }
        if !self.present.is_empty() && self.present.len() < rows.div_ceil(8) {
            return Err("fewer presence bits than rows");
        }
        match &self.values {
            Values::Words(words) => words.validate(),
            Values::Points(points) if points.latitudes.len() != points.longitudes.len() => {
                Err("not one longitude per latitude")
            }
            _ => Ok(()),
        }
    }
}

impl Values {
    /// The number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Integers(v) => v.len(),
            Self::Numbers(v) => v.len(),
            Self::Booleans(v) => v.len(),
            Self::Words(d) => d.codes.len(),
            Self::Points(p) => p.latitudes.len().min(p.longitudes.len()),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Dictionary {
    /// The word behind the value at `slot`; `None` past the end or if the bytes are not UTF-8.
    pub fn word(&self, slot: usize) -> Option<&str> {
        let code = *self.codes.get(slot)? as usize;
        let end = *self.ends.get(code)? as usize;
        let start = if code == 0 { 0 } else { self.ends[code - 1] as usize };
        std::str::from_utf8(self.bytes.get(start..end)?).ok()
    }

    fn validate(&self) -> Result<(), &'static str> {
        if self.ends.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err("words overlap");
        }
        if self.ends.last().copied().unwrap_or(0) as usize != self.bytes.len() {
            return Err("the last word does not end where the bytes do");
        }
        let words = self.ends.len();
        if self.codes.iter().any(|&code| code as usize >= words.max(1)) {
            return Err("a code without a word");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(codes: &[u32]) -> Column {
        Column {
            field: "host".into(),
            is_mapped: true,
            values: Values::Words(Dictionary {
                codes: codes.to_vec(),
                ends: vec![1, 3],
                bytes: b"abc".to_vec(),
            }),
            present: vec![],
            offsets: vec![],
        }
    }

    #[test]
    fn a_page_of_words_reads_back() {
        let rows = Rows { times: vec![1, 2, 3], columns: vec![words(&[0, 1, 0])] };
        assert_eq!(rows.validate(), Ok(()));
        let Values::Words(dictionary) = &rows.columns[0].values else { panic!("words") };
        assert_eq!(dictionary.word(1), Some("bc"));
        assert_eq!(dictionary.word(3), None);
    }

    #[test]
    fn arrays_and_gaps_have_slots() {
        let column = Column {
            field: "n".into(),
            is_mapped: true,
            values: Values::Integers(vec![1, 2, 3]),
            present: vec![],
            offsets: vec![0, 2, 2, 3],
        };
        assert_eq!(column.slots(0), 0..2);
        assert!(!column.has(1));
        let sparse = Column {
            field: "n".into(),
            is_mapped: true,
            values: Values::Integers(vec![7, 0]),
            present: vec![0b01],
            offsets: vec![],
        };
        assert!(sparse.has(0) && !sparse.has(1));
        assert!(sparse.slots(1).is_empty());
    }

    #[test]
    fn broken_layouts_are_refused() {
        let short = Rows { times: vec![1, 2], columns: vec![words(&[0])] };
        assert_eq!(short.validate().unwrap_err().message, "not one value per row");
        let wild = Rows { times: vec![1], columns: vec![words(&[9])] };
        assert_eq!(wild.validate().unwrap_err().message, "a code without a word");
    }
}
