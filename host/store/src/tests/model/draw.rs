use proptest::collection::vec;
use proptest::prelude::*;
use watchbell_contract::{Range, Severity, Timestamp};
use watchbell_pipeline::matcher::Matcher;
use watchbell_pipeline::record::{
    Change, Command, CommandRecord, Delivery, DestinationRecord, Ending, EpisodeId, EpisodeProgress,
    EpisodeRecord, Epoch, GapRecord, GroupId, GroupRecord, IntentId, IntentRecord, LastSignal, Level,
    Occurrence, PartitionId, PauseRecord, Phase, RuleRecord, SilenceId, SilenceRecord, SilenceSpec,
};
use watchbell_pipeline::spec::{DestinationName, RuleName};
use watchbell_text::Text;

use super::PARTITIONS;
use crate::tests::fixtures::{
    command, episode, gap, group, groupings, host, intent, labels, level, recorded, remembered, rule,
};

/// One operation on a store. It uses few names, so that most of them recur.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    TakePartition {
        partition: PartitionId,
        owner: u8,
        seen: Option<u64>,
    },
    TakeNotifier {
        owner: u8,
        seen: Option<u64>,
    },
    Commit(Box<Write>),
    /// The last commit, unchanged.
    Repeat,
    Read {
        after: u64,
        rows_max: u32,
    },
    Prune {
        before: i64,
        rows_max: u32,
    },
    Reopen,
}

#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) nonce: u64,
    pub(super) bundle: Option<(u8, u64)>,
    pub(super) parts: Vec<Part>,
    pub(super) notifier: Option<Notifier>,
}

/// How far a part's tenure is from the one that its host has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Skew {
    None,
    OlderEpoch,
    LaterEpoch,
    OlderNumber,
    LaterNumber,
}

#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) partition: PartitionId,
    pub(super) skew: Skew,
    pub(super) rules: Vec<RuleRecord>,
    pub(super) rules_ended: Vec<RuleName>,
    pub(super) levels: Vec<(RuleName, Level)>,
    pub(super) levels_ended: Vec<EpisodeId>,
    pub(super) changes: Vec<Change>,
    pub(super) gaps: Vec<GapRecord>,
}

#[derive(Clone, Debug)]
pub(super) struct Notifier {
    pub(super) skew: Skew,
    /// How far its positions are behind the last transitions.
    pub(super) behind: Vec<(PartitionId, u64)>,
    pub(super) depends: Vec<PartitionId>,
    pub(super) episodes: Vec<EpisodeRecord>,
    pub(super) intents: Vec<IntentRecord>,
    pub(super) groups: Vec<GroupRecord>,
    pub(super) groups_ended: Vec<GroupId>,
    pub(super) silences: Vec<SilenceRecord>,
    pub(super) silences_ended: Vec<SilenceId>,
    pub(super) pause: Option<Option<PauseRecord>>,
    pub(super) destinations: Vec<(DestinationName, DestinationRecord)>,
    pub(super) commands: Vec<CommandRecord>,
}

/// Starts with owners for most things, as a host does.
pub(super) fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let seen = || prop_oneof![3 => Just(None), 1 => (0..4_u64).prop_map(Some)];
    let take = (partition(), 0..3_u8, seen()).prop_map(|(partition, owner, seen)| Deed::TakePartition {
        partition,
        owner,
        seen,
    });
    let take_notifier = (0..3_u8, seen()).prop_map(|(owner, seen)| Deed::TakeNotifier { owner, seen });
    let prune = (0..40_i64, 1..4_u32).prop_map(|(before, rows_max)| Deed::Prune { before, rows_max });
    let read = (0..6_u64, 1..4_u32).prop_map(|(after, rows_max)| Deed::Read { after, rows_max });
    let deed = prop_oneof![
        2 => take,
        1 => take_notifier,
        24 => write().prop_map(|write| Deed::Commit(Box::new(write))),
        4 => Just(Deed::Repeat),
        4 => read,
        3 => prune,
        1 => Just(Deed::Reopen),
    ];
    (vec(any::<bool>(), usize::from(PARTITIONS) + 1), vec(deed, 1..40)).prop_map(|(owned, deeds)| {
        let first = |(number, owned): (u16, bool)| match (owned, PARTITIONS.checked_sub(number + 1)) {
            (false, _) => None,
            (true, None) => Some(Deed::TakeNotifier { owner: 0, seen: None }),
            (true, Some(number)) => {
                Some(Deed::TakePartition { partition: PartitionId(number), owner: 0, seen: None })
            }
        };
        // Two of three start with everything owned: if anything is not, all its commits are refused.
        let all = owned.iter().filter(|owned| **owned).count() > 1;
        (0..)
            .zip(owned)
            .map(|(number, owned)| (number, owned || all))
            .filter_map(first)
            .chain(deeds)
            .collect()
    })
}

