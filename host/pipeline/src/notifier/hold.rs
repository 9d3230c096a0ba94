//! What may hold back a message about an episode or an event: one module per reason, in one order. The first that
//! applies is the reason given; `explain` lists the others after it.
mod pending; // `for:` has not passed
mod hours; // outside the hours of `active:`
mod by_hand; // a person has resolved it
mod paused; // a person has paused everything
mod silenced; // a person has silenced it
mod maintenance; // a maintenance window
mod inhibited; // an open episode mutes it
mod told_once; // a rule that cannot run is told once
mod severity; // a step requires a higher severity
mod acknowledged; // a person is working on it
mod step_hours; // outside the hours of a step

use watchbell_contract::{Label, Severity, Timestamp};

use crate::matcher::Subject;
use crate::reason::HoldReason;
use crate::record::EpisodeRecord;
use crate::spec::{RuleSpec, Step};

use super::escalation::Clock;

/// Every reason to hold, in the order in which they are checked.
pub(crate) const HOLDS: &[&dyn Hold] = &[
    &pending::Pending,
    &hours::Hours,
    &by_hand::ByHand,
    &paused::Paused,
    &silenced::Silenced,
    &maintenance::UnderMaintenance,
    &inhibited::Inhibited,
    &told_once::ToldOnce,
    &severity::BelowSeverity,
    &acknowledged::Acknowledged,
    &step_hours::StepHours,
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
    Event(Event<'a>),
}

/// An episode, the rule in force for it, and what stands around them.
#[derive(Clone, Copy)]
pub(crate) struct Of<'a> {
    pub(crate) spec: &'a RuleSpec,
    pub(crate) episode: &'a EpisodeRecord,
    pub(crate) clock: Clock<'a>,
}

#[derive(Clone, Copy)]
pub(crate) struct Event<'a> {
    pub(crate) spec: &'a RuleSpec,
    pub(crate) labels: &'a [Label],
    pub(crate) severity: Severity,
    /// When it happened.
    pub(crate) at: Timestamp,
    pub(crate) clock: Clock<'a>,
}

impl<'a> What<'a> {
    /// The episode concerned; `None` for events.
    fn of(&self) -> Option<Of<'a>> {
        match *self {
            Self::Opening(of) | Self::Step(of, ..) | Self::Worse(of) | Self::Repeat(of) => Some(of),
            Self::Event(..) => None,
        }
    }

    fn clock(&self) -> Clock<'a> {
        match self {
            Self::Opening(of) | Self::Step(of, ..) | Self::Worse(of) | Self::Repeat(of) => of.clock,
            Self::Event(event) => event.clock,
        }
    }

    /// As conditions see it.
    fn subject(&self) -> Subject<'a> {
        match *self {
            Self::Opening(of) | Self::Step(of, ..) | Self::Worse(of) | Self::Repeat(of) => of.subject(),
            Self::Event(Event { spec, labels, severity, .. }) => {
                Subject { rule: &spec.name, owner: spec.owner.as_deref(), severity, labels }
            }
        }
    }
}

impl<'a> Of<'a> {
    pub(crate) fn subject(&self) -> Subject<'a> {
        let Self { spec, episode, .. } = *self;
        let (severity, labels) = (episode.severity, episode.labels.as_slice());
        Subject { rule: &spec.name, owner: spec.owner.as_deref(), severity, labels }
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

/// Whether the escalation of an episode stands, and until when, if that is known.
pub(crate) fn stands(of: Of<'_>) -> Option<Option<Timestamp>> {
    let what = What::Opening(of);
    let untils: Vec<Option<Timestamp>> =
        HOLDS.iter().filter_map(|hold| hold.holds(&what)?.stands()).collect();
    (!untils.is_empty()).then(|| untils.into_iter().collect::<Option<Vec<_>>>()?.into_iter().max())
}

#[cfg(test)]
mod tests;
