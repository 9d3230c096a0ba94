use std::num::NonZeroU32;

use watchbell_contract::{Label, Severity, TextFormat};

use crate::limit::Limit;
use crate::message::{Route, Wording};
use crate::record::{EpisodeId, LastSignal};

use watchbell_contract::{AlertText, Receipt, Refusal};

use crate::action::Action;
use crate::record::{Epoch, HostId};

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
        limit: None,
        fallback: None,
    }]);
    outbox
}

/// It is sent so many messages a minute.
fn limited(most: u32) -> Outbox {
    let mut outbox = outbox();
    let spec = outbox.queues.values_mut().find_map(|queue| queue.spec.as_mut()).expect("a destination");
    let limit = Limit::within("UTC").expect("a zone");
    spec.limit = Some(Limit { per_minute: NonZeroU32::new(most), ..limit });
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
        route: Route::default(),
    };
    owed(IntentId(id.into()), DestinationName("hook".into()), message, NOW)
}

fn text(says: &str) -> Text {
    Text { title: says.into(), body: String::new() }
}

fn plain(_: &Message, _: AlertText, why: &str) -> Text {
    text(why)
}

/// Picks what is due, renders its texts and claims it.
fn claimed(outbox: &mut Outbox, now: Timestamp, says: &str) -> Vec<IntentRecord> {
    loop {
        let picked = outbox.pick(now, &plain);
        assert!(picked.dead.is_empty(), "{picked:?}");
        if picked.texts.is_empty() {
            return outbox.claim(&HostId("a".into()), Epoch(1), NOW).0;
        }
        for wanted in picked.texts {
            outbox.rendered(wanted.order, Ok(text(says)), now, &plain);
        }
    }
}

fn started(outbox: &mut Outbox, now: Timestamp) -> Vec<String> {
    let started = outbox.start(now).into_iter().map(|action| match action {
        Action::Deliver { id, .. } => id.0,
        other => panic!("{other:?}"),
    });
    started.collect()
}

/// Claims what is due, starts it, and returns what that was.
fn handed_out(outbox: &mut Outbox, now: Timestamp) -> Vec<String> {
    for record in claimed(outbox, now, "first") {
        outbox.claimed(&record.id);
    }
    started(outbox, now)
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
    let claims = claimed(&mut after, now, "other");
    let [record] = claims.as_slice() else { panic!("{claims:?}") };
    assert_eq!(record.text, Some(text("first")));
    assert_eq!((record.intent().title.as_str(), record.intent().attempt), ("first", 2));
}

/// A message of another rule, for the destination of all others here.
fn of_rule(id: &str, rule: &str, severity: Severity) -> IntentRecord {
    let mut record = event(id, id);
    record.message.rule = RuleName(rule.into());
    record.message.severity = severity;
    record
}

#[test]
fn a_quiet_rule_does_not_wait_behind_the_flood_of_another() {
    let mut outbox = outbox();
    for n in 0..5_000 {
        outbox.push(of_rule(&format!("flood-{n:04}"), "flood", Severity::Warning)).expect("it is new");
    }
    let first = handed_out(&mut outbox, NOW);
    assert_eq!(first, ["flood-0000", "flood-0001", "flood-0002", "flood-0003"]);
    outbox.push(of_rule("quiet", "quiet", Severity::Info)).expect("it is new");
    outbox.push(of_rule("more", "quiet", Severity::Info)).expect("it is new");
    outbox.push(of_rule("worst", "flood", Severity::Critical)).expect("it is new");
    first.iter().for_each(|id| delivered(&mut outbox, id, NOW));
    // The first of its rule, the critical one, then in turns.
    assert_eq!(handed_out(&mut outbox, NOW), ["quiet", "worst", "more", "flood-0004"]);
}

