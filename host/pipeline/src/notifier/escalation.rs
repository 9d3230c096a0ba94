//! Who is notified of an episode, and when. Escalation runs on wall time from the commit that opened the episode, by
//! the steps now in force: editing a rule also changes its open episodes.
pub(crate) mod clock; // an episode's own clock, which may stand still
#[cfg(test)]
mod tests;

use std::ops::Range;

use watchbell_contract::{Cause, Duration, Severity, Timestamp};

use crate::reason::{HoldReason, SendReason};
use crate::record::{Ending, EpisodeRecord, Notified, Phase};
use crate::spec::{AlertSpec, DestinationName, RuleSpec, Step, StepId};

use super::hold::{self, Of, What};
use super::standing::Standing;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Send {
        cause: Cause,
        to: Vec<DestinationName>,
        /// The step that caused it.
        step: Option<StepId>,
        reason: SendReason,
    },
    Hold(HoldReason),
}

/// Window time, wall time, and what stands around an episode.
#[derive(Clone, Copy)]
pub(crate) struct Clock<'a> {
    /// Up to where the rule's windows are evaluated.
    pub(crate) judged: Timestamp,
    pub(crate) now: Timestamp,
    pub(crate) standing: &'a Standing,
}

/// A step that an edit inserted into the past does not fire for episodes whose clock is beyond this.
const EDIT_AGE_MAX: Duration = Duration::from_hours(24);

/// What is due for an open episode. Marks the due steps as done. Call `clock::follow` first.
pub(crate) fn on_time(episode: &mut EpisodeRecord, spec: &RuleSpec, clock: Clock<'_>) -> Verdict {
    if let Some(reason) = hold::first(&What::Opening(Of { spec, episode, clock })) {
        return Verdict::Hold(reason);
    }
    if !is_judged(episode) {
        // Its first message says how severe it is.
        episode.progress.followed = episode.severity;
    }
    if let Some(verdict) = on_expiry(episode, spec, clock.now) {
        return verdict;
    }
    let steps = &spec.alert.steps;
    let due = due_steps(episode, steps, clock.now);
    let late = take_late(episode, spec, clock);
    if !due.is_empty() {
        episode.stepped_until = Some(clock::reached(episode, clock.now));
    } else if late.is_empty() {
        let of = Of { spec, episode, clock };
        return if is_repeat_due(of, clock.now) {
            repeat(episode, spec, clock)
        } else {
            Verdict::Hold(waiting(of))
        };
    }
    keep_late(episode, spec, clock, due.clone());
    let of = Of { spec, episode, clock };
    // After downtime several steps may be due at once: only the latest eligible one fires.
    let latest = latest_eligible(of, due.clone());
    let (mut by, mut to) = latest.map_or((None, Vec::new()), |(step, to)| (Some(step), to));
    for step in &late {
        by = by.or(Some(steps[*step].id()));
        clock.push_receivers(&mut to, &steps[*step]);
    }
    let Some(last) = due.clone().last().or(late.last().copied()) else { return Verdict::Hold(waiting(of)) };
    if to.is_empty() {
        return Verdict::Hold(refusal(of, last));
    }
    let reason = match episode.ordinal {
        0 => SendReason::FirstSignal,
        _ => SendReason::StepDue { step: last as u32 },
    };
    Verdict::Send { cause: begins(episode), to, step: by, reason }
}

/// The acknowledgement has lasted as long as the rule allows: whoever was notified hears that it is over.
fn on_expiry(episode: &mut EpisodeRecord, spec: &RuleSpec, now: Timestamp) -> Option<Verdict> {
    episode.progress.acknowledged_until.filter(|until| *until <= now)?;
    matches!(episode.phase, Phase::Acknowledged { .. }).then(|| unacknowledge(episode, spec, now))
}

