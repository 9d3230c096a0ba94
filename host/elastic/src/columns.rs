use watchbell_contract::{Column, Points, Timestamp, Values};
use watchbell_values::Precision;

use crate::{misfit::Misfit, plan::ColumnKind, point, words::Words};

/// One field's values while a page is read. Push a row's values between `begin` and `end`.
#[derive(Debug)]
pub(crate) struct ColumnBuilder {
    /// The number of rows.
    rows: usize,
    values: Slots,
    /// Empty until a row has no value.
    present: Vec<u8>,
    /// Empty until a row has several values.
    offsets: Vec<u32>,
}

#[derive(Debug)]
enum Slots {
    Integers(Vec<i64>),
    Numbers(Vec<f64>),
    /// As shown; with the last value and how it is shown, because neighbours are often equal.
    Rounded {
        values: Vec<f64>,
        precision: Precision,
        last: (f64, f64),
    },
    Booleans(Vec<u8>),
    Words {
        codes: Vec<u32>,
        words: Words,
    },
    Points(Points),
}

/// Doubles are written with a point or an exponent; a larger integer is an `unsigned_long`, and would be rounded.
const EXACT_MAX: u64 = 1 << 53;
const INEXACT: Misfit = Misfit("an integer beyond 2^53, which a number cannot hold exactly");
pub(crate) const NO_POINT: Misfit =
    Misfit("no place on Earth where a latitude and a longitude were expected");

