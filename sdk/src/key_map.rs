//! A bounded map with a value per key.
use std::fmt;
use std::mem;

use serde::Serialize;

use crate::table::{Place, Table};
use crate::{Aged, Key};

mod written; // the map as bytes

/// The default maximum number of keys.
pub const KEYS_MAX: usize = 1_000_000;

/// The default maximum of a map's memory in bytes, including its table: about half of a module's default memory (64
/// MiB), because the rest holds rows and the serialized state.
pub const BYTES_MAX: usize = 34 << 20;

/// The maximum size of a serialized map in bytes, of the 16 MiB that a state may have by default. A map with fewer
/// `BYTES` of memory gets proportionally fewer.
pub const WRITTEN_MAX: usize = 15 << 20;

/// Serialized keys are deltas from the previous one: with a million keys, each takes seven bytes.
const KEY_BYTES: usize = 7;

/// A value per key, found by the key's eight bytes. Names are not stored, so a map of a million hosts stays small. A
/// rule that signals in [`check`](crate::Rule::check), where there is no row to name the key, keeps a
/// [`Name`](crate::Name) in each value, for example in a [`NamedMap`](crate::NamedMap), which has the same methods and
/// bounds texts more tightly.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use watchbell_sdk::prelude::*;
///
/// #[derive(Default, Serialize, Deserialize, Aged)]
/// struct Seen {
///     count: u32,
///     newest: Timestamp,
/// }
///
/// let mut keys = KeyMap::<Seen>::default();
/// for at in [Timestamp(1_000), Timestamp(2_000)] {
///     let seen = keys.entry(Key::of([Some("web-1")]));
///     seen.count += 1;
///     seen.newest = at;
/// }
/// assert_eq!(keys.get(Key::of([Some("web-1")])).map(|seen| seen.count), Some(2));
/// keys.retain(|_, seen| Timestamp(90_000) - seen.newest < Duration::from_mins(1));
/// assert!(keys.is_empty());
/// ```
///
/// Holds at most `MAX` keys, `BYTES` bytes of memory and [`WRITTEN_MAX`] serialized bytes, so that it fits a module's
/// default limits whatever its values hold. A state with several maps must divide these limits among them.
///
/// When the map is full, the eighth of the keys that has been silent longest is forgotten (of equally old keys, the
/// lowest), and a warning is logged. A rule that can reach the limit says in its README what that does to its results.
/// Which keys are forgotten depends only on what the map holds at that moment, which includes earlier rows of the same
/// instant.
#[derive(Clone, Debug)]
pub struct KeyMap<V, const MAX: usize = KEYS_MAX, const BYTES: usize = BYTES_MAX> {
    entries: Table<V>,
    /// The size of all values, except for changes to `touched` since it was returned.
    taken: Taken,
    touched: Option<(Place, Taken)>,
    /// All values were returned mutably: their sizes must be counted again.
    is_stale: bool,
    measured: Measured,
}

/// The ratio between the estimated and the actual encoded size of values.
#[derive(Clone, Copy, Debug)]
struct Measured {
    /// Actual bytes per estimated byte.
    rate: f64,
    /// The number of entries requested since the last measurement.
    entries_since: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Taken {
    heap: usize,
    written: usize,
}

impl Taken {
    #[inline]
    fn of(value: &impl Aged) -> Self {
        Self { heap: value.heap_bytes(), written: value.written_bytes() }
    }

    #[inline]
    fn change(&mut self, before: Self, after: Self) {
        self.heap = (self.heap + after.heap).saturating_sub(before.heap);
        self.written = (self.written + after.written).saturating_sub(before.written);
    }
}

impl<V, const MAX: usize, const BYTES: usize> Default for KeyMap<V, MAX, BYTES> {
    fn default() -> Self {
        Self {
            entries: Table::default(),
            taken: Taken::default(),
            touched: None,
            is_stale: false,
            measured: Measured { rate: 1.0, entries_since: 0 },
        }
    }
}

impl<V: Aged + Serialize, const MAX: usize, const BYTES: usize> KeyMap<V, MAX, BYTES> {
    const WRITTEN: usize = BYTES / (BYTES_MAX >> 20) * (WRITTEN_MAX >> 20);

    /// The value of `key`, created by [`Default`] if there is none. A full map forgets other keys first.
    #[inline]
    pub fn entry(&mut self, key: Key) -> &mut V
    where
        V: Default,
    {
        self.entry_with(key, V::default)
    }

    /// The value of `key`, created by `make` if there is none. A full map forgets other keys first.
    #[inline]
    pub fn entry_with(&mut self, key: Key, make: impl FnOnce() -> V) -> &mut V {
        const { assert!(V::HAS_TIME, "the map's values hold no time: add a field such as `newest: Timestamp`") };
        self.count_touched();
        if self.entries.len() >= MAX && self.entries.get(key.0).is_none() {
            self.forget_silent(format_args!("more than {MAX} keys"));
        }
        if self.bytes() > BYTES {
            self.forget_silent(format_args!("keys of more than {} MiB", BYTES >> 20));
        }
        self.measured.entries_since += 1;
        if self.written() > Self::WRITTEN {
            self.measure_written();
        }
        let taken = &mut self.taken;
        let (place, value) = self.entries.entry(key.0, || {
            let value = make();
            taken.change(Taken::default(), Taken::of(&value));
            value
        });
        self.touched = Some((place, Taken::of(value)));
        value
    }

