use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{
    Command, CommandLog, CommandRecord, Commit, Delivery, Ending, EpisodeId, Epoch, HostId, IntentRecord,
    Partition, Phase, Priming,
};
use watchbell_pipeline::spec::RuleName;

use super::fixtures::{PARTITION, command, commit, episode, gap, host, intent, owed, rule};
use crate::{CommitError, Memory, Pruned, Read, Sqlite, Store, StoreError};

/// Every promise holds for every store.
fn on_each(check: impl Fn(&mut dyn Store)) {
    let folder = tempfile::tempdir().unwrap();
    check(&mut Sqlite::open(&folder.path().join("store.db")).unwrap());
    check(&mut Memory::new());
}

#[test]
fn what_a_commit_wrote_is_what_a_takeover_finds() {
    on_each(|store| {
        let epoch = store.take_over(PARTITION, &host("a")).unwrap().epoch;
        let mut primed = rule("primed", 60);
        primed.state = None;
        primed.priming = Some(Priming { reached: Timestamp(5), until: Timestamp(60) });
        let claimed = Delivery::Claimed { owner: host("a"), epoch: Epoch(1), attempt: 3 };
        let acknowledged = Phase::Acknowledged { at: Timestamp(130), by: "mia".to_owned() };
        let by_hand = Phase::ResolvedByHand { at: Timestamp(131), by: "mia".to_owned() };
        let written = Commit {
            bundle: Some("sha256:b1".to_owned()),
            rules: vec![primed, rule("spike", 60)],
            episodes: vec![
                episode("e1", Phase::Active),
                episode("e2", acknowledged),
                episode("e3", Phase::Pending),
                episode("e4", by_hand),
                episode("e5", Phase::Resolved { at: Timestamp(150), why: Ending::Lapsed }),
            ],
            // Not in the order of their ids: the order of creation is what counts.
            intents: vec![
                intent("i2", owed(120)),
                IntentRecord { maybe_repeated: true, ..intent("i1", claimed) },
                intent("i0", Delivery::Dead { at: Timestamp(9), attempt: 4, last: "404".to_owned() }),
            ],
            gaps: vec![gap(1, 2)],
            ..commit(epoch, 1)
        };
        store.commit(&written).unwrap();

        let found = store.take_over(PARTITION, &host("b")).unwrap();
        assert_eq!(found.epoch, Epoch(2));
        assert_eq!(found.bundle, written.bundle);
        assert_eq!(found.rules, written.rules);
        assert_eq!(found.episodes, written.episodes[..4]);
        assert_eq!(found.intents, written.intents[..2]);
        assert_eq!(store.take_over(Partition(4), &host("b")).unwrap().rules, []);
    });
}

