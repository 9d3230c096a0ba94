use serde_json::{Value, json};
use watchbell_pipeline::record::{Delivery, EpisodeRecord, IntentRecord, Phase};
use watchbell_pipeline::spec::RuleName;
use watchbell_store::{EpisodeFilter, IntentFilter, Read, Reader};

use super::args::Explain;
use super::status::{Answer, Source, rule_view};
use super::{BOLD, Failure, paint, print};
use crate::clock::{self, rfc3339};
use crate::view::{Explanation, RuleView};

/// How many episodes, deliveries and gaps are worth a person's time.
const SHOWN: u32 = 10;

pub(crate) fn explain(args: &Explain) -> Result<(), Failure> {
    let source = Source::find(&args.status)?;
    let name = &RuleName(args.rule.clone());
    let manifest = source.bundle.as_ref().and_then(|bundle| bundle.rule(&args.rule));
    let reader = source.reader()?;
    let explanation = match source.ask::<Explanation>(&format!("explain/{name}"))? {
        Answer::Given(explanation) => explanation,
        Answer::Missing | Answer::Silent => {
            let record = reader.rule(name)?.map(|view| view.record);
            let past = !episodes(&reader, name, false)?.is_empty() || !intents(&reader, name)?.is_empty();
            if manifest.is_none() && record.is_none() && !past {
                return Err(unknown(args, &source, &reader)?);
            }
            let open = episodes(&reader, name, true)?.len() as u64;
            let enabled = manifest.is_some_and(|rule| rule.spec.enabled);
            let why = match (manifest, &source.bundle) {
                (None, Some(_)) => "its manifest is gone: this is what the store holds of it",
                _ => "no host answers: this is what the store holds",
            };
            Explanation {
                rule: rule_view(name, enabled, record.as_ref(), open, clock::wall()),
                decisions: vec![why.into()],
            }
        }
    };
    if args.status.json {
        return print(&json(&explanation, &reader, name)?);
    }
    print(&story(&explanation, &reader, name)?)
}

fn unknown(args: &Explain, source: &Source, reader: &Reader) -> Result<Failure, Failure> {
    let known: Vec<String> = match &source.bundle {
        Some(bundle) => bundle.rules.iter().map(|rule| rule.spec.name.0.clone()).collect(),
        None => reader.rules()?.into_iter().map(|view| view.record.rule.0).collect(),
    };
    Ok(Failure::Faults(anyhow::anyhow!(
        "no rule `{}` in environment `{}`\n\nhint: there are {}",
        args.rule,
        args.status.place.environment,
        known.join(", ")
    )))
}

/// The same as the story, for machines.
fn json(explanation: &Explanation, reader: &Reader, name: &RuleName) -> Result<String, Failure> {
    let mut whole = serde_json::to_value(explanation)?;
    let gaps = reader.gaps(Some(name), SHOWN)?.into_iter().map(|gap| {
        json!({
            "start": rfc3339(gap.over.start), "end": rfc3339(gap.over.end),
            "reason": format!("{:?}", gap.reason), "message": gap.message,
        })
    });
    whole["gaps"] = gaps.collect();
    whole["episodes"] = episodes(reader, name, false)?
        .iter()
        .map(|episode| {
            let labels: serde_json::Map<String, Value> =
                episode.labels.iter().map(|label| (label.name.clone(), json!(label.value))).collect();
            let told: Vec<&str> = episode.told.iter().map(|told| told.destination.0.as_str()).collect();
            json!({
                "id": episode.id.0, "severity": episode.severity.as_str(), "labels": labels,
                "since": rfc3339(episode.since), "phase": phase(episode), "told": told,
                "summary": episode.last.summary,
            })
        })
        .collect();
    whole["deliveries"] = intents(reader, name)?
        .iter()
        .map(|intent| {
            json!({
                "id": intent.id.0, "cause": intent.message.cause.as_str(), "destination": intent.destination.0,
                "fate": fate(intent),
            })
        })
        .collect();
    Ok(serde_json::to_string_pretty(&whole)?)
}

fn intents(reader: &Reader, rule: &RuleName) -> Result<Vec<IntentRecord>, Failure> {
    let filter = IntentFilter { rule: Some(rule.clone()), rows_max: SHOWN, ..IntentFilter::default() };
    Ok(reader.intents(&filter)?)
}

fn episodes(reader: &Reader, rule: &RuleName, open: bool) -> Result<Vec<EpisodeRecord>, Failure> {
    Ok(reader.episodes(&EpisodeFilter { open, rule: Some(rule.clone()), rows_max: SHOWN })?)
}

