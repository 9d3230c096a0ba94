//! Rows, each in one group. A group is a combination of the key fields' values.
use hashbrown::HashMap;

use crate::asked::Asked;
use crate::label::label;
use crate::page::{Column, Dictionary, Rows, Values};

/// The maximum number of groups of a document whose key fields have several values.
pub const ROW_GROUPS_MAX: usize = 64;

/// One page of an answer as a rule sees it: a document comes once for each of its groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupedRows {
    /// Milliseconds, one per row.
    pub times: Vec<i64>,
    /// In the order in which the rule named them.
    pub columns: Vec<Column>,
    /// The rows' groups.
    pub groups: Groups,
    /// Whether a document had more than [`ROW_GROUPS_MAX`] groups; the others are left out.
    pub is_crowded: bool,
}

/// The groups of a page's rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Groups {
    /// The group of each row; empty: there is one group, without labels.
    pub rows: Vec<u32>,
    /// For each key field, a column of words whose row `g` is the value of group `g`.
    pub labels: Vec<Column>,
}

impl GroupedRows {
    /// Divides a page into groups. Its first columns are the key fields.
    pub(crate) fn of(rows: Rows, asked: &Asked) -> Self {
        let Rows { times, mut columns } = rows;
        let key: Vec<Column> = columns.drain(..asked.key.min(columns.len())).collect();
        let (groups, taken, is_crowded) = match &key[..] {
            [] => (Groups::default(), None, false),
            [one] if one.offsets.is_empty() && matches!(one.values, Values::Words(_)) => {
                (of_words(one), None, false)
            }
            several => combine(several, times.len()),
        };
        let mut columns = asked.arrange(&key, columns);
        let times = match &taken {
            None => times,
            Some(taken) => {
                columns = columns.iter().map(|column| column.take(taken)).collect();
                taken.iter().map(|row| times[*row as usize]).collect()
            }
        };
        Self { times, columns, groups, is_crowded }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The rows of `range`, with the groups of the whole page.
    pub(crate) fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let groups = Groups {
            rows: self.groups.rows.get(range.clone()).unwrap_or_default().to_vec(),
            labels: self.groups.labels.clone(),
        };
        Self {
            times: self.times[range.clone()].to_vec(),
            columns: self.columns.iter().map(|column| column.slice(range.clone())).collect(),
            groups,
            is_crowded: self.is_crowded,
        }
    }

    /// The page's memory in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let labels: usize = self.groups.labels.iter().map(Column::bytes).sum();
        let columns: usize = self.columns.iter().map(Column::bytes).sum();
        self.times.len() * 8 + self.groups.rows.len() * 4 + labels + columns
    }
}

/// The most frequent key: one field of words, one value per row. Its words are the groups.
fn of_words(column: &Column) -> Groups {
    let Values::Words(words) = &column.values else { return Groups::default() };
    let missing = words.ends.len() as u32;
    let mut rows = words.codes.clone();
    let mut has_missing = false;
    if !column.present.is_empty() {
        for (row, group) in rows.iter_mut().enumerate() {
            if !column.has(row) {
                *group = missing;
                has_missing = true;
            }
        }
    }
    let is_long = words.ends.iter().scan(0, |start, end| Some(end - std::mem::replace(start, *end)));
    let mut dictionary = if is_long.max().unwrap_or(0) as usize > crate::LABEL_BYTES_MAX {
        let mut short = Dictionary::default();
        for word in 0..words.ends.len() {
            short.add(&label(String::from_utf8_lossy(words.bytes_of(word)).into_owned()));
        }
        short
    } else {
        Dictionary { codes: Vec::new(), ends: words.ends.clone(), bytes: words.bytes.clone() }
    };
    dictionary.codes = (0..missing).collect();
    let mut present = Vec::new();
    if has_missing {
        dictionary.codes.push(0);
        present = vec![u8::MAX; dictionary.codes.len().div_ceil(8)];
        present[missing as usize / 8] &= !(1 << (missing % 8));
    }
    Groups { rows, labels: vec![labels(column, dictionary, present)] }
}

fn labels(of: &Column, words: Dictionary, present: Vec<u8>) -> Column {
    let field = of.field.clone();
    Column { field, is_mapped: of.is_mapped, values: Values::Words(words), present, offsets: Vec::new() }
}

/// A missing value's number among the values of a key field.
const MISSING: u32 = u32::MAX;

