//! What a response takes once it is parsed. Trees and lists of a few bytes' JSON take many times as much memory: 60 MB
//! became 1.5 GB. Counted before anything is kept, whatever the response becomes.
use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::error::ErrorKind;

/// A value in its list.
const VALUE: usize = size_of::<Value>();
/// A member of an object: its value, its key, and its place in the object's order and table.
const MEMBER: usize = VALUE + size_of::<String>() + 2 * size_of::<usize>();
/// Lists and objects have room for this many from the first on.
const ROOM: usize = 4;
/// What an allocation costs beside its bytes.
const ALLOCATION: usize = 16;

/// # Errors
/// `MemoryTooLarge`: parsed, `body` would take more than about `max` bytes of memory. What is not JSON passes: its
/// reader finds the same fault at the same place, and keeps no more than was counted.
pub(crate) fn check(body: &[u8], max: usize) -> Result<(), ErrorKind> {
    // `[[],` is the heaviest: a list for every three bytes.
    if body.len().saturating_mul((ROOM + 1) * MEMBER) / 3 <= max {
        return Ok(());
    }
    let room = Cell::new(max);
    let weighed = Weigh(&room).deserialize(&mut serde_json::Deserializer::from_slice(body));
    match weighed {
        Err(_) if room.get() == 0 => Err(ErrorKind::MemoryTooLarge { max }),
        _ => Ok(()),
    }
}

/// Subtracts what a value takes.
#[derive(Clone, Copy)]
struct Weigh<'a>(&'a Cell<usize>);

impl Weigh<'_> {
    fn take<E: serde::de::Error>(self, bytes: usize) -> Result<(), E> {
        self.0.set(self.0.get().saturating_sub(bytes));
        if self.0.get() == 0 { Err(E::custom("too large")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Weigh<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Weigh<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.take(text.len() + ALLOCATION)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut count = 0;
        while seq.next_element_seed(self)?.is_some() {
            self.grow(count, VALUE)?;
            count += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut count = 0;
        while map.next_key_seed(self)?.is_some() {
            map.next_value_seed(self)?;
            self.grow(count, MEMBER)?;
            count += 1;
        }
        Ok(())
    }
}

impl Weigh<'_> {
    /// For one more beside `count` others.
    fn grow<E: serde::de::Error>(self, count: usize, each: usize) -> Result<(), E> {
        match count {
            0 => self.take(ROOM * each + ALLOCATION),
            1..ROOM => Ok(()),
            _ => self.take(each),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_much_memory_is_refused_and_what_only_has_many_bytes_is_not() {
        const MAX: usize = 4 << 20;
        let refused =
            |text: String| check(text.as_bytes(), MAX) == Err(ErrorKind::MemoryTooLarge { max: MAX });
        let listed = |one: &str| format!("[{}0]", format!("{one},").repeat((1 << 20) / (one.len() + 1)));
        for one in ["1", "[]", "[1]", "{}", r#"{"a":1}"#, r#""""#, r#"{"a":{"b":[null]}}"#] {
            assert!(refused(listed(one)), "{one}");
        }
        // One MiB of documents with long texts, or of one value.
        assert!(!refused(listed(&format!(r#"{{"message":"{}"}}"#, "x".repeat(2_000)))));
        assert!(!refused(format!(r#""{}""#, "x".repeat(1 << 20))));
        // What is no JSON is told by its reader.
        assert!(!refused("[1,".into()));
        assert!(!refused("x".repeat(1 << 20)));
    }

    #[test]
    fn a_wide_search_stays_within_the_default() {
        // The most buckets that servers return, each with two metrics.
        let bucket = r#"{"key":"host-00001","doc_count":12,"m":{"value":1.5},"n":{"value":2.5}}"#;
        let answer = format!(
            r#"{{"aggregations":{{"a":{{"buckets":[{}{bucket}]}}}}}}"#,
            format!("{bucket},").repeat(65_534)
        );
        assert_eq!(check(answer.as_bytes(), 2 * (64 << 20)), Ok(()));
    }
}
