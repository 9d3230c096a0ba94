//! What the engine wants a person to know, as log lines.
use watchbell_pipeline::order::Note;

use crate::clock::rfc3339;

pub(crate) fn log(note: Note) {
    match note {
        Note::Committed { rule, window, rows, signals, took } => tracing::info!(
            rule = rule.0,
            window = format!("{}..{}", rfc3339(window.start), rfc3339(window.end)),
            rows,
            signals,
            took_ms = took.millis(),
            outcome = "committed",
            "run"
        ),
        Note::RunFailed { rule, window, attempt, message, next } => tracing::warn!(
            rule = rule.0,
            window = format!("{}..{}", rfc3339(window.start), rfc3339(window.end)),
            attempt,
            outcome = "failed",
            next = rfc3339(next),
            "{message}"
        ),
        Note::Primed { rule, until } => {
            tracing::info!(rule = rule.0, until = rfc3339(until), "primed: the rule knows its past");
        }
        Note::GapRecorded { rule, start, end, reason } => tracing::warn!(
            rule = rule.0,
            start = rfc3339(start),
            end = rfc3339(end),
            "a slice of time was not evaluated: {reason}"
        ),
        Note::EpisodeOpened { rule, episode, summary } => {
            tracing::info!(rule = rule.0, episode, "episode opened: {summary}");
        }
        Note::EpisodeResolved { rule, episode, why } => {
            tracing::info!(rule = rule.0, episode, "episode ended: {why}");
        }
        Note::DeliveryPostponed { destination, intent, reason, due, attempt } => tracing::warn!(
            destination = destination.0,
            intent = intent.0,
            attempt,
            due = rfc3339(due),
            "delivery postponed: {reason}"
        ),
        Note::Delivered { destination, intent, attempt, maybe_repeated } => {
            tracing::info!(
                destination = destination.0,
                intent = intent.0,
                attempt,
                maybe_repeated,
                "delivered"
            );
        }
        Note::DeadLetter { destination, intent, reason } => {
            tracing::error!(destination = destination.0, intent = intent.0, "dead letter: {reason}");
        }
        Note::ClaimRecovered { destination, intent } => tracing::warn!(
            destination = destination.0,
            intent = intent.0,
            "a delivery was under way when the host last ended: it is sent again and marked as a possible repetition"
        ),
    }
}