fn write() -> impl Strategy<Value = Write> {
    let parts = prop_oneof![1 => Just(0), 6 => 1..=usize::from(PARTITIONS)];
    (
        0..4_u64,
        prop::option::of((any::<u8>(), 0..6_u64)),
        parts.prop_flat_map(|parts| vec(part(), parts)),
        prop::option::weighted(0.7, notifier()),
    )
        .prop_map(|(nonce, bundle, parts, notifier)| Write { nonce, bundle, parts, notifier })
}

fn skew() -> impl Strategy<Value = Skew> {
    prop_oneof![
        16 => Just(Skew::None),
        1 => Just(Skew::OlderEpoch),
        1 => Just(Skew::LaterEpoch),
        2 => Just(Skew::OlderNumber),
        1 => Just(Skew::LaterNumber),
    ]
}

fn partition() -> impl Strategy<Value = PartitionId> {
    (0..PARTITIONS).prop_map(PartitionId)
}

fn part() -> impl Strategy<Value = Part> {
    let rules = (0..5_u8, any::<i32>(), prop::option::of(vec(any::<u8>(), 0..40))).prop_map(
        |(name, cursor, state)| {
            let mut record = rule(&name.to_string(), i64::from(cursor));
            record.state = record.state.zip(state).map(|(mut kept, bytes)| {
                kept.bytes = bytes;
                kept
            });
            record
        },
    );
    let levels = (0..5_u8, levels()).prop_map(|(rule, level)| (RuleName(rule.to_string()), level));
    let gaps = (0..4_i64, 0..40_i64).prop_map(|(start, at)| gap(start, at));
    (
        partition(),
        skew(),
        vec(rules, 0..3),
        vec((0..5_u8).prop_map(|name| RuleName(name.to_string())), 0..2),
        vec(levels, 0..3),
        vec((0..6_u8).prop_map(|id| EpisodeId(id.to_string())), 0..2),
        vec(change(), 0..4),
        vec(gaps, 0..2),
    )
        .prop_map(|(partition, skew, rules, rules_ended, levels, levels_ended, changes, gaps)| Part {
            partition,
            skew,
            rules,
            rules_ended,
            levels,
            levels_ended,
            changes,
            gaps,
        })
}

fn notifier() -> impl Strategy<Value = Notifier> {
    let episodes = (0..6_u8, phase(), last(), progress()).prop_map(|(id, phase, last, progress)| {
        let mut record = episode(&id.to_string(), phase);
        record.last = last;
        record.progress = progress;
        record
    });
    let groups = (0..4_u8, 0..6_u8, prop::option::of(any::<i32>())).prop_map(|(id, of, due)| {
        let mut record = group(&id.to_string(), due.map(i64::from));
        record.episode = EpisodeId(of.to_string());
        record
    });
    let intents = (0..9_u8, 0..6_u8, delivery(), last(), ".{0,6}", 0..3_u32).prop_map(
        |(id, of, delivery, last, title, calls)| {
            let mut record = intent(&id.to_string(), delivery);
            record.message.episode = EpisodeId(of.to_string());
            record.message.last = last;
            record.text = (id % 2 == 0).then_some(Text { title, body: String::new() });
            record.maybe_repeated = of % 2 == 0;
            record.recorded = (0..calls).map(recorded).collect();
            record.grouping = groupings()[usize::from(id) % 3].clone();
            record
        },
    );
    (
        skew(),
        vec((partition(), 0..4_u64), 0..3),
        vec(partition(), 0..3),
        vec(episodes, 0..3),
        vec(intents, 0..4),
        (vec(groups, 0..2), vec((0..4_u8).prop_map(|id| GroupId(id.to_string())), 0..2)),
        (vec(silence(), 0..2), vec((0..5_u8).prop_map(silence_id), 0..2)),
        prop::option::of(prop::option::of(pause())),
        vec(destinations(), 0..2),
        vec(commands(), 0..2),
    )
        .prop_map(
            |(skew, behind, depends, episodes, intents, groups, silences, pause, destinations, commands)| {
                let ((groups, groups_ended), (silences, silences_ended)) = (groups, silences);
                Notifier {
                    skew,
                    behind,
                    depends,
                    episodes,
                    intents,
                    groups,
                    groups_ended,
                    silences,
                    silences_ended,
                    pause,
                    destinations,
                    commands,
                }
            },
        )
}

/// At its beginning, or as it is in the fixture.
fn progress() -> impl Strategy<Value = EpisodeProgress> {
    any::<bool>().prop_map(|is_new| match is_new {
        true => EpisodeProgress::default(),
        false => episode("progress", Phase::Active).progress,
    })
}

