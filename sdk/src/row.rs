//! One row: its time, its key and the requested fields, borrowed from the page.
use crate::Timestamp;
use crate::key::{Key, Labels};
use crate::page::{Column, Page};
use crate::question::type_column;
use crate::value::{Point, Value};

/// A document, a bucket, or a row of another answer. If key fields have several values, the rule sees the row once for
/// each combination of them, at most 64 times.
///
/// Fields are read by name. Reading a field that was not requested, or as a type that its column does not have, fails
/// the run with a message once the page has been processed. In any other case `None` means that the document has no
/// value.
///
/// ```
/// use watchbell_sdk::prelude::*;
///
/// fn row(row: &Row<'_>) -> Option<String> {
///     let user = row.text("user.name")?; // `None`: this document has none
///     let took = row.number("took").unwrap_or_default();
///     let is_tagged = row.texts("tags").any(|tag| tag == "slow");
///     (is_tagged || took > 900.0).then(|| format!("{user} at {} took {took} ms", row.time()))
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Row<'p> {
    pub(crate) page: &'p Page<'p>,
    pub(crate) index: usize,
    pub(crate) key: Key,
}

impl<'p> Row<'p> {
    /// The rows of a page, in order of time.
    #[inline]
    pub(crate) fn all(page: &'p Page<'p>) -> impl Iterator<Item = Self> {
        (0..page.times.len()).map(move |index| Self { page, index, key: page.key(index) })
    }

    /// The document's time, or the bucket's start. For raw searches and cluster views, the last millisecond of the
    /// question's range.
    #[inline]
    pub fn time(&self) -> Timestamp {
        Timestamp(self.page.times[self.index])
    }

    /// The group that the row belongs to. Without key fields it is the same for all rows.
    #[inline]
    pub fn key(&self) -> Key {
        self.key
    }

    /// The values of the key fields, for a signal. A value longer than 1 KiB is truncated and ends in a hash of the
    /// whole. This allocates, so call it only when there is something to report.
    pub fn labels(&self) -> Labels {
        let Some(&group) = self.page.groups.get(self.index) else { return Labels::default() };
        let group = group as usize;
        let value = |column: &Column<'p>| column.is_present(group).then(|| column.value(group).to_string());
        Labels(self.page.labels.iter().map(value).collect())
    }

    /// The index of the question that the row answers, counted from 0 within the round.
    pub fn question(&self) -> usize {
        self.page.question
    }

    /// Whether a mapping of the searched indices defines `field`. If not, no document has a value: the field's name may
    /// be wrong.
    pub fn is_mapped(&self, field: &str) -> bool {
        self.column(field).is_some_and(|column| column.is_mapped)
    }

    /// Whether the row has a value in `field`.
    pub fn has(&self, field: &str) -> bool {
        self.value(field).is_some()
    }

    /// The mapped type of `field` in the row's index, such as `keyword`; `None` if no mapping defines the field. The
    /// question must have asked for it ([`Question::type_of`]).
    ///
    /// [`Question::type_of`]: crate::Question::type_of
    pub fn type_of(&self, field: &str) -> Option<&'p str> {
        match self.value(&type_column(field)) {
            Some(Value::Word(kind)) => Some(kind),
            _ => None,
        }
    }

    /// The first value of `field`, whatever its type.
    #[inline]
    pub fn value(&self, field: &str) -> Option<Value<'p>> {
        let column = self.column(field)?;
        let slots = column.slots(self.index);
        (!slots.is_empty()).then(|| column.value(slots.start))
    }

    /// All values of `field`, in the order in which the cluster returned them.
    pub fn values(&self, field: &str) -> impl Iterator<Item = Value<'p>> + use<'p> {
        let column = self.column(field);
        let slots = column.map_or(0..0, |column| column.slots(self.index));
        slots.filter_map(move |slot| Some(column?.value(slot)))
    }

    /// The first value of a field of words.
    #[inline]
    pub fn text(&self, field: &str) -> Option<&'p str> {
        match self.value(field)? {
            Value::Word(word) => Some(word),
            other => self.blame(field, "words", other),
        }
    }

    /// All values of a field of words.
    pub fn texts(&self, field: &str) -> impl Iterator<Item = &'p str> {
        self.values(field).filter_map(move |value| match value {
            Value::Word(word) => Some(word),
            other => self.blame(field, "words", other),
        })
    }

    /// The first value of a field of integers or dates (milliseconds since 1970).
    #[inline]
    pub fn integer(&self, field: &str) -> Option<i64> {
        match self.value(field)? {
            Value::Integer(number) => Some(number),
            other => self.blame(field, "integers", other),
        }
    }

    /// The first value of a field of numbers, integers included.
    #[inline]
    pub fn number(&self, field: &str) -> Option<f64> {
        match self.value(field)? {
            Value::Number(number) => Some(number),
            Value::Integer(number) => Some(number as f64),
            other => self.blame(field, "numbers", other),
        }
    }

    /// The first value of a field of booleans.
    #[inline]
    pub fn boolean(&self, field: &str) -> Option<bool> {
        match self.value(field)? {
            Value::Boolean(truth) => Some(truth),
            other => self.blame(field, "booleans", other),
        }
    }

    /// The first value of a field of places (`geo_point`).
    #[inline]
    pub fn point(&self, field: &str) -> Option<Point> {
        match self.value(field)? {
            Value::Point(point) => Some(point),
            other => self.blame(field, "points", other),
        }
    }

    /// Fails the run because the answer lacks what the rule needs; `message` should say what, and what to do. Does not
    /// return early: the page is processed to its end, and the first message is reported.
    pub fn refuse(&self, message: impl FnOnce() -> String) {
        self.page.blame(message);
    }

    #[inline]
    fn column(&self, field: &str) -> Option<&'p Column<'p>> {
        let column = self.page.columns.iter().find(|column| column.field == field);
        if column.is_none() {
            self.page.blame(|| format!("no column `{field}`: ask for the field in `ask`"));
        }
        column
    }

    #[cold]
    fn blame<T>(&self, field: &str, wanted: &str, got: Value<'_>) -> Option<T> {
        let got = match got {
            Value::Integer(_) => "integers",
            Value::Number(_) => "numbers",
            Value::Boolean(_) => "booleans",
            Value::Word(_) => "words",
            Value::Point(_) => "points",
        };
        self.page.blame(|| {
            format!("column `{field}` holds {got} where the rule reads {wanted}: check the field's mapping")
        });
        None
    }
}
