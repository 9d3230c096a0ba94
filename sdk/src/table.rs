//! A table of eight-byte hashes that grows in small steps: a module's memory never shrinks, and growing needs space for
//! both the old and the new allocation.
//!
//! Keys are already hashes. Their first bits choose a *segment* of about a thousand keys. In a segment, the next bits
//! give a key its *home*: the higher the key, the farther back. From there the key is moved back as far as necessary to
//! keep all keys of the segment in order, without a gap between home and place. So
//!
//! - a segment grows by an eighth, and is split in two when it has too many keys; only a thousandth of the table is
//!   held twice meanwhile;
//! - nothing depends on the order of insertion: iteration is in key order, and encoding needs no sorting;
//! - a removed key leaves no tombstone.
use std::iter;

/// Marks a gap, and the last place of every segment, where a search ends at the latest. The one hash that is equal to
/// it is replaced by its neighbour.
const GAP: u64 = u64::MAX;
/// The average number of keys per segment at which all segments are split.
const SEGMENT_KEYS: usize = 1_024;
/// The maximum number of segments: 4,096.
const BITS_MAX: u32 = 12;
/// Places after the last home of a segment, for keys that are moved back beyond it.
const SPARE: usize = 8;

#[derive(Clone, Debug)]
pub(crate) struct Table<V> {
    /// Two to the power of `bits`; none before the first key.
    segments: Vec<Segment<V>>,
    bits: u32,
    len: usize,
    /// How many keys a segment will get at once, if that is known.
    expected: usize,
}

#[derive(Clone, Debug)]
struct Segment<V> {
    /// In order, with gaps between.
    keys: Vec<u64>,
    /// The values, parallel to the keys; none in a gap.
    values: Vec<Option<V>>,
    /// The number of places that can be a home.
    homes: usize,
    len: usize,
}

/// Where a key was found or put. Valid until the table changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    segment: u32,
    at: u32,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self { segments: Vec::new(), bits: 0, len: 0, expected: 0 }
    }
}

impl<V> Table<V> {
    /// An empty table that is about to get `len` keys, in order.
    pub(crate) fn for_many(len: usize) -> Self {
        let bits = (0..BITS_MAX).find(|bits| len >> bits <= SEGMENT_KEYS).unwrap_or(BITS_MAX);
        let segments = iter::repeat_with(Segment::default).take(1 << bits).collect();
        Self { segments, bits, len: 0, expected: (len >> bits).min(8 * SEGMENT_KEYS) }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The bytes per key, including gaps.
    pub(crate) const fn entry_bytes() -> usize {
        (size_of::<u64>() + size_of::<Option<V>>()) * 5 / 4
    }

    pub(crate) fn get(&self, key: u64) -> Option<&V> {
        let segment = self.segments.get(self.segment(key))?;
        let key = key.min(GAP - 1);
        let at = segment.seek(key, self.bits)?;
        if segment.keys[at] == key { segment.values[at].as_ref() } else { None }
    }

    /// The value of `key`, mutably, and its place.
    #[inline]
    pub(crate) fn get_mut(&mut self, key: u64) -> Option<(Place, &mut V)> {
        let index = self.segment(key);
        let segment = self.segments.get_mut(index)?;
        let key = key.min(GAP - 1);
        let at = segment.seek(key, self.bits).filter(|at| segment.keys[*at] == key)?;
        let place = Place { segment: index as u32, at: at as u32 };
        Some((place, segment.values[at].as_mut()?))
    }

    /// The value at a place.
    #[inline]
    pub(crate) fn at(&self, place: Place) -> Option<&V> {
        self.segments.get(place.segment as usize)?.values.get(place.at as usize)?.as_ref()
    }

    /// Finds the value of `key`; `make` creates it if it does not exist.
    #[inline]
    pub(crate) fn entry(&mut self, key: u64, make: impl FnOnce() -> V) -> (Place, &mut V) {
        if self.len >= SEGMENT_KEYS << self.bits && self.bits < BITS_MAX || self.segments.is_empty() {
            self.split();
        }
        let index = self.segment(key);
        let key = key.min(GAP - 1);
        let (bits, expected) = (self.bits, self.expected);
        let segment = &mut self.segments[index];
        let at = match segment.seek(key, bits) {
            Some(at) if segment.keys[at] == key => at,
            found => {
                self.len += 1;
                segment.open(found, key, bits, expected)
            }
        };
        let place = Place { segment: index as u32, at: at as u32 };
        (place, segment.values[at].get_or_insert_with(make))
    }

    pub(crate) fn remove(&mut self, key: u64) -> Option<V> {
        let index = self.segment(key);
        let key = key.min(GAP - 1);
        let segment = self.segments.get_mut(index)?;
        let at = segment.seek(key, self.bits).filter(|at| segment.keys[*at] == key)?;
        self.len -= 1;
        segment.close(at, self.bits)
    }

    /// In order of the keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &V)> {
        self.segments.iter().flat_map(|segment| {
            segment.keys.iter().zip(&segment.values).filter_map(|(key, value)| Some((*key, value.as_ref()?)))
        })
    }

