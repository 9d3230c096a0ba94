use watchbell_contract::{Label, Severity};

use crate::engine::Engine;
use crate::episode::{self, Ended};
use crate::notifier::escalation::{self, Verdict};
use crate::order::Note;
use crate::reason::Because;
use crate::record::{Ending, EpisodeRecord, Phase};
use crate::spec::{AlertSpec, RuleName};

use super::{Message, Voice};

impl Engine {
    /// Says what an open episode has to say now, keeps it, and sets its timer. `worse` is the severity that it had, if
    /// it rose.
    pub(super) fn announce_open(&mut self, name: &RuleName, labels: &[Label], worse: Option<Severity>) {
        let Some(rule) = self.rules.get_mut(name) else { return };
        let Some(mut episode) = rule.open.remove(labels) else { return };
        let (voice, alert) = (Voice::of(Some(&rule.spec), name), &rule.spec.alert);
        let mut verdicts = Vec::new();
        if let Some(before) = worse {
            verdicts.push(escalation::on_worse(&mut episode, alert, before));
        }
        verdicts.push(escalation::on_time(&mut episode, alert, self.now));
        for verdict in verdicts {
            self.carry_out(&voice, &mut episode, verdict);
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
        voice: &Voice,
        episode: &mut EpisodeRecord,
        verdict: Verdict,
    ) {
        self.remember(&voice.rule, &verdict);
        if let Verdict::Send { cause, to, step, .. } = verdict {
            self.send(voice, &Message::of(episode, cause), &to);
            escalation::told(episode, &to, step, self.now);
        }
    }

    /// Tells of an end whom it concerns, and keeps it. The episode is open no more.
    pub(in crate::engine) fn announce_end(&mut self, voice: &Voice, alert: &AlertSpec, ended: Ended) {
        let Ended { mut episode, was_active } = ended;
        let verdict = escalation::on_end(&episode, alert, was_active, self.now);
        self.remember(&voice.rule, &verdict);
        let why = match episode.phase {
            Phase::Resolved { why: Ending::RuleEnded, .. } => "the rule has ended",
            Phase::Resolved { why: Ending::Cleared, .. } => "the rule cleared it",
            _ => "its level has lapsed",
        };
        if let Verdict::Send { cause, to, step, .. } = verdict {
            let mut voice = voice.clone();
            if matches!(episode.phase, Phase::Resolved { why: Ending::RuleEnded, .. }) {
                voice.body.push_str("\n\nThe rule has ended: it was disabled or its file is gone.");
            }
            self.send(&voice, &Message::of(&episode, cause), &to);
            escalation::told(&mut episode, &to, step, self.now);
        }
        self.ledger.note(Note::EpisodeResolved {
            rule: voice.rule.clone(),
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
        let next = rule.open.get(labels).and_then(|episode| escalation::next_at(episode, &rule.spec.alert));
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

    /// Why each open episode of a rule sends nothing now.
    pub(in crate::engine) fn explain_episodes(&self, name: &RuleName) -> Vec<Because> {
        let Some(rule) = self.rules.get(name) else { return Vec::new() };
        let reason = |episode: &EpisodeRecord| match episode.phase {
            Phase::Pending => match episode::begins(&rule.spec, episode.since) {
                until if until != Some(episode.since + rule.spec.alert.hold) => Because::Inactive { until },
                _ => Because::Pending { until: episode.since + rule.spec.alert.hold },
            },
            _ => escalation::waiting(episode, &rule.spec.alert),
        };
        rule.open.values().map(reason).collect()
    }
}
