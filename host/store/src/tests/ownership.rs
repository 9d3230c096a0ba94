use watchbell_pipeline::record::{
    Commit, Epoch, Loss, Lost, Nonce, NotifierCommit, NotifierSnapshot, Owned, PartitionCommit, PartitionId,
    PartitionSnapshot, Phase, Tenure,
};

use super::fixtures::{
    OTHER, PARTITION, bundle, episode, host, intent, next, notifier, of_notifier, of_partition, owed,
    partition, position, rule, transition, withheld,
};
use super::on_each;
use crate::{CommitError, Memory, Sqlite, Store, StoreError, TakeoverError};

fn take(store: &mut dyn Store, partition: PartitionId, by: &str) -> PartitionSnapshot {
    store.take_partition(partition, &host(by), None).unwrap()
}

fn take_notifier(store: &mut dyn Store, by: &str) -> NotifierSnapshot {
    store.take_notifier(&host(by), None).unwrap()
}

fn tenure(epoch: u64, number: u64) -> Tenure {
    Tenure { epoch: Epoch(epoch), number }
}

fn superseded(what: Owned, epoch: u64, owner: &str) -> Lost {
    Lost { what, why: Loss::Superseded { epoch: Epoch(epoch), owner: host(owner) } }
}

const MINE: Owned = Owned::Partition(PARTITION);

#[test]
fn what_was_never_owned_begins_empty() {
    on_each(|store| {
        let found = take(store, PARTITION, "a");
        let empty =
            PartitionSnapshot { partition: PARTITION, tenure: tenure(1, 0), ..PartitionSnapshot::default() };
        assert_eq!(found, empty);
        let empty = NotifierSnapshot { tenure: tenure(1, 0), ..NotifierSnapshot::default() };
        assert_eq!(take_notifier(store, "a"), empty);
    });
}

#[test]
fn each_thing_has_epochs_and_numbers_of_its_own() {
    on_each(|store| {
        let first = take(store, PARTITION, "a").tenure;
        store.commit(&of_partition(1, partition(first))).unwrap();
        store.commit(&of_partition(2, partition(next(first)))).unwrap();
        // Numbers continue across epochs.
        assert_eq!(take(store, PARTITION, "b").tenure, tenure(2, 2));
        assert_eq!(take(store, OTHER, "b").tenure, tenure(1, 0));
        let first = take_notifier(store, "a").tenure;
        assert_eq!(first, tenure(1, 0));
        store.commit(&of_notifier(3, notifier(first))).unwrap();
        assert_eq!(take_notifier(store, "b").tenure, tenure(2, 1));
        assert_eq!(take(store, PARTITION, "a").tenure, tenure(3, 2));
    });
}

#[test]
fn a_part_of_an_older_epoch_is_left_out_and_writes_nothing() {
    on_each(|store| {
        let old = take(store, PARTITION, "a").tenure;
        let old_notifier = take_notifier(store, "a").tenure;
        let new = take(store, PARTITION, "b").tenure;
        take_notifier(store, "b");
        let late = Commit {
            bundle: Some(bundle("late", 9)),
            notifier: Some(NotifierCommit {
                positions: vec![position(PARTITION, 1)],
                episodes: vec![episode("e1", Phase::Active)],
                intents: vec![intent("i1", owed(1))],
                ..notifier(old_notifier)
            }),
            ..of_partition(
                1,
                PartitionCommit {
                    rules: vec![rule("spike", 60)],
                    transitions: vec![transition(PARTITION, 1, withheld(1))],
                    ..partition(old)
                },
            )
        };
        let lost = store.commit(&late).unwrap();
        assert_eq!(lost, [superseded(MINE, 2, "b"), superseded(Owned::Notifier, 2, "b")]);
        // Not even the bundle.
        assert_eq!(store.meta().unwrap().bundle, None);
        assert_eq!(store.transitions(&[position(PARTITION, 0)], 9).unwrap(), []);
        let found = take(store, PARTITION, "b");
        assert_eq!((found.rules, found.transitions, found.tenure.number), (Vec::new(), 0, new.number));
        let found = take_notifier(store, "b");
        assert_eq!((found.positions, found.episodes, found.intents), (Vec::new(), Vec::new(), Vec::new()));
    });
}