impl ColumnBuilder {
    pub(crate) fn new(kind: ColumnKind) -> Self {
        let values = match kind {
            ColumnKind::Integers => Slots::Integers(vec![]),
            ColumnKind::Numbers => Slots::Numbers(vec![]),
            ColumnKind::Rounded(precision) => Slots::Rounded { values: vec![], precision, last: (0.0, 0.0) },
            ColumnKind::Booleans => Slots::Booleans(vec![]),
            ColumnKind::Words => Slots::Words { codes: vec![], words: Words::default() },
            ColumnKind::Points => Slots::Points(Points::default()),
        };
        Self { rows: 0, values, present: vec![], offsets: vec![] }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn is_of_points(&self) -> bool {
        matches!(self.values, Slots::Points(_))
    }

    pub(crate) fn begin(&self) -> usize {
        self.values.len()
    }

    /// Ends the row whose values begin at `start`, as returned by `begin`.
    pub(crate) fn end(&mut self, start: usize) {
        match self.values.len() - start {
            0 => self.missing(),
            1 => {
                if self.offsets.is_empty() {
                    self.mark(true);
                } else {
                    self.offsets.push(self.values.len() as u32);
                }
                self.rows += 1;
            }
            _ => {
                self.spread();
                self.offsets.push(self.values.len() as u32);
                self.rows += 1;
            }
        }
    }

    pub(crate) fn missing(&mut self) {
        if self.offsets.is_empty() {
            self.mark(false);
            self.values.placeholder();
        } else {
            self.offsets.push(self.values.len() as u32);
        }
        self.rows += 1;
    }

    pub(crate) fn integer(&mut self, value: i64) -> Result<(), Misfit> {
        match &mut self.values {
            Slots::Integers(values) => values.push(value),
            Slots::Numbers(_) | Slots::Rounded { .. } if value.unsigned_abs() > EXACT_MAX => {
                return Err(INEXACT);
            }
            Slots::Numbers(values) | Slots::Rounded { values, .. } => values.push(value as f64),
            Slots::Booleans(values) if matches!(value, 0 | 1) => values.push(value as u8),
            Slots::Booleans(_) => return Err(Misfit("a number where a boolean was expected")),
            Slots::Words { .. } => return self.text(&value.to_string()),
            Slots::Points(_) => return Err(NO_POINT),
        }
        Ok(())
    }

    pub(crate) fn unsigned(&mut self, value: u64) -> Result<(), Misfit> {
        match (&mut self.values, i64::try_from(value)) {
            (_, Ok(value)) => self.integer(value),
            (Slots::Numbers(_) | Slots::Rounded { .. }, Err(_)) => Err(INEXACT),
            (Slots::Words { .. }, Err(_)) => self.text(&value.to_string()),
            _ => Err(Misfit("an integer beyond 64 signed bits")),
        }
    }

    pub(crate) fn number(&mut self, value: f64) -> Result<(), Misfit> {
        match &mut self.values {
            Slots::Numbers(values) => values.push(value),
            Slots::Rounded { values, precision, last } => {
                if last.0 != value {
                    *last = (value, precision.shown(value));
                }
                values.push(last.1);
            }
            // Below 2^63 the conversion is exact for whole numbers.
            Slots::Integers(values) if value.fract() == 0.0 && value.abs() < 9_223_372_036_854_775_808.0 => {
                values.push(value as i64);
            }
            Slots::Integers(_) => return Err(Misfit("a fraction where an integer was expected")),
            Slots::Booleans(_) => return Err(Misfit("a number where a boolean was expected")),
            Slots::Words { .. } => return self.text(&value.to_string()),
            Slots::Points(_) => return Err(NO_POINT),
        }
        Ok(())
    }

    pub(crate) fn boolean(&mut self, value: bool) -> Result<(), Misfit> {
        match &mut self.values {
            Slots::Booleans(values) => values.push(value.into()),
            Slots::Words { .. } => return self.text(if value { "true" } else { "false" }),
            Slots::Points(_) => return Err(NO_POINT),
            _ => return Err(Misfit("a boolean where a number was expected")),
        }
        Ok(())
    }

    pub(crate) fn text(&mut self, value: &str) -> Result<(), Misfit> {
        match &mut self.values {
            Slots::Words { codes, words } => codes.push(words.code(value.as_bytes())),
            Slots::Integers(values) => {
                values.push(instant_or_integer(value).ok_or(Misfit("text where an integer was expected"))?);
            }
            Slots::Numbers(_) | Slots::Rounded { .. } => {
                let value = value.parse().map_err(|_| Misfit("text where a number was expected"))?;
                return self.number(value);
            }
            Slots::Booleans(values) => values.push(match value {
                "true" => 1,
                "false" | "" => 0,
                _ => return Err(Misfit("text where a boolean was expected")),
            }),
            Slots::Points(points) => put_point(points, point::parse(value))?,
        }
        Ok(())
    }

    /// Degrees. Only for a column of points.
    pub(crate) fn point(&mut self, latitude: f64, longitude: f64) -> Result<(), Misfit> {
        match &mut self.values {
            Slots::Points(points) => put_point(points, point::checked(latitude, longitude)),
            _ => Err(Misfit("a place where another value was expected")),
        }
    }

    /// Shows the last row's numbers in a field's `precision`.
    pub(crate) fn round_last(&mut self, precision: Precision) {
        let slots = self.rows.checked_sub(1).map_or(0..0, |row| self.slots(row));
        if let Slots::Numbers(values) = &mut self.values {
            values[slots].iter_mut().for_each(|value| *value = precision.shown(*value));
        }
    }

    /// Appends rows `rows` of `other`, a column of the same kind.
    pub(crate) fn adopt(&mut self, other: &Self, rows: std::ops::Range<usize>) {
        for row in rows {
            let start = self.begin();
            for slot in other.slots(row) {
                match (&mut self.values, &other.values) {
                    (Slots::Integers(to), Slots::Integers(from)) => to.push(from[slot]),
                    (Slots::Numbers(to), Slots::Numbers(from))
                    | (Slots::Rounded { values: to, .. }, Slots::Rounded { values: from, .. }) => {
                        to.push(from[slot])
                    }
                    (Slots::Booleans(to), Slots::Booleans(from)) => to.push(from[slot]),
                    (Slots::Words { codes: to, words }, Slots::Words { codes: from, words: known }) => {
                        to.push(words.code(known.word(from[slot])));
                    }
                    (Slots::Points(to), Slots::Points(from)) => {
                        to.latitudes.push(from.latitudes[slot]);
                        to.longitudes.push(from.longitudes[slot]);
                    }
                    // The plan sets the kinds, and outlives all pages of an answer.
                    _ => {}
                }
            }
            self.end(start);
        }
    }

    /// Keeps the first `rows` rows.
    pub(crate) fn truncate(&mut self, rows: usize) {
        let values = if self.offsets.is_empty() { rows } else { self.offsets[rows] as usize };
        match &mut self.values {
            Slots::Integers(v) => v.truncate(values),
            Slots::Numbers(v) | Slots::Rounded { values: v, .. } => v.truncate(values),
            Slots::Booleans(v) => v.truncate(values),
            Slots::Words { codes, .. } => codes.truncate(values),
            Slots::Points(points) => {
                points.latitudes.truncate(values);
                points.longitudes.truncate(values);
            }
        }
        if !self.offsets.is_empty() {
            self.offsets.truncate(rows + 1);
        }
        if !self.present.is_empty() {
            self.present.truncate(rows.div_ceil(8));
            // Later rows only set bits.
            if let Some(last) = self.present.last_mut()
                && !rows.is_multiple_of(8)
            {
                *last &= (1 << (rows % 8)) - 1;
            }
        }
        self.rows = rows;
    }

    /// Reorders the rows: row `i` becomes what row `order[i]` was.
    pub(crate) fn reorder(&mut self, order: &[u32]) {
        let slots: Vec<u32> = if self.offsets.is_empty() {
            order.to_vec()
        } else {
            order.iter().flat_map(|&row| self.slots(row as usize)).map(|slot| slot as u32).collect()
        };
        match &mut self.values {
            Slots::Integers(v) => *v = slots.iter().map(|&slot| v[slot as usize]).collect(),
            Slots::Numbers(v) | Slots::Rounded { values: v, .. } => {
                *v = slots.iter().map(|&slot| v[slot as usize]).collect()
            }
            Slots::Booleans(v) => *v = slots.iter().map(|&slot| v[slot as usize]).collect(),
            Slots::Words { codes, .. } => *codes = slots.iter().map(|&slot| codes[slot as usize]).collect(),
            Slots::Points(Points { latitudes, longitudes }) => {
                *latitudes = slots.iter().map(|&slot| latitudes[slot as usize]).collect();
                *longitudes = slots.iter().map(|&slot| longitudes[slot as usize]).collect();
            }
        }
        if !self.present.is_empty() {
            let mut present = vec![0; self.present.len()];
            for (to, &from) in order.iter().enumerate() {
                let from = from as usize;
                present[to / 8] |= (self.present[from / 8] >> (from % 8) & 1) << (to % 8);
            }
            self.present = present;
        }
        if !self.offsets.is_empty() {
            let mut end = 0;
            let mut offsets = Vec::with_capacity(self.offsets.len());
            offsets.push(0);
            for &row in order {
                end += self.offsets[row as usize + 1] - self.offsets[row as usize];
                offsets.push(end);
            }
            self.offsets = offsets;
        }
    }

    /// A column of what documents and mappings do not name: a metric, a count, part of a raw search.
    pub(crate) fn finish(self, field: String) -> Column {
        self.finish_field(field, true)
    }

    /// - `is_mapped`: whether a mapping of the searched indices defines the field.
    pub(crate) fn finish_field(self, field: String, is_mapped: bool) -> Column {
        let values = match self.values {
            Slots::Integers(v) => Values::Integers(v),
            Slots::Numbers(v) | Slots::Rounded { values: v, .. } => Values::Numbers(v),
            Slots::Booleans(v) => Values::Booleans(v),
            Slots::Words { codes, words } => Values::Words(words.dictionary(codes)),
            Slots::Points(points) => Values::Points(points),
        };
        Column { field, is_mapped, values, present: self.present, offsets: self.offsets }
    }

    fn slots(&self, row: usize) -> std::ops::Range<usize> {
        if !self.offsets.is_empty() {
            self.offsets[row] as usize..self.offsets[row + 1] as usize
        } else if self.present.is_empty() || self.present[row / 8] & (1 << (row % 8)) != 0 {
            row..row + 1
        } else {
            row..row
        }
    }

    /// Records whether the next row has a value, from the first row without one.
    fn mark(&mut self, has: bool) {
        let row = self.rows;
        if self.present.is_empty() {
            if has {
                return;
            }
            self.present = vec![0xff; row / 8];
            if !row.is_multiple_of(8) {
                self.present.push((1 << (row % 8)) - 1);
            }
        }
        if row / 8 == self.present.len() {
            self.present.push(0);
        }
        self.present[row / 8] |= u8::from(has) << (row % 8);
    }

    /// Switches from one value per row to offsets; placeholders of missing rows are dropped.
    fn spread(&mut self) {
        if !self.offsets.is_empty() {
            return;
        }
        let rows = self.rows;
        self.offsets.reserve(rows + 2);
        self.offsets.push(0);
        if self.present.is_empty() {
            self.offsets.extend(1..=rows as u32);
            return;
        }
        let present = std::mem::take(&mut self.present);
        let has = &|row: usize| row >= rows || present[row / 8] & (1 << (row % 8)) != 0;
        let mut end = 0;
        for row in 0..rows {
            end += u32::from(has(row));
            self.offsets.push(end);
        }
        fn keep<T>(values: &mut Vec<T>, has: &impl Fn(usize) -> bool) {
            let mut row = 0;
            values.retain(|_| {
                row += 1;
                has(row - 1)
            });
        }
        match &mut self.values {
            Slots::Integers(v) => keep(v, has),
            Slots::Numbers(v) | Slots::Rounded { values: v, .. } => keep(v, has),
            Slots::Booleans(v) => keep(v, has),
            Slots::Words { codes, .. } => keep(codes, has),
            Slots::Points(Points { latitudes, longitudes }) => {
                keep(latitudes, has);
                keep(longitudes, has);
            }
        }
    }
}

impl Slots {
    fn len(&self) -> usize {
        match self {
            Self::Integers(v) => v.len(),
            Self::Numbers(v) | Self::Rounded { values: v, .. } => v.len(),
            Self::Booleans(v) => v.len(),
            Self::Words { codes, .. } => codes.len(),
            Self::Points(points) => points.latitudes.len(),
        }
    }