#[test]
fn claims_run_ahead_of_the_slots_as_fast_as_the_receiver_answers() {
    let mut outbox = outbox();
    (0..6_000).for_each(|n| drop(outbox.push(event(&format!("{n:04}"), &n.to_string()))));
    let (mut now, mut most) = (NOW, 0);
    for _ in 0..20 {
        // A commit every 200 ms; the receiver answers each message at once.
        let claims = claimed(&mut outbox, now, "first");
        most = most.max(claims.len());
        claims.iter().for_each(|record| outbox.claimed(&record.id));
        let mut sending = started(&mut outbox, now);
        while !sending.is_empty() {
            assert!(sending.len() <= 4, "no more than its slots");
            sending.iter().for_each(|id| delivered(&mut outbox, id, now));
            sending = started(&mut outbox, now);
        }
        now = now + Duration(200);
    }
    assert!((200..=260).contains(&most), "claimed at once: {most}");
    // After a silence it begins as at first.
    now = now + Duration::from_secs(10);
    assert_eq!(claimed(&mut outbox, now, "first").len(), 4);
}

#[test]
fn a_limit_counts_what_is_sent_and_holds_what_was_never_tried() {
    let mut outbox = limited(2);
    let hook = DestinationName("hook".into());
    ["a", "b", "c"].into_iter().for_each(|id| drop(outbox.push(event(id, id))));
    let full = outbox.full_until(&hook, NOW).expect("three wait, and two are allowed");
    assert_eq!(handed_out(&mut outbox, NOW), ["a", "b"]);
    assert_eq!(outbox.next_pick(NOW), Some(full));
    // What was tried is counted already: another attempt is not held.
    let due = unavailable(&mut outbox, "a", NOW);
    assert_eq!(outbox.next_pick(NOW), Some(due));
    assert_eq!(handed_out(&mut outbox, due), ["a"]);
    delivered(&mut outbox, "a", due);
    delivered(&mut outbox, "b", due);
    assert!(handed_out(&mut outbox, Timestamp(full.0 - 1)).is_empty());
    assert_eq!(handed_out(&mut outbox, full), ["c"]);
    assert_eq!(outbox.full_until(&hook, full), None);
}

#[test]
fn a_claim_that_is_given_back_is_not_counted() {
    let mut outbox = limited(1);
    outbox.push(event("a", "a"));
    for is_first in [true, false] {
        outbox.pick(NOW, &plain).texts.into_iter().for_each(|wanted| {
            outbox.rendered(wanted.order, Ok(text("t")), NOW, &plain);
        });
        let (claims, reached) = outbox.claim(&HostId("a".into()), Epoch(1), NOW);
        assert_eq!((claims.len(), reached.len()), (1, usize::from(is_first)), "said once");
        outbox.claimed(&claims[0].id);
        let counts = outbox.remembered(&DestinationName("hook".into())).counts;
        assert_eq!(counts.map(|counted| counted.count), [1; 3]);
        let released = outbox.release(true, NOW);
        assert_eq!(released[0].delivery.attempts(), 0);
        let counts = outbox.remembered(&DestinationName("hook".into())).counts;
        assert_eq!(counts.map(|counted| counted.count), [0; 3]);
    }
}

#[test]
fn a_pause_that_the_receiver_asks_for_holds_all_its_messages_and_ends_with_one() {
    let mut outbox = outbox();
    ["a", "b", "c", "d", "e", "f"].into_iter().for_each(|id| drop(outbox.push(event(id, id))));
    assert_eq!(handed_out(&mut outbox, NOW), ["a", "b", "c", "d"]);
    let refuse = |outbox: &mut Outbox, id: &str, retry_after, now| {
        let refusal = Refusal::Unavailable { reason: "429".into(), retry_after };
        outbox.settle(&IntentId(id.into()), Err(refusal), now, 7).expect("it is under way");
    };
    delivered(&mut outbox, "d", NOW);
    // One more is claimed when the pause begins.
    let claims = claimed(&mut outbox, NOW, "first");
    claims.iter().for_each(|record| outbox.claimed(&record.id));
    assert_eq!(started(&mut outbox, NOW), ["e"]);
    assert_eq!(claims.len(), 2, "one ahead: {claims:?}");
    ["a", "b", "c"].into_iter().for_each(|id| refuse(&mut outbox, id, Some(Duration::from_secs(60)), NOW));
    let released = outbox.release(false, NOW);
    assert_eq!(released.iter().map(|record| record.id.0.as_str()).collect::<Vec<_>>(), ["f"]);
    // What was under way before gets through, which does not end the pause.
    delivered(&mut outbox, "e", NOW);
    assert!(handed_out(&mut outbox, NOW + Duration(59_999)).is_empty());
    assert_eq!(outbox.next_pick(NOW), Some(NOW + Duration::from_secs(60)));
    // One probe, and nothing else until it is answered.
    let mut now = NOW + Duration::from_secs(120);
    let probe = handed_out(&mut outbox, now);
    assert_eq!(probe.len(), 1);
    assert!(handed_out(&mut outbox, now).is_empty());
    now = unavailable(&mut outbox, &probe[0], now);
    let probe = handed_out(&mut outbox, now);
    assert_eq!(probe.len(), 1);
    delivered(&mut outbox, &probe[0], now);
    assert_eq!(handed_out(&mut outbox, now).len(), 3);
}

