use watchbell_contract::{Cause, Duration, Label, Range, RecordedCall, Severity, Timestamp};
use watchbell_pipeline::message::{Instead, Message, Route, Wording};
use watchbell_pipeline::record::{
    BundleRef, Change, Command, CommandId, CommandRecord, Commit, Counted, CountedKey, Delivery,
    DestinationRecord, EpisodeId, EpisodeProgress, EpisodeRecord, Failure, GapReason, GapRecord, GroupId,
    GroupKey, GroupRecord, Grouping, HostId, IntentId, IntentRecord, LastSignal, Later, LaterEvent, LeftOut,
    Level, NamedEpisode, NamedKey, Nonce, Notified, NotifierCommit, Overflow, PartitionCommit, PartitionId,
    Phase, Position, RuleRecord, RunSummary, SeenSignal, Standstill, StateRecord, Tenure, Told,
    TransitionRecord, Trouble,
};
use watchbell_pipeline::spec::{DestinationName, Meaning, RuleName, StepId};
use watchbell_text::Text;

pub(crate) const PARTITION: PartitionId = PartitionId(3);
pub(crate) const OTHER: PartitionId = PartitionId(15);

pub(crate) fn host(name: &str) -> HostId {
    HostId(name.to_owned())
}

/// A commit of only one partition.
pub(crate) fn of_partition(nonce: u64, part: PartitionCommit) -> Commit {
    Commit { nonce: Nonce(nonce), partitions: vec![part], ..Commit::default() }
}

/// A commit of only the notifier.
pub(crate) fn of_notifier(nonce: u64, part: NotifierCommit) -> Commit {
    Commit { nonce: Nonce(nonce), notifier: Some(part), ..Commit::default() }
}

/// An empty commit of `PARTITION` under this tenure.
pub(crate) fn partition(tenure: Tenure) -> PartitionCommit {
    PartitionCommit { partition: PARTITION, tenure, ..PartitionCommit::default() }
}

pub(crate) fn notifier(tenure: Tenure) -> NotifierCommit {
    NotifierCommit { tenure, ..NotifierCommit::default() }
}

/// The tenure of the commit after one under `tenure`.
pub(crate) fn next(tenure: Tenure) -> Tenure {
    Tenure { number: tenure.number + 1, ..tenure }
}

pub(crate) fn bundle(digest: &str, generation: u64) -> BundleRef {
    BundleRef { digest: digest.to_owned(), generation }
}

pub(crate) fn position(partition: PartitionId, number: u64) -> Position {
    Position { partition, number }
}

pub(crate) fn level(id: &str) -> (RuleName, Level) {
    (RuleName("spike".to_owned()), Level::of(&episode(id, Phase::Active)))
}

pub(crate) fn transition(partition: PartitionId, number: u64, change: Change) -> TransitionRecord {
    TransitionRecord {
        partition,
        number,
        generation: 7,
        rule: RuleName("spike".to_owned()),
        judged: Timestamp(160),
        change,
    }
}

/// The smallest change.
pub(crate) fn withheld(at: i64) -> Change {
    Change::Withheld { at: Timestamp(at) }
}