#[test]
fn losing_one_partition_loses_nothing_else() {
    on_each(|store| {
        let kept = take(store, OTHER, "a").tenure;
        let lost = take(store, PARTITION, "a").tenure;
        let notifiers = take_notifier(store, "a").tenure;
        take(store, PARTITION, "b");
        let both = Commit {
            nonce: Nonce(1),
            bundle: Some(bundle("b1", 1)),
            partitions: vec![
                PartitionCommit { rules: vec![rule("spike", 60)], ..partition(lost) },
                PartitionCommit { partition: OTHER, rules: vec![rule("other", 60)], ..partition(kept) },
            ],
            // What it processed in the lost partition was written long ago.
            notifier: Some(NotifierCommit {
                positions: vec![position(PARTITION, 1)],
                depends: vec![OTHER],
                episodes: vec![episode("e1", Phase::Active)],
                ..notifier(notifiers)
            }),
        };
        assert_eq!(store.commit(&both).unwrap(), [superseded(MINE, 2, "b")]);
        assert_eq!(take(store, PARTITION, "b").rules, []);
        assert_eq!(take(store, OTHER, "a").rules, [rule("other", 60)]);
        let found = take_notifier(store, "a");
        assert_eq!(found.episodes, [episode("e1", Phase::Active)]);
        assert_eq!(found.positions, [position(PARTITION, 1)]);
        assert_eq!(store.meta().unwrap().bundle, Some(bundle("b1", 1)));
        // A partition does not need the notifier either.
        let kept = take(store, OTHER, "a").tenure;
        let both = Commit {
            notifier: Some(notifier(notifiers)),
            ..of_partition(
                2,
                PartitionCommit { partition: OTHER, rules: vec![rule("other", 61)], ..partition(kept) },
            )
        };
        assert_eq!(store.commit(&both).unwrap(), [superseded(Owned::Notifier, 2, "a")]);
        assert_eq!(take(store, OTHER, "a").rules, [rule("other", 61)]);
    });
}

#[test]
fn a_notifier_that_decided_on_a_lost_partition_is_left_out_with_it() {
    on_each(|store| {
        let kept = take(store, OTHER, "a").tenure;
        let lost = take(store, PARTITION, "a").tenure;
        let notifiers = take_notifier(store, "a").tenure;
        take(store, PARTITION, "b");
        let decided = NotifierCommit {
            positions: vec![position(PARTITION, 1), position(OTHER, 1)],
            depends: vec![OTHER, PARTITION],
            episodes: vec![episode("e1", Phase::Active)],
            intents: vec![intent("i1", owed(1))],
            ..notifier(notifiers)
        };
        let found = |of, tenure| PartitionCommit {
            partition: of,
            transitions: vec![transition(of, 1, withheld(1))],
            ..partition(tenure)
        };
        let all = Commit {
            nonce: Nonce(1),
            partitions: vec![found(OTHER, kept), found(PARTITION, lost)],
            notifier: Some(decided),
            ..Commit::default()
        };
        let depends = Lost { what: Owned::Notifier, why: Loss::Depends(PARTITION) };
        assert_eq!(store.commit(&all).unwrap(), [superseded(MINE, 2, "b"), depends.clone()]);
        // The valid part is stored for the notifier, which has not processed it after all.
        let kept_for = store.transitions(&[position(OTHER, 0), position(PARTITION, 0)], 9).unwrap();
        assert_eq!(kept_for, [transition(OTHER, 1, withheld(1))]);
        // Its number is not incremented: its tenure is still valid, and repeating the commit changes nothing.
        assert_eq!(store.commit(&all).unwrap(), [superseded(MINE, 2, "b"), depends]);
        let found = take_notifier(store, "a");
        assert_eq!(found.tenure.number, notifiers.number);
        assert_eq!((found.positions, found.episodes, found.intents), (Vec::new(), Vec::new(), Vec::new()));
    });
}

