use crate::partition::RuleStatus;

use super::{CauseKind, HealthCause, Rules, first};

/// How many sentences about one rule are told.
const SENTENCES_MAX: usize = 3;

/// What people should look at although every rule is evaluated.
pub fn warnings(rules: &Rules) -> Vec<HealthCause> {
    first(rules.iter().filter(|rule| rule.enabled).filter_map(|rule| unmapped(rule)))
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