/// The acknowledgement is over. The clock goes on from where it was when it was given.
pub(crate) fn unacknowledge(episode: &mut EpisodeRecord, spec: &RuleSpec, at: Timestamp) -> Verdict {
    episode.phase = Phase::Active;
    clock::resume_from(episode, &spec.alert.steps, at);
    episode.progress.repeats = 0;
    if episode.notified.is_empty() {
        return Verdict::Hold(HoldReason::NobodyNotified);
    }
    let to = episode.notified.iter().map(|notified| notified.destination.clone()).collect();
    Verdict::Send { cause: Cause::Repeat, to, step: None, reason: SendReason::Unacknowledged }
}

/// Takes the steps that waited for their hours, now that these have come. Those that something else holds are dropped.
fn take_late(episode: &mut EpisodeRecord, spec: &RuleSpec, clock: Clock<'_>) -> Vec<usize> {
    let steps = &spec.alert.steps;
    let mut ready = Vec::new();
    let mut late = std::mem::take(&mut episode.progress.late);
    late.retain(|id| {
        let Some(number) = steps.iter().position(|step| step.id() == *id) else { return false };
        let of = Of { spec, episode, clock };
        match hold::first(&What::Step(of, number, &steps[number])) {
            Some(HoldReason::StepHours { .. }) => true,
            Some(_) => false,
            None => {
                ready.push(number);
                false
            }
        }
    });
    episode.progress.late = late;
    ready
}

/// Keeps those of the due steps that wait for their hours.
fn keep_late(episode: &mut EpisodeRecord, spec: &RuleSpec, clock: Clock<'_>, due: Range<usize>) {
    let of = Of { spec, episode, clock };
    let waits = |number: &usize| {
        let step = &spec.alert.steps[*number];
        let is_early = episode.early.contains(&step.id());
        !is_early && matches!(hold::first(&What::Step(of, *number, step)), Some(HoldReason::StepHours { .. }))
    };
    let ids: Vec<StepId> = due.filter(waits).map(|number| spec.alert.steps[number].id()).collect();
    episode.progress.late.extend(ids);
}

fn repeat(episode: &mut EpisodeRecord, spec: &RuleSpec, clock: Clock<'_>) -> Verdict {
    let to = still_named(Of { spec, episode, clock });
    episode.progress.repeats = episode.progress.repeats.saturating_add(1);
    Verdict::Send { cause: Cause::Repeat, to, step: None, reason: SendReason::RepeatDue }
}

/// What an edit makes due for an open episode: of the new steps that are already past, the latest eligible one fires,
/// for destinations not yet notified; otherwise a `repeat` that is now due. Call `on_time` first, with the rule as it
/// was.
pub(crate) fn on_edit(episode: &mut EpisodeRecord, spec: &RuleSpec, clock: Clock<'_>) -> Verdict {
    let of = Of { spec, episode, clock };
    match step_added(of, clock.now) {
        Verdict::Hold(_) if is_repeat_due(of, clock.now) => repeat(episode, spec, clock),
        verdict => verdict,
    }
}

fn step_added(of: Of<'_>, now: Timestamp) -> Verdict {
    let Of { episode, spec, .. } = of;
    let steps = &spec.alert.steps;
    let past = due_until(episode, steps, Some(clock::reached(episode, now)));
    let new: Vec<usize> = (0..past).filter(|step| !episode.steps.contains(&steps[*step].id())).collect();
    let Some(last) = new.last() else { return Verdict::Hold(waiting(of)) };
    if episode.phase != Phase::Active {
        return Verdict::Hold(refusal(of, *last));
    }
    if clock::elapsed(episode, now) >= EDIT_AGE_MAX {
        return Verdict::Hold(HoldReason::TooOld { step: *last as u32 });
    }
    for step in new.iter().rev().filter(|step| eligible(of, **step)) {
        let mut to = Vec::new();
        let instant = |other: &&usize| steps[**other].after == steps[*step].after && eligible(of, **other);
        new.iter().filter(instant).for_each(|other| of.clock.push_receivers(&mut to, &steps[*other]));
        to.retain(|name| !is_notified(episode, name));
        if !to.is_empty() {
            let reason = SendReason::StepAdded { step: *step as u32 };
            return Verdict::Send { cause: begins(episode), to, step: Some(steps[*step].id()), reason };
        }
    }
    Verdict::Hold(refusal(of, *last))
}

