//! Instants with counts: one or two of them in sixteen bytes, more in a box.
use std::collections::VecDeque;
use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, SerializeTuple};
use serde::{Deserializer, Serialize, Serializer};

/// Distinct places in order, each with a count above zero.
#[derive(Clone)]
pub(crate) enum PackedCounts {
    /// At most two, as most keys of a million hold: the newer at `high · 2³² + low`, the older `step` before it. A
    /// number of zero says that there is none; without a newer one there is no older one.
    Few {
        low: u32,
        step: u32,
        high: i16,
        newer: u16,
        older: u16,
    },
    Many(Box<Many>),
}

#[derive(Clone)]
pub(crate) struct Many {
    counts: VecDeque<(i64, u32)>,
    total: u64,
}

/// The allocator's overhead per allocation.
const PIECE_BYTES: usize = 16;
/// The maximum distance of a place from the base that it is encoded against: 36 million years of milliseconds. Larger
/// distances saturate.
const FAR: i64 = 1 << 60;

impl Default for PackedCounts {
    fn default() -> Self {
        Self::Few { low: 0, step: 0, high: 0, newer: 0, older: 0 }
    }
}

impl PackedCounts {
    /// Adds `count` at `place`.
    #[inline]
    pub(crate) fn add(&mut self, place: i64, count: u32) {
        if count == 0 {
            return;
        }
        if let Self::Many(many) = self {
            return many.add(place, count);
        }
        if !self.add_few(place, count) {
            self.add_to_many(place, count);
        }
    }

    /// Returns whether it fit among the few.
    #[inline]
    fn add_few(&mut self, place: i64, count: u32) -> bool {
        let Self::Few { low, step, high, newer, older } = self else { return false };
        let Ok(count) = u16::try_from(count) else { return false };
        if *newer == 0 {
            return split(place).is_some_and(|(l, h)| {
                (*low, *high, *newer) = (l, h, count);
                true
            });
        }
        let newest = join(*low, *high);
        let Ok(apart) = u32::try_from(place.abs_diff(newest)) else { return false };
        let grow = |number: &mut u16| {
            number.checked_add(count).is_some_and(|sum| {
                *number = sum;
                true
            })
        };
        if place == newest {
            grow(newer)
        } else if place < newest {
            if *older == 0 {
                (*step, *older) = (apart, count);
                return true;
            }
            *step == apart && grow(older)
        } else {
            *older == 0
                && split(place).is_some_and(|(l, h)| {
                    (*older, *newer, *step) = (*newer, count, apart);
                    (*low, *high) = (l, h);
                    true
                })
        }
    }

    #[cold]
    fn add_to_many(&mut self, place: i64, count: u32) {
        let (counts, total) = (self.iter().collect(), self.total());
        let mut many = Box::new(Many { counts, total });
        many.add(place, count);
        *self = Self::Many(many);
    }

    /// Decrements the count at `place`; returns false if there is none.
    pub(crate) fn take(&mut self, place: i64) -> bool {
        match self {
            Self::Few { low, step, high, newer, older } => {
                let newest = join(*low, *high);
                if *newer > 0 && newest == place {
                    *newer -= 1;
                    if *newer == 0 && *older > 0 {
                        let (place, count) = (newest.wrapping_sub(i64::from(*step)), u32::from(*older));
                        *self = Self::default();
                        self.add(place, count);
                    }
                    true
                } else if *older > 0 && newest.wrapping_sub(i64::from(*step)) == place {
                    *older -= 1;
                    true
                } else {
                    false
                }
            }
            Self::Many(many) => {
                let Ok(index) = many.counts.binary_search_by_key(&place, |run| run.0) else { return false };
                many.total -= 1;
                many.counts[index].1 -= 1;
                if many.counts[index].1 == 0 {
                    many.counts.remove(index);
                    self.shrink();
                }
                true
            }
        }
    }

    /// Drops the oldest place.
    #[inline]
    pub(crate) fn pop_oldest(&mut self) {
        match self {
            Self::Few { older, .. } if *older > 0 => *older = 0,
            Self::Few { newer, .. } => *newer = 0,
            Self::Many(many) => {
                if let Some((_, count)) = many.counts.pop_front() {
                    many.total -= u64::from(count);
                }
                if many.counts.len() < 2 {
                    self.shrink();
                }
            }
        }
    }

