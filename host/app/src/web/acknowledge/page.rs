//! What people see: one page, which works without scripts, on a phone, in the dark and when it is read aloud.
use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use watchbell_contract::{Duration, Timestamp};
use watchbell_links::LinkFault;
use watchbell_outside::line;
use watchbell_pipeline::record::EpisodeRecord;

use super::outcome::{Found, Outcome};

/// Characters of a value; a label may hold a document's whole message.
const VALUE_CHARS_MAX: usize = 300;
const LABELS_MAX: usize = 30;

/// The page. Whatever it shows is escaped by the template.
#[derive(Template)]
#[template(path = "acknowledge.html")]
struct Page {
    heading: String,
    /// What is the case, in one sentence.
    sentence: String,
    /// Whether it is good news, for the color; the sentence says it as well.
    tone: &'static str,
    facts: Option<Facts>,
    /// Whether it can be acknowledged.
    button: bool,
    /// When the page was made.
    now: Instant,
}

struct Facts {
    rule: String,
    severity: &'static str,
    summary: String,
    labels: Vec<(String, String)>,
    labels_left: usize,
    since: Instant,
    ago: String,
}

/// A time for machines and for people.
struct Instant {
    rfc3339: String,
    shown: String,
}

/// An episode before anything is pressed.
pub(super) fn state(found: Found, now: Timestamp) -> Response {
    match found {
        Found::Open(episode) => {
            let sentence = "Nobody has acknowledged it yet.".to_owned();
            Page::of(&episode, sentence, "open", now).with_button().answer(StatusCode::OK)
        }
        found => not(found, now, "It is acknowledged", StatusCode::OK),
    }
}

