//! How many events the keys that fire have had. A match drops its window, which decides when the next one comes; this
//! counts on, so that the value of a level is the number of events within the timeframe.
use serde::{Deserialize, Serialize};
use watchbell_sdk::prelude::*;

use crate::Frequency;

mod ring; // events by the last cells of a timeframe

use ring::Ring;

/// Keys counted at once.
const KEYS_MAX: usize = 10_000;
/// What their names and cells take as written, about.
const WRITTEN_MAX: u64 = 2 << 20;
/// Events of a key, and of all keys, whose instants are kept: with them the value of a match is exact.
const INSTANTS_MAX: u64 = 4_096;
const ALL_INSTANTS_MAX: u64 = 1 << 17;

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Firing {
    keys: NamedMap<Level, KEYS_MAX>,
    /// How many instants are kept of all keys.
    instants: u64,
    written: u64,
    /// When there was no room for a key last: for a timeframe, nothing is known of what it had before.
    refused: Option<Timestamp>,
}

/// A key that fires.
#[derive(Serialize, Deserialize)]
struct Level {
    name: Name,
    /// Until when its last match holds.
    until: Timestamp,
    /// The value that was told last.
    told: u64,
    /// From here on every event is counted.
    whole_from: Timestamp,
    first: Timestamp,
    newest: Timestamp,
    ring: Ring,
    /// Every event of the timeframe, while they are few and their instants known.
    recent: Option<EventWindow>,
}

/// How many events there were within a timeframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    /// When to tell it.
    pub(crate) at: Timestamp,
    pub(crate) count: u64,
    /// Where the counted ones begin and end.
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) exactness: Exactness,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exactness {
    Exact,
    /// There may have been more.
    AtLeast,
    /// Of a key for which there was no room: those that the match before did not count.
    SinceMatch,
}

impl Firing {
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether events of `key` are counted.
    pub(crate) fn counts(&self, key: Key) -> bool {
        self.keys.get(key).is_some()
    }

    /// Counts an event, if its key fires.
    #[inline]
    pub(crate) fn see(&mut self, rule: &Frequency, key: Key, at: Timestamp) {
        let all = &mut self.instants;
        self.keys.change(key, |level| level.see(rule, at, all));
    }

    /// Counts the event with which its key matched, and keeps counting. `window` is what the match drops.
    pub(crate) fn matched(&mut self, rule: &Frequency, row: &Row<'_>, window: &EventWindow) -> Count {
        let (key, at) = (row.key(), row.time());
        let all = &mut self.instants;
        let counted = self.keys.change(key, |level| {
            (at < level.until).then(|| {
                level.see(rule, at, all);
                level.until = at + rule.timeframe;
                let count = level.at_match(rule, at, window);
                level.told = count.count;
                count
            })
        });
        if let Some(Some(count)) = counted {
            return count;
        }
        if counted.is_some() {
            self.forget(key);
        }
        self.begin(rule, row, window)
    }

    /// Of a key that did not fire, the window holds every event of the timeframe.
    fn begin(&mut self, rule: &Frequency, row: &Row<'_>, window: &EventWindow) -> Count {
        let (at, timeframe) = (row.time(), rule.timeframe);
        let is_known = self.refused.is_none_or(|refused| at.since(refused) >= timeframe);
        let first = window.oldest().unwrap_or(at);
        let exactness = if is_known { Exactness::Exact } else { Exactness::SinceMatch };
        let count = Count { at, count: window.count(), first, last: at, exactness };
        let mut level = Level {
            name: Name::of(row),
            until: at + timeframe,
            told: count.count,
            whole_from: if is_known { at - timeframe + Duration(1) } else { first + Duration(1) },
            first,
            newest: at,
            ring: Ring::new(rule.cells()),
            recent: rule.knows_instants().then(EventWindow::default),
        };
        if self.keys.len() >= KEYS_MAX || self.written + level.written_bytes() > WRITTEN_MAX {
            if is_known {
                watchbell_sdk::log::warn(format_args!(
                    "{} keys fire at once: of more, only what comes after a match is counted",
                    self.keys.len()
                ));
            }
            self.refused = Some(at);
            return Count { exactness: Exactness::SinceMatch, ..count };
        }
        for (at, events) in window.instants() {
            level.add(rule, at, events, &mut self.instants);
        }
        self.written += level.written_bytes();
        self.keys.update(row.key(), || level, |_| {});
        count
    }

