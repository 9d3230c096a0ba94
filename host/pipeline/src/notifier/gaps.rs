use watchbell_contract::{Range, Severity, Timestamp};

use crate::digest;
use crate::message::{Message, Route, Wording};
use crate::record::LastSignal;
use crate::spec::RuleSpec;

use super::decider::{Context, Decider};
use super::escalation::{self, Clock, Verdict};

impl Decider {
    /// The rule failed on a slice of time permanently: its destinations are notified of that too.
    pub(super) fn announce_gap(
        &mut self,
        spec: &RuleSpec,
        over: Range,
        message: &str,
        context: &mut Context<'_>,
    ) {
        let name = &spec.name;
        let clock = Clock { judged: context.now, now: context.now, standing: &self.standing };
        let verdict = escalation::on_event(&spec.alert.steps, Severity::Critical, clock);
        self.remember(name, &verdict, context);
        let Verdict::Send { cause, to, .. } = verdict else { return };
        let time = |at: Timestamp| {
            jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
        };
        let message = Message {
            episode: digest::once_id(context.incarnation, "gap", &[], name, &[], over.start),
            rule: name.clone(),
            owner: spec.owner.clone(),
            environment: context.config.environment.clone(),
            labels: Vec::new(),
            named: Vec::new(),
            severity: spec.severity.max(Severity::Warning),
            cause,
            person: None,
            since: over.start,
            last: LastSignal::said(
                over.start,
                format!("evaluation failed from {} to {}: {message}", time(over.start), time(over.end)),
            ),
            count: 1,
            more: Vec::new(),
            wording: Wording::Gap,
            route: Route::default(),
        };
        self.send(&message, 0, &to, context);
    }
}