    /// Drops the newest place.
    pub(crate) fn pop_newest(&mut self) {
        match self {
            Self::Few { older: 0, .. } => *self = Self::default(),
            Self::Few { .. } => {
                let oldest = self.iter().next();
                *self = Self::default();
                if let Some((place, count)) = oldest {
                    self.add(place, count);
                }
            }
            Self::Many(many) => {
                if let Some((_, count)) = many.counts.pop_back() {
                    many.total -= u64::from(count);
                }
                self.shrink();
            }
        }
    }

    /// Frees the box once a single place is left. Two places keep it, because there may soon be three again.
    fn shrink(&mut self) {
        if let Self::Many(many) = self
            && many.counts.len() < 2
        {
            let last = many.counts.front().copied();
            let mut few = Self::default();
            if last.is_none_or(|(place, count)| few.add_few(place, count)) {
                *self = few;
            }
        }
    }

    #[inline]
    pub(crate) fn newest(&self) -> Option<i64> {
        match self {
            Self::Few { newer: 0, .. } => None,
            Self::Few { low, high, .. } => Some(join(*low, *high)),
            Self::Many(many) => many.counts.back().map(|run| run.0),
        }
    }

    #[inline]
    pub(crate) fn oldest(&self) -> Option<i64> {
        match self {
            Self::Few { newer: 0, .. } => None,
            Self::Few { low, high, older: 0, .. } => Some(join(*low, *high)),
            Self::Few { low, high, step, .. } => Some(join(*low, *high).wrapping_sub(i64::from(*step))),
            Self::Many(many) => many.counts.front().map(|run| run.0),
        }
    }

    /// The sum of all counts.
    #[inline]
    pub(crate) fn total(&self) -> u64 {
        match self {
            Self::Few { newer, older, .. } => u64::from(*newer) + u64::from(*older),
            Self::Many(many) => many.total,
        }
    }

    /// The number of places.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few { newer, older, .. } => usize::from(*newer > 0) + usize::from(*older > 0),
            Self::Many(many) => many.counts.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.newest().is_none()
    }

    /// Iterates from the oldest place.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, u32)> {
        let (few, many) = match self {
            Self::Few { low, step, high, newer, older } => {
                let newest = join(*low, *high);
                let place = |at: i64, count: u16| (count > 0).then_some((at, u32::from(count)));
                let oldest = newest.wrapping_sub(i64::from(*step));
                ([place(oldest, *older), place(newest, *newer)], None)
            }
            Self::Many(many) => ([None; 2], Some(&many.counts)),
        };
        few.into_iter().flatten().chain(many.into_iter().flatten().copied())
    }

    /// The bytes that it uses besides its own sixteen.
    #[inline]
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Few { .. } => 0,
            Self::Many(many) => {
                2 * PIECE_BYTES + size_of::<Many>() + many.counts.capacity() * size_of::<(i64, u32)>()
            }
        }
    }

    /// An estimate of its encoded size in bytes; slightly too high if it spans at most a day.
    #[inline]
    pub(crate) fn written_bytes(&self) -> usize {
        5 + match self {
            Self::Few { older: 0, .. } => 0,
            Self::Few { .. } => 5,
            Self::Many(many) => 2 + many.counts.len() * 4,
        }
    }

    /// Encodes it compactly if `base` is near; a single place is one number.
    pub(crate) fn write<S: Serializer>(&self, base: i64, serializer: S) -> Result<S::Ok, S::Error> {
        let mut back = self.iter().rev();
        let Some((newest, count)) = back.next() else {
            let mut tuple = serializer.serialize_tuple(1)?;
            tuple.serialize_element(&0_u64)?;
            return tuple.end();
        };
        let more = self.len() > 1;
        let apart = newest.saturating_sub(base).clamp(-FAR, FAR);
        // Zigzag: small numbers of either sign are short.
        let apart = ((apart << 1) ^ (apart >> 63)) as u64;
        let head = 1 + ((apart << 2) | (u64::from(count > 1) << 1) | u64::from(more));
        let mut tuple = serializer.serialize_tuple(1 + usize::from(count > 1) + usize::from(more))?;
        tuple.serialize_element(&head)?;
        if count > 1 {
            tuple.serialize_element(&count)?;
        }
        if more {
            tuple.serialize_element(&Older(self))?;
        }
        tuple.end()
    }

    /// Decodes what [`write`](Self::write) encoded against the same `base`.
    pub(crate) fn read<'de, D: Deserializer<'de>>(base: i64, deserializer: D) -> Result<Self, D::Error> {
        struct Reader(i64);
        impl<'de> Visitor<'de> for Reader {
            type Value = PackedCounts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("places in time")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<PackedCounts, A::Error> {
                let cut = || A::Error::custom("places in time are truncated");
                let Some(head) = parts.next_element::<u64>()?.ok_or_else(cut)?.checked_sub(1) else {
                    return Ok(PackedCounts::default());
                };
                let apart = (head >> 2) as i64;
                let newest = self.0.wrapping_add((apart >> 1) ^ -(apart & 1));
                let count = if head & 2 > 0 { parts.next_element::<u32>()?.ok_or_else(cut)? } else { 1 };
                let mut counts = VecDeque::from([(newest, count)]);
                if head & 1 > 0 {
                    let older: Vec<u64> = parts.next_element()?.ok_or_else(cut)?;
                    let mut older = older.into_iter();
                    let mut place = newest;
                    while let Some(step) = older.next() {
                        let count = if step & 1 > 0 { older.next().ok_or_else(cut)? } else { 1 };
                        let back = i64::try_from(step >> 1).ok().filter(|step| *step > 0);
                        place = back.and_then(|back| place.checked_sub(back)).ok_or_else(cut)?;
                        counts.push_front((place, u32::try_from(count).map_err(A::Error::custom)?));
                    }
                }
                if counts.iter().any(|run| run.1 == 0) {
                    return Err(A::Error::custom("a place in time without a number"));
                }
                Ok(PackedCounts::from(counts))
            }
        }
        deserializer.deserialize_tuple(3, Reader(base))
    }
}

