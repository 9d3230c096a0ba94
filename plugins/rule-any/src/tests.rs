use watchbell_sdk::testing::case::{Case, ORIGIN};
use watchbell_sdk::{Kind, Timestamp};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn case(fields: &[&str]) -> Case {
    Case::new(json!({ "fields": fields })).until(SECOND * 120)
}

#[test]
fn every_document_is_announced_once() {
    let told =
        case(&[]).lateness(SECOND * 90).documents(SECOND, 5, SECOND * 20, json!({ "a": 1 })).run::<Any>();
    let at: Vec<Timestamp> = told.iter().map(|signal| signal.at).collect();
    assert_eq!(at, [1, 21, 41, 61, 81].map(|secs| ORIGIN + SECOND * secs));
    assert!(told.iter().all(|signal| signal.kind == Kind::Event && signal.summary == "a document matched"));
}

#[test]
fn the_fields_asked_for_are_shown() {
    let document = json!({ "user": "ann", "ports": [80, 443], "ok": true });
    let told = case(&["user", "ports", "ok", "none"]).key(["user"]).document(SECOND, document).run::<Any>();
    assert_eq!(told[0].summary, "user: ann, ports: 80, ok: true");
    assert_eq!(told[0].details, r#"{"user":"ann","ports":[80,443],"ok":true,"none":null}"#);
    assert_eq!(told[0].labels, Labels(vec![Some("ann".into())]));
    let evidence = told[0].evidence.as_ref().unwrap();
    assert_eq!(evidence.over, Range::new(ORIGIN + SECOND, ORIGIN + SECOND + Duration(1)));
}

#[test]
fn unknown_parameters_are_refused() {
    let mut case = case(&[]);
    case.params = json!({ "field": ["user"] });
    let fault = case.run_with(&mut watchbell_sdk::testing::Native::<Any>::default()).unwrap_err();
    assert!(fault.contains("unknown field `field`"), "{fault}");
}
