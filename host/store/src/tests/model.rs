//! Random operations on a file and in memory: outcomes and contents are the same.
mod draw; // random operations
mod read; // everything that a reader sees

use std::collections::BTreeMap;

use proptest::prelude::*;
use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{
    BundleRef, Commit, Epoch, Lost, Nonce, NotifierCommit, Owned, PartitionCommit, PartitionId, Position,
    Tenure, TransitionRecord,
};

use super::fixtures::{bundle, host, transition};
use crate::{CommitError, Memory, Sqlite, Store, TakeoverError};
use draw::{Deed, Notifier, Part, Skew, Write, deeds};

/// How many partitions the operations use.
const PARTITIONS: u16 = 3;

/// What the host that performs the operations knows: its tenures, and the number of each partition's last transition.
#[derive(Default)]
struct Knowledge {
    tenures: BTreeMap<Owned, Tenure>,
    numbers: BTreeMap<PartitionId, u64>,
    last: Option<Commit>,
}

impl Knowledge {
    fn tenure(&self, what: Owned, skew: Skew) -> Tenure {
        let Tenure { epoch, number } = self.tenures.get(&what).copied().unwrap_or_default();
        let before = |number: u64| number.saturating_sub(1);
        match skew {
            Skew::None => Tenure { epoch, number },
            Skew::OlderEpoch => Tenure { epoch: Epoch(before(epoch.0)), number },
            Skew::LaterEpoch => Tenure { epoch: Epoch(epoch.0 + 1), number },
            Skew::OlderNumber => Tenure { epoch, number: before(number) },
            Skew::LaterNumber => Tenure { epoch, number: number + 1 },
        }
    }

    fn commit(&self, write: Write) -> Commit {
        let mut numbers = self.numbers.clone();
        let mut partitions: Vec<PartitionCommit> = Vec::new();
        for part in write.parts {
            // One part for each partition.
            if partitions.iter().all(|other| other.partition != part.partition) {
                partitions.push(self.part(part, &mut numbers));
            }
        }
        let notifier = write.notifier.map(|part| self.notifier(part, &numbers));
        let bundle = write.bundle.map(|(digest, generation)| bundle(&digest.to_string(), generation));
        Commit { nonce: Nonce(write.nonce), bundle, partitions, notifier }
    }

    fn part(&self, part: Part, numbers: &mut BTreeMap<PartitionId, u64>) -> PartitionCommit {
        let number = numbers.entry(part.partition).or_default();
        let transitions: Vec<TransitionRecord> = part
            .changes
            .into_iter()
            .map(|change| {
                *number += 1;
                transition(part.partition, *number, change)
            })
            .collect();
        PartitionCommit {
            partition: part.partition,
            tenure: self.tenure(Owned::Partition(part.partition), part.skew),
            rules: part.rules,
            rules_ended: part.rules_ended,
            levels: part.levels,
            levels_ended: part.levels_ended,
            transitions,
            gaps: part.gaps,
        }
    }

    /// Positions are `behind` the last transitions: those of this commit are processed with it, or later.
    fn notifier(&self, part: Notifier, numbers: &BTreeMap<PartitionId, u64>) -> NotifierCommit {
        let position = |(partition, behind): (PartitionId, u64)| Position {
            partition,
            number: numbers.get(&partition).copied().unwrap_or(0).saturating_sub(behind),
        };
        NotifierCommit {
            tenure: self.tenure(Owned::Notifier, part.skew),
            positions: part
                .behind
                .into_iter()
                .collect::<BTreeMap<_, _>>()
                .into_iter()
                .map(position)
                .collect(),
            depends: part.depends,
            episodes: part.episodes,
            intents: part.intents,
            groups: part.groups,
            groups_ended: part.groups_ended,
            silences: part.silences,
            silences_ended: part.silences_ended,
            pause: part.pause,
            destinations: part.destinations,
            commands: part.commands,
        }
    }

    /// Learns from the outcome of `commit`.
    fn learn(&mut self, commit: &Commit, lost: Result<Vec<Lost>, String>) {
        let Ok(lost) = lost else { return };
        let is_lost = |what: Owned| lost.iter().any(|lost| lost.what == what);
        for part in commit.partitions.iter().filter(|part| !is_lost(Owned::Partition(part.partition))) {
            let is_new = self.written(Owned::Partition(part.partition), part.tenure);
            if let Some(last) = part.transitions.last().filter(|_| is_new) {
                self.numbers.insert(part.partition, last.number);
            }
        }
        if let Some(part) = commit.notifier.as_ref().filter(|_| !is_lost(Owned::Notifier)) {
            self.written(Owned::Notifier, part.tenure);
        }
    }

