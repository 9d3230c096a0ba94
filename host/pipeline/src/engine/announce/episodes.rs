use watchbell_contract::{Label, Severity};

use crate::engine::Engine;
use crate::episode::Ended;
use crate::message::{Message, Wording};
use crate::notifier::escalation::{self, Clock, Verdict};
use crate::notifier::hold::{self, Of, What};
use crate::order::Note;
use crate::reason::HoldReason;
use crate::record::{Ending, EpisodeRecord, Phase};
use crate::spec::{RuleName, RuleSpec};

impl Engine {
    /// Says what an open episode has to say now, keeps it, and sets its timer. `worse` is the severity that it had, if
    /// it rose.
    pub(super) fn announce_open(&mut self, name: &RuleName, labels: &[Label], worse: Option<Severity>) {
        let Some(rule) = self.rules.get_mut(name) else { return };
        let Some(mut episode) = rule.open.remove(labels) else { return };
        let spec = &rule.spec;
        let owner = spec.owner.clone();
        let clock = Clock { judged: rule.record.cursor, now: self.now };
        let mut verdicts = Vec::new();
        if let Some(before) = worse {
            verdicts.push(escalation::on_worse(&mut episode, spec, clock.judged, before));
        }
        verdicts.push(escalation::on_time(&mut episode, spec, clock));
        for verdict in verdicts {
            self.carry_out(owner.clone(), &mut episode, verdict);
        }
        self.ledger.episode(&episode);
        if let Some(rule) = self.rules.get_mut(name) {
            rule.open.insert(labels.to_vec(), episode);
        }
        self.set_timer(name, labels);
    }

    /// Sends what a verdict says of an open episode, and notes who is told by it.
    pub(in crate::engine) fn carry_out(
        &mut self,
        owner: Option<String>,
        episode: &mut EpisodeRecord,
        verdict: Verdict,
    ) {
        self.remember(&episode.rule, &verdict);
        if let Verdict::Send { cause, to, step, .. } = verdict {
            let message = Message::of(episode, cause, owner, self.config.environment.clone());
            self.send(&message, episode.ordinal, &to);
            escalation::told(episode, &to, step, self.now);
        }
    }

    /// Tells of an end whom it concerns, and keeps it. The episode is open no more.
    pub(in crate::engine) fn announce_end(&mut self, spec: Option<&RuleSpec>, ended: Ended) {
        let Ended { mut episode, was_active } = ended;
        let verdict = escalation::on_end(&episode, spec, was_active, self.now);
        self.remember(&episode.rule, &verdict);
        let why = match episode.phase {
            Phase::Resolved { why: Ending::RuleEnded, .. } => "the rule has ended",
            Phase::Resolved { why: Ending::Cleared, .. } => "the rule cleared it",
            _ => "its level has lapsed",
        };
        if let Verdict::Send { cause, to, step, .. } = verdict {
            let owner = spec.and_then(|spec| spec.owner.clone());
            let mut message = Message::of(&episode, cause, owner, self.config.environment.clone());
            if matches!(episode.phase, Phase::Resolved { why: Ending::RuleEnded, .. }) {
                message.wording = Wording::RuleEnded;
            }
            self.send(&message, episode.ordinal, &to);
            escalation::told(&mut episode, &to, step, self.now);
        }
        self.ledger.note(Note::EpisodeResolved {
            rule: episode.rule.clone(),
            episode: episode.id.0.clone(),
            why: why.into(),
        });
        self.ledger.episode(&episode);
    }

    pub(in crate::engine) fn ring_timers(&mut self) {
        while let Some((at, _, _)) = self.timers.first()
            && *at <= self.now
            && let Some((_, name, labels)) = self.timers.pop_first()
        {
            if let Some(rule) = self.rules.get_mut(&name) {
                rule.timers.remove(&labels);
            }
            self.announce_open(&name, &labels, None);
        }
    }

    pub(in crate::engine) fn set_timer(&mut self, name: &RuleName, labels: &[Label]) {
        self.drop_timer(name, labels);
        let Some(rule) = self.rules.get_mut(name) else { return };
        let (spec, judged) = (&rule.spec, rule.record.cursor);
        let next =
            rule.open.get(labels).and_then(|episode| escalation::next_at(Of { spec, episode, judged }));
        if let Some(at) = next {
            rule.timers.insert(labels.to_vec(), at);
            self.timers.insert((at, name.clone(), labels.to_vec()));
        }
    }

    pub(in crate::engine) fn drop_timer(&mut self, name: &RuleName, labels: &[Label]) {
        if let Some(rule) = self.rules.get_mut(name)
            && let Some(at) = rule.timers.remove(labels)
        {
            self.timers.remove(&(at, name.clone(), labels.to_vec()));
        }
    }

    /// Why each open episode of a rule sends nothing now: the first reason, then the others that hold it as well.
    pub(in crate::engine) fn explain_episodes(&self, name: &RuleName) -> Vec<HoldReason> {
        let Some(rule) = self.rules.get(name) else { return Vec::new() };
        let reasons = |episode: &EpisodeRecord| {
            let of = Of { spec: &rule.spec, episode, judged: rule.record.cursor };
            match hold::all(&What::Opening(of)) {
                held if held.is_empty() => vec![escalation::waiting(of)],
                held => held,
            }
        };
        rule.open.values().flat_map(reasons).collect()
    }
}