/// The severity rose from `before`, or it is an overflow that grew. Everyone who was notified is notified again, and
/// every step whose required severity is now met fires at once, whatever its `after`. An acknowledgement ends, because it
/// was given for a lower severity.
pub(crate) fn on_worse(
    episode: &mut EpisodeRecord,
    spec: &RuleSpec,
    clock: Clock<'_>,
    before: Severity,
) -> Verdict {
    if let Some(reason) = hold::first(&What::Worse(Of { spec, episode, clock })) {
        return Verdict::Hold(reason);
    }
    episode.progress.followed = episode.severity;
    episode.progress.repeats = 0;
    if matches!(episode.phase, Phase::Acknowledged { .. }) {
        episode.phase = Phase::Active;
        clock::resume_from(episode, &spec.alert.steps, clock.now);
    }
    let alert = &spec.alert;
    let passed = due_until(episode, &alert.steps, episode.stepped_until);
    let mut to = still_named(Of { spec, episode, clock });
    let mut by = None;
    for (index, step) in alert.steps.iter().enumerate() {
        let is_met = |least: Severity| before < least && least <= episode.severity;
        if !step.severity.is_some_and(is_met) {
            continue;
        }
        by = Some(step.id());
        clock.push_receivers(&mut to, step);
        if index >= passed {
            episode.early.push(step.id());
        }
    }
    if to.is_empty() {
        return Verdict::Hold(HoldReason::NobodyNotified);
    }
    let cause = if episode.ordinal == 0 { Cause::Opened } else { Cause::Worse };
    let reason = match before < episode.severity {
        true => SendReason::Worse(episode.severity),
        false => SendReason::OverflowGrew,
    };
    Verdict::Send { cause, to, step: by, reason }
}

/// From which severity it rose without a message that says so.
pub(crate) fn rose_from(episode: &EpisodeRecord) -> Option<Severity> {
    let before = episode.progress.followed;
    (is_judged(episode) && before < episode.severity).then_some(before)
}

/// Whether a step was judged: only those who were notified can be notified that it got worse.
fn is_judged(episode: &EpisodeRecord) -> bool {
    episode.ordinal > 0 || episode.stepped_until.is_some()
}

/// The episode ended: everyone who was notified of it is notified of the end, even if the rule no longer names them. If
/// nobody was, but somebody should have been by now, one message says that the episode came and went.
pub(crate) fn on_end(
    episode: &EpisodeRecord,
    spec: Option<&RuleSpec>,
    was_active: bool,
    clock: Clock<'_>,
) -> Verdict {
    if !episode.notified.is_empty() {
        let to = episode.notified.iter().map(|notified| notified.destination.clone()).collect();
        return Verdict::Send { cause: Cause::Resolved, to, step: None, reason: SendReason::Ended };
    }
    let rule_ended = matches!(episode.phase, Phase::Resolved { why: Ending::RuleEnded, .. });
    if was_active
        && !rule_ended
        && episode.ordinal == 0
        && let Some(spec) = spec
        // `for` no longer holds an episode that has ended, and no source can mute it any more. A pause holds the
        // message, not the decision.
        && let of = (Of { spec, episode, clock: Clock { judged: clock.now, ..clock } })
        && let due = due_steps(episode, &spec.alert.steps, clock.now)
        && let Some((step, to)) = latest(of, due, |hold| matches!(hold, HoldReason::Paused { .. } | HoldReason::InhibitWait { .. }))
    {
        return Verdict::Send { cause: Cause::Was, to, step: Some(step), reason: SendReason::CameAndWent };
    }
    Verdict::Hold(HoldReason::NobodyNotified)
}

/// Who receives an event: the first step, at once. Events have no lifecycle to escalate.
pub(crate) fn on_event(steps: &[Step], severity: Severity, clock: Clock<'_>) -> Verdict {
    let mut to = Vec::new();
    let first = steps.first().map(|step| step.after);
    for step in steps.iter().take_while(|step| Some(step.after) == first) {
        if step.severity.is_none_or(|least| severity >= least) {
            clock.push_receivers(&mut to, step);
        }
    }
    if to.is_empty() {
        return Verdict::Hold(HoldReason::NobodyToNotify);
    }
    Verdict::Send { cause: Cause::Event, to, step: None, reason: SendReason::Event }
}