    /// As [`iter`](Self::iter).
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.segments.iter_mut().flat_map(|segment| segment.values.iter_mut().flatten())
    }

    /// Keeps only those for which `keep` holds; called in order of the keys.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(u64, &mut V) -> bool) {
        self.expected = 0;
        for segment in &mut self.segments {
            self.len -= segment.retain(self.bits, &mut keep);
        }
        while self.bits > 0 && self.len < (SEGMENT_KEYS << self.bits) / 4 {
            self.bits -= 1;
            let mut halves = std::mem::take(&mut self.segments).into_iter();
            while let (Some(low), Some(high)) = (halves.next(), halves.next()) {
                let count = low.len + high.len;
                self.segments.push(Segment::of(
                    count,
                    self.bits,
                    low.into_entries().chain(high.into_entries()),
                ));
            }
        }
    }

    /// Splits each segment in two, one after the other.
    #[cold]
    fn split(&mut self) {
        if self.segments.is_empty() {
            self.segments.push(Segment::default());
            return;
        }
        (self.bits, self.expected) = (self.bits + 1, 0);
        let whole = std::mem::take(&mut self.segments);
        self.segments.reserve_exact(whole.len() * 2);
        for segment in whole {
            let middle = |key: &u64| (key << (self.bits - 1)) >> 63 == 0;
            let low = segment.keys.iter().filter(|key| **key != GAP).filter(|key| middle(key)).count();
            let count = segment.len;
            let mut entries = segment.into_entries();
            self.segments.push(Segment::of(low, self.bits, entries.by_ref().take(low)));
            self.segments.push(Segment::of(count - low, self.bits, entries));
        }
    }

    #[inline]
    fn segment(&self, key: u64) -> usize {
        // Two shifts, because a shift by all 64 bits would do nothing.
        (key >> 1 >> (63 - self.bits)) as usize
    }
}

impl<V> Default for Segment<V> {
    fn default() -> Self {
        Self { keys: Vec::new(), values: Vec::new(), homes: 0, len: 0 }
    }
}

impl<V> Segment<V> {
    /// The number of homes for this many keys: four of five are used.
    fn homes_for(len: usize) -> usize {
        len + len / 4 + SPARE
    }

    /// A segment of `len` entries, in order.
    fn of(len: usize, bits: u32, entries: impl Iterator<Item = (u64, V)>) -> Self {
        let mut segment = Self::default();
        if len > 0 {
            segment.make_room(Self::homes_for(len));
            let mut next = 0;
            for (key, value) in entries {
                let at = segment.home(key, bits).max(next);
                next = at + 1;
                segment.lengthen(next + 1);
                segment.keys[at] = key;
                segment.values[at] = Some(value);
                segment.len += 1;
            }
        }
        segment
    }

    fn make_room(&mut self, homes: usize) {
        self.homes = homes;
        self.lengthen(homes + SPARE);
    }

    /// Adds gaps until there are `places`.
    #[inline]
    fn lengthen(&mut self, places: usize) {
        let more = places.saturating_sub(self.keys.len());
        if more > 0 {
            self.keys.reserve_exact(more);
            self.keys.extend(iter::repeat_n(GAP, more));
            self.values.reserve_exact(more);
            self.values.extend(iter::repeat_with(|| None).take(more));
        }
    }

    #[inline]
    fn home(&self, key: u64, bits: u32) -> usize {
        ((((key << bits) >> 32) * self.homes as u64) >> 32) as usize
    }

    /// The place of `key`, or where it belongs. `None` if there is no free place.
    #[inline]
    fn seek(&self, key: u64, bits: u32) -> Option<usize> {
        let home = self.home(key, bits);
        let places = self.keys.get(home..)?;
        places.iter().position(|held| *held >= key).map(|at| home + at)
    }

    /// Makes a gap for `key` and inserts the key; the caller inserts the value.
    fn open(&mut self, found: Option<usize>, key: u64, bits: u32, expected: usize) -> usize {
        let mut found = found.filter(|_| self.len < self.homes - self.homes / 10);
        if found.is_none() {
            let homes = Self::homes_for(self.len.max(expected) + 1);
            if self.homes == 0 {
                self.make_room(homes);
            } else {
                let whole = std::mem::take(self);
                *self = Self::of(whole.len, bits, whole.into_entries());
            }
            found = self.seek(key, bits);
        }
        let at = found.unwrap_or(0);
        let gap = at + self.keys[at..].iter().position(|held| *held == GAP).unwrap_or(0);
        self.lengthen(gap + 2);
        self.keys.copy_within(at..gap, at + 1);
        self.values[at..=gap].rotate_right(1);
        self.keys[at] = key;
        self.len += 1;
        at
    }

    /// Removes the entry at `at` and moves the entries after it forward that had been moved back for it.
    fn close(&mut self, mut at: usize, bits: u32) -> Option<V> {
        let value = self.values[at].take();
        while self.keys[at + 1] != GAP && self.home(self.keys[at + 1], bits) <= at {
            self.keys[at] = self.keys[at + 1];
            self.values.swap(at, at + 1);
            at += 1;
        }
        self.keys[at] = GAP;
        self.len -= 1;
        value
    }

    /// Returns the number of removed entries.
    fn retain(&mut self, bits: u32, keep: &mut impl FnMut(u64, &mut V) -> bool) -> usize {
        let before = self.len;
        let mut next = 0;
        for at in 0..self.keys.len() {
            let key = self.keys[at];
            let Some(value) = &mut self.values[at] else { continue };
            self.keys[at] = GAP;
            if keep(key, value) {
                // Never farther back than before; everything in between has moved or has been removed.
                let place = self.home(key, bits).max(next);
                next = place + 1;
                self.keys[place] = key;
                self.values.swap(at, place);
            } else {
                self.values[at] = None;
                self.len -= 1;
            }
        }
        if self.homes > 2 * Self::homes_for(self.len) {
            let whole = std::mem::take(self);
            *self = Self::of(whole.len, bits, whole.into_entries());
        }
        before - self.len
    }

    fn into_entries(self) -> impl Iterator<Item = (u64, V)> {
        self.keys.into_iter().zip(self.values).filter_map(|(key, value)| Some((key, value?)))
    }
}

#[cfg(test)]
mod tests;
