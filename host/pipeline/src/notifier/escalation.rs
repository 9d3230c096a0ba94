//! Who is told of an episode, and when. Escalation runs on wall time from the commit that opened it, by the steps that
//! are in force now: an edit of the rule is an edit of its open episodes.
use std::ops::Range;

use watchbell_contract::{Cause, Duration, Severity, Timestamp};

use crate::reason::Because;
use crate::record::{Ending, EpisodeRecord, Notified, Phase};
use crate::spec::{AlertSpec, DestinationName, Step, StepId};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Send {
        cause: Cause,
        to: Vec<DestinationName>,
        /// The step that brings it.
        step: Option<StepId>,
        because: Because,
    },
    Hold(Because),
}

/// An older episode is not told of by a step that an edit put in its past.
const EDIT_AGE_MAX: Duration = Duration::from_hours(24);

/// What time demands of an open episode. Marks the steps that are due as done.
pub(crate) fn on_time(episode: &mut EpisodeRecord, alert: &AlertSpec, now: Timestamp) -> Verdict {
    match episode.phase {
        Phase::Pending => return Verdict::Hold(Because::Pending { until: episode.until }),
        Phase::ResolvedByHand { .. } => return Verdict::Hold(Because::ResolvedByHand),
        _ => {}
    }
    let due = due_steps(episode, &alert.steps, now);
    if let Some(last) = due.clone().last() {
        episode.stepped_until = Some(now);
        // After downtime several steps are due at once: only the latest that may fire does.
        return match latest_eligible(episode, &alert.steps[due]) {
            Some((step, to)) => {
                let because = match episode.ordinal {
                    0 => Because::FirstSignal,
                    _ => Because::StepDue { step: last as u32 },
                };
                Verdict::Send { cause: begins(episode), to, step: Some(step), because }
            }
            None => Verdict::Hold(refusal(episode, alert, last)),
        };
    }
    if is_repeat_due(episode, alert, now) {
        return repeat(episode, alert);
    }
    Verdict::Hold(waiting(episode, alert))
}

fn repeat(episode: &EpisodeRecord, alert: &AlertSpec) -> Verdict {
    let to = still_named(episode, alert);
    Verdict::Send { cause: Cause::Repeat, to, step: None, because: Because::RepeatDue }
}

/// What an edit demands of an open episode: of the steps that are new and past already, the latest that may fire
/// does, to those who have not heard; else a `repeat` that is due by now. `on_time` comes first, with what was in force
/// before.
pub(crate) fn on_edit(episode: &EpisodeRecord, alert: &AlertSpec, now: Timestamp) -> Verdict {
    match step_added(episode, alert, now) {
        Verdict::Hold(_) if is_repeat_due(episode, alert, now) => repeat(episode, alert),
        verdict => verdict,
    }
}

fn step_added(episode: &EpisodeRecord, alert: &AlertSpec, now: Timestamp) -> Verdict {
    let past = due_until(episode, &alert.steps, Some(now));
    let new = alert.steps[..past].iter().enumerate().filter(|(_, step)| !episode.steps.contains(&step.id()));
    let new: Vec<(usize, &Step)> = new.collect();
    let Some((last, _)) = new.last() else { return Verdict::Hold(waiting(episode, alert)) };
    if episode.phase != Phase::Active {
        return Verdict::Hold(refusal(episode, alert, *last));
    }
    if now.since(episode.opened_at) >= EDIT_AGE_MAX {
        return Verdict::Hold(Because::TooOld { step: *last as u32 });
    }
    for (index, step) in new.iter().rev().filter(|(_, step)| eligible(episode, step)) {
        let mut to = Vec::new();
        let instant = new.iter().filter(|(_, other)| other.after == step.after && eligible(episode, other));
        let names = instant.flat_map(|(_, step)| &step.to);
        names.filter(|name| !has_heard(episode, name)).for_each(|name| push_new(&mut to, name));
        if !to.is_empty() {
            let because = Because::StepAdded { step: *index as u32 };
            return Verdict::Send { cause: begins(episode), to, step: Some(step.id()), because };
        }
    }
    Verdict::Hold(refusal(episode, alert, *last))
}