impl From<VecDeque<(i64, u32)>> for PackedCounts {
    fn from(counts: VecDeque<(i64, u32)>) -> Self {
        let mut few = Self::default();
        if counts.len() < 3 && counts.iter().all(|(place, count)| few.add_few(*place, *count)) {
            return few;
        }
        let total = counts.iter().map(|run| u64::from(run.1)).sum();
        Self::Many(Box::new(Many { counts, total }))
    }
}

impl Many {
    #[inline]
    fn add(&mut self, place: i64, count: u32) {
        self.total += u64::from(count);
        match self.counts.back_mut() {
            Some(last) if last.0 == place => last.1 = last.1.saturating_add(count),
            Some(last) if last.0 > place => self.insert(place, count),
            _ => self.counts.push_back((place, count)),
        }
    }

    #[cold]
    fn insert(&mut self, place: i64, count: u32) {
        match self.counts.binary_search_by_key(&place, |run| run.0) {
            Ok(index) => self.counts[index].1 = self.counts[index].1.saturating_add(count),
            Err(index) => self.counts.insert(index, (place, count)),
        }
    }
}

/// All places but the newest, each as the step back to it, with its number where that is not one.
struct Older<'r>(&'r PackedCounts);

impl Serialize for Older<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let older = || self.0.iter().rev().skip(1);
        let len = older().map(|(_, count)| 1 + usize::from(count > 1)).sum();
        let mut seq = serializer.serialize_seq(Some(len))?;
        let mut last = self.0.newest().unwrap_or(0);
        for (place, count) in older() {
            let step = last.abs_diff(place).min(2 * FAR as u64);
            last = place;
            seq.serialize_element(&((step << 1) | u64::from(count > 1)))?;
            if count > 1 {
                seq.serialize_element(&u64::from(count))?;
            }
        }
        seq.end()
    }
}

fn split(place: i64) -> Option<(u32, i16)> {
    Some((place as u32, i16::try_from(place >> 32).ok()?))
}

fn join(low: u32, high: i16) -> i64 {
    (i64::from(high) << 32) | i64::from(low)
}

impl PartialEq for PackedCounts {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for PackedCounts {}

impl fmt::Debug for PackedCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;