#[test]
fn a_commit_of_an_older_epoch_is_refused_and_writes_nothing() {
    on_each(|store| {
        let old = store.take_over(PARTITION, &host("a")).unwrap().epoch;
        let new = store.take_over(PARTITION, &host("b")).unwrap().epoch;
        let late = Commit { rules: vec![rule("spike", 60)], ..commit(old, 1) };
        match store.commit(&late) {
            Err(CommitError::Superseded { epoch, owner }) => {
                assert_eq!((epoch, owner), (new, host("b")));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(store.take_over(PARTITION, &host("b")).unwrap().rules, []);
    });
}

#[test]
fn a_commit_to_a_partition_that_nobody_owns_is_refused() {
    on_each(|store| {
        let refused = store.commit(&commit(Epoch(0), 1));
        assert!(matches!(refused, Err(CommitError::Refused(StoreError::Unowned(PARTITION)))), "{refused:?}");
    });
}

#[test]
fn the_same_nonce_again_changes_nothing() {
    on_each(|store| {
        let epoch = store.take_over(PARTITION, &host("a")).unwrap().epoch;
        store.commit(&Commit { rules: vec![rule("spike", 60)], ..commit(epoch, u64::MAX) }).unwrap();
        store.commit(&Commit { rules: vec![rule("spike", 90)], ..commit(epoch, u64::MAX) }).unwrap();
        let found = store.take_over(PARTITION, &host("a")).unwrap();
        assert_eq!(found.rules, [rule("spike", 60)]);
        // A nonce means nothing to the next owner.
        store.commit(&Commit { rules: vec![rule("spike", 90)], ..commit(found.epoch, u64::MAX) }).unwrap();
        assert_eq!(store.take_over(PARTITION, &host("a")).unwrap().rules, [rule("spike", 90)]);
    });
}

#[test]
fn records_replace_those_of_the_same_key_and_ended_rules_are_forgotten() {
    on_each(|store| {
        let epoch = store.take_over(PARTITION, &host("a")).unwrap().epoch;
        let first = Commit {
            rules: vec![rule("gone", 60), rule("kept", 60), rule("spike", 60)],
            episodes: vec![episode("e1", Phase::Active)],
            intents: vec![intent("i2", owed(1)), intent("i1", owed(1))],
            ..commit(epoch, 1)
        };
        store.commit(&first).unwrap();
        let mut unprimed = rule("spike", 61);
        unprimed.state = None;
        let second = Commit {
            rules: vec![unprimed.clone()],
            rules_ended: vec![RuleName("gone".to_owned())],
            episodes: vec![episode("e1", Phase::Resolved { at: Timestamp(9), why: Ending::RuleEnded })],
            intents: vec![intent("i2", owed(2))],
            ..commit(epoch, 2)
        };
        store.commit(&second).unwrap();
        let found = store.take_over(PARTITION, &host("a")).unwrap();
        assert_eq!(found.rules, [rule("kept", 60), unprimed]);
        assert_eq!(found.episodes, []);
        // A new state of affairs does not move an intent to the end of its line.
        assert_eq!(found.intents, [intent("i2", owed(2)), intent("i1", owed(1))]);
    });
}

#[test]
fn prune_forgets_the_oldest_gap_first_in_whatever_order_they_came() {
    on_each(|store| {
        let epoch = store.take_over(PARTITION, &host("a")).unwrap().epoch;
        let all = Commit { gaps: vec![gap(1, 30), gap(2, 10), gap(3, 20)], ..commit(epoch, 1) };
        store.commit(&all).unwrap();
        let one = Pruned { gaps: 1, more: true, ..Pruned::default() };
        assert_eq!(store.prune(Timestamp(40), 1).unwrap(), one);
        // The one of 10 is gone: only that of 20 is as old as this, and then none.
        assert_eq!(store.prune(Timestamp(25), 1).unwrap(), one);
        assert_eq!(store.prune(Timestamp(25), 1).unwrap(), Pruned::default());
    });
}

#[test]
fn prune_forgets_what_has_ended_and_keeps_what_is_open() {
    on_each(|store| {
        let epoch = store.take_over(PARTITION, &host("a")).unwrap().epoch;
        let delivered =
            |at| Delivery::Delivered { at: Timestamp(at), attempt: 1, reference: Some("ts-1".to_owned()) };
        let resolved = |at| Phase::Resolved { at: Timestamp(at), why: Ending::Cleared };
        let all = Commit {
            episodes: vec![
                episode("e1", resolved(10)), // still has an intent
                episode("e2", resolved(10)),
                episode("e3", resolved(50)), // too recent
                episode("e4", Phase::Active),
            ],
            intents: vec![
                intent("i1", owed(1)),
                intent("i2", delivered(10)),
                intent("i3", delivered(20)),
                intent("i4", delivered(50)), // too recent
            ],
            gaps: vec![gap(1, 10), gap(2, 50)],
            ..commit(epoch, 1)
        };
        store.commit(&all).unwrap();
        let before = Timestamp(50);
        assert_eq!(
            store.prune(before, 1).unwrap(),
            Pruned { episodes: 1, intents: 1, gaps: 1, commands: 0, more: true }
        );
        assert_eq!(
            store.prune(before, 10).unwrap(),
            Pruned { episodes: 0, intents: 1, gaps: 0, commands: 0, more: false }
        );
        assert_eq!(store.prune(before, 10).unwrap(), Pruned::default());
        let found = store.take_over(PARTITION, &HostId("a".to_owned())).unwrap();
        assert_eq!(found.episodes.len(), 1);
        assert_eq!(found.episodes[0].id, EpisodeId("e4".to_owned()));
        assert_eq!(found.intents, [intent("i1", owed(1))]);
    });
}

#[test]
fn a_store_that_fills_up_refuses_the_commit_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = Sqlite::open_within(&path, 1 << 20).unwrap();
    let epoch = store.take_over(PARTITION, &host("a")).unwrap().epoch;
    store.commit(&Commit { rules: vec![rule("spike", 60)], ..commit(epoch, 1) }).unwrap();
    let mut heavy = rule("heavy", 60);
    heavy.state.as_mut().unwrap().bytes = vec![7; 2 << 20];
    let refused = store.commit(&Commit { rules: vec![rule("spike", 90), heavy], ..commit(epoch, 2) });
    match refused {
        Err(CommitError::Refused(error @ StoreError::Full { .. })) => {
            let expected = format!(
                "the store `{}` is full: free space on its volume; nothing that was committed is lost",
                path.display()
            );
            assert_eq!(error.to_string(), expected);
        }
        other => panic!("{other:?}"),
    }
    store.commit(&Commit { rules: vec![rule("other", 70)], ..commit(epoch, 2) }).unwrap();
    drop(store);
    let found = Sqlite::open(&path).unwrap().take_over(PARTITION, &host("a")).unwrap();
    assert_eq!(found.rules, [rule("other", 70), rule("spike", 60)]);
}

#[test]
fn a_commit_of_unknown_outcome_can_be_repeated_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = Sqlite::open(&path).unwrap();
    let epoch = store.take_over(PARTITION, &host("a")).unwrap().epoch;
    // A constraint that is checked at the very end makes the COMMIT itself fail.
    let saboteur = rusqlite::Connection::open(&path).unwrap();
    let trap = "CREATE TABLE parent (id INTEGER PRIMARY KEY);
                CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
                CREATE TRIGGER trap AFTER INSERT ON rules BEGIN INSERT INTO child VALUES (1); END;";
    saboteur.execute_batch(trap).unwrap();
    let written = Commit { rules: vec![rule("spike", 60)], ..commit(epoch, 1) };
    let unknown = store.commit(&written);
    assert!(matches!(unknown, Err(CommitError::Unknown(StoreError::Failed { .. }))), "{unknown:?}");
    saboteur.execute_batch("DROP TRIGGER trap").unwrap();
    store.commit(&written).unwrap();
    assert_eq!(store.take_over(PARTITION, &host("a")).unwrap().rules, written.rules);
}

