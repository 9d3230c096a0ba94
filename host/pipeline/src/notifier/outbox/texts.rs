//! The texts of messages that will be claimed. They are rendered outside the loop, a few at a time, so that a rule whose
//! texts take long delays neither evaluation nor, for long, another rule's messages.
use std::collections::BTreeMap;

use watchbell_contract::{Duration, Timestamp};

use crate::record::IntentId;
use crate::spec::RuleName;

/// Counts orders for texts in one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextOrder(pub u64);

/// How many texts may be ordered at once, and of one rule.
const ORDERS_MAX: usize = 16;
const RULE_ORDERS_MAX: usize = 2;
/// After this many failures in a row, a rule's messages are sent in plain form for a while, without an attempt to render
/// them.
const FAILURES_MAX: u32 = 3;
const FAILED_PAUSE: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub(super) struct Texts {
    count: u64,
    orders: BTreeMap<TextOrder, (RuleName, IntentId)>,
    by_rule: BTreeMap<RuleName, usize>,
    failing: BTreeMap<RuleName, Failing>,
}

#[derive(Debug)]
struct Failing {
    in_a_row: u32,
    until: Timestamp,
    reason: String,
}

impl Texts {
    /// Whether another text of the rule may be ordered.
    pub(super) fn may_order(&self, rule: &RuleName) -> bool {
        self.orders.len() < ORDERS_MAX && self.by_rule.get(rule).is_none_or(|count| *count < RULE_ORDERS_MAX)
    }

    pub(super) fn order(&mut self, rule: &RuleName, id: &IntentId) -> TextOrder {
        self.count += 1;
        let order = TextOrder(self.count);
        self.orders.insert(order, (rule.clone(), id.clone()));
        *self.by_rule.entry(rule.clone()).or_default() += 1;
        order
    }

    /// The order has been carried out, or its outcome is of no interest any more. Returns the message it was for.
    pub(super) fn end(&mut self, order: TextOrder) -> Option<IntentId> {
        let (rule, id) = self.orders.remove(&order)?;
        if let Some(count) = self.by_rule.get_mut(&rule) {
            *count -= 1;
            if *count == 0 {
                self.by_rule.remove(&rule);
            }
        }
        Some(id)
    }

    /// The messages for which texts are ordered.
    pub(super) fn ordered(&self) -> impl Iterator<Item = &IntentId> {
        self.orders.values().map(|(_, id)| id)
    }

    pub(super) fn succeeded(&mut self, rule: &RuleName) {
        self.failing.remove(rule);
    }

    pub(super) fn failed(&mut self, rule: &RuleName, reason: String, now: Timestamp) {
        let in_a_row = self.failing.get(rule).map_or(0, |failing| failing.in_a_row) + 1;
        self.failing.insert(rule.clone(), Failing { in_a_row, until: now + FAILED_PAUSE, reason });
    }

    /// Why no text of the rule is ordered now: the last ones have failed.
    pub(super) fn is_failing(&self, rule: &RuleName, now: Timestamp) -> Option<&str> {
        let failing = self.failing.get(rule)?;
        (failing.in_a_row >= FAILURES_MAX && now < failing.until).then_some(failing.reason.as_str())
    }

    /// Other templates are in force.
    pub(super) fn forget_failures(&mut self) {
        self.failing.clear();
    }
}
