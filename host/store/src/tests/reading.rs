use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{Commit, Delivery, Ending, Epoch, Phase, RuleRecord};
use watchbell_pipeline::spec::{DestinationName, RuleName};

use super::fixtures::{PARTITION, commit, episode, gap, host, intent, owed, rule};
use crate::{EpisodeFilter, Head, IntentFilter, IntentPhase, Read, Sqlite, Store, StoreError};

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

    let epoch = store.take_over(PARTITION, &host("a")).unwrap().epoch;
    let dead = Delivery::Dead { at: Timestamp(130), attempt: 9, last: "404".to_owned() };
    let resolved = episode("e1", Phase::Resolved { at: Timestamp(9), why: Ending::Cleared });
    let active = episode("e2", Phase::Active);
    let written = Commit {
        bundle: Some("sha256:b1".to_owned()),
        rules: vec![rule("spike", 60)],
        episodes: vec![resolved.clone(), active.clone()],
        intents: vec![intent("i1", dead.clone()), intent("i2", owed(1))],
        gaps: vec![gap(1, 10), gap(2, 20)],
        ..commit(epoch, 1)
    };
    store.commit(&written).unwrap();

    let head = Head {
        partition: PARTITION,
        owner: host("a"),
        epoch: Epoch(1),
        bundle: Some("sha256:b1".to_owned()),
    };
    assert_eq!(reader.heads().unwrap(), [head]);
    let spike = reader.rule(&RuleName("spike".to_owned())).unwrap().unwrap();
    assert_eq!(spike.record, without_state(rule("spike", 60)));
    assert_eq!((spike.partition, spike.state_bytes), (PARTITION, 8));
    assert_eq!(reader.rule(&RuleName("other".to_owned())).unwrap(), None);

    assert_eq!(reader.episodes(&EpisodeFilter::default()).unwrap(), std::slice::from_ref(&active));
    let all = EpisodeFilter { open: false, ..EpisodeFilter::default() };
    assert_eq!(reader.episodes(&all).unwrap(), [resolved, active]);
    let others = EpisodeFilter { rule: Some(RuleName("other".to_owned())), ..all };
    assert_eq!(reader.episodes(&others).unwrap(), []);

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
    let epoch = store.take_over(PARTITION, &host("a")).unwrap().epoch;
    store.commit(&Commit { rules: vec![rule("spike", 60)], ..commit(epoch, 1) }).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute("UPDATE rules SET told = 'x'", []).unwrap();
    match store.take_over(PARTITION, &host("a")) {
        Err(error @ StoreError::Damaged { .. }) => assert_eq!(
            error.to_string(),
            format!(
                "the store `{}` is damaged: the row `spike` of `rules`: its `told` cannot be understood; \
                 stop the host and put a backup in its place",
                path.display()
            )
        ),
        other => panic!("{other:?}"),
    }
}
