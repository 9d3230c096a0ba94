use watchbell_contract::{Range, Severity, Timestamp};

use crate::digest;
use crate::engine::Engine;
use crate::message::{Message, Wording};
use crate::notifier::escalation::{self, Verdict};
use crate::record::LastSignal;
use crate::spec::RuleName;

impl Engine {
    /// The rule failed on a slice of time for good: its destinations hear of that as well.
    pub(in crate::engine) fn announce_gap(&mut self, name: &RuleName, over: Range, message: &str) {
        let Some(rule) = self.rules.get(name) else { return };
        let severity = rule.spec.severity.max(Severity::Warning);
        let owner = rule.spec.owner.clone();
        let verdict = escalation::on_event(&rule.spec.alert.steps, Severity::Critical);
        self.remember(name, &verdict);
        let Verdict::Send { cause, to, .. } = verdict else { return };
        let time = |at: Timestamp| {
            jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
        };
        let message = Message {
            episode: digest::once_id("gap", &[], name, &[], over.start),
            rule: name.clone(),
            owner,
            environment: self.config.environment.clone(),
            labels: Vec::new(),
            named: Vec::new(),
            severity,
            cause,
            since: over.start,
            last: LastSignal {
                at: over.start,
                value: None,
                threshold: None,
                summary: format!("it fails on {} to {}: {message}", time(over.start), time(over.end)),
                details: "{}".into(),
                link: None,
            },
            count: 1,
            more: Vec::new(),
            wording: Wording::Gap,
        };
        self.send(&message, 0, &to);
    }
}
