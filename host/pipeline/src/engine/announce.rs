use watchbell_contract::{Cause, Intent, Label, Range, Receipt, Refusal, Severity, Timestamp};

use crate::because::Because;
use crate::digest;
use crate::episode::{self, Changes, Ended, LinkedSignal};
use crate::escalation::{self, Verdict};
use crate::order::Note;
use crate::outbox::{self, Settled};
use crate::record::{Delivery, Ending, EpisodeId, EpisodeRecord, IntentId, IntentRecord, LastSignal, Phase};
use crate::spec::{DestinationName, RuleName, RuleSpec};
use crate::text::{self, Subject};

use super::Engine;

/// In whose name a message speaks.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    rule: RuleName,
    owner: Option<String>,
    title: String,
    body: String,
}

/// What a message is about.
struct Message<'a> {
    episode: &'a EpisodeId,
    labels: &'a [Label],
    severity: Severity,
    cause: Cause,
    ordinal: u32,
    since: Timestamp,
    last: &'a LastSignal,
    count: u32,
    more: &'a [String],
}

impl Voice {
    /// A rule whose manifest is gone still says its summary.
    pub(super) fn of(spec: Option<&RuleSpec>, name: &RuleName) -> Self {
        let alert = spec.map(|spec| spec.alert.clone()).unwrap_or_default();
        let body = if spec.is_some() { alert.body } else { "{{ summary }}".to_owned() };
        let owner = spec.and_then(|spec| spec.owner.clone());
        Self { rule: name.clone(), owner, title: alert.title, body }
    }
}

impl<'a> Message<'a> {
    fn of(episode: &'a EpisodeRecord, cause: Cause) -> Self {
        Self {
            episode: &episode.id,
            labels: &episode.labels,
            severity: episode.severity,
            cause,
            ordinal: episode.ordinal,
            since: episode.since,
            last: &episode.last,
            count: 1,
            more: &[],
        }
    }
}

impl Engine {
    pub(super) fn announce_changes(&mut self, name: &RuleName, changes: Changes, window_end: Timestamp) {
        let Some(rule) = self.rules.get(name) else { return };
        let voice = Voice::of(Some(&rule.spec), name);
        for (episode, summary) in changes.opened {
            self.ledger.note(Note::EpisodeOpened { rule: name.clone(), episode, summary });
        }
        // Ends first: an end and a new beginning of the same labels are told in that order.
        for ended in changes.ended {
            self.drop_timer(name, &ended.episode.labels);
            self.announce_end(&voice, ended);
        }
        for labels in &changes.touched {
            let worse = changes.worse.contains(labels);
            self.announce_open(name, labels, worse);
        }
        self.announce_events(name, &voice, changes.events, window_end);
    }

    /// Says what an open episode has to say now, keeps it, and sets its timer.
    fn announce_open(&mut self, name: &RuleName, labels: &[Label], worse: bool) {
        let now = self.now;
        let Some(rule) = self.rules.get_mut(name) else { return };
        let Some(mut episode) = rule.open.remove(labels) else { return };
        let voice = Voice::of(Some(&rule.spec), name);
        let mut verdicts = Vec::new();
        if worse {
            verdicts.push(escalation::on_worse(&episode));
        }
        verdicts.push(escalation::on_time(&mut episode, now));
        for verdict in verdicts {
            self.remember(name, &verdict);
            if let Verdict::Send { cause, to, .. } = verdict {
                self.send(&voice, &Message::of(&episode, cause), &to);
                escalation::told(&mut episode, &to, now);
            }
        }
        self.ledger.episode(&episode);
        if let Some(rule) = self.rules.get_mut(name) {
            rule.open.insert(labels.to_vec(), episode);
        }
        self.set_timer(name, labels);
    }

    /// Tells of an end whom it concerns, and keeps it. The episode is open no more.
    pub(super) fn announce_end(&mut self, voice: &Voice, ended: Ended) {
        let Ended { mut episode, was_active } = ended;
        let verdict = escalation::on_end(&episode, was_active, self.now);
        self.remember(&voice.rule, &verdict);
        let why = match episode.phase {
            Phase::Resolved { why: Ending::RuleEnded, .. } => "the rule has ended",
            Phase::Resolved { why: Ending::Cleared, .. } => "the rule cleared it",
            _ => "its level has lapsed",
        };
        if let Verdict::Send { cause, to, .. } = verdict {
            let mut voice = voice.clone();
            if matches!(episode.phase, Phase::Resolved { why: Ending::RuleEnded, .. }) {
                voice.body.push_str("\n\nThe rule has ended: it was disabled or its file is gone.");
            }
            self.send(&voice, &Message::of(&episode, cause), &to);
            escalation::told(&mut episode, &to, self.now);
        }
        self.ledger.note(Note::EpisodeResolved {
            rule: voice.rule.clone(),
            episode: episode.id.0.clone(),
            why: why.into(),
        });
        self.ledger.episode(&episode);
    }

