use std::sync::Arc;

use watchbell_contract::{Cause, Label, Severity, Timestamp};

use crate::action::Note;
use crate::message::{Message, Wording};
use crate::reason::{HoldReason, SendReason};
use crate::record::{Ending, EpisodeProgress, EpisodeRecord, Level, Phase};
use crate::spec::{AlertSpec, RuleName, RuleSpec};

use super::decider::{Context, Decider, note_source};
use super::escalation::{self, Clock, Verdict};
use super::hold::{self, Of, What};

impl EpisodeRecord {
    /// Opens the episode of a new level.
    fn open(rule: &RuleName, level: &Level, alert: &AlertSpec, now: Timestamp) -> Self {
        Self {
            id: level.id.clone(),
            rule: rule.clone(),
            labels: level.labels.clone(),
            phase: if level.has_begun { Phase::Active } else { Phase::Pending },
            severity: level.severity,
            since: level.since,
            opened_at: now,
            until: level.until,
            last: level.last.clone(),
            steps: escalation::step_ids(alert),
            repeat: alert.repeat_after(0),
            early: Vec::new(),
            stepped_until: None,
            announced_at: None,
            notified: Vec::new(),
            ordinal: 0,
            progress: EpisodeProgress { followed: level.severity, ..EpisodeProgress::default() },
        }
    }

    fn update(&mut self, level: &Level) {
        self.severity = level.severity;
        self.until = level.until;
        self.last = level.last.clone();
    }

    /// The episode may be announced from now on, and its escalation starts. `false` if it had already begun.
    fn begin(&mut self, level: &Level, alert: &AlertSpec, now: Timestamp) -> bool {
        if self.phase != Phase::Pending || !level.has_begun {
            return false;
        }
        self.phase = Phase::Active;
        self.progress.followed = self.severity;
        self.opened_at = now;
        self.steps = escalation::step_ids(alert);
        self.repeat = alert.repeat_after(0);
        true
    }
}

impl Decider {
    /// A level is new or has changed.
    pub(super) fn level(
        &mut self,
        spec: &RuleSpec,
        level: &Level,
        worse: Option<Severity>,
        context: &mut Context<'_>,
    ) {
        let Some(known) = self.rules.get_mut(&spec.name) else { return };
        let mut is_opened = false;
        let episode = known.open.entry(level.labels.clone()).or_insert_with(|| {
            is_opened = true;
            EpisodeRecord::open(&spec.name, level, &spec.alert, context.now)
        });
        // An overflow that grew is as severe as before.
        let grew = worse.filter(|before| *before == level.severity && episode.ordinal > 0);
        episode.update(level);
        let has_begun = episode.begin(level, &spec.alert, context.now);
        note_opening(spec, episode, is_opened, has_begun, context);
        self.announce_open(&spec.name, &level.labels, grew, context);
    }

    /// Stores the level's current values, if its episode is open.
    pub(super) fn update(&mut self, name: &RuleName, level: &Level) -> Option<&EpisodeRecord> {
        let known = self.rules.get_mut(name)?;
        let episode = known.open.get_mut(&level.labels).filter(|episode| episode.id == level.id)?;
        episode.update(level);
        Some(episode)
    }

    /// A level has ended, and its episode with it. Nobody may have been notified of that episode.
    pub(super) fn ended(
        &mut self,
        name: &RuleName,
        spec: Option<&RuleSpec>,
        level: &Level,
        why: Ending,
        context: &mut Context<'_>,
    ) {
        let open = match self.rules.get_mut(name) {
            Some(known) => Some(&mut known.open),
            None => self.found.get_mut(name),
        };
        let kept = open.and_then(|open| open.remove(&level.labels));
        let alert = spec.map(|spec| spec.alert.clone()).unwrap_or_default();
        let is_opened = kept.is_none();
        let mut episode = kept.unwrap_or_else(|| EpisodeRecord::open(name, level, &alert, context.now));
        episode.update(level);
        let has_begun = episode.begin(level, &alert, context.now);
        if let Some(spec) = spec {
            note_opening(spec, &episode, is_opened, has_begun, context);
        }
        self.drop_timer(name, &level.labels);
        let was_active = matches!(episode.phase, Phase::Active | Phase::Acknowledged { .. });
        episode.phase = Phase::Resolved { at: context.now, why };
        let is_changed = spec.is_some_and(|spec| note_source(&mut self.standing, spec, &episode));
        self.announce_end(spec, episode, was_active, context);
        self.is_stale |= is_changed;
    }