/// The distinct values of a key field on a page, numbered.
struct Part<'c> {
    column: &'c Column,
    /// The number of the value at each slot.
    numbers: Vec<u32>,
    /// A slot of each value.
    slots: Vec<u32>,
}

impl<'c> Part<'c> {
    fn of(column: &'c Column) -> Self {
        fn number<T: std::hash::Hash + Eq>(values: impl Iterator<Item = T>) -> (Vec<u32>, Vec<u32>) {
            let (mut known, mut slots) = (HashMap::new(), Vec::new());
            let numbers = values.zip(0..).map(|(value, slot)| {
                *known.entry(value).or_insert_with(|| {
                    slots.push(slot);
                    slots.len() as u32 - 1
                })
            });
            let numbers = numbers.collect();
            (numbers, slots)
        }
        let (numbers, slots) = match &column.values {
            Values::Integers(values) => number(values.iter()),
            Values::Numbers(values) => number(values.iter().map(|value| value.to_bits())),
            Values::Booleans(values) => number(values.iter().map(|value| *value != 0)),
            Values::Words(words) => number(words.codes.iter()),
            Values::Points(points) => {
                let bits = |degrees: &f64| degrees.to_bits();
                number(points.latitudes.iter().map(bits).zip(points.longitudes.iter().map(bits)))
            }
        };
        Self { column, numbers, slots }
    }

    /// The distinct values of `row`; one missing value if it has none.
    fn of_row(&self, row: usize, found: &mut Vec<u32>) {
        found.clear();
        for slot in self.column.slots(row) {
            let number = self.numbers[slot];
            if !found.contains(&number) {
                found.push(number);
            }
            // More cannot all become groups.
            if found.len() > ROW_GROUPS_MAX {
                return;
            }
        }
        if found.is_empty() {
            found.push(MISSING);
        }
    }

    fn labels(&self, groups: &[Vec<u32>], place: usize) -> Column {
        let mut words = Dictionary::default();
        let mut codes: HashMap<u32, u32> = HashMap::new();
        let mut present = vec![0_u8; groups.len().div_ceil(8)];
        for (group, parts) in groups.iter().enumerate() {
            let number = parts[place];
            if number == MISSING {
                words.codes.push(0);
                continue;
            }
            present[group / 8] |= 1 << (group % 8);
            let code = *codes
                .entry(number)
                .or_insert_with(|| words.add(&label(self.column.text(self.slots[number as usize] as usize))));
            words.codes.push(code);
        }
        labels(self.column, words, present)
    }
}

