use watchbell_contract::Timestamp;
use watchbell_pipeline::message::Message;
use watchbell_pipeline::record::{
    Command, CommandLog, CommandRecord, Commit, Delivery, Ending, EpisodeId, Epoch, GroupId, IntentId,
    IntentRecord, Level, Nonce, NotifierCommit, PartitionCommit, Phase, Priming,
};
use watchbell_pipeline::spec::{DestinationName, RuleName};

use super::fixtures::{
    OTHER, PARTITION, bundle, command, episode, gap, group, groupings, host, intent, level, next, notifier,
    of_notifier, of_partition, owed, partition, position, recorded, rule,
};
use super::on_each;
use crate::{Pruned, Read, Sqlite, Store};

#[test]
fn what_a_commit_wrote_is_what_a_takeover_finds() {
    on_each(|store| {
        let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
        let notifiers = store.take_notifier(&host("a"), None).unwrap().tenure;
        let mut primed = rule("primed", 60);
        primed.state = None;
        primed.priming = Some(Priming { reached: Timestamp(5), until: Timestamp(60) });
        let claimed = Delivery::Claimed { owner: host("a"), epoch: Epoch(1), attempt: 3 };
        let acknowledged = Phase::Acknowledged { at: Timestamp(130), by: "mia".to_owned() };
        let by_hand = Phase::ResolvedByHand { at: Timestamp(131), by: "mia".to_owned() };
        let pending = Level { has_begun: false, ..level("e3").1 };
        let evaluated = PartitionCommit {
            rules: vec![primed, rule("spike", 60)],
            levels: vec![level("e1"), (RuleName("primed".to_owned()), pending)],
            gaps: vec![gap(1, 2)],
            ..partition(mine)
        };
        let decided = NotifierCommit {
            positions: vec![position(PARTITION, 4), position(OTHER, u64::MAX)],
            episodes: vec![
                episode("e1", Phase::Active),
                episode("e2", acknowledged),
                episode("e3", Phase::Pending),
                episode("e4", by_hand),
                episode("e5", Phase::Resolved { at: Timestamp(150), why: Ending::Lapsed }),
            ],
            // Not in order of their ids: the order of creation counts.
            intents: vec![
                intent("i2", owed(120)),
                IntentRecord { maybe_repeated: true, ..intent("i1", claimed) },
                intent(
                    "i0",
                    Delivery::Dead { at: Timestamp(9), attempt: 4, last: "404".to_owned(), dropped_by: None },
                ),
            ],
            ..notifier(notifiers)
        };
        let written = Commit {
            nonce: Nonce(1),
            bundle: Some(bundle("sha256:b1", 1)),
            partitions: vec![evaluated.clone()],
            notifier: Some(decided.clone()),
        };
        assert_eq!(store.commit(&written).unwrap(), []);

        let found = store.take_partition(PARTITION, &host("b"), None).unwrap();
        assert_eq!((found.partition, found.tenure.epoch), (PARTITION, Epoch(2)));
        assert_eq!(found.rules, evaluated.rules);
        assert_eq!(found.levels, evaluated.levels);
        let found = store.take_notifier(&host("b"), None).unwrap();
        assert_eq!(found.positions, decided.positions);
        assert_eq!(found.episodes, decided.episodes[..4]);
        assert_eq!(found.intents, decided.intents[..2]);
        assert_eq!(store.meta().unwrap().bundle, written.bundle);
        let other = store.take_partition(OTHER, &host("b"), None).unwrap();
        assert_eq!((other.rules, other.levels), (Vec::new(), Vec::new()));
    });
}

