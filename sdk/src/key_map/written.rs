//! Encodes a map: keys as steps from one to the next, times as steps from the newest time.
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error as _, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, SerializeTuple};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{KEYS_MAX, KeyMap};
use crate::table::Table;
use crate::{Aged, Timestamp};

/// The newest event, then the entries in order of their keys: equal maps have equal encodings.
impl<V: Serialize + Aged, const MAX: usize, const BYTES: usize> Serialize for KeyMap<V, MAX, BYTES> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let base = self.values().filter_map(Aged::newest).max().unwrap_or_default();
        let mut map = serializer.serialize_tuple(2)?;
        map.serialize_element(&base)?;
        map.serialize_element(&Entries { table: &self.entries, base })?;
        map.end()
    }
}

struct Entries<'m, V> {
    table: &'m Table<V>,
    base: Timestamp,
}

impl<V: Serialize + Aged> Serialize for Entries<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries = serializer.serialize_seq(Some(self.table.len()))?;
        let mut last = 0;
        for (key, value) in self.table.iter() {
            entries.serialize_element(&(key - last, Since { value, base: self.base }))?;
            last = key;
        }
        entries.end()
    }
}

struct Since<'m, V> {
    value: &'m V,
    base: Timestamp,
}

impl<V: Serialize + Aged> Serialize for Since<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.write_since(self.base, serializer)
    }
}

impl<'de, V: Deserialize<'de> + Aged, const MAX: usize, const BYTES: usize> Deserialize<'de>
    for KeyMap<V, MAX, BYTES>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de> + Aged> Visitor<'de> for Reader<V> {
            type Value = Table<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of keys")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Table<V>, A::Error> {
                let cut = || A::Error::custom("a map of keys is truncated");
                let base = parts.next_element()?.ok_or_else(cut)?;
                parts.next_element_seed(EntriesSeed { base, values: PhantomData })?.ok_or_else(cut)
            }
        }
        let entries = deserializer.deserialize_tuple(2, Reader(PhantomData))?;
        // Counted when the first key is asked for.
        Ok(Self { entries, is_stale: true, ..Self::default() })
    }
}

struct EntriesSeed<V> {
    base: Timestamp,
    values: PhantomData<V>,
}

impl<'de, V: Deserialize<'de> + Aged> DeserializeSeed<'de> for EntriesSeed<V> {
    type Value = Table<V>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Table<V>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, V: Deserialize<'de> + Aged> Visitor<'de> for EntriesSeed<V> {
    type Value = Table<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keys and values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Table<V>, A::Error> {
        let mut table = Table::for_many(entries.size_hint().unwrap_or(0).min(KEYS_MAX));
        let mut last = 0_u64;
        let seed = || EntrySeed { base: self.base, value: PhantomData };
        while let Some((step, value)) = entries.next_element_seed(seed())? {
            // The first key may be 0, which is the key of a rule without key fields.
            if step == 0 && table.len() > 0 {
                return Err(A::Error::custom("a key occurs twice"));
            }
            last = last.checked_add(step).ok_or_else(|| A::Error::custom("keys are out of order"))?;
            table.entry(last, || value);
        }
        Ok(table)
    }
}

struct EntrySeed<V> {
    base: Timestamp,
    value: PhantomData<V>,
}

impl<'de, V: Deserialize<'de> + Aged> DeserializeSeed<'de> for EntrySeed<V> {
    type Value = (u64, V);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(u64, V), D::Error> {
        deserializer.deserialize_tuple(2, self)
    }
}

impl<'de, V: Deserialize<'de> + Aged> Visitor<'de> for EntrySeed<V> {
    type Value = (u64, V);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key and its value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<(u64, V), A::Error> {
        let cut = || A::Error::custom("a key without a value");
        let step = parts.next_element()?.ok_or_else(cut)?;
        let value = parts.next_element_seed(ValueSeed { base: self.base, value: PhantomData })?;
        Ok((step, value.ok_or_else(cut)?))
    }
}

struct ValueSeed<V> {
    base: Timestamp,
    value: PhantomData<V>,
}

impl<'de, V: Deserialize<'de> + Aged> DeserializeSeed<'de> for ValueSeed<V> {
    type Value = V;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V, D::Error> {
        V::read_since(self.base, deserializer)
    }
}
