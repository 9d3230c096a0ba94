use watchbell_contract::Severity;

use crate::active::{Active, Outside, Written};
use crate::fixtures::{self, episode, step};
use crate::matcher::Matcher;
use crate::oncall::{self, Person, Rotation};
use crate::record::{EpisodeId, SilenceId, SilenceSpec};
use crate::spec::AlertSpec;

use super::*;

fn minutes(count: i64) -> Timestamp {
    Timestamp(count * 60_000)
}

/// Chat at once, mail after 15 minutes unless acknowledged, text message after 45 if critical; every 2 hours again.
fn spec() -> RuleSpec {
    let mut sms = step(45, "sms", true);
    sms.severity = Some(Severity::Critical);
    let alert = AlertSpec {
        steps: vec![step(0, "chat", false), step(15, "mail", true), sms],
        repeat: vec![Duration::from_hours(2)],
        ..AlertSpec::default()
    };
    RuleSpec { alert, ..fixtures::rule() }
}

/// With the first step done, at 0.
fn announced(spec: &RuleSpec) -> EpisodeRecord {
    let mut episode = episode(&spec.alert.steps);
    let first = &spec.alert.steps[0];
    episode.stepped_until = Some(Timestamp(0));
    escalation::notify(&mut episode, &first.to, Some(first.id()), Timestamp(0));
    episode
}

fn silence(name: &str, from: i64, until: i64) -> SilenceRecord {
    SilenceRecord {
        id: SilenceId(name.into()),
        spec: SilenceSpec {
            matchers: vec![Matcher::parse("rule=rule").unwrap()],
            from: minutes(from),
            until: minutes(until),
            reason: "works".into(),
        },
        by: "ann".into(),
        at: minutes(from),
    }
}

fn around(silences: Vec<SilenceRecord>, holds: HoldsSpec) -> Surroundings {
    Surroundings::new(holds, silences, None, minutes(1))
}

fn alone() -> Surroundings {
    around(Vec::new(), HoldsSpec::default())
}

/// `minute cause to`, at minute 1.
fn coming(around: &Surroundings, spec: &RuleSpec, episode: &EpisodeRecord) -> Vec<String> {
    let outlook = around.outlook(spec, episode, minutes(1), minutes(1), 4);
    let said = |found: &Announcement| {
        let to: Vec<&str> = found.to.iter().map(|name| name.0.as_str()).collect();
        format!("{} {} {}", found.at.0 / 60_000, found.cause.as_str(), to.join(" "))
    };
    outlook.coming.iter().map(said).collect()
}

fn hours(span: &str) -> Active {
    let hours = [span.to_owned()];
    Active::parse(Written {
        hours: &hours,
        days: &[],
        holidays: &[],
        timezone: "UTC",
        outside: Outside::Skip,
    })
    .unwrap()
}

#[test]
fn steps_and_repeats_come_and_what_is_not_severe_enough_does_not() {
    let (spec, around) = (spec(), alone());
    let open = announced(&spec);
    assert_eq!(
        coming(&around, &spec, &open),
        ["15 escalated mail", "135 repeat chat mail", "255 repeat chat mail", "375 repeat chat mail"]
    );
    let outlook = around.outlook(&spec, &open, minutes(1), minutes(1), 4);
    let states: Vec<&StepState> = outlook.steps.iter().map(|step| &step.state).collect();
    assert_eq!(states[0], &StepState::Fired { at: Timestamp(0) });
    assert_eq!(states[1], &StepState::Coming { at: Some(minutes(15)) });
    assert!(matches!(states[2], StepState::Dropped { why: HoldReason::BelowSeverity { .. } }), "{states:?}");
    assert_eq!(outlook.waits, Some(HoldReason::StepLater { step: 1, until: minutes(15) }));
    let next = around.next_step(&spec, &open, minutes(1), minutes(1)).unwrap();
    assert_eq!((next.0, next.1), (1, Some(minutes(15))));
}

#[test]
fn an_acknowledgement_drops_steps_until_it_expires_and_the_clock_goes_on_from_there() {
    let spec = spec();
    let mut taken = announced(&spec);
    taken.phase = Phase::Acknowledged { at: minutes(1), by: "ann".into() };
    assert!(coming(&alone(), &spec, &taken).is_empty(), "it lasts for ever");
    assert_eq!(alone().next_step(&spec, &taken, minutes(1), minutes(1)), None);
    taken.progress.acknowledged_until = Some(minutes(61));
    taken.progress.acknowledged_clock = Some(Duration::from_mins(1));
    // 14 minutes of the first 15 are left.
    assert_eq!(coming(&alone(), &spec, &taken)[..2], ["61 repeat chat", "75 escalated mail"]);
}

