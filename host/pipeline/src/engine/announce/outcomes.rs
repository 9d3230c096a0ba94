use watchbell_contract::{Cause, Receipt, Refusal};

use crate::engine::Engine;
use crate::notifier::escalation;
use crate::notifier::outbox::Settled;
use crate::record::{Delivery, EpisodeRecord, IntentId, IntentRecord, Notified, Phase};

impl Engine {
    pub(in crate::engine) fn delivered(&mut self, id: &IntentId, outcome: Result<Receipt, Refusal>) {
        if let Some(settled) = self.outbox.settle(id, outcome, self.now, self.config.seed) {
            self.settled(settled);
        }
    }

    /// Keeps what became of a message. Who heard of an episode is to hear of its end, and nobody else.
    pub(in crate::engine) fn settled(&mut self, settled: Settled) {
        let Settled { record, note } = settled;
        match record.delivery {
            Delivery::Delivered { .. } => self.heard(&record),
            Delivery::Dead { .. } => self.unheard(&record),
            Delivery::Owed { .. } | Delivery::Claimed { .. } => {}
        }
        self.ledger.intent(record);
        self.ledger.note(note);
    }

    fn heard(&mut self, record: &IntentRecord) {
        let (destination, at) = (record.destination.clone(), self.now);
        if let Some(episode) = self.episode_of(record)
            && !matches!(episode.phase, Phase::ResolvedByHand { .. })
            && !escalation::has_heard(episode, &destination)
        {
            episode.told.push(Notified { destination, at, step: None });
            let episode = episode.clone();
            self.ledger.episode(&episode);
        }
    }

    fn unheard(&mut self, record: &IntentRecord) {
        let begins = matches!(record.message.cause, Cause::Opened | Cause::Escalated);
        if !begins || self.outbox.has_heard(record) {
            return;
        }
        if let Some(episode) = self.episode_of(record) {
            episode.told.retain(|told| told.destination != record.destination);
            let episode = episode.clone();
            self.ledger.episode(&episode);
        }
        // Its end may be owed already, after this.
        if let Some(settled) = self.outbox.withdraw_end(record, self.now) {
            self.ledger.intent(settled.record);
            self.ledger.note(settled.note);
        }
    }

    /// The episode that a message is about, while it is open.
    fn episode_of(&mut self, record: &IntentRecord) -> Option<&mut EpisodeRecord> {
        let rule = self.rules.get_mut(&record.message.rule)?;
        let episode = rule.open.get_mut(&record.message.labels)?;
        (episode.id == record.message.episode).then_some(episode)
    }
}