#[test]
fn records_replace_those_of_the_same_key_and_what_ended_is_forgotten() {
    on_each(|store| {
        let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
        let notifiers = store.take_notifier(&host("a"), None).unwrap().tenure;
        let first = Commit {
            nonce: Nonce(1),
            partitions: vec![PartitionCommit {
                rules: vec![rule("gone", 60), rule("kept", 60), rule("spike", 60)],
                levels: vec![level("e1"), level("e2")],
                ..partition(mine)
            }],
            notifier: Some(NotifierCommit {
                positions: vec![position(PARTITION, 1), position(OTHER, 1)],
                episodes: vec![episode("e1", Phase::Active)],
                intents: vec![intent("i2", owed(1)), intent("i1", owed(1))],
                ..notifier(notifiers)
            }),
            ..Commit::default()
        };
        assert_eq!(store.commit(&first).unwrap(), []);
        let mut unprimed = rule("spike", 61);
        unprimed.state = None;
        let (of, mut worse) = level("e2");
        worse.until = Timestamp(900);
        let second = Commit {
            nonce: Nonce(2),
            partitions: vec![PartitionCommit {
                rules: vec![unprimed.clone()],
                rules_ended: vec![RuleName("gone".to_owned())],
                levels: vec![(of.clone(), worse.clone())],
                levels_ended: vec![EpisodeId("e1".to_owned())],
                ..partition(next(mine))
            }],
            notifier: Some(NotifierCommit {
                positions: vec![position(PARTITION, 2)],
                episodes: vec![episode("e1", Phase::Resolved { at: Timestamp(9), why: Ending::RuleEnded })],
                intents: vec![intent("i2", owed(2))],
                ..notifier(next(notifiers))
            }),
            ..Commit::default()
        };
        assert_eq!(store.commit(&second).unwrap(), []);
        let found = store.take_partition(PARTITION, &host("a"), None).unwrap();
        assert_eq!(found.rules, [rule("kept", 60), unprimed]);
        assert_eq!(found.levels, [(of, worse)]);
        let found = store.take_notifier(&host("a"), None).unwrap();
        assert_eq!(found.positions, [position(PARTITION, 2), position(OTHER, 1)]);
        assert_eq!(found.episodes, []);
        // A new state does not move an intent to the end of its lane.
        assert_eq!(found.intents, [intent("i2", owed(2)), intent("i1", owed(1))]);
    });
}

#[test]
fn a_rule_that_ends_and_begins_in_one_commit_is_there() {
    on_each(|store| {
        let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
        let written = PartitionCommit {
            rules: vec![rule("spike", 60)],
            rules_ended: vec![RuleName("spike".to_owned())],
            levels: vec![level("e1")],
            levels_ended: vec![EpisodeId("e1".to_owned())],
            ..partition(mine)
        };
        store.commit(&of_partition(1, written)).unwrap();
        let found = store.take_partition(PARTITION, &host("a"), None).unwrap();
        assert_eq!((found.rules, found.levels), (vec![rule("spike", 60)], vec![level("e1")]));
    });
}

#[test]
fn prune_forgets_the_oldest_gap_first_in_whatever_order_they_came() {
    on_each(|store| {
        let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
        let all = PartitionCommit { gaps: vec![gap(1, 30), gap(2, 10), gap(3, 20)], ..partition(mine) };
        store.commit(&of_partition(1, all)).unwrap();
        let one = Pruned { gaps: 1, more: true, ..Pruned::default() };
        assert_eq!(store.prune(Timestamp(40), 1).unwrap(), one);
        // The one of 10 is gone: only that of 20 is old enough now, and after that none.
        assert_eq!(store.prune(Timestamp(25), 1).unwrap(), one);
        assert_eq!(store.prune(Timestamp(25), 1).unwrap(), Pruned::default());
    });
}

#[test]
fn prune_forgets_what_has_ended_and_keeps_what_is_open() {
    on_each(|store| {
        let mine = store.take_partition(PARTITION, &host("a"), None).unwrap().tenure;
        let notifiers = store.take_notifier(&host("a"), None).unwrap().tenure;
        let delivered =
            |at| Delivery::Delivered { at: Timestamp(at), attempt: 1, reference: Some("ts-1".to_owned()) };
        let resolved = |at| Phase::Resolved { at: Timestamp(at), why: Ending::Cleared };
        let decided = NotifierCommit {
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
            ..notifier(notifiers)
        };
        let gaps = PartitionCommit { gaps: vec![gap(1, 10), gap(2, 50)], ..partition(mine) };
        let all = Commit { notifier: Some(decided), ..of_partition(1, gaps) };
        assert_eq!(store.commit(&all).unwrap(), []);
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
        let found = store.take_notifier(&host("a"), None).unwrap();
        assert_eq!(found.episodes.len(), 1);
        assert_eq!(found.episodes[0].id, EpisodeId("e4".to_owned()));
        assert_eq!(found.intents, [intent("i1", owed(1))]);
    });
}