fn story(explanation: &Explanation, reader: &Reader, name: &RuleName) -> Result<String, Failure> {
    let out = std::io::stdout();
    let head = |title: &str| format!("\n{}\n", paint(title, BOLD, &out));
    let mut text = format!("{}\n", paint(&format!("rule {name}"), BOLD, &out));
    text.push_str(&evaluation(&explanation.rule));
    text.push_str(&head("why"));
    for decision in &explanation.decisions {
        text.push_str(&format!("  {decision}\n"));
    }
    text.push_str(&head("episodes, newest first"));
    let episodes = episodes(reader, name, false)?;
    if episodes.is_empty() {
        text.push_str("  none: the rule has emitted no level yet\n");
    }
    for episode in &episodes {
        text.push_str(&format!("  {}\n", episode_line(episode)));
    }
    text.push_str(&head("deliveries, newest first"));
    let intents = intents(reader, name)?;
    if intents.is_empty() {
        text.push_str("  none\n");
    }
    for intent in &intents {
        text.push_str(&format!("  {}\n", intent_line(intent)));
    }
    let gaps = reader.gaps(Some(name), SHOWN)?;
    if !gaps.is_empty() {
        text.push_str(&head("slices of time that were not evaluated"));
        for gap in gaps {
            let (start, end) = (rfc3339(gap.over.start), rfc3339(gap.over.end));
            text.push_str(&format!("  {start}..{end}  {:?}: {}\n", gap.reason, gap.message));
        }
    }
    Ok(text)
}

fn evaluation(rule: &RuleView) -> String {
    let mut text = format!(
        "  evaluated until {}, {} open episodes, next due {}\n",
        rule.evaluated_until.as_deref().unwrap_or("never"),
        rule.open_episodes,
        rule.next_due.as_deref().unwrap_or("unknown"),
    );
    if let Some(run) = &rule.last_run {
        text.push_str(&format!(
            "  last run: {}..{}, {} rows, {} signals, {} ms\n",
            run.window_start, run.window_end, run.rows, run.signals, run.took_ms
        ));
    }
    if let Some(error) = &rule.last_error {
        text.push_str(&format!("  failed {} times in a row: {error}\n", rule.failures_in_a_row));
    }
    text
}

fn phase(episode: &EpisodeRecord) -> String {
    match &episode.phase {
        Phase::Pending => "pending: not yet announced".to_owned(),
        Phase::Active => "active".to_owned(),
        Phase::Acknowledged { at, by } => format!("acknowledged by {by} at {}", rfc3339(*at)),
        Phase::ResolvedByHand { at, by } => {
            format!("resolved by {by} at {}, quiet until its level ends", rfc3339(*at))
        }
        Phase::Resolved { at, why } => format!("resolved at {} ({why:?})", rfc3339(*at)),
    }
}

fn episode_line(episode: &EpisodeRecord) -> String {
    let labels: Vec<String> = episode
        .labels
        .iter()
        .map(|label| format!("{}={}", label.name, label.value.as_deref().unwrap_or("(missing)")))
        .collect();
    let phase = phase(episode);
    let told: Vec<&str> = episode.told.iter().map(|told| told.destination.0.as_str()).collect();
    format!(
        "{} {} [{}] since {}: {phase}; told: {}; {}",
        episode.id.0,
        episode.severity.as_str(),
        labels.join(", "),
        rfc3339(episode.since),
        if told.is_empty() { "nobody".to_owned() } else { told.join(", ") },
        episode.last.summary,
    )
}

fn intent_line(intent: &IntentRecord) -> String {
    let fate = fate(intent);
    format!("{} {} to {}: {fate}", intent.id.0, intent.message.cause.as_str(), intent.destination)
}

fn fate(intent: &IntentRecord) -> String {
    match &intent.delivery {
        Delivery::Owed { due, attempt, last } => match last {
            Some(last) => format!("owed: attempt {attempt} failed ({last}), next at {}", rfc3339(*due)),
            None => format!("owed: due {}", rfc3339(*due)),
        },
        Delivery::Claimed { attempt, .. } => format!("under way: attempt {attempt}"),
        Delivery::Delivered { at, attempt, .. } => format!(
            "delivered at {}, attempt {attempt}{}",
            rfc3339(*at),
            if intent.maybe_repeated { ", possibly more than once" } else { "" }
        ),
        Delivery::Dead { at, last, attempt } => {
            format!("dead letter at {} after {attempt} attempts: {last}", rfc3339(*at))
        }
    }
}
