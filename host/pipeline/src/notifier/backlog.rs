//! How many messages of one rule may wait for one destination. A destination that is down, or slower than a rule, would
//! otherwise make the queue grow without end. What does not fit is counted, and said in two messages: one when the first
//! does not fit, one when there is room again.
use std::collections::BTreeMap;

use watchbell_contract::{Cause, Timestamp};

use crate::digest;
use crate::message::{Message, Route, Wording};
use crate::record::{Incarnation, LastSignal};
use crate::spec::{DestinationName, RuleName, RuleSpec};

use super::outbox::Queued;

/// Messages that may wait, per open episode that the rule may have: its opening, a step, a repeat and its end.
const MESSAGES_PER_EPISODE: usize = 4;

/// How much text the messages of one rule may have that wait for one destination, before more is kept in short.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// How many messages were left out since one did not fit.
#[derive(Debug, Default)]
pub(super) struct Backlog(BTreeMap<(RuleName, DestinationName), u64>);

/// Whether a message may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Fits,
    /// The first one that does not fit.
    Full,
    /// Another one.
    StillFull,
}

impl Backlog {
    /// A message is delivered or dead, and `queued` wait. Gives how many were left out, once there is room again.
    pub(super) fn regain(
        &mut self,
        rule: &RuleName,
        destination: &DestinationName,
        queued: Queued,
        episodes_max: usize,
    ) -> Option<u64> {
        if queued.count > messages_max(episodes_max) / 2 {
            return None;
        }
        self.0.remove(&(rule.clone(), destination.clone()))
    }

    /// Whether `message` may wait for `destination`, where `queued` of its rule do. Whoever was notified of an episode is
    /// notified of its end and of a rise in severity, and an overflow says what the others cannot: these have as much room
    /// again.
    pub(super) fn room(
        &mut self,
        message: &Message,
        destination: &DestinationName,
        queued: Queued,
        episodes_max: usize,
    ) -> Room {
        let max = messages_max(episodes_max);
        let place = (message.rule.clone(), destination.clone());
        let is_due_to_them = matches!(message.cause, Cause::Resolved | Cause::Worse | Cause::Acknowledged);
        let fits = match message.wording {
            _ if is_due_to_them => true,
            Wording::Overflow | Wording::Backlog => queued.count < max.saturating_mul(2),
            // Once something is left out, so is the rest, until there is room for many.
            _ => queued.count < max && !self.0.contains_key(&place),
        };
        if fits {
            return Room::Fits;
        }
        let left_out = self.0.entry(place).or_default();
        *left_out = left_out.saturating_add(1);
        if *left_out == 1 { Room::Full } else { Room::StillFull }
    }
}

/// Whether the texts of what waits are so long that further ones are kept in short.
pub(super) fn is_long(queued: Queued) -> bool {
    queued.bytes > TEXT_BYTES_MAX
}

fn messages_max(episodes_max: usize) -> usize {
    episodes_max.saturating_mul(MESSAGES_PER_EPISODE).max(100)
}

/// Says that messages are left out, or how many were.
pub(super) fn notice(
    (incarnation, now): (&Incarnation, Timestamp),
    spec: &RuleSpec,
    destination: &DestinationName,
    environment: String,
    left_out: Option<u64>,
) -> Message {
    let max = messages_max(spec.episodes_max);
    let summary = match left_out {
        None => format!("{max} messages of this rule wait for `{destination}`: further ones are left out"),
        Some(1) => format!("1 message was left out because {max} others waited for `{destination}`"),
        Some(many) => {
            format!("{many} messages were left out because {max} others waited for `{destination}`")
        }
    };
    let what = if left_out.is_none() { "backlog" } else { "backlog-over" };
    Message {
        episode: digest::once_id(incarnation, what, &[&destination.0], &spec.name, &[], now),
        rule: spec.name.clone(),
        owner: spec.owner.clone(),
        environment,
        labels: Vec::new(),
        named: Vec::new(),
        severity: spec.severity,
        cause: Cause::Summary,
        person: None,
        since: now,
        last: LastSignal::said(now, summary),
        count: left_out.map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX)),
        more: Vec::new(),
        wording: Wording::Backlog,
        route: Route::default(),
    }
}
