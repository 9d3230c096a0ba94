use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{
    Commit, Delivery, Ending, Epoch, NotifierCommit, Owned, PartitionCommit, Phase, RuleRecord,
};
use watchbell_pipeline::spec::{DestinationName, RuleName};

use super::fixtures::{
    PARTITION, bundle, episode, gap, host, intent, level, notifier, of_partition, owed, partition, position,
    rule, transition, withheld,
};
use crate::{EpisodeFilter, Head, IntentFilter, IntentPhase, Read, Sqlite, Store, StoreError, TakeoverError};

fn without_state(rule: RuleRecord) -> RuleRecord {
    let state = rule.state.map(|mut state| {
        state.bytes.clear();
        state
    });
    RuleRecord { state, ..rule }
}

#[test]
fn a_reader_sees_each_commit_while_a_host_owns_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = Sqlite::open(&path).unwrap();
    let reader = Sqlite::open_reader(&path).unwrap();
    assert_eq!(reader.rules().unwrap(), []);
    assert_eq!(reader.heads().unwrap(), []);

    let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
    let notifiers = store.take_notifier(&host("n"), None).unwrap().tenure;
    let dead = Delivery::Dead { at: Timestamp(130), attempt: 9, last: "404".to_owned(), dropped_by: None };
    let resolved = episode("e1", Phase::Resolved { at: Timestamp(9), why: Ending::Cleared });
    let active = episode("e2", Phase::Active);
    let evaluated = PartitionCommit {
        rules: vec![rule("spike", 60)],
        levels: vec![level("e2")],
        gaps: vec![gap(1, 10), gap(2, 20)],
        ..partition(mine)
    };
    let decided = NotifierCommit {
        episodes: vec![resolved.clone(), active.clone()],
        intents: vec![intent("i1", dead.clone()), intent("i2", owed(1))],
        ..notifier(notifiers)
    };
    let written = Commit {
        bundle: Some(bundle("sha256:b1", 1)),
        notifier: Some(decided),
        ..of_partition(1, evaluated)
    };
    store.commit(&written).unwrap();
    store.take_notifier(&host("m"), None).unwrap();

    let head = |what, owner, epoch| Head { what, owner: host(owner), epoch: Epoch(epoch), commits: 1 };
    assert_eq!(
        reader.heads().unwrap(),
        [head(Owned::Partition(PARTITION), "a", 1), head(Owned::Notifier, "m", 2)]
    );
    assert_eq!(reader.meta().unwrap(), store.meta().unwrap());
    assert_eq!(reader.meta().unwrap().bundle, written.bundle);
    assert_eq!(reader.levels(None).unwrap(), [level("e2")]);
    assert_eq!(reader.levels(Some(&RuleName("other".to_owned()))).unwrap(), []);
    let spike = reader.rule(&RuleName("spike".to_owned())).unwrap().unwrap();
    assert_eq!(spike.record, without_state(rule("spike", 60)));
    assert_eq!((spike.partition, spike.state_bytes), (PARTITION, 8));
    assert_eq!(reader.rule(&RuleName("other".to_owned())).unwrap(), None);

    assert_eq!(reader.episodes(&EpisodeFilter::default()).unwrap(), std::slice::from_ref(&active));
    let all = EpisodeFilter { open: false, ..EpisodeFilter::default() };
    assert_eq!(reader.episodes(&all).unwrap(), [resolved, active]);
    let others = EpisodeFilter { rule: Some(RuleName("other".to_owned())), ..all };
    assert_eq!(reader.episodes(&others).unwrap(), []);

    let begins = |id: &str| {
        let filter =
            EpisodeFilter { open: false, id_begins: Some(id.to_owned()), ..EpisodeFilter::default() };
        reader.episodes(&filter).unwrap().into_iter().map(|found| found.id.0).collect::<Vec<_>>()
    };
    assert_eq!(
        (begins("e"), begins("e1"), begins("e3")),
        (vec!["e1".to_owned(), "e2".to_owned()], vec!["e1".to_owned()], vec![])
    );
    let outlines = reader.episode_outlines().unwrap();
    let ended: Vec<_> = outlines.iter().map(|outline| (outline.id.0.as_str(), outline.resolved)).collect();
    assert_eq!(ended, [("e1", Some((Timestamp(9), Ending::Cleared))), ("e2", None)]);
    let messages = reader.message_outlines().unwrap();
    let of: Vec<&str> = messages.iter().map(|outline| outline.episode.0.as_str()).collect();
    assert_eq!(of, ["e1", "e1"]);

    let ids = |filter: IntentFilter| -> Vec<String> {
        reader.intents(&filter).unwrap().into_iter().map(|intent| intent.id.0).collect()
    };
    let any = IntentFilter::default();
    assert_eq!(ids(any.clone()), ["i2", "i1"]);
    assert_eq!(ids(IntentFilter { phase: Some(IntentPhase::Dead), ..any.clone() }), ["i1"]);
    assert_eq!(ids(IntentFilter { phase: Some(IntentPhase::Open), ..any.clone() }), ["i2"]);
    assert_eq!(ids(IntentFilter { phase: Some(IntentPhase::Delivered), ..any.clone() }), [""; 0]);
    assert_eq!(ids(IntentFilter { rows_max: 1, ..any.clone() }), ["i2"]);
    let elsewhere = Some(DestinationName("ops-mail".to_owned()));
    assert_eq!(ids(IntentFilter { destination: elsewhere, ..any.clone() }), [""; 0]);
    assert_eq!(ids(IntentFilter { episode: Some("e1".to_owned()), ..any }), ["i2", "i1"]);
    assert_eq!(reader.gaps(None, 1).unwrap(), [gap(2, 20)]);
    assert_eq!(reader.gaps(Some(&RuleName("other".to_owned())), 9).unwrap(), []);
}

#[test]
fn a_row_that_cannot_be_understood_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = Sqlite::open(&path).unwrap();
    let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
    let written = PartitionCommit {
        rules: vec![rule("spike", 60)],
        transitions: vec![transition(PARTITION, 1, withheld(1))],
        ..partition(mine)
    };
    store.commit(&of_partition(1, written)).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute("UPDATE rules SET seen = 'x'", []).unwrap();
    let said = |what: &str| {
        format!(
            "the store `{}` is damaged: {what} cannot be read; stop the host and restore a backup",
            path.display()
        )
    };
    match store.take_partition(PARTITION, &host("a"), None) {
        Err(TakeoverError::Store(error @ StoreError::Damaged { .. })) => {
            assert_eq!(error.to_string(), said("the row `spike` of `rules`: its `seen`"));
        }
        other => panic!("{other:?}"),
    }
    db.execute(r#"UPDATE transitions SET change = '{"kind":"prophecy"}'"#, []).unwrap();
    let error = store.transitions(&[position(PARTITION, 0)], 9).unwrap_err();
    assert_eq!(error.to_string(), said("the row `1 of partition 3` of `transitions`: its `change`"));
}
