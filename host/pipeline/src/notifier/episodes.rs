use watchbell_contract::{Label, Severity, Timestamp};

use crate::action::Note;
use crate::message::Message;
use crate::reason::HoldReason;
use crate::record::{Ending, EpisodeRecord, Level, Phase};
use crate::spec::{AlertSpec, RuleName, RuleSpec};

use super::decider::{Context, Decider};
use super::escalation::{self, Verdict};
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
            repeat: alert.repeat,
            early: Vec::new(),
            stepped_until: None,
            announced_at: None,
            notified: Vec::new(),
            ordinal: 0,
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
        self.opened_at = now;
        self.steps = escalation::step_ids(alert);
        self.repeat = alert.repeat;
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
        // Only those who were notified can be notified that it got worse.
        let worse = worse.filter(|_| episode.ordinal > 0 || episode.stepped_until.is_some());
        episode.update(level);
        let has_begun = episode.begin(level, &spec.alert, context.now);
        note_opening(spec, episode, is_opened, has_begun, context);
        self.announce_open(&spec.name, &level.labels, worse, context);
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
        self.announce_end(spec, episode, was_active, context);
    }

    /// Sends what is due for an open episode, stores the episode, and sets its timer. `worse` is the previous severity,
    /// if it rose.
    fn announce_open(
        &mut self,
        name: &RuleName,
        labels: &[Label],
        worse: Option<Severity>,
        context: &mut Context<'_>,
    ) {
        let Some(known) = self.rules.get_mut(name) else { return };
        let Some(mut episode) = known.open.remove(labels) else { return };
        let (spec, clock) = (&known.spec, known.clock(context.now));
        let owner = spec.owner.clone();
        let mut verdicts = Vec::new();
        if let Some(before) = worse {
            verdicts.push(escalation::on_worse(&mut episode, spec, clock.judged, before));
        }
        verdicts.push(escalation::on_time(&mut episode, spec, clock));
        for verdict in verdicts {
            self.carry_out(owner.clone(), &mut episode, verdict, context);
        }
        context.draft.episode(&episode);
        if let Some(known) = self.rules.get_mut(name) {
            known.open.insert(labels.to_vec(), episode);
        }
        self.set_timer(name, labels);
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
        if let Verdict::Send { cause, to, step, .. } = verdict {
            let message = Message::of(episode, cause, owner, context.config.environment.clone());
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
        let verdict = escalation::on_end(&episode, spec, was_active, context.now);
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
            let to = self.send(&message, episode.ordinal, &to, context);
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
        while let Some((at, _, _)) = self.timers.first()
            && *at <= context.now
            && let Some((_, name, labels)) = self.timers.pop_first()
        {
            if let Some(known) = self.rules.get_mut(&name) {
                known.timers.remove(&labels);
            }
            self.announce_open(&name, &labels, None, context);
        }
    }

    pub(super) fn set_timer(&mut self, name: &RuleName, labels: &[Label]) {
        self.drop_timer(name, labels);
        let Some(known) = self.rules.get_mut(name) else { return };
        let (spec, judged) = (&known.spec, known.judged);
        let next =
            known.open.get(labels).and_then(|episode| escalation::next_at(Of { spec, episode, judged }));
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
    pub(super) fn explain_episodes(&self, name: &RuleName) -> impl Iterator<Item = HoldReason> {
        self.rules.get(name).into_iter().flat_map(|known| {
            known.open.values().flat_map(|episode| {
                let of = known.of(episode);
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