/// Its severity rose from `before`: those who know are told again, and every step that asks for a severity which is now
/// met fires at once, whatever its `after`. Who acknowledged it has not seen that it is this grave.
pub(crate) fn on_worse(episode: &mut EpisodeRecord, alert: &AlertSpec, before: Severity) -> Verdict {
    match episode.phase {
        Phase::ResolvedByHand { .. } => return Verdict::Hold(Because::ResolvedByHand),
        Phase::Acknowledged { .. } => episode.phase = Phase::Active,
        _ => {}
    }
    let passed = due_until(episode, &alert.steps, episode.stepped_until);
    let mut to = still_named(episode, alert);
    let mut by = None;
    for (index, step) in alert.steps.iter().enumerate() {
        let is_met = |least: Severity| before < least && least <= episode.severity;
        if !step.severity.is_some_and(is_met) {
            continue;
        }
        by = Some(step.id());
        step.to.iter().for_each(|name| push_new(&mut to, name));
        if index >= passed {
            episode.early.push(step.id());
        }
    }
    if to.is_empty() {
        return Verdict::Hold(Because::NobodyWasTold);
    }
    let cause = if episode.ordinal == 0 { Cause::Opened } else { Cause::Worse };
    Verdict::Send { cause, to, step: by, because: Because::Worse(episode.severity) }
}

/// It ended: those who heard of it hear that, whether the rule still names them or not. If nobody did, and somebody
/// should have by now, one message says that it was.
pub(crate) fn on_end(
    episode: &EpisodeRecord,
    alert: &AlertSpec,
    was_active: bool,
    now: Timestamp,
) -> Verdict {
    if !episode.told.is_empty() {
        let to = episode.told.iter().map(|told| told.destination.clone()).collect();
        return Verdict::Send { cause: Cause::Resolved, to, step: None, because: Because::Ended };
    }
    let rule_ended = matches!(episode.phase, Phase::Resolved { why: Ending::RuleEnded, .. });
    if was_active
        && !rule_ended
        && episode.ordinal == 0
        && let Some((step, to)) =
            latest_eligible(episode, &alert.steps[due_steps(episode, &alert.steps, now)])
    {
        return Verdict::Send { cause: Cause::Was, to, step: Some(step), because: Because::CameAndWent };
    }
    Verdict::Hold(Because::NobodyWasTold)
}

/// Whom an event reaches: the first step, at once; it has no lifecycle to escalate.
pub(crate) fn on_event(steps: &[Step], severity: Severity) -> Verdict {
    let mut to = Vec::new();
    let first = steps.first().map(|step| step.after);
    for step in steps.iter().take_while(|step| Some(step.after) == first) {
        if step.severity.is_none_or(|least| severity >= least) {
            step.to.iter().for_each(|name| push_new(&mut to, name));
        }
    }
    if to.is_empty() {
        return Verdict::Hold(Because::NobodyToTell);
    }
    Verdict::Send { cause: Cause::Event, to, step: None, because: Because::SignalOnce }
}

/// When `on_time` has something to say again.
pub(crate) fn next_at(episode: &EpisodeRecord, alert: &AlertSpec) -> Option<Timestamp> {
    if !matches!(episode.phase, Phase::Active | Phase::Acknowledged { .. }) {
        return None;
    }
    let step = next_step(episode, alert).map(|(_, until)| until);
    [step, repeat_at(episode, alert)].into_iter().flatten().min()
}

/// Notes that `to` were told, by `step` if one brought it.
pub(crate) fn told(
    episode: &mut EpisodeRecord,
    to: &[DestinationName],
    step: Option<StepId>,
    now: Timestamp,
) {
    for destination in to {
        if !has_heard(episode, destination) {
            episode.told.push(Notified { destination: destination.clone(), at: now, step });
        }
    }
    episode.announced_at = Some(now);
    episode.ordinal += 1;
}

