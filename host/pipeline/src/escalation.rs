//! Who is told of an episode, and when. Escalation runs on wall time from the commit that opened it.
use watchbell_contract::{Cause, Severity, Timestamp};

use crate::because::Because;
use crate::record::{Ending, EpisodeRecord, Phase};
use crate::spec::{DestinationName, Step};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Send { cause: Cause, to: Vec<DestinationName>, because: Because },
    Hold(Because),
}

/// What time demands of an open episode. Moves its `step` past those that are due.
pub(crate) fn on_time(episode: &mut EpisodeRecord, now: Timestamp) -> Verdict {
    if episode.phase == Phase::Pending {
        return Verdict::Hold(Because::Pending { until: episode.until });
    }
    let first = episode.step as usize;
    let due = due_steps(episode, now);
    if due > first {
        let step = due as u32 - 1;
        episode.step = due as u32;
        // After downtime several steps are due at once: only the latest that may fire does.
        if let Some(to) = latest_eligible(episode, first, due) {
            let (cause, because) = match episode.ordinal {
                0 => (Cause::Opened, Because::FirstSignal),
                _ => (Cause::Escalated, Because::StepDue { step }),
            };
            return Verdict::Send { cause, to, because };
        }
        return Verdict::Hold(refusal(episode, step));
    }
    if let Some(at) = repeat_at(episode)
        && at <= now
    {
        return Verdict::Send { cause: Cause::Repeat, to: episode.told.clone(), because: Because::RepeatDue };
    }
    Verdict::Hold(waiting(episode))
}

/// Its severity rose: those who know are told again, and those whom only the severity had kept out.
pub(crate) fn on_worse(episode: &EpisodeRecord) -> Verdict {
    let passed = &episode.chain[..(episode.step as usize).min(episode.chain.len())];
    let newly = passed.iter().filter(|step| step.severity.is_some() && eligible(episode, step));
    let mut to = episode.told.clone();
    newly.flat_map(|step| &step.to).for_each(|name| push_new(&mut to, name));
    if to.is_empty() {
        return Verdict::Hold(Because::NobodyWasTold);
    }
    let cause = if episode.ordinal == 0 { Cause::Opened } else { Cause::Worse };
    Verdict::Send { cause, to, because: Because::Worse(episode.severity) }
}

/// It ended: those who heard of it hear that. If nobody did, and somebody should have by now, one message says that
/// it was.
pub(crate) fn on_end(episode: &EpisodeRecord, was_active: bool, now: Timestamp) -> Verdict {
    if !episode.told.is_empty() {
        return Verdict::Send { cause: Cause::Resolved, to: episode.told.clone(), because: Because::Ended };
    }
    let rule_ended = matches!(episode.phase, Phase::Resolved { why: Ending::RuleEnded, .. });
    if was_active
        && !rule_ended
        && episode.ordinal == 0
        && let Some(to) = latest_eligible(episode, 0, due_steps(episode, now))
    {
        return Verdict::Send { cause: Cause::Was, to, because: Because::CameAndWent };
    }
    Verdict::Hold(Because::NobodyWasTold)
}

/// Whom an event reaches: the first step, at once; it has no lifecycle to escalate.
pub(crate) fn on_event(chain: &[Step], severity: Severity) -> Verdict {
    let mut to = Vec::new();
    let first = chain.first().map(|step| step.after);
    for step in chain.iter().take_while(|step| Some(step.after) == first) {
        if step.severity.is_none_or(|least| severity >= least) {
            step.to.iter().for_each(|name| push_new(&mut to, name));
        }
    }
    if to.is_empty() {
        return Verdict::Hold(Because::NobodyToTell);
    }
    Verdict::Send { cause: Cause::Event, to, because: Because::SignalOnce }
}

/// When `on_time` has something to say again.
pub(crate) fn next_at(episode: &EpisodeRecord) -> Option<Timestamp> {
    if matches!(episode.phase, Phase::Pending | Phase::Resolved { .. }) {
        return None;
    }
    let step = episode.chain.get(episode.step as usize).map(|step| episode.opened_at + step.after);
    [step, repeat_at(episode)].into_iter().flatten().min()
}

/// Notes that `to` were told.
pub(crate) fn told(episode: &mut EpisodeRecord, to: &[DestinationName], now: Timestamp) {
    to.iter().for_each(|name| push_new(&mut episode.told, name));
    episode.announced_at = Some(now);
    episode.ordinal += 1;
}

fn due_steps(episode: &EpisodeRecord, now: Timestamp) -> usize {
    let first = episode.step as usize;
    let due = |step: &&Step| episode.opened_at + step.after <= now;
    first + episode.chain.iter().skip(first).take_while(due).count()
}

/// The destinations of the latest step of `first..due` that may fire, with those of the same instant.
fn latest_eligible(episode: &EpisodeRecord, first: usize, due: usize) -> Option<Vec<DestinationName>> {
    let steps = episode.chain.get(first..due)?;
    let after = steps.iter().rfind(|step| eligible(episode, step))?.after;
    let mut to = Vec::new();
    for step in steps.iter().filter(|step| step.after == after && eligible(episode, step)) {
        step.to.iter().for_each(|name| push_new(&mut to, name));
    }
    (!to.is_empty()).then_some(to)
}

