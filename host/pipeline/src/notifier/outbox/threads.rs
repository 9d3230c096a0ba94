use std::collections::BTreeMap;

use watchbell_contract::{Cause, Receipt};

use crate::record::{EpisodeId, FirstReceipt, IntentRecord};
use crate::spec::DestinationName;

use super::Outbox;

/// What each destination returned for the first message of an episode that it accepted, while others may follow. The
/// store has them in its delivered messages.
#[derive(Debug, Default)]
pub(super) struct Threads(BTreeMap<(EpisodeId, DestinationName), Thread>);

#[derive(Debug)]
struct Thread {
    root: Receipt,
    /// Its last message was sent. A dead letter may still be sent again.
    is_over: bool,
}

impl Outbox {
    /// Takes over what the store says of first messages, as far as another message of the episode may follow: `goes_on`
    /// says whether an episode is open. To be called when all messages are known.
    pub(crate) fn recover_threads(
        &mut self,
        receipts: Vec<FirstReceipt>,
        goes_on: impl Fn(&EpisodeId) -> bool,
    ) {
        for FirstReceipt { episode, destination, receipt } in receipts {
            let is_over = !goes_on(&episode);
            if !is_over || self.may_follow(&episode, &destination) {
                self.threads.recover((episode, destination), receipt, is_over);
            }
        }
    }

    /// Whether a message of the episode to this destination is queued, or is a dead letter that a person may send again.
    fn may_follow(&self, episode: &EpisodeId, destination: &DestinationName) -> bool {
        let of =
            |record: &IntentRecord| record.message.episode == *episode && record.destination == *destination;
        self.lanes.contains_key(&(episode.0.clone(), destination.clone())) || self.dead_letters.iter().any(of)
    }

    /// Nobody needs the receipt of a first message any more once the episode is over and nothing is left of it.
    pub(super) fn forget_thread(&mut self, record: &IntentRecord) {
        if !self.may_follow(&record.message.episode, &record.destination) {
            self.threads.forget_if_over(record);
        }
    }
}

impl Threads {
    fn recover(&mut self, of: (EpisodeId, DestinationName), root: Receipt, is_over: bool) {
        self.0.insert(of, Thread { root, is_over });
    }

    /// What was returned for the first message of the episode in `record`.
    pub(super) fn root(&self, record: &IntentRecord) -> Option<Receipt> {
        self.0.get(&of(record)).map(|thread| thread.root.clone())
    }

    /// The destination has accepted the message in `record`.
    pub(super) fn arrived(&mut self, record: &IntentRecord, receipt: &Receipt) {
        let begins = || Thread { root: receipt.clone(), is_over: false };
        self.0.entry(of(record)).or_insert_with(begins);
    }

    /// The message in `record` was delivered, or is a dead letter.
    pub(super) fn sent(&mut self, record: &IntentRecord) {
        let is_last = match record.message.cause {
            Cause::Resolved | Cause::Event | Cause::Was | Cause::Summary | Cause::Test => true,
            Cause::Opened | Cause::Worse | Cause::Repeat | Cause::Escalated | Cause::Acknowledged => false,
        };
        if let Some(thread) = self.0.get_mut(&of(record)).filter(|_| is_last) {
            thread.is_over = true;
        }
    }

    fn forget_if_over(&mut self, record: &IntentRecord) {
        if self.0.get(&of(record)).is_some_and(|thread| thread.is_over) {
            self.0.remove(&of(record));
        }
    }
}

fn of(record: &IntentRecord) -> (EpisodeId, DestinationName) {
    (record.message.episode.clone(), record.destination.clone())
}
