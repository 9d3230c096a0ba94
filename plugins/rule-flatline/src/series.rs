//! What is known of a key: its newest events, as many as it takes to be above the threshold.
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;

use crate::cells::Cells;

/// Two hundred thousand of them must fit: most keys have a threshold's worth of events in their newest cell, and hold
/// nothing else.
#[derive(Debug, Serialize, Deserialize)]
pub struct Series {
    pub(crate) name: Name,
    /// The cell of the first event since the key is known.
    pub(crate) first: i64,
    /// The cell of the newest event, `NEVER` if there is none.
    newest: i64,
    /// How many events it holds.
    count: u32,
    /// Cells before it.
    older: Cells,
    /// It must be there, whether it was seen or not.
    pub(crate) is_expected: bool,
    /// It was judged so at the last check.
    pub(crate) is_low: bool,
}

/// Before every cell.
const NEVER: i64 = i64::MIN;

impl Series {
    pub(crate) fn new(name: Name, cell: i64) -> Self {
        Self { first: cell, ..Self::unseen(name) }
    }

    /// A key without an event.
    pub(crate) fn unseen(name: Name) -> Self {
        Self {
            name,
            first: NEVER,
            newest: NEVER,
            count: 0,
            older: Cells::default(),
            is_expected: false,
            is_low: false,
        }
    }

    /// Counts events of a cell that is not before the newest.
    pub(crate) fn add(&mut self, cell: i64, count: u32) {
        if cell > self.newest {
            if self.newest != NEVER {
                self.older.push(self.newest.abs_diff(cell), self.count);
            }
            (self.newest, self.count) = (cell, 0);
        }
        self.count = self.count.saturating_add(count);
    }

    pub(crate) fn newest_cell(&self) -> Option<i64> {
        (self.newest != NEVER).then_some(self.newest)
    }

    /// How many events there are in `start` and the cells after it; no more than it takes once it is enough.
    pub(crate) fn count_since(&self, start: i64) -> u64 {
        let within = self.older.iter(self.newest).take_while(|(cell, _)| *cell >= start);
        let within = within.map(|(_, count)| u64::from(count));
        let newest = if self.newest >= start { u64::from(self.count) } else { 0 };
        newest + within.sum::<u64>()
    }

    /// Lets go of cells before `start`, and of those that later cells make needless: with `enough` events after it, a
    /// cell decides nothing, for it leaves the window first.
    pub(crate) fn forget_before(&mut self, start: i64, enough: u32) {
        let mut sum = u64::from(self.count);
        let needed = self.older.iter(self.newest).take_while(|(cell, count)| {
            let is_needed = *cell >= start && sum < u64::from(enough);
            sum += u64::from(*count);
            is_needed
        });
        let needed = needed.count();
        self.older.truncate(needed);
    }
}

impl Aged for Series {
    /// By cells, which are in order of time.
    fn newest(&self) -> Option<Timestamp> {
        self.newest_cell().map(Timestamp)
    }

    fn heap_bytes(&self) -> usize {
        self.name.heap_bytes() + self.older.heap_bytes()
    }
}
