//! What the read model says, against golden files, its own JSON Schema and the page that documents it.
//! `BLESS=1 cargo test -p watchbell-view` writes the golden files anew.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use watchbell_contract::{Cause, Duration, Label, Range, Severity, Timestamp, Window};
use watchbell_pipeline::action::{Purpose, RunId};
use watchbell_pipeline::health::{CauseKind, HealthCause, Progress};
use watchbell_pipeline::message::{Message, Route, Wording};
use watchbell_pipeline::record::{
    Delivery, Ending, EpisodeId, EpisodeProgress, EpisodeRecord, Epoch, Failure, GapReason, GapRecord,
    HostId, IntentId, IntentRecord, LastSignal, Notified, Phase, RunSummary,
};
use watchbell_pipeline::spec::{DestinationName, RuleName};
use watchbell_pipeline::{
    DeliveryReason, HoldReason, PrimingProgress, Reason, RuleStatus, RunReason, Running, SendReason,
};
use watchbell_view::{
    Explanation, History, HostState, Model, RuleView, Source, Status, Stored, StoredHost, Update,
    schema_explain, schema_explain_episode, schema_status,
};

#[path = "golden/explained_episode.rs"]
mod explained_episode; // an episode with what comes next

/// 2026-11-24T00:00:00Z
const NOW: Timestamp = Timestamp(1_795_478_400_000);
const MINUTE: Duration = Duration::from_mins(1);

/// Evaluated up to a minute ago, and waiting.
fn status(name: &str) -> RuleStatus {
    RuleStatus {
        name: RuleName(name.into()),
        enabled: true,
        cluster: "main".into(),
        deadline: MINUTE,
        cursor: NOW - MINUTE,
        committed_at: Some(NOW - Duration::from_secs(50)),
        next_due: Some(NOW + Duration::from_secs(10)),
        window_due: Some(NOW + Duration::from_secs(10)),
        interval: MINUTE,
        delay: Duration::from_secs(10),
        running: None,
        priming: None,
        failure: None,
        warnings: Vec::new(),
        last_run: Some(RunSummary {
            window: Range::new(NOW - MINUTE - MINUTE, NOW - MINUTE),
            rows: 1_234,
            signals: 2,
            took: Duration(87),
            ended_at: NOW - Duration::from_secs(50),
        }),
        open_episodes: 2,
        overflow: None,
    }
}

fn statuses() -> Vec<RuleStatus> {
    let late = NOW - Duration::from_hours(1);
    let failure = Failure {
        at: NOW - Duration(5_500),
        window: Range::new(late, late + MINUTE),
        message: "cluster `main`: connection refused".into(),
        streak: 7,
        since: NOW - Duration(65_500),
    };
    let unanswered = Failure { streak: 3, message: "no answer within 1m".into(), ..failure.clone() };
    let run = Running {
        run: RunId(7),
        purpose: Purpose::Priming,
        window: Window { start: late, settled: late, end: late + MINUTE },
        since: NOW - Duration::from_secs(1),
        attempt: 1,
    };
    let priming = PrimingProgress { from: late, reached: NOW - Duration::from_mins(30), until: NOW };
    vec![
        RuleStatus {
            warnings: vec!["no mapping of `logs-*` has the field `usr.name`".into()],
            ..status("failed-logins")
        },
        RuleStatus {
            cursor: late,
            window_due: Some(late + MINUTE),
            next_due: Some(NOW + Duration::from_secs(30)),
            failure: Some(failure),
            ..status("late")
        },
        RuleStatus { enabled: false, next_due: None, window_due: None, last_run: None, ..status("off") },
        RuleStatus {
            running: Some(run),
            priming: Some(priming),
            last_run: None,
            failure: Some(unanswered),
            ..status("primes")
        },
    ]
}

fn host() -> HostState {
    HostState {
        at: NOW,
        name: "alerts-1-4711".into(),
        environment: "prod".into(),
        bundle: "sha256:b0b1".into(),
        generation: 2,
        owed: 1,
        drift: Duration(12),
        apart: Vec::new(),
        destinations: vec![HealthCause {
            since: Some(NOW - Duration::from_mins(7)),
            ..HealthCause::new(CauseKind::DestinationFails, "messages to `ops-sms` keep failing")
        }],
        store_fault: None,
        progress: Progress::starting(NOW - Duration::from_hours(2)),
        concurrency: Arc::new(BTreeMap::from([("main".into(), 8)])),
    }
}

