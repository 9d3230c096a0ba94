//! One episode: what it is, why its messages were sent or held, and what comes next.
use anyhow::anyhow;
use watchbell_contract::Duration;
use watchbell_manifest::Bundle;
use watchbell_pipeline::maintenance::HoldsSpec;
use watchbell_pipeline::record::EpisodeRecord;
use watchbell_pipeline::spec::{RuleName, RuleSpec};
use watchbell_view::{EpisodeExplanation, Fate, MessageView, Phase, Source, StepFate, StepView, Time};

use super::super::args::Explain;
use super::super::status::{Answer, HostOrStore, short};
use super::super::{Colour, Failure, json, paint, plain, print};
use super::{cause, phase, severity};
use crate::clock;
use crate::explained::{self, InForce};

/// How many episodes are named in an error.
const NAMED_MAX: usize = 10;

pub(super) fn explain(args: &Explain, known: &HostOrStore) -> Result<(), Failure> {
    let id = args.subject.to_ascii_lowercase();
    let explanation = match known.ask::<EpisodeExplanation>(&format!("api/v1/episodes/{id}"))? {
        Answer::Given(explanation) => explanation,
        Answer::Missing => return Err(unknown(&args.subject)),
        Answer::Silent => from_store(args, known, &id)?,
    };
    if args.status.json {
        return json(&explanation);
    }
    print(&story(&explanation))
}

fn from_store(args: &Explain, known: &HostOrStore, id: &str) -> Result<EpisodeExplanation, Failure> {
    let reader = known.reader()?;
    let found = explained::meant(&reader, id)?;
    let episode = match found.as_slice() {
        [] => return Err(unknown(&args.subject)),
        [episode] => episode,
        several => return Err(ambiguous(several, id)),
    };
    let rule = |name: &RuleName| rule_of(known.bundle.as_ref(), name);
    let none = HoldsSpec::default();
    let in_force = InForce {
        environment: &args.status.place.environment,
        rule: &rule,
        holds: known.bundle.as_ref().map_or(&none, |bundle| &bundle.environment.holds),
        source: Source::Store,
        now: clock::wall(),
    };
    Ok(explained::explanation(&reader, episode, &in_force)?)
}

fn rule_of<'a>(bundle: Option<&'a Bundle>, name: &RuleName) -> Option<&'a RuleSpec> {
    bundle?.rule(&name.0).map(|rule| &rule.spec).filter(|spec| spec.enabled)
}

fn unknown(subject: &str) -> Failure {
    Failure::Faults(anyhow!(
        "there is no rule `{subject}`, and no episode whose id begins so\n\nhint: `watchbell status` lists the rules, and \
         `watchbell episodes` what is open"
    ))
}

fn ambiguous(found: &[EpisodeRecord], id: &str) -> Failure {
    let line = |episode: &EpisodeRecord| format!("\n  {} of {}", episode.id.0, plain(&episode.rule.0));
    let lines: String = found.iter().take(NAMED_MAX).map(line).collect();
    let rest = found.len().saturating_sub(NAMED_MAX);
    let rest = if rest > 0 { format!("\n  and {rest} more") } else { String::new() };
    let count = found.len();
    Failure::Faults(anyhow!(
        "{count} episodes have ids that begin with `{id}`:{lines}{rest}\n\nhint: give more of the id"
    ))
}

fn story(explanation: &EpisodeExplanation) -> String {
    let mut text = what_it_is(explanation);
    section(&mut text, "messages, oldest first", messages(&explanation.messages), "none");
    if !explanation.commands.is_empty() {
        section(&mut text, "what people did", commands(explanation), "");
    }
    if explanation.source == Source::Ended {
        text.push_str("\nIts rule is not in force any more: nothing else is sent but its end.\n");
        return text;
    }
    if let Phase::Resolved { .. } = explanation.episode.phase {
        section(&mut text, "steps", steps(&explanation.steps), "none");
        return text;
    }
    section(&mut text, "what holds it back", holds(explanation), "nothing");
    section(&mut text, "what comes next, if nothing changes", coming(explanation), "nothing");
    section(&mut text, "steps", steps(&explanation.steps), "none");
    text
}

