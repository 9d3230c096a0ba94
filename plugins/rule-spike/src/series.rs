//! What is known of a key: its events of two timeframes, each instant while they are few, by cells of the grid beyond.
use std::collections::VecDeque;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use watchbell_sdk::prelude::*;
use watchbell_sdk::{Cells, Level};

/// Events of a key whose instants are kept.
const INSTANTS_MAX: usize = 4_096;
/// The same of all keys.
const ALL_INSTANTS_MAX: usize = 1 << 20;

/// It is forgotten when both its windows are empty.
#[derive(Serialize, Deserialize)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    /// Its first event, or the cell of it.
    pub(crate) known_since: Timestamp,
    pub(crate) seen: LastSeen,
    newest_cell: i64,
    pub(crate) instants: Instants,
    /// The events whose instants are not kept.
    pub(crate) counts: Cells<u32>,
    /// Of the field's values, where there is one.
    pub(crate) sums: Cells<f64>,
    /// Of the ratio.
    pub(crate) level: Level,
    /// Whether the newest instant is still to be judged. The check that ends its cell does so, and windows end with checks.
    #[serde(skip)]
    pub(crate) is_open: bool,
}

impl Series {
    pub(crate) fn new(labels: Labels, known_since: Timestamp, seen: LastSeen) -> Self {
        Self {
            labels,
            known_since,
            seen,
            newest_cell: i64::MIN,
            instants: Instants::default(),
            counts: Cells::default(),
            sums: Cells::default(),
            level: Level::default(),
            is_open: false,
        }
    }

    /// Counts events of a cell.
    pub(crate) fn add_many(&mut self, at: Timestamp, count: u32, grid: Duration) {
        let counted = self.counts.entry(at, grid);
        *counted = counted.saturating_add(count);
        self.newest_cell = self.counts.newest_place().unwrap_or(i64::MIN).max(self.newest_cell);
    }

    /// Counts an event, and keeps its instant if there is room. `all` is how many are kept of all keys.
    pub(crate) fn add(&mut self, at: Timestamp, grid: Duration, all: &mut usize) {
        self.newest_cell = self.newest_cell.max(watchbell_sdk::cell(at, grid));
        *all += 1;
        while !self.instants.push(at) {
            self.coarsen(grid, all);
        }
        if self.instants.len() > INSTANTS_MAX || *all > ALL_INSTANTS_MAX {
            self.coarsen(grid, all);
        }
    }

    /// Keeps of the oldest event no more than its cell.
    fn coarsen(&mut self, grid: Duration, all: &mut usize) {
        if let Some(oldest) = self.instants.pop_oldest() {
            *all = all.saturating_sub(1);
            self.add_many(oldest, 1, grid);
        }
    }

    /// Forgets what lies before `at`, but for what shares a cell with it and is known by the cell alone.
    pub(crate) fn forget_before(&mut self, at: Timestamp, grid: Duration) {
        self.instants.forget_before(at);
        self.counts.forget_before(at, grid);
        self.sums.forget_before(at, grid);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.instants.is_empty() && self.counts.is_empty()
    }
}

impl Aged for Series {
    /// In cells: it is only ever compared.
    fn newest(&self) -> Option<Timestamp> {
        Some(Timestamp(self.newest_cell))
    }

    fn heap_bytes(&self) -> usize {
        let labels = self.labels.0.iter().flatten().map(|value| value.capacity() + 16);
        16 + self.labels.0.capacity() * size_of::<Option<String>>()
            + labels.sum::<usize>()
            + self.instants.heap_bytes()
            + self.counts.heap_bytes()
            + self.sums.heap_bytes()
    }
}

/// Events in order of time, four bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Instants {
    base: i64,
    since_base: VecDeque<u32>,
    /// How many of them lie before the instant that was split at last.
    split: usize,
}

impl Instants {
    /// Adds an event that is not older than the others; false if it is too far from the oldest.
    fn push(&mut self, at: Timestamp) -> bool {
        if self.since_base.is_empty() {
            (self.base, self.split) = (at.0, 0);
        }
        let since = match u32::try_from(at.0.saturating_sub(self.base)) {
            Ok(since) => since,
            Err(_) => {
                self.rebase();
                let Ok(since) = u32::try_from(at.0.saturating_sub(self.base)) else { return false };
                since
            }
        };
        self.since_base.push_back(since);
        true
    }

