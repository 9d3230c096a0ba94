use watchbell_sdk::{Cause, Intent, Severity, Timestamp};

/// Labels that are shown; more are counted.
const LABELS_MAX: usize = 50;
/// Characters of a value that is shown.
const VALUE_CHARS_MAX: usize = 1_000;

/// What a mail says besides the message's own text.
pub(crate) struct Facts {
    /// Names and values, as plain text of one line each.
    pub(crate) rows: Vec<(String, String)>,
    /// What can be done, and where.
    pub(crate) links: Vec<(&'static str, String)>,
    pub(crate) is_repeat: bool,
}

pub(crate) fn of(intent: &Intent) -> Facts {
    let mut rows =
        vec![("State".to_owned(), state(intent)), ("Severity".to_owned(), severity(intent.severity).into())];
    for label in intent.labels.iter().take(LABELS_MAX) {
        let value = label.value.as_deref().map_or_else(|| "(missing)".to_owned(), shown);
        rows.push((shown(&label.name), value));
    }
    if let Some(more) = intent.labels.len().checked_sub(LABELS_MAX).filter(|more| *more > 0) {
        rows.push(("…".to_owned(), format!("and {more} more labels")));
    }
    if let Some(value) = intent.value {
        let threshold =
            intent.threshold.map(|threshold| format!(" (threshold {threshold})")).unwrap_or_default();
        rows.push(("Value".to_owned(), format!("{value}{threshold}")));
    }
    if has_lifetime(intent.cause) {
        rows.push(("Since".to_owned(), Timestamp(intent.since).to_string()));
    }
    rows.push(("At".to_owned(), Timestamp(intent.at).to_string()));
    rows.push(("Rule".to_owned(), shown(&intent.rule)));
    rows.extend(intent.owner.as_deref().map(|owner| ("Owner".to_owned(), shown(owner))));
    rows.push(("Environment".to_owned(), shown(&intent.environment)));
    let documents = intent.link.as_deref().map(|link| ("Show the documents", link));
    let acknowledge = intent.acknowledge_link.as_deref().map(|link| ("Acknowledge", link));
    let links = acknowledge.into_iter().chain(documents);
    Facts {
        rows,
        links: links.filter(|(_, link)| is_web(link)).map(|(what, link)| (what, link.to_owned())).collect(),
        is_repeat: intent.maybe_repeated,
    }
}

/// In words, with the person who acted.
fn state(intent: &Intent) -> String {
    let by = intent.person.as_deref().map(|person| format!(" by {}", shown(person))).unwrap_or_default();
    match intent.cause {
        Cause::Opened => "firing".into(),
        Cause::Worse => "firing, and more severe than before".into(),
        Cause::Repeat => "still firing".into(),
        Cause::Escalated => "still firing, and escalated".into(),
        Cause::Acknowledged => format!("acknowledged{by}"),
        Cause::Resolved => format!("resolved{by}"),
        Cause::Was => "over: it ended before anyone was notified".into(),
        Cause::Event => "an event".into(),
        Cause::Summary => "several alerts in one mail".into(),
        Cause::Test => "a test: nothing happened".into(),
    }
}

fn has_lifetime(cause: Cause) -> bool {
    !matches!(cause, Cause::Event | Cause::Summary | Cause::Test)
}

pub(crate) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

/// A mail program opens whatever a link names.
fn is_web(link: &str) -> bool {
    let has = |scheme: &str| link.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    (has("https://") || has("http://")) && !link.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn shown(text: &str) -> String {
    let mut shown: String =
        text.chars().take(VALUE_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(VALUE_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_the_web_are_links() {
        assert!(is_web("https://a.example/x") && is_web("HTTP://a.example"));
        for link in ["javascript:alert(1)", "https://a.example/\nx", "//a.example", "file:///etc", ""] {
            assert!(!is_web(link), "{link}");
        }
    }
}