#[test]
fn few_texts_are_ordered_at_once_and_fewer_of_one_rule() {
    let mut outbox = outbox();
    let mut spec = outbox.queues.values().find_map(|queue| queue.spec.clone()).expect("configured");
    spec.concurrency = 100;
    outbox.configure(vec![spec]);
    for n in 0..20 {
        outbox.push(of_rule(&format!("slow-{n}"), "slow", Severity::Warning)).expect("it is new");
    }
    outbox.push(of_rule("quiet", "quiet", Severity::Warning)).expect("it is new");
    let picked = outbox.pick(NOW, &plain);
    let of: Vec<&str> = picked.texts.iter().map(|wanted| wanted.message.rule.0.as_str()).collect();
    assert_eq!(of, ["quiet", "slow", "slow"]);
    assert!(outbox.pick(NOW, &plain).texts.is_empty());
}

#[test]
fn a_text_that_cannot_be_rendered_is_sent_in_plain_form_and_soon_not_even_tried() {
    let mut outbox = outbox();
    let mut spec = outbox.queues.values().find_map(|queue| queue.spec.clone()).expect("configured");
    spec.concurrency = 100;
    outbox.configure(vec![spec]);
    (0..10).for_each(|n| drop(outbox.push(event(&n.to_string(), &n.to_string()))));
    for _ in 0..2 {
        let picked = outbox.pick(NOW, &plain);
        assert_eq!(picked.texts.len(), 2);
        for wanted in picked.texts {
            let note = outbox.rendered(wanted.order, Err("it took too long".into()), NOW, &plain);
            assert!(matches!(note, Some(Note::TextFailed { .. })), "{note:?}");
        }
    }
    let picked = outbox.pick(NOW, &plain);
    assert_eq!((picked.texts.len(), picked.notes.len()), (0, 6));
    let claims = outbox.claim(&HostId("a".into()), Epoch(1), NOW).0;
    assert!(claims.iter().all(|record| record.text == Some(text("it took too long"))), "{claims:?}");
    assert_eq!(claims.len(), 10);
    // After a while it is tried again, and at once under other templates.
    let later = NOW + Duration::from_mins(1);
    outbox.push(event("later", "later"));
    assert_eq!(outbox.pick(later, &plain).texts.len(), 1);
}

#[test]
fn other_templates_apply_to_everything_without_a_claim() {
    let mut outbox = outbox();
    ["a", "b"].into_iter().for_each(|id| drop(outbox.push(event(id, id))));
    let before = outbox.pick(NOW, &plain).texts;
    outbox.rendered(before[0].order, Ok(text("old")), NOW, &plain);
    outbox.take_texts_back();
    assert!(outbox.claim(&HostId("a".into()), Epoch(1), NOW).0.is_empty());
    assert!(outbox.rendered(before[1].order, Ok(text("old")), NOW, &plain).is_none());
    let claims = claimed(&mut outbox, NOW, "new");
    assert_eq!(claims.len(), 2);
    assert!(claims.iter().all(|record| record.text == Some(text("new"))));
}
