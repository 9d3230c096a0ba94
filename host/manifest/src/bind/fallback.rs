//! Destinations that environments name in place of others, or for what the host says of itself.
use std::collections::{BTreeMap, BTreeSet};

use watchbell_pipeline::spec::DestinationName;

use super::doc::Doc;
use crate::raw;
use crate::report::suggest;

/// The names that an environment gives.
pub(super) struct Names {
    pub(super) destinations: BTreeSet<String>,
    pub(super) rotations: BTreeSet<String>,
}

/// Checks the `else` of each destination: by name, where it has one.
pub(super) fn check_fallbacks(doc: &mut Doc<'_>, fallbacks: &BTreeMap<String, String>, names: &Names) {
    let mut reported: BTreeSet<&str> = BTreeSet::new();
    for (name, fallback) in fallbacks {
        let at = format!("/destinations/{name}/else");
        if name == fallback {
            doc.fault(&at, format!("`{name}` is not a fallback of itself"))
                .hint("name another destination, or remove `else`")
                .push(doc);
        } else if !is_destination(doc, &at, fallback, names) || reported.contains(name.as_str()) {
            continue;
        } else if let Some(circle) = circle(fallbacks, name) {
            let shown: Vec<String> = circle.iter().map(|name| format!("`{name}`")).collect();
            doc.fault(&at, format!("these fall back to each other: {}", shown.join(", ")))
                .hint("a chain must end: remove one `else`")
                .push(doc);
            reported.extend(circle);
        }
    }
}

/// `host_alerts: { to }`.
pub(super) fn host_alerts(
    doc: &mut Doc<'_>,
    raw: Option<raw::HostAlerts>,
    names: &Names,
) -> Vec<DestinationName> {
    let to = raw.map(|raw| raw.to).unwrap_or_default();
    for (index, name) in to.iter().enumerate() {
        is_destination(doc, &format!("/host_alerts/to/{index}"), name, names);
    }
    to.into_iter().map(DestinationName).collect()
}

/// The names from `first` back to it; `None` if its chain does not lead back.
fn circle<'a>(fallbacks: &'a BTreeMap<String, String>, first: &'a str) -> Option<Vec<&'a str>> {
    let mut chain = vec![first];
    for _ in fallbacks {
        let next = fallbacks.get(*chain.last()?)?;
        if next == first {
            return Some(chain);
        }
        chain.push(next);
    }
    None
}

fn is_destination(doc: &mut Doc<'_>, at: &str, name: &str, names: &Names) -> bool {
    if names.destinations.contains(name) {
        return true;
    }
    let known: Vec<&str> = names.destinations.iter().map(String::as_str).collect();
    if names.rotations.contains(name) {
        doc.fault(at, format!("`{name}` is a rotation, and here a destination is needed"))
            .maybe_hint(suggest(name, &known))
            .push(doc);
    } else {
        let hint = suggest(name, &known).unwrap_or_else(|| "define it under `destinations:`".into());
        doc.fault(at, format!("`{name}` is not a destination")).hint(hint).push(doc);
    }
    false
}