    /// One message per event, or one for all of them if they are many.
    fn announce_events(
        &mut self,
        name: &RuleName,
        voice: &Voice,
        events: Vec<LinkedSignal>,
        window_end: Timestamp,
    ) {
        let Some(rule) = self.rules.get(name) else { return };
        let spec = rule.spec.clone();
        if events.len() <= self.config.events_max {
            for event in &events {
                let severity = episode::severity(&spec, event.signal.value);
                let (mark, nth) = (event.mark.to_string(), event.nth.to_string());
                let id =
                    digest::once_id("event", &[&mark, &nth], name, &event.signal.labels, event.signal.at);
                self.announce_once(name, voice, &spec, &id, severity, std::slice::from_ref(event), &[]);
            }
            return;
        }
        let Some(first) = events.first() else { return };
        let severities = events.iter().map(|event| episode::severity(&spec, event.signal.value));
        let severity = severities.max().unwrap_or(spec.severity);
        // The number of signals belongs to the name: a later look at the same span may find a few more.
        let size = events.len().to_string();
        let id = digest::once_id("events", &[&size], name, &first.signal.labels, window_end);
        let listed = events.iter().skip(1).take(self.config.events_max);
        let mut more: Vec<String> = listed.map(|event| event.signal.summary.clone()).collect();
        let left = events.len() - 1 - more.len();
        if left > 0 {
            more.push(format!("and {left} more"));
        }
        let mut voice = voice.clone();
        voice.title.push_str(" (and {{ count - 1 }} more)");
        voice.body.push_str("\n\n{% for summary in more %}\n- {{ summary }}\n{%- endfor %}\n");
        self.announce_once(name, &voice, &spec, &id, severity, &events, &more);
    }

    #[expect(clippy::too_many_arguments, reason = "one message's parts, named nowhere else")]
    fn announce_once(
        &mut self,
        name: &RuleName,
        voice: &Voice,
        spec: &RuleSpec,
        id: &EpisodeId,
        severity: Severity,
        events: &[LinkedSignal],
        more: &[String],
    ) {
        let verdict = escalation::on_event(&spec.alert.steps, severity);
        self.remember(name, &verdict);
        let (Verdict::Send { cause, to, .. }, Some(first)) = (verdict, events.first()) else { return };
        let last = LastSignal {
            at: first.signal.at,
            value: first.signal.value,
            threshold: first.signal.threshold,
            summary: first.signal.summary.clone(),
            details: first.signal.details.clone(),
            link: first.link.clone(),
        };
        // A group speaks for many labels, so for none.
        let labels = if events.len() == 1 { first.signal.labels.as_slice() } else { &[] };
        let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
        let message = Message {
            episode: id,
            labels,
            severity,
            cause,
            ordinal: 0,
            since: last.at,
            last: &last,
            count,
            more,
        };
        self.send(voice, &message, &to);
    }

    /// The rule failed on a slice of time for good: its destinations hear of that as well.
    pub(super) fn announce_gap(&mut self, name: &RuleName, over: Range, message: &str) {
        let Some(rule) = self.rules.get(name) else { return };
        let severity = rule.spec.severity.max(Severity::Warning);
        let verdict = escalation::on_event(&rule.spec.alert.steps, Severity::Critical);
        let voice = Voice {
            title: "{{ rule }} could not judge a slice of time".into(),
            body: "{{ summary }}\n\nThe slice is recorded as a gap, and the rule goes on after it. If it can judge \
                   nothing there either, that is recorded without another message."
                .into(),
            ..Voice::of(Some(&rule.spec), name)
        };
        self.remember(name, &verdict);
        let Verdict::Send { cause, to, .. } = verdict else { return };
        let time = |at: Timestamp| {
            jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
        };
        let last = LastSignal {
            at: over.start,
            value: None,
            threshold: None,
            summary: format!("it fails on {} to {}: {message}", time(over.start), time(over.end)),
            details: "{}".into(),
            link: None,
        };
        let id = digest::once_id("gap", &[], name, &[], over.start);
        let (labels, more): (&[Label], &[String]) = (&[], &[]);
        let since = over.start;
        let message =
            Message { episode: &id, labels, severity, cause, ordinal: 0, since, last: &last, count: 1, more };
        self.send(&voice, &message, &to);
    }