pub(crate) fn rule(name: &str, cursor: i64) -> RuleRecord {
    RuleRecord {
        rule: RuleName(name.to_owned()),
        meaning: Meaning("m1".to_owned()),
        cursor: Timestamp(cursor),
        state: Some(StateRecord {
            settled: Timestamp(cursor - 1),
            version: 7,
            bytes: cursor.to_le_bytes().to_vec(),
        }),
        priming: None,
        seen: vec![SeenSignal { at: Timestamp(cursor), signal: u64::MAX }],
        final_before: Timestamp(cursor - 2),
        later: Later {
            events: vec![LaterEvent { labels: labels(), last: episode("later", Phase::Active).last }],
            more: u64::try_from(cursor % 3).unwrap_or(0),
        },
        overflow: Overflow {
            waiting: vec![level("waiting").1],
            counted: [(
                u64::MAX,
                CountedKey { last_at: Timestamp(cursor - 3), until: Timestamp(cursor + 3) },
            )]
            .into(),
            named: vec![NamedKey {
                labels: labels(),
                severity: Severity::Critical,
                value: Some(f64::INFINITY),
            }],
            uncounted_until: (cursor % 2 == 0).then_some(Timestamp(i64::MAX)),
            passed: u64::MAX,
            announced: u64::try_from(cursor % 5).unwrap_or(0),
        },
        committed_at: Some(Timestamp(cursor + 10)),
        last_run: Some(RunSummary {
            window: Range::new(Timestamp(cursor - 60), Timestamp(cursor)),
            rows: u64::MAX,
            signals: 1,
            took: Duration(12),
            ended_at: Timestamp(cursor + 9),
        }),
        failure: Some(Failure {
            at: Timestamp(cursor),
            window: Range::new(Timestamp(0), Timestamp(1)),
            message: "cluster `main`: connection refused".to_owned(),
            streak: 2,
            since: Timestamp(cursor - 1),
        }),
        gap_announced: cursor % 3 == 0,
        off_since: (cursor % 2 == 0).then_some(Timestamp(cursor + 11)),
    }
}

pub(crate) fn episode(id: &str, phase: Phase) -> EpisodeRecord {
    EpisodeRecord {
        id: EpisodeId(id.to_owned()),
        rule: RuleName("spike".to_owned()),
        labels: labels(),
        phase,
        severity: Severity::Critical,
        since: Timestamp(100),
        opened_at: Timestamp(110),
        until: Timestamp(160),
        last: LastSignal {
            at: Timestamp(120),
            // Two neighbours of 0.1 that a careless decimal parser would merge.
            value: Some(0.100_000_000_000_000_02),
            threshold: Some(f64::INFINITY),
            summary: "spiked 3x".to_owned(),
            details: r#"{"current":30,"reference":10}"#.to_owned(),
            link: Some("https://kibana.example/app".to_owned()),
        },
        steps: vec![StepId(u64::MAX), StepId(1)],
        repeat: Some(Duration(u64::MAX)),
        early: vec![StepId(1)],
        stepped_until: Some(Timestamp(112)),
        announced_at: Some(Timestamp(115)),
        notified: vec![
            Notified {
                destination: DestinationName("ops-chat".to_owned()),
                at: Timestamp(115),
                step: Some(StepId(u64::MAX)),
            },
            Notified { destination: DestinationName("ops-sms".to_owned()), at: Timestamp(118), step: None },
        ],
        ordinal: 1,
        progress: EpisodeProgress {
            stood: Duration(u64::MAX),
            held: Some(Standstill { since: Timestamp(119), until: None }),
            followed: Severity::Info,
            repeats: 3,
            repeat_dropped_at: Some(Timestamp(120)),
            late: vec![StepId(u64::MAX)],
            acknowledged_until: Some(Timestamp(i64::MAX)),
            acknowledged_clock: Some(Duration(7)),
        },
    }
}

pub(crate) fn intent(id: &str, delivery: Delivery) -> IntentRecord {
    IntentRecord {
        id: IntentId(id.to_owned()),
        destination: DestinationName("ops-chat".to_owned()),
        message: Message {
            episode: EpisodeId("e1".to_owned()),
            rule: RuleName("spike".to_owned()),
            owner: Some("web-team".to_owned()),
            environment: "default".to_owned(),
            labels: labels(),
            named: labels()[..1].to_vec(),
            cause: Cause::Opened,
            severity: Severity::Warning,
            person: Some("mia".to_owned()),
            since: Timestamp(100),
            last: LastSignal {
                at: Timestamp(-1),
                value: Some(-0.0),
                threshold: Some(f64::MIN_POSITIVE),
                summary: String::new(),
                details: "{}".to_owned(),
                link: None,
            },
            count: 2,
            more: vec!["another".to_owned()],
            wording: Wording::Gap,
            route: Route {
                to: vec![DestinationName("ops-chat".to_owned())],
                instead: Some(Instead { of: DestinationName("ops-sms".to_owned()), why: "no".to_owned() }),
            },
        },
        text: Some(Text { title: "5xxs spiked \"3x\"".to_owned(), body: "line\nline \u{1f514}".to_owned() }),
        created_at: Timestamp(115),
        maybe_repeated: false,
        recorded: Vec::new(),
        grouping: None,
        delivery,
    }
}