#[test]
fn a_commit_is_repeated_as_it_was_and_written_once() {
    on_each(|store| {
        let mine = take(store, PARTITION, "a").tenure;
        let notifiers = take_notifier(store, "a").tenure;
        let written = Commit {
            notifier: Some(NotifierCommit {
                depends: vec![PARTITION],
                episodes: vec![episode("e1", Phase::Active)],
                ..notifier(notifiers)
            }),
            ..of_partition(u64::MAX, PartitionCommit { rules: vec![rule("spike", 60)], ..partition(mine) })
        };
        assert_eq!(store.commit(&written).unwrap(), []);
        let mut again = written.clone();
        again.partitions[0].rules = vec![rule("spike", 90)];
        again.notifier.as_mut().unwrap().episodes.clear();
        assert_eq!(store.commit(&again).unwrap(), []);
        // Another write under the same tenure is not the same commit: somebody else made the first.
        let other = Commit { nonce: Nonce(7), ..again.clone() };
        let lost = [superseded(MINE, 1, "a"), superseded(Owned::Notifier, 1, "a")];
        assert_eq!(store.commit(&other).unwrap(), lost);

        let found = take(store, PARTITION, "a");
        assert_eq!((found.tenure, found.rules), (tenure(2, 1), vec![rule("spike", 60)]));
        assert_eq!(take_notifier(store, "a").episodes, [episode("e1", Phase::Active)]);
        // A nonce means nothing to the next owner: neither to show that the old commit was written, …
        let lost = [superseded(MINE, 2, "a"), superseded(Owned::Notifier, 2, "a")];
        assert_eq!(store.commit(&written).unwrap(), lost);
        // … nor to mistake a new one for it.
        let anew = PartitionCommit { rules: vec![rule("spike", 90)], ..partition(found.tenure) };
        assert_eq!(store.commit(&of_partition(u64::MAX, anew)).unwrap(), []);
        assert_eq!(take(store, PARTITION, "a").rules, [rule("spike", 90)]);
    });
}

#[test]
fn a_row_older_than_its_owner_has_seen_went_back() {
    on_each(|store| {
        let mine = take(store, PARTITION, "a").tenure;
        let notifiers = take_notifier(store, "a").tenure;
        let ahead = |mine, notifiers| Commit {
            notifier: Some(NotifierCommit {
                episodes: vec![episode("e1", Phase::Active)],
                ..notifier(notifiers)
            }),
            ..of_partition(1, PartitionCommit { rules: vec![rule("spike", 60)], ..partition(mine) })
        };
        let went_back = [MINE, Owned::Notifier].map(|what| Lost { what, why: Loss::WentBack }).to_vec();
        assert_eq!(store.commit(&ahead(next(mine), next(notifiers))).unwrap(), went_back);
        // An epoch that the store never issued, whatever the number.
        assert_eq!(store.commit(&ahead(tenure(2, 0), tenure(5, 3))).unwrap(), went_back);
        assert_eq!(take(store, PARTITION, "a").rules, []);
        assert_eq!(take_notifier(store, "a").episodes, []);
    });
}

#[test]
fn a_commit_to_what_nobody_owns_is_refused_and_writes_nothing() {
    on_each(|store| {
        let refused = store.commit(&of_partition(1, partition(Tenure::default())));
        assert!(matches!(refused, Err(CommitError::Refused(StoreError::Unowned(MINE)))), "{refused:?}");
        let mine = take(store, PARTITION, "a").tenure;
        let both = Commit {
            notifier: Some(notifier(Tenure::default())),
            ..of_partition(1, PartitionCommit { rules: vec![rule("spike", 60)], ..partition(mine) })
        };
        let refused = store.commit(&both);
        assert!(
            matches!(refused, Err(CommitError::Refused(StoreError::Unowned(Owned::Notifier)))),
            "{refused:?}"
        );
        let found = take(store, PARTITION, "a");
        assert_eq!((found.rules, found.tenure.number), (Vec::new(), 0));
    });
}

