use proptest::prelude::*;
use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{
    Command, CommandRecord, Commit, Delivery, Ending, EpisodeId, EpisodeRecord, Epoch, IntentRecord,
    Partition, Phase, RuleRecord,
};
use watchbell_pipeline::spec::RuleName;
use watchbell_pipeline::text::Text;

use super::fixtures::{command, episode, gap, host, intent, rule};
use crate::{CommitError, EpisodeFilter, IntentFilter, IntentPhase, Memory, Read, Sqlite, Store};

/// One thing done to a store. Few names, so that most of them meet again.
#[derive(Clone, Debug)]
enum Deed {
    TakeOver { partition: u16, owner: u8 },
    Commit { partition: u16, epochs_behind: u64, nonce: u64, change: Change },
    Prune { before: i64, rows_max: u32 },
    Reopen,
}

#[derive(Clone, Debug)]
struct Change {
    bundle: Option<u8>,
    rules: Vec<RuleRecord>,
    ended: Vec<u8>,
    episodes: Vec<EpisodeRecord>,
    intents: Vec<IntentRecord>,
    gaps: Vec<(i64, i64)>,
    commands: Vec<u64>,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let take_over = (0..3_u16, 0..3_u8).prop_map(|(partition, owner)| Deed::TakeOver { partition, owner });
    let behind = prop_oneof![9 => Just(0), 1 => Just(1)];
    let commit =
        (0..3_u16, behind, 0..4_u64, change()).prop_map(|(partition, epochs_behind, nonce, change)| {
            Deed::Commit { partition, epochs_behind, nonce, change }
        });
    let prune = (0..40_i64, 1..4_u32).prop_map(|(before, rows_max)| Deed::Prune { before, rows_max });
    let deed = prop_oneof![3 => take_over, 20 => commit, 3 => prune, 1 => Just(Deed::Reopen)];
    prop::collection::vec(deed, 1..40)
}

fn change() -> impl Strategy<Value = Change> {
    let rules = (0..5_u8, any::<i32>(), prop::option::of(prop::collection::vec(any::<u8>(), 0..40)))
        .prop_map(|(name, cursor, state)| {
            let mut record = rule(&name.to_string(), i64::from(cursor));
            record.state = record.state.zip(state).map(|(mut kept, bytes)| {
                kept.bytes = bytes;
                kept
            });
            record
        });
    let finite = prop::option::of(prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL);
    let episodes = (0..6_u8, phase(), finite.clone(), ".{0,6}").prop_map(|(id, phase, value, summary)| {
        let mut record = episode(&id.to_string(), phase);
        record.last.value = value;
        record.last.summary = summary;
        record
    });
    let intents =
        (0..9_u8, 0..6_u8, delivery(), finite, ".{0,6}").prop_map(|(id, of, delivery, value, title)| {
            let mut record = intent(&id.to_string(), delivery);
            record.message.episode = EpisodeId(of.to_string());
            record.message.last.value = value;
            record.text = (id % 2 == 0).then_some(Text { title, body: String::new() });
            record.maybe_repeated = of % 2 == 0;
            record
        });
    (
        prop::option::of(any::<u8>()),
        prop::collection::vec(rules, 0..3),
        prop::collection::vec(0..5_u8, 0..2),
        prop::collection::vec(episodes, 0..3),
        prop::collection::vec(intents, 0..4),
        prop::collection::vec((0..4_i64, 0..40_i64), 0..2),
        prop::collection::vec(1..9_u64, 0..2),
    )
        .prop_map(|(bundle, rules, ended, episodes, intents, gaps, commands)| Change {
            bundle,
            rules,
            ended,
            episodes,
            intents,
            gaps,
            commands,
        })
}

fn note(number: u64) -> CommandRecord {
    command(number, Command::Note { episode: EpisodeId("e".to_owned()), text: String::new() })
}

fn phase() -> impl Strategy<Value = Phase> {
    prop_oneof![
        Just(Phase::Pending),
        Just(Phase::Active),
        (any::<i64>(), ".{0,4}").prop_map(|(at, by)| Phase::Acknowledged { at: Timestamp(at), by }),
        (any::<i64>(), ".{0,4}").prop_map(|(at, by)| Phase::ResolvedByHand { at: Timestamp(at), by }),
        (0..40_i64).prop_map(|at| Phase::Resolved { at: Timestamp(at), why: Ending::Cleared }),
    ]
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop_oneof![
        (any::<i64>(), any::<u32>(), prop::option::of(".{0,4}"))
            .prop_map(|(due, attempt, last)| Delivery::Owed { due: Timestamp(due), attempt, last }),
        (any::<u64>(), any::<u32>()).prop_map(|(epoch, attempt)| {
            Delivery::Claimed { owner: host("a"), epoch: Epoch(epoch), attempt }
        }),
        (0..40_i64, prop::option::of(".{0,4}"))
            .prop_map(|(at, reference)| { Delivery::Delivered { at: Timestamp(at), attempt: 1, reference } }),
        (0..40_i64, ".{0,4}").prop_map(|(at, last)| Delivery::Dead { at: Timestamp(at), attempt: 1, last }),
    ]
}