/// After the button was pressed.
pub(super) fn outcome(outcome: Outcome, now: Timestamp) -> Response {
    match outcome {
        Outcome::Acknowledged(Found::Taken { episode, by, at }) => {
            let until = until(&episode);
            let sentence = format!("It is acknowledged by {}, {}.{until}", shown(&by), ago(at, now));
            Page::of(&episode, sentence, "good", now).answer(StatusCode::OK)
        }
        Outcome::Acknowledged(Found::Open(episode)) => {
            // Somebody took it back in the same instant.
            let sentence = "It was acknowledged, and taken back since.".to_owned();
            Page::of(&episode, sentence, "open", now).with_button().answer(StatusCode::OK)
        }
        Outcome::Recorded(Found::Open(episode)) => {
            let sentence = "The host has it, but has not stored it yet. Reload this page to see.".to_owned();
            Page::of(&episode, sentence, "open", now).answer(StatusCode::ACCEPTED)
        }
        Outcome::Acknowledged(found @ Found::Over(_)) | Outcome::Recorded(found) | Outcome::Not(found) => {
            not(found, now, "It was already acknowledged", StatusCode::OK)
        }
        Outcome::Refused(why) => {
            let sentence = format!("{}.", shown(&why));
            Page::without("Not acknowledged", sentence, now).answer(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

fn not(found: Found, now: Timestamp, acknowledged: &str, taken: StatusCode) -> Response {
    match found {
        Found::Taken { episode, by, at } => {
            let until = until(&episode);
            let sentence = format!("{acknowledged} by {}, {}.{until}", shown(&by), ago(at, now));
            Page::of(&episode, sentence, "good", now).answer(taken)
        }
        Found::Over(Some(episode)) => {
            let by = episode
                .phase
                .person()
                .map_or_else(String::new, |by| format!(" {} has resolved it.", shown(by)));
            let sentence = format!("It is over: there is nothing left to acknowledge.{by}");
            Page::of(&episode, sentence, "good", now).answer(StatusCode::GONE)
        }
        Found::Over(None) => {
            let sentence = "It is over: there is nothing left to acknowledge.".to_owned();
            Page::without("Over", sentence, now).answer(StatusCode::GONE)
        }
        Found::Open(episode) => Page::of(&episode, "Nobody has acknowledged it yet.".to_owned(), "open", now)
            .with_button()
            .answer(StatusCode::OK),
    }
}

/// A link that permits nothing.
pub(super) fn refused(fault: LinkFault, now: Timestamp) -> Response {
    let (status, more) = match fault {
        LinkFault::Malformed => (StatusCode::NOT_FOUND, "Open it from the message again, or copy all of it."),
        LinkFault::UnknownKey | LinkFault::Forged | LinkFault::OtherStore => {
            (StatusCode::FORBIDDEN, "Use the link of a newer message.")
        }
        LinkFault::Expired { .. } => (StatusCode::GONE, "Use the link of a newer message."),
    };
    let fault = fault.to_string();
    let mut letters = fault.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let sentence = format!("{first}{}. {more}", letters.as_str());
    Page::without("This link cannot be used", sentence, now).answer(status)
}

/// A page without an episode.
pub(super) fn plain(status: StatusCode, heading: &str, sentence: &str, now: Timestamp) -> Response {
    Page::without(heading, sentence.to_owned(), now).answer(status)
}

impl Page {
    fn of(episode: &EpisodeRecord, sentence: String, tone: &'static str, now: Timestamp) -> Self {
        let labels = episode.labels.iter().take(LABELS_MAX).map(|label| {
            let value = label.value.as_deref().map_or_else(|| "(missing)".to_owned(), shown);
            (shown(&label.name), value)
        });
        let facts = Facts {
            rule: shown(&episode.rule.0),
            severity: episode.severity.as_str(),
            summary: shown(&episode.last.summary),
            labels: labels.collect(),
            labels_left: episode.labels.len().saturating_sub(LABELS_MAX),
            since: Instant::of(episode.since),
            ago: ago(episode.since, now),
        };
        let heading = facts.rule.clone();
        Self { heading, sentence, tone, facts: Some(facts), button: false, now: Instant::of(now) }
    }

    fn without(heading: &str, sentence: String, now: Timestamp) -> Self {
        let now = Instant::of(now);
        Self { heading: heading.to_owned(), sentence, tone: "open", facts: None, button: false, now }
    }

    fn with_button(self) -> Self {
        Self { button: true, ..self }
    }

    fn answer(&self, status: StatusCode) -> Response {
        match self.render() {
            Ok(page) => (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

impl Instant {
    fn of(at: Timestamp) -> Self {
        let rfc3339 = at.to_string();
        let time = jiff::Timestamp::from_millisecond(at.0).ok();
        let shown = time.map(|time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
        Self { shown: shown.unwrap_or_else(|| rfc3339.clone()), rfc3339 }
    }
}

/// A value of others as one line of bounded length.
fn shown(text: &str) -> String {
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(VALUE_CHARS_MAX).collect();
    let more = if chars.next().is_some() { "…" } else { "" };
    format!("{}{more}", line(&start))
}

/// When the acknowledgement ends, if it ends by itself.
fn until(episode: &EpisodeRecord) -> String {
    let at = episode.progress.acknowledged_until;
    at.map_or_else(String::new, |at| format!(" This counts until {}.", Instant::of(at).shown))
}

/// `3m ago`, in at most two units.
fn ago(at: Timestamp, now: Timestamp) -> String {
    let since = now.since(at);
    let grid = match since.millis() {
        ..60_000 => 1_000,
        60_000..86_400_000 => 60_000,
        _ => 3_600_000,
    };
    match since.millis() / grid {
        0 => "just now".to_owned(),
        units => format!("{} ago", Duration(units * grid)),
    }
}

#[cfg(test)]
mod tests {
    use watchbell_contract::{Label, Severity};
    use watchbell_pipeline::spec::RuleName;

    use super::*;
    use crate::web::acknowledge::trial::episode;

    const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u{202e}\u{1b}[31m&amp;";

    fn hostile() -> EpisodeRecord {
        let mut episode = episode("e");
        episode.rule = RuleName(HOSTILE.into());
        episode.labels = vec![Label { name: HOSTILE.into(), value: Some(HOSTILE.into()) }];
        episode.severity = Severity::Critical;
        episode.last.summary = HOSTILE.into();
        episode.last.link = Some("javascript:alert(3)".into());
        episode
    }

    #[test]
    fn hostile_labels_and_names_are_text_on_the_acknowledge_page() {
        let now = Timestamp(1_796_000_300_000);
        let page = Page::of(&hostile(), format!("by {}", shown(HOSTILE)), "open", now).with_button();
        let page = page.render().unwrap();
        for part in ["<script", "<img", "javascript:", "\u{202e}", "\u{1b}", "onerror=alert(2)>"] {
            assert!(!page.contains(part), "{part:?} in {page}");
        }
        assert!(page.contains("alert(1)"), "it is shown as text: {page}");
        assert!(page.contains("5m ago"), "{page}");
    }

    #[test]
    fn the_acknowledge_page_needs_nothing_that_its_policy_refuses() {
        let page = Page::of(&episode("e"), "x".into(), "open", Timestamp(0)).with_button().render().unwrap();
        for part in ["style=", "<style", " src=", "http://", "https://", "autofocus"] {
            assert!(!page.contains(part), "{part:?} in {page}");
        }
        assert_eq!(page.matches("<form method=\"post\">").count(), 1);
        assert_eq!(page.matches("<button").count(), 1);
    }

    #[test]
    fn time_that_passed_has_at_most_two_units() {
        let ago = |millis: i64| super::ago(Timestamp(0), Timestamp(millis));
        assert_eq!(ago(0), "just now");
        assert_eq!(ago(-5_000), "just now");
        assert_eq!(ago(12_345), "12s ago");
        assert_eq!(ago(3_725_000), "1h2m ago");
        assert_eq!(ago(90_061_000), "1d1h ago");
    }
}
