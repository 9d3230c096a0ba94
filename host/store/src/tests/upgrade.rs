use rusqlite::Connection;
use watchbell_contract::{Duration, Severity, Timestamp};
use watchbell_pipeline::record::{Commit, EpisodeRecord, Notified, Phase};
use watchbell_pipeline::spec::{DestinationName, Step};

use super::fixtures::{PARTITION, commit, episode, host, intent, owed, rule};
use crate::{OpenError, Sqlite, Store, StoreError};

/// As the version with layout 1 left it: an episode of which the first two of three steps are done.
const LAYOUT_1: &str = r#"
    INSERT INTO heads VALUES (3, 'old', 4, 17, 'sha256:b1');
    INSERT INTO rules VALUES ('spike', 3, 'm1', 60, 59, 7, NULL, NULL, '[[60,18446744073709551615]]', 70, NULL, NULL);
    INSERT INTO states VALUES ('spike', x'0102');
    INSERT INTO episodes VALUES ('e1', 3, 'spike', '[["host.name","web-1"],["zone",null]]', 'active', NULL, NULL,
      'critical', 100, 110, 160, '{"at":120,"value":"3.0","threshold":null,"summary":"spiked 3x","details":"{}","link":null}',
      '[{"after":0,"to":["ops-chat"],"unless_acknowledged":false,"severity":null},
        {"after":5,"to":["ops-mail"],"unless_acknowledged":true,"severity":"critical"},
        {"after":9000,"to":["ops-sms"],"unless_acknowledged":true,"severity":null}]',
      2, 3600000, 116, '["ops-chat","ops-mail","by-hand"]', 2);
    INSERT INTO gaps VALUES ('spike', 1, 2, 'poisoned', 3, 'trap: unreachable');
"#;

fn layout_1(path: &std::path::Path) {
    let db = Connection::open(path).unwrap();
    db.pragma_update(None, "application_id", 0x5742_454c).unwrap();
    db.execute_batch(include_str!("../sqlite/schema.sql")).unwrap();
    db.execute_batch(LAYOUT_1).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
}

fn step(after: u64, to: &str, unless_acknowledged: bool, severity: Option<Severity>) -> Step {
    Step { after: Duration(after), to: vec![DestinationName(to.to_owned())], unless_acknowledged, severity }
}

#[test]
fn rows_of_an_older_format_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    layout_1(&path);
    let older = Sqlite::open_reader(&path).unwrap_err();
    assert!(matches!(older, OpenError::Older { found: 1, .. }), "{older}");

    let mut store = Sqlite::open(&path).unwrap();
    let found = store.take_over(PARTITION, &host("new")).unwrap();
    assert_eq!((found.epoch.0, found.bundle.as_deref()), (5, Some("sha256:b1")));
    assert_eq!(found.rules[0].state.as_ref().unwrap().bytes, [1, 2]);
    assert_eq!(found.rules[0].told[0].at, Timestamp(60));
    let [read] = found.episodes.as_slice() else { panic!("{:?}", found.episodes) };
    let chain = [
        step(0, "ops-chat", false, None),
        step(5, "ops-mail", true, Some(Severity::Critical)),
        step(9_000, "ops-sms", true, None),
    ];
    let told = |to: &str, at, step: Option<&Step>| Notified {
        destination: DestinationName(to.to_owned()),
        at: Timestamp(at),
        step: step.map(Step::id),
    };
    let expected = EpisodeRecord {
        last: read.last.clone(),
        steps: chain.iter().map(Step::id).collect(),
        repeat: Some(Duration(3_600_000)),
        early: Vec::new(),
        stepped_until: Some(Timestamp(115)),
        announced_at: Some(Timestamp(116)),
        told: vec![
            told("ops-chat", 110, Some(&chain[0])),
            told("ops-mail", 115, Some(&chain[1])),
            told("by-hand", 116, None),
        ],
        ordinal: 2,
        ..episode("e1", Phase::Active)
    };
    assert_eq!(read, &expected);

    // Written again, it is of the newest format, and says the same.
    store.commit(&Commit { episodes: vec![expected.clone()], ..commit(found.epoch, 1) }).unwrap();
    assert_eq!(store.take_over(PARTITION, &host("new")).unwrap().episodes, [expected]);
    drop(store);
    let db = Connection::open(&path).unwrap();
    let kept: (u32, String) =
        db.query_row("SELECT format, chain FROM episodes", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(kept, (3, "[]".to_owned()));
}

#[test]
fn a_row_of_a_later_format_is_refused_and_not_guessed_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = Sqlite::open(&path).unwrap();
    let epoch = store.take_over(PARTITION, &host("a")).unwrap().epoch;
    let written = Commit {
        rules: vec![rule("spike", 60)],
        episodes: vec![episode("e1", Phase::Active)],
        intents: vec![intent("i1", owed(1))],
        ..commit(epoch, 1)
    };
    store.commit(&written).unwrap();
    let db = Connection::open(&path).unwrap();
    for (table, key) in [("rules", "spike"), ("episodes", "e1"), ("intents", "i1")] {
        db.execute(&format!("UPDATE {table} SET format = format + 7"), []).unwrap();
        let refused = store.take_over(PARTITION, &host("a")).unwrap_err();
        let StoreError::Damaged { what, .. } = &refused else { panic!("{refused}") };
        assert!(what.contains(&format!("the row `{key}` of `{table}`: it has format ")), "{what}");
        db.execute(&format!("UPDATE {table} SET format = format - 7"), []).unwrap();
    }
    assert_eq!(store.take_over(PARTITION, &host("a")).unwrap().rules, written.rules);
}
