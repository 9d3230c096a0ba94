//! What may hold back a message about an episode or an event: one module per reason, in one order. The first that
//! applies is the reason given; `explain` lists the others after it.
mod pending; // `for:` has not passed
mod hours; // outside the hours of `active:`
mod by_hand; // a person has resolved it
mod severity; // a step requires a higher severity
mod acknowledged; // a person is working on it

use watchbell_contract::Timestamp;

use crate::reason::HoldReason;
use crate::record::EpisodeRecord;
use crate::spec::{RuleSpec, Step};

/// Every reason to hold, in the order in which they are checked.
pub(crate) const HOLDS: &[&dyn Hold] = &[
    &pending::Pending,
    &hours::Hours,
    &by_hand::ByHand,
    &severity::BelowSeverity,
    &acknowledged::Acknowledged,
];

/// One reason to hold something back.
pub(crate) trait Hold: Sync {
    /// Why `what` is held now; `None` if this reason does not apply.
    fn holds(&self, what: &What<'_>) -> Option<HoldReason>;
}

/// What is about to be sent.
#[derive(Clone, Copy)]
pub(crate) enum What<'a> {
    /// That an episode has begun.
    Opening(Of<'a>),
    /// The step with this number is due.
    Step(Of<'a>, usize, &'a Step),
    /// Its severity rose.
    Worse(Of<'a>),
    Repeat(Of<'a>),
    /// An event that happened at this instant.
    Event(&'a RuleSpec, Timestamp),
}

/// An episode and the rule in force for it.
#[derive(Clone, Copy)]
pub(crate) struct Of<'a> {
    pub(crate) spec: &'a RuleSpec,
    pub(crate) episode: &'a EpisodeRecord,
    /// Up to where the rule's window time is evaluated.
    pub(crate) judged: Timestamp,
}

impl<'a> What<'a> {
    /// The episode concerned; `None` for events.
    fn of(&self) -> Option<Of<'a>> {
        match *self {
            Self::Opening(of) | Self::Step(of, ..) | Self::Worse(of) | Self::Repeat(of) => Some(of),
            Self::Event(..) => None,
        }
    }
}

/// The first reason to hold `what`.
pub(crate) fn first(what: &What<'_>) -> Option<HoldReason> {
    HOLDS.iter().find_map(|hold| hold.holds(what))
}

/// All reasons to hold `what`, in order.
pub(crate) fn all(what: &What<'_>) -> Vec<HoldReason> {
    HOLDS.iter().filter_map(|hold| hold.holds(what)).collect()
}

#[cfg(test)]
mod tests;
