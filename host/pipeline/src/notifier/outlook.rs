//! What comes next of an episode if nothing changes, for people who ask. It is not a second account of the escalation:
//! the notifier's own decisions are made ahead of time, on a copy.
#[cfg(test)]
mod tests;

use watchbell_contract::{Cause, Duration, Timestamp};

use crate::level;
use crate::maintenance::HoldsSpec;
use crate::matcher::all_met;
use crate::reason::{HoldReason, SendReason};
use crate::record::{EpisodeRecord, PauseRecord, Phase, SilenceRecord};
use crate::spec::{DestinationName, RuleSpec, Step, StepId};

use super::decider::note_source;
use super::escalation::{self, Clock, Verdict};
use super::hold::{self, Of, What};
use super::standing::Standing;

/// Further ahead nobody plans.
const AHEAD_MAX: Duration = Duration::from_hours(24 * 370);
/// Decisions that are made ahead of time about one episode, when it is explained and when it is one of a list: repeats and
/// maintenance windows come often.
const DECISIONS_MAX: usize = 1_000;
const DECISIONS_OF_LIST_MAX: usize = 50;

/// What stands around episodes, as a store and a bundle have it.
#[derive(Debug)]
pub struct Surroundings {
    standing: Standing,
    silences: Vec<SilenceRecord>,
}

/// What comes of an episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// Everything that holds it now, the reason that counts first.
    pub holds: Vec<HoldReason>,
    /// Why nothing is sent at this moment. `None` if something is due, or if the episode has ended.
    pub waits: Option<HoldReason>,
    /// The messages to come, in order.
    pub coming: Vec<Announcement>,
    /// The rule's steps, in order.
    pub steps: Vec<StepOutlook>,
    /// The silences that choose it, in force or to come; the first to begin first.
    pub silences: Vec<SilenceRecord>,
}

/// A message to come.
#[derive(Clone, Debug, PartialEq)]
pub struct Announcement {
    pub at: Timestamp,
    pub cause: Cause,
    pub reason: SendReason,
    /// The place of the step that causes it.
    pub step: Option<usize>,
    /// Where it goes: of a rotation, to the person who is on call then.
    pub to: Vec<DestinationName>,
}

/// A step of the rule in force, for one episode.
#[derive(Clone, Debug, PartialEq)]
pub struct StepOutlook {
    pub after: Duration,
    /// As the rule names them.
    pub to: Vec<DestinationName>,
    pub state: StepState,
}

#[derive(Clone, Debug, PartialEq)]
pub enum StepState {
    /// It was the first to notify somebody, then.
    Fired { at: Timestamp },
    /// Its time is over. `None`: it fired and reached nobody new, or a later step of the same time fired for it.
    Passed { dropped: Option<HoldReason> },
    /// Its time has come or will come, and it waits for its hours.
    Late { until: Option<Timestamp> },
    /// It fires then; `None` while nobody knows when what holds the episode ends.
    Coming { at: Option<Timestamp> },
    /// It will not fire, as things stand.
    Dropped { why: HoldReason },
    /// The episode has ended before it.
    Over,
}

impl Surroundings {
    pub fn new(
        holds: HoldsSpec,
        silences: Vec<SilenceRecord>,
        pause: Option<PauseRecord>,
        now: Timestamp,
    ) -> Self {
        let mut standing = Standing::new(silences.clone(), pause, now);
        standing.configure(holds);
        Self { standing, silences }
    }

    /// Whether it matters which other episodes are open.
    pub fn has_inhibitions(&self) -> bool {
        self.standing.has_inhibitions()
    }

    /// An open episode, which may mute others.
    pub fn add(&mut self, spec: &RuleSpec, episode: &EpisodeRecord) {
        note_source(&mut self.standing, spec, episode);
    }

