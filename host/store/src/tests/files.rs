use std::fs;
use std::path::Path;

use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{Commit, Loss, Lost, Nonce, NotifierCommit, Owned, PartitionCommit, Phase};

use super::fixtures::{
    PARTITION, bundle, episode, host, intent, next, notifier, of_notifier, of_partition, owed, partition,
    rule,
};
use crate::{CommitError, Sqlite, Store, StoreError, TakeoverError};

#[test]
fn a_store_that_fills_up_refuses_the_commit_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = Sqlite::open_within(&path, 1 << 20).unwrap();
    let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
    let first = PartitionCommit { rules: vec![rule("spike", 60)], ..partition(mine) };
    store.commit(&of_partition(1, first)).unwrap();
    let mut heavy = rule("heavy", 60);
    heavy.state.as_mut().unwrap().bytes = vec![7; 2 << 20];
    let second = PartitionCommit { rules: vec![rule("spike", 90), heavy], ..partition(next(mine)) };
    let refused = store.commit(&of_partition(2, second));
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
    let third = PartitionCommit { rules: vec![rule("other", 70)], ..partition(next(mine)) };
    assert_eq!(store.commit(&of_partition(2, third)).unwrap(), []);
    drop(store);
    let found = Sqlite::open(&path).unwrap().take_partition(PARTITION, &host("a"), None).unwrap();
    assert_eq!(found.rules, [rule("other", 70), rule("spike", 60)]);
}

#[test]
fn a_commit_of_unknown_outcome_can_be_repeated_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = Sqlite::open(&path).unwrap();
    let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
    let notifiers = store.take_notifier(&host("a"), None).unwrap().tenure;
    // A deferred constraint makes the COMMIT itself fail.
    let saboteur = rusqlite::Connection::open(&path).unwrap();
    let trap = "CREATE TABLE parent (id INTEGER PRIMARY KEY);
                CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
                CREATE TRIGGER trap AFTER INSERT ON rules BEGIN INSERT INTO child VALUES (1); END;";
    saboteur.execute_batch(trap).unwrap();
    let written = Commit {
        notifier: Some(NotifierCommit {
            depends: vec![PARTITION],
            episodes: vec![episode("e1", Phase::Active)],
            ..notifier(notifiers)
        }),
        ..of_partition(1, PartitionCommit { rules: vec![rule("spike", 60)], ..partition(mine) })
    };
    let unknown = store.commit(&written);
    assert!(matches!(unknown, Err(CommitError::Unknown(StoreError::Failed { .. }))), "{unknown:?}");
    saboteur.execute_batch("DROP TRIGGER trap").unwrap();
    assert_eq!(store.commit(&written).unwrap(), []);
    assert_eq!(store.commit(&written).unwrap(), []);
    let found = store.take_partition(PARTITION, &host("a"), None).unwrap();
    assert_eq!((found.rules, found.tenure.number), (vec![rule("spike", 60)], 1));
    assert_eq!(store.take_notifier(&host("a"), None).unwrap().episodes, [episode("e1", Phase::Active)]);
}

#[test]
fn a_store_that_another_program_holds_refuses_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = Sqlite::open(&path).unwrap();
    let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
    store.wait_at_most(std::time::Duration::ZERO);
    let holder = rusqlite::Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.commit(&of_partition(1, partition(mine)));
    assert!(matches!(refused, Err(CommitError::Refused(StoreError::Busy { .. }))), "{refused:?}");
    holder.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.commit(&of_partition(1, partition(mine))).unwrap(), []);
}

#[test]
fn what_is_lost_altogether_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = Sqlite::open(&path).unwrap();
    let old = store.take_notifier(&host("a"), None).unwrap().tenure;
    store.take_notifier(&host("b"), None).unwrap();
    let reader = rusqlite::Connection::open(&path).unwrap();
    let version = || -> i64 { reader.pragma_query_value(None, "data_version", |row| row.get(0)).unwrap() };
    let before = version();
    let late = NotifierCommit { intents: vec![intent("i1", owed(1))], ..notifier(old) };
    let late = Commit { bundle: Some(bundle("late", 9)), ..of_notifier(1, late) };
    assert_eq!(store.commit(&late).unwrap().len(), 1);
    assert_eq!(version(), before);
}

