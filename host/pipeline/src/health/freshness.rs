use watchbell_contract::{Duration, Timestamp};

use crate::partition::RuleStatus;

use super::{CauseKind, DRIFT_MAX, HealthCause, Rules, Vitals, first};

/// Which rules have not been evaluated recently, and what holds up all of them.
pub fn freshness(rules: &Rules, vitals: &Vitals<'_>) -> Vec<HealthCause> {
    let Vitals { drift, now, .. } = *vitals;
    let mut causes = Vec::new();
    if drift > DRIFT_MAX {
        let message = format!(
            "the wall clock is off by {drift} from the engine's time: no window starts; set the clock or \
             restart the host"
        );
        causes.push(HealthCause::new(CauseKind::ClockDrift, message));
    }
    causes.extend(vitals.apart.iter().cloned());
    if let Some(since) = vitals.progress.refused_since() {
        let message = match vitals.store_fault {
            Some(why) => format!("nothing is committed or sent since {since}: {why}"),
            None => format!("the store has refused every commit since {since}; see the log for the reason"),
        };
        causes.push(HealthCause { since: Some(since), ..HealthCause::new(CauseKind::StoreRefuses, message) });
    }
    let enabled = rules.iter().filter(|rule| rule.enabled);
    causes.extend(first(enabled.filter_map(|rule| not_fresh(rule, now))));
    causes
}

fn not_fresh(rule: &RuleStatus, now: Timestamp) -> Option<HealthCause> {
    let failure = rule.failure.as_ref().map(|failure| failure.message.as_str());
    if rule.priming.is_some() {
        let failure = failure.map(|failure| format!("; its last run failed: {failure}"));
        let message = format!("rule `{}` is being primed{}", rule.name, failure.unwrap_or_default());
        return Some(HealthCause::of_rule(CauseKind::Priming, rule, None, message));
    }
    rule.is_late(now).then(|| {
        let age = Duration::from_secs(now.since(rule.cursor).millis() / 1_000);
        let cause = failure.unwrap_or("no run has finished");
        let message = format!("rule `{}` has been evaluated only up to {age} ago: {cause}", rule.name);
        HealthCause::of_rule(CauseKind::Late, rule, rule.window_due, message)
    })
}
