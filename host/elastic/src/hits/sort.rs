//! The sort values of a hit: its time, and a tiebreaker if one was requested.
use std::fmt;

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// A sort value: an integer, or anything else.
struct Sorted(Option<i64>);

impl<'de> Deserialize<'de> for Sorted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = Sorted;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sort value")
            }
            fn visit_i64<E>(self, value: i64) -> Result<Sorted, E> {
                Ok(Sorted(Some(value)))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Sorted, E> {
                Ok(Sorted(value.try_into().ok()))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Sorted, E> {
                Ok(Sorted(None))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Sorted, E> {
                Ok(Sorted(None))
            }
            fn visit_str<E>(self, _: &str) -> Result<Sorted, E> {
                Ok(Sorted(None))
            }
            fn visit_unit<E>(self) -> Result<Sorted, E> {
                Ok(Sorted(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Sorted, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Sorted(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sorted, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Sorted(None))
            }
        }
        deserializer.deserialize_any(AnyValue)
    }
}

/// `"sort": [1700000000000, 5]` or `"sort": [1700000000000, "logs-1", 5]`
pub(super) struct SortSeed;

impl<'de> DeserializeSeed<'de> for SortSeed {
    type Value = (i64, Option<i64>);
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for SortSeed {
    type Value = (i64, Option<i64>);
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sort values")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let Some(time) = seq.next_element::<i64>()? else {
            return Err(A::Error::custom("a hit without a sort value"));
        };
        // The tiebreaker is the only other number; an index may come before it.
        let mut tie = None;
        while let Some(value) = seq.next_element::<Sorted>()? {
            tie = value.0.or(tie);
        }
        Ok((time, tie))
    }
}
