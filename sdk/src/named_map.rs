//! A map with a value per key that contains text, such as the key's name; keys and bytes are bounded.
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::marker::PhantomData;
use std::mem;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::aged::held_bytes;
use crate::{Aged, Key, Labels, Row, Timestamp, bounds};

#[cfg(test)]
mod tests;

/// The default maximum number of keys.
pub const NAMES_MAX: usize = 200_000;

/// The maximum number of bytes that a map's values may hold on the heap, all together. With [`NAMES_MAX`] small values,
/// a state stays within 16 MiB and a module within 64 MiB, the default limits.
pub const NAME_BYTES_MAX: usize = 12 << 20;

/// A value per key, where values contain text, such as a [`Name`] or a field's last value. The bytes of every value are
/// counted exactly, so state and memory stay bounded however long the texts are. Its methods are those of
/// [`KeyMap`](crate::KeyMap); only the order of keys is unspecified.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use watchbell_sdk::prelude::*;
///
/// /// What a check needs to know about a host that went silent: here is no row to name it.
/// #[derive(Serialize, Deserialize, Aged)]
/// struct Host {
///     name: Name,
///     newest: Timestamp,
/// }
///
/// fn row(row: &Row<'_>, hosts: &mut NamedMap<Host>) {
///     let make = || Host { name: Name::of(row), newest: row.time() };
///     hosts.entry_with(row.key(), make).newest = row.time();
/// }
///
/// fn check(at: Timestamp, hosts: &mut NamedMap<Host>, out: &mut Signals) {
///     hosts.retain(|_, host| {
///         let is_silent = at - host.newest >= Duration::from_mins(5);
///         if is_silent {
///             out.push(Signal::event(host.name.labels(), at).summary("silent for 5m"));
///         }
///         !is_silent
///     });
/// }
/// ```
///
/// Holds at most `MAX` keys and, besides its table, [`NAME_BYTES_MAX`] bytes. If the bytes do not fit, values first
/// drop what they can do without ([`Aged::spare`]). If that is not enough, or if there are too many keys, the eighth of
/// the keys that has been silent longest is forgotten, and a warning is logged. A rule that can reach the limit says in
/// its README what that does to its results.
#[derive(Clone, Debug)]
pub struct NamedMap<V, const MAX: usize = NAMES_MAX> {
    entries: HashMap<Key, V, BuildHasherDefault<AsItIs>>,
    /// The total bytes of the values, except for changes to `touched` since it was returned.
    heap_bytes: usize,
    /// The key whose value was returned mutably, and the bytes that it had then.
    touched: Option<(Key, usize)>,
    /// All values were returned mutably: their bytes must be counted again.
    is_stale: bool,
    /// It was full, so its values have dropped what does not affect results.
    is_spare: bool,
}

/// The values of the key fields in one string, for states that must name a key when none of its rows is at hand. Takes
/// a third of the memory of [`Labels`].
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Name(Box<str>);

impl Name {
    /// The name of the row's key. As in [`Row::labels`], a value longer than 1 KiB is truncated and ends in a hash of
    /// the whole.
    pub fn of(row: &Row<'_>) -> Self {
        Self::from(&row.labels())
    }

    /// The values of the key fields, for a signal.
    pub fn labels(&self) -> Labels {
        Labels(Parts(&self.0).flatten().map(|part| part.map(str::to_owned)).collect())
    }

    /// The bytes on the heap; for [`Aged::heap_bytes`].
    pub fn heap_bytes(&self) -> usize {
        held_bytes(self.0.len())
    }
}

impl From<&Labels> for Name {
    fn from(labels: &Labels) -> Self {
        let mut text = String::new();
        for value in &labels.0 {
            match value {
                Some(value) => text.push_str(&format!("{}:{value}", value.len())),
                None => text.push('-'),
            }
        }
        Self(text.into())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.labels().fmt(f)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<str>::deserialize(deserializer)?;
        if Parts(&text).any(|part| part.is_none()) {
            return Err(D::Error::custom("a name that does not end where it says"));
        }
        Ok(Self(text))
    }
}