#[test]
fn a_store_that_another_program_holds_refuses_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = Sqlite::open(&path).unwrap();
    let epoch = store.take_over(PARTITION, &host("a")).unwrap().epoch;
    store.wait_at_most(std::time::Duration::ZERO);
    let holder = rusqlite::Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.commit(&commit(epoch, 1));
    assert!(matches!(refused, Err(CommitError::Refused(StoreError::Busy { .. }))), "{refused:?}");
    holder.execute_batch("ROLLBACK").unwrap();
    store.commit(&commit(epoch, 1)).unwrap();
}

#[test]
fn a_takeover_of_any_partition_finds_how_far_the_commands_have_come() {
    on_each(|store| {
        let epoch = store.take_over(PARTITION, &host("a")).unwrap().epoch;
        let episode = EpisodeId("e1".to_owned());
        let all = [
            Command::Acknowledge { episode: episode.clone() },
            Command::Note { episode: episode.clone(), text: "looking into it".to_owned() },
            Command::Unacknowledge { episode: episode.clone() },
            Command::Resolve { episode },
        ];
        let commands: Vec<_> = (1..).zip(all).map(|(number, asked)| command(number, asked)).collect();
        store.commit(&Commit { commands: commands[..3].to_vec(), ..commit(epoch, 1) }).unwrap();
        // One that is there stays as it was, and its number is not given anew.
        let again = CommandRecord { by: "joe".to_owned(), ..commands[0].clone() };
        store.commit(&Commit { commands: vec![again, commands[3].clone()], ..commit(epoch, 2) }).unwrap();
        let found = store.take_over(Partition(9), &host("b")).unwrap().commands;
        let ids: Vec<_> = commands.iter().map(|command| command.id.clone()).collect();
        assert_eq!(found, CommandLog { last: 4, recent: ids });
        // The newest are kept, however old.
        assert_eq!(store.prune(Timestamp(99), 10).unwrap().commands, 0);
    });
}

#[test]
fn commands_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = Sqlite::open(&path).unwrap();
    let epoch = store.take_over(PARTITION, &host("a")).unwrap().epoch;
    let episode = EpisodeId("e1".to_owned());
    let note = command(1, Command::Note { episode: episode.clone(), text: "\u{1f514}".to_owned() });
    let resolve = command(2, Command::Resolve { episode });
    store.commit(&Commit { commands: vec![note.clone(), resolve.clone()], ..commit(epoch, 1) }).unwrap();
    assert_eq!(Sqlite::open_reader(&path).unwrap().commands(9).unwrap(), [resolve, note]);
}
