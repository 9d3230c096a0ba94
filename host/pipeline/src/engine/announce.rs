//! What is said of what a window found.
mod episodes; // levels: their beginning, their steps, their end
mod events; // what is announced once
mod gaps; // a slice of time that could not be judged
mod outcomes; // what became of a message

use watchbell_contract::Timestamp;

use crate::digest;
use crate::episode::Changes;
use crate::message::Message;
use crate::notifier::escalation::Verdict;
use crate::notifier::outbox;
use crate::order::{Action, Note};
use crate::reason::Reason;
use crate::spec::{DestinationName, RuleName};

use super::Engine;

impl Engine {
    pub(super) fn announce_changes(&mut self, name: &RuleName, changes: Changes, window_end: Timestamp) {
        let Some(rule) = self.rules.get(name) else { return };
        let spec = rule.spec.clone();
        for (episode, summary) in changes.opened {
            self.ledger.note(Note::EpisodeOpened { rule: name.clone(), episode, summary });
        }
        // Ends first: an end and a new beginning of the same labels are told in that order.
        for ended in changes.ended {
            self.drop_timer(name, &ended.episode.labels);
            self.announce_end(Some(&spec), ended);
        }
        for labels in &changes.touched {
            let worse = changes.worse.get(labels).copied();
            self.announce_open(name, labels, worse);
        }
        self.announce_events(&spec, changes.events, window_end);
    }

    /// Owes `message` to each of `to`. `ordinal` tells it from the other messages of its episode and cause.
    pub(super) fn send(&mut self, message: &Message, ordinal: u32, to: &[DestinationName]) {
        for destination in to {
            let id = digest::intent_id(&message.episode, message.cause.as_str(), ordinal, destination);
            let owed = outbox::owed(id, destination.clone(), message.clone(), self.now);
            if let Some(record) = self.outbox.push(owed) {
                self.ledger.intent(record);
            }
        }
    }

    /// Keeps the reason of a decision for `explain`, and tells it to the log and the counters.
    pub(super) fn remember(&mut self, name: &RuleName, verdict: &Verdict) {
        let (reason, note) = match verdict {
            Verdict::Send { reason, .. } => {
                let note = Note::Announced { rule: name.clone(), reason: reason.clone() };
                (Reason::Send(reason.clone()), note)
            }
            Verdict::Hold(reason) => {
                let note = Note::Held { rule: name.clone(), reason: reason.clone() };
                (Reason::Hold(reason.clone()), note)
            }
        };
        self.actions.push_back(Action::Note(note));
        if let Some(rule) = self.rules.get_mut(name) {
            rule.remember(reason);
        }
    }
}