#[test]
fn a_step_waits_for_its_hours_and_one_that_waits_already_is_next() {
    let mut spec = spec();
    spec.alert.steps[1].when = Some(hours("08:00-18:00"));
    spec.alert.repeat.clear();
    let mut open = announced(&spec);
    assert_eq!(coming(&alone(), &spec, &open), ["480 escalated mail"]);
    // The same later, when its time has come and it waits.
    open.stepped_until = Some(minutes(15));
    open.progress.late = vec![spec.alert.steps[1].id()];
    let next = alone().next_step(&spec, &open, minutes(20), minutes(20)).unwrap();
    assert_eq!((next.0, next.1), (1, Some(minutes(480))));
}

#[test]
fn a_silence_shifts_what_comes_and_its_end_is_known() {
    let spec = spec();
    let open = announced(&spec);
    let around = around(vec![silence("later", 600, 700), silence("now", 0, 31)], HoldsSpec::default());
    // From minute 1, where it is first seen, to its end.
    assert_eq!(coming(&around, &spec, &open)[0], "45 escalated mail");
    let outlook = around.outlook(&spec, &open, minutes(1), minutes(1), 1);
    assert_eq!(
        outlook.holds,
        [HoldReason::Silenced { silence: SilenceId("now".into()), until: minutes(31) }]
    );
    let names: Vec<&str> = outlook.silences.iter().map(|silence| silence.id.0.as_str()).collect();
    assert_eq!(names, ["now", "later"]);
}

#[test]
fn a_rotation_is_whoever_is_on_call_when_the_step_fires() {
    let person =
        |name: &str| Person { name: name.into(), destination: DestinationName(format!("{name}-sms")) };
    let rotation = Rotation::parse(oncall::Written {
        name: "mail",
        people: vec![person("ann"), person("bob")],
        every: Duration::from_hours(24),
        hand_over: "00:10",
        starts: "1969-12-31",
        timezone: "UTC",
        overrides: Vec::new(),
    })
    .unwrap();
    let holds = HoldsSpec { rotations: vec![rotation], ..HoldsSpec::default() };
    let spec = spec();
    // At minute 1 ann is on call, from minute 10 on bob is.
    assert_eq!(coming(&around(Vec::new(), holds), &spec, &announced(&spec))[0], "15 escalated bob-sms");
}

#[test]
fn while_another_episode_mutes_it_nobody_knows_when() {
    let spec = spec();
    let open = announced(&spec);
    let inhibition = crate::maintenance::Inhibition {
        source: vec![Matcher::parse("rule=cluster").unwrap()],
        target: vec![Matcher::parse("rule=rule").unwrap()],
        equal: Vec::new(),
        wait: Duration::ZERO,
    };
    let mut around = around(Vec::new(), HoldsSpec { inhibitions: vec![inhibition], ..HoldsSpec::default() });
    assert!(around.has_inhibitions());
    let above = RuleSpec { name: crate::spec::RuleName("cluster".into()), ..fixtures::rule() };
    around.add(&above, &EpisodeRecord { id: EpisodeId("above".into()), ..episode(&[]) });
    let mut open = open;
    open.progress.held = Some(crate::record::Standstill { since: Timestamp(0), until: None });
    assert!(coming(&around, &spec, &open).is_empty());
    let next = around.next_step(&spec, &open, minutes(1), minutes(1)).unwrap();
    assert_eq!(next, (1, None, vec![DestinationName("mail".into())]));
    assert_eq!(
        around.outlook(&spec, &open, minutes(1), minutes(1), 4).holds,
        [HoldReason::Inhibited { by: EpisodeId("above".into()) }]
    );
}

#[test]
fn an_episode_that_has_not_begun_is_announced_when_for_has_passed() {
    let mut spec = spec();
    spec.alert.hold = Duration::from_mins(5);
    let pending = EpisodeRecord { phase: Phase::Pending, ..episode(&spec.alert.steps) };
    assert_eq!(coming(&alone(), &spec, &pending)[..2], ["5 opened chat", "20 escalated mail"]);
    let ended = EpisodeRecord {
        phase: Phase::Resolved { at: minutes(1), why: crate::record::Ending::Lapsed },
        ..announced(&spec)
    };
    let outlook = alone().outlook(&spec, &ended, minutes(1), minutes(1), 4);
    assert!(outlook.coming.is_empty() && outlook.holds.is_empty() && outlook.waits.is_none());
    assert_eq!(outlook.steps[1].state, StepState::Over);
}
