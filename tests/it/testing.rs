//! `watchbell test` and `watchbell backtest`: tests of rules.
use std::fs;

use serde_json::{Value, json};
use watchbell_sdk::testing::Case;

use crate::world::{World, hit, now, repository};

const RULE: &str = "\
name: failing-host
use: frequency
index: logs-*
filter: 'Status: [500 TO 599]'
every: 1m
key: [host.name]
params: { num_events: 3, timeframe: 5m }
alert:
  title: '{{ labels[\"host.name\"] }} fails'
  body: '{{ details.count }} errors'
  to: [hook]
";

const MAPPING: &str = "\
mapping: { Status: { type: integer }, host: { properties: { name: { type: keyword } } } }
";

async fn with_tests(tests: &str) -> World {
    let world = World::new().await;
    world.write("failing-host.yaml", RULE);
    world.write("failing-host.test.yaml", &format!("{MAPPING}tests:\n{tests}"));
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_rules_do_what_their_tests_say() {
    let world = World::new().await;
    let rules = repository().join("rules").display().to_string();
    let (code, out, err) = world.call(&["test", "--strict", "--rules", &rules]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains(" passed, 0 failed"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_no_document_has_is_named() {
    let tests = "  - name: nothing at all
    documents: [{ at: 10s, count: 3, every: 1s, fields: { Status: 500, hots.name: a } }]
    quiet: true
";
    let world = World::new().await;
    world.write("failing-host.yaml", &RULE.replace("num_events: 3", "num_events: 30"));
    let mapping = "mapping: { Status: { type: integer } }\n";
    world.write("failing-host.test.yaml", &format!("{mapping}tests:\n{tests}"));
    let (code, out, err) = world.call(&["test"]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(
        out.contains("warning: rule `failing-host`: no mapping of `logs-*` has the field `host.name`"),
        "{out}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_differs_is_reported_and_can_be_blessed() {
    let tests = "  - name: three errors of a host are told  # by name
    documents:
      - { at: 10s, every: 5s, count: 3, fields: { Status: 500, host.name: a } }
      - { at: 10s, fields: { Status: 500, host.name: b } }
    expect:
      - at: 70s
        signals: [{ at: 15s, value: 2 }]
        deliveries:
          - { to: hook, title: { contains: fails }, body: nothing }
";
    let world = with_tests(tests).await;
    let (code, out, _) = world.call(&["test"]).await;
    assert_eq!(code, 1, "{out}");
    for part in [
        "failing-host.test.yaml:3  three errors of a host are told [default]",
        "at 1m10s (line 8): signals",
        "- { at: 15s, value: 2 }",
        "+ { at: 20s, value: 3.0 }",
        "+ { to: hook, title: a fails, body: \"3 errors\" }",
        "1m10s  sent      to hook, opened: a fails",
        "0 passed, 1 failed",
        "failing-host      1     no     no",
    ] {
        assert!(out.contains(part), "`{part}` is missing in:\n{out}");
    }
    let (code, _, err) = world.call(&["test", "--bless"]).await;
    assert_eq!(code, 1);
    assert!(err.contains("blessed") && err.contains("review the changes"), "{err}");
    let blessed = fs::read_to_string(world.rules().join("failing-host.test.yaml")).unwrap();
    assert!(blessed.contains("# by name\n"), "{blessed}");
    assert!(blessed.contains("          - { at: 20s, value: 3.0 }\n"), "{blessed}");
    assert!(
        blessed.contains("          - { to: hook, title: { contains: fails }, body: \"3 errors\" }\n"),
        "{blessed}"
    );
    let (code, out, _) = world.call(&["test"]).await;
    assert_eq!(code, 0, "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_on_the_timeline_lose_and_duplicate_nothing() {
    let tests =
        "  - name: a cluster that is down, a shard that is lacking, a restart and a receiver that is down
    documents:
      - { at: 10s, every: 5s, count: 3, arrives: 90s, fields: { Status: 500, host.name: a } }
      - { at: 10s, every: 5s, count: 2, fields: { Status: 500, host.name: b } }
    faults:
      - { from: 0s, to: 2m, search: 503 }
      - { from: 2m, to: 4m, shards: partial }
      - { at: 5m, restart: true }
      - { from: 0s, to: 6m, destination: hook }
    expect:
      - { at: 4m, signals: [], deliveries: [] }
      - at: 9m
        signals: [{ at: 20s, labels: { host.name: a } }]
    never:
      deliveries: [{ labels: { host.name: b } }, { outcome: delivered, title: b fails }]
  - name: two errors are nobody's business
    documents:
      - { at: 10s, every: 5s, count: 2, fields: { Status: 500, host.name: '{n}-a' } }
    quiet: true
";
    let world = with_tests(tests).await;
    let (code, out, _) = world.call(&["test", "--json"]).await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["passed"], &report["lacking"]), (0, &json!(2), &json!([])), "{out}");
    let (_, out, _) = world.call(&["test", "--verbose", "--filter", "a receiver"]).await;
    for part in ["unavailable (503)", "shard", "the host was killed", "(it was down)"] {
        assert!(out.contains(part), "`{part}` is missing in:\n{out}");
    }
    let delivered =
        out.lines().filter(|line| line.contains("sent ") && !line.contains("it was down")).count();
    assert_eq!(delivered, 2, "opened and resolved:\n{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_cannot_fail_or_be_read_is_reported_with_its_place() {
    let tests = "  - name: nothing
    documents: [{ at: 1m, fields: {} }]
  - name: too many things
    document: []
    expect: [{ at: 5m }, { at: 4m, signals: [] }]
    faults: [{ at: 1m, search: 503 }]
  - name: a token
    quiet: true
    index: '@@X@@'
  - name: too many documents
    quiet: true
    documents: [{ at: 1s, every: 1ms, count: 4000000000, fields: {} }]
";
    let world = with_tests(tests).await;
    let (code, out, err) = world.call(&["test"]).await;
    assert_eq!((code, out.as_str()), (1, ""));
    for part in [
        "failing-host.test.yaml:3:5: expects nothing, so it cannot fail",
        "failing-host.test.yaml:6:5: unknown key `document`",
        "did you mean `documents`?",
        "contains a token, which tests cannot use",
        "failing-host.test.yaml:14:46: `tests[3].documents[0].count` must be at most 1000000, found 4000000000",
    ] {
        assert!(err.contains(part), "`{part}` is missing in:\n{err}");
    }
    let (code, _, err) = world.call(&["test", "rules/environments"]).await;
    assert_eq!(code, 1);
    assert!(err.contains("there is no test at or below `rules/environments`"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn junit_names_file_line_and_difference() {
    let tests = "  - name: fires
    documents: [{ at: 1s, every: 1s, count: 3, fields: { Status: 500, host.name: a } }]
    quiet: true
";
    let world = with_tests(tests).await;
    let (code, _, _) = world.call(&["test", "--junit", "report.xml"]).await;
    assert_eq!(code, 1);
    let report = fs::read_to_string(world.scratch.path().join("report.xml")).unwrap();
    for part in ["tests=\"1\"", "failures=\"1\"", "name=\"fires [default]\"", "line=\"3\"", "forbidden"] {
        assert!(report.contains(part), "`{part}` is missing in:\n{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_may_come_from_a_file_moved_in_time() {
    let tests = "  - name: as it was that day
    documents: [{ ndjson: that-day.ndjson, at: 30s }]
    expect:
      - at: 2m
        signals: [{ at: 31s500ms, labels: { host.name: a } }]
  - name: a line that is none
    documents: [{ ndjson: broken.ndjson }]
    quiet: true
";
    let world = with_tests(tests).await;
    let lines: Vec<String> = (0..3).map(|n| hit(1_500_000_000_000 + n * 750, 500, "a").to_string()).collect();
    world.write("that-day.ndjson", &lines.join("\n"));
    world.write("broken.ndjson", "{\"a\": 1}\n");
    let (code, out, _) = world.call(&["test"]).await;
    assert_eq!(code, 1);
    assert!(out.contains("1 passed, 1 failed"), "{out}");
    assert!(out.contains("broken.ndjson:1: has no time in `@timestamp`"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backtest_shows_what_would_have_been_sent_and_sends_nothing() {
    let world = World::new().await;
    world.write("failing-host.yaml", RULE);
    world.index("logs-a").await;
    let began = now() / 60_000 * 60_000 - 3 * 3_600_000;
    let burst = |at: i64| (0..3).map(move |n| hit(began + at * 60_000 + n * 1_000, 500, "a"));
    let documents: Vec<Value> =
        burst(20).chain(burst(100)).chain((0..120).map(|n| hit(began + n * 60_000, 500, "b"))).collect();
    world.documents("logs-a", &documents).await;
    let instant = |at: i64| watchbell::clock::rfc3339(watchbell_contract::Timestamp(at));
    let (from, to) = (instant(began), instant(began + 150 * 60_000));
    let asked = ["backtest", "failing-host", "--from", &from, "--to", &to];
    let (code, out, err) = world.call(&asked).await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(out.matches("hook ").count(), 4 + out.matches("b fails").count(), "{out}");
    assert!(out.contains("150 windows") && out.contains("126 rows") && out.contains("█"), "{out}");
    let (_, out, _) = world.call(&[&asked[..], &["--json"]].concat()).await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["windows"].as_array().unwrap().len(), 150);
    let opened = report["messages"].as_array().unwrap().iter().filter(|message| message["cause"] == "opened");
    assert!(opened.filter(|message| message["title"] == "a fails").count() == 2, "{out}");
    assert!(world.receiver.got().is_empty());
    assert!(!world.store().exists());

    let (code, _, err) = world.call(&[&asked[..], &["--windows-max", "10"]].concat()).await;
    assert!(code == 1 && err.contains("150 windows of 1m, more than 10"), "{err}");
    let (code, _, err) = world.call(&[&asked[..], &["--rows-max", "50"]].concat()).await;
    assert!(code == 1 && err.contains("more than 50: raise `--rows-max`"), "{err}");
    let (code, _, err) = world.call(&["backtest", "nobody", "--from", "1h"]).await;
    assert!(code == 1 && err.contains("no rule `nobody`") && err.contains("failing-host"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_found_something_can_be_replayed() {
    let world = World::new().await;
    world.write("failing-host.yaml", &RULE.replace("every: 1m", "every: 1s\ndelay: 0s"));
    world.index("logs-a").await;
    let mut host = world.start();
    host.until("a window", |line| line["outcome"] == "committed").await;
    let documents: Vec<Value> = (0..3).map(|_| hit(now(), 500, "a")).collect();
    world.documents("logs-a", &documents).await;
    let line = host.until("a recorded run", |line| !line["recorded"].is_null()).await;
    let id = line["recorded"].as_str().unwrap().to_owned();
    assert_eq!(host.stop().await, Some(0));

    let (code, out, _) = world.call(&["replay"]).await;
    assert!(code == 0 && out.contains(&id) && out.contains("1 signals"), "{out}");
    let (code, out, err) = world.call(&["replay", &id, "--write-case", "case"]).await;
    assert_eq!(code, 0, "{out}{err}");
    for part in ["firing host.name=a 3 events within 5m", "the same as recorded, bit for bit", "3 rows"] {
        assert!(out.contains(part), "`{part}` is missing in:\n{out}");
    }
    let cases = Case::read_folder(&world.scratch.path().join("case")).unwrap();
    let [case] = &cases[..] else { panic!("{cases:?}") };
    assert_eq!(case.params["num_events"], 3);
    assert_eq!(case.documents.len(), 3);
    let labels = case.expected().next().unwrap().labels.clone().unwrap();
    assert_eq!(json!(labels), json!({ "host.name": "a" }));

    // Somebody changes what was recorded: it is no longer the same.
    let folder = world.scratch.path().join("store.sqlite.runs/failing-host");
    let file = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
    let changed = fs::read_to_string(&file).unwrap().replace("3 events within", "4 events within");
    fs::write(world.scratch.path().join("changed.json"), changed).unwrap();
    let (code, out, _) = world.call(&["replay", "changed.json"]).await;
    assert!(code == 1 && out.contains("NOT the same as recorded"), "{out}");
    let (code, _, err) = world.call(&["replay", "../x@2024-01-01T00:00:00Z"]).await;
    assert!(code == 1 && err.contains("no run `../x@2024-01-01T00:00:00Z` is recorded"), "{err}");
}
