use watchbell_contract::{Range, Severity, Timestamp};
use watchbell_pipeline::record::{
    Change, Commit, Ending, Nonce, NotifierCommit, Occurrence, PartitionCommit, PartitionId, Position,
    Tenure, TransitionRecord,
};

use super::fixtures::{
    OTHER, PARTITION, host, labels, level, next, notifier, of_notifier, of_partition, partition, position,
    transition, withheld,
};
use super::on_each;
use crate::Store;

fn numbers(store: &mut dyn Store, after: &[Position], rows_max: u32) -> Vec<(PartitionId, u64)> {
    let found = store.transitions(after, rows_max).unwrap();
    found.iter().map(|transition| (transition.partition, transition.number)).collect()
}

/// Those of `PARTITION` with these numbers.
fn plain(numbers: impl IntoIterator<Item = u64>) -> Vec<TransitionRecord> {
    numbers.into_iter().map(|number| transition(PARTITION, number, withheld(1))).collect()
}

fn found(tenure: Tenure, transitions: Vec<TransitionRecord>) -> PartitionCommit {
    PartitionCommit { transitions, ..partition(tenure) }
}

#[test]
fn every_change_is_read_as_it_was_written() {
    let level = level("e1").1;
    let events = || {
        let event = |mark| Occurrence { labels: labels(), last: level.last.clone(), nth: 2, mark };
        vec![event(u64::MAX), event(0)]
    };
    let changes = [
        Change::Level { level: level.clone(), worse: Some(Severity::Warning) },
        Change::Level { level: level.clone(), worse: None },
        Change::Renewed { level: level.clone() },
        Change::Suspended { level: level.clone() },
        Change::Ended { level: level.clone(), why: Ending::Cleared },
        Change::Ended { level: level.clone(), why: Ending::Lapsed },
        Change::Ended { level: level.clone(), why: Ending::RuleEnded },
        Change::Events { events: events(), window_end: Timestamp(-1) },
        withheld(i64::MIN),
        Change::Later { events: events(), more: u64::MAX },
        Change::Gap {
            over: Range::new(Timestamp(1), Timestamp(2)),
            message: "trap: \"\u{1f514}\"".to_owned(),
        },
    ];
    let written: Vec<TransitionRecord> =
        (1..).zip(changes).map(|(number, change)| transition(PARTITION, number, change)).collect();
    on_each(|store| {
        let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
        store.commit(&of_partition(1, found(mine, written.clone()))).unwrap();
        assert_eq!(store.transitions(&[position(PARTITION, 0)], 99).unwrap(), written);
        let next = store.take_partition(PARTITION, &host("a"), None).unwrap();
        assert_eq!(next.transitions, written.len() as u64);
    });
}

#[test]
fn they_are_read_in_order_and_a_few_of_each_partition() {
    on_each(|store| {
        let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
        let others = store.take_partition(OTHER, &host("a"), None).unwrap().tenure;
        let elsewhere = PartitionCommit {
            partition: OTHER,
            transitions: (1..=2).map(|number| transition(OTHER, number, withheld(1))).collect(),
            ..partition(others)
        };
        let mut both = of_partition(1, found(mine, plain(1..=12)));
        both.partitions.push(elsewhere);
        store.commit(&both).unwrap();
        let all = [position(OTHER, 0), position(PARTITION, 8)];
        assert_eq!(
            numbers(store, &all, 3),
            [(OTHER, 1), (OTHER, 2), (PARTITION, 9), (PARTITION, 10), (PARTITION, 11)]
        );
        assert_eq!(numbers(store, &[position(PARTITION, 12)], 3), []);
        assert_eq!(numbers(store, &[], 3), []);
    });
}

#[test]
fn those_not_decided_outlast_their_owner() {
    on_each(|store| {
        let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
        store.commit(&of_partition(1, found(mine, plain(1..=3)))).unwrap();
        let next_one = store.take_partition(PARTITION, &host("b"), None).unwrap();
        assert_eq!(next_one.transitions, 3);
        store.commit(&of_partition(2, found(next_one.tenure, plain(4..=4)))).unwrap();
        // A commit without transitions leaves the number unchanged.
        store.commit(&of_partition(3, partition(next(next_one.tenure)))).unwrap();
        assert_eq!(store.take_partition(PARTITION, &host("c"), None).unwrap().transitions, 4);
        let all: Vec<(PartitionId, u64)> = (1..=4).map(|number| (PARTITION, number)).collect();
        assert_eq!(numbers(store, &[position(PARTITION, 0)], 99), all);
    });
}

#[test]
fn those_that_are_decided_are_not_kept_and_their_number_is() {
    on_each(|store| {
        let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
        let notifiers = store.take_notifier(&host("a"), None).unwrap().tenure;
        let after_zero = [position(PARTITION, 0)];
        // Processed in the commit that wrote them, except for the last.
        let at_once = Commit {
            notifier: Some(NotifierCommit {
                positions: vec![position(PARTITION, 2)],
                depends: vec![PARTITION],
                ..notifier(notifiers)
            }),
            ..of_partition(1, found(mine, plain(1..=3)))
        };
        assert_eq!(store.commit(&at_once).unwrap(), []);
        assert_eq!(numbers(store, &after_zero, 99), [(PARTITION, 3)]);
        // Written alone, and processed later.
        store.commit(&of_partition(2, found(next(mine), plain(4..=5)))).unwrap();
        assert_eq!(numbers(store, &after_zero, 99), [(PARTITION, 3), (PARTITION, 4), (PARTITION, 5)]);
        let later = NotifierCommit { positions: vec![position(PARTITION, 4)], ..notifier(next(notifiers)) };
        store.commit(&of_notifier(3, later)).unwrap();
        assert_eq!(numbers(store, &after_zero, 99), [(PARTITION, 5)]);
        // The last number stays when no transitions are stored.
        let all =
            NotifierCommit { positions: vec![position(PARTITION, 5)], ..notifier(next(next(notifiers))) };
        store.commit(&of_notifier(4, all)).unwrap();
        assert_eq!(numbers(store, &after_zero, 99), []);
        assert_eq!(store.take_partition(PARTITION, &host("a"), None).unwrap().transitions, 5);
        assert_eq!(store.take_notifier(&host("a"), None).unwrap().positions, [position(PARTITION, 5)]);
    });
}

#[test]
fn a_position_moves_in_one_partition_alone() {
    on_each(|store| {
        let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
        let others = store.take_partition(OTHER, &host("a"), None).unwrap().tenure;
        let notifiers = store.take_notifier(&host("a"), None).unwrap().tenure;
        let elsewhere = PartitionCommit {
            partition: OTHER,
            transitions: vec![transition(OTHER, 1, withheld(1))],
            ..partition(others)
        };
        let decided = NotifierCommit {
            positions: vec![position(PARTITION, 1)],
            depends: vec![PARTITION],
            ..notifier(notifiers)
        };
        let all = Commit {
            nonce: Nonce(1),
            partitions: vec![found(mine, plain(1..=1)), elsewhere],
            notifier: Some(decided),
            ..Commit::default()
        };
        assert_eq!(store.commit(&all).unwrap(), []);
        let both = [position(PARTITION, 0), position(OTHER, 0)];
        assert_eq!(numbers(store, &both, 99), [(OTHER, 1)]);
    });
}
