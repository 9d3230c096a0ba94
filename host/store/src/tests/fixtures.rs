use watchbell_contract::{Cause, Duration, Label, Range, Severity, Timestamp};
use watchbell_pipeline::message::{Message, Wording};
use watchbell_pipeline::record::{
    Command, CommandId, CommandRecord, Commit, Delivery, EpisodeId, EpisodeRecord, Epoch, Failure, GapReason,
    GapRecord, HostId, IntentId, IntentRecord, LastSignal, Later, LaterEvent, Notified, Partition, Phase,
    RuleRecord, RunSummary, StateRecord, Told,
};
use watchbell_pipeline::spec::{DestinationName, Meaning, RuleName, StepId};
use watchbell_pipeline::text::Text;

pub(crate) const PARTITION: Partition = Partition(3);

pub(crate) fn host(name: &str) -> HostId {
    HostId(name.to_owned())
}

pub(crate) fn commit(epoch: Epoch, nonce: u64) -> Commit {
    Commit { partition: PARTITION, epoch, nonce, ..Commit::default() }
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
        told: vec![Told { at: Timestamp(cursor), signal: u64::MAX }],
        told_from: Timestamp(cursor - 2),
        later: Later {
            events: vec![LaterEvent { labels: labels(), last: episode("later", Phase::Active).last }],
            more: u64::try_from(cursor % 3).unwrap_or(0),
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
        }),
        gap_told: cursor % 3 == 0,
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
            // Two neighbours of 0.1 that a careless reader of decimals would merge.
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
        told: vec![
            Notified {
                destination: DestinationName("ops-chat".to_owned()),
                at: Timestamp(115),
                step: Some(StepId(u64::MAX)),
            },
            Notified { destination: DestinationName("ops-sms".to_owned()), at: Timestamp(118), step: None },
        ],
        ordinal: 1,
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
        },
        text: Some(Text { title: "5xxs spiked \"3x\"".to_owned(), body: "line\nline \u{1f514}".to_owned() }),
        created_at: Timestamp(115),
        maybe_repeated: false,
        delivery,
    }
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

fn labels() -> Vec<Label> {
    vec![
        Label { name: "host.name".to_owned(), value: Some("web-1".to_owned()) },
        Label { name: "zone".to_owned(), value: None },
    ]
}
