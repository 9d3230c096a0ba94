//! A question, as far as its rows need it.
use crate::page::Column;

/// A question, as far as the order of its rows is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// How many columns, the first, are key fields.
    pub(crate) key: usize,
    /// For each field that the rule named, which key field it is; `None` if it has a column of its own.
    fields: Vec<Option<usize>>,
    /// No row is before this instant.
    pub(crate) start: i64,
    /// No row is at or after this instant.
    pub(crate) end: i64,
}

impl Asked {
    /// A question about documents between `start` and `end`: `key` are the columns that come first, `fields` those that
    /// the rule named. A field that is in both has one column.
    pub fn new<T: PartialEq>(key: &[T], fields: &[T], start: i64, end: i64) -> Self {
        let fields = fields.iter().map(|field| key.iter().position(|key| key == field)).collect();
        Self { key: key.len(), fields, start, end }
    }

    /// Puts the key before the fields that the rule named: the columns that [`new`](Self::new) expects in the answer.
    pub fn with_key<T: PartialEq + Clone>(key: &[T], fields: &mut Vec<T>) {
        fields.retain(|field| !key.contains(field));
        fields.splice(0..0, key.iter().cloned());
    }

    /// The columns in the rule's order.
    pub(crate) fn arrange(&self, key: &[Column], rest: Vec<Column>) -> Vec<Column> {
        let mut rest = rest.into_iter();
        let mut columns = Vec::with_capacity(self.fields.len() + rest.len());
        for field in &self.fields {
            match field {
                Some(place) => columns.extend(key.get(*place).cloned()),
                None => columns.extend(rest.next()),
            }
        }
        columns.extend(rest);
        columns
    }
}