/// Shortens a text from a document for storage: a text longer than 1 KiB is truncated and ends in a hash of the whole,
/// so that two texts with the same beginning stay distinct.
pub fn kept(text: String) -> Box<str> {
    bounds::label(text).into()
}

/// Reads `5:web-1-` as "web-1" and a missing value; an invalid part yields `None` and ends the iteration.
struct Parts<'n>(&'n str);

impl<'n> Iterator for Parts<'n> {
    type Item = Option<Option<&'n str>>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = mem::take(&mut self.0);
        if rest.is_empty() {
            return None;
        }
        if let Some(rest) = rest.strip_prefix('-') {
            self.0 = rest;
            return Some(Some(None));
        }
        let part = rest.split_once(':').and_then(|(len, rest)| rest.split_at_checked(len.parse().ok()?));
        Some(part.map(|(value, rest)| {
            self.0 = rest;
            Some(value)
        }))
    }
}

/// Keys are already hashes.
#[derive(Clone, Copy, Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = watchbell_rows::hash(bytes);
    }

    #[inline]
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

impl<V, const MAX: usize> Default for NamedMap<V, MAX> {
    fn default() -> Self {
        Self { entries: HashMap::default(), heap_bytes: 0, touched: None, is_stale: false, is_spare: false }
    }
}

impl<V: Aged, const MAX: usize> NamedMap<V, MAX> {
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
        self.make_room(key);
        let value = match self.entries.entry(key) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(place) => {
                let value = place.insert(make());
                self.heap_bytes += value.heap_bytes();
                value
            }
        };
        self.touched = Some((key, value.heap_bytes()));
        value
    }

    /// Calls `change` with the value of `key`, which `make` creates if there is none, and returns its result. A full
    /// map forgets keys.
    #[inline]
    pub fn update<T>(&mut self, key: Key, make: impl FnOnce() -> V, change: impl FnOnce(&mut V) -> T) -> T {
        self.make_room(key);
        let (before, value) = match self.entries.entry(key) {
            Entry::Occupied(held) => {
                let value = held.into_mut();
                (value.heap_bytes(), value)
            }
            Entry::Vacant(place) => (0, place.insert(make())),
        };
        let result = change(value);
        if self.is_spare {
            value.spare();
        }
        self.heap_bytes = self.heap_bytes + value.heap_bytes() - before;
        self.forget_excess();
        result
    }

    /// Calls `change` with the value of `key` and returns its result; `None` if there is no value. Unlike
    /// [`update`](Self::update), it never forgets keys. Faster than [`get_mut`](Self::get_mut), because the value's bytes
    /// are counted at once.
    #[inline]
    pub fn change<T>(&mut self, key: Key, change: impl FnOnce(&mut V) -> T) -> Option<T> {
        self.count_bytes();
        let value = self.entries.get_mut(&key)?;
        let before = value.heap_bytes();
        let result = change(value);
        self.heap_bytes = self.heap_bytes + value.heap_bytes() - before;
        Some(result)
    }

    /// The value of `key`, mutably, if there is one. Never forgets keys.
    #[inline]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut V> {
        self.count_bytes();
        let value = self.entries.get_mut(&key)?;
        self.touched = Some((key, value.heap_bytes()));
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
        self.count_bytes();
        let value = self.entries.remove(&key)?;
        self.heap_bytes -= value.heap_bytes();
        Some(value)
    }

    /// Keeps only the keys for which `keep` returns true. The order of calls is unspecified; results must not depend on
    /// it.
    pub fn retain(&mut self, mut keep: impl FnMut(Key, &mut V) -> bool) {
        let mut heap_bytes = 0;
        self.entries.retain(|key, value| {
            let is_kept = keep(*key, value);
            heap_bytes += if is_kept { value.heap_bytes() } else { 0 };
            is_kept
        });
        (self.heap_bytes, self.touched, self.is_stale) = (heap_bytes, None, false);
    }

    /// Makes room for `key`.
    #[inline]
    fn make_room(&mut self, key: Key) {
        const { assert!(V::HAS_TIME, "the map's values hold no time: add a field such as `newest: Timestamp`") };
        self.count_bytes();
        self.forget_excess();
        if self.entries.len() >= MAX && !self.entries.contains_key(&key) {
            self.forget_silent(format_args!("more than {MAX} names"));
        }
    }

    #[inline]
    fn forget_excess(&mut self) {
        if self.heap_bytes > NAME_BYTES_MAX && !self.is_spare {
            self.is_spare = true;
            self.retain(|_, value| {
                value.spare();
                true
            });
        }
        while self.heap_bytes > NAME_BYTES_MAX {
            self.forget_silent(format_args!("names and values of more than {} MiB", NAME_BYTES_MAX >> 20));
        }
    }

    /// Accounts for changes to values that were returned mutably.
    #[inline]
    fn count_bytes(&mut self) {
        if let Some((key, before)) = self.touched.take()
            && let Some(value) = self.entries.get_mut(&key)
        {
            if self.is_spare {
                value.spare();
            }
            self.heap_bytes = self.heap_bytes + value.heap_bytes() - before;
        }
        if self.is_stale {
            self.retain(|_, _| true);
        }
    }

    #[cold]
    fn forget_silent(&mut self, why: fmt::Arguments<'_>) {
        // By age, then by key: the selection must not depend on the map's order.
        let mut ages: Vec<(Option<Timestamp>, Key)> =
            self.entries.iter().map(|(key, value)| (value.newest(), *key)).collect();
        let count = (ages.len() / 8).max(1).min(ages.len());
        if count > 0 {
            ages.select_nth_unstable(count - 1);
        }
        for (_, key) in &ages[..count] {
            self.remove(*key);
        }
        crate::log::warn(format_args!(
            "{why} at once: the {count} that have been silent longest are forgotten"
        ));
    }
}

