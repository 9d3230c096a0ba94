use watchbell_contract::Timestamp;

use crate::action::Note;
use crate::record::{DEAD_LETTERS_MAX, Delivery, IntentId, IntentRecord};
use crate::spec::DestinationName;

use super::{Outbox, lane};

impl Outbox {
    /// Takes over what the store holds. A claim found there may have been sent: it is sent again and flagged.
    /// `notified` are the destinations that were notified of open episodes.
    pub(crate) fn recover(
        &mut self,
        mut records: Vec<IntentRecord>,
        notified: impl Iterator<Item = (String, DestinationName)>,
        now: Timestamp,
    ) -> Vec<Note> {
        self.inherited = records.iter().map(lane).collect();
        self.arrived = notified.filter(|lane| !self.inherited.contains(lane)).collect();
        records.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        let mut notes = Vec::new();
        for mut record in records {
            let mut lost = false;
            match record.delivery.clone() {
                Delivery::Owed { .. } => {}
                // The store keeps the claim until the next one replaces it, so that a second crash finds it as well.
                Delivery::Claimed { attempt, .. } => {
                    lost = true;
                    record.maybe_repeated = true;
                    record.delivery = Delivery::Owed {
                        due: now,
                        attempt,
                        last: Some("its outcome was lost in a crash".into()),
                    };
                    notes.push(Note::ClaimRecovered {
                        destination: record.destination.clone(),
                        intent: record.id.clone(),
                    });
                }
                Delivery::Delivered { .. } | Delivery::Dead { .. } | Delivery::Merged { .. } => continue,
            }
            let id = record.id.clone();
            self.push(record);
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.granted |= lost;
            }
        }
        notes
    }

    /// Keeps a message that will not be tried again, should a person ask for that all the same.
    pub(crate) fn keep_dead_letter(&mut self, record: IntentRecord) {
        if record.is_dropped() {
            return;
        }
        self.dead_letters.retain(|other| other.id != record.id);
        self.dead_letters.push_back(record);
        if self.dead_letters.len() > DEAD_LETTERS_MAX
            && let Some(gone) = self.dead_letters.pop_front()
        {
            self.forget_thread(&gone);
        }
    }

    /// Owes a dead letter once more, and gives it back as it is to be committed. `None`: it is not one of those kept.
    pub(crate) fn revive(&mut self, id: &IntentId, now: Timestamp) -> Option<IntentRecord> {
        let place = self.dead_letters.iter().position(|record| record.id == *id)?;
        let mut record = self.dead_letters.remove(place)?;
        let (attempt, last) = match record.delivery {
            Delivery::Dead { attempt, last, .. } => (attempt, Some(last)),
            _ => return None,
        };
        record.delivery = Delivery::Owed { due: now, attempt, last };
        record.created_at = now;
        if record.gathered_in().is_some() {
            record.grouping = None;
        }
        self.push(record)
    }

    /// Nobody will have a dead letter sent again. It stays in the store, with who decided that.
    pub(crate) fn drop_dead_letter(&mut self, id: &IntentId, by: &str) -> Option<IntentRecord> {
        let place = self.dead_letters.iter().position(|record| record.id == *id)?;
        let mut record = self.dead_letters.remove(place)?;
        self.forget_thread(&record);
        if let Delivery::Dead { dropped_by, .. } = &mut record.delivery {
            *dropped_by = Some(by.to_owned());
        }
        Some(record)
    }
}
