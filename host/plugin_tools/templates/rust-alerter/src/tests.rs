//! Against a scripted receiver, without WebAssembly.
use watchbell_sdk::Cause;
use watchbell_sdk::http::{Body, Failure};
use watchbell_sdk::testing::{Json, MockHttp};

use super::*;

const PARAMS: &str = r#"{"room": "ops"}"#;

fn intent() -> Intent {
    Intent {
        id: "7f3a".into(),
        episode: "c41d".into(),
        rule: "login-burst".into(),
        owner: None,
        environment: "default".into(),
        labels: vec![],
        cause: Cause::Opened,
        person: None,
        severity: Severity::Critical,
        at: 1_704_067_200_000,
        since: 1_704_067_200_000,
        value: Some(3.0),
        threshold: Some(3.0),
        title: "Many failed logins".into(),
        body: "3 events within 1m".into(),
        summary: "3 events within 1m".into(),
        details: "{}".into(),
        link: None,
        acknowledge_link: None,
        previous: None,
        attempt: 1,
        maybe_repeated: false,
    }
}

fn deliver() -> Result<Receipt, AlertRefusal> {
    PluginName::deliver("plugin-name", PARAMS, intent())
}

#[test]
fn a_message_is_sent_as_json() {
    let receiver = MockHttp::answering([(200, "")]);
    assert!(deliver().is_ok());
    let request = &receiver.requests()[0];
    let Body::Json(body) = &request.body else {
        panic!("not JSON: {request:?}")
    };
    let body: Json = serde_json::from_str(body).unwrap();
    assert_eq!(body["title"], "Many failed logins");
    assert_eq!(
        (&body["room"], &body["urgent"]),
        (&json!("ops"), &json!(true))
    );
    assert_eq!(body["at"], "2024-01-01T00:00:00.000Z");
    let key = &request.headers[0];
    assert_eq!((&*key.name, &*key.value), ("Idempotency-Key", "7f3a"));
}

#[test]
fn what_may_pass_is_tried_again_and_the_rest_is_not() {
    for (status, again) in [(400, false), (404, false), (429, true), (503, true)] {
        let _receiver = MockHttp::answering([(status, "no")]);
        let refused = deliver().unwrap_err();
        assert_eq!(
            matches!(refused, AlertRefusal::Unavailable { .. }),
            again,
            "{status}: {refused:?}"
        );
    }
    let _receiver = MockHttp::script([Err(Failure::Unreachable("down".into()))]);
    assert_eq!(deliver().unwrap_err(), AlertRefusal::unavailable("down"));
}

#[test]
fn parameters_are_checked() {
    assert!(PluginName::prepare("plugin-name", PARAMS).is_ok());
    let faults = PluginName::prepare("plugin-name", r#"{"room": ""}"#).unwrap_err();
    assert_eq!(faults[0].path, "/room");
    assert!(PluginName::prepare("plugin-name", r#"{"rooom": "ops"}"#).is_err());
}