fn reasons() -> Vec<Reason> {
    let hook = DestinationName("ops-chat".into());
    vec![
        Reason::Run(RunReason::NotDue { until: NOW + Duration::from_secs(10) }),
        Reason::Hold(HoldReason::RepeatLater { until: NOW + Duration::from_hours(1) }),
        Reason::Delivery(DeliveryReason::RetryLater {
            destination: hook,
            until: NOW + Duration::from_secs(4),
            attempt: 2,
            last: "503 Service Unavailable".into(),
        }),
        Reason::Send(SendReason::FirstSignal),
    ]
}

fn model() -> Model {
    let mut model = Model::default();
    model.apply(Update {
        rules: statuses().into_iter().map(|status| (status.name.clone(), Some(status))).collect(),
        reasons: vec![(RuleName("failed-logins".into()), reasons())],
        host: host(),
    });
    model
}

fn episode(id: &str, host: Option<&str>, phase: Phase) -> EpisodeRecord {
    EpisodeRecord {
        id: EpisodeId(id.into()),
        rule: RuleName("failed-logins".into()),
        labels: vec![
            Label { name: "user.name".into(), value: Some("root".into()) },
            Label { name: "host.name".into(), value: host.map(str::to_owned) },
        ],
        phase,
        severity: Severity::Critical,
        since: NOW - Duration::from_mins(5),
        opened_at: NOW - Duration::from_mins(4),
        until: NOW + Duration::from_mins(1),
        last: LastSignal {
            at: NOW - MINUTE,
            value: Some(21.0),
            threshold: Some(20.0),
            summary: "21 failed logins of root".into(),
            details: "{}".into(),
            link: host.map(|_| "https://kibana.example.com/app/discover#/".into()),
        },
        steps: Vec::new(),
        repeat: None,
        early: Vec::new(),
        stepped_until: None,
        announced_at: Some(NOW - Duration::from_mins(4)),
        notified: vec![Notified {
            destination: DestinationName("ops-chat".into()),
            at: NOW - Duration::from_mins(4),
            step: None,
        }],
        ordinal: 1,
        progress: EpisodeProgress { followed: Severity::Critical, ..EpisodeProgress::default() },
    }
}

fn intent(id: &str, cause: Cause, delivery: Delivery) -> IntentRecord {
    let episode = episode("e1", Some("web-1"), Phase::Active);
    IntentRecord {
        id: IntentId(id.into()),
        destination: DestinationName("ops-chat".into()),
        message: Message {
            episode: episode.id,
            rule: episode.rule,
            owner: None,
            environment: "prod".into(),
            labels: episode.labels.clone(),
            named: episode.labels,
            severity: Severity::Critical,
            cause,
            person: None,
            since: episode.since,
            last: episode.last,
            count: 1,
            more: Vec::new(),
            wording: Wording::Rule,
            route: Route::default(),
        },
        text: None,
        created_at: NOW - Duration::from_mins(4),
        maybe_repeated: id == "i3",
        recorded: Vec::new(),
        grouping: None,
        delivery,
    }
}