    /// What comes of `episode` under `spec`, if nothing changes: at most `coming_max` messages. `judged` is up to where
    /// the rule's windows are evaluated.
    pub fn outlook(
        &self,
        spec: &RuleSpec,
        episode: &EpisodeRecord,
        judged: Timestamp,
        now: Timestamp,
        coming_max: usize,
    ) -> Outlook {
        let clock = Clock { judged, now, standing: &self.standing };
        let of = Of { spec, episode, clock };
        let is_open = !matches!(episode.phase, Phase::Resolved { .. });
        let holds = if is_open { hold::all(&What::Opening(of)) } else { Vec::new() };
        let is_enough = |episode: &EpisodeRecord, found: &[Announcement]| {
            found.len() >= coming_max && !escalation::is_escalating(episode, &spec.alert)
        };
        let mut coming = match is_open {
            true => self.announcements(of, is_enough, DECISIONS_MAX),
            false => Vec::new(),
        };
        let is_due = coming.first().is_some_and(|first| first.at <= now);
        let step = |(number, step)| self.step(of, number, step, &coming);
        let steps = spec.alert.steps.iter().enumerate().map(step).collect();
        coming.truncate(coming_max);
        let waits = (is_open && !is_due).then(|| escalation::waiting(of));
        Outlook { waits, steps, silences: self.silences_of(of), holds, coming }
    }

    /// The next step that fires. Its instant is unknown while nobody knows when what holds the episode ends.
    pub fn next_step(
        &self,
        spec: &RuleSpec,
        episode: &EpisodeRecord,
        judged: Timestamp,
        now: Timestamp,
    ) -> Option<(usize, Option<Timestamp>, Vec<DestinationName>)> {
        if matches!(episode.phase, Phase::Resolved { .. } | Phase::ResolvedByHand { .. }) {
            return None;
        }
        let clock = Clock { judged, now, standing: &self.standing };
        let of = Of { spec, episode, clock };
        let is_enough = |episode: &EpisodeRecord, found: &[Announcement]| {
            found.iter().any(|found| found.step.is_some()) || !escalation::is_escalating(episode, &spec.alert)
        };
        let coming = self.announcements(of, is_enough, DECISIONS_OF_LIST_MAX);
        if let Some(Announcement { at, step: Some(step), to, .. }) =
            coming.into_iter().find(|found| found.step.is_some())
        {
            return Some((step, Some(at), to));
        }
        let is_coming = |(number, step): &(usize, &Step)| {
            matches!(self.step(of, *number, step, &[]).state, StepState::Coming { at: None })
        };
        let (number, step) = spec.alert.steps.iter().enumerate().find(is_coming)?;
        Some((number, None, clock.receivers(step)))
    }

    /// The messages to come, until they are enough.
    fn announcements(
        &self,
        of: Of<'_>,
        is_enough: impl Fn(&EpisodeRecord, &[Announcement]) -> bool,
        decisions_max: usize,
    ) -> Vec<Announcement> {
        let Of { spec, clock, .. } = of;
        let mut found: Vec<Announcement> = Vec::new();
        let Some((mut episode, mut at)) = begun(of) else { return found };
        for _ in 0..decisions_max {
            let clock = Clock { judged: clock.judged.max(at), now: at, standing: &self.standing };
            self.decide(&mut episode, spec, clock, &mut found);
            if is_enough(&episode, &found) {
                break;
            }
            let next = escalation::next_at(Of { spec, episode: &episode, clock });
            let changed = self.standing.change_for(&of.subject(), at);
            let Some(next) = next.into_iter().chain(changed).filter(|next| *next > at).min() else { break };
            if next.since(of.clock.now) > AHEAD_MAX {
                break;
            }
            at = next;
        }
        found
    }