    fn send(&mut self, voice: &Voice, message: &Message<'_>, to: &[DestinationName]) {
        let subject = Subject {
            rule: &voice.rule.0,
            owner: voice.owner.as_deref(),
            environment: &self.config.environment,
            severity: message.severity,
            cause: message.cause,
            labels: message.labels,
            at: message.last.at,
            since: message.since,
            value: message.last.value,
            threshold: message.last.threshold,
            summary: &message.last.summary,
            details: &message.last.details,
            link: message.last.link.as_deref(),
            count: message.count,
            more: message.more,
        };
        for destination in to {
            let id = digest::intent_id(message.episode, message.cause.as_str(), message.ordinal, destination);
            let text = text::render(&voice.title, &voice.body, &subject, self.outbox.text(destination));
            let intent = Intent {
                id: id.0.clone(),
                episode: message.episode.0.clone(),
                rule: voice.rule.0.clone(),
                owner: voice.owner.clone(),
                environment: self.config.environment.clone(),
                labels: message.labels.to_vec(),
                cause: message.cause,
                severity: message.severity,
                at: message.last.at,
                since: message.since,
                value: message.last.value,
                threshold: message.last.threshold,
                title: text.title,
                body: text.body,
                summary: message.last.summary.clone(),
                details: message.last.details.clone(),
                link: message.last.link.clone(),
                attempt: 0,
                maybe_repeated: false,
            };
            if let Some(record) = self.outbox.push(outbox::owed(id, destination.clone(), intent, self.now)) {
                self.ledger.intent(record);
            }
        }
    }

    pub(super) fn delivered(&mut self, id: &IntentId, outcome: Result<Receipt, Refusal>) {
        if let Some(settled) = self.outbox.settle(id, outcome, self.now, self.config.seed) {
            self.settled(settled);
        }
    }

    /// Keeps what became of a message. Who heard of an episode is to hear of its end, and nobody else.
    pub(super) fn settled(&mut self, settled: Settled) {
        let Settled { record, note } = settled;
        match record.delivery {
            Delivery::Delivered { .. } => self.heard(&record),
            Delivery::Dead { .. } => self.unheard(&record),
            Delivery::Owed { .. } | Delivery::Claimed { .. } => {}
        }
        self.ledger.intent(record);
        self.ledger.note(note);
    }

    fn heard(&mut self, record: &IntentRecord) {
        if let Some(episode) = self.episode_of(record)
            && !episode.told.contains(&record.destination)
        {
            episode.told.push(record.destination.clone());
            let episode = episode.clone();
            self.ledger.episode(&episode);
        }
    }

    fn unheard(&mut self, record: &IntentRecord) {
        let begins = matches!(record.intent.cause, Cause::Opened | Cause::Escalated);
        if !begins || self.outbox.has_heard(record) {
            return;
        }
        if let Some(episode) = self.episode_of(record) {
            episode.told.retain(|name| *name != record.destination);
            let episode = episode.clone();
            self.ledger.episode(&episode);
        }
        // Its end may be owed already, after this.
        if let Some(settled) = self.outbox.withdraw_end(record, self.now) {
            self.ledger.intent(settled.record);
            self.ledger.note(settled.note);
        }
    }

    /// The episode that a message is about, while it is open.
    fn episode_of(&mut self, record: &IntentRecord) -> Option<&mut EpisodeRecord> {
        let rule = self.rules.get_mut(&RuleName(record.intent.rule.clone()))?;
        let episode = rule.open.get_mut(&record.intent.labels)?;
        (episode.id.0 == record.intent.episode).then_some(episode)
    }

    pub(super) fn ring_timers(&mut self) {
        while let Some((at, _, _)) = self.timers.first()
            && *at <= self.now
            && let Some((_, name, labels)) = self.timers.pop_first()
        {
            if let Some(rule) = self.rules.get_mut(&name) {
                rule.timers.remove(&labels);
            }
            self.announce_open(&name, &labels, false);
        }
    }

    pub(super) fn set_timer(&mut self, name: &RuleName, labels: &[Label]) {
        self.drop_timer(name, labels);
        let Some(rule) = self.rules.get_mut(name) else { return };
        if let Some(at) = rule.open.get(labels).and_then(escalation::next_at) {
            rule.timers.insert(labels.to_vec(), at);
            self.timers.insert((at, name.clone(), labels.to_vec()));
        }
    }

    pub(super) fn drop_timer(&mut self, name: &RuleName, labels: &[Label]) {
        if let Some(rule) = self.rules.get_mut(name)
            && let Some(at) = rule.timers.remove(labels)
        {
            self.timers.remove(&(at, name.clone(), labels.to_vec()));
        }
    }

    fn remember(&mut self, name: &RuleName, verdict: &Verdict) {
        let because = match verdict {
            Verdict::Send { because, .. } | Verdict::Hold(because) => because.clone(),
        };
        if let Some(rule) = self.rules.get_mut(name) {
            rule.remember(because);
        }
    }

    /// Why each open episode of a rule sends nothing now.
    pub(super) fn explain_episodes(&self, name: &RuleName) -> Vec<Because> {
        let Some(rule) = self.rules.get(name) else { return Vec::new() };
        let reason = |episode: &EpisodeRecord| match episode.phase {
            Phase::Pending => Because::Pending { until: episode.since + rule.spec.alert.hold },
            _ => escalation::waiting(episode),
        };
        rule.open.values().map(reason).collect()
    }
}