    /// Sends what is due for an open episode, stores the episode, and sets its timer. `grew` is its severity, if it is an
    /// overflow that grew.
    pub(super) fn announce_open(
        &mut self,
        name: &RuleName,
        labels: &[Label],
        grew: Option<Severity>,
        context: &mut Context<'_>,
    ) {
        let Some(known) = self.rules.get_mut(name) else { return };
        let Some(mut episode) = known.open.remove(labels) else { return };
        let (spec, judged, now) = (Arc::clone(&known.spec), known.judged, context.now);
        let clock = Clock { judged, now, standing: &self.standing };
        let stands = hold::stands(Of { spec: &spec, episode: &episode, clock });
        let goes_on = escalation::clock::follow(&mut episode, &spec.alert, stands, now);
        // An edit that came while it was held is followed now.
        let is_edited = goes_on && episode.steps != escalation::step_ids(&spec.alert);
        if let Some(before) = escalation::rose_from(&episode).or(grew) {
            let verdict = escalation::on_worse(&mut episode, &spec, clock, before);
            self.carry_out(spec.owner.clone(), &mut episode, verdict, context);
        }
        if !is_edited {
            let clock = Clock { judged, now, standing: &self.standing };
            let verdict = escalation::on_time(&mut episode, &spec, clock);
            self.carry_out(spec.owner.clone(), &mut episode, verdict, context);
        }
        self.is_stale |= note_source(&mut self.standing, &spec, &episode);
        context.draft.episode(&episode);
        if let Some(known) = self.rules.get_mut(name) {
            known.open.insert(labels.to_vec(), episode);
        }
        if is_edited {
            self.follow_rule(name, context);
        }
        self.set_timer(name, labels, context.now);
    }

    /// What stands has changed: judges the episodes anew for which that makes a difference.
    pub(super) fn judge_anew(&mut self, context: &mut Context<'_>) {
        let Self { rules, standing, .. } = self;
        // What is found of a rule that is gone ends soon, and nothing of it begins.
        let changed = rules.values().filter(|known| !known.is_gone()).flat_map(|known| {
            known.open.values().filter_map(|episode| {
                let runs = matches!(episode.phase, Phase::Active | Phase::Acknowledged { .. });
                let stands = hold::stands(known.of(episode, standing, context.now));
                (runs && stands != episode.progress.held.map(|held| held.until))
                    .then(|| (known.spec.name.clone(), episode.labels.clone()))
            })
        });
        for (name, labels) in changed.collect::<Vec<_>>() {
            self.announce_open(&name, &labels, None, context);
        }
    }

    /// Sends what a verdict says about an open episode, and records who was notified.
    pub(super) fn carry_out(
        &mut self,
        owner: Option<String>,
        episode: &mut EpisodeRecord,
        verdict: Verdict,
        context: &mut Context<'_>,
    ) {
        self.remember(&episode.rule, &verdict, context);
        if let Verdict::Send { cause, to, step, reason } = verdict {
            let mut message = Message::of(episode, cause, owner, context.config.environment.clone());
            if reason == SendReason::Unacknowledged && message.wording == Wording::Rule {
                message.wording = Wording::Unacknowledged;
            }
            let to = self.send(&message, episode.ordinal, &to, context);
            escalation::notify(episode, &to, step, context.now);
        }
    }