fn delivered(at: i64, reference: &str) -> Delivery {
    Delivery::Delivered { at: Timestamp(at), attempt: 1, reference: Some(reference.to_owned()) }
}

fn to(destination: &str, episode: &str, intent: IntentRecord) -> IntentRecord {
    let message = Message { episode: EpisodeId(episode.to_owned()), ..intent.message };
    IntentRecord { destination: DestinationName(destination.to_owned()), message, ..intent }
}

/// Episode, destination and reference of what the next notifier finds of first messages.
fn receipts(store: &mut dyn Store) -> Vec<(String, String, Option<String>)> {
    let found = store.take_notifier(&host("b"), None).unwrap().receipts;
    found.into_iter().map(|it| (it.episode.0, it.destination.0, it.receipt.reference)).collect()
}

#[test]
fn a_group_is_kept_until_it_ends_with_what_waits_in_it_and_what_its_first_message_was_answered_with() {
    on_each(|store| {
        let tenure = store.take_notifier(&host("a"), None).unwrap().tenure;
        let [_, gathered, merged] = groupings();
        let waits = IntentRecord { grouping: gathered, ..intent("i1", owed(1)) };
        let reference = Some("ts-1".to_owned());
        let sent = Delivery::Delivered { at: Timestamp(5), attempt: 1, reference: reference.clone() };
        let sent = IntentRecord { grouping: merged, ..to("ops-chat", "of-g1", intent("i2", sent)) };
        let into = sent.id.clone();
        let told = intent("i3", Delivery::Merged { at: Timestamp(5), into });
        let written = NotifierCommit {
            intents: vec![waits.clone(), sent, told],
            groups: vec![group("g1", Some(7)), group("g2", None)],
            ..notifier(tenure)
        };
        assert_eq!(store.commit(&of_notifier(1, written)).unwrap(), []);
        assert_eq!(store.prune(Timestamp(1_000), 100).unwrap().intents, 1, "what was merged");
        let found = store.take_notifier(&host("b"), None).unwrap();
        assert_eq!(found.groups, [group("g1", Some(7)), group("g2", None)]);
        assert_eq!(found.intents, [waits]);
        assert_eq!(receipts(store), [("of-g1".to_owned(), "ops-chat".to_owned(), reference)]);
        let tenure = store.take_notifier(&host("b"), None).unwrap().tenure;
        let ended = NotifierCommit { groups_ended: vec![GroupId("g1".to_owned())], ..notifier(tenure) };
        assert_eq!(store.commit(&of_notifier(2, ended)).unwrap(), []);
        assert_eq!(store.prune(Timestamp(1_000), 100).unwrap().intents, 1, "nothing follows it");
        assert_eq!(store.take_notifier(&host("b"), None).unwrap().groups, [group("g2", None)]);
    });
}

#[test]
fn the_next_notifier_finds_the_first_receipt_of_each_destination() {
    on_each(|store| {
        let tenure = store.take_notifier(&host("a"), None).unwrap().tenure;
        let resolved = || Phase::Resolved { at: Timestamp(90), why: Ending::Cleared };
        let dead = Delivery::Dead { at: Timestamp(90), attempt: 1, last: "404".to_owned(), dropped_by: None };
        let written = NotifierCommit {
            episodes: vec![
                episode("open", Phase::Active),
                episode("queued", resolved()),
                episode("dead", resolved()),
                episode("over", resolved()),
            ],
            intents: vec![
                // A dead letter that was sent again: the first that was created is not the first that arrived.
                to("chat", "open", intent("i1", delivered(30, "late"))),
                to("chat", "open", intent("i2", delivered(20, "first"))),
                to("chat", "open", intent("i3", delivered(20, "of the same instant"))),
                to(
                    "mail",
                    "open",
                    intent("i4", Delivery::Delivered { at: Timestamp(25), attempt: 1, reference: None }),
                ),
                to("sms", "open", intent("i5", owed(1))),
                to("chat", "queued", intent("i6", delivered(21, "waited for"))),
                to("chat", "queued", intent("i7", owed(1))),
                to("chat", "dead", intent("i8", delivered(22, "may be asked for"))),
                to("chat", "dead", intent("i9", dead)),
                to("chat", "over", intent("i10", delivered(23, "nobody asks"))),
            ],
            ..notifier(tenure)
        };
        assert_eq!(store.commit(&of_notifier(1, written)).unwrap(), []);
        let found = |episode: &str, to: &str, reference: Option<&str>| {
            (episode.to_owned(), to.to_owned(), reference.map(str::to_owned))
        };
        let expected = [
            found("dead", "chat", Some("may be asked for")),
            found("open", "chat", Some("first")),
            found("open", "mail", None),
            found("queued", "chat", Some("waited for")),
        ];
        assert_eq!(receipts(store), expected);
        // However old, what an open episode refers to is kept.
        let pruned = store.prune(Timestamp(1_000), 100).unwrap();
        assert_eq!((pruned.intents, pruned.episodes), (4, 2));
        assert_eq!(receipts(store), expected[1..3]);
    });
}

