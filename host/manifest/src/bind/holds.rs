//! What the environment holds back: maintenance windows, inhibitions, how long a silence may last.
use watchbell_contract::Duration;
use watchbell_pipeline::maintenance::{HoldsSpec, Inhibition, LASTS_MAX, Maintenance, Span};
use watchbell_pipeline::matcher::Matcher;
use watchbell_pipeline::schedule::{Cron, CronFault};

use super::doc::Doc;
use crate::raw;

pub(super) fn holds(
    doc: &mut Doc<'_>,
    maintenance: std::collections::BTreeMap<String, raw::Maintenance>,
    inhibit: std::collections::BTreeMap<String, raw::Inhibit>,
    silences: &raw::Silences,
) -> HoldsSpec {
    let mut windows = Vec::new();
    for (name, raw) in maintenance {
        let at = format!("/maintenance/{name}");
        let matchers = matchers(doc, &format!("{at}/match"), &raw.matchers);
        let when = span(doc, &at, &raw);
        windows.extend(when.map(|when| Maintenance { name, matchers, when }));
    }
    let mut inhibitions = Vec::new();
    for (name, raw) in inhibit {
        let at = format!("/inhibit/{name}");
        inhibitions.push(Inhibition {
            source: matchers(doc, &format!("{at}/source"), &raw.source),
            target: matchers(doc, &format!("{at}/target"), &raw.target),
            wait: doc.span(&format!("{at}/wait"), raw.wait, HoldsSpec::INHIBIT_WAIT),
            equal: raw.equal,
        });
    }
    let silence_max = doc.positive("/silences/longest", silences.longest, HoldsSpec::SILENCE_MAX);
    HoldsSpec { maintenance: windows, inhibitions, silence_max, ..HoldsSpec::default() }
}

fn matchers(doc: &mut Doc<'_>, at: &str, texts: &[String]) -> Vec<Matcher> {
    let mut found = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match Matcher::parse(text) {
            Ok(matcher) => found.push(matcher),
            Err(fault) => doc.fault(&format!("{at}/{index}"), fault.to_string()).push(doc),
        }
    }
    found
}

fn span(doc: &mut Doc<'_>, at: &str, raw: &raw::Maintenance) -> Option<Span> {
    match (&raw.cron, &raw.from, &raw.until) {
        (Some(cron), None, None) => {
            let timezone = raw.timezone.as_deref().unwrap_or("UTC");
            let starts = Cron::parse(cron, timezone);
            let Some(lasts) = raw.lasts else {
                doc.fault(at, "`lasts` is missing").hint("for example `lasts: 2h`").push(doc);
                return None;
            };
            let lasts = doc.positive(&format!("{at}/lasts"), Some(lasts), Duration::ZERO);
            if lasts > LASTS_MAX {
                doc.fault(&format!("{at}/lasts"), "a maintenance window lasts at most 31 days").push(doc);
            }
            match starts {
                Ok(starts) => Some(Span::Recurring { starts, lasts }),
                Err(fault) => {
                    let key = if matches!(fault, CronFault::Timezone { .. }) { "timezone" } else { "cron" };
                    doc.fault(&format!("{at}/{key}"), fault.to_string()).push(doc);
                    None
                }
            }
        }
        (None, Some(from), Some(until)) => {
            if raw.lasts.is_some() || raw.timezone.is_some() {
                doc.fault(at, "`lasts` and `timezone` belong to `cron`")
                    .hint("write the offset into the times: `2026-12-24T22:00:00+01:00`")
                    .push(doc);
            }
            let from = doc.instant(&format!("{at}/from"), from)?;
            let until = doc.instant(&format!("{at}/until"), until)?;
            if until <= from {
                doc.fault(&format!("{at}/until"), "it ends before it begins").push(doc);
                return None;
            }
            Some(Span::Once { from, until })
        }
        _ => {
            doc.fault(at, "a maintenance window needs `cron` and `lasts`, or `from` and `until`")
                .hint("for example `cron: \"0 2 * * sun\"` and `lasts: 2h`")
                .push(doc);
            None
        }
    }
}
