//! Strings of a page, each stored once.
use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};
use watchbell_contract::Dictionary;

/// Distinct strings, each stored once.
#[derive(Debug, Default)]
pub(crate) struct Words {
    ends: Vec<u32>,
    bytes: Vec<u8>,
    codes: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Words {
    /// The code of `word`, new or known.
    pub(crate) fn code(&mut self, word: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(word);
        let (ends, bytes) = (&self.ends, &self.bytes);
        if let Some(&code) = self.codes.find(hash, |&code| span(ends, bytes, code) == word) {
            return code;
        }
        let code = self.ends.len() as u32;
        self.bytes.extend_from_slice(word);
        self.ends.push(self.bytes.len() as u32);
        let (ends, bytes, hasher) = (&self.ends, &self.bytes, &self.hasher);
        self.codes.insert_unique(hash, code, |&code| hasher.hash_one(span(ends, bytes, code)));
        code
    }

    pub(crate) fn len(&self) -> u32 {
        self.ends.len() as u32
    }

    pub(crate) fn word(&self, code: u32) -> &[u8] {
        span(&self.ends, &self.bytes, code)
    }

    /// The strings, and for each value the code of its own.
    pub(crate) fn dictionary(self, codes: Vec<u32>) -> Dictionary {
        Dictionary { codes, ends: self.ends, bytes: self.bytes }
    }
}

fn span<'a>(ends: &[u32], bytes: &'a [u8], code: u32) -> &'a [u8] {
    let code = code as usize;
    let start = if code == 0 { 0 } else { ends[code - 1] as usize };
    &bytes[start..ends[code] as usize]
}
