//! The rules that ship with the product, in every environment that ships with them.
use std::path::Path;

use watchbell_contract::Duration;
use watchbell_manifest::{BoundRule, Bundle, Endpoint, Options, SecretOr, SecretRef, diff, load, render};
use watchbell_pipeline::spec::Schedule;

mod fake;

fn shipped(environment: &str) -> Bundle {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let options = Options { environment, token_overrides: &[], env: &|_| None, check_secrets: false };
    load(&root, &options, &fake::Fake).unwrap_or_else(|report| panic!("{environment}:\n{report}"))
}

fn spike(bundle: &Bundle) -> &BoundRule {
    bundle.rule("spike-in-5xxs").expect("the rule is shipped")
}

#[test]
fn every_environment_loads_without_a_warning() {
    for environment in ["default", "demo", "ci", "staging", "production"] {
        let bundle = shipped(environment);
        assert_eq!(bundle.warnings, [], "{environment}");
        assert_eq!(bundle.environment.name, environment);
        let names = bundle.outbox();
        assert_eq!(names.len(), 3, "{environment}");
    }
}

#[test]
fn environments_change_when_the_rule_runs_and_how_far_it_looks() {
    let facts = |environment: &str| {
        let bundle = shipped(environment);
        let rule = spike(&bundle);
        let Schedule::Every(every) = rule.spec.schedule else { panic!("an interval") };
        (every, rule.spec.lookback, rule.params["timeframe"].clone(), rule.params["threshold_cur"].clone())
    };
    let hours = |hours| Some(Duration::from_hours(hours));
    assert_eq!(facts("default"), (Duration::from_mins(1), None, "5m".into(), 20.into()));
    assert_eq!(facts("demo"), (Duration::from_secs(1), None, "5s".into(), 10.into()));
    assert_eq!(facts("ci"), (Duration::from_secs(30), hours(4), "5m".into(), 5.into()));
    assert_eq!(facts("production"), (Duration::from_mins(5), hours(1), "1h".into(), 100.into()));
}

#[test]
fn the_rule_means_what_it_says() {
    let bundle = shipped("production");
    let rule = spike(&bundle);
    assert_eq!(
        rule.target.filter,
        Some(serde_json::json!({ "query_string": { "query": "Status: [500 TO 599]" } }))
    );
    assert_eq!(rule.target.indices, ["logstash-*"]);
    assert_eq!((rule.spec.delay, rule.spec.lateness), (Duration::from_secs(10), Duration::from_mins(2)));
    assert_eq!(rule.spec.alert.repeat, [Duration::from_hours(4)]);
    assert!(rule.spec.alert.body.contains("href=\"https://kibana.example.com\""), "{}", rule.spec.alert.body);
    let steps: Vec<(u64, bool)> =
        rule.spec.alert.steps.iter().map(|s| (s.after.0 / 60_000, s.unless_acknowledged)).collect();
    assert_eq!(steps, [(0, false), (15, true), (45, true)]);
    let chat = &bundle.environment.destinations["ops-chat"];
    let Endpoint::Http(http) = &chat.endpoint else { panic!("{:?}", chat.endpoint) };
    assert_eq!(http.url, SecretOr::Secret(SecretRef::Env("OPS_CHAT_URL".into())));
    assert!(!http.grants.private_addresses);
}

#[test]
fn the_digest_stands_for_what_is_said() {
    assert_eq!(shipped("demo").digest, shipped("demo").digest);
    assert_ne!(shipped("demo").digest, shipped("ci").digest);
    let meaning = |environment: &str| spike(&shipped(environment)).spec.meaning.clone();
    assert_ne!(meaning("demo"), meaning("ci"));
}

/// The one secret of the demo.
fn ack_key(name: &str) -> Option<String> {
    (name == "WATCHBELL_ACK_KEY").then(|| "0123456789abcdef".repeat(4))
}

#[test]
fn tokens_can_be_given_beside_the_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let given = [("ELASTICSEARCH_URL".to_string(), "http://127.0.0.1:1234".to_string())];
    let options =
        Options { environment: "demo", token_overrides: &given, env: &ack_key, check_secrets: true };
    let bundle = load(&root, &options, &fake::Fake).unwrap();
    assert_eq!(bundle.environment.clusters["main"].nodes, ["http://127.0.0.1:1234"]);
    let wrong = [("ELASTICSEARCH_URI".to_string(), "x".to_string())];
    let options = Options { token_overrides: &wrong, ..options };
    let report = load(&root, &options, &fake::Fake).unwrap_err().to_string();
    assert_eq!(
        report,
        "error: --token: there is no token `ELASTICSEARCH_URI`\n\nhint: did you mean `ELASTICSEARCH_URL`?"
    );
}

#[test]
fn what_differs_between_two_environments_is_shown() {
    let text = diff(&shipped("ci"), &shipped("production"));
    assert!(text.contains("rule spike-in-5xxs: every: \"30s\" -> \"5m\"\n"), "{text}");
    assert!(
        text.contains(
            "environment: clusters.main.auth.api_key.env: (nothing) -> \"ELASTICSEARCH_API_KEY\"\n"
        ),
        "{text}"
    );
    assert_eq!(diff(&shipped("ci"), &shipped("ci")), "");
}

#[test]
fn a_rendered_rule_loads_as_the_same_rule() {
    let bundle = shipped("ci");
    let text = render(&bundle);
    let documents: Vec<&str> = text.split("---\n").collect();
    let rendered = documents.iter().find(|document| document.contains("name: spike-in-5xxs\n")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("environments")).unwrap();
    std::fs::write(folder.path().join("environments/default.yaml"), documents[0]).unwrap();
    std::fs::write(folder.path().join("rule.yaml"), rendered).unwrap();
    let options =
        Options { environment: "default", token_overrides: &[], env: &|_| None, check_secrets: true };
    let again =
        load(folder.path(), &options, &fake::Fake).unwrap_or_else(|report| panic!("{report}\n{text}"));
    assert_eq!(spike(&again).spec, spike(&bundle).spec);
    assert_eq!(spike(&again).target, spike(&bundle).target);
}
