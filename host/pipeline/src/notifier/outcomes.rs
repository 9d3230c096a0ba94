use watchbell_contract::{Cause, Receipt, RecordedCall, Refusal};

use crate::message::Message;
use crate::record::{Delivery, EpisodeRecord, IntentId, IntentRecord, Phase};

use super::decider::{Context, Decider};
use super::escalation;
use super::outbox::Settled;

impl Decider {
    /// Processes the outcome of an attempt.
    pub(super) fn delivered(
        &mut self,
        id: &IntentId,
        outcome: Result<Receipt, Refusal>,
        recorded: Vec<RecordedCall>,
        context: &mut Context<'_>,
    ) {
        self.outbox.record(id, recorded);
        if let Some(settled) = self.outbox.settle(id, outcome, context.now, context.config.seed) {
            self.settled(settled, context);
        }
        self.start(context);
    }

    /// Records the outcome of a message. Those who were notified of an episode, and only those, will be notified of its
    /// end.
    pub(super) fn settled(&mut self, settled: Settled, context: &mut Context<'_>) {
        let Settled { mut record, note } = settled;
        self.follow_outcome(&record, context);
        match record.delivery {
            Delivery::Delivered { .. } => {
                self.make_room(&record, context);
                self.arrived(&record, context);
            }
            Delivery::Dead { .. } => {
                self.make_room(&record, context);
                let withdrawn = self.never_arrived(&record, context);
                let instead = self.fall_back(&mut record, withdrawn.as_ref(), context);
                self.alert_died(&record, instead.as_ref(), context);
                self.outbox.keep_dead_letter(record.clone());
            }
            Delivery::Owed { .. } | Delivery::Claimed { .. } | Delivery::Merged { .. } => {}
        }
        context.draft.intent(record);
        context.draft.note(note);
    }

    fn arrived(&mut self, record: &IntentRecord, context: &mut Context<'_>) {
        if !record.named().is_empty() {
            return self.group_arrived(record, context);
        }
        if let Some(episode) = self.episode_of(record)
            && !matches!(episode.phase, Phase::ResolvedByHand { .. })
            && escalation::add_notified(episode, &record.destination, None, context.now)
        {
            context.draft.episode(episode);
        }
    }

    /// Gives the end of its episode, if that was withdrawn with the message.
    fn never_arrived(&mut self, record: &IntentRecord, context: &mut Context<'_>) -> Option<Message> {
        if !record.named().is_empty() {
            return self.group_never_arrived(record, context);
        }
        let message = &record.message;
        let begins =
            matches!(message.cause, Cause::Opened | Cause::Escalated) || message.route.instead.is_some();
        if !begins || self.outbox.has_arrived(record) {
            return None;
        }
        if let Some(episode) = self.episode_of(record) {
            episode.notified.retain(|notified| notified.destination != record.destination);
            context.draft.episode(episode);
        }
        self.withdraw_end(record, context)
    }

    /// The end may already be queued behind the message that was not delivered.
    pub(super) fn withdraw_end(
        &mut self,
        record: &IntentRecord,
        context: &mut Context<'_>,
    ) -> Option<Message> {
        let settled = self.outbox.withdraw_end(record, context.now)?;
        self.make_room(&settled.record, context);
        let withdrawn = settled.record.message.clone();
        self.bury(settled, context);
        Some(withdrawn)
    }

    /// Records a message that is withdrawn.
    pub(super) fn bury(&mut self, settled: Settled, context: &mut Context<'_>) {
        self.outbox.keep_dead_letter(settled.record.clone());
        context.draft.intent(settled.record);
        context.draft.note(settled.note);
    }

    /// The episode that a message is about, while it is open.
    pub(super) fn episode_of(&mut self, record: &IntentRecord) -> Option<&mut EpisodeRecord> {
        let known = self.rules.get_mut(&record.message.rule)?;
        let episode = known.open.get_mut(&record.message.labels)?;
        (episode.id == record.message.episode).then_some(episode)
    }
}