    /// Tells what grew, and forgets what no longer fires. `unseen` are the events of a key in the cell before `at`, where
    /// only their number is known.
    pub(crate) fn check(
        &mut self,
        rule: &Frequency,
        at: Timestamp,
        mut unseen: impl FnMut(Key) -> u32,
        out: &mut Signals,
    ) {
        let (instants, written) = (&mut self.instants, &mut self.written);
        self.keys.retain(|key, level| {
            match unseen(key) {
                0 => {}
                events => level.add(rule, at - rule.grid(), events, instants),
            }
            if level.until <= at {
                *instants -= level.instants();
                *written -= level.written_bytes();
                return false;
            }
            let count = level.at_check(rule, at);
            if count.count > level.told {
                level.told = count.count;
                out.push(rule.level(level.name.labels(), level.until, count));
            }
            true
        });
    }

    fn forget(&mut self, key: Key) {
        if let Some(level) = self.keys.remove(key) {
            self.instants -= level.instants();
            self.written -= level.written_bytes();
        }
    }
}

impl Level {
    fn see(&mut self, rule: &Frequency, at: Timestamp, all: &mut u64) {
        self.add(rule, at, 1, all);
    }

    fn add(&mut self, rule: &Frequency, at: Timestamp, events: u32, all: &mut u64) {
        self.newest = self.newest.max(at);
        self.ring.add(rule.cell(at), events);
        let before = self.instants();
        if let Some(recent) = &mut self.recent {
            recent.push_many(at, events, rule.timeframe);
            if recent.count() > INSTANTS_MAX || *all - before + recent.count() > ALL_INSTANTS_MAX {
                self.recent = None;
            }
        }
        *all = *all - before + self.instants();
    }

    /// What the timeframe holds that ends with an event.
    fn at_match(&mut self, rule: &Frequency, at: Timestamp, window: &EventWindow) -> Count {
        let start = at - rule.timeframe + Duration(1);
        if let Some(recent) = &self.recent {
            let exactness = if self.whole_from <= start { Exactness::Exact } else { Exactness::AtLeast };
            let first = recent.oldest().unwrap_or(at);
            return Count { at, count: recent.count(), first, last: at, exactness };
        }
        // The cell in which the timeframe begins is left out: some of its events lie before.
        self.ring.advance(rule.cell(at));
        let whole_cells = rule.cell_start(rule.cell(at) + 1) - rule.timeframe;
        let is_exact = self.whole_from <= start && self.first >= whole_cells;
        let oldest = window.oldest().unwrap_or(at);
        let (count, first) = match self.ring.total().cmp(&window.count()) {
            std::cmp::Ordering::Less => (window.count(), oldest),
            _ => (self.ring.total(), self.first.max(whole_cells).min(oldest)),
        };
        let exactness = if is_exact { Exactness::Exact } else { Exactness::AtLeast };
        Count { at, count, first, last: at, exactness }
    }

    /// What the timeframe holds that ends before a grid point: whole cells.
    fn at_check(&mut self, rule: &Frequency, at: Timestamp) -> Count {
        let start = at - rule.timeframe;
        self.ring.advance(rule.cell(at) - 1);
        let exactness = if self.whole_from <= start { Exactness::Exact } else { Exactness::AtLeast };
        // The last instant before the point: a match of the point itself must not be taken for what was told of it before.
        let at = at - Duration(1);
        Count { at, count: self.ring.total(), first: self.first.max(start), last: self.newest, exactness }
    }

    fn instants(&self) -> u64 {
        self.recent.as_ref().map_or(0, EventWindow::count)
    }

    fn written_bytes(&self) -> u64 {
        (self.name.heap_bytes() + self.ring.written_bytes() + 40) as u64
    }
}

impl Aged for Level {
    fn newest(&self) -> Option<Timestamp> {
        Some(self.newest)
    }

    fn heap_bytes(&self) -> usize {
        self.name.heap_bytes() + self.ring.heap_bytes() + self.recent.as_ref().map_or(0, Aged::heap_bytes)
    }
}
