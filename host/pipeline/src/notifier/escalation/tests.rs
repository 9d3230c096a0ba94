use super::*;
use crate::fixtures::{self, episode, step};

fn rule(alert: &AlertSpec) -> RuleSpec {
    RuleSpec { alert: alert.clone(), ..fixtures::rule() }
}

/// For levels held by nothing but their escalation: window time plays no part.
fn clock(standing: &Standing, now: Timestamp) -> Clock<'_> {
    Clock { judged: Timestamp(0), now, standing }
}

fn on_time(episode: &mut EpisodeRecord, alert: &AlertSpec, now: Timestamp) -> Verdict {
    super::on_time(episode, &rule(alert), clock(&Standing::default(), now))
}

fn on_edit(episode: &EpisodeRecord, alert: &AlertSpec, now: Timestamp) -> Verdict {
    super::on_edit(&mut episode.clone(), &rule(alert), clock(&Standing::default(), now))
}

fn on_worse(episode: &mut EpisodeRecord, alert: &AlertSpec, before: Severity) -> Verdict {
    super::on_worse(episode, &rule(alert), clock(&Standing::default(), Timestamp(0)), before)
}

fn on_end(episode: &EpisodeRecord, alert: &AlertSpec, was_active: bool, now: Timestamp) -> Verdict {
    super::on_end(episode, Some(&rule(alert)), was_active, clock(&Standing::default(), now))
}

fn next_at(episode: &EpisodeRecord, alert: &AlertSpec) -> Option<Timestamp> {
    super::next_at(Of { spec: &rule(alert), episode, clock: clock(&Standing::default(), Timestamp(0)) })
}

fn minutes(count: i64) -> Timestamp {
    Timestamp(count * 60_000)
}

fn names(verdict: &Verdict) -> Vec<&str> {
    match verdict {
        Verdict::Send { to, .. } => to.iter().map(|name| name.0.as_str()).collect(),
        Verdict::Hold(_) => vec![],
    }
}

fn alert(steps: Vec<Step>) -> AlertSpec {
    AlertSpec { steps, ..AlertSpec::default() }
}

/// Chat at once, mail after 15 minutes, text message after 45 if critical; the last two unless acknowledged.
fn usual() -> AlertSpec {
    let mut sms = step(45, "sms", true);
    sms.severity = Some(Severity::Critical);
    alert(vec![step(0, "chat", false), step(15, "mail", true), sms])
}

fn opened() -> EpisodeRecord {
    episode(&usual().steps)
}

/// Fires the steps that are due at each of `at`, in minutes.
fn lived(alert: &AlertSpec, at: &[i64]) -> EpisodeRecord {
    let mut episode = episode(&alert.steps);
    for now in at.iter().map(|at| minutes(*at)) {
        if let Verdict::Send { to, step, .. } = on_time(&mut episode, alert, now) {
            notify(&mut episode, &to, step, now);
        }
    }
    episode
}

#[test]
fn it_gets_worse_step_by_step() {
    let (alert, mut episode) = (usual(), opened());
    let first = on_time(&mut episode, &alert, minutes(0));
    assert!(matches!(&first, Verdict::Send { cause: Cause::Opened, .. }), "{first:?}");
    assert_eq!(names(&first), ["chat"]);
    notify(&mut episode, &[DestinationName("chat".into())], None, minutes(0));
    assert_eq!(next_at(&episode, &alert), Some(minutes(15)));
    let until = minutes(15);
    let held = Verdict::Hold(HoldReason::StepLater { step: 1, until });
    assert_eq!(on_time(&mut episode, &alert, minutes(14)), held);
    let second = on_time(&mut episode, &alert, minutes(15));
    assert!(matches!(&second, Verdict::Send { cause: Cause::Escalated, .. }), "{second:?}");
    assert_eq!(names(&second), ["mail"]);
    notify(&mut episode, &[DestinationName("mail".into())], None, minutes(15));
    // The text message waits for a severity that was not reached.
    assert!(matches!(
        on_time(&mut episode, &alert, minutes(45)),
        Verdict::Hold(HoldReason::BelowSeverity { step: 2, .. })
    ));
    episode.severity = Severity::Critical;
    let worse = on_worse(&mut episode, &alert, Severity::Warning);
    assert_eq!(names(&worse), ["chat", "mail", "sms"]);
}

