//! Words by position, with slop.
use std::collections::HashSet;

use crate::value::Value;

/// As `position_increment_gap`: the distance between values of one field.
const GAP: usize = 100;

#[derive(Debug)]
pub struct Near {
    pub slots: Vec<Slot>,
    /// The total distance that words may be moved from their place in the phrase.
    pub slop: usize,
}

#[derive(Debug)]
pub enum Slot {
    Word(Box<str>),
    AnyOf(HashSet<Box<str>>),
}

impl Slot {
    fn holds(&self, word: &str) -> bool {
        match self {
            Self::Word(one) => &**one == word,
            Self::AnyOf(words) => words.contains(word),
        }
    }

    /// Whether two slots may take the same word.
    pub fn repeat(slots: &[Self]) -> bool {
        let mut seen: HashSet<&str> = HashSet::new();
        slots.iter().any(|slot| match slot {
            Self::Word(word) => !seen.insert(word),
            Self::AnyOf(words) => words.iter().any(|word| !seen.insert(word)),
        })
    }
}

impl Near {
    pub fn hit(&self, values: &[Value]) -> bool {
        // For each slot, its words' positions less its own place in the phrase: if all are equal, the words are in
        // phrase order.
        let mut places: Vec<Vec<i64>> = vec![Vec::new(); self.slots.len()];
        let mut base = 0;
        for value in values {
            let Value::Tokens(tokens) = value else { continue };
            for (at, token) in tokens.iter().enumerate() {
                for (number, slot) in self.slots.iter().enumerate() {
                    if slot.holds(token) {
                        places[number].push((base + at) as i64 - number as i64);
                    }
                }
            }
            base += tokens.len() + GAP;
        }
        if places.iter().any(Vec::is_empty) {
            return false;
        }
        // The narrowest window over one position of each: advance whichever is furthest behind.
        let mut at = vec![0; places.len()];
        loop {
            let now = || places.iter().zip(&at).map(|(list, at)| list[*at]).enumerate();
            let (Some((low, first)), Some((_, last))) =
                (now().min_by_key(|(_, place)| *place), now().max_by_key(|(_, place)| *place))
            else {
                return false;
            };
            if (last - first).unsigned_abs() <= self.slop as u64 {
                return true;
            }
            at[low] += 1;
            if at[low] == places[low].len() {
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(phrase: &str, slop: usize, values: &[&str]) -> bool {
        let slots = phrase.split(' ').map(|word| Slot::Word(word.into())).collect();
        let values: Vec<Value> =
            values.iter().map(|text| Value::Tokens(crate::text::analyze(text).into())).collect();
        Near { slots, slop }.hit(&values)
    }

    #[test]
    fn slack_is_counted_over_all_words() {
        assert!(hit("a b", 0, &["x a b"]) && !hit("a b", 0, &["a x b"]) && hit("a b", 1, &["a x b"]));
        assert!(!hit("b a", 1, &["a b"]) && hit("b a", 2, &["a b"]));
        assert!(hit("a c", 1, &["a x y c a b c"]));
        assert!(!hit("a b", 100, &["x a", "c b"]) && hit("a b", 101, &["x a", "c b"]));
    }

    #[test]
    fn a_repeated_word_is_seen() {
        let word = |text: &str| Slot::Word(text.into());
        let any = Slot::AnyOf(["b".into(), "c".into()].into());
        assert!(Slot::repeat(&[word("a"), word("a")]) && !Slot::repeat(&[word("a"), word("b")]));
        assert!(Slot::repeat(&[word("b"), any]));
    }
}
