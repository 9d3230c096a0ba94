use watchbell_sdk::testing::case::{Case, ORIGIN};
use watchbell_sdk::testing::check_folder;
use watchbell_sdk::{Document, SignalKind, Timestamp};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn case(fields: &[&str]) -> Case {
    Case::new(json!({ "fields": fields })).until(SECOND * 120)
}

/// The same cases run on the component, in the host's own tests.
#[test]
fn every_case_holds() {
    check_folder::<Any>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    let elastalert = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/elastalert/any.test.yaml");
    for case in Case::read_file(elastalert.as_ref()).unwrap() {
        case.check::<Any>();
    }
}

#[test]
fn every_document_is_announced_once() {
    let told =
        case(&[]).lateness(SECOND * 90).documents(SECOND, 5, SECOND * 20, json!({ "a": 1 })).run::<Any>();
    let at: Vec<Timestamp> = told.iter().map(|signal| signal.at).collect();
    assert_eq!(at, [1, 21, 41, 61, 81].map(|secs| ORIGIN + SECOND * secs));
    assert!(
        told.iter().all(|signal| signal.kind == SignalKind::Event && signal.summary == "a document matched")
    );
}

#[test]
fn the_fields_asked_for_are_shown() {
    let document = json!({ "user": "ann", "ports": [80, 443], "ok": true });
    let told = case(&["user", "ports", "ok", "none"]).key(["user"]).document(SECOND, document).run::<Any>();
    assert_eq!(told[0].summary, "user: ann, ports: 80, ok: true");
    assert_eq!(told[0].details, r#"{"user":"ann","ports":[80,443],"ok":true,"none":null}"#);
    assert_eq!(told[0].labels, Labels(vec![Some("ann".into())]));
    let Some(Evidence::Documents(named)) = &told[0].evidence else { panic!() };
    assert_eq!(named.iter().map(|named| named.at).collect::<Vec<_>>(), [ORIGIN + SECOND]);
}

#[test]
fn two_documents_of_one_instant_are_two_though_one_is_late() {
    let mut case = case(&["user"]).lateness(SECOND * 90);
    for id in ["b", "a"] {
        case = case.document(SECOND, json!({ "user": "ann", "_id": id, "_index": "logs" }));
    }
    case.documents[1].arrives = Some((SECOND * 70).into());
    let documents: Vec<_> = case.run::<Any>().into_iter().map(|told| told.evidence.unwrap()).collect();
    let named = |id: &str| {
        let (index, id) = (Some("logs".into()), id.into());
        Evidence::Documents(vec![Document { at: ORIGIN + SECOND, index, id }])
    };
    assert_eq!(documents, [named("b"), named("a")]);
}

#[test]
fn unknown_parameters_are_refused() {
    let mut case = case(&[]);
    case.params = json!({ "field": ["user"] });
    let fault = case.run_with(&mut watchbell_sdk::testing::Native::<Any>::default()).unwrap_err();
    assert!(fault.contains("unknown field `field`"), "{fault}");
}

#[test]
fn long_values_cost_no_alert() {
    let trace = "at org.example.Main.run(Main.java:42)\n".repeat(460);
    let agent = "Mozilla/5.0 ".repeat(750);
    let document = |end: &str| json!({ "trace": trace, "agent": format!("{agent}{end}"), "user": "ann" });
    let case = case(&["trace", "user"]).key(["agent"]).document(SECOND, document("a"));
    let told = case.document(SECOND, document("b")).run::<Any>();
    assert!(trace.len() > 17_000 && agent.len() == 9_000);
    assert!(
        told[0].summary.starts_with("trace: at org.example.Main.run(Main.java:42) at org"),
        "{}",
        told[0].summary
    );
    assert!(told[0].summary.ends_with("…, user: ann"), "{}", told[0].summary);
    assert!(told[0].details.len() > 17_000, "within the bounds: all of it");
    let labels: Vec<_> = told.iter().map(|signal| signal.labels.0[0].clone().unwrap()).collect();
    assert_ne!(labels[0], labels[1], "two keys stay two");
    assert!(labels.iter().all(|label| label.starts_with("Mozilla") && label.len() <= 1 << 10));
}

#[test]
fn details_of_many_long_values_are_shortened() {
    let document = json!({ "trace": "x".repeat(300 << 10), "user": "ann" });
    let told = case(&["trace", "user"]).document(SECOND, document).run::<Any>();
    assert!(told[0].details.len() <= 64 << 10);
    assert!(told[0].details.contains(r#""user":"ann""#));
}
