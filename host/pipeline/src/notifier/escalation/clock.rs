//! An episode's own clock: wall time since it opened, less the time for which it stood still. Steps are due by it.
use watchbell_contract::{Duration, Timestamp};

use crate::record::{EpisodeRecord, Phase, Standstill};
use crate::spec::{AlertSpec, Step};

use super::{due_until, repeat_base};

/// Up to which wall time the episode's clock has run.
pub(crate) fn reached(episode: &EpisodeRecord, now: Timestamp) -> Timestamp {
    episode.progress.held.map_or(now, |held| held.since.min(now))
}

/// How far its clock is.
pub(crate) fn elapsed(episode: &EpisodeRecord, now: Timestamp) -> Duration {
    let wall = reached(episode, now).since(episode.opened_at);
    Duration(wall.0.saturating_sub(episode.progress.stood.0))
}

/// When a step is due, as the clock now goes.
pub(crate) fn due_at(episode: &EpisodeRecord, step: &Step) -> Timestamp {
    episode.opened_at + episode.progress.stood + step.after
}

/// When a step is due on the wall, if what holds the episode now ends when it says. `None` if that is unknown.
pub(crate) fn fires_at(episode: &EpisodeRecord, step: &Step) -> Option<Timestamp> {
    let due = due_at(episode, step);
    match episode.progress.held {
        None => Some(due),
        Some(held) => held.until.map(|until| due + until.since(held.since)),
    }
}

/// Whether a step's time was over when the escalation last ran.
pub(crate) fn is_done(episode: &EpisodeRecord, step: &Step) -> bool {
    episode.stepped_until.is_some_and(|until| due_at(episode, step) <= until)
}

/// Lets the clock stand while something holds the episode, and go on where it stood when that is over: a repeat that fell
/// due meanwhile is dropped. Returns whether it goes on now.
pub(crate) fn follow(
    episode: &mut EpisodeRecord,
    alert: &AlertSpec,
    stands: Option<Option<Timestamp>>,
    now: Timestamp,
) -> bool {
    if !matches!(episode.phase, Phase::Active | Phase::Acknowledged { .. }) {
        return false;
    }
    match (stands, episode.progress.held) {
        (Some(until), held) => {
            let since = held.map_or(now, |held| held.since);
            episode.progress.held = Some(Standstill { since, until });
            false
        }
        (None, Some(Standstill { since, until })) => {
            // A host that was down when it ended learns of it late.
            let end = until.filter(|until| *until <= now).unwrap_or(now);
            episode.progress.held = None;
            stand(episode, end.since(since));
            drop_repeat(episode, alert, now);
            true
        }
        (None, None) => false,
    }
}

/// The acknowledgement is over: the clock goes on from where it was when it was given. Steps that fired meanwhile are
/// not fired again.
pub(crate) fn resume_from(episode: &mut EpisodeRecord, steps: &[Step], now: Timestamp) {
    let Some(from) = episode.progress.acknowledged_clock.take() else { return };
    episode.progress.acknowledged_until = None;
    let ahead = Duration(elapsed(episode, now).0.saturating_sub(from.0));
    let was_due = due_until(episode, steps, Some(reached(episode, now)));
    let done = due_until(episode, steps, episode.stepped_until).min(was_due);
    stand(episode, ahead);
    let reached_now = reached(episode, now);
    episode.stepped_until = episode.stepped_until.map(|until| until.min(reached_now));
    let again = due_until(episode, steps, episode.stepped_until);
    for step in steps.iter().take(done).skip(again).filter(|step| !step.unless_acknowledged) {
        episode.early.push(step.id());
    }
}

/// Steps that are done stay done, however long the clock stood.
fn stand(episode: &mut EpisodeRecord, span: Duration) {
    episode.progress.stood = episode.progress.stood + span;
    episode.stepped_until = episode.stepped_until.map(|until| until + span);
}

/// A repeat that fell due while the episode was held is dropped: the next is counted from now.
fn drop_repeat(episode: &mut EpisodeRecord, alert: &AlertSpec, now: Timestamp) {
    let due = repeat_base(episode).zip(alert.repeat_after(episode.progress.repeats));
    if due.is_some_and(|(base, after)| base + after <= now) {
        episode.progress.repeat_dropped_at = Some(now);
    }
}