    fn rebase(&mut self) {
        let first = self.since_base.front().copied().unwrap_or(0);
        self.since_base.iter_mut().for_each(|since| *since -= first);
        self.base = self.base.saturating_add(i64::from(first));
    }

    fn pop_oldest(&mut self) -> Option<Timestamp> {
        let since = self.since_base.pop_front()?;
        self.split = self.split.saturating_sub(1);
        Some(Timestamp(self.base.saturating_add(i64::from(since))))
    }

    pub(crate) fn forget_before(&mut self, at: Timestamp) {
        while self.at(0).is_some_and(|oldest| oldest < at.0) {
            self.pop_oldest();
        }
    }

    /// How many events there are before `at` and from `at` on. It must not be earlier than the last time.
    pub(crate) fn split(&mut self, at: Timestamp) -> (u64, u64) {
        while self.at(self.split).is_some_and(|next| next < at.0) {
            self.split += 1;
        }
        (self.split as u64, (self.len() - self.split) as u64)
    }

    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.at(self.len().checked_sub(1)?).map(Timestamp)
    }

    fn at(&self, index: usize) -> Option<i64> {
        self.since_base.get(index).map(|since| self.base.saturating_add(i64::from(*since)))
    }

    pub(crate) fn len(&self) -> usize {
        self.since_base.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.since_base.is_empty()
    }

    /// As if it were doubled: the next event may do that.
    fn heap_bytes(&self) -> usize {
        if self.since_base.capacity() == 0 {
            return 0;
        }
        16 + self.since_base.capacity().max(self.len() * 2) * size_of::<u32>()
    }
}

/// The first instant, and steps from one to the next.
impl Serialize for Instants {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let first = self.since_base.front().copied().unwrap_or(0);
        let mut last = first;
        let steps: Vec<u32> =
            self.since_base.iter().map(|since| since - std::mem::replace(&mut last, *since)).collect();
        // An empty one is the same wherever its base was.
        let base = if steps.is_empty() { 0 } else { self.base.saturating_add(i64::from(first)) };
        (base, steps).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Instants {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (base, steps) = <(i64, VecDeque<u32>)>::deserialize(deserializer)?;
        let mut instants = Self { base, since_base: steps, split: 0 };
        let mut last = 0_u32;
        for since in &mut instants.since_base {
            last = last
                .checked_add(*since)
                .ok_or_else(|| D::Error::custom("instants too far from each other"))?;
            *since = last;
        }
        Ok(instants)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Duration = Duration::from_secs(10);

    fn at(secs: i64) -> Timestamp {
        Timestamp(secs * 1_000)
    }

    #[test]
    fn instants_are_split_forgotten_and_read_back() {
        let mut instants = Instants::default();
        for secs in [1, 1, 3, 8, 20] {
            assert!(instants.push(at(secs)));
        }
        assert_eq!(
            (instants.split(at(1)), instants.split(at(3)), instants.split(at(9))),
            ((0, 5), (2, 3), (4, 1))
        );
        instants.forget_before(at(3));
        assert_eq!((instants.len(), instants.split(at(9))), (3, (2, 1)));
        let bytes = postcard::to_allocvec(&instants).unwrap();
        let mut read: Instants = postcard::from_bytes(&bytes).unwrap();
        assert_eq!((read.split(at(9)), read.at(0), read.at(2)), ((2, 1), Some(3_000), Some(20_000)));
        assert!(instants.push(at(4_000_000)) && !instants.push(at(9_000_000)), "50 days are too far");
    }

    #[test]
    fn the_oldest_events_are_known_by_their_cells_where_there_are_too_many() {
        let (mut series, mut all) = (Series::new(Labels::default(), at(0), LastSeen::new(at(0), GRID)), 0);
        for n in 0..5_000 {
            series.add(at(n / 100), GRID, &mut all);
        }
        assert_eq!((series.instants.len(), all), (INSTANTS_MAX, INSTANTS_MAX));
        assert_eq!(series.counts.over(Range::new(at(0), at(10)), GRID).sum::<u32>(), 904);
        series.add(at(9_000_000), GRID, &mut all);
        assert_eq!((series.instants.len(), all), (1, 1));
        series.forget_before(at(20), GRID);
        assert_eq!(series.counts.over(Range::new(at(0), at(100)), GRID).sum::<u32>(), 3_000);
    }
}
