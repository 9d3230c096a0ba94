use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchbell_contract::{Cause, Severity};

use crate::digest;
use crate::message::{Message, Route, Wording};
use crate::reason::HoldReason;
use crate::record::{EpisodeRecord, LastSignal, Phase};
use crate::spec::{AlertSpec, DestinationName, RuleName, RuleSpec};

use super::decider::{Context, Decider};
use super::escalation::{self, Clock, Verdict};
use super::hold::{self, Of, What};

/// Lines of a summary; the rest are counted.
const LINES_MAX: usize = 20;

impl Decider {
    /// Updates a rule's open episodes to its new steps and `repeat`, where those changed. What the edit makes overdue
    /// is sent at once for the most severe episodes, and in one summary for the others.
    pub(super) fn follow_rule(&mut self, name: &RuleName, context: &mut Context<'_>) {
        let Some(known) = self.rules.get(name).filter(|known| !known.open.is_empty()) else { return };
        let spec = Arc::clone(&known.spec);
        let alert = &spec.alert;
        let judged = known.judged;
        let steps = escalation::step_ids(alert);
        // Nothing is due for a pending episode; it gets the steps in force when it becomes active.
        // What is held follows when it goes on.
        let follows = |episode: &&EpisodeRecord| {
            let repeat = alert.repeat_after(episode.progress.repeats);
            let is_edited = episode.steps != steps || episode.repeat != repeat;
            episode.phase != Phase::Pending && episode.progress.held.is_none() && is_edited
        };
        let mut edited: Vec<EpisodeRecord> = known.open.values().filter(follows).cloned().collect();
        edited.sort_by_key(|episode| std::cmp::Reverse((episode.severity, episode.opened_at)));
        let mut sent = 0;
        let mut rest: BTreeMap<DestinationName, Vec<EpisodeRecord>> = BTreeMap::new();
        for mut episode in edited {
            let steps_before = alert.steps.iter().filter(|step| episode.steps.contains(&step.id()));
            let before = AlertSpec {
                steps: steps_before.cloned().collect(),
                // Due under both the old and the new `repeat`.
                repeat: episode
                    .repeat
                    .zip(alert.repeat_after(episode.progress.repeats))
                    .map(|(before, now)| before.max(now))
                    .into_iter()
                    .collect(),
                ..alert.clone()
            };
            let before = RuleSpec { alert: before, ..RuleSpec::clone(&spec) };
            let clock = Clock { judged, now: context.now, standing: &self.standing };
            match hold::first(&What::Opening(Of { spec: &spec, episode: &episode, clock })) {
                // Nothing was judged yet: it takes the steps in force.
                Some(HoldReason::InhibitWait { .. }) => {
                    episode.steps.clone_from(&steps);
                    episode.repeat = alert.repeat_after(episode.progress.repeats);
                    context.draft.episode(&episode);
                    if let Some(known) = self.rules.get_mut(name) {
                        known.open.insert(episode.labels.clone(), episode);
                    }
                    continue;
                }
                // The edited bundle itself may hold it.
                Some(reason) if reason.stands().is_some() => continue,
                _ => {}
            }
            // What is due anyway, for example under the steps that were in force while the host was down.
            if let due @ Verdict::Send { .. } = escalation::on_time(&mut episode, &before, clock) {
                self.carry_out(spec.owner.clone(), &mut episode, due, context);
            }
            let clock = Clock { judged, now: context.now, standing: &self.standing };
            match escalation::on_edit(&mut episode, &spec, clock) {
                Verdict::Send { to, .. } if sent == context.config.edited_max => {
                    let mut to: BTreeSet<DestinationName> = to.into_iter().collect();
                    let of = Of { spec: &spec, episode: &episode, clock };
                    if escalation::is_repeat_due(of, context.now) {
                        to.extend(escalation::still_named(of));
                    }
                    to.into_iter().for_each(|to| rest.entry(to).or_default().push(episode.clone()));
                    episode.announced_at = episode.announced_at.map(|_| context.now);
                }
                verdict => {
                    sent += usize::from(matches!(verdict, Verdict::Send { .. }));
                    self.carry_out(spec.owner.clone(), &mut episode, verdict, context);
                }
            }
            episode.steps.clone_from(&steps);
            episode.repeat = alert.repeat_after(episode.progress.repeats);
            episode.early.retain(|step| steps.contains(step));
            episode.progress.late.retain(|step| steps.contains(step));
            episode.stepped_until = Some(context.now);
            context.draft.episode(&episode);
            if let Some(known) = self.rules.get_mut(name) {
                known.open.insert(episode.labels.clone(), episode);
            }
        }
        for (destination, episodes) in rest {
            self.summarize(&spec, &destination, &episodes, context);
        }
    }

    /// One message for many open episodes. It does not count as their opening message: a destination that was not
    /// notified of an episode is not notified of its end either.
    fn summarize(
        &mut self,
        spec: &RuleSpec,
        to: &DestinationName,
        episodes: &[EpisodeRecord],
        context: &mut Context<'_>,
    ) {
        let severity = episodes.iter().map(|episode| episode.severity).max().unwrap_or(Severity::Info);
        let mut more: Vec<String> = episodes.iter().take(LINES_MAX).map(line).collect();
        if episodes.len() > more.len() {
            more.push(format!("and {} more", episodes.len() - more.len()));
        }
        let now = context.now;
        let message = Message {
            episode: digest::once_id(context.incarnation, "edited", &[&to.0], &spec.name, &[], now),
            rule: spec.name.clone(),
            owner: spec.owner.clone(),
            environment: context.config.environment.clone(),
            labels: Vec::new(),
            named: Vec::new(),
            severity,
            cause: Cause::Summary,
            person: None,
            since: now,
            last: LastSignal::said(now, format!("{} more episodes are open", episodes.len())),
            count: u32::try_from(episodes.len()).unwrap_or(u32::MAX),
            more,
            wording: Wording::Edited,
            route: Route::default(),
        };
        self.send(&message, 0, std::slice::from_ref(to), context);
    }
}

fn line(episode: &EpisodeRecord) -> String {
    let labels = episode.labels.iter().filter_map(|label| label.value.as_deref());
    let labels: Vec<&str> = labels.collect();
    match labels.is_empty() {
        true => episode.last.summary.clone(),
        false => format!("{}: {}", labels.join(", "), episode.last.summary),
    }
}
