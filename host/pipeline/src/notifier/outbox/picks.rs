use watchbell_contract::{AlertText, Duration, Timestamp};

use crate::action::Note;
use crate::message::Message;
use crate::record::{Delivery, Epoch, HostId, IntentId, IntentRecord};
use crate::spec::{DestinationName, RuleName};
use watchbell_text::Text;

use super::destination_queue::is_new;
use super::texts::TextOrder;
use super::{Outbox, Reached, Settled, Stage, buried, dead_letter};

/// A text that must be rendered before a message can be claimed.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) order: TextOrder,
    pub(crate) message: Message,
    pub(crate) wants: AlertText,
}

/// What became of messages that were due.
#[derive(Debug, Default)]
pub(crate) struct Picked {
    pub(crate) texts: Vec<Wanted>,
    /// Their deadline has passed.
    pub(crate) dead: Vec<Settled>,
    /// Their texts were not even tried.
    pub(crate) notes: Vec<Note>,
}

/// Makes the plain form of a message whose text could not be rendered, for the given reason.
pub(crate) type Plain<'a> = &'a dyn Fn(&Message, AlertText, &str) -> Text;

impl Outbox {
    /// Picks the messages whose turn it is, one of each destination after the other. Those past their deadline end here.
    pub(crate) fn pick(&mut self, now: Timestamp, plain: Plain<'_>) -> Picked {
        let mut picked = Picked::default();
        let names: Vec<DestinationName> = self.queues.keys().cloned().collect();
        let mut is_more = true;
        while std::mem::take(&mut is_more) {
            for name in &names {
                is_more |= self.pick_one(name, now, plain, &mut picked);
            }
        }
        for name in &names {
            while let Some(id) = self.orphan_due(name, now) {
                let reason =
                    format!("destination `{name}` is no longer configured, and the deadline has passed");
                picked.dead.extend(self.remove(&id).map(|entry| buried(entry.record, now, reason)));
            }
        }
        picked
    }

    fn pick_one(
        &mut self,
        name: &DestinationName,
        now: Timestamp,
        plain: Plain<'_>,
        picked: &mut Picked,
    ) -> bool {
        let (Some(queue), entries, texts) = (self.queues.get_mut(name), &self.entries, &self.texts) else {
            return false;
        };
        let has_text = |id: &IntentId| entries.get(id).is_some_and(|entry| entry.record.text.is_some());
        let may = |rule: &RuleName, id: &IntentId| {
            texts.may_order(rule) || texts.is_failing(rule, now).is_some() || has_text(id)
        };
        let Some(id) = queue.pick(now, may) else { return false };
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        let Some(spec) = &queue.spec else { return false };
        let (record, deadline) = (&entry.record, spec.deadline);
        // However long the host was down, a message gets one attempt, and one more if the outcome of that one was lost.
        if !entry.granted && now >= record.created_at + deadline {
            let Some(entry) = self.remove(&id) else { return false };
            picked.dead.push(too_late(entry.record, now, deadline));
            return true;
        }
        queue.picked += 1;
        queue.reserved += usize::from(is_new(record));
        let rule = &record.message.rule;
        entry.stage = match self.texts.is_failing(rule, now) {
            _ if record.text.is_some() => Stage::Rendered(None),
            Some(reason) => {
                picked.notes.push(failed(record, reason));
                Stage::Rendered(Some(plain(&record.message, spec.text, reason)))
            }
            None => {
                let order = self.texts.order(rule, &id);
                picked.texts.push(Wanted { order, message: record.message.clone(), wants: spec.text });
                Stage::Rendering(order)
            }
        };
        if let Stage::Rendered(_) = entry.stage {
            self.to_claim.push_back(id);
        }
        true
    }

    /// When a message can be picked next, if that depends on time alone.
    pub(crate) fn next_pick(&self, now: Timestamp) -> Option<Timestamp> {
        let due = self.queues.values().filter_map(|queue| match queue.spec {
            Some(_) => queue.next_pick(now),
            None => queue.orphan().filter(|_| self.configured).map(|(dies, _)| dies),
        });
        due.min()
    }

