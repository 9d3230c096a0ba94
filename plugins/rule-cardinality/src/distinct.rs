//! What is known of keys and values: when each value of a key was seen last, and how many of a key's values were seen
//! last when. That is an instant for a key with few values, and a cell of the grid beyond.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;

use crate::Cardinality;
use crate::last::Last;

/// Values of all keys: each is a hash of key and value, and a cell.
const VALUES_MAX: usize = 1_000_000;
const VALUES_BYTES: usize = 20 << 20;
const KEYS_MAX: usize = 200_000;
const KEYS_BYTES: usize = 18 << 20;
/// Values of a key that are known by their instants.
const INSTANTS_MAX: u64 = 4_096;
/// The same of all keys.
const ALL_INSTANTS_MAX: u64 = 1 << 18;

#[derive(Default, Serialize, Deserialize)]
pub struct Seen {
    pub(crate) keys: KeyMap<Distinct, KEYS_MAX, KEYS_BYTES>,
    /// Larger than ever used: a value that the map forgot by itself would be counted twice when it came again.
    values: KeyMap<Last, { VALUES_MAX + 1 }, VALUES_BYTES>,
    /// How many values of all keys are known by their instants.
    pub(crate) instants: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Distinct {
    /// Of a key that was told, or may be told at a check.
    pub(crate) labels: Option<Box<Labels>>,
    /// Since when it was never silent for so long that it was forgotten.
    known_since: LastSeen,
    newest: LastSeen,
    /// Each value where it was seen last: at an instant, or in a cell.
    values: Tally,
    knows_instants: bool,
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

    /// Sees a value; `None` if the key had it in this cell already, where cells are all that is known.
    pub(crate) fn see(
        &mut self,
        row: &Row<'_>,
        value: Value<'_>,
        now: Last,
        rule: &Cardinality,
    ) -> Option<&mut Distinct> {
        let grid = rule.grid();
        let distinct = self.keys.entry_with(row.key(), || Distinct::new(now.cell));
        if distinct.labels.is_none() && rule.min_cardinality.is_some() {
            distinct.labels = Some(Box::new(row.labels()));
        }
        let is_whole = row.key() == Key::of([]);
        if !is_whole && distinct.cells_silent(now.cell) >= rule.cells_remembered() {
            distinct.known_since = now.cell;
        }
        distinct.newest = now.cell;
        let before = distinct.instants();
        distinct.knows_instants |= distinct.is_empty() && rule.keeps_instants();
        distinct.forget_instants_before(row.time() - rule.timeframe + Duration(1));
        let mut is_first = false;
        let seen = self.values.entry_with(row.key().with(Some(value)), || {
            is_first = true;
            now
        });
        let last = std::mem::replace(seen, if distinct.knows_instants { now } else { now.coarse() });
        if !distinct.knows_instants && !is_first && last.cell >= now.cell {
            return None;
        }
        if !is_first {
            // It may have left, and so may all of a key that was forgotten.
            distinct.take(last, grid);
        }
        distinct.add(now, grid);
        let all = self.instants.saturating_sub(before) + distinct.instants();
        if distinct.instants() > INSTANTS_MAX || all > ALL_INSTANTS_MAX {
            distinct.coarsen(grid);
            distinct.forget_cells_before(now.cell.start(grid) - rule.timeframe + grid, grid);
        }
        self.instants = self.instants.saturating_sub(before) + distinct.instants();
        Some(distinct)
    }

    /// Forgets the values that left before `now`.
    pub(crate) fn forget_values(&mut self, now: LastSeen, cells: u32) {
        self.values.retain(|_, seen| seen.cell.cells_until(now) <= cells);
    }

    /// Whether a value can be seen. Where there are too many, the oldest cells are forgotten for all keys alike, as if the
    /// timeframe were shorter; in a single cell nothing is old, and what is new then is not counted.
    pub(crate) fn has_room(&mut self, key: Key, value: Value<'_>, now: Last, rule: &Cardinality) -> bool {
        if self.values.len() < VALUES_MAX || self.values.get(key.with(Some(value))).is_some() {
            return true;
        }
        self.make_room(now.cell, rule);
        self.values.len() < VALUES_MAX
    }

    #[cold]
    fn make_room(&mut self, now: LastSeen, rule: &Cardinality) {
        self.forget_values(now, rule.cells());
        let enough = VALUES_MAX - VALUES_MAX / 8;
        let mut cells = BTreeMap::<LastSeen, usize>::new();
        self.values.values().for_each(|seen| *cells.entry(seen.cell).or_default() += 1);
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
            self.values.retain(|_, seen| seen.cell > newest);
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
        let values = Tally::default();
        Self { labels: None, known_since: now, newest: now, values, knows_instants: false, told: None }
    }

    pub(crate) fn count(&self) -> u64 {
        self.values.total()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn knows_instants(&self) -> bool {
        self.knows_instants
    }

    /// How many of its values are known by their instants.
    pub(crate) fn instants(&self) -> u64 {
        if self.knows_instants { self.count() } else { 0 }
    }

    pub(crate) fn cells_known(&self, now: LastSeen) -> u32 {
        self.known_since.cells_until(now)
    }

    pub(crate) fn cells_silent(&self, now: LastSeen) -> u32 {
        self.newest.cells_until(now)
    }

    fn add(&mut self, now: Last, grid: Duration) {
        match self.knows_instants {
            true => self.values.add(now.at(grid), INSTANT),
            false => self.values.add(now.at(grid), grid),
        }
    }

    fn take(&mut self, last: Last, grid: Duration) {
        match self.knows_instants {
            true => self.values.take(last.at(grid), INSTANT),
            false => self.values.take(last.at(grid), grid),
        };
    }

    /// From here on each value is known by its cell.
    fn coarsen(&mut self, grid: Duration) {
        let mut cells = Tally::default();
        self.values.places(INSTANT).for_each(|(at, count)| cells.add_many(at, count, grid));
        (self.values, self.knows_instants) = (cells, false);
    }

    /// Lets go of what was seen last before `at`, which must be on the grid.
    pub(crate) fn forget_before(&mut self, at: Timestamp, grid: Duration) {
        self.forget_instants_before(at);
        self.forget_cells_before(at, grid);
    }

    fn forget_instants_before(&mut self, at: Timestamp) {
        if self.knows_instants {
            self.values.forget_before(at, INSTANT);
        }
    }

    pub(crate) fn forget_cells_before(&mut self, at: Timestamp, grid: Duration) {
        if !self.knows_instants {
            self.values.forget_before(at, grid);
        }
    }
}

/// The grid of a key whose instants are known.
const INSTANT: Duration = Duration(1);

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
        labels + self.values.heap_bytes()
    }
}
