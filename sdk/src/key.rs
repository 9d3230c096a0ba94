//! Identifies a row's group by the values of the manifest's key fields.
use serde::{Deserialize, Serialize};

use watchbell_rows::{MULTIPLIER, finish, hash};

use crate::value::{Value, hash_of};

/// A hash of the values of a row's key fields, eight bytes long. Equal values give equal keys, in every run and
/// whatever the fields' types; the keys of two different groups collide with a probability of 2⁻⁶⁴.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub(crate) u64);

/// The values of the key fields, in the manifest's order; `None` if the field is missing, which is a separate group.
///
/// A state that must name its keys keeps a [`Name`](crate::Name), which takes less memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Labels(pub Vec<Option<String>>);

const MISSING: u64 = 0x6d69_7373_696e_6721;

impl Key {
    /// The only key of a rule without key fields.
    pub(crate) const WHOLE: Self = Self(0);

    /// The key of these values, in the order of the manifest's key fields; `None` for a missing value.
    pub fn of<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        values
            .into_iter()
            .fold(Self::WHOLE, |key, value| key.and(value.map_or(MISSING, |text| hash(text.as_bytes()))))
    }

    /// The key of these values and one more; `None` if that is missing. Values count as the text that they have in a
    /// label, whatever their type.
    #[inline]
    pub fn with(self, value: Option<Value<'_>>) -> Self {
        match value {
            Some(Value::Word(word)) => self.and(hash(word.as_bytes())),
            Some(value) => self.and(hash_of(value)),
            None => self.and_missing(),
        }
    }

    pub(crate) fn and_missing(self) -> Self {
        self.and(MISSING)
    }

    /// Adds the next field's value, by its hash.
    #[inline]
    pub(crate) fn and(self, part: u64) -> Self {
        Self(finish(self.0.rotate_left(23).wrapping_mul(MULTIPLIER) ^ part))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_differ_where_values_do() {
        let mut seen = HashSet::new();
        for n in 0..100_000 {
            assert!(seen.insert(Key::of([Some(format!("host-{n}").as_str())])));
        }
        assert!(seen.insert(Key::of([None])));
        assert!(seen.insert(Key::of([Some("")])));
        assert!(seen.insert(Key::of([Some("\0")])));
        assert!(seen.insert(Key::of([Some("a"), Some("b")])));
        assert!(seen.insert(Key::of([Some("b"), Some("a")])));
        assert!(seen.insert(Key::of([Some("ab"), None])));
        assert!(seen.insert(Key::of([None, Some("ab")])));
    }

    #[test]
    fn a_key_is_the_same_for_ever() {
        // Stored states contain keys: a change here must raise the encoding in `layout.rs`.
        assert_eq!(Key::of([Some("web-1")]).0, 14_628_631_590_105_677_151);
        assert_eq!(Key::of([]), Key::WHOLE);
    }

    #[test]
    fn a_key_is_made_of_one_value_after_the_other() {
        let key = Key::of([Some("a"), None, Some("80")]);
        assert_eq!(Key::of([]).with(Some(Value::Word("a"))).with(None).with(Some(Value::Integer(80))), key);
    }
}