fn section(text: &mut String, title: &str, lines: Vec<Vec<String>>, none: &str) {
    text.push_str(&format!("\n{}\n", paint(title, Colour::Bold)));
    if lines.is_empty() {
        text.push_str(&format!("  {none}\n"));
    }
    text.push_str(&aligned(&lines));
}

/// Lines of cells, each as wide as the widest of its column; the last one ends where it ends.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |line: &Vec<String>| {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("  {}\n", cells.join("  ").trim_end())
    };
    lines.iter().map(line).collect()
}

fn what_it_is(explanation: &EpisodeExplanation) -> String {
    let episode = &explanation.episode;
    let head = format!("episode {} of rule {}", plain(&episode.id), plain(&explanation.rule));
    let label = |(name, value): (&String, &Option<String>)| {
        format!("{}={}", plain(name), plain(value.as_deref().unwrap_or("(missing)")))
    };
    let labels: Vec<String> = episode.labels.iter().map(label).collect();
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    if !labels.is_empty() {
        row("labels", labels.join(" "));
    }
    row("severity", severity(episode.severity).to_owned());
    row("phase", plain(&phase_until(explanation)));
    if let Some(owner) = &explanation.owner {
        row("owner", plain(owner));
    }
    row("since", format!("{} on the data's clock, holds until {}", at(episode.since), at(episode.until)));
    row("opened", at(episode.opened_at));
    row("notified", notified(explanation));
    let mut text = format!("{}\n  {}\n\n", paint(&head, Colour::Bold), plain(&episode.summary));
    text.push_str(&aligned(&rows));
    if explanation.source == Source::Store {
        text.push_str(
            "  no host answers: this comes from the store, and what comes next from the manifests\n",
        );
    }
    text
}

fn phase_until(explanation: &EpisodeExplanation) -> String {
    let said = phase(&explanation.episode.phase);
    match (&explanation.episode.phase, explanation.acknowledged_until) {
        (Phase::Acknowledged { .. }, Some(until)) => format!("{said}, until {}", at(until)),
        _ => said,
    }
}

