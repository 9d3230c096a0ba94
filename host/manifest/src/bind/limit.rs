//! How many messages a destination is sent.
use watchbell_pipeline::limit::Limit;

use super::doc::Doc;
use crate::raw;

/// `at`: the pointer of the limit.
pub(super) fn limit(doc: &mut Doc<'_>, at: &str, raw: &raw::DestinationLimit) -> Option<Limit> {
    if raw.per_minute.or(raw.per_hour).or(raw.per_day).is_none() {
        let below = ["per_minute", "per_hour", "per_day"].map(|key| format!("{at}/{key}"));
        if !below.iter().any(|at| doc.was_wrong(at)) {
            doc.fault(at, "it limits nothing: `per_minute`, `per_hour` and `per_day` are missing")
                .hint("for example `limit: { per_day: 50 }`")
                .push(doc);
        }
        return None;
    }
    match Limit::within(raw.timezone.as_deref().unwrap_or("UTC")) {
        Ok(limit) => {
            let raw::DestinationLimit { per_minute, per_hour, per_day, .. } = *raw;
            Some(Limit { per_minute, per_hour, per_day, ..limit })
        }
        Err(fault) => {
            doc.fault(&format!("{at}/timezone"), fault.to_string()).push(doc);
            None
        }
    }
}