/// What a commit came to, in a form that two stores can be compared by.
fn verdict(result: Result<(), CommitError>) -> String {
    match result {
        Ok(()) => "written".to_owned(),
        Err(CommitError::Superseded { epoch, owner }) => format!("{epoch:?} {owner:?}"),
        Err(error) => format!("{error:?}"),
    }
}

/// Everything that a reader tells, in its order but for gaps of one instant.
fn read_all(reader: &dyn Read) -> impl PartialEq + std::fmt::Debug + use<> {
    let name = RuleName("spike".to_owned());
    let filters = [
        EpisodeFilter::default(),
        EpisodeFilter { open: false, ..EpisodeFilter::default() },
        EpisodeFilter { open: false, rule: Some(name.clone()), rows_max: 2 },
    ];
    let phases = [None, Some(IntentPhase::Open), Some(IntentPhase::Delivered), Some(IntentPhase::Dead)];
    let intents = |phase| {
        let whole = IntentFilter { phase, ..IntentFilter::default() };
        let part = IntentFilter { rule: Some(name.clone()), rows_max: 2, ..whole.clone() };
        let of_one = IntentFilter { episode: Some("1".to_owned()), ..whole.clone() };
        [whole, part, of_one].map(|filter| reader.intents(&filter).unwrap())
    };
    let mut gaps = reader.gaps(None, 1_000).unwrap();
    gaps.sort_by_key(|gap| (gap.recorded_at, gap.over.start, gap.over.end));
    let rules = reader.rules().unwrap();
    let one_by_one: Vec<_> = rules.iter().map(|rule| reader.rule(&rule.record.rule).unwrap()).collect();
    (
        (reader.heads().unwrap(), rules, one_by_one),
        filters.map(|filter| reader.episodes(&filter).unwrap()),
        phases.map(intents),
        gaps,
        (reader.commands(1_000).unwrap(), reader.commands(1).unwrap()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_keeps_what_memory_keeps(deeds in deeds()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let mut file = Some(Sqlite::open(&path).unwrap());
        let mut memory = Memory::new();
        let mut epochs = [0_u64; 3];
        for deed in deeds {
            let store = file.as_mut().unwrap();
            match deed {
                Deed::TakeOver { partition, owner } => {
                    let owner = host(&owner.to_string());
                    let found = store.take_over(Partition(partition), &owner).unwrap();
                    epochs[usize::from(partition)] = found.epoch.0;
                    prop_assert_eq!(found, memory.take_over(Partition(partition), &owner).unwrap());
                }
                Deed::Commit { partition, epochs_behind, nonce, change } => {
                    let epoch = epochs[usize::from(partition)].saturating_sub(epochs_behind);
                    let commit = Commit {
                        partition: Partition(partition),
                        epoch: Epoch(epoch),
                        nonce,
                        bundle: change.bundle.map(|digest| digest.to_string()),
                        rules: change.rules,
                        rules_ended: change.ended.iter().map(|name| RuleName(name.to_string())).collect(),
                        episodes: change.episodes,
                        intents: change.intents,
                        gaps: change.gaps.iter().map(|(start, at)| gap(*start, *at)).collect(),
                        commands: change.commands.iter().map(|number| note(*number)).collect(),
                    };
                    prop_assert_eq!(verdict(store.commit(&commit)), verdict(memory.commit(&commit)));
                }
                Deed::Prune { before, rows_max } => {
                    let before = Timestamp(before);
                    prop_assert_eq!(
                        store.prune(before, rows_max).unwrap(),
                        memory.prune(before, rows_max).unwrap()
                    );
                }
                Deed::Reopen => {
                    // The old handle first: the lock is its own.
                    drop(file.take());
                    file = Some(Sqlite::open(&path).unwrap());
                }
            }
        }
        let mut store = file.unwrap();
        let reader = Sqlite::open_reader(&path).unwrap();
        prop_assert_eq!(read_all(&reader), read_all(&memory));
        for partition in 0..3 {
            prop_assert_eq!(
                store.take_over(Partition(partition), &host("z")).unwrap(),
                memory.take_over(Partition(partition), &host("z")).unwrap()
            );
        }
    }
}
