//! What may hold back something that would be said of an episode or an event: one room per reason, in one order. The
//! first room that holds it is the reason that is given; `explain` lists the others after it.
mod pending; // `for:` has not passed
mod hours; // outside the hours of `active:`
mod by_hand; // a person has resolved it
mod severity; // a step asks for more
mod acknowledged; // a person is at it

use watchbell_contract::Timestamp;

use crate::reason::HoldReason;
use crate::record::EpisodeRecord;
use crate::spec::{RuleSpec, Step};

/// Each room's word, in the order in which they are asked.
pub(crate) const HOLDS: &[&dyn Hold] = &[
    &pending::Pending,
    &hours::Hours,
    &by_hand::ByHand,
    &severity::BelowSeverity,
    &acknowledged::Acknowledged,
];

/// One reason to hold something back.
pub(crate) trait Hold: Sync {
    /// Why `what` is held back now; `None` if this reason does not hold it.
    fn holds(&self, what: &What<'_>) -> Option<HoldReason>;
}

/// What is about to be said.
#[derive(Clone, Copy)]
pub(crate) enum What<'a> {
    /// That an episode has begun.
    Opening(Of<'a>),
    /// The step of this number is due.
    Step(Of<'a>, usize, &'a Step),
    /// Its severity rose.
    Worse(Of<'a>),
    Repeat(Of<'a>),
    /// An event of this instant.
    Event(&'a RuleSpec, Timestamp),
}

/// An episode under the rule in force.
#[derive(Clone, Copy)]
pub(crate) struct Of<'a> {
    pub(crate) spec: &'a RuleSpec,
    pub(crate) episode: &'a EpisodeRecord,
    /// Up to where the rule's window time is judged.
    pub(crate) judged: Timestamp,
}

impl<'a> What<'a> {
    /// The episode of which it is said; none for events.
    fn of(&self) -> Option<Of<'a>> {
        match *self {
            Self::Opening(of) | Self::Step(of, ..) | Self::Worse(of) | Self::Repeat(of) => Some(of),
            Self::Event(..) => None,
        }
    }
}

/// The first reason to hold `what` back.
pub(crate) fn first(what: &What<'_>) -> Option<HoldReason> {
    HOLDS.iter().find_map(|hold| hold.holds(what))
}

/// All of them, in their order.
pub(crate) fn all(what: &What<'_>) -> Vec<HoldReason> {
    HOLDS.iter().filter_map(|hold| hold.holds(what)).collect()
}

#[cfg(test)]
mod tests;