    /// Notifies the right destinations of the end, and stores it. The episode is then closed.
    fn announce_end(
        &mut self,
        spec: Option<&RuleSpec>,
        mut episode: EpisodeRecord,
        was_active: bool,
        context: &mut Context<'_>,
    ) {
        let (judged, now) = (context.now, context.now);
        let clock = Clock { judged, now, standing: &self.standing };
        let verdict = escalation::on_end(&episode, spec, was_active, clock);
        self.remember(&episode.rule, &verdict, context);
        let why = match episode.phase {
            Phase::Resolved { why: Ending::RuleEnded, .. } => "the rule has ended",
            Phase::Resolved { why: Ending::Cleared, .. } => "the rule cleared it",
            Phase::Resolved { why: Ending::WithinLimit, .. } => "no key is beyond the limit any more",
            _ => "its level has lapsed",
        };
        if let Verdict::Send { cause, to, step, .. } = verdict {
            let owner = spec.and_then(|spec| spec.owner.clone());
            let mut message = Message::of(&episode, cause, owner, context.config.environment.clone());
            if matches!(episode.phase, Phase::Resolved { why: Ending::RuleEnded, .. }) {
                message.wording = message.wording.of_ended_rule();
            }
            let to = match cause {
                Cause::Resolved => self.send_end(&message, episode.ordinal, to, context),
                _ => self.send(&message, episode.ordinal, &to, context),
            };
            escalation::notify(&mut episode, &to, step, context.now);
        }
        context.draft.note(Note::EpisodeResolved {
            rule: episode.rule.clone(),
            episode: episode.id.0.clone(),
            why: why.into(),
        });
        context.draft.episode(&episode);
    }

    pub(super) fn ring_timers(&mut self, context: &mut Context<'_>) {
        if self.standing.next_change().is_some_and(|at| at <= context.now) {
            self.follow_standing(context);
        }
        self.end_limits(context);
        while let Some((at, _, _)) = self.timers.first()
            && *at <= context.now
            && let Some((_, name, labels)) = self.timers.pop_first()
        {
            if let Some(known) = self.rules.get_mut(&name) {
                known.timers.remove(&labels);
            }
            self.announce_open(&name, &labels, None, context);
        }
        self.send_groups(context);
    }

    pub(super) fn set_timer(&mut self, name: &RuleName, labels: &[Label], now: Timestamp) {
        self.drop_timer(name, labels);
        let Some(known) = self.rules.get_mut(name) else { return };
        let (spec, clock) = (&known.spec, known.clock(&self.standing, now));
        let next =
            known.open.get(labels).and_then(|episode| escalation::next_at(Of { spec, episode, clock }));
        if let Some(at) = next {
            known.timers.insert(labels.to_vec(), at);
            self.timers.insert((at, name.clone(), labels.to_vec()));
        }
    }

    fn drop_timer(&mut self, name: &RuleName, labels: &[Label]) {
        if let Some(known) = self.rules.get_mut(name)
            && let Some(at) = known.timers.remove(labels)
        {
            self.timers.remove(&(at, name.clone(), labels.to_vec()));
        }
    }

    /// Why each open episode of a rule sends nothing now: the first reason, then any others that also hold it.
    pub(super) fn explain_episodes(
        &self,
        name: &RuleName,
        now: Timestamp,
    ) -> impl Iterator<Item = HoldReason> {
        self.rules.get(name).into_iter().flat_map(move |known| {
            known.open.values().flat_map(move |episode| {
                let of = known.of(episode, &self.standing, now);
                match hold::all(&What::Opening(of)) {
                    held if held.is_empty() => vec![escalation::waiting(of)],
                    held => held,
                }
            })
        })
    }
}

/// Logs an episode once: when it opens, or when the hours begin in which it may be announced.
fn note_opening(
    spec: &RuleSpec,
    episode: &EpisodeRecord,
    is_opened: bool,
    has_begun: bool,
    context: &mut Context<'_>,
) {
    let in_hours = spec.active.as_ref().is_none_or(|active| active.holds(episode.since));
    if is_opened && (in_hours || episode.phase == Phase::Active) || has_begun && !in_hours {
        context.draft.note(Note::EpisodeOpened {
            rule: spec.name.clone(),
            episode: episode.id.0.clone(),
            summary: episode.last.summary.clone(),
        });
    }
}
