use rusqlite::Connection;
use watchbell_contract::{Duration, Receipt, Severity, Timestamp};
use watchbell_pipeline::message::Route;
use watchbell_pipeline::record::{
    Commit, EpisodeProgress, EpisodeRecord, Epoch, FirstReceipt, Level, Notified, NotifierCommit, PARTITIONS,
    PartitionCommit, PartitionId, Phase, SeenSignal, Tenure,
};
use watchbell_pipeline::spec::{DestinationName, RuleName, Step};

use super::fixtures::{
    PARTITION, bundle, episode, group, host, intent, level, notifier, of_notifier, of_partition, owed,
    partition, position, remembered, rule, transition, withheld,
};
use crate::{OpenError, Read, Sqlite, Store, StoreError, TakeoverError};

/// As the version with layout 1 left it: an episode with the first two of three steps done.
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
    Step {
        after: Duration(after),
        to: vec![DestinationName(to.to_owned())],
        unless_acknowledged,
        severity,
        when: None,
    }
}

#[test]
fn rows_of_an_older_format_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    layout_1(&path);
    let older = Sqlite::open_reader(&path).unwrap_err();
    assert!(matches!(older, OpenError::Older { found: 1, .. }), "{older}");

    let mut store = Sqlite::open(&path).unwrap();
    let of = PartitionId::of(&RuleName("spike".to_owned()), PARTITIONS);
    let found = store.take_partition(of, &host("new"), None).unwrap();
    assert_eq!(found.tenure.epoch.0, 5);
    assert_eq!(store.meta().unwrap().bundle, Some(bundle("sha256:b1", 1)));
    assert_eq!(found.rules[0].state.as_ref().unwrap().bytes, [1, 2]);
    assert_eq!(found.rules[0].seen, [SeenSignal { at: Timestamp(60), signal: u64::MAX }]);
    // Before that was stored, settled time was final.
    assert_eq!(found.rules[0].final_before, Timestamp(59));
    let found = store.take_notifier(&host("new"), None).unwrap();
    assert_eq!(found.tenure.epoch.0, 5);
    let [read] = found.episodes.as_slice() else { panic!("{:?}", found.episodes) };
    let chain = [
        step(0, "ops-chat", false, None),
        step(5, "ops-mail", true, Some(Severity::Critical)),
        step(9_000, "ops-sms", true, None),
    ];
    let notified = |to: &str, at, step: Option<&Step>| Notified {
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
        notified: vec![
            notified("ops-chat", 110, Some(&chain[0])),
            notified("ops-mail", 115, Some(&chain[1])),
            notified("by-hand", 116, None),
        ],
        ordinal: 2,
        progress: EpisodeProgress { followed: read.severity, ..EpisodeProgress::default() },
        ..episode("e1", Phase::Active)
    };
    assert_eq!(read, &expected);

    // Written again, it has the newest format and the same content.
    let again = NotifierCommit { episodes: vec![expected.clone()], ..notifier(found.tenure) };
    assert_eq!(store.commit(&of_notifier(1, again)).unwrap(), []);
    assert_eq!(store.take_notifier(&host("new"), None).unwrap().episodes, [expected]);
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
    let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
    let notifiers = store.take_notifier(&host("a"), None).unwrap().tenure;
    let evaluated = PartitionCommit {
        rules: vec![rule("spike", 60)],
        levels: vec![level("l1")],
        transitions: vec![transition(PARTITION, 1, withheld(1))],
        ..partition(mine)
    };
    let decided = NotifierCommit {
        episodes: vec![episode("e1", Phase::Active)],
        intents: vec![intent("i1", owed(1))],
        destinations: vec![(DestinationName("d1".to_owned()), remembered(2))],
        groups: vec![group("g1", None)],
        ..notifier(notifiers)
    };
    store.commit(&Commit { notifier: Some(decided), ..of_partition(1, evaluated.clone()) }).unwrap();
    let mut read = || -> Result<(), StoreError> {
        let plain = |error| match error {
            TakeoverError::Store(error) => error,
            error => panic!("{error}"),
        };
        let found = store.take_partition(PARTITION, &host("a"), None).map_err(plain)?;
        assert_eq!(found.rules, evaluated.rules);
        store.take_notifier(&host("a"), None).map_err(plain)?;
        let found = store.transitions(&[position(PARTITION, 0)], 9)?;
        assert_eq!(found, evaluated.transitions);
        Ok(())
    };
    let db = Connection::open(&path).unwrap();
    for (table, key) in [
        ("rules", "spike"),
        ("levels", "l1"),
        ("transitions", "1 of partition 3"),
        ("episodes", "e1"),
        ("intents", "i1"),
        ("destinations", "d1"),
        ("groups", "g1"),
    ] {
        db.execute(&format!("UPDATE {table} SET format = format + 7"), []).unwrap();
        let refused = read().unwrap_err();
        let StoreError::Damaged { what, .. } = &refused else { panic!("{refused}") };
        assert!(what.contains(&format!("the row `{key}` of `{table}`: it has format ")), "{what}");
        db.execute(&format!("UPDATE {table} SET format = format - 7"), []).unwrap();
    }
    read().unwrap();
}