/// The steps of a rule, as an episode knows them.
pub(crate) fn step_ids(alert: &AlertSpec) -> Vec<StepId> {
    alert.steps.iter().map(Step::id).collect()
}

pub(crate) fn has_heard(episode: &EpisodeRecord, name: &DestinationName) -> bool {
    episode.told.iter().any(|told| told.destination == *name)
}

/// How many steps were due by `until`.
fn due_until(episode: &EpisodeRecord, steps: &[Step], until: Option<Timestamp>) -> usize {
    steps.partition_point(|step| until.is_some_and(|until| episode.opened_at + step.after <= until))
}

/// The steps that are due and not done.
fn due_steps(episode: &EpisodeRecord, steps: &[Step], now: Timestamp) -> Range<usize> {
    let done = due_until(episode, steps, episode.stepped_until);
    done..due_until(episode, steps, Some(now)).max(done)
}

fn next_step(episode: &EpisodeRecord, alert: &AlertSpec) -> Option<(usize, Timestamp)> {
    let next = due_until(episode, &alert.steps, episode.stepped_until);
    alert.steps.get(next).map(|step| (next, episode.opened_at + step.after))
}

/// The latest of `steps` that may fire, and its destinations with those of the same instant.
fn latest_eligible(episode: &EpisodeRecord, steps: &[Step]) -> Option<(StepId, Vec<DestinationName>)> {
    let latest = steps.iter().rfind(|step| eligible(episode, step))?;
    let mut to = Vec::new();
    for step in steps.iter().filter(|step| step.after == latest.after && eligible(episode, step)) {
        step.to.iter().for_each(|name| push_new(&mut to, name));
    }
    (!to.is_empty()).then(|| (latest.id(), to))
}

fn eligible(episode: &EpisodeRecord, step: &Step) -> bool {
    let acknowledged = matches!(episode.phase, Phase::Acknowledged { .. });
    !(step.unless_acknowledged && acknowledged)
        && step.severity.is_none_or(|least| episode.severity >= least)
        && !episode.early.iter().any(|early| *early == step.id())
}

/// Those who heard of it and are still destinations of the rule: the others hear of its end alone.
pub(crate) fn still_named(episode: &EpisodeRecord, alert: &AlertSpec) -> Vec<DestinationName> {
    let names = episode.told.iter().map(|told| &told.destination);
    names.filter(|name| alert.steps.iter().any(|step| step.to.contains(name))).cloned().collect()
}

fn begins(episode: &EpisodeRecord) -> Cause {
    if episode.ordinal == 0 { Cause::Opened } else { Cause::Escalated }
}

pub(crate) fn is_repeat_due(episode: &EpisodeRecord, alert: &AlertSpec, now: Timestamp) -> bool {
    repeat_at(episode, alert).is_some_and(|at| at <= now)
}

fn repeat_at(episode: &EpisodeRecord, alert: &AlertSpec) -> Option<Timestamp> {
    if episode.phase != Phase::Active || still_named(episode, alert).is_empty() {
        return None;
    }
    Some(episode.announced_at? + alert.repeat?)
}

fn refusal(episode: &EpisodeRecord, alert: &AlertSpec, step: usize) -> Because {
    match alert.steps.get(step).and_then(|step| step.severity) {
        Some(severity) if episode.severity < severity => {
            Because::BelowSeverity { step: step as u32, severity }
        }
        _ => match episode.phase {
            Phase::Acknowledged { .. } => Because::Acknowledged,
            Phase::ResolvedByHand { .. } => Because::ResolvedByHand,
            _ if episode.told.is_empty() => Because::NobodyToTell,
            _ => Because::AlreadySent,
        },
    }
}

/// Why an open episode sends nothing now.
pub(crate) fn waiting(episode: &EpisodeRecord, alert: &AlertSpec) -> Because {
    if matches!(episode.phase, Phase::ResolvedByHand { .. }) {
        return Because::ResolvedByHand;
    }
    if let Some((step, until)) = next_step(episode, alert) {
        return Because::StepLater { step: step as u32, until };
    }
    match repeat_at(episode, alert) {
        Some(until) => Because::RepeatLater { until },
        None if alert.steps.is_empty() => Because::NobodyToTell,
        None if matches!(episode.phase, Phase::Acknowledged { .. }) => Because::Acknowledged,
        None => Because::AlreadySent,
    }
}

