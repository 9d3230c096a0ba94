use watchbell_contract::{Label, Severity, TextFormat};

use crate::message::Wording;
use crate::record::{EpisodeId, LastSignal};

use super::*;

const NOW: Timestamp = Timestamp(1_000_000);

fn outbox() -> Outbox {
    let mut outbox = Outbox::default();
    outbox.configure(vec![DestinationSpec {
        name: DestinationName("hook".into()),
        text: AlertText { format: TextFormat::Plain, styles: true, title_max: 100, body_max: 100 },
        retry_first: Duration::from_secs(1),
        retry_max: Duration::from_mins(5),
        deadline: Duration::from_hours(24),
        concurrency: 4,
    }]);
    outbox
}

/// An event of `user` whose id does not depend on when it was queued.
fn event(id: &str, user: &str) -> IntentRecord {
    let labels = vec![Label { name: "user".into(), value: Some(user.into()) }];
    let message = Message {
        episode: EpisodeId(id.into()),
        rule: RuleName("rule".into()),
        owner: None,
        environment: "default".into(),
        labels: labels.clone(),
        named: labels,
        cause: Cause::Event,
        person: None,
        severity: Severity::Warning,
        since: NOW,
        last: LastSignal {
            at: NOW,
            value: None,
            threshold: None,
            summary: String::new(),
            details: "{}".into(),
            link: None,
        },
        count: 1,
        more: Vec::new(),
        wording: Wording::Rule,
    };
    owed(IntentId(id.into()), DestinationName("hook".into()), message, NOW)
}

fn text(says: &str) -> Text {
    Text { title: says.into(), body: String::new() }
}

/// Claims what is due, starts it, and returns what that was.
fn handed_out(outbox: &mut Outbox, now: Timestamp) -> Vec<String> {
    let claims = outbox.claim(now, &HostId("a".into()), Epoch(1), |_, _| text("first"));
    let sent = claims.into_iter().filter_map(|claim| match claim {
        Claim::Sent(record) => Some(record.id),
        Claim::Dead(_) => None,
    });
    sent.filter(|id| outbox.start(id).is_some()).map(|id| id.0).collect()
}

fn unavailable(outbox: &mut Outbox, id: &str, now: Timestamp) -> Timestamp {
    let refusal = Refusal::Unavailable { reason: "503".into(), retry_after: None };
    let settled = outbox.settle(&IntentId(id.into()), Err(refusal), now, 7).expect("it is under way");
    let Delivery::Owed { due, .. } = settled.record.delivery else { panic!("it is owed again") };
    due
}

fn delivered(outbox: &mut Outbox, id: &str, now: Timestamp) {
    outbox.settle(&IntentId(id.into()), Ok(Receipt::default()), now, 7).expect("it is under way");
}

#[test]
fn what_is_owed_together_is_handed_out_in_its_order() {
    let mut outbox = outbox();
    for (id, user) in [("z", "ada"), ("y", "bob"), ("c", "ada"), ("x", "eve"), ("b", "joe"), ("a", "kim")] {
        outbox.push(event(id, user)).expect("it is new");
    }
    assert_eq!(handed_out(&mut outbox, NOW), ["z", "y", "x", "b"]);
    delivered(&mut outbox, "y", NOW);
    delivered(&mut outbox, "z", NOW);
    // The second event of a key only after its first.
    assert_eq!(handed_out(&mut outbox, NOW), ["c", "a"]);
}

#[test]
fn the_store_gives_the_order_back() {
    let mut before = outbox();
    let records: Vec<IntentRecord> =
        ["c", "b", "a"].into_iter().filter_map(|id| before.push(event(id, id))).collect();
    let mut after = outbox();
    after.recover(records.into_iter().rev().collect(), std::iter::empty(), NOW);
    assert_eq!(handed_out(&mut after, NOW), ["c", "b", "a"]);
}

#[test]
fn an_event_that_may_never_arrive_lets_the_others_pass() {
    let mut outbox = outbox();
    for id in ["first", "second"] {
        outbox.push(event(id, "ada")).expect("it is new");
    }
    let mut now = NOW;
    for _ in 0..EVENT_ATTEMPTS_FIRST {
        assert_eq!(handed_out(&mut outbox, now), ["first"]);
        now = unavailable(&mut outbox, "first", now);
    }
    assert_eq!(handed_out(&mut outbox, now), ["second"]);
    delivered(&mut outbox, "second", now);
    assert_eq!(handed_out(&mut outbox, now), ["first"]);
}

#[test]
fn what_was_claimed_is_repeated_byte_for_byte() {
    let mut before = outbox();
    before.push(event("a", "ada")).expect("it is new");
    assert_eq!(handed_out(&mut before, NOW), ["a"]);
    let now = unavailable(&mut before, "a", NOW);
    let kept = before.entries.values().map(|entry| entry.record.clone()).collect();
    let mut after = outbox();
    after.recover(kept, std::iter::empty(), now);
    // The rule's template has changed meanwhile.
    let claims = after.claim(now, &HostId("b".into()), Epoch(2), |_, _| text("other"));
    let [Claim::Sent(record)] = claims.as_slice() else { panic!("{claims:?}") };
    assert_eq!(record.text, Some(text("first")));
    assert_eq!((record.intent().title.as_str(), record.intent().attempt), ("first", 2));
}