fn eligible(episode: &EpisodeRecord, step: &Step) -> bool {
    let acknowledged = matches!(episode.phase, Phase::Acknowledged { .. });
    !(step.unless_acknowledged && acknowledged) && step.severity.is_none_or(|least| episode.severity >= least)
}

fn repeat_at(episode: &EpisodeRecord) -> Option<Timestamp> {
    if episode.phase != Phase::Active || episode.told.is_empty() {
        return None;
    }
    Some(episode.announced_at? + episode.repeat?)
}

fn refusal(episode: &EpisodeRecord, step: u32) -> Because {
    match episode.chain.get(step as usize).and_then(|step| step.severity) {
        Some(severity) if episode.severity < severity => Because::BelowSeverity { step, severity },
        _ if matches!(episode.phase, Phase::Acknowledged { .. }) => Because::Acknowledged,
        _ => Because::NobodyToTell,
    }
}

/// Why an open episode sends nothing now.
pub(crate) fn waiting(episode: &EpisodeRecord) -> Because {
    if let Some(step) = episode.chain.get(episode.step as usize) {
        return Because::StepLater { step: episode.step, until: episode.opened_at + step.after };
    }
    match repeat_at(episode) {
        Some(until) => Because::RepeatLater { until },
        None if episode.chain.is_empty() => Because::NobodyToTell,
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
    use watchbell_contract::Duration;

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

    /// Chat at once, mail after 15 minutes, text message after 45 if critical; the last two unless acknowledged.
    fn opened() -> EpisodeRecord {
        let mut sms = step(45, "sms", true);
        sms.severity = Some(Severity::Critical);
        episode(vec![step(0, "chat", false), step(15, "mail", true), sms])
    }

    #[test]
    fn it_gets_worse_step_by_step() {
        let mut episode = opened();
        let first = on_time(&mut episode, minutes(0));
        assert!(matches!(&first, Verdict::Send { cause: Cause::Opened, .. }), "{first:?}");
        assert_eq!(names(&first), ["chat"]);
        told(&mut episode, &[DestinationName("chat".into())], minutes(0));
        assert_eq!(next_at(&episode), Some(minutes(15)));
        let until = minutes(15);
        assert_eq!(on_time(&mut episode, minutes(14)), Verdict::Hold(Because::StepLater { step: 1, until }));
        let second = on_time(&mut episode, minutes(15));
        assert!(matches!(&second, Verdict::Send { cause: Cause::Escalated, .. }), "{second:?}");
        assert_eq!(names(&second), ["mail"]);
        told(&mut episode, &[DestinationName("mail".into())], minutes(15));
        // The text message waits for a severity that is not there.
        assert!(matches!(
            on_time(&mut episode, minutes(45)),
            Verdict::Hold(Because::BelowSeverity { step: 2, .. })
        ));
        episode.severity = Severity::Critical;
        assert_eq!(names(&on_worse(&episode)), ["chat", "mail", "sms"]);
    }

    #[test]
    fn downtime_never_starts_with_every_step_at_once() {
        let mut episode = opened();
        episode.severity = Severity::Critical;
        assert_eq!(names(&on_time(&mut episode, minutes(20))), ["mail"]);
        assert_eq!(next_at(&episode), Some(minutes(45)));
    }

    #[test]
    fn an_acknowledged_episode_goes_no_further() {
        let mut episode = opened();
        assert_eq!(names(&on_time(&mut episode, minutes(0))), ["chat"]);
        told(&mut episode, &[DestinationName("chat".into())], minutes(0));
        episode.phase = Phase::Acknowledged { at: minutes(5), by: "ann".into() };
        assert_eq!(on_time(&mut episode, minutes(15)), Verdict::Hold(Because::Acknowledged));
    }

    #[test]
    fn it_is_repeated_to_those_who_know() {
        let mut episode = opened();
        episode.repeat = Some(Duration::from_mins(10));
        on_time(&mut episode, minutes(0));
        told(&mut episode, &[DestinationName("chat".into())], minutes(0));
        let repeated = on_time(&mut episode, minutes(10));
        assert!(matches!(&repeated, Verdict::Send { cause: Cause::Repeat, .. }), "{repeated:?}");
        assert_eq!(names(&repeated), ["chat"]);
    }

    #[test]
    fn the_end_is_told_to_those_who_heard_the_beginning() {
        let mut known = opened();
        told(&mut known, &[DestinationName("chat".into())], minutes(0));
        assert_eq!(names(&on_end(&known, true, minutes(3))), ["chat"]);
        // Nobody was told while it lasted: one message says that it was.
        let was = on_end(&opened(), true, minutes(3));
        assert!(matches!(&was, Verdict::Send { cause: Cause::Was, .. }), "{was:?}");
        // It never came to be one.
        assert_eq!(on_end(&opened(), false, minutes(3)), Verdict::Hold(Because::NobodyWasTold));
    }
}
