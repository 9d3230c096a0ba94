//! Whose message is next at a destination. Rules take turns, so that one with thousands of messages delays no other, and
//! urgent messages come before the rest.
use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::Timestamp;

use crate::record::IntentId;
use crate::spec::RuleName;

/// Where a message stands among those of its rule: by due time, then by age.
pub(super) type Place = (Timestamp, Timestamp, IntentId);

/// After this many urgent messages in a row, one of the others has a turn.
const URGENT_IN_A_ROW_MAX: u32 = 3;
/// How many rules are looked at that may not have a message picked now.
const BLOCKED_MAX: usize = 16;
/// How many rules without messages are remembered as served, besides those that have some.
const SERVED_MAX: usize = 1_024;

/// The messages that are due.
#[derive(Debug, Default)]
pub(super) struct Turns {
    urgent: Class,
    other: Class,
    urgent_in_a_row: u32,
}

#[derive(Debug, Default)]
struct Class {
    messages: BTreeMap<RuleName, BTreeSet<Place>>,
    /// The rules that have messages; first the one whose last turn is longest ago.
    turns: BTreeSet<(u64, RuleName)>,
    /// The last turn of each rule.
    served: BTreeMap<RuleName, u64>,
    /// The number of turns so far.
    count: u64,
}

impl Turns {
    pub(super) fn insert(&mut self, rule: &RuleName, is_urgent: bool, place: Place) {
        self.class(is_urgent).insert(rule, place);
    }

    pub(super) fn remove(&mut self, rule: &RuleName, is_urgent: bool, place: &Place) {
        self.class(is_urgent).remove(rule, place);
    }

    /// Takes out the next message of which `may` says that it can be picked now.
    pub(super) fn take(&mut self, may: impl Fn(&RuleName, &IntentId) -> bool) -> Option<Place> {
        let (urgent, other) = (self.urgent.next(&may), self.other.next(&may));
        let is_urgent = match (&urgent, &other) {
            (Some(_), Some(_)) => self.urgent_in_a_row < URGENT_IN_A_ROW_MAX,
            (urgent, _) => urgent.is_some(),
        };
        self.urgent_in_a_row = if is_urgent && other.is_some() { self.urgent_in_a_row + 1 } else { 0 };
        let (rule, place) = if is_urgent { urgent? } else { other? };
        self.class(is_urgent).serve(&rule, &place);
        Some(place)
    }

    fn class(&mut self, is_urgent: bool) -> &mut Class {
        if is_urgent { &mut self.urgent } else { &mut self.other }
    }
}

impl Class {
    fn insert(&mut self, rule: &RuleName, place: Place) {
        let messages = self.messages.entry(rule.clone()).or_default();
        if messages.is_empty() {
            self.turns.insert((self.served.get(rule).copied().unwrap_or(0), rule.clone()));
        }
        messages.insert(place);
    }

    fn remove(&mut self, rule: &RuleName, place: &Place) {
        let Some(messages) = self.messages.get_mut(rule) else { return };
        messages.remove(place);
        if messages.is_empty() {
            self.messages.remove(rule);
            self.turns.remove(&(self.served.get(rule).copied().unwrap_or(0), rule.clone()));
        }
    }

    fn next(&self, may: impl Fn(&RuleName, &IntentId) -> bool) -> Option<(RuleName, Place)> {
        let first =
            |(_, rule): &(u64, RuleName)| Some((rule.clone(), self.messages.get(rule)?.first()?.clone()));
        self.turns.iter().take(BLOCKED_MAX + 1).filter_map(first).find(|(rule, place)| may(rule, &place.2))
    }

    /// The rule has had its turn with this message.
    fn serve(&mut self, rule: &RuleName, place: &Place) {
        self.turns.remove(&(self.served.get(rule).copied().unwrap_or(0), rule.clone()));
        self.count += 1;
        self.served.insert(rule.clone(), self.count);
        if let Some(messages) = self.messages.get_mut(rule) {
            messages.remove(place);
            if messages.is_empty() {
                self.messages.remove(rule);
            } else {
                self.turns.insert((self.count, rule.clone()));
            }
        }
        if self.served.len() > self.messages.len() + SERVED_MAX {
            self.served.retain(|rule, _| self.messages.contains_key(rule));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(n: i64) -> Place {
        (Timestamp(n), Timestamp(n), IntentId(n.to_string()))
    }

    fn rule(name: &str) -> RuleName {
        RuleName(name.into())
    }

    fn taken(turns: &mut Turns) -> Option<i64> {
        turns.take(|_, _| true).map(|(_, _, id)| id.0.parse().expect("a number"))
    }

    #[test]
    fn rules_take_turns_however_many_messages_they_have() {
        let mut turns = Turns::default();
        (0..1_000).for_each(|n| turns.insert(&rule("flood"), false, place(n)));
        [1_000, 1_001].into_iter().for_each(|n| turns.insert(&rule("quiet"), false, place(n)));
        let first: Vec<_> = (0..5).map(|_| taken(&mut turns)).collect();
        assert_eq!(first, [Some(0), Some(1_000), Some(1), Some(1_001), Some(2)]);
        // A rule that has one message at a time has no more turns than the others.
        turns.insert(&rule("aaa"), false, place(2_000));
        assert_eq!(taken(&mut turns), Some(2_000));
        turns.insert(&rule("aaa"), false, place(2_001));
        assert_eq!(
            [taken(&mut turns), taken(&mut turns), taken(&mut turns)],
            [Some(3), Some(2_001), Some(4)]
        );
    }

    #[test]
    fn urgent_messages_come_first_and_starve_nobody() {
        let mut turns = Turns::default();
        (0..100).for_each(|n| turns.insert(&rule("flood"), false, place(n)));
        (100..110).for_each(|n| turns.insert(&rule("critical"), true, place(n)));
        let first: Vec<_> = (0..8).filter_map(|_| taken(&mut turns)).collect();
        assert_eq!(first, [100, 101, 102, 0, 103, 104, 105, 1]);
    }

    #[test]
    fn a_rule_that_may_not_have_its_turn_now_is_passed_over() {
        let mut turns = Turns::default();
        turns.insert(&rule("a"), false, place(1));
        turns.insert(&rule("b"), false, place(2));
        assert_eq!(turns.take(|rule, _| rule.0 != "a"), Some(place(2)));
        assert_eq!(turns.take(|rule, _| rule.0 != "a"), None);
        turns.remove(&rule("a"), false, &place(1));
        assert_eq!(taken(&mut turns), None);
    }
}
