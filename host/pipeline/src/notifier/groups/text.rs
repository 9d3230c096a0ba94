use watchbell_contract::{Cause, Label};

use crate::message::{Message, Wording};
use crate::record::EpisodeRecord;

use super::merge::Line;

/// What became of a key, which one, and what its rule says: `opened: host.name=db-1: the disk is full`. The labels that
/// the group shares are left out.
pub(super) fn line(line: &Line<'_>, shared: &[Label]) -> String {
    let message = line.newest;
    written(&state(line), &message.labels, shared, &message.last.summary)
}

/// A key of which nothing is new.
pub(super) fn still(episode: &EpisodeRecord, shared: &[Label]) -> String {
    written("still open", &episode.labels, shared, &episode.last.summary)
}

/// How many keys are not named.
pub(super) fn left(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("and 1 more key".to_owned()),
        _ => Some(format!("and {count} more keys")),
    }
}

fn written(state: &str, labels: &[Label], shared: &[Label], summary: &str) -> String {
    let own = pairs(labels.iter().filter(|label| !shared.contains(label)));
    match own.is_empty() {
        true => format!("{state}: {summary}"),
        false => format!("{state}: {own}: {summary}"),
    }
}

/// Labels, as a line names a key by them.
pub(in super::super) fn pairs<'a>(labels: impl IntoIterator<Item = &'a Label>) -> String {
    let pair = |label: &Label| format!("{}={}", label.name, label.value.as_deref().unwrap_or("(missing)"));
    labels.into_iter().map(pair).collect::<Vec<_>>().join(", ")
}

fn state(line: &Line<'_>) -> String {
    let Line { newest: message, begins, is_over, .. } = *line;
    match (message.cause, begins, is_over) {
        (Cause::Event, ..) => "event".to_owned(),
        (Cause::Summary, ..) => format!("{} events", message.count),
        (_, true, true) => "was".to_owned(),
        (_, false, true) => format!("resolved{}{}", by(message), ended(message)),
        (Cause::Acknowledged, true, false) => format!("opened, acknowledged{}", by(message)),
        (_, true, false) => "opened".to_owned(),
        (Cause::Acknowledged, ..) => format!("acknowledged{}", by(message)),
        (Cause::Worse, ..) => format!("worse, {}", message.severity.as_str()),
        (Cause::Repeat, ..) if message.wording == Wording::Unacknowledged => {
            "no longer acknowledged".to_owned()
        }
        (Cause::Repeat, ..) => "still open".to_owned(),
        _ => "escalated".to_owned(),
    }
}

fn by(message: &Message) -> String {
    message.person.as_deref().map(|person| format!(" by {person}")).unwrap_or_default()
}

fn ended(message: &Message) -> &'static str {
    if message.wording == Wording::RuleEnded { ", the rule has ended" } else { "" }
}