impl<V, const MAX: usize> NamedMap<V, MAX> {
    /// The value of `key`, if there is one.
    pub fn get(&self, key: Key) -> Option<&V> {
        self.entries.get(&key)
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has no keys.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All keys and values. The order is unspecified; results must not depend on it.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &V)> {
        self.entries.iter().map(|(key, value)| (*key, value))
    }

    /// All values. The order is unspecified; results must not depend on it.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values()
    }

    /// All values, mutably. The order is unspecified; results must not depend on it.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.is_stale = true;
        self.entries.values_mut()
    }
}

impl Key {
    /// A number below `parts` (0 if `parts` is 0) that is always the same for a key: it spreads work for many keys over
    /// several instants.
    pub fn part_of(self, parts: u64) -> u64 {
        self.0 % parts.max(1)
    }
}

/// In order of the keys, so that equal maps have equal encodings.
impl<V: Serialize, const MAX: usize> Serialize for NamedMap<V, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| **key);
        serializer.collect_seq(entries.into_iter().map(|(key, value)| (key.0.to_le_bytes(), value)))
    }
}

/// One by one, because a separate list would take a third of a module's memory.
impl<'de, V: Deserialize<'de> + Aged, const MAX: usize> Deserialize<'de> for NamedMap<V, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Entries(PhantomData))
    }
}

struct Entries<V, const MAX: usize>(PhantomData<V>);

impl<'de, V: Deserialize<'de> + Aged, const MAX: usize> Visitor<'de> for Entries<V, MAX> {
    type Value = NamedMap<V, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keys and their values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map = NamedMap::default();
        // The length comes from the input, so it is trusted only up to the size of a full map.
        map.entries.reserve(entries.size_hint().unwrap_or(0).min(MAX));
        while let Some((key, value)) = entries.next_element::<([u8; 8], V)>()? {
            map.heap_bytes += value.heap_bytes();
            map.entries.insert(Key(u64::from_le_bytes(key)), value);
        }
        Ok(map)
    }
}