    /// What the notifier decides about an open episode at one instant.
    fn decide(
        &self,
        episode: &mut EpisodeRecord,
        spec: &RuleSpec,
        clock: Clock<'_>,
        found: &mut Vec<Announcement>,
    ) {
        let now = clock.now;
        let stands = hold::stands(Of { spec, episode, clock });
        escalation::clock::follow(episode, &spec.alert, stands, now);
        if let Some(before) = escalation::rose_from(episode) {
            let verdict = escalation::on_worse(episode, spec, clock, before);
            announce(episode, spec, verdict, now, found);
        }
        let verdict = escalation::on_time(episode, spec, clock);
        announce(episode, spec, verdict, now, found);
    }

    fn step(&self, of: Of<'_>, number: usize, step: &Step, coming: &[Announcement]) -> StepOutlook {
        let fired = of.episode.notified.iter().find(|notified| notified.step == Some(step.id()));
        let comes = coming.iter().find(|found| found.step == Some(number));
        let state = match (fired, comes) {
            (Some(notified), _) => StepState::Fired { at: notified.at },
            (None, Some(found)) => StepState::Coming { at: Some(found.at) },
            (None, None) => step_state(of, number, step),
        };
        StepOutlook { after: step.after, to: step.to.clone(), state }
    }

    fn silences_of(&self, of: Of<'_>) -> Vec<SilenceRecord> {
        let subject = of.subject();
        let is_meant = |silence: &&SilenceRecord| {
            silence.spec.until > of.clock.now && all_met(&silence.spec.matchers, &subject)
        };
        let mut found: Vec<SilenceRecord> = self.silences.iter().filter(is_meant).cloned().collect();
        found.sort_by_key(|silence| silence.spec.from);
        found
    }
}

/// The state of a step of which no message is known.
fn step_state(of: Of<'_>, number: usize, step: &Step) -> StepState {
    let Of { spec, episode, clock } = of;
    if escalation::clock::is_done(episode, step) && !episode.progress.late.contains(&step.id()) {
        let why = step_hold(&What::Step(of, number, step));
        let dropped = why.filter(|why| !matches!(why, HoldReason::StepHours { .. }));
        return StepState::Passed { dropped };
    }
    if matches!(episode.phase, Phase::Resolved { .. } | Phase::ResolvedByHand { .. }) {
        return StepState::Over;
    }
    let at = begun(of).and_then(|(begun, at)| Some(escalation::clock::fires_at(&begun, step)?.max(at)));
    let clock = Clock { now: at.unwrap_or(clock.now), ..clock };
    match step_hold(&What::Step(Of { spec, episode, clock }, number, step)) {
        Some(HoldReason::StepHours { until, .. }) => StepState::Late { until },
        Some(why) => StepState::Dropped { why },
        None => StepState::Coming { at },
    }
}

/// What holds a step for itself, whatever holds the whole episode.
fn step_hold(what: &What<'_>) -> Option<HoldReason> {
    hold::all(what).into_iter().find(|why| {
        matches!(
            why,
            HoldReason::BelowSeverity { .. } | HoldReason::Acknowledged | HoldReason::StepHours { .. }
        )
    })
}

/// The episode from when it may be announced on. `None` if that never comes.
fn begun(of: Of<'_>) -> Option<(EpisodeRecord, Timestamp)> {
    let Of { spec, episode, clock } = of;
    let mut begun = episode.clone();
    if episode.phase != Phase::Pending {
        return Some((begun, clock.now));
    }
    // It begins if its level still holds then.
    let at = level::begins(spec, episode.since)?.max(clock.now);
    begun.phase = Phase::Active;
    begun.opened_at = at;
    begun.progress.followed = episode.severity;
    Some((begun, at))
}

fn announce(
    episode: &mut EpisodeRecord,
    spec: &RuleSpec,
    verdict: Verdict,
    at: Timestamp,
    found: &mut Vec<Announcement>,
) {
    let Verdict::Send { cause, to, step, reason } = verdict else { return };
    escalation::notify(episode, &to, step, at);
    let place = |id: StepId| spec.alert.steps.iter().position(|step| step.id() == id);
    found.push(Announcement { at, cause, reason, step: step.and_then(place), to });
}