/// The groups of any key, and which row each of the new rows is, if they are not the same.
fn combine(key: &[Column], rows: usize) -> (Groups, Option<Vec<u32>>, bool) {
    let parts: Vec<Part<'_>> = key.iter().map(Part::of).collect();
    // Groups are found value by value: what is known of the first fields, then the next value.
    let mut known: Vec<HashMap<(u32, u32), u32>> = vec![HashMap::new(); parts.len()];
    let mut groups: Vec<Vec<u32>> = Vec::new();
    let mut beginnings: Vec<u32> = vec![0; parts.len()];
    let (mut of_rows, mut taken) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let mut values: Vec<Vec<u32>> = vec![Vec::new(); parts.len()];
    let mut is_crowded = false;
    for row in 0..rows {
        for (part, values) in parts.iter().zip(&mut values) {
            part.of_row(row, values);
        }
        let count = values.iter().try_fold(1_usize, |count, values| count.checked_mul(values.len()));
        let count = count.unwrap_or(usize::MAX);
        is_crowded |= count > ROW_GROUPS_MAX;
        for nth in 0..count.min(ROW_GROUPS_MAX) {
            // The last field's values change fastest.
            let mut rest = nth;
            let mut chosen: Vec<u32> = values
                .iter()
                .rev()
                .map(|values| {
                    let value = values[rest % values.len()];
                    rest /= values.len();
                    value
                })
                .collect();
            chosen.reverse();
            let last = parts.len() - 1;
            let mut beginning = 0;
            for (depth, value) in chosen.iter().enumerate() {
                let next = if depth == last { groups.len() as u32 } else { beginnings[depth] };
                beginning = *known[depth].entry((beginning, *value)).or_insert_with(|| {
                    if depth == last {
                        groups.push(chosen.clone());
                    } else {
                        beginnings[depth] += 1;
                    }
                    next
                });
            }
            of_rows.push(beginning);
            taken.push(row as u32);
        }
    }
    let labels = parts.iter().enumerate().map(|(place, part)| part.labels(&groups, place)).collect();
    let is_same = taken.len() == rows && taken.iter().enumerate().all(|(place, row)| place == *row as usize);
    (Groups { rows: of_rows, labels }, (!is_same).then_some(taken), is_crowded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(field: &str, rows: &[&[&str]]) -> Column {
        let mut words = Dictionary::default();
        let mut offsets = vec![0];
        for word in rows.iter().copied().flatten() {
            let known = (0..words.ends.len()).find(|known| words.bytes_of(*known) == word.as_bytes());
            let code = known.map_or_else(|| words.add(word), |known| known as u32);
            words.codes.push(code);
            let _ = words.codes.len();
        }
        rows.iter().fold(0, |end, row| {
            offsets.push(end + row.len() as u32);
            end + row.len() as u32
        });
        Column {
            field: field.into(),
            is_mapped: true,
            values: Values::Words(words),
            present: vec![],
            offsets,
        }
    }

    fn integers(field: &str, values: &[i64], present: u8) -> Column {
        let values = Values::Integers(values.to_vec());
        Column { field: field.into(), is_mapped: true, values, present: vec![present], offsets: vec![] }
    }

    /// Each row's labels, and its values in the columns.
    fn told(page: &GroupedRows) -> Vec<(i64, Vec<Option<String>>, Vec<String>)> {
        let row = |index: usize| {
            let group = page.groups.rows.get(index).map(|group| *group as usize);
            let labels = page.groups.labels.iter().map(|labels| {
                let group = group.expect("a group");
                labels.has(group).then(|| labels.text(labels.slots(group).start))
            });
            let values = page.columns.iter().map(|column| {
                column.slots(index).map(|slot| column.text(slot)).collect::<Vec<_>>().join("+")
            });
            (page.times[index], labels.collect(), values.collect())
        };
        (0..page.len()).map(row).collect()
    }

    fn label_of(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_document_comes_once_for_each_combination() {
        let columns = vec![
            words("tag", &[&["x", "y", "x"], &[], &["y"]]),
            integers("port", &[80, 0, 443], 0b101),
            words("user", &[&["ann"], &["bob"], &["ann", "eve"]]),
        ];
        let asked = Asked::new(&["tag", "port"], &["user"], 0, 10);
        let page = GroupedRows::of(Rows { times: vec![1, 2, 3], columns }, &asked);
        assert_eq!(
            told(&page),
            [
                (1, vec![label_of("x"), label_of("80")], vec!["ann".to_owned()]),
                (1, vec![label_of("y"), label_of("80")], vec!["ann".to_owned()]),
                (2, vec![None, None], vec!["bob".to_owned()]),
                (3, vec![label_of("y"), label_of("443")], vec!["ann+eve".to_owned()]),
            ]
        );
        assert!(!page.is_crowded);
    }

    #[test]
    fn one_field_of_words_needs_no_search_for_groups() {
        let mut column = words("host", &[&["a"], &["b"], &["a"]]);
        column.offsets.clear();
        column.present = vec![0b101];
        let asked = Asked::new(&["host"], &["host"], 0, 10);
        let page = GroupedRows::of(Rows { times: vec![1, 2, 3], columns: vec![column] }, &asked);
        assert_eq!(
            told(&page),
            [
                (1, vec![label_of("a")], vec!["a".to_owned()]),
                (2, vec![None], vec![String::new()]),
                (3, vec![label_of("a")], vec!["a".to_owned()]),
            ]
        );
    }

    #[test]
    fn both_ways_shorten_long_values() {
        let long = "Mozilla/5.0 ".repeat(200);
        let mut column = words("agent", &[&[&long], &["curl"]]);
        let asked = Asked::new(&["agent"], &[], 0, 10);
        let rows = |column: &Column| Rows { times: vec![1, 2], columns: vec![column.clone()] };
        let general = told(&GroupedRows::of(rows(&column), &asked));
        column.offsets.clear();
        assert_eq!(told(&GroupedRows::of(rows(&column), &asked)), general);
        assert_eq!(general[0].1, [Some(label(long))]);
    }

    #[test]
    fn a_crowd_is_bounded() {
        let many: Vec<String> = (0..200).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let columns = vec![words("a", &[&many]), words("b", &[&many])];
        let asked = Asked::new(&["a", "b"], &[], 0, 10);
        let page = GroupedRows::of(Rows { times: vec![1], columns }, &asked);
        assert!(page.is_crowded && page.len() == ROW_GROUPS_MAX);
        assert_eq!(page.groups.labels[0].values.len(), ROW_GROUPS_MAX);
    }
}
