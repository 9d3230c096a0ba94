use watchbell_contract::{Severity, Timestamp};

use crate::digest;
use crate::engine::Engine;
use crate::episode::{self, LinkedSignal};
use crate::escalation::{self, Verdict};
use crate::record::{EpisodeId, LastSignal};
use crate::spec::{RuleName, RuleSpec};

use super::{Message, Voice};

impl Engine {
    /// One message per event, or one for all of them if they are many.
    pub(super) fn announce_events(
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
}