#[test]
fn who_decided_by_an_older_epoch_takes_nothing() {
    fn refused<T: std::fmt::Debug>(result: Result<T, TakeoverError>) -> String {
        result.unwrap_err().to_string()
    }
    on_each(|store| {
        let first = take(store, PARTITION, "a").tenure.epoch;
        let first_notifier = take_notifier(store, "a").tenure.epoch;
        let mut taken = |by: &str, seen| store.take_partition(PARTITION, &host(by), Some(seen));
        assert_eq!(taken("b", first).unwrap().tenure, tenure(2, 0));
        assert_eq!(refused(taken("c", first)), "partition 3 was taken over by host `b` (epoch 2)");
        assert_eq!(refused(taken("c", Epoch(3))), "partition 3 was taken over by host `b` (epoch 2)");
        assert_eq!(taken("c", Epoch(2)).unwrap().tenure, tenure(3, 0));
        let mut taken = |by: &str, seen| store.take_notifier(&host(by), Some(seen));
        assert_eq!(taken("b", first_notifier).unwrap().tenure, tenure(2, 0));
        assert_eq!(refused(taken("c", first_notifier)), "the notifier was taken over by host `b` (epoch 2)");
        // Nobody can have seen an owner of something that was never owned: the row is gone.
        let gone = store.take_partition(OTHER, &host("c"), Some(Epoch(1)));
        assert!(
            matches!(gone, Err(TakeoverError::Store(StoreError::Unowned(Owned::Partition(OTHER))))),
            "{gone:?}"
        );
        let refused =
            store.commit(&of_partition(1, PartitionCommit { partition: OTHER, ..Default::default() }));
        assert!(matches!(refused, Err(CommitError::Refused(StoreError::Unowned(_)))), "{refused:?}");
    });
}

#[test]
fn the_bundle_in_force_is_the_one_of_the_latest_generation() {
    on_each(|store| {
        let mut tenure = take(store, PARTITION, "a").tenure;
        let mut put = |digest: &str, generation| {
            let commit = of_partition(tenure.number, partition(tenure));
            assert_eq!(
                store.commit(&Commit { bundle: Some(bundle(digest, generation)), ..commit }).unwrap(),
                []
            );
            tenure = next(tenure);
            store.meta().unwrap().bundle
        };
        assert_eq!(put("b1", 1), Some(bundle("b1", 1)));
        assert_eq!(put("b3", 3), Some(bundle("b3", 3)));
        assert_eq!(put("b2", 2), Some(bundle("b3", 3)));
        assert_eq!(put("other", 3), Some(bundle("b3", 3)));
        assert_eq!(put("last", u64::MAX >> 1), Some(bundle("last", u64::MAX >> 1)));
        // A commit without a bundle changes nothing.
        store.commit(&of_partition(99, partition(tenure))).unwrap();
        assert_eq!(store.meta().unwrap().bundle, Some(bundle("last", u64::MAX >> 1)));
        // Nor does an empty commit.
        let nothing = Commit { bundle: Some(bundle("nobody's", u64::MAX >> 1)), ..Commit::default() };
        assert_eq!(store.commit(&nothing).unwrap(), []);
        assert_eq!(store.meta().unwrap().bundle, Some(bundle("last", u64::MAX >> 1)));
    });
}

#[test]
fn an_incarnation_is_made_with_the_store_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let incarnation = |path| Sqlite::open(path).unwrap().meta().unwrap().incarnation;
    let made = incarnation(&path);
    assert!(made.0.len() == 32 && made.0.bytes().all(|byte| byte.is_ascii_hexdigit()), "{made:?}");
    assert_eq!(incarnation(&path), made);
    assert_ne!(incarnation(&folder.path().join("another.db")), made);
    let mut memory = Memory::with_incarnation(made.clone());
    assert_eq!(memory.meta().unwrap().incarnation, made);
}
