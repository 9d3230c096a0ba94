//! Something per key, with a limit.
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Key, Timestamp};

/// How many keys a map holds by default.
pub const KEYS_MAX: usize = 250_000;

/// How many bytes a map takes, its table included: half of the memory that a module has by default, for the other
/// half holds rows and the state as it is written.
pub const BYTES_MAX: usize = 32 << 20;

/// What a call of `entry` may add to a value: an event in a queue that is doubled to hold it.
const EVENT_BYTES: usize = 32;

/// A value per key, found by the key's eight bytes: no name is stored, so a map of a hundred thousand hosts stays
/// small. A state that must name its keys at a check keeps [`Labels`](crate::Labels) in its values.
///
/// Holds at most `MAX` keys and [`BYTES_MAX`] bytes, so that it fits a module's memory whatever the keys hold. When
/// more comes, the eighth of them that was silent longest is forgotten and a warning is logged: a rule that meets it
/// says in its README what that does to its verdict.
#[derive(Clone, Debug)]
pub struct KeyMap<V, const MAX: usize = KEYS_MAX> {
    entries: HashMap<Key, V, BuildHasherDefault<AsItIs>>,
    /// No fewer than the entries take: what they took when they were counted, and what each call may have added.
    bytes_most: usize,
}

/// What a full map must know of its values.
pub trait Aged {
    /// The newest event that the value holds: which key is forgotten first.
    fn newest(&self) -> Option<Timestamp>;

    /// The bytes that the value holds besides its own size.
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// Keys are hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = crate::key::hash(bytes);
    }

    #[inline]
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

impl<V, const MAX: usize> Default for KeyMap<V, MAX> {
    fn default() -> Self {
        Self { entries: HashMap::default(), bytes_most: 0 }
    }
}

impl<V: Aged, const MAX: usize> KeyMap<V, MAX> {
    /// The value of `key`, which is made if there is none.
    #[inline]
    pub fn entry(&mut self, key: Key) -> &mut V
    where
        V: Default,
    {
        self.entry_with(key, V::default)
    }

    /// The value of `key`, which `make` makes if there is none.
    #[inline]
    pub fn entry_with(&mut self, key: Key, make: impl FnOnce() -> V) -> &mut V {
        if self.entries.len() >= MAX && !self.entries.contains_key(&key) {
            self.forget_silent(self.entries.len() / 8, format_args!("more than {MAX} keys"));
        }
        self.bytes_most += EVENT_BYTES;
        if self.bytes_most > BYTES_MAX {
            self.count_bytes();
        }
        let bytes_most = &mut self.bytes_most;
        self.entries.entry(key).or_insert_with(|| {
            let value = make();
            *bytes_most += Self::entry_bytes(&value);
            value
        })
    }

    /// A table is doubled when it is full: on average, half as much again is set aside.
    fn entry_bytes(value: &V) -> usize {
        size_of::<(Key, V)>() * 3 / 2 + value.heap_bytes()
    }

    /// Counts what is held, and makes room for a while if it is nearly too much.
    #[cold]
    fn count_bytes(&mut self) {
        let held = |map: &Self| map.entries.values().map(Self::entry_bytes).sum::<usize>();
        self.bytes_most = held(self);
        while self.bytes_most > BYTES_MAX / 8 * 7 && !self.entries.is_empty() {
            let few = self.entries.len() / 8;
            self.forget_silent(few, format_args!("keys of more than {} MiB", BYTES_MAX >> 20));
            self.bytes_most = held(self);
        }
    }

    #[cold]
    fn forget_silent(&mut self, count: usize, why: std::fmt::Arguments<'_>) {
        // By age, then key: which ones go must not depend on the map's order.
        let mut ages: Vec<_> = self.entries.iter().map(|(key, value)| (value.newest(), *key)).collect();
        let count = count.max(1).min(ages.len());
        ages.select_nth_unstable(count - 1);
        for (_, key) in &ages[..count] {
            self.entries.remove(key);
        }
        crate::log::warn(format_args!("{why} at once: the {count} that were silent longest are forgotten"));
    }
}

