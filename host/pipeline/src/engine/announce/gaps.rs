use watchbell_contract::{Range, Severity, Timestamp};

use crate::digest;
use crate::engine::Engine;
use crate::notifier::escalation::{self, Verdict};
use crate::record::LastSignal;
use crate::spec::RuleName;

use super::{Message, Voice};

impl Engine {
    /// The rule failed on a slice of time for good: its destinations hear of that as well.
    pub(in crate::engine) fn announce_gap(&mut self, name: &RuleName, over: Range, message: &str) {
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
        let message = Message {
            episode: &id,
            labels: &[],
            named: &[],
            severity,
            cause,
            ordinal: 0,
            since: over.start,
            last: &last,
            count: 1,
            more: &[],
        };
        self.send(&voice, &message, &to);
    }
}