fn history() -> History {
    let at = NOW - Duration::from_mins(2);
    let by = || "ada".to_owned();
    let gap = |reason, message: &str| GapRecord {
        rule: RuleName("failed-logins".into()),
        over: Range::new(NOW - Duration::from_hours(3), NOW - Duration::from_hours(2)),
        reason,
        recorded_at: at,
        message: message.into(),
    };
    let phases = [
        Phase::Pending,
        Phase::Active,
        Phase::Acknowledged { at, by: by() },
        Phase::ResolvedByHand { at, by: by() },
        Phase::Resolved { at, why: Ending::Cleared },
        Phase::Resolved { at, why: Ending::Lapsed },
        Phase::Resolved { at, why: Ending::RuleEnded },
    ];
    let hosts = [None, Some("web-1")];
    let claimed = Delivery::Claimed { owner: HostId("alerts-1-4711".into()), epoch: Epoch(3), attempt: 1 };
    History {
        episodes: phases
            .into_iter()
            .enumerate()
            .map(|(number, phase)| episode(&format!("e{number}"), hosts[number % 2], phase))
            .collect(),
        intents: vec![
            intent("i1", Cause::Opened, Delivery::Owed { due: NOW, attempt: 0, last: None }),
            intent("i2", Cause::Repeat, Delivery::Owed { due: NOW, attempt: 2, last: Some("503".into()) }),
            intent("i3", Cause::Worse, claimed),
            intent("i4", Cause::Event, Delivery::Delivered { at, attempt: 1, reference: Some("42".into()) }),
            intent(
                "i5",
                Cause::Resolved,
                Delivery::Dead { at, attempt: 9, last: "404".into(), dropped_by: None },
            ),
        ],
        gaps: vec![
            gap(GapReason::Poisoned, "the rule trapped three times"),
            gap(GapReason::Skipped, "`catch_up: latest`"),
            gap(GapReason::Disabled, "the rule was disabled"),
        ],
    }
}

fn name(name: &str) -> RuleName {
    RuleName(name.into())
}

fn explained(rule: &str, history: &History) -> Explanation {
    model().snapshot().and_then(|snapshot| snapshot.explain(&name(rule), history)).expect("a rule in force")
}

fn stored_status() -> Status {
    let rule = Stored { name: &name("never"), enabled: true, record: None, open_episodes: 0 };
    Status::stored("prod".into(), StoredHost::default(), vec![RuleView::stored(&rule, NOW)], NOW)
}

fn stored_explanation() -> Explanation {
    let rule = Stored { name: &name("gone"), enabled: false, record: None, open_episodes: 1 };
    Explanation::stored("prod".into(), Source::Ended, &rule, &History::default(), NOW)
}

