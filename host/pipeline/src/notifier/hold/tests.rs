use watchbell_contract::{Duration, Severity};

use crate::active::{Active, Outside, Written};
use crate::fixtures::{self, episode, step};
use crate::level;
use crate::maintenance::{HoldsSpec, Inhibition, Maintenance, Span};
use crate::matcher::Matcher;
use crate::record::{EpisodeId, PauseRecord, Phase, SilenceId, SilenceRecord, SilenceSpec};
use crate::spec::{AlertSpec, RuleName};

use super::super::standing::Standing;
use super::*;

const MINUTE: Duration = Duration::from_mins(1);

/// One step at once, and one for critical episodes unless acknowledged.
fn spec() -> RuleSpec {
    let mut last = step(5, "sms", true);
    last.severity = Some(Severity::Critical);
    let alert = AlertSpec { steps: vec![step(0, "chat", false), last], ..AlertSpec::default() };
    RuleSpec { alert, ..fixtures::rule() }
}

/// The names of what holds the opening, the first and last step, a rise in severity and a repeat, before any window was
/// evaluated.
fn held(spec: &RuleSpec, phase: Phase, severity: Severity) -> [Option<&'static str>; 5] {
    let episode = EpisodeRecord { phase, severity, ..episode(&spec.alert.steps) };
    let standing = Standing::default();
    let of = Of { spec, episode: &episode, clock: clock(&standing, Timestamp(0)) };
    let steps = &spec.alert.steps;
    [
        What::Opening(of),
        What::Step(of, 0, &steps[0]),
        What::Step(of, 1, &steps[1]),
        What::Worse(of),
        What::Repeat(of),
    ]
    .map(|what| first(&what).map(|reason| reason.name()))
}

fn clock(standing: &Standing, judged: Timestamp) -> Clock<'_> {
    Clock { judged, now: Timestamp(0), standing }
}

fn at(by: &str) -> (Timestamp, String) {
    (Timestamp(1), by.into())
}

/// From 08:00 UTC on; the epoch is before that.
fn hours() -> Option<Active> {
    let hours = ["08:00-18:00".to_owned()];
    let outside = Outside::Skip;
    Active::parse(Written { hours: &hours, days: &[], holidays: &[], timezone: "UTC", outside }).ok()
}

#[test]
fn what_each_reason_does_to_what() {
    let (spec, critical) = (spec(), Severity::Critical);
    let with_for = |hold, active| {
        let alert = AlertSpec { hold, ..spec.alert.clone() };
        RuleSpec { alert, active, ..spec.clone() }
    };
    let all = |reason: &'static str| [Some(reason); 5];
    assert_eq!(held(&spec, Phase::Active, critical), [None; 5]);
    assert_eq!(held(&with_for(MINUTE, None), Phase::Pending, critical), all("pending"));
    assert_eq!(held(&with_for(Duration::ZERO, hours()), Phase::Pending, critical), all("inactive"));
    let (at, by) = at("ann");
    assert_eq!(held(&spec, Phase::ResolvedByHand { at, by: by.clone() }, critical), all("resolved_by_hand"));
    let below = [None, None, Some("below_severity"), None, None];
    assert_eq!(held(&spec, Phase::Active, Severity::Warning), below);
    let acknowledged = [None, None, Some("acknowledged"), None, Some("acknowledged")];
    assert_eq!(held(&spec, Phase::Acknowledged { at, by }, critical), acknowledged);
}

#[test]
fn the_first_reason_is_given_and_the_others_are_listed_after_it() {
    let alert = AlertSpec { hold: MINUTE, ..spec().alert };
    let spec = RuleSpec { alert, active: hours(), ..spec() };
    let episode = EpisodeRecord { phase: Phase::Pending, ..episode(&spec.alert.steps) };
    let standing = Standing::default();
    let of = |judged| Of { spec: &spec, episode: &episode, clock: clock(&standing, judged) };
    let names =
        |judged| -> Vec<&str> { all(&What::Opening(of(judged))).iter().map(HoldReason::name).collect() };
    assert_eq!(names(Timestamp(0)), ["pending", "inactive"]);
    assert_eq!(
        first(&What::Opening(of(Timestamp(0)))),
        Some(HoldReason::Pending { until: Timestamp(60_000) })
    );
    assert_eq!(names(Timestamp(60_000)), ["inactive"], "`for` has passed");
}

