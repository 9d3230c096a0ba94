//! What one destination did not take goes to another, its `else`.
use watchbell_contract::Cause;

use crate::digest;
use crate::message::{Instead, Message, Wording};
use crate::reason::SendReason;
use crate::record::{Delivery, EpisodeId, IntentRecord, Phase};
use crate::spec::DestinationName;

use super::decider::{Context, Decider};
use super::escalation::{self, Verdict};
use super::groups::pairs;
use super::outbox;

/// How much of the reason is quoted, in characters.
const REASON_CHARS_MAX: usize = 300;

impl Decider {
    /// The message in `record` is a dead letter: queues it for its destination's fallback, unless that gets the message
    /// anyhow. `withdrawn` is the end of its episode, if that was not sent because of it.
    pub(super) fn fall_back(
        &mut self,
        record: &mut IntentRecord,
        withdrawn: Option<&Message>,
        context: &mut Context<'_>,
    ) -> Option<DestinationName> {
        let Delivery::Dead { last, .. } = &record.delivery else { return None };
        let why = last.chars().take(REASON_CHARS_MAX).collect();
        let to = self.outbox.fallback(&record.destination)?;
        let mut message = self.still_news(record, withdrawn, &to)?;
        if !self.fits(&message, &to, context) {
            return None;
        }
        // Should a person send the letter again, it falls back no second time.
        record.message.route.to.push(to.clone());
        message.route.to.clone_from(&record.message.route.to);
        message.route.to.push(record.destination.clone());
        message.route.instead = Some(Instead { of: record.destination.clone(), why });
        let reason = SendReason::Instead { of: record.destination.clone() };
        let verdict = Verdict::Send { cause: message.cause, to: vec![to.clone()], step: None, reason };
        self.remember(&message.rule, &verdict, context);
        let id = digest::fallback_id(&record.id, &to);
        if !record.named().is_empty() {
            message.episode = EpisodeId(id.0.clone());
        }
        let owed = outbox::owed(id, to.clone(), message, context.now);
        if let Some(queued) = self.outbox.push(owed) {
            self.note_fallback(&queued, context);
            context.draft.intent(queued);
        }
        Some(to)
    }

    /// What to say of a dead letter to `to`; `None` if it knows that already, or if it is true no more.
    fn still_news(
        &mut self,
        record: &IntentRecord,
        withdrawn: Option<&Message>,
        to: &DestinationName,
    ) -> Option<Message> {
        let message = &record.message;
        let gets = |message: &Message| message.route.to.contains(to);
        if gets(message) || withdrawn.is_some_and(gets) || record.destination == *to {
            return None;
        }
        if !record.named().is_empty() {
            return Some(self.group_news(record));
        }
        let is_about_host = message.wording == Wording::Host;
        let episode = self.episode_of(record);
        let episode = episode.filter(|episode| !matches!(episode.phase, Phase::ResolvedByHand { .. }));
        let knows = episode.as_ref().is_some_and(|episode| escalation::is_notified(episode, to));
        let is_open = episode.is_some() || is_about_host && self.is_failing_still(message);
        match message.cause {
            Cause::Event | Cause::Summary | Cause::Was | Cause::Resolved | Cause::Test => {
                Some(message.clone())
            }
            Cause::Opened | Cause::Escalated | Cause::Repeat if knows => None,
            Cause::Opened | Cause::Escalated if !is_open => {
                Some(Message { cause: Cause::Was, ..withdrawn.unwrap_or(message).clone() })
            }
            _ => is_open.then(|| message.clone()),
        }
    }

    /// What a group's message said, as something that is told once: the fallback is not in the group, so nothing would end
    /// there what this began.
    fn group_news(&self, record: &IntentRecord) -> Message {
        let mut message = Message { cause: Cause::Summary, ..record.message.clone() };
        let over = record
            .named()
            .iter()
            .filter(|named| named.is_open && self.open_episode_of(&message.rule, &named.key).is_none());
        let over: Vec<String> =
            over.map(|named| format!("over by now: {}", pairs(&named.key.labels))).collect();
        message.more.extend(over);
        message.wording = Wording::Grouped;
        message
    }

    /// Whoever is sent a message of an open episode counts as notified, as with any other.
    fn note_fallback(&mut self, queued: &IntentRecord, context: &mut Context<'_>) {
        if matches!(queued.message.cause, Cause::Resolved | Cause::Was) {
            return;
        }
        if let Some(episode) = self.episode_of(queued)
            && escalation::add_notified(episode, &queued.destination, None, context.now)
        {
            context.draft.episode(episode);
        }
    }
}