/// Compares with `tests/golden/NAME.json`, reads it back, and holds it against its schema.
fn golden<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    name: &str,
    view: &T,
    schema: &Value,
) {
    let value = serde_json::to_value(view).unwrap();
    let read: T = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(read, *view);
    let validator = jsonschema::validator_for(schema).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(&value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    matches(&format!("{name}.json"), &value);
}

fn matches(file: &str, value: &Value) {
    let path = folder().join("tests/golden").join(file);
    let text = format!("{value:#}\n");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &text).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected != text {
        let diff = similar::TextDiff::from_lines(&expected, &text);
        panic!("{}; BLESS=1 accepts it\n{}", path.display(), diff.unified_diff().context_radius(3));
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[test]
fn a_host_reports_all_its_rules() {
    let status = model().snapshot().expect("an update was applied").status();
    golden("status", &status, &schema_status());
}

#[test]
fn a_store_reports_what_it_holds() {
    golden("status-stored", &stored_status(), &schema_status());
    golden("explain-stored", &stored_explanation(), &schema_explain());
}

#[test]
fn a_rule_is_explained_with_its_past() {
    golden("explain", &explained("failed-logins", &history()), &schema_explain());
}

#[test]
fn an_episode_is_explained_with_what_comes_next() {
    golden("explain-episode", &explained_episode::explained(), &schema_explain_episode());
}

#[test]
fn the_schemas_are_those_that_were_published() {
    matches("schema-explain-episode.json", &schema_explain_episode());
    matches("schema-status.json", &schema_status());
    matches("schema-explain.json", &schema_explain());
}

#[test]
fn the_schemas_refuse_what_no_host_says() {
    let valid = |schema: &Value, value: &Value| jsonschema::validator_for(schema).unwrap().is_valid(value);
    let schema = schema_explain();
    let whole = serde_json::to_value(explained("failed-logins", &history())).unwrap();
    assert!(valid(&schema, &whole));
    for (pointer, wrong) in [
        ("/version", json!(2)),
        ("/source", json!("Host")),
        ("/episodes/0/phase", json!("Active")),
        ("/episodes/6/ending", json!("RuleEnded")),
        ("/deliveries/3/delivered_at", Value::Null),
        ("/gaps/0/reason", json!("Poisoned")),
        ("/rule/next_due", json!(1)),
    ] {
        let mut changed = whole.clone();
        *changed.pointer_mut(pointer).expect(pointer) = wrong;
        assert!(!valid(&schema, &changed), "{pointer}");
    }
}

/// Names of members and spellings of enums, wherever a schema has them.
fn words(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                found.extend(properties.keys().cloned());
            }
            let spelled = members.get("enum").and_then(Value::as_array).into_iter().flatten();
            let spelled = spelled.chain(members.get("const")).filter_map(Value::as_str);
            found.extend(spelled.map(str::to_owned));
            members.values().for_each(|value| words(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| words(value, found)),
        _ => {}
    }
}

#[test]
fn the_page_names_every_member_and_every_spelling() {
    let page = fs::read_to_string(folder().join("../../docs/status.md")).unwrap();
    let mut named = BTreeSet::new();
    [schema_status(), schema_explain(), schema_explain_episode()]
        .iter()
        .for_each(|schema| words(schema, &mut named));
    assert!(named.len() > 70, "{named:?}");
    let missing: Vec<&String> = named.iter().filter(|word| !page.contains(&format!("`{word}`"))).collect();
    assert!(missing.is_empty(), "docs/status.md does not name {missing:?}");
}

#[test]
fn a_rule_keeps_its_reasons_until_others_are_published_and_leaves_with_its_bundle() {
    let mut model = model();
    let changed = |rules, reasons| Update { rules, reasons, host: host() };
    let said = |model: &Model, rule: &str| {
        let explained = model.snapshot()?.explain(&name(rule), &History::default())?;
        Some(explained.decisions.iter().map(|decision| decision.reason.clone()).collect::<Vec<_>>())
    };
    let before = said(&model, "failed-logins");
    assert_eq!(before.as_ref().map(Vec::len), Some(4));
    model.apply(changed(vec![(name("failed-logins"), Some(status("failed-logins")))], Vec::new()));
    assert_eq!(said(&model, "failed-logins"), before);
    let committing = vec![Reason::Run(RunReason::Committing)];
    model.apply(changed(Vec::new(), vec![(name("failed-logins"), committing.clone())]));
    assert_eq!(said(&model, "failed-logins"), Some(vec!["committing".to_owned()]));
    model.apply(changed(vec![(name("failed-logins"), None)], vec![(name("failed-logins"), committing)]));
    assert_eq!(said(&model, "failed-logins"), None);
}

#[test]
fn a_rule_that_became_due_since_waits_for_its_cluster() {
    let mut model = model();
    let host = HostState { at: NOW + Duration::from_secs(10), ..host() };
    model.apply(Update { rules: Vec::new(), reasons: Vec::new(), host });
    let explained = model.snapshot().unwrap().explain(&name("failed-logins"), &History::default()).unwrap();
    assert_eq!(explained.decisions[0].reason, "cluster_busy");
    assert_eq!(explained.decisions[0].message, "due, waiting for a free slot on cluster `main`");
}

#[test]
fn a_live_rule_and_a_stored_one_say_the_same_of_what_both_know() {
    let status = &statuses()[1];
    let record = watchbell_pipeline::record::RuleRecord {
        rule: status.name.clone(),
        meaning: watchbell_pipeline::spec::Meaning("m".into()),
        cursor: status.cursor,
        state: None,
        priming: None,
        seen: Vec::new(),
        final_before: status.cursor,
        later: watchbell_pipeline::record::Later::default(),
        overflow: watchbell_pipeline::record::Overflow::default(),
        committed_at: status.committed_at,
        last_run: status.last_run.clone(),
        failure: status.failure.clone(),
        gap_announced: false,
        off_since: None,
    };
    let open_episodes = status.open_episodes as u64;
    let stored = Stored { name: &status.name, enabled: true, record: Some(&record), open_episodes };
    let live = RuleView::live(status, NOW);
    let of_hosts_alone =
        RuleView { cluster: None, lag_seconds: None, evaluates_after: None, next_due: None, ..live };
    assert_eq!(RuleView::stored(&stored, NOW), of_hosts_alone);
}