#[test]
fn what_receivers_accepted_is_kept_with_the_message() {
    on_each(|store| {
        let tenure = store.take_notifier(&host("a"), None).unwrap().tenure;
        let calls = vec![recorded(0), recorded(7)];
        let message = IntentRecord { recorded: calls.clone(), ..intent("i1", owed(1)) };
        let first = NotifierCommit { intents: vec![message.clone()], ..notifier(tenure) };
        assert_eq!(store.commit(&of_notifier(1, first)).unwrap(), []);
        let found = store.take_notifier(&host("b"), None).unwrap();
        assert_eq!(found.intents, std::slice::from_ref(&message));
        let dead = Delivery::Dead { at: Timestamp(9), attempt: 4, last: "404".to_owned(), dropped_by: None };
        let letter = IntentRecord { delivery: dead, ..message.clone() };
        let second = NotifierCommit { intents: vec![letter.clone()], ..notifier(found.tenure) };
        assert_eq!(store.commit(&of_notifier(2, second)).unwrap(), []);
        let found = store.take_notifier(&host("b"), None).unwrap();
        assert_eq!(found.dead_letters, [letter]);
        let again = IntentRecord { recorded: Vec::new(), ..message };
        let third = NotifierCommit { intents: vec![again.clone()], ..notifier(found.tenure) };
        assert_eq!(store.commit(&of_notifier(3, third)).unwrap(), []);
        assert_eq!(store.take_notifier(&host("b"), None).unwrap().intents, [again]);
    });
}

#[test]
fn the_next_notifier_finds_how_far_the_commands_have_come() {
    on_each(|store| {
        let tenure = store.take_notifier(&host("a"), None).unwrap().tenure;
        let episode = EpisodeId("e1".to_owned());
        let all = [
            Command::Acknowledge { episode: episode.clone() },
            Command::Note { episode: episode.clone(), text: "looking into it".to_owned() },
            Command::Unacknowledge { episode: episode.clone() },
            Command::Resolve { episode },
        ];
        let commands: Vec<_> = (1..).zip(all).map(|(number, asked)| command(number, asked)).collect();
        let first = NotifierCommit { commands: commands[..3].to_vec(), ..notifier(tenure) };
        store.commit(&of_notifier(1, first)).unwrap();
        // An existing command is left unchanged, and its number is not reused.
        let again = CommandRecord { by: "joe".to_owned(), ..commands[0].clone() };
        let second = NotifierCommit { commands: vec![again, commands[3].clone()], ..notifier(next(tenure)) };
        store.commit(&of_notifier(2, second)).unwrap();
        let found = store.take_notifier(&host("b"), None).unwrap().commands;
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
    let tenure = store.take_notifier(&host("a"), None).unwrap().tenure;
    let episode = EpisodeId("e1".to_owned());
    let note = command(1, Command::Note { episode: episode.clone(), text: "\u{1f514}".to_owned() });
    let resolve = command(2, Command::Resolve { episode });
    let retry = command(3, Command::Retry { intent: IntentId("i1".to_owned()) });
    let commands = vec![note.clone(), resolve.clone(), retry.clone()];
    let written = NotifierCommit { commands, ..notifier(tenure) };
    store.commit(&of_notifier(1, written)).unwrap();
    assert_eq!(Sqlite::open_reader(&path).unwrap().commands(9).unwrap(), [retry, resolve, note]);
}