/// When `on_time` next has something to do.
pub(crate) fn next_at(of: Of<'_>) -> Option<Timestamp> {
    match hold::first(&What::Opening(of)) {
        Some(HoldReason::InhibitWait { until }) => return Some(until),
        // What stands is followed by itself, and window time comes with transitions.
        Some(_) => return None,
        None => {}
    }
    let Of { spec, episode, clock } = of;
    let step = next_step(episode, &spec.alert).map(|(_, until)| until);
    let expiry = episode.progress.acknowledged_until;
    let late = spec.alert.steps.iter().filter(|step| episode.progress.late.contains(&step.id()));
    let late = late.filter_map(|step| step.when.as_ref()?.next_from(clock.now)).min();
    [step, repeat_at(of), expiry, late].into_iter().flatten().min()
}

/// Records that `to` were notified, and by which `step`, if any.
pub(crate) fn notify(
    episode: &mut EpisodeRecord,
    to: &[DestinationName],
    step: Option<StepId>,
    now: Timestamp,
) {
    for destination in to {
        add_notified(episode, destination, step, now);
    }
    episode.announced_at = Some(now);
    episode.ordinal += 1;
}

/// Records that `destination` knows of the episode. Returns whether it did not before.
pub(crate) fn add_notified(
    episode: &mut EpisodeRecord,
    destination: &DestinationName,
    step: Option<StepId>,
    at: Timestamp,
) -> bool {
    let is_new = !is_notified(episode, destination);
    if is_new {
        episode.notified.push(Notified { destination: destination.clone(), at, step });
    }
    is_new
}

/// The steps of a rule, as an episode stores them.
pub(crate) fn step_ids(alert: &AlertSpec) -> Vec<StepId> {
    alert.steps.iter().map(Step::id).collect()
}

pub(crate) fn is_notified(episode: &EpisodeRecord, name: &DestinationName) -> bool {
    episode.notified.iter().any(|notified| notified.destination == *name)
}

/// How many steps were due by `until`.
fn due_until(episode: &EpisodeRecord, steps: &[Step], until: Option<Timestamp>) -> usize {
    steps.partition_point(|step| until.is_some_and(|until| clock::due_at(episode, step) <= until))
}

/// The steps that are due but not done.
fn due_steps(episode: &EpisodeRecord, steps: &[Step], now: Timestamp) -> Range<usize> {
    let done = due_until(episode, steps, episode.stepped_until);
    done..due_until(episode, steps, Some(clock::reached(episode, now))).max(done)
}

fn next_step(episode: &EpisodeRecord, alert: &AlertSpec) -> Option<(usize, Timestamp)> {
    let next = due_until(episode, &alert.steps, episode.stepped_until);
    alert.steps.get(next).map(|step| (next, clock::due_at(episode, step)))
}

/// Whether a step may still fire as time passes.
pub(crate) fn is_escalating(episode: &EpisodeRecord, alert: &AlertSpec) -> bool {
    next_step(episode, alert).is_some()
        || !episode.progress.late.is_empty()
        || episode.progress.acknowledged_until.is_some()
}

/// The latest eligible step `among` these, with the destinations of all steps of the same instant.
fn latest_eligible(of: Of<'_>, among: Range<usize>) -> Option<(StepId, Vec<DestinationName>)> {
    latest(of, among, |_| false)
}

/// The same, where holds of which `passes` is true do not count.
fn latest(
    of: Of<'_>,
    among: Range<usize>,
    passes: impl Fn(&HoldReason) -> bool,
) -> Option<(StepId, Vec<DestinationName>)> {
    let steps = &of.spec.alert.steps;
    let latest = &steps[among.clone().rfind(|step| eligible_but(of, *step, &passes))?];
    let mut to = Vec::new();
    let instant = |step: &usize| steps[*step].after == latest.after && eligible_but(of, *step, &passes);
    for step in among.filter(instant) {
        of.clock.push_receivers(&mut to, &steps[step]);
    }
    (!to.is_empty()).then(|| (latest.id(), to))
}