fn push_new(names: &mut Vec<DestinationName>, name: &DestinationName) {
    if !names.contains(name) {
        names.push(name.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{episode, step};

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

    /// Lets the steps fire that are due at each of `at`, in minutes.
    fn lived(alert: &AlertSpec, at: &[i64]) -> EpisodeRecord {
        let mut episode = episode(&alert.steps);
        for now in at.iter().map(|at| minutes(*at)) {
            if let Verdict::Send { to, step, .. } = on_time(&mut episode, alert, now) {
                told(&mut episode, &to, step, now);
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
        told(&mut episode, &[DestinationName("chat".into())], None, minutes(0));
        assert_eq!(next_at(&episode, &alert), Some(minutes(15)));
        let until = minutes(15);
        let held = Verdict::Hold(Because::StepLater { step: 1, until });
        assert_eq!(on_time(&mut episode, &alert, minutes(14)), held);
        let second = on_time(&mut episode, &alert, minutes(15));
        assert!(matches!(&second, Verdict::Send { cause: Cause::Escalated, .. }), "{second:?}");
        assert_eq!(names(&second), ["mail"]);
        told(&mut episode, &[DestinationName("mail".into())], None, minutes(15));
        // The text message waits for a severity that is not there.
        assert!(matches!(
            on_time(&mut episode, &alert, minutes(45)),
            Verdict::Hold(Because::BelowSeverity { step: 2, .. })
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
        assert_eq!(on_time(&mut episode, &alert, minutes(15)), Verdict::Hold(Because::Acknowledged));
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
        // Not boss, whose step had its severity all along.
        assert_eq!(names(&worse), ["chat", "sms"]);
        let Verdict::Send { to, step, .. } = worse else { panic!("{worse:?}") };
        told(&mut episode, &to, step, minutes(5));
        assert_eq!(names(&on_time(&mut episode, &alert, minutes(15))), ["mail"]);
        assert_eq!(on_time(&mut episode, &alert, minutes(45)), Verdict::Hold(Because::AlreadySent));
        assert_eq!(names(&on_time(&mut episode, &alert, minutes(60))), ["boss"]);
    }

    #[test]
    fn who_acknowledged_a_warning_is_told_that_it_is_critical() {
        let (alert, mut episode) = (usual(), lived(&usual(), &[0]));
        episode.phase = Phase::Acknowledged { at: minutes(5), by: "ann".into() };
        episode.severity = Severity::Critical;
        assert_eq!(names(&on_worse(&mut episode, &alert, Severity::Warning)), ["chat", "sms"]);
        assert_eq!(names(&on_time(&mut episode, &alert, minutes(15))), ["mail"], "it goes on");
    }

    #[test]
    fn it_is_repeated_to_those_who_know() {
        let alert = AlertSpec { repeat: Some(Duration::from_mins(10)), ..usual() };
        let mut episode = lived(&alert, &[0]);
        let repeated = on_time(&mut episode, &alert, minutes(10));
        assert!(matches!(&repeated, Verdict::Send { cause: Cause::Repeat, .. }), "{repeated:?}");
        assert_eq!(names(&repeated), ["chat"]);
    }

    #[test]
    fn the_end_is_told_to_those_who_heard_the_beginning() {
        let (alert, known) = (usual(), lived(&usual(), &[0]));
        assert_eq!(names(&on_end(&known, &alert, true, minutes(3))), ["chat"]);
        // Nobody was told while it lasted: one message says that it was.
        let was = on_end(&opened(), &alert, true, minutes(3));
        assert!(matches!(&was, Verdict::Send { cause: Cause::Was, .. }), "{was:?}");
        // It never came to be one.
        assert_eq!(on_end(&opened(), &alert, false, minutes(3)), Verdict::Hold(Because::NobodyWasTold));
    }

    #[test]
    fn a_step_that_comes_too_late_fires_once_to_those_who_have_not_heard() {
        let before = alert(vec![step(0, "chat", false), step(15, "mail", true)]);
        let episode = lived(&before, &[0, 15]);
        // A receiver was added to the first step, and two steps were inserted.
        let mut first = step(0, "chat", false);
        first.to.push(DestinationName("ann".into()));
        let after =
            alert(vec![first, step(5, "ben", false), step(10, "mail", false), step(15, "mail", true)]);
        let late = on_edit(&episode, &after, minutes(20));
        assert!(
            matches!(
                &late,
                Verdict::Send { cause: Cause::Escalated, because: Because::StepAdded { step: 1 }, .. }
            ),
            "{late:?}"
        );
        assert_eq!(names(&late), ["ben"], "mail has heard, and ann's step is earlier");
        let receiver_alone = alert(vec![after.steps[0].clone(), step(15, "mail", true)]);
        assert_eq!(names(&on_edit(&episode, &receiver_alone, minutes(20))), ["ann"]);
    }

    #[test]
    fn a_step_that_was_in_force_before_is_no_edit() {
        let before = alert(vec![step(0, "chat", false), step(5, "mail", false), step(10, "sms", false)]);
        // The host was down: mail was passed over.
        let episode = lived(&before, &[12]);
        assert_eq!(names(&on_edit(&episode, &before, minutes(12))), [""; 0]);
        let later = alert([before.steps.clone(), vec![step(60, "boss", false)]].concat());
        let until = minutes(60);
        assert_eq!(
            on_edit(&episode, &later, minutes(12)),
            Verdict::Hold(Because::StepLater { step: 3, until })
        );
    }

    #[test]
    fn neither_an_old_nor_an_acknowledged_episode_is_told_by_an_edit() {
        let mut episode = lived(&alert(vec![step(0, "chat", false)]), &[0]);
        let after = alert(vec![step(0, "chat", false), step(5, "mail", false)]);
        let day = minutes(24 * 60);
        assert_eq!(names(&on_edit(&episode, &after, day - Duration(1))), ["mail"]);
        assert_eq!(on_edit(&episode, &after, day), Verdict::Hold(Because::TooOld { step: 1 }));
        episode.phase = Phase::Acknowledged { at: minutes(5), by: "ann".into() };
        assert_eq!(on_edit(&episode, &after, minutes(9)), Verdict::Hold(Because::Acknowledged));
    }

    #[test]
    fn who_is_no_longer_named_hears_the_end_alone() {
        let mut before = usual();
        before.repeat = Some(Duration::from_mins(1));
        let mut episode = lived(&before, &[0, 15]);
        episode.severity = Severity::Critical;
        let after = AlertSpec { repeat: before.repeat, ..alert(vec![step(15, "mail", true)]) };
        assert_eq!(names(&on_time(&mut episode, &after, minutes(20))), ["mail"]);
        assert_eq!(names(&on_worse(&mut episode, &after, Severity::Warning)), ["mail"]);
        assert_eq!(names(&on_end(&episode, &after, true, minutes(20))), ["chat", "mail"]);
        let nobody = AlertSpec { repeat: before.repeat, ..AlertSpec::default() };
        assert_eq!(next_at(&episode, &nobody), None);
    }

    #[test]
    fn what_was_resolved_by_hand_is_quiet() {
        let alert = AlertSpec { repeat: Some(Duration::from_mins(1)), ..usual() };
        let mut episode = lived(&alert, &[0]);
        episode.phase = Phase::ResolvedByHand { at: minutes(1), by: "ann".into() };
        let quiet = Verdict::Hold(Because::ResolvedByHand);
        assert_eq!(on_time(&mut episode, &alert, minutes(50)), quiet);
        assert_eq!(on_worse(&mut episode, &alert, Severity::Info), quiet);
        assert_eq!(on_edit(&episode, &usual(), minutes(50)), quiet);
        assert_eq!(next_at(&episode, &alert), None);
    }
}