#[test]
fn an_event_is_held_by_the_hours_alone() {
    let spec = RuleSpec { active: hours(), ..spec() };
    let until = Some(Timestamp(8 * 3_600_000));
    let standing = Standing::default();
    let event = |at| {
        let clock = clock(&standing, Timestamp(0));
        What::Event(Event { spec: &spec, labels: &[], severity: spec.severity, at, clock })
    };
    assert_eq!(all(&event(Timestamp(0))), [HoldReason::Inactive { until }]);
    assert_eq!(all(&event(Timestamp(9 * 3_600_000))), []);
}

/// The names of the holds, in the order of `HOLDS`, as `held_by` makes each of them apply to the last step.
const NAMES: [&str; 11] = [
    "pending",
    "inactive",
    "resolved_by_hand",
    "paused",
    "silenced",
    "maintenance",
    "inhibited",
    "told_once",
    "below_severity",
    "acknowledged",
    "step_hours",
];

/// Those that no episode can have together: each is a phase of its own.
fn is_possible(one: &str, other: &str) -> bool {
    let phase = |name: &str| match name {
        "pending" | "inactive" => 1,
        "resolved_by_hand" => 2,
        "acknowledged" => 3,
        _ => 0,
    };
    let phases = (phase(one), phase(other));
    // A rule that cannot run never waits for `for` or its hours.
    if (phases.0 == 1 && other == "told_once") || (phases.1 == 1 && one == "told_once") {
        return false;
    }
    phases.0 == phases.1 || phases.0 == 0 || phases.1 == 0
}

/// What holds the last step if all of `reasons` apply, in order.
fn held_by(reasons: &[&str]) -> Vec<&'static str> {
    let is = |name: &str| reasons.contains(&name);
    let mut spec = spec();
    let mut episode = episode(&spec.alert.steps);
    let (since, until) = (Timestamp(-1), Timestamp(1));
    let (pause, mut silences) = (PauseRecord { since, until, reason: "r".into(), by: "ann".into() }, vec![]);
    let matchers = vec![Matcher::parse("rule=rule").unwrap()];
    let mut holds = HoldsSpec::default();
    if is("pending") || is("inactive") {
        episode.phase = Phase::Pending;
        spec.alert.hold = if is("pending") { MINUTE } else { Duration::ZERO };
    }
    spec.active = if is("inactive") { hours() } else { None };
    if is("resolved_by_hand") {
        episode.phase = Phase::ResolvedByHand { at: since, by: "ann".into() };
    }
    if is("acknowledged") {
        episode.phase = Phase::Acknowledged { at: since, by: "ann".into() };
    }
    if is("silenced") {
        let of = SilenceSpec { matchers: matchers.clone(), from: since, until, reason: "r".into() };
        silences.push(SilenceRecord { id: SilenceId("s".into()), spec: of, by: "ann".into(), at: since });
    }
    if is("maintenance") {
        let when = Span::Once { from: since, until };
        holds.maintenance.push(Maintenance { name: "m".into(), matchers: matchers.clone(), when });
    }
    if is("inhibited") {
        let source = vec![Matcher::parse("rule=source").unwrap()];
        let wait = Duration::ZERO;
        holds.inhibitions.push(Inhibition { source, target: matchers, equal: Vec::new(), wait });
    }
    if is("told_once") {
        (episode.labels, episode.ordinal) = (level::cannot_run_labels(), 1);
    }
    episode.severity = if is("below_severity") { Severity::Warning } else { Severity::Critical };
    spec.alert.steps[1].when = if is("step_hours") { hours() } else { None };
    let mut standing = Standing::new(silences, is("paused").then_some(pause), since);
    standing.configure(holds);
    let source = RuleName("source".into());
    let subject = Subject { rule: &source, owner: None, severity: Severity::Info, labels: &[] };
    standing.note(&EpisodeId("source".into()), &subject, true);
    let of = Of { spec: &spec, episode: &episode, clock: clock(&standing, Timestamp(0)) };
    all(&What::Step(of, 1, &spec.alert.steps[1])).iter().map(HoldReason::name).collect()
}

#[test]
fn every_hold_alone_and_every_pair_of_them_is_said_in_order() {
    assert_eq!(held_by(&[]), [""; 0]);
    let mut pairs = 0;
    for (place, one) in NAMES.iter().enumerate() {
        assert_eq!(held_by(&[one]), [*one]);
        for other in NAMES.iter().skip(place + 1).filter(|other| is_possible(one, other)) {
            assert_eq!(held_by(&[one, other]), [*one, *other]);
            pairs += 1;
        }
    }
    assert_eq!((NAMES.len(), pairs), (HOLDS.len(), 48));
}
