use watchbell_contract::{Duration, Timestamp};

use super::*;

const WEEK: Duration = Duration::from_hours(7 * 24);

fn at(text: &str) -> Timestamp {
    let instant: jiff::Timestamp = text.parse().unwrap();
    Timestamp(instant.as_millisecond())
}

fn person(name: &str) -> Person {
    Person { name: name.into(), destination: DestinationName(format!("{name}-sms")) }
}

fn weekly() -> Written<'static> {
    Written {
        name: "web",
        people: vec![person("ann"), person("bob"), person("eve")],
        every: WEEK,
        hand_over: "mon 09:00",
        starts: "2026-11-30",
        timezone: "Europe/Berlin",
        overrides: Vec::new(),
    }
}

fn over(from: &'static str, until: &'static str, person: &'static str) -> WrittenOverride<'static> {
    WrittenOverride { from, until, person }
}

/// `name until`, or `name for ever`.
fn said(rotation: &Rotation, text: &str) -> String {
    let OnCall { person, until, .. } = rotation.at(at(text));
    let until = until.map_or("for ever".into(), |until| until.to_string());
    format!("{} {until}", person.name)
}

fn hand_overs(rotation: &Rotation, text: &str, most: usize) -> Vec<String> {
    let words = |next: HandOver<'_>| format!("{} {}", next.at, next.to.person.name);
    rotation.next_hand_overs(at(text), most).into_iter().map(words).collect()
}

#[test]
fn people_take_turns_by_the_week_and_begin_again() {
    let rotation = Rotation::parse(weekly()).unwrap();
    // In winter, 09:00 in Berlin is 08:00 UTC.
    assert_eq!(said(&rotation, "2026-11-30T08:00:00Z"), "ann 2026-12-07T08:00:00Z");
    assert_eq!(said(&rotation, "2026-12-07T07:59:59.999Z"), "ann 2026-12-07T08:00:00Z");
    assert_eq!(said(&rotation, "2026-12-07T08:00:00Z"), "bob 2026-12-14T08:00:00Z");
    assert_eq!(said(&rotation, "2026-12-14T08:00:00Z"), "eve 2026-12-21T08:00:00Z");
    assert_eq!(said(&rotation, "2026-12-21T08:00:00Z"), "ann 2026-12-28T08:00:00Z");
    let next = hand_overs(&rotation, "2026-12-01T00:00:00Z", 3);
    assert_eq!(next, ["2026-12-07T08:00:00Z bob", "2026-12-14T08:00:00Z eve", "2026-12-21T08:00:00Z ann"]);
}

#[test]
fn the_first_person_is_on_call_before_the_first_turn() {
    let rotation = Rotation::parse(weekly()).unwrap();
    for early in ["1970-01-01T00:00:00Z", "2026-11-22T23:00:00Z", "2026-11-30T07:59:59Z"] {
        assert_eq!(said(&rotation, early), "ann 2026-12-07T08:00:00Z", "{early}");
    }
    assert_eq!(rotation.at(Timestamp::MIN).person.name, "ann");
    assert_eq!(rotation.at(Timestamp(i64::MAX)).until, None);
}

#[test]
fn a_week_has_as_many_hours_as_its_days() {
    let starts = |starts| Rotation::parse(Written { starts, ..weekly() }).unwrap();
    let hours = |rotation: &Rotation, from: &str| {
        let until = rotation.at(at(from)).until.unwrap();
        until.since(at(from)).0 / 3_600_000
    };
    assert_eq!(hours(&starts("2027-03-22"), "2027-03-22T08:00:00Z"), 167);
    assert_eq!(hours(&starts("2027-03-22"), "2027-03-29T07:00:00Z"), 168);
    assert_eq!(hours(&starts("2026-10-19"), "2026-10-19T07:00:00Z"), 169);
}

#[test]
fn a_skipped_hand_over_comes_when_the_gap_ends_and_a_repeated_one_comes_first() {
    let at_half_past_two = |starts| Written { hand_over: "sun 02:30", starts, ..weekly() };
    // 02:00 to 03:00 does not exist on 2027-03-28.
    let rotation = Rotation::parse(at_half_past_two("2027-03-21")).unwrap();
    assert_eq!(said(&rotation, "2027-03-28T00:59:59Z"), "ann 2027-03-28T01:00:00Z");
    assert_eq!(said(&rotation, "2027-03-28T01:00:00Z"), "bob 2027-04-04T00:30:00Z");
    // At the gap's very start, too.
    let on_the_gap = Written { hand_over: "sun 02:00", ..at_half_past_two("2027-03-21") };
    assert_eq!(
        said(&Rotation::parse(on_the_gap).unwrap(), "2027-03-22T00:00:00Z"),
        "ann 2027-03-28T01:00:00Z"
    );
    // 02:00 to 03:00 comes twice on 2026-10-25, first at 00:00 UTC.
    let rotation = Rotation::parse(at_half_past_two("2026-10-18")).unwrap();
    assert_eq!(said(&rotation, "2026-10-25T00:29:59Z"), "ann 2026-10-25T00:30:00Z");
    assert_eq!(said(&rotation, "2026-10-25T00:30:00Z"), "bob 2026-11-01T01:30:00Z");
    // The clock shows 02:10 for the second time: nothing is given back.
    assert_eq!(said(&rotation, "2026-10-25T01:10:00Z"), "bob 2026-11-01T01:30:00Z");
    // A clock that goes back over midnight shows the day before again: 00:01 to 23:01 in St. John's on 2010-11-07.
    let daily =
        Written { hand_over: "00:00", every: Duration::from_hours(24), starts: "2010-11-06", ..weekly() };
    let rotation = Rotation::parse(Written { timezone: "America/St_Johns", ..daily }).unwrap();
    assert_eq!(said(&rotation, "2010-11-07T02:45:00Z"), "bob 2010-11-08T03:30:00Z");
}

#[test]
fn turns_may_be_days_or_several_weeks() {
    let daily = Written { every: Duration::from_hours(24), hand_over: "18:00", ..weekly() };
    let rotation = Rotation::parse(daily).unwrap();
    assert_eq!(said(&rotation, "2026-12-01T16:59:59Z"), "ann 2026-12-01T17:00:00Z");
    assert_eq!(said(&rotation, "2026-12-01T17:00:00Z"), "bob 2026-12-02T17:00:00Z");
    let rotation = Rotation::parse(Written { every: Duration(WEEK.0 * 2), ..weekly() }).unwrap();
    assert_eq!(said(&rotation, "2026-12-13T08:00:00Z"), "ann 2026-12-14T08:00:00Z");
}

#[test]
fn an_override_may_cross_a_hand_over() {
    // In Berlin's time, and as an instant.
    let overrides = vec![over("2026-12-05 18:00", "2026-12-08T17:00:00Z", "eve")];
    let rotation = Rotation::parse(Written { overrides, ..weekly() }).unwrap();
    let next = hand_overs(&rotation, "2026-12-01T00:00:00Z", 3);
    assert_eq!(next, ["2026-12-05T17:00:00Z eve", "2026-12-08T17:00:00Z bob", "2026-12-14T08:00:00Z eve"]);
    assert!(rotation.at(at("2026-12-07T08:00:00Z")).stands_in);
    assert!(!rotation.at(at("2026-12-08T17:00:00Z")).stands_in);
}

#[test]
fn who_stands_in_until_the_own_turn_goes_on() {
    let overrides = vec![over("2026-12-05 18:00", "2026-12-07 09:00", "bob")];
    let rotation = Rotation::parse(Written { overrides, ..weekly() }).unwrap();
    assert_eq!(said(&rotation, "2026-12-06T00:00:00Z"), "bob 2026-12-14T08:00:00Z");
}

#[test]
fn of_overlapping_overrides_the_last_counts() {
    let overrides = vec![
        over("2026-12-01 00:00", "2026-12-05 00:00", "bob"),
        over("2026-12-02 00:00", "2026-12-03 00:00", "eve"),
    ];
    let rotation = Rotation::parse(Written { overrides: overrides.clone(), ..weekly() }).unwrap();
    let next = hand_overs(&rotation, "2026-11-30T12:00:00Z", 4);
    let expected = [
        "2026-11-30T23:00:00Z bob",
        "2026-12-01T23:00:00Z eve",
        "2026-12-02T23:00:00Z bob",
        "2026-12-04T23:00:00Z ann",
    ];
    assert_eq!(next, expected);
    // The other way round, the shorter one is covered.
    let overrides = overrides.into_iter().rev().collect();
    let rotation = Rotation::parse(Written { overrides, ..weekly() }).unwrap();
    assert_eq!(said(&rotation, "2026-12-02T12:00:00Z"), "bob 2026-12-04T23:00:00Z");
}

#[test]
fn one_person_is_on_call_for_ever() {
    let overrides = vec![over("2026-12-01 00:00", "2026-12-05 00:00", "ann")];
    let rotation = Rotation::parse(Written { people: vec![person("ann")], overrides, ..weekly() }).unwrap();
    assert_eq!(said(&rotation, "2026-12-02T12:00:00Z"), "ann for ever");
    assert!(rotation.next_hand_overs(at("2026-12-02T12:00:00Z"), 5).is_empty());
}

#[test]
fn everything_that_is_wrong_is_said_together() {
    let overrides = vec![
        over("2026-12-24", "2026-12-27 00:00", "joe"),
        over("2026-12-24 12:00", "2026-12-24 12:00", "bob"),
        over("2026-12-24 25:00", "2026-12-24T12:00+01:00x", "bob"),
    ];
    let people = vec![person("ann"), person("bob"), person("ann")];
    let wrong = Written {
        people,
        every: DAY_AND_A_HALF,
        hand_over: "monday 9",
        timezone: "Mars",
        overrides,
        ..weekly()
    };
    let faults: Vec<String> = Rotation::parse(wrong).unwrap_err().iter().map(ToString::to_string).collect();
    let expected = [
        "`ann` is already one of the people",
        "`monday 9` is not a time of hand-over; write `mon 09:00`, or `09:00` if turns are days",
        "a turn takes whole days, at most a year: `1w`, `1d`",
        "unknown timezone `Mars`; write an IANA name like `Europe/Berlin` or `UTC`",
        "`joe` is not one of the people of this rotation",
        "`2026-12-24` is not a time; write `2026-12-24 18:00`, or an instant: `2026-12-24T18:00:00+01:00`",
        "it ends before it begins",
        "`2026-12-24 25:00` is not a time; write `2026-12-24 18:00`, or an instant: `2026-12-24T18:00:00+01:00`",
        "`2026-12-24T12:00+01:00x` is not a time; write `2026-12-24 18:00`, or an instant: \
         `2026-12-24T18:00:00+01:00`",
    ];
    assert_eq!(faults, expected);
    let wrong = Written { every: Duration::from_hours(24), starts: "2026-12-01", ..weekly() };
    let faults: Vec<String> = Rotation::parse(wrong).unwrap_err().iter().map(ToString::to_string).collect();
    let expected = [
        "a turn that is handed over on a weekday takes whole weeks: `1w`, `2w`",
        "2026-12-01 is a Tuesday, but turns begin on a Monday",
    ];
    assert_eq!(faults, expected);
}

const DAY_AND_A_HALF: Duration = Duration::from_hours(36);