    /// Calls `change` with the value of `key`, which `make` creates if there is none, and returns its result. A full
    /// map forgets other keys first.
    #[inline]
    pub fn update<T>(&mut self, key: Key, make: impl FnOnce() -> V, change: impl FnOnce(&mut V) -> T) -> T {
        change(self.entry_with(key, make))
    }

    /// Calls `change` with the value of `key` and returns its result; `None` if there is no value. Unlike
    /// [`update`](Self::update), it never forgets keys.
    #[inline]
    pub fn change<T>(&mut self, key: Key, change: impl FnOnce(&mut V) -> T) -> Option<T> {
        self.get_mut(key).map(change)
    }

    /// The value of `key`, mutably, if there is one. Never forgets keys.
    #[inline]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut V> {
        self.count_touched();
        let (place, value) = self.entries.get_mut(key.0)?;
        self.touched = Some((place, Taken::of(value)));
        Some(value)
    }

    /// Sets the value of `key` and returns the previous one. A full map forgets other keys first.
    pub fn insert(&mut self, key: Key, value: V) -> Option<V> {
        if let Some(held) = self.get_mut(key) {
            return Some(mem::replace(held, value));
        }
        self.entry_with(key, || value);
        None
    }

    /// Removes the value of `key` and returns it.
    pub fn remove(&mut self, key: Key) -> Option<V> {
        self.count_touched();
        let value = self.entries.remove(key.0)?;
        self.taken.change(Taken::of(&value), Taken::default());
        Some(value)
    }

    /// Keeps only the keys for which `keep` returns true; called in order of the keys.
    pub fn retain(&mut self, mut keep: impl FnMut(Key, &mut V) -> bool) {
        (self.touched, self.is_stale, self.taken) = (None, false, Taken::default());
        let taken = &mut self.taken;
        self.entries.retain(|key, value| {
            let keeps = keep(Key(key), value);
            if keeps {
                taken.change(Taken::default(), Taken::of(value));
            }
            keeps
        });
    }

    fn bytes(&self) -> usize {
        self.entries.len() * Table::<V>::entry_bytes() + self.taken.heap
    }

    fn written(&self) -> usize {
        self.entries.len() * KEY_BYTES + self.taken.written
    }

    /// Measures the encoded size if the estimate is too large: when more than half as many entries as the map holds
    /// were requested since the last measurement, or when that measurement says that the map is too large.
    #[cold]
    fn measure_written(&mut self) {
        let said = self.written();
        let is_recent = self.measured.entries_since <= self.entries.len() / 2;
        if is_recent && said as f64 * self.measured.rate <= Self::WRITTEN as f64 {
            return;
        }
        // An encoding error is reported when the state is encoded.
        let Ok(found) = postcard::experimental::serialized_size(self) else { return };
        self.measured = Measured { rate: found as f64 / said as f64, entries_since: 0 };
        if found > Self::WRITTEN / 16 * 15 {
            self.forget_silent(format_args!("keys that serialize to more than {} MiB", Self::WRITTEN >> 20));
        }
    }

    /// Accounts for changes to the value that was returned last.
    #[inline]
    fn count_touched(&mut self) {
        if let Some((place, before)) = self.touched.take()
            && let Some(value) = self.entries.at(place)
        {
            self.taken.change(before, Taken::of(value));
        }
        if self.is_stale {
            self.retain(|_, _| true);
        }
    }

    /// Forgets an eighth. Selects it without a list of all keys, for which there may be no memory.
    #[cold]
    fn forget_silent(&mut self, why: fmt::Arguments<'_>) {
        let count = (self.entries.len() / 8).max(1);
        let age = |value: &V| value.newest().map_or(i64::MIN, |newest| newest.0);
        let (oldest, mut ties) = self.nth_oldest(count, age);
        self.retain(|_, value| {
            let age = age(value);
            let is_tie = age == oldest && ties > 0;
            ties -= usize::from(is_tie);
            age > oldest || age == oldest && !is_tie
        });
        crate::log::warn(format_args!(
            "{why} at once: the {count} that have been silent longest are forgotten"
        ));
    }

    /// The age of the `count`th oldest, counted from 1, and how many of exactly this age are among the `count` oldest.
    fn nth_oldest(&self, count: usize, age: impl Fn(&V) -> i64) -> (i64, usize) {
        const BINS: usize = 2_048;
        let ages = || self.values().map(&age);
        let (mut low, mut high) = (ages().min().unwrap_or(0), ages().max().unwrap_or(0));
        let mut count = count.min(self.len());
        // Divide the bin that contains it into bins, until a bin is a single instant.
        while low < high {
            let width = high.abs_diff(low) / BINS as u64 + 1;
            let mut bins = [0_usize; BINS];
            for age in ages().filter(|age| (low..=high).contains(age)) {
                bins[(age.abs_diff(low) / width) as usize] += 1;
            }
            let mut bin = 0;
            while bin + 1 < BINS && bins[bin] < count {
                count -= bins[bin];
                bin += 1;
            }
            low = low.saturating_add_unsigned(bin as u64 * width);
            high = high.min(low.saturating_add_unsigned(width - 1));
        }
        (low, count)
    }
}

impl<V, const MAX: usize, const BYTES: usize> KeyMap<V, MAX, BYTES> {
    /// The value of `key`, if there is one.
    pub fn get(&self, key: Key) -> Option<&V> {
        self.entries.get(key.0)
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has no keys.
    pub fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    /// All keys and values, in order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &V)> {
        self.entries.iter().map(|(key, value)| (Key(key), value))
    }

    /// All values, in order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// All values, mutably, in order of their keys.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.is_stale = true;
        self.entries.values_mut()
    }
}

#[cfg(test)]
mod tests;