#[test]
fn downtime_never_starts_with_every_step_at_once() {
    let (alert, mut episode) = (usual(), opened());
    episode.severity = Severity::Critical;
    assert_eq!(names(&on_time(&mut episode, &alert, minutes(20))), ["mail"]);
    assert_eq!(next_at(&episode, &alert), Some(minutes(45)));
}

#[test]
fn an_acknowledged_episode_goes_no_further() {
    let (alert, mut episode) = (usual(), lived(&usual(), &[0]));
    episode.phase = Phase::Acknowledged { at: minutes(5), by: "ann".into() };
    assert_eq!(on_time(&mut episode, &alert, minutes(15)), Verdict::Hold(HoldReason::Acknowledged));
}

#[test]
fn worse_fires_the_steps_whose_severity_is_now_met_and_not_again_at_their_time() {
    let mut boss = step(60, "boss", false);
    boss.severity = Some(Severity::Warning);
    let mut alert = usual();
    alert.steps.push(boss);
    let mut episode = lived(&alert, &[0]);
    episode.severity = Severity::Critical;
    let worse = on_worse(&mut episode, &alert, Severity::Warning);
    assert!(matches!(&worse, Verdict::Send { cause: Cause::Worse, .. }), "{worse:?}");
    // Not boss: its step's severity was met all along.
    assert_eq!(names(&worse), ["chat", "sms"]);
    let Verdict::Send { to, step, .. } = worse else { panic!("{worse:?}") };
    notify(&mut episode, &to, step, minutes(5));
    assert_eq!(names(&on_time(&mut episode, &alert, minutes(15))), ["mail"]);
    assert_eq!(on_time(&mut episode, &alert, minutes(45)), Verdict::Hold(HoldReason::AlreadySent));
    assert_eq!(names(&on_time(&mut episode, &alert, minutes(60))), ["boss"]);
}

#[test]
fn who_acknowledged_a_warning_is_notified_that_it_is_critical() {
    let (alert, mut episode) = (usual(), lived(&usual(), &[0]));
    episode.phase = Phase::Acknowledged { at: minutes(5), by: "ann".into() };
    episode.severity = Severity::Critical;
    assert_eq!(names(&on_worse(&mut episode, &alert, Severity::Warning)), ["chat", "sms"]);
    assert_eq!(names(&on_time(&mut episode, &alert, minutes(15))), ["mail"], "it goes on");
}

#[test]
fn it_is_repeated_to_those_who_know() {
    let alert = AlertSpec { repeat: vec![Duration::from_mins(10)], ..usual() };
    let mut episode = lived(&alert, &[0]);
    let repeated = on_time(&mut episode, &alert, minutes(10));
    assert!(matches!(&repeated, Verdict::Send { cause: Cause::Repeat, .. }), "{repeated:?}");
    assert_eq!(names(&repeated), ["chat"]);
}

#[test]
fn the_end_is_sent_to_those_who_were_notified_of_the_beginning() {
    let (alert, known) = (usual(), lived(&usual(), &[0]));
    assert_eq!(names(&on_end(&known, &alert, true, minutes(3))), ["chat"]);
    // Nobody was notified while it lasted: one message says that it came and went.
    let was = on_end(&opened(), &alert, true, minutes(3));
    assert!(matches!(&was, Verdict::Send { cause: Cause::Was, .. }), "{was:?}");
    // It was never announced.
    assert_eq!(on_end(&opened(), &alert, false, minutes(3)), Verdict::Hold(HoldReason::NobodyNotified));
}