    /// When a message has waited too long for its destination to be configured again.
    fn orphan_due(&self, name: &DestinationName, now: Timestamp) -> Option<IntentId> {
        let queue = self.queues.get(name).filter(|queue| self.configured && queue.spec.is_none())?;
        queue.orphan().filter(|(dies, _)| *dies <= now).map(|(_, id)| id.clone())
    }

    /// A text was rendered, or could not be. The message will be claimed with it, or in plain form.
    pub(crate) fn rendered(
        &mut self,
        order: TextOrder,
        outcome: Result<Text, String>,
        now: Timestamp,
        plain: Plain<'_>,
    ) -> Option<Note> {
        let id = self.texts.end(order)?;
        let entry = self.entries.get_mut(&id).filter(|entry| entry.stage == Stage::Rendering(order))?;
        let record = &entry.record;
        let wants = self.queues.get(&record.destination).and_then(|queue| queue.spec.as_ref())?.text;
        let (text, note) = match outcome {
            Ok(text) => {
                self.texts.succeeded(&record.message.rule);
                (text, None)
            }
            Err(reason) => {
                let (text, note) = (plain(&record.message, wants, &reason), failed(record, &reason));
                self.texts.failed(&record.message.rule, reason, now);
                (text, Some(note))
            }
        };
        entry.stage = Stage::Rendered(Some(text));
        self.to_claim.push_back(id);
        note
    }

    /// Other templates are in force: what has no claim yet is rendered with them.
    pub(crate) fn take_texts_back(&mut self) {
        self.texts.forget_failures();
        self.unpick(|_| true);
    }

    /// Lets messages without a claim wait again, at the destinations that `of` names.
    pub(super) fn unpick(&mut self, of: impl Fn(&DestinationName) -> bool) {
        let without_claim = self.texts.ordered().chain(&self.to_claim);
        let is_there =
            |id: &&IntentId| self.entries.get(*id).is_some_and(|entry| of(&entry.record.destination));
        let ids: Vec<IntentId> = without_claim.filter(is_there).cloned().collect();
        for id in ids {
            self.back_to_waiting(&id);
        }
    }

    /// Whether the next commit has anything to claim.
    /// A pause is over: it used up the time of messages, so each gets an attempt whatever its deadline.
    pub(crate) fn grant_all(&mut self) {
        self.entries.values_mut().for_each(|entry| entry.granted = true);
    }

    pub(crate) fn has_claims(&self) -> bool {
        !self.to_claim.is_empty()
    }

    /// Claims what was picked for the commit in the making: each message is sent once this is written.
    /// Also gives the limits that are reached with them.
    pub(crate) fn claim(
        &mut self,
        owner: &HostId,
        epoch: Epoch,
        now: Timestamp,
    ) -> (Vec<IntentRecord>, Vec<Reached>) {
        let mut reached = Vec::new();
        let ids = std::mem::take(&mut self.to_claim);
        let mut claims = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let Stage::Rendered(text) = std::mem::replace(&mut entry.stage, Stage::Claiming) else {
                continue;
            };
            entry.granted = false;
            if let Some(queue) = self.queues.get_mut(&entry.record.destination) {
                reached.extend(queue.claim(&entry.record, now));
            }
            let attempt = entry.record.delivery.attempts() + 1;
            entry.record.text = entry.record.text.take().or(text);
            entry.record.delivery = Delivery::Claimed { owner: owner.clone(), epoch, attempt };
            self.busy += 1;
            claims.push(entry.record.clone());
        }
        (claims, reached)
    }
}

fn failed(record: &IntentRecord, reason: &str) -> Note {
    Note::TextFailed {
        rule: record.message.rule.clone(),
        destination: record.destination.clone(),
        intent: record.id.clone(),
        reason: reason.to_owned(),
    }
}

fn too_late(record: IntentRecord, now: Timestamp, deadline: Duration) -> Settled {
    let last = match &record.delivery {
        Delivery::Owed { last: Some(last), .. } => last.clone(),
        _ => "not delivered in time".to_owned(),
    };
    let said = format!("its deadline of {deadline} has passed; last attempt: {last}");
    let Settled { record, .. } = buried(record, now, last);
    let note = dead_letter(&record, said);
    Settled { record, note }
}
