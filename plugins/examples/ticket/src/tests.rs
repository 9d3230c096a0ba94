use watchbell_sdk::http::{Failure, Field, Response};
use watchbell_sdk::testing::MockHttp;

use super::*;

const PARAMS: &str = r#"{"queue":"ops"}"#;

fn intent(cause: Cause, previous: Option<&str>) -> Intent {
    Intent {
        id: "i-1".into(),
        episode: "e-1".into(),
        rule: "checkout".into(),
        owner: None,
        environment: "prod".into(),
        labels: vec![],
        cause,
        person: None,
        severity: Severity::Critical,
        at: 0,
        since: 0,
        value: None,
        threshold: None,
        title: "checkout burns".into(),
        body: "twice too fast".into(),
        summary: "2.0".into(),
        details: "{}".into(),
        link: None,
        acknowledge_link: None,
        previous: previous.map(|id| Receipt { reference: Some(id.into()) }),
        attempt: 1,
        maybe_repeated: false,
    }
}

fn deliver(intent: Intent) -> Result<Receipt, AlertRefusal> {
    Ticket::deliver("ticket", PARAMS, intent)
}

/// What was sent: method, path and body.
fn sent(receiver: &MockHttp) -> Vec<(String, String, serde_json::Value)> {
    let shown = |request: Request| {
        let Body::Json(body) = request.body else { panic!("{:?}", request.body) };
        (request.method, request.path, serde_json::from_str(&body).unwrap())
    };
    receiver.requests().into_iter().map(shown).collect()
}

#[test]
fn the_first_message_creates_a_ticket() {
    let receiver = MockHttp::answering([(201, r#"{"id":"T-7"}"#)]);
    let receipt = deliver(intent(Cause::Opened, None)).unwrap();
    assert_eq!(receipt.reference.as_deref(), Some("T-7"));
    let body = json!({
        "queue": "ops", "title": "checkout burns", "text": "twice too fast", "priority": 1, "link": null,
    });
    assert_eq!(sent(&receiver), [("POST".into(), "/tickets".into(), body)]);
    let key = Field { name: "Idempotency-Key".into(), value: "i-1".into() };
    assert!(receiver.requests()[0].headers.contains(&key));
}

#[test]
fn later_messages_comment_and_the_end_closes() {
    let receiver = MockHttp::answering([(200, "{}"), (200, "{}"), (200, "{}")]);
    let acknowledged = Intent { person: Some("ann".into()), ..intent(Cause::Acknowledged, Some("T-7")) };
    assert_eq!(deliver(acknowledged).unwrap().reference.as_deref(), Some("T-7"));
    assert_eq!(deliver(intent(Cause::Resolved, Some("T-7"))).unwrap().reference.as_deref(), Some("T-7"));
    let sent = sent(&receiver);
    let calls: Vec<_> = sent.iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    assert_eq!(calls, ["POST /tickets/T-7/comments", "POST /tickets/T-7/comments", "PATCH /tickets/T-7"]);
    assert_eq!(sent[0].2["text"], "checkout burns\n\ntwice too fast (ann)");
    assert_eq!(sent[2].2, json!({ "state": "closed", "resolution": "2.0" }));
}

#[test]
fn an_end_without_a_ticket_creates_and_closes_one() {
    let receiver = MockHttp::answering([(201, r#"{"id":"../7"}"#), (200, "{}")]);
    deliver(intent(Cause::Resolved, None)).unwrap();
    let calls: Vec<_> =
        sent(&receiver).into_iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    assert_eq!(calls, ["POST /tickets", "PATCH /tickets/___7"]);
}

#[test]
fn a_close_that_fails_is_tried_again() {
    let busy = Response {
        status: 503,
        headers: vec![Field { name: "retry-after".into(), value: "9".into() }],
        body: b"busy".to_vec(),
    };
    let ok = || Ok(Response { status: 200, headers: vec![], body: b"{}".to_vec() });
    let receiver = MockHttp::script([ok(), Ok(busy)]);
    let refused = deliver(intent(Cause::Resolved, Some("T-7"))).unwrap_err();
    let reason = "answered 503: busy".to_owned();
    assert_eq!(refused, AlertRefusal::Unavailable { reason, retry_after: Some(9_000) });
    // The host answers the comment from its record in the next attempt: what is sent stays the same.
    assert_eq!(receiver.requests().len(), 2);
    drop(receiver);
    let _receiver = MockHttp::script([Err(Failure::Denied("no grant".into()))]);
    assert_eq!(deliver(intent(Cause::Opened, None)).unwrap_err(), AlertRefusal::refused("no grant"));
}

#[test]
fn a_receiver_that_refuses_or_names_no_ticket_ends_the_delivery() {
    for (status, body, says) in
        [(422, "no such queue", "answered 422: no such queue"), (201, "{}", "has no id")]
    {
        let _receiver = MockHttp::answering([(status, body)]);
        let Err(AlertRefusal::Refused(reason)) = deliver(intent(Cause::Opened, None)) else {
            panic!("{says}")
        };
        assert!(reason.contains(says), "{reason}");
    }
    assert!(Ticket::prepare("ticket", PARAMS).is_ok());
    assert_eq!(Ticket::prepare("ticket", r#"{"queue":""}"#).unwrap_err()[0].path, "/queue");
    assert!(Ticket::prepare("ticket", "{}").is_err());
}
