//! Log lines for what the engine reports.
use watchbell_contract::{Duration, Window};
use watchbell_pipeline::action::{Note, Purpose, Run};
use watchbell_pipeline::fault::RunFault;
use watchbell_pipeline::input::Evaluation;
use watchbell_sandbox::LogLine;

use crate::clock::rfc3339;

/// A module's log lines, each at its own level. `of` names the module's owner.
pub(crate) fn guest_lines(of: &str, lines: &[LogLine], dropped: u64) {
    for LogLine { level, message } in lines {
        match level {
            0 => tracing::error!(of, "{message}"),
            1 => tracing::warn!(of, "{message}"),
            2 => tracing::info!(of, "{message}"),
            3 => tracing::debug!(of, "{message}"),
            _ => tracing::trace!(of, "{message}"),
        }
    }
    if dropped > 0 {
        tracing::warn!(of, dropped, "the module exceeded its log limit; the remaining lines were dropped");
    }
}

/// Logs a run that failed, or that primed its rule. A successful live run is logged when it is committed.
pub(crate) fn run_ended(run: &Run, outcome: &Result<Evaluation, RunFault>, rows: u64, took: Duration) {
    let (rule, window, took_ms) = (&run.rule.0, span(run.window), took.millis());
    match outcome {
        Ok(_) if run.purpose == Purpose::Live => {}
        Ok(_) => tracing::info!(rule, window, rows, took_ms, outcome = "primed", "run"),
        Err(RunFault { message, .. }) => {
            let attempt = run.attempt;
            tracing::warn!(rule, window, rows, took_ms, attempt, outcome = "failed", "{message}");
        }
    }
}

fn span(window: Window) -> String {
    format!("{}..{}", rfc3339(window.start), rfc3339(window.end))
}

pub(crate) fn log(note: Note) {
    match note {
        Note::Committed { rule, window, rows, signals, took } => tracing::info!(
            rule = rule.0,
            window = span(window),
            rows,
            signals,
            took_ms = took.millis(),
            outcome = "committed",
            "run"
        ),
        // The reason was logged when the run ended.
        Note::RunFailed { rule, window, attempt, next, .. } => tracing::debug!(
            rule = rule.0,
            window = span(window),
            attempt,
            next = rfc3339(next),
            "retrying the window"
        ),
        Note::Primed { rule, until } => {
            tracing::info!(rule = rule.0, until = rfc3339(until), "primed: the rule has read its history");
        }
        Note::PrimesAnew { rule, reason } => {
            tracing::info!(rule = rule.0, "the rule reads its history again: {reason}");
        }
        Note::Overflowed { rule, limit, message } => {
            tracing::warn!(rule = rule.0, limit, "more keys than `limits.episodes` allows: {message}");
        }
        Note::Backlog { rule, destination, message } => {
            tracing::warn!(rule = rule.0, destination = destination.0, "{message}");
        }
        Note::DestinationChanged { destination, message, is_bad: true } => {
            tracing::warn!(destination = destination.0, "{message}");
        }
        Note::DestinationChanged { destination, message, is_bad: false } => {
            tracing::info!(destination = destination.0, "{message}");
        }
        Note::WithinLimit { rule, limit } => {
            tracing::info!(rule = rule.0, limit, "no key is beyond `limits.episodes` any more");
        }
        Note::FieldUnmapped { rule, field, message } => tracing::warn!(rule = rule.0, field, "{message}"),
        Note::GapRecorded { rule, start, end, reason } => tracing::warn!(
            rule = rule.0,
            start = rfc3339(start),
            end = rfc3339(end),
            "a slice of time was not evaluated: {reason}"
        ),
        Note::Lost { what, why } => tracing::warn!("this host no longer owns {what}: {why}"),
        Note::Announced { rule, reason } => tracing::debug!(rule = rule.0, "sent: {reason}"),
        Note::Held { rule, reason } => tracing::debug!(rule = rule.0, "held: {reason}"),
        Note::EpisodeOpened { rule, episode, summary } => {
            tracing::info!(rule = rule.0, episode, "episode opened: {summary}");
        }
        Note::EpisodeResolved { rule, episode, why } => {
            tracing::info!(rule = rule.0, episode, "episode resolved: {why}");
        }
        Note::Commanded { id, by, refused: None } => tracing::info!(command = id.0, by, "done"),
        Note::Commanded { id, by, refused: Some(why) } => {
            tracing::warn!(command = id.0, by, "refused: {why}");
        }
        Note::TextFailed { rule, destination, intent, reason } => tracing::warn!(
            rule = rule.0,
            destination = destination.0,
            intent = intent.0,
            "sent in plain form, because its text could not be rendered: {reason}"
        ),
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
            "a delivery was in progress when the host last stopped: sending it again, marked as a possible repetition"
        ),
        Note::Merged { destination, into, count } => tracing::info!(
            destination = destination.0,
            intent = into.0,
            messages = count,
            "messages that waited are sent as one"
        ),
    }
}
