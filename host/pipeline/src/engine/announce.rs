//! What is said of what a window found.
mod episodes; // levels: their beginning, their steps, their end
mod events; // what is announced once
mod gaps; // a slice of time that could not be judged
mod outcomes; // what became of a message

use watchbell_contract::{Cause, Intent, Label, Severity, Timestamp};

use crate::digest;
use crate::episode::Changes;
use crate::notifier::escalation::Verdict;
use crate::notifier::outbox;
use crate::order::{Action, Note};
use crate::reason::Reason;
use crate::record::{EpisodeId, EpisodeRecord, LastSignal};
use crate::spec::{DestinationName, RuleName, RuleSpec};
use crate::text::{self, Subject};

use super::Engine;

/// In whose name a message speaks.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    pub(super) rule: RuleName,
    pub(super) owner: Option<String>,
    pub(super) title: String,
    pub(super) body: String,
}

/// What a message is about.
pub(super) struct Message<'a> {
    pub(super) episode: &'a EpisodeId,
    pub(super) labels: &'a [Label],
    /// The labels as its text calls them.
    pub(super) named: &'a [Label],
    pub(super) severity: Severity,
    pub(super) cause: Cause,
    pub(super) ordinal: u32,
    pub(super) since: Timestamp,
    pub(super) last: &'a LastSignal,
    pub(super) count: u32,
    pub(super) more: &'a [String],
}

impl Voice {
    /// A rule whose manifest is gone still says its summary.
    pub(super) fn of(spec: Option<&RuleSpec>, name: &RuleName) -> Self {
        let alert = spec.map(|spec| spec.alert.clone()).unwrap_or_default();
        let body = if spec.is_some() { alert.body } else { "{{ summary }}".to_owned() };
        let owner = spec.and_then(|spec| spec.owner.clone());
        Self { rule: name.clone(), owner, title: alert.title, body }
    }
}

impl<'a> Message<'a> {
    fn of(episode: &'a EpisodeRecord, cause: Cause) -> Self {
        Self {
            episode: &episode.id,
            labels: &episode.labels,
            named: &episode.labels,
            severity: episode.severity,
            cause,
            ordinal: episode.ordinal,
            since: episode.since,
            last: &episode.last,
            count: 1,
            more: &[],
        }
    }
}

impl Engine {
    pub(super) fn announce_changes(&mut self, name: &RuleName, changes: Changes, window_end: Timestamp) {
        let Some(rule) = self.rules.get(name) else { return };
        let spec = rule.spec.clone();
        let voice = Voice::of(Some(&spec), name);
        for (episode, summary) in changes.opened {
            self.ledger.note(Note::EpisodeOpened { rule: name.clone(), episode, summary });
        }
        // Ends first: an end and a new beginning of the same labels are told in that order.
        for ended in changes.ended {
            self.drop_timer(name, &ended.episode.labels);
            self.announce_end(&voice, Some(&spec), ended);
        }
        for labels in &changes.touched {
            let worse = changes.worse.get(labels).copied();
            self.announce_open(name, labels, worse);
        }
        self.announce_events(name, &voice, changes.events, window_end);
    }

    pub(super) fn send(&mut self, voice: &Voice, message: &Message<'_>, to: &[DestinationName]) {
        let subject = Subject {
            rule: &voice.rule.0,
            owner: voice.owner.as_deref(),
            environment: &self.config.environment,
            severity: message.severity,
            cause: message.cause,
            labels: message.named,
            at: message.last.at,
            since: message.since,
            value: message.last.value,
            threshold: message.last.threshold,
            summary: &message.last.summary,
            details: &message.last.details,
            link: message.last.link.as_deref(),
            count: message.count,
            more: message.more,
        };
        for destination in to {
            let id = digest::intent_id(message.episode, message.cause.as_str(), message.ordinal, destination);
            let text = text::render(&voice.title, &voice.body, &subject, self.outbox.text(destination));
            let intent = Intent {
                id: id.0.clone(),
                episode: message.episode.0.clone(),
                rule: voice.rule.0.clone(),
                owner: voice.owner.clone(),
                environment: self.config.environment.clone(),
                labels: message.labels.to_vec(),
                cause: message.cause,
                severity: message.severity,
                at: message.last.at,
                since: message.since,
                value: message.last.value,
                threshold: message.last.threshold,
                title: text.title,
                body: text.body,
                summary: message.last.summary.clone(),
                details: message.last.details.clone(),
                link: message.last.link.clone(),
                attempt: 0,
                maybe_repeated: false,
            };
            if let Some(record) = self.outbox.push(outbox::owed(id, destination.clone(), intent, self.now)) {
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