#[test]
fn an_older_store_is_spread_over_the_partitions_and_keeps_all_that_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    layout_1(&path);
    let db = Connection::open(&path).unwrap();
    let copies = "
        INSERT INTO episodes SELECT 'e2', 3, 'other', labels, 'pending', NULL, NULL, severity, since, opened_at, until,
          last, chain, step, repeat, announced_at, told, ordinal FROM episodes WHERE id = 'e1';
        INSERT INTO episodes SELECT 'e3', 3, 'spike', labels, 'resolved', 170, 'lapsed', severity, since, opened_at,
          until, last, chain, step, repeat, announced_at, told, ordinal FROM episodes WHERE id = 'e1';
        INSERT INTO episodes SELECT 'e4', 3, 'spike', labels, 'resolved-by-hand', 170, 'mia', severity, since, opened_at,
          until, last, chain, step, repeat, announced_at, told, ordinal FROM episodes WHERE id = 'e1';";
    db.execute_batch(copies).unwrap();
    for number in 0..40 {
        let name = format!("rule-{number}");
        let copy = "INSERT INTO rules SELECT ?1, partition, meaning, cursor, state_settled, state_version,
                      priming_reached, priming_until, told, committed_at, last_run, failure
                    FROM rules WHERE name = 'spike'";
        db.execute(copy, [&name]).unwrap();
        db.execute("INSERT INTO states VALUES (?1, x'03')", [&name]).unwrap();
    }
    drop(db);

    let mut store = Sqlite::open(&path).unwrap();
    let meta = store.meta().unwrap();
    assert_eq!(meta.bundle, Some(bundle("sha256:b1", 1)));
    assert_eq!(meta.incarnation.0.len(), 32);
    // A new owner has a higher epoch than the old one, whatever it takes over.
    let expected = Tenure { epoch: Epoch(5), number: 0 };
    let notifier = store.take_notifier(&host("new"), None).unwrap();
    assert_eq!((notifier.tenure, notifier.positions), (expected, Vec::new()));
    let (mut rules, mut levels) = (0, Vec::new());
    for partition in PartitionId::all() {
        let found = store.take_partition(partition, &host("new"), None).unwrap();
        assert_eq!((found.tenure, found.transitions), (expected, 0));
        for rule in &found.rules {
            assert_eq!(PartitionId::of(&rule.rule, PARTITIONS), partition, "{}", rule.rule.0);
        }
        for (rule, _) in &found.levels {
            assert_eq!(PartitionId::of(rule, PARTITIONS), partition, "{}", rule.0);
        }
        rules += found.rules.len();
        levels.extend(found.levels);
    }
    assert_eq!(rules, 41);
    levels.sort_by(|a, b| a.1.id.cmp(&b.1.id));
    let of = |episode: &EpisodeRecord| (episode.rule.clone(), Level::of(episode));
    assert_eq!(notifier.episodes.len(), 3);
    assert_eq!(levels, notifier.episodes.iter().map(of).collect::<Vec<_>>());
    assert!(!levels[1].1.has_begun && levels[2].1.has_begun, "{levels:?}");

    // It is upgraded once.
    drop(store);
    let mut store = Sqlite::open(&path).unwrap();
    assert_eq!(store.meta().unwrap(), meta);
    assert_eq!(store.take_notifier(&host("new"), None).unwrap().episodes, notifier.episodes);
}