#[test]
fn a_step_that_comes_too_late_fires_once_to_those_not_yet_notified() {
    let before = alert(vec![step(0, "chat", false), step(15, "mail", true)]);
    let episode = lived(&before, &[0, 15]);
    // A receiver was added to the first step, and two steps were inserted.
    let mut first = step(0, "chat", false);
    first.to.push(DestinationName("ann".into()));
    let after = alert(vec![first, step(5, "ben", false), step(10, "mail", false), step(15, "mail", true)]);
    let late = on_edit(&episode, &after, minutes(20));
    assert!(
        matches!(
            &late,
            Verdict::Send { cause: Cause::Escalated, reason: SendReason::StepAdded { step: 1 }, .. }
        ),
        "{late:?}"
    );
    assert_eq!(names(&late), ["ben"], "mail was notified, and ann's step is earlier");
    let receiver_alone = alert(vec![after.steps[0].clone(), step(15, "mail", true)]);
    assert_eq!(names(&on_edit(&episode, &receiver_alone, minutes(20))), ["ann"]);
}

#[test]
fn a_step_that_was_in_force_before_is_no_edit() {
    let before = alert(vec![step(0, "chat", false), step(5, "mail", false), step(10, "sms", false)]);
    // The host was down, so mail was skipped.
    let episode = lived(&before, &[12]);
    assert_eq!(names(&on_edit(&episode, &before, minutes(12))), [""; 0]);
    let later = alert([before.steps.clone(), vec![step(60, "boss", false)]].concat());
    let until = minutes(60);
    assert_eq!(
        on_edit(&episode, &later, minutes(12)),
        Verdict::Hold(HoldReason::StepLater { step: 3, until })
    );
}

#[test]
fn an_edit_notifies_of_neither_an_old_nor_an_acknowledged_episode() {
    let mut episode = lived(&alert(vec![step(0, "chat", false)]), &[0]);
    let after = alert(vec![step(0, "chat", false), step(5, "mail", false)]);
    let day = minutes(24 * 60);
    assert_eq!(names(&on_edit(&episode, &after, day - Duration(1))), ["mail"]);
    assert_eq!(on_edit(&episode, &after, day), Verdict::Hold(HoldReason::TooOld { step: 1 }));
    episode.phase = Phase::Acknowledged { at: minutes(5), by: "ann".into() };
    assert_eq!(on_edit(&episode, &after, minutes(9)), Verdict::Hold(HoldReason::Acknowledged));
}

#[test]
fn who_is_no_longer_named_is_notified_of_the_end_alone() {
    let mut before = usual();
    before.repeat = vec![Duration::from_mins(1)];
    let mut episode = lived(&before, &[0, 15]);
    episode.severity = Severity::Critical;
    let after = AlertSpec { repeat: before.repeat.clone(), ..alert(vec![step(15, "mail", true)]) };
    assert_eq!(names(&on_time(&mut episode, &after, minutes(20))), ["mail"]);
    assert_eq!(names(&on_worse(&mut episode, &after, Severity::Warning)), ["mail"]);
    assert_eq!(names(&on_end(&episode, &after, true, minutes(20))), ["chat", "mail"]);
    let nobody = AlertSpec { repeat: before.repeat.clone(), ..AlertSpec::default() };
    assert_eq!(next_at(&episode, &nobody), None);
}

#[test]
fn what_was_resolved_by_hand_is_quiet() {
    let alert = AlertSpec { repeat: vec![Duration::from_mins(1)], ..usual() };
    let mut episode = lived(&alert, &[0]);
    episode.phase = Phase::ResolvedByHand { at: minutes(1), by: "ann".into() };
    let quiet = Verdict::Hold(HoldReason::ResolvedByHand);
    assert_eq!(on_time(&mut episode, &alert, minutes(50)), quiet);
    assert_eq!(on_worse(&mut episode, &alert, Severity::Info), quiet);
    assert_eq!(on_edit(&episode, &usual(), minutes(50)), quiet);
    assert_eq!(next_at(&episode, &alert), None);
}