fn notified(explanation: &EpisodeExplanation) -> String {
    let notified = &explanation.episode.notified;
    let names: Vec<String> =
        notified.iter().map(|to| format!("{} at {}", plain(&to.destination), at(to.at))).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

fn messages(messages: &[MessageView]) -> Vec<Vec<String>> {
    let line = |message: &MessageView| {
        let delivery = &message.delivery;
        vec![
            at(delivery.created_at),
            cause(delivery.cause).to_owned(),
            message.step.map_or_else(String::new, |step| format!("step {step}")),
            format!("to {}", plain(&delivery.destination)),
            format!("{}{}", fate(message), latencies(message)),
        ]
    };
    messages.iter().map(line).collect()
}

fn fate(message: &MessageView) -> String {
    let delivery = &message.delivery;
    let attempts = delivery.attempts;
    let repeated = if delivery.maybe_repeated { ", possibly more than once" } else { "" };
    match &delivery.fate {
        Fate::Owed { due, last_error: Some(error) } => {
            format!("owed: attempt {attempts} failed ({}), next at {}", plain(error), at(*due))
        }
        Fate::Owed { due, last_error: None } => format!("owed: due {}", at(*due)),
        Fate::UnderWay => format!("under way: attempt {attempts}"),
        Fate::Delivered { delivered_at, .. } => {
            format!("delivered at {}, attempt {attempts}{repeated}", at(*delivered_at))
        }
        Fate::Merged { merged_at, into } => format!("merged at {} into message {into}", at(*merged_at)),
        Fate::Dead { dead_at, last_error } => {
            format!("dead letter at {} after {attempts} attempts: {}", at(*dead_at), plain(last_error))
        }
    }
}

/// How long it took from the signal, if a new one caused it, and to the receiver.
fn latencies(message: &MessageView) -> String {
    let since = message.signal_to_decision_seconds;
    let since = since.map_or_else(String::new, |seconds| format!("; signal to decision {seconds:.1} s"));
    let onwards = message.decision_to_receiver_seconds;
    let onwards = onwards.map_or_else(|| "unknown".to_owned(), |seconds| format!("{seconds:.1} s"));
    format!("{since}; decision to receiver {onwards}")
}

fn commands(explanation: &EpisodeExplanation) -> Vec<Vec<String>> {
    let commands = explanation.commands.iter();
    commands
        .map(|act| {
            let more = act.text.as_deref().map_or_else(String::new, |text| format!(": {}", plain(text)));
            let refused =
                act.refused.as_deref().map_or_else(String::new, |why| format!(" (refused: {})", plain(why)));
            vec![at(act.at), format!("{}{more}{refused}", act.command), format!("by {}", plain(&act.by))]
        })
        .collect()
}

fn holds(explanation: &EpisodeExplanation) -> Vec<Vec<String>> {
    let mut lines: Vec<Vec<String>> =
        explanation.holds.iter().map(|hold| vec![plain(&hold.message)]).collect();
    lines.extend(explanation.silences.iter().map(|silence| {
        let (id, by, reason) = (plain(&silence.id), plain(&silence.by), plain(&silence.reason));
        let when = match silence.from > explanation.at {
            true => format!(", from {} until {}", at(silence.from), at(silence.until)),
            false => String::new(),
        };
        vec![format!("silence `{id}` by {by}{when}: {reason}")]
    }));
    lines
}

fn coming(explanation: &EpisodeExplanation) -> Vec<Vec<String>> {
    let lines = explanation.coming.iter().map(|message| {
        let to: Vec<String> = message.to.iter().map(|name| plain(name)).collect();
        let when = if message.at <= explanation.at { "now".to_owned() } else { at(message.at) };
        vec![when, cause(message.cause).to_owned(), format!("to {}", to.join(", ")), plain(&message.message)]
    });
    lines.collect()
}

fn steps(steps: &[StepView]) -> Vec<Vec<String>> {
    let state = |step: &StepView| match &step.state {
        StepFate::Fired { fired_at } => format!("fired at {}", at(*fired_at)),
        StepFate::Passed { dropped: Some(why) } => format!("dropped: {}", plain(why)),
        StepFate::Passed { dropped: None } => "passed: it notified nobody for the first time".to_owned(),
        StepFate::Waits { until: Some(until) } => format!("waits for its hours, from {}", at(*until)),
        StepFate::Waits { until: None } => "waits for hours that never come".to_owned(),
        StepFate::Coming { fires_at: Some(fires_at) } => format!("fires at {}", at(*fires_at)),
        StepFate::Coming { fires_at: None } => "fires when what holds the episode is over".to_owned(),
        StepFate::Dropped { why } => format!("will be dropped: {}", plain(why)),
        StepFate::Over => "not reached".to_owned(),
    };
    let line = |step: &StepView| {
        let to: Vec<String> = step.to.iter().map(|name| plain(name)).collect();
        let after = Duration::from_secs(step.after_seconds).to_string();
        vec![step.step.to_string(), format!("after {after}"), format!("to {}", to.join(", ")), state(step)]
    };
    steps.iter().map(line).collect()
}

/// To the second: nobody reads milliseconds at night.
fn at(at: Time) -> String {
    short(Some(at))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn is_mark(c: char) -> bool {
        ('\u{FDD0}'..='\u{FDEF}').contains(&c)
    }

    /// The read model's own example, for people. `BLESS=1` accepts what is printed now.
    #[test]
    fn an_episode_is_told_in_aligned_lines() {
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = std::fs::read_to_string(home.join("../view/tests/golden/explain-episode.json")).unwrap();
        // Without the marks of colours.
        let told = story(&serde_json::from_str(&read).unwrap()).replace(is_mark, "");
        let golden = home.join("src/cli/explain/episode.txt");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&golden, &told).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        assert!(expected == told, "{told}\nto accept: BLESS=1 cargo test -p watchbell --lib explain");
    }

    #[test]
    fn what_has_ended_says_nothing_of_what_comes() {
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = std::fs::read_to_string(home.join("../view/tests/golden/explain-episode.json")).unwrap();
        let known: EpisodeExplanation = serde_json::from_str(&read).unwrap();
        let gone = story(&EpisodeExplanation { source: Source::Ended, ..known.clone() });
        assert!(gone.contains("not in force any more") && !gone.contains("what comes next"), "{gone}");
        let resolved = Phase::Resolved { resolved_at: known.at, ending: watchbell_view::Ending::Lapsed };
        let mut over = known;
        over.episode.phase = resolved;
        let over = story(&over);
        assert!(over.contains("its level lapsed") && !over.contains("what comes next"), "{over}");
    }
}