    /// Whether the part under this tenure was written now; one with an older number had been written before.
    fn written(&mut self, what: Owned, by: Tenure) -> bool {
        let known = self.tenures.entry(what).or_default();
        let is_new = *known == by;
        known.number += u64::from(is_new);
        is_new
    }
}

/// The outcome of a commit, in a form that can be compared between stores.
fn verdict(result: Result<Vec<Lost>, CommitError>) -> Result<Vec<Lost>, String> {
    result.map_err(|error| format!("{error:?}"))
}

fn takeover<T>(result: Result<T, TakeoverError>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

/// Everything that can be read from a store without changing it.
fn visible(store: &mut dyn Store, after: u64, rows_max: u32) -> (Option<BundleRef>, Vec<TransitionRecord>) {
    let after: Vec<Position> = (0..PARTITIONS)
        .map(|partition| Position { partition: PartitionId(partition), number: after })
        .collect();
    (store.meta().unwrap().bundle, store.transitions(&after, rows_max).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_keeps_what_memory_keeps(deeds in deeds()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let mut file = Some(Sqlite::open(&path).unwrap());
        let mut memory = Memory::with_incarnation(file.as_mut().unwrap().meta().unwrap().incarnation);
        let mut known = Knowledge::default();
        for deed in deeds {
            let store = file.as_mut().unwrap();
            match deed {
                Deed::TakePartition { partition, owner, seen } => {
                    let owner = host(&owner.to_string());
                    let found = takeover(store.take_partition(partition, &owner, seen.map(Epoch)));
                    if let Ok(found) = &found {
                        known.tenures.insert(Owned::Partition(partition), found.tenure);
                        known.numbers.insert(partition, found.transitions);
                    }
                    prop_assert_eq!(found, takeover(memory.take_partition(partition, &owner, seen.map(Epoch))));
                }
                Deed::TakeNotifier { owner, seen } => {
                    let owner = host(&owner.to_string());
                    let found = takeover(store.take_notifier(&owner, seen.map(Epoch)));
                    if let Ok(found) = &found {
                        known.tenures.insert(Owned::Notifier, found.tenure);
                    }
                    prop_assert_eq!(found, takeover(memory.take_notifier(&owner, seen.map(Epoch))));
                }
                Deed::Commit(write) => {
                    let commit = known.commit(*write);
                    let lost = verdict(store.commit(&commit));
                    prop_assert_eq!(&lost, &verdict(memory.commit(&commit)));
                    known.learn(&commit, lost);
                    known.last = Some(commit);
                }
                Deed::Repeat => {
                    if let Some(commit) = known.last.clone() {
                        let lost = verdict(store.commit(&commit));
                        prop_assert_eq!(&lost, &verdict(memory.commit(&commit)));
                        known.learn(&commit, lost);
                    }
                }
                Deed::Prune { before, rows_max } => {
                    let before = Timestamp(before);
                    prop_assert_eq!(
                        store.prune(before, rows_max).unwrap(),
                        memory.prune(before, rows_max).unwrap()
                    );
                }
                Deed::Read { after, rows_max } => {
                    prop_assert_eq!(visible(store, after, rows_max), visible(&mut memory, after, rows_max));
                }
                Deed::Reopen => {
                    // Drop the old handle first: it holds the lock.
                    drop(file.take());
                    file = Some(Sqlite::open(&path).unwrap());
                }
            }
        }
        let mut store = file.unwrap();
        let reader = Sqlite::open_reader(&path).unwrap();
        prop_assert_eq!(read::read_all(&reader), read::read_all(&memory));
        prop_assert_eq!(store.meta().unwrap(), memory.meta().unwrap());
        prop_assert_eq!(visible(&mut store, 0, u32::MAX), visible(&mut memory, 0, u32::MAX));
        for partition in (0..PARTITIONS).map(PartitionId) {
            prop_assert_eq!(
                store.take_partition(partition, &host("z"), None).unwrap(),
                memory.take_partition(partition, &host("z"), None).unwrap()
            );
        }
        prop_assert_eq!(
            store.take_notifier(&host("z"), None).unwrap(),
            memory.take_notifier(&host("z"), None).unwrap()
        );
    }
}