    fn placeholder(&mut self) {
        match self {
            Self::Integers(v) => v.push(0),
            Self::Numbers(v) | Self::Rounded { values: v, .. } => v.push(0.0),
            Self::Booleans(v) => v.push(0),
            Self::Words { codes, .. } => codes.push(0),
            Self::Points(points) => {
                points.latitudes.push(0.0);
                points.longitudes.push(0.0);
            }
        }
    }
}

fn put_point(points: &mut Points, point: Option<(f64, f64)>) -> Result<(), Misfit> {
    let (latitude, longitude) = point.ok_or(NO_POINT)?;
    points.latitudes.push(latitude);
    points.longitudes.push(longitude);
    Ok(())
}

/// `1700000000000`, `1700000000000.123456` (how `epoch_millis` shows nanoseconds) or an RFC 3339 date, in whole
/// milliseconds rounded towards the past.
pub(crate) fn instant_or_integer(text: &str) -> Option<i64> {
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    if let Some((whole, fraction)) = text.split_once('.')
        && let Ok(value) = whole.parse::<i64>()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
    {
        let below = whole.starts_with('-') && fraction.bytes().any(|byte| byte != b'0');
        return value.checked_sub(i64::from(below));
    }
    text.parse::<Timestamp>().ok().map(|at| at.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_then_arrays_keep_every_row_in_its_place() {
        let mut column = ColumnBuilder::new(ColumnKind::Integers);
        for row in [&[1][..], &[], &[2], &[3, 4], &[], &[5]] {
            let start = column.begin();
            row.iter().for_each(|&value| column.integer(value).unwrap());
            column.end(start);
        }
        let column = column.finish("n".into());
        assert_eq!(column.offsets, [0, 1, 1, 2, 4, 4, 5]);
        assert_eq!(column.values, Values::Integers(vec![1, 2, 3, 4, 5]));
        assert!(column.present.is_empty());
    }

    #[test]
    fn numbers_are_shown_in_the_precision_of_their_field() {
        let mut column = ColumnBuilder::new(ColumnKind::Rounded(Precision::Single));
        let start = column.begin();
        column.number(0.10000000149011612).unwrap();
        column.number(0.10000000149011612).unwrap();
        column.integer(3).unwrap();
        column.text("0.30000001192092896").unwrap();
        column.end(start);
        assert_eq!(column.finish("n".into()).values, Values::Numbers(vec![0.1, 0.1, 3.0, 0.3]));
    }

    #[test]
    fn a_ninth_row_without_a_value_has_its_own_byte() {
        let mut column = ColumnBuilder::new(ColumnKind::Words);
        for _ in 0..8 {
            let start = column.begin();
            column.text("a").unwrap();
            column.end(start);
        }
        column.missing();
        let column = column.finish("w".into());
        assert_eq!(column.present, [0xff, 0]);
        assert!(column.has(7) && !column.has(8));
    }

    #[test]
    fn instants_are_read_in_every_form() {
        assert_eq!(instant_or_integer("1700000000000"), Some(1_700_000_000_000));
        assert_eq!(instant_or_integer("1700000000000.999999"), Some(1_700_000_000_000));
        assert_eq!(instant_or_integer("-1.5"), Some(-2));
        assert_eq!(instant_or_integer("-0.5"), Some(-1));
        assert_eq!(instant_or_integer("2023-11-14T22:13:20.123456789Z"), Some(1_700_000_000_123));
        assert_eq!(instant_or_integer("yesterday"), None);
    }
}