impl<V, const MAX: usize> KeyMap<V, MAX> {
    pub fn get(&self, key: Key) -> Option<&V> {
        self.entries.get(&key)
    }

    pub fn remove(&mut self, key: Key) -> Option<V> {
        self.entries.remove(&key)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All values, in no order that a verdict may depend on.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values()
    }

    /// As [`values`](Self::values).
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.values_mut()
    }

    /// Keeps only the values for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&mut V) -> bool) {
        self.entries.retain(|_, value| keep(value));
    }
}

/// In order of the keys, so that equal maps are equal bytes.
impl<V: Serialize, const MAX: usize> Serialize for KeyMap<V, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| **key);
        serializer.collect_seq(entries.into_iter().map(|(key, value)| (key.0.to_le_bytes(), value)))
    }
}

impl<'de, V: Deserialize<'de> + Aged, const MAX: usize> Deserialize<'de> for KeyMap<V, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = Vec::<([u8; 8], V)>::deserialize(deserializer)?;
        let entries = entries.into_iter().map(|(key, value)| (Key(u64::from_le_bytes(key)), value));
        let mut map = Self { entries: entries.collect(), bytes_most: 0 };
        map.bytes_most = map.entries.values().map(Self::entry_bytes).sum();
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Duration, EventWindow};

    fn key(n: u64) -> Key {
        Key::of([Some(n.to_string().as_str())])
    }

    #[test]
    fn a_full_map_forgets_the_keys_that_were_silent_longest() {
        let mut map = KeyMap::<EventWindow, 16>::default();
        for n in 0..17 {
            map.entry(key(n)).push(Timestamp(1_000 - n as i64), Duration::from_mins(1));
        }
        assert_eq!(map.len(), 15);
        assert!(map.get(key(15)).is_none() && map.get(key(14)).is_none());
        assert!(map.get(key(16)).is_some() && map.get(key(0)).is_some());
        assert!(crate::testing::take_logs()[0].1.contains("more than 16 keys"));
    }

    #[test]
    fn a_map_forgets_by_bytes_where_few_keys_hold_much() {
        let mut map = KeyMap::<EventWindow>::default();
        let mut most = 0;
        // Each event is an instant of its own: 20,000 of each of 400 keys would be 128 MiB.
        for n in 0..20_000 {
            for host in 0..400 {
                map.entry(key(host)).push(Timestamp(n * 400 + host as i64), Duration::from_mins(600));
            }
            if n % 500 == 0 {
                most = most.max(map.values().map(KeyMap::<EventWindow>::entry_bytes).sum());
            }
        }
        assert!(most > BYTES_MAX / 2 && most <= BYTES_MAX, "{most}");
        assert!(map.get(key(399)).is_some());
        assert!(
            crate::testing::take_logs()[0].1.starts_with("keys of more than 32 MiB at once: the 50 that")
        );
        let bytes = postcard::to_allocvec(&map).unwrap();
        assert!(bytes.len() < 16 << 20, "{}", bytes.len());
        let back: KeyMap<EventWindow> = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(back.bytes_most, back.values().map(KeyMap::<EventWindow>::entry_bytes).sum::<usize>());
    }

    #[test]
    fn the_bytes_do_not_depend_on_the_order_of_arrival() {
        let mut one = KeyMap::<EventWindow>::default();
        let mut other = KeyMap::<EventWindow>::default();
        for n in 0..100 {
            one.entry(key(n)).push(Timestamp(7), Duration::from_mins(1));
            other.entry(key(99 - n)).push(Timestamp(7), Duration::from_mins(1));
        }
        let bytes = postcard::to_allocvec(&one).unwrap();
        assert_eq!(bytes, postcard::to_allocvec(&other).unwrap());
        let back: KeyMap<EventWindow> = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(back.len(), 100);
        assert_eq!(back.get(key(3)).unwrap().count(), 1);
    }
}