fn silence_id(id: u8) -> SilenceId {
    SilenceId(id.to_string())
}

fn silence_spec() -> impl Strategy<Value = SilenceSpec> {
    let matchers = vec(prop_oneof![Just("rule=a*"), Just("labels.rule!=\\*"), Just("severity=info")], 1..3);
    (matchers, any::<i64>(), any::<i64>(), ".{0,4}").prop_map(|(matchers, from, until, reason)| SilenceSpec {
        matchers: matchers.iter().map(|text| Matcher::parse(text).unwrap()).collect(),
        from: Timestamp(from),
        until: Timestamp(until),
        reason,
    })
}

fn silence() -> impl Strategy<Value = SilenceRecord> {
    (0..5_u8, silence_spec(), ".{0,4}", any::<i64>()).prop_map(|(id, spec, by, at)| SilenceRecord {
        id: silence_id(id),
        spec,
        by,
        at: Timestamp(at),
    })
}

fn pause() -> impl Strategy<Value = PauseRecord> {
    (any::<i64>(), any::<i64>(), ".{0,4}", ".{0,4}").prop_map(|(since, until, reason, by)| PauseRecord {
        since: Timestamp(since),
        until: Timestamp(until),
        reason,
        by,
    })
}

/// At its beginning, or as it is in the fixture.
fn destinations() -> impl Strategy<Value = (DestinationName, DestinationRecord)> {
    (0..3_u8, prop::option::of(0..4_u32)).prop_map(|(name, count)| {
        (DestinationName(name.to_string()), count.map(remembered).unwrap_or_default())
    })
}

fn commands() -> impl Strategy<Value = CommandRecord> {
    let what = prop_oneof![
        Just(Command::Note { episode: EpisodeId("e".to_owned()), text: String::new() }),
        ".{0,4}".prop_map(|intent| Command::Drop { intent: IntentId(intent) }),
        silence_spec().prop_map(Command::Silence),
        (0..5_u8).prop_map(|id| Command::Unsilence { silence: silence_id(id) }),
        (any::<i64>(), ".{0,4}")
            .prop_map(|(until, reason)| Command::Pause { until: Timestamp(until), reason }),
        Just(Command::Unpause),
    ];
    (1..9_u64, what).prop_map(|(number, what)| command(number, what))
}

fn change() -> impl Strategy<Value = Change> {
    let worse = prop::option::of(prop_oneof![Just(Severity::Info), Just(Severity::Warning)]);
    let why = prop_oneof![Just(Ending::Cleared), Just(Ending::Lapsed), Just(Ending::RuleEnded)];
    let events = || {
        let event = (last(), any::<u32>(), any::<u64>()).prop_map(|(last, nth, mark)| Occurrence {
            labels: labels(),
            last,
            nth,
            mark,
        });
        vec(event, 1..3)
    };
    prop_oneof![
        (levels(), worse).prop_map(|(level, worse)| Change::Level { level, worse }),
        levels().prop_map(|level| Change::Renewed { level }),
        levels().prop_map(|level| Change::Suspended { level }),
        (levels(), why).prop_map(|(level, why)| Change::Ended { level, why }),
        (events(), any::<i64>())
            .prop_map(|(events, end)| Change::Events { events, window_end: Timestamp(end) }),
        any::<i64>().prop_map(|at| Change::Withheld { at: Timestamp(at) }),
        (events(), any::<u64>()).prop_map(|(events, more)| Change::Later { events, more }),
        (0..40_i64, ".{0,6}").prop_map(|(start, message)| {
            Change::Gap { over: Range::new(Timestamp(start), Timestamp(start + 1)), message }
        }),
    ]
}

fn levels() -> impl Strategy<Value = Level> {
    (0..6_u8, any::<bool>(), any::<i64>(), last()).prop_map(|(id, has_begun, until, last)| Level {
        has_begun,
        until: Timestamp(until),
        last,
        ..level(&id.to_string()).1
    })
}

fn last() -> impl Strategy<Value = LastSignal> {
    let finite = prop::option::of(prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL);
    (finite, ".{0,6}").prop_map(|(value, summary)| LastSignal {
        value,
        summary,
        ..episode("last", Phase::Active).last
    })
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
        (0..40_i64, ".{0,4}", prop::option::of(".{0,4}")).prop_map(|(at, last, dropped_by)| {
            Delivery::Dead { at: Timestamp(at), attempt: 1, last, dropped_by }
        }),
        (0..40_i64, 0..9_u8)
            .prop_map(|(at, into)| Delivery::Merged { at: Timestamp(at), into: IntentId(into.to_string()) }),
    ]
}