/// As the version with layout 5 left it: an open episode and its messages.
const LAYOUT_5: &str = r#"
    INSERT INTO episodes (id, rule, labels, phase, severity, since, opened_at, until, last, chain, step, told, ordinal,
      format, steps, notified)
    VALUES ('e1', 'spike', '[]', 'active', 'warning', 1, 2, 3,
      '{"at":1,"value":null,"threshold":null,"summary":"s","details":"{}","link":null}', '[]', 0, '[]', 1,
      3, '[]', '[["ops-chat",2,null]]');
    INSERT INTO intents (id, destination, rule, episode, created_at, delivery, at, attempt, maybe_repeated, note, message,
      format)
    SELECT id, 'ops-chat', 'spike', 'e1', at, delivery, at, 1, 0, note,
      '{"episode":"e1","rule":"spike","owner":null,"environment":"prod","labels":[],"cause":"repeat","severity":"warning",
        "since":1,"last":{"at":1,"value":null,"threshold":null,"summary":"s","details":"{}","link":null},"count":1,
        "more":[],"wording":"rule"}', 2
    FROM (SELECT 'i1' AS id, 'delivered' AS delivery, 4 AS at, 'ts-1' AS note
      UNION ALL SELECT 'i2', 'delivered', 5, 'ts-2' UNION ALL SELECT 'i3', 'owed', 6, '503');
"#;

#[test]
fn a_store_of_layout_5_knows_what_the_first_messages_were_answered_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let db = Connection::open(&path).unwrap();
    db.pragma_update(None, "application_id", 0x5742_454c).unwrap();
    for layout in [
        include_str!("../sqlite/schema.sql"),
        include_str!("../sqlite/layout-2.sql"),
        include_str!("../sqlite/layout-3.sql"),
        include_str!("../sqlite/layout-4.sql"),
        include_str!("../sqlite/layout-5.sql"),
        LAYOUT_5,
    ] {
        db.execute_batch(layout).unwrap();
    }
    db.pragma_update(None, "user_version", 5).unwrap();
    drop(db);
    let older = Sqlite::open_reader(&path).unwrap_err();
    assert!(matches!(older, OpenError::Older { found: 5, known: 9, .. }), "{older}");

    let mut store = Sqlite::open(&path).unwrap();
    let found = store.take_notifier(&host("new"), None).unwrap();
    assert_eq!((found.episodes.len(), found.intents.len()), (1, 1));
    let [message] = &found.intents[..] else { panic!("one message") };
    assert_eq!((message.message.person.as_deref(), &message.recorded[..]), (None, &[][..]));
    assert_eq!((&message.message.route, &found.destinations[..]), (&Route::default(), &[][..]));
    assert_eq!((&message.grouping, found.groups.len()), (&None, 0));
    let first = FirstReceipt {
        episode: found.episodes[0].id.clone(),
        destination: DestinationName("ops-chat".to_owned()),
        receipt: Receipt { reference: Some("ts-1".to_owned()) },
    };
    assert_eq!(found.receipts, [first]);
}

#[test]
fn a_store_that_was_never_owned_begins_as_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let db = Connection::open(&path).unwrap();
    db.pragma_update(None, "application_id", 0x5742_454c).unwrap();
    db.execute_batch(include_str!("../sqlite/schema.sql")).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    drop(db);
    let mut store = Sqlite::open(&path).unwrap();
    assert_eq!(store.meta().unwrap().bundle, None);
    assert_eq!(Sqlite::open_reader(&path).unwrap().heads().unwrap(), []);
    assert_eq!(
        store.take_notifier(&host("new"), None).unwrap().tenure,
        Tenure { epoch: Epoch(1), number: 0 }
    );
}