/// What a host that keeps using the store is told.
fn refusals(store: &mut Sqlite, folder: &Path) -> Vec<String> {
    let commit = match store.commit(&of_partition(1, partition(Default::default()))) {
        Err(CommitError::Refused(error)) => error,
        other => panic!("{other:?}"),
    };
    let TakeoverError::Store(takeover) = store.take_notifier(&host("a"), None).unwrap_err() else {
        panic!("it was not the store's fault");
    };
    let prune = store.prune(Timestamp(9), 9).unwrap_err();
    let plain = |error: StoreError| error.to_string().replace(&folder.display().to_string(), "DIR");
    [commit, takeover, prune].map(plain).to_vec()
}

fn gone(what: &str) -> Vec<String> {
    let said = format!(
        "the store `DIR/store.db` was {what} while the host was running: stop the host and restore the file or a \
         backup, or start the host without it to start over (rules then start from now, and open episodes are forgotten)"
    );
    vec![said; 3]
}

#[cfg(unix)]
#[test]
fn a_store_that_is_taken_away_while_it_is_open_is_no_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let aside = folder.path().join("aside.db");
    let mut store = Sqlite::open(&path).unwrap();
    let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;

    fs::rename(&path, &aside).unwrap();
    assert_eq!(refusals(&mut store, folder.path()), gone("removed"));
    assert!(!path.exists());
    fs::copy(&aside, &path).unwrap();
    assert_eq!(refusals(&mut store, folder.path()), gone("replaced by another file"));
    fs::remove_file(&path).unwrap();
    // The file itself, put back, is the store again.
    fs::rename(&aside, &path).unwrap();
    assert_eq!(store.commit(&of_partition(1, partition(mine))).unwrap(), []);
    fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    assert_eq!(refusals(&mut store, folder.path()), gone("emptied"));
}

#[cfg(unix)]
#[test]
fn a_store_with_a_second_name_refuses_until_the_name_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = Sqlite::open(&path).unwrap();
    let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
    store.check().unwrap();
    let other = folder.path().join("other.db");
    fs::hard_link(&path, &other).unwrap();
    let told = refusals(&mut store, folder.path());
    assert!(
        told.iter().all(|told| told.starts_with("the store `DIR/store.db` has 2 names (hard links)")),
        "{told:?}"
    );
    assert!(matches!(store.check(), Err(StoreError::Linked { names: 2, .. })));
    fs::remove_file(&other).unwrap();
    store.check().unwrap();
    assert_eq!(store.commit(&of_partition(1, partition(mine))).unwrap(), []);
}

#[cfg(unix)]
#[test]
fn a_store_whose_log_is_removed_refuses_and_loses_nothing_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (path, log) = (folder.path().join("store.db"), folder.path().join("store.db-wal"));
    let mut store = Sqlite::open(&path).unwrap();
    let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
    let kept = PartitionCommit { rules: vec![rule("spike", 60)], ..partition(mine) };
    assert_eq!(store.commit(&of_partition(1, kept)).unwrap(), []);
    fs::remove_file(&log).unwrap();
    let told = refusals(&mut store, folder.path());
    let expected = "the log `DIR/store.db-wal` of the store `DIR/store.db` was removed or replaced";
    assert!(told.iter().all(|told| told.starts_with(expected)), "{told:?}");
    assert!(matches!(store.check(), Err(StoreError::LogGone { .. })));
    drop(store);
    let found = Sqlite::open(&path).unwrap().take_partition(PARTITION, &host("a"), None).unwrap();
    assert_eq!(found.rules, [rule("spike", 60)]);
}

#[test]
fn a_backup_put_in_its_place_went_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup) = (folder.path().join("store.db"), folder.path().join("backup.db"));
    let mut store = Sqlite::open(&path).unwrap();
    let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
    let notifiers = store.take_notifier(&host("a"), None).unwrap().tenure;
    drop(store);
    fs::copy(&path, &backup).unwrap();
    let both = |nonce, mine, notifiers| Commit {
        nonce: Nonce(nonce),
        notifier: Some(notifier(notifiers)),
        ..of_partition(nonce, partition(mine))
    };
    let mut store = Sqlite::open(&path).unwrap();
    assert_eq!(store.commit(&both(1, mine, notifiers)).unwrap(), []);
    drop(store);
    fs::copy(&backup, &path).unwrap();
    let lost = Sqlite::open(&path).unwrap().commit(&both(2, next(mine), next(notifiers))).unwrap();
    let went_back = |what| Lost { what, why: Loss::WentBack };
    assert_eq!(lost, [went_back(Owned::Partition(PARTITION)), went_back(Owned::Notifier)]);
}
