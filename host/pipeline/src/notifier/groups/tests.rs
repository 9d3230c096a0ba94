use watchbell_contract::{Duration, Timestamp};

use crate::spec::{GroupSpec, Pace};

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn digest(expression: &str) -> GroupSpec {
    let pace = Pace::Digest { expression: expression.into(), timezone: "Europe/Berlin".into() };
    GroupSpec { by: Vec::new(), pace }
}

#[test]
fn a_group_is_due_after_the_wait_or_when_it_has_rested() {
    let (wait, interval) = (Duration(30), Duration(300));
    let spec = GroupSpec { by: Vec::new(), pace: Pace::Interval { wait, interval } };
    assert_eq!(spec.due(None, Timestamp(1_000)), Timestamp(1_030));
    assert_eq!(spec.due(Some(Timestamp(1_001)), Timestamp(1_000)), Timestamp(1_001));
    assert_eq!(spec.due(Some(Timestamp(1_000)), Timestamp(1_000)), Timestamp(1_030));
    assert_eq!(spec.rests_until(Timestamp(1_000)), Some(Timestamp(1_300)));
}

#[test]
fn a_digest_is_due_at_the_next_instant_of_its_calendar() {
    let daily = digest("30 2 * * *");
    assert_eq!(daily.rests_until(Timestamp(0)), None);
    for (now, due) in [
        ("2026-03-28T01:29:59Z", "2026-03-28T01:30:00Z"),
        // Half past two is skipped.
        ("2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z"),
        ("2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"),
        // It comes twice: the first time counts.
        ("2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
        ("2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
    ] {
        assert_eq!(daily.due(None, at(now)), at(due), "{now}");
    }
    assert_eq!(digest("0 9 * * mon-fri").due(None, at("2026-11-27T12:00:00Z")), at("2026-11-30T08:00:00Z"));
}