pub(crate) fn remembered(count: u32) -> DestinationRecord {
    let counted = Counted { start: Timestamp(60), count, reached_until: Some(Timestamp(i64::MAX)) };
    let to = vec![DestinationName("ops-mail".to_owned())];
    DestinationRecord {
        counts: [Counted::default(), counted, Counted { reached_until: None, ..counted }],
        left_out: Some(LeftOut {
            since: Timestamp(-1),
            until: Timestamp(100),
            count,
            severity: Severity::Critical,
            lines: vec!["spike: web-1".to_owned()],
        }),
        trouble: Some(Trouble {
            since: Timestamp(7),
            attempts: count,
            dead: u32::MAX,
            last: "503".to_owned(),
            told: count.is_multiple_of(2).then(|| Told { episode: EpisodeId("f1".to_owned()), to }),
        }),
    }
}

/// A group that has named the episode `e1`.
pub(crate) fn group(id: &str, due: Option<i64>) -> GroupRecord {
    let key = |id: &str| GroupKey { episode: EpisodeId(id.to_owned()), labels: labels() };
    GroupRecord {
        id: GroupId(id.to_owned()),
        rule: RuleName("spike".to_owned()),
        labels: labels()[..1].to_vec(),
        destination: DestinationName("ops-chat".to_owned()),
        episode: EpisodeId(format!("of-{id}")),
        ordinal: 3,
        due: due.map(Timestamp),
        rests_until: due.map(|due| Timestamp(due + 1)),
        open: vec![key("e1")],
        unnamed: vec![key("e2"), key("e3")],
    }
}

/// What messages have to do with groups.
pub(crate) fn groupings() -> [Option<Grouping>; 3] {
    let group = GroupId("g1".to_owned());
    let key = GroupKey { episode: EpisodeId("e1".to_owned()), labels: labels() };
    let named = vec![NamedEpisode { key, begins: true, is_open: false }];
    [None, Some(Grouping::Gathered(group.clone())), Some(Grouping::Merged { group, named })]
}

/// What a receiver answered to a message's request `number`.
pub(crate) fn recorded(number: u32) -> RecordedCall {
    let headers = vec![("location".to_owned(), format!("/\u{e9}/{number}")), (String::new(), String::new())];
    RecordedCall { number, status: 201, headers, body: vec![0, 255, b'"', 13] }
}

pub(crate) fn owed(due: i64) -> Delivery {
    Delivery::Owed { due: Timestamp(due), attempt: 1, last: None }
}

pub(crate) fn gap(start: i64, recorded_at: i64) -> GapRecord {
    GapRecord {
        rule: RuleName("spike".to_owned()),
        over: Range::new(Timestamp(start), Timestamp(start + 1)),
        reason: GapReason::Poisoned,
        recorded_at: Timestamp(recorded_at),
        message: "trap: unreachable".to_owned(),
    }
}

pub(crate) fn command(number: u64, command: Command) -> CommandRecord {
    CommandRecord {
        number,
        id: CommandId(format!("c{number}")),
        at: Timestamp(number.cast_signed()),
        by: "mia".to_owned(),
        command,
        refused: number.is_multiple_of(2).then(|| "it is resolved".to_owned()),
    }
}

pub(crate) fn labels() -> Vec<Label> {
    vec![
        Label { name: "host.name".to_owned(), value: Some("web-1".to_owned()) },
        Label { name: "zone".to_owned(), value: None },
    ]
}
