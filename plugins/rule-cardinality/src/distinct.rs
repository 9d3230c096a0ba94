//! What is known of keys and values: in which cell each value of a key was seen last, and how many of a key's values
//! were seen last in which cell.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;

use crate::Cardinality;

/// Values of all keys: each is a hash of key and value, and a cell.
const VALUES_MAX: usize = 1_000_000;
const VALUES_BYTES: usize = 20 << 20;
const KEYS_MAX: usize = 200_000;
const KEYS_BYTES: usize = 18 << 20;

#[derive(Default, Serialize, Deserialize)]
pub struct Seen {
    pub(crate) keys: KeyMap<Distinct, KEYS_MAX, KEYS_BYTES>,
    /// Larger than ever used: a value that the map forgot by itself would be counted twice when it came again.
    values: KeyMap<LastSeen, { VALUES_MAX + 1 }, VALUES_BYTES>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Distinct {
    /// Of a key that was told, or may be told at a check.
    pub(crate) labels: Option<Box<Labels>>,
    /// Since when there was no silence of two timeframes.
    known_since: LastSeen,
    newest: LastSeen,
    /// Each value in the cell in which it was seen last.
    cells: Tally,
    /// What was told last, while it lasts.
    pub(crate) told: Option<(Way, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Way {
    Above,
    Below,
}

impl Seen {
    /// Makes the only key of a rule without key fields known since `now`, unless it is already.
    pub(crate) fn know_whole(&mut self, now: LastSeen) {
        let whole = Key::of([]);
        if self.keys.get(whole).is_none() {
            self.keys.entry_with(whole, || Distinct { labels: Some(Box::default()), ..Distinct::new(now) });
        }
    }

    /// Sees a value; `None` if the key had it in this cell already.
    pub(crate) fn see(
        &mut self,
        row: &Row<'_>,
        value: Value<'_>,
        now: LastSeen,
        rule: &Cardinality,
    ) -> Option<&mut Distinct> {
        let distinct = self.keys.entry_with(row.key(), || Distinct::new(now));
        if distinct.labels.is_none() && rule.min_cardinality.is_some() {
            distinct.labels = Some(Box::new(row.labels()));
        }
        if distinct.cells_silent(now) >= rule.cells().saturating_mul(2) {
            distinct.known_since = now;
        }
        distinct.newest = now;
        let mut is_first = false;
        let seen = self.values.entry_with(row.key().with(Some(value)), || {
            is_first = true;
            now
        });
        if !is_first && *seen >= now {
            return None;
        }
        let grid = rule.grid();
        if !is_first {
            // It may have left, and so may all of a key that was forgotten.
            distinct.cells.take(seen.start(grid), grid);
        }
        distinct.cells.add(now.start(grid), grid);
        *seen = now;
        Some(distinct)
    }

    /// Forgets the values that left before `now`.
    pub(crate) fn forget_values(&mut self, now: LastSeen, cells: u32) {
        self.values.retain(|seen| seen.cells_until(now) < cells);
    }

    /// Whether a value can be seen. Where there are too many, the oldest cells are forgotten for all keys alike, as if the
    /// timeframe were shorter; in a single cell nothing is old, and what is new then is not counted.
    pub(crate) fn has_room(&mut self, key: Key, value: Value<'_>, now: LastSeen, rule: &Cardinality) -> bool {
        if self.values.len() < VALUES_MAX || self.values.get(key.with(Some(value))).is_some() {
            return true;
        }
        self.make_room(now, rule);
        self.values.len() < VALUES_MAX
    }

    #[cold]
    fn make_room(&mut self, now: LastSeen, rule: &Cardinality) {
        self.forget_values(now, rule.cells());
        let enough = VALUES_MAX - VALUES_MAX / 8;
        let mut cells = BTreeMap::<LastSeen, usize>::new();
        self.values.values().for_each(|seen| *cells.entry(*seen).or_default() += 1);
        let mut left = self.values.len();
        let mut cells = cells.into_iter().filter(|(cell, _)| *cell < now);
        let mut newest = None;
        while left > enough
            && let Some((cell, count)) = cells.next()
        {
            left -= count;
            newest = Some(cell);
        }
        if let Some(newest) = newest {
            self.values.retain(|seen| *seen > newest);
            let start = newest.start(rule.grid()) + rule.grid();
            self.keys.values_mut().for_each(|distinct| distinct.forget_before(start, rule.grid()));
            watchbell_sdk::log::warn(format_args!(
                "more than {VALUES_MAX} values at once: those seen last before {start} are forgotten"
            ));
        } else if left >= VALUES_MAX {
            watchbell_sdk::log::warn(format_args!(
                "more than {VALUES_MAX} values within {}: the rest is not counted",
                rule.grid()
            ));
        }
    }
}

impl Distinct {
    fn new(now: LastSeen) -> Self {
        Self { labels: None, known_since: now, newest: now, cells: Tally::default(), told: None }
    }

    pub(crate) fn count(&self) -> u64 {
        self.cells.total()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    pub(crate) fn cells_known(&self, now: LastSeen) -> u32 {
        self.known_since.cells_until(now)
    }

    pub(crate) fn cells_silent(&self, now: LastSeen) -> u32 {
        self.newest.cells_until(now)
    }

    pub(crate) fn forget_before(&mut self, at: Timestamp, grid: Duration) {
        self.cells.forget_before(at, grid);
    }
}

impl Aged for Distinct {
    /// In cells: it is only ever compared.
    fn newest(&self) -> Option<Timestamp> {
        self.newest.newest()
    }

    fn heap_bytes(&self) -> usize {
        let labels = self.labels.as_ref().map_or(0, |labels| {
            let values = labels.0.iter().flatten().map(|value| value.capacity() + 16);
            64 + labels.0.capacity() * size_of::<Option<String>>() + values.sum::<usize>()
        });
        labels + self.cells.heap_bytes()
    }
}
