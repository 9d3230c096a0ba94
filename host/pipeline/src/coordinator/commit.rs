use watchbell_contract::Timestamp;

use crate::action::{Action, Note};
use crate::digest;
use crate::input::Persisted;
use crate::notifier::{self, Taken};
use crate::record::{Commit, Epoch, Loss, Nonce, Owned, PartitionCommit};

use super::Coordinator;
use super::writer::Flight;

impl Coordinator {
    /// When the next write may start; `None` while one is in progress or nothing needs writing.
    pub(super) fn commit_at(&self) -> Option<Timestamp> {
        // A message is sent only after its claim is written.
        let claims = || {
            let notifier = self.notifier.as_ref().filter(|_| !self.draining);
            notifier.is_some_and(|notifier| notifier.has_claims(self.now))
        };
        let owed_at = (self.is_owed() || claims()).then_some(self.now);
        self.writer.due(owed_at, self.config.commit_interval)
    }

    pub(super) fn is_owed(&self) -> bool {
        self.partitions.values().any(|partition| partition.is_owed())
            || self.notifier.as_ref().is_some_and(|notifier| notifier.is_owed())
    }

    pub(super) fn commit(&mut self) {
        if self.commit_at().is_none_or(|at| at > self.now) {
            return;
        }
        if let Some(commit) = self.writer.repeat() {
            return self.actions.push_back(Action::Persist(Box::new(commit)));
        }
        let Self { now, config, actions, partitions, notifier, draining, .. } = self;
        let mut notes: Vec<(Owned, Note)> = Vec::new();
        let mut parts: Vec<PartitionCommit> = Vec::new();
        let mut claims = Vec::new();
        let mut decided = None;
        if let Some(notifier) = notifier {
            let context = notifier::Context { now: *now, config, actions };
            if let Some(taken) = notifier.take_commit(*draining, context) {
                let Taken { commit, claims: due, notes: later } = taken;
                notes.extend(later.into_iter().map(|note| (Owned::Notifier, note)));
                (decided, claims) = (Some(commit), due);
            }
        }
        for (id, partition) in partitions {
            if let Some((commit, later)) = partition.take_commit() {
                notes.extend(later.into_iter().map(|note| (Owned::Partition(*id), note)));
                parts.push(commit);
            }
        }
        if decided.is_none() && parts.is_empty() {
            return;
        }
        self.writer.commits += 1;
        let nonce = digest::nonce(&self.meta.incarnation, &config.host, config.seed, self.writer.commits);
        let bundle = self.deployment.as_ref().map(|deployment| &deployment.bundle);
        let bundle = bundle.filter(|bundle| self.meta.bundle.as_ref() != Some(bundle)).cloned();
        let commit = Commit { nonce, bundle, partitions: parts, notifier: decided };
        let commit = self.writer.begin(commit, claims, notes, self.now);
        self.actions.push_back(Action::Persist(Box::new(commit)));
    }

    pub(super) fn persisted(&mut self, nonce: Nonce, outcome: Persisted) {
        let lost = match outcome {
            Persisted::Written { lost } => lost,
            Persisted::Unknown => return self.writer.unknown(nonce, self.now),
        };
        let Some(Flight { commit, claims, notes, .. }) = self.writer.written(nonce) else { return };
        let is_lost = |what: Owned| lost.iter().any(|lost| lost.what == what);
        self.meta.bundle = commit.bundle.or_else(|| self.meta.bundle.take());
        let written = notes.into_iter().filter(|(of, _)| !is_lost(*of));
        self.actions.extend(written.map(|(_, note)| Action::Note(note)));
        // The outcome of a part says nothing about a later tenure, if this host lost the part and took it over again.
        for part in commit.partitions {
            let what = Owned::Partition(part.partition);
            match lost.iter().find(|lost| lost.what == what) {
                _ if self.epoch(what) != Some(part.tenure.epoch) => {}
                Some(lost) => self.lose(what, &lost.why),
                None => drop(self.with(part.partition, |own, context| own.written(part, context))),
            }
        }
        if let Some(part) = commit.notifier {
            let (what, draining) = (Owned::Notifier, self.draining);
            match lost.iter().find(|lost| lost.what == what) {
                _ if self.epoch(what) != Some(part.tenure.epoch) => {}
                Some(lost) => self.lose(what, &lost.why),
                None => self.notify(|notifier, context| notifier.claimed(&claims, draining, context)),
            }
        }
    }

    /// A part was not written, so this host stops working on it.
    fn lose(&mut self, what: Owned, why: &Loss) {
        match what {
            Owned::Partition(id) => self.give_up(id),
            Owned::Notifier if matches!(why, Loss::Depends(_)) => self.begin_notifier_anew(),
            Owned::Notifier => self.notifier = None,
        }
        self.actions.push_back(Action::Note(Note::Lost { what, why: why.to_string() }));
    }

    /// The epoch under which this host owns it.
    fn epoch(&self, what: Owned) -> Option<Epoch> {
        match what {
            Owned::Partition(id) => self.partitions.get(&id).map(|partition| partition.tenure().epoch),
            Owned::Notifier => self.notifier.as_ref().map(|notifier| notifier.tenure().epoch),
        }
    }

    pub(super) fn begin_notifier_anew(&mut self) {
        if let Some(notifier) = self.notifier.take() {
            self.retake = Some((self.now, notifier.tenure().epoch));
        }
    }

    pub(super) fn retake_notifier(&mut self) {
        if let Some((_, seen)) = self.retake.take_if(|(at, _)| *at <= self.now) {
            self.actions.push_back(Action::RetakeNotifier { seen });
        }
    }
}
