use crate::partition::{OverflowStatus, RuleStatus};

use super::{CauseKind, HealthCause, Rules, first};

/// How many sentences about one rule are told.
const SENTENCES_MAX: usize = 3;

/// What people should look at although every rule is evaluated.
pub fn warnings(rules: &Rules) -> Vec<HealthCause> {
    let rules = || rules.iter().filter(|rule| rule.enabled);
    let overflows = rules().filter_map(|rule| overflow(rule));
    first(rules().filter_map(|rule| unmapped(rule)).chain(overflows))
}

fn unmapped(rule: &RuleStatus) -> Option<HealthCause> {
    let shown = rule.warnings.iter().take(SENTENCES_MAX).map(String::as_str).collect::<Vec<_>>().join("; ");
    let more = match rule.warnings.len().saturating_sub(SENTENCES_MAX) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let message = format!("rule `{}`: {shown}{more}", rule.name);
    (!shown.is_empty()).then(|| HealthCause::of_rule(CauseKind::FieldsUnmapped, rule, None, message))
}

fn overflow(rule: &RuleStatus) -> Option<HealthCause> {
    let OverflowStatus { keys, is_exact, episodes_max } = rule.overflow?;
    let least = if is_exact { "" } else { "at least " };
    let message = format!(
        "rule `{}`: {least}{keys} keys beyond its limit of {episodes_max} open episodes (`limits.episodes`) share one",
        rule.name
    );
    Some(HealthCause::of_rule(CauseKind::Overflow, rule, None, message))
}