/// Whether the step with this number is not held and has not fired early.
fn eligible(of: Of<'_>, number: usize) -> bool {
    eligible_but(of, number, |_| false)
}

/// The same, where holds of which `passes` is true do not count.
fn eligible_but(of: Of<'_>, number: usize, passes: impl Fn(&HoldReason) -> bool) -> bool {
    let step = &of.spec.alert.steps[number];
    hold::all(&What::Step(of, number, step)).iter().all(passes) && !of.episode.early.contains(&step.id())
}

/// Those who were notified and are still destinations of the rule, or people of its rotations, on call or not. The
/// others are only notified of the end.
pub(crate) fn still_named(of: Of<'_>) -> Vec<DestinationName> {
    let names = of.episode.notified.iter().map(|notified| &notified.destination);
    let named = |name: &DestinationName| {
        let mut to = of.spec.alert.steps.iter().flat_map(|step| &step.to);
        to.any(|to| of.clock.standing.reaches(to, name))
    };
    names.filter(|name| named(name)).cloned().collect()
}

fn begins(episode: &EpisodeRecord) -> Cause {
    if episode.ordinal == 0 { Cause::Opened } else { Cause::Escalated }
}

pub(crate) fn is_repeat_due(of: Of<'_>, now: Timestamp) -> bool {
    repeat_at(of).is_some_and(|at| at <= now)
}

fn repeat_at(of: Of<'_>) -> Option<Timestamp> {
    let Of { episode, spec, .. } = of;
    // A group says what is new in it; repeating each of its keys would undo the merging.
    if spec.alert.group.is_some() || hold::first(&What::Repeat(of)).is_some() || still_named(of).is_empty() {
        return None;
    }
    Some(repeat_base(episode)? + spec.alert.repeat_after(episode.progress.repeats)?)
}

/// From when the next repeat is counted.
fn repeat_base(episode: &EpisodeRecord) -> Option<Timestamp> {
    Some(episode.announced_at?.max(episode.progress.repeat_dropped_at.unwrap_or(Timestamp::MIN)))
}

/// Why a step that is due does not fire.
fn refusal(of: Of<'_>, number: usize) -> HoldReason {
    let step = &of.spec.alert.steps[number];
    hold::first(&What::Step(of, number, step)).unwrap_or(match of.episode.phase {
        Phase::Acknowledged { .. } => HoldReason::Acknowledged,
        _ if of.episode.notified.is_empty() => HoldReason::NobodyToNotify,
        _ => HoldReason::AlreadySent,
    })
}

/// Why an open episode sends nothing now.
pub(crate) fn waiting(of: Of<'_>) -> HoldReason {
    if let Some(reason) = hold::first(&What::Opening(of)) {
        return reason;
    }
    if let Some((step, until)) = next_step(of.episode, &of.spec.alert) {
        return match hold::first(&What::Step(of, step, &of.spec.alert.steps[step])) {
            Some(HoldReason::ToldOnce) => HoldReason::ToldOnce,
            _ => HoldReason::StepLater { step: step as u32, until },
        };
    }
    match repeat_at(of) {
        Some(until) => HoldReason::RepeatLater { until },
        None if of.spec.alert.steps.is_empty() => HoldReason::NobodyToNotify,
        None => hold::first(&What::Repeat(of)).unwrap_or(HoldReason::AlreadySent),
    }
}

impl Clock<'_> {
    /// Those whom `step` notifies if it fires now.
    pub(crate) fn receivers(self, step: &Step) -> Vec<DestinationName> {
        let mut names = Vec::new();
        self.push_receivers(&mut names, step);
        names
    }

    /// Adds those whom `step` notifies if it fires now: of a rotation, the person who is on call.
    fn push_receivers(self, names: &mut Vec<DestinationName>, step: &Step) {
        for name in step.to.iter().map(|name| self.standing.on_call(name, self.now)) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
}
