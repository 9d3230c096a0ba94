use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::{Duration, Label, Severity, Timestamp};

use crate::digest;

use super::Level;

/// What is kept of the keys that fire beyond a rule's limit of open episodes. One episode stands for all of them; its
/// level is stored like any other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overflow {
    /// Those that are next in line for an episode of their own, by first instant, then labels; at most
    /// `OVERFLOW_WAITING_MAX`, with `OVERFLOW_WAITING_BYTES_MAX` of texts.
    pub waiting: Vec<Level>,
    /// The others, by a hash of their labels; at most `OVERFLOW_COUNTED_MAX`.
    pub counted: BTreeMap<u64, CountedKey>,
    /// Of these, some of the worst; at most `OVERFLOW_NAMED_MAX`.
    pub named: Vec<NamedKey>,
    /// There were more keys than can be counted, and the last of them fires until then at the latest.
    pub uncounted_until: Option<Timestamp>,
    /// How many began and ended without an episode of their own since the overflow began.
    pub passed: u64,
    /// The number of keys when people were last notified of it.
    pub announced: u64,
}

/// A key of which only this is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedKey {
    /// The instant of its newest signal: a `clear` before that does not end it.
    pub last_at: Timestamp,
    pub until: Timestamp,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NamedKey {
    pub labels: Vec<Label>,
    pub severity: Severity,
    pub value: Option<f64>,
}

/// How many keys wait in full, and how much text they may have together.
pub const OVERFLOW_WAITING_MAX: usize = 1_000;
pub const OVERFLOW_WAITING_BYTES_MAX: usize = 1 << 20;

/// How many further keys are counted. They are written with each run, so this is what a flood may cost the store.
pub const OVERFLOW_COUNTED_MAX: usize = 20_000;

/// How many keys are listed.
pub const OVERFLOW_NAMED_MAX: usize = 10;

impl Overflow {
    /// How many keys fire now; at least that many if `!is_exact`.
    pub fn keys(&self) -> u64 {
        (self.waiting.len() + self.counted.len()) as u64
    }

    /// Whether every key is counted.
    pub fn is_exact(&self) -> bool {
        self.uncounted_until.is_none()
    }

    /// Whether no key fires beyond the limit.
    pub fn is_over(&self) -> bool {
        self.keys() == 0 && self.is_exact()
    }

    /// Time that was not evaluated, or had no data, does not count.
    pub(crate) fn suspend(&mut self, span: Duration) {
        let waiting = self.waiting.iter_mut().map(|level| &mut level.until);
        let counted = self.counted.values_mut().map(|key| &mut key.until);
        for until in waiting.chain(counted).chain(self.uncounted_until.as_mut()) {
            *until = *until + span;
        }
    }

    /// Whether it holds a key, given the labels of those that wait.
    pub(crate) fn holds(&self, labels: &[Label], waiting: &BTreeSet<&[Label]>) -> bool {
        waiting.contains(labels)
            || !self.counted.is_empty() && self.counted.contains_key(&digest::labels_hash(labels))
    }

    /// Ends the keys that these `clear`s end.
    pub(crate) fn clear(&mut self, cleared: &BTreeMap<Vec<Label>, Timestamp>) {
        let before = self.waiting.len();
        self.waiting.retain(|level| cleared.get(&level.labels).is_none_or(|at| level.last.at > *at));
        self.passed = self.passed.saturating_add((before - self.waiting.len()) as u64);
        cleared.iter().for_each(|(labels, at)| self.clear_counted(labels, *at));
    }

    /// Ends a counted key by a `clear`, unless a later signal of it was already seen.
    pub(crate) fn clear_counted(&mut self, labels: &[Label], at: Timestamp) {
        if self.counted.is_empty() {
            return;
        }
        let hash = digest::labels_hash(labels);
        if self.counted.get(&hash).is_some_and(|key| key.last_at <= at) {
            self.counted.remove(&hash);
            self.passed = self.passed.saturating_add(1);
        }
    }
}
